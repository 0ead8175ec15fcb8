//! scrypt (RFC 7914).

use scrypt::{Params, scrypt};
use shared::limits::{STORED_HASH_MEMORY_KIB_MAX, STORED_HASH_WORK_KIB_MAX};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::HashRefused;
use super::fields::{bytes, fields, malformed, number, output, parameters, within};
use crate::password::hash::HashFailure;

const KIND: &str = "scrypt";

/// A block of `r` = 1, in bytes.
const BLOCK_BYTES: u64 = 128;

/// What `p` and `r` are at most, whatever the memory: far beyond what anybody uses.
const FACTOR_MAX: u64 = 1024;

/// A stored scrypt hash.
pub(in crate::password) struct ScryptHash {
    params: Params,
    memory_kib: u32,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl ScryptHash {
    /// Reads what follows `$scrypt$`: `ln=14,r=8,p=1$salt$hash`.
    pub(super) fn read_phc(rest: &str) -> Result<Self, HashRefused> {
        let [cost, salt, hash] = fields(KIND, rest)?;
        let [Some(log_n), Some(r), Some(p)] = parameters(KIND, ["ln", "r", "p"], cost)? else {
            return Err(malformed(KIND, "the parameters"));
        };
        Self::of(log_n, r, p, bytes(KIND, "the salt", salt)?, output(KIND, hash)?)
    }

    /// Reads what follows Django's `scrypt$`: `16384$salt$8$1$hash`, whose salt is the text itself.
    pub(super) fn read_django(rest: &str) -> Result<Self, HashRefused> {
        let [n, salt, r, p, hash] = fields(KIND, rest)?;
        let n = number(KIND, "the work factor", n)?;
        if !n.is_power_of_two() {
            return Err(malformed(KIND, "the work factor"));
        }
        let r = number(KIND, "the block size", r)?;
        let p = number(KIND, "the parallelism", p)?;
        let salt = salt.as_bytes().to_vec();
        Self::of(n.trailing_zeros().into(), r, p, salt, output(KIND, hash)?)
    }

    fn of(log_n: u64, r: u64, p: u64, salt: Vec<u8>, output: Vec<u8>) -> Result<Self, HashRefused> {
        if log_n == 0 || r == 0 || p == 0 {
            return Err(malformed(KIND, "the parameters"));
        }
        within(KIND, "ln (log₂ of N)", log_n, 31)?;
        within(KIND, "r", r, FACTOR_MAX)?;
        within(KIND, "p", p, FACTOR_MAX)?;
        // None of these products is near 64 bits.
        let block = BLOCK_BYTES * r;
        let memory_kib = ((block << log_n) + block * (p + 1)).div_ceil(1024);
        within(
            KIND,
            "128 × N × r (KiB of memory)",
            memory_kib,
            STORED_HASH_MEMORY_KIB_MAX.into(),
        )?;
        let work_kib = ((block << log_n) * p).div_ceil(1024);
        within(
            KIND,
            "128 × N × r × p (KiB over all lanes)",
            work_kib,
            STORED_HASH_WORK_KIB_MAX,
        )?;
        let wrong = || malformed(KIND, "the parameters");
        let narrow = |value: u64| u32::try_from(value).map_err(|_| wrong());
        let log_n = u8::try_from(log_n).map_err(|_| wrong())?;
        Ok(Self {
            params: Params::new(log_n, narrow(r)?, narrow(p)?).map_err(|_| wrong())?,
            memory_kib: narrow(memory_kib)?,
            salt,
            output,
        })
    }

    pub(super) fn memory_kib(&self) -> u32 {
        self.memory_kib
    }

    pub(super) fn is_of(&self, password: &[u8]) -> Result<bool, HashFailure> {
        let mut computed = Zeroizing::new(vec![0; self.output.len()]);
        scrypt(password, &self.salt, &self.params, &mut computed).map_err(|_| HashFailure::Scrypt)?;
        Ok(computed.ct_eq(&self.output).into())
    }
}
