//! Argon2 (RFC 9106), the house's own among them.

use argon2::password_hash;
use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use shared::limits::{STORED_HASH_MEMORY_KIB_MAX, STORED_HASH_WORK_KIB_MAX};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::HashRefused;
use super::fields::{malformed, within};
use crate::password::hash::{HashFailure, HashParams, Memory, OUTPUT_BYTES, SALT_BYTES};

const KIND: &str = "argon2";

/// A stored argon2 hash.
pub(in crate::password) struct Argon2Hash {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Salt,
    output: Output,
}

impl Argon2Hash {
    pub(super) fn read(phc: &str, wanted: HashParams) -> Result<Self, HashRefused> {
        let stored = Self::parse(phc).map_err(|_| malformed(KIND, "it is no PHC string of argon2"))?;
        let cost = stored.cost();
        let memory_most = STORED_HASH_MEMORY_KIB_MAX.max(wanted.memory_kib);
        within(
            KIND,
            "m (KiB of memory)",
            cost.memory_kib.into(),
            memory_most.into(),
        )?;
        let work_most = STORED_HASH_WORK_KIB_MAX.max(wanted.work_kib());
        within(KIND, "m × t (KiB over all passes)", cost.work_kib(), work_most)?;
        Ok(stored)
    }

    fn parse(phc: &str) -> password_hash::Result<Self> {
        let phc = PasswordHash::new(phc)?;
        Ok(Self {
            algorithm: Algorithm::try_from(phc.algorithm.as_str())?,
            // Argon2's own encoding left the version out while there was only the first.
            version: phc.version.map_or(Ok(Version::V0x10), Version::try_from)?,
            params: Params::try_from(&phc)?,
            salt: phc.salt.ok_or(password_hash::Error::SaltInvalid)?,
            output: phc.hash.ok_or(password_hash::Error::OutputSize)?,
        })
    }

    pub(super) fn cost(&self) -> HashParams {
        HashParams {
            memory_kib: self.params.m_cost(),
            iterations: self.params.t_cost(),
            parallelism: self.params.p_cost(),
        }
    }

    pub(super) fn is_below(&self, wanted: HashParams) -> bool {
        let cost = self.cost();
        self.algorithm != Algorithm::Argon2id
            || self.version != Version::V0x13
            || cost.memory_kib < wanted.memory_kib
            || cost.iterations < wanted.iterations
            || cost.parallelism < wanted.parallelism
            || self.salt.len() < SALT_BYTES
            || self.output.len() < OUTPUT_BYTES
    }

    pub(super) fn is_of(&self, password: &[u8], memory: &mut Memory) -> Result<bool, HashFailure> {
        let mut output = Zeroizing::new([0; Output::MAX_LENGTH]);
        let output = output.get_mut(..self.output.len()).unwrap_or_default();
        let argon2 = Argon2::new(self.algorithm, self.version, self.params.clone());
        memory.fill(&argon2, password, &self.salt, output)?;
        Ok(output.ct_eq(self.output.as_bytes()).into())
    }
}
