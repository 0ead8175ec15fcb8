//! The house's hash, argon2id (RFC 9106), on memory that is used again; and the work that every check of a password costs.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use shared::crypto::random;
use zeroize::Zeroizing;

use super::Password;
use super::stored::Stored;

/// Bytes of a new salt (RFC 9106 section 3.1).
pub(super) const SALT_BYTES: usize = 16;

/// Bytes of a new hash.
pub(super) const OUTPUT_BYTES: usize = Params::DEFAULT_OUTPUT_LEN;

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
    pub(super) const fn work_kib(self) -> u64 {
        // Both are 32 bits wide: the product fits.
        self.memory_kib as u64 * self.iterations as u64
    }
}

/// What a presented password is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not the one that was stored.
    Wrong,
    /// The one that was stored.
    Right {
        /// Whether the stored hash is weaker than a new one would be, or of another kind: hash again.
        outdated: bool,
    },
}

/// Why there is no hash, or no verdict.
#[derive(Debug, thiserror::Error)]
pub enum HashFailure {
    /// A new hash could not be written down.
    #[error("the hash could not be encoded")]
    Encoding(#[source] argon2::password_hash::Error),
    /// No memory is left.
    #[error("there is no memory for {0} KiB of blocks")]
    Memory(usize),
    /// Argon2 refused its input.
    #[error("argon2 failed")]
    Argon2(#[from] argon2::Error),
    /// Scrypt refused its input.
    #[error("scrypt failed")]
    Scrypt,
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

    /// What a new hash costs.
    pub(super) const fn wanted(&self) -> HashParams {
        self.wanted
    }

    /// A PHC string of the password with a new salt.
    pub(super) fn hash(&self, password: &Password, memory: &mut Memory) -> Result<String, HashFailure> {
        let salt = random::bytes::<SALT_BYTES>();
        let output = self.compute(password.as_bytes(), &salt, memory)?;
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
        phc().map_err(HashFailure::Encoding)
    }

    /// Compares a password with a stored hash; without one it is wrong.
    ///
    /// A wrong password costs a hash of the house's at least, whatever is stored and whether anything is: for a stored hash
    /// that costs less, or that is of another kind, it is computed as well.
    pub(super) fn verify(
        &self,
        password: &Password,
        stored: Option<&Stored>,
        memory: &mut Memory,
    ) -> Result<Verdict, HashFailure> {
        if let Some(stored) = stored {
            for (form, is_normal) in password.forms() {
                // What exceeded the bytes of a password was not hashed, so that it must not be right by accident.
                if stored.is_of(form, memory)? && password.is_possible() {
                    let outdated = stored.is_below(self.wanted) || !is_normal;
                    return Ok(Verdict::Right { outdated });
                }
            }
            if stored.is_house_work(self.wanted) {
                return Ok(Verdict::Wrong);
            }
        }
        self.spend(password, memory)?;
        Ok(Verdict::Wrong)
    }

    /// Does the work of a check that has nothing to check.
    fn spend(&self, password: &Password, memory: &mut Memory) -> Result<(), HashFailure> {
        for (form, _) in password.forms() {
            self.compute(form, &self.nobody, memory)?;
        }
        Ok(())
    }

    fn compute(
        &self,
        password: &[u8],
        salt: &[u8],
        memory: &mut Memory,
    ) -> Result<Zeroizing<[u8; OUTPUT_BYTES]>, HashFailure> {
        let mut output = Zeroizing::new([0; OUTPUT_BYTES]);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone());
        memory.fill(&argon2, password, salt, &mut *output)?;
        Ok(output)
    }

    /// The blocks of a new hash.
    fn block_count(&self) -> usize {
        self.params.block_count()
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

    #[cfg(test)]
    pub(super) fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// Gives everything back.
    pub(super) fn clear(&mut self) {
        self.blocks = Vec::new();
    }

    pub(super) fn fill(
        &mut self,
        argon2: &Argon2<'_>,
        password: &[u8],
        salt: &[u8],
        output: &mut [u8],
    ) -> Result<(), HashFailure> {
        let wanted = argon2.params().block_count();
        let missing = wanted.saturating_sub(self.blocks.len());
        self.blocks
            .try_reserve_exact(missing)
            .map_err(|_| HashFailure::Memory(wanted))?;
        self.blocks.resize(self.blocks.len().max(wanted), Block::new());
        argon2.hash_password_into_with_memory(password, salt, output, &mut self.blocks)?;
        if self.blocks.len() > self.kept {
            self.blocks.truncate(self.kept);
            self.blocks.shrink_to_fit();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
