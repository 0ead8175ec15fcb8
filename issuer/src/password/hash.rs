//! Argon2 (RFC 9106) on memory that is used again.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use shared::crypto::random;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::Password;

/// Bytes of a new salt (RFC 9106 section 3.1).
const SALT_BYTES: usize = 16;

/// Bytes of a new hash.
const OUTPUT_BYTES: usize = Params::DEFAULT_OUTPUT_LEN;

/// The most memory that a stored hash may ask for, unless the configured parameters ask for more: 256 MiB, the
/// most that common libraries call moderate.
const STORED_MEMORY_KIB_MAX: u32 = 256 * 1024;

/// The most work that a stored hash may ask for, in KiB filled over all passes, unless the configured parameters ask
/// for more: 1 GiB, some 27 times the default.
const STORED_WORK_KIB_MAX: u64 = 1024 * 1024;

/// A stored hash in bytes. PHC strings of argon2 with every field at its longest are some 300.
const STORED_BYTES_MAX: usize = 512;

/// What a hash costs: argon2id parameters (RFC 9106 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashParams {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub iterations: u32,
    /// Lanes. They are computed one after another, by the one thread.
    pub parallelism: u32,
}

impl HashParams {
    const fn work_kib(self) -> u64 {
        // Both are 32 bits wide: the product fits.
        self.memory_kib as u64 * self.iterations as u64
    }
}

/// What a presented password is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not the one that was stored.
    Wrong,
    /// The one that was stored.
    Right {
        /// Whether the stored hash is weaker than a new one would be: hash again.
        outdated: bool,
    },
}

/// Why there is no hash, or no verdict.
#[derive(Debug, thiserror::Error)]
pub enum HashFailure {
    /// What is stored is no argon2 hash.
    #[error("the stored hash is not understood")]
    Unreadable(#[source] argon2::password_hash::Error),
    /// The stored hash asks for more than its bounds.
    #[error("the stored hash asks for {memory_kib} KiB in {iterations} passes, which is refused")]
    TooExpensive {
        /// Memory, in KiB.
        memory_kib: u32,
        /// Passes over it.
        iterations: u32,
    },
    /// No memory is left.
    #[error("there is no memory for {0} KiB of blocks")]
    Memory(usize),
    /// Argon2 refused its input.
    #[error("argon2 failed")]
    Argon2(#[from] argon2::Error),
    /// The hashing panicked.
    #[error("hashing panicked")]
    Panicked,
    /// The pool ended before the job was done.
    #[error("the pool has ended")]
    Stopped,
}

/// Hashes passwords with one set of parameters.
#[derive(Debug)]
pub(super) struct Hasher {
    wanted: HashParams,
    params: Params,
    /// The salt of a hash that nobody's is.
    nobody: [u8; SALT_BYTES],
}

impl Hasher {
    pub(super) fn new(wanted: HashParams) -> Result<Self, argon2::Error> {
        let params = Params::new(
            wanted.memory_kib,
            wanted.iterations,
            wanted.parallelism,
            Some(OUTPUT_BYTES),
        )?;
        Ok(Self {
            wanted,
            params,
            nobody: random::bytes(),
        })
    }

    /// A PHC string of the password with a new salt.
    pub(super) fn hash(&self, password: &Password, memory: &mut Memory) -> Result<String, HashFailure> {
        let salt = random::bytes::<SALT_BYTES>();
        let mut output = Zeroizing::new([0; OUTPUT_BYTES]);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone());
        memory.fill(&argon2, password, &salt, &mut *output)?;
        let phc = || -> argon2::password_hash::Result<String> {
            Ok(PasswordHash {
                algorithm: Algorithm::Argon2id.ident(),
                version: Some(Version::V0x13.into()),
                params: ParamsString::try_from(&self.params)?,
                salt: Some(Salt::new(&salt)?),
                hash: Some(Output::new(&*output)?),
            }
            .to_string())
        };
        phc().map_err(HashFailure::Unreadable)
    }

    /// Compares a password with a stored hash, or does the same work where there is none.
    pub(super) fn verify(
        &self,
        password: &Password,
        stored: Option<&SecretString>,
        memory: &mut Memory,
    ) -> Result<Verdict, HashFailure> {
        let Some(stored) = stored else {
            let mut output = Zeroizing::new([0; OUTPUT_BYTES]);
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone());
            memory.fill(&argon2, password, &self.nobody, &mut *output)?;
            return Ok(Verdict::Wrong);
        };
        let stored = Stored::read(stored.expose_secret(), self.wanted)?;
        let mut output = Zeroizing::new([0; Output::MAX_LENGTH]);
        let output = output.get_mut(..stored.output.len()).unwrap_or_default();
        let outdated = stored.is_below(self.wanted);
        let argon2 = Argon2::new(stored.algorithm, stored.version, stored.params);
        memory.fill(&argon2, password, &stored.salt, output)?;
        // What exceeded the bytes of a password was not hashed, so that it must not be right by accident.
        if bool::from(output.ct_eq(stored.output.as_bytes())) && password.is_possible() {
            Ok(Verdict::Right { outdated })
        } else {
            Ok(Verdict::Wrong)
        }
    }

    /// The blocks of a new hash.
    fn block_count(&self) -> usize {
        self.params.block_count()
    }
}

/// A stored hash within its bounds.
struct Stored {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Salt,
    output: Output,
}

impl Stored {
    fn read(text: &str, wanted: HashParams) -> Result<Self, HashFailure> {
        let stored = Self::parse(text).map_err(HashFailure::Unreadable)?;
        let cost = stored.cost();
        if cost.memory_kib > STORED_MEMORY_KIB_MAX.max(wanted.memory_kib)
            || cost.work_kib() > STORED_WORK_KIB_MAX.max(wanted.work_kib())
        {
            return Err(HashFailure::TooExpensive {
                memory_kib: cost.memory_kib,
                iterations: cost.iterations,
            });
        }
        Ok(stored)
    }

    fn parse(text: &str) -> argon2::password_hash::Result<Self> {
        if text.len() > STORED_BYTES_MAX {
            return Err(argon2::password_hash::Error::EncodingInvalid);
        }
        let phc = PasswordHash::new(text)?;
        Ok(Self {
            algorithm: Algorithm::try_from(phc.algorithm.as_str())?,
            // Argon2's own encoding left the version out while there was only the first.
            version: phc.version.map_or(Ok(Version::V0x10), Version::try_from)?,
            params: Params::try_from(&phc)?,
            salt: phc.salt.ok_or(argon2::password_hash::Error::SaltInvalid)?,
            output: phc.hash.ok_or(argon2::password_hash::Error::OutputSize)?,
        })
    }

    fn cost(&self) -> HashParams {
        HashParams {
            memory_kib: self.params.m_cost(),
            iterations: self.params.t_cost(),
            parallelism: self.params.p_cost(),
        }
    }

    fn is_below(&self, wanted: HashParams) -> bool {
        let cost = self.cost();
        self.algorithm != Algorithm::Argon2id
            || self.version != Version::V0x13
            || cost.memory_kib < wanted.memory_kib
            || cost.iterations < wanted.iterations
            || cost.parallelism < wanted.parallelism
            || self.salt.len() < SALT_BYTES
            || self.output.len() < OUTPUT_BYTES
    }
}

/// One thread's blocks, kept from hash to hash, so that not every hash maps and touches its memory anew.
pub(super) struct Memory {
    blocks: Vec<Block>,
    kept: usize,
}

impl Memory {
    /// Keeps the blocks of this hasher's parameters; what a stored hash asks for beyond is given back.
    pub(super) fn for_hasher(hasher: &Hasher) -> Self {
        Self {
            blocks: Vec::new(),
            kept: hasher.block_count(),
        }
    }

    /// Gives everything back.
    pub(super) fn clear(&mut self) {
        self.blocks = Vec::new();
    }

    fn fill(
        &mut self,
        argon2: &Argon2<'_>,
        password: &Password,
        salt: &[u8],
        output: &mut [u8],
    ) -> Result<(), HashFailure> {
        let wanted = argon2.params().block_count();
        let missing = wanted.saturating_sub(self.blocks.len());
        self.blocks
            .try_reserve_exact(missing)
            .map_err(|_| HashFailure::Memory(wanted))?;
        self.blocks.resize(self.blocks.len().max(wanted), Block::new());
        argon2.hash_password_into_with_memory(password.as_bytes(), salt, output, &mut self.blocks)?;
        if self.blocks.len() > self.kept {
            self.blocks.truncate(self.kept);
            self.blocks.shrink_to_fit();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
