//! PBKDF2 (RFC 8018 section 5.2).

use std::num::NonZeroU32;

use ring::pbkdf2::{self, Algorithm};
use shared::limits::PBKDF2_ITERATIONS_MAX;

use super::HashRefused;
use super::fields::{bytes, fields, malformed, number, output, parameters, within};

const KIND: &str = "PBKDF2";

/// A stored PBKDF2 hash.
pub(in crate::password) struct Pbkdf2Hash {
    algorithm: Algorithm,
    iterations: NonZeroU32,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl Pbkdf2Hash {
    /// Reads what follows the name, if the name is one of PBKDF2.
    pub(super) fn read(is_phc: bool, name: &str, rest: &str) -> Option<Result<Self, HashRefused>> {
        let (algorithm, block_bytes) = match (is_phc, name) {
            (true, "pbkdf2") | (false, "pbkdf2_sha1") => (pbkdf2::PBKDF2_HMAC_SHA1, 20),
            (true, "pbkdf2-sha256") | (false, "pbkdf2_sha256") => (pbkdf2::PBKDF2_HMAC_SHA256, 32),
            (true, "pbkdf2-sha512") | (false, "pbkdf2_sha512") => (pbkdf2::PBKDF2_HMAC_SHA512, 64),
            _ => return None,
        };
        Some(Self::read_rest(is_phc, algorithm, block_bytes, rest))
    }

    fn read_rest(
        is_phc: bool,
        algorithm: Algorithm,
        block_bytes: usize,
        rest: &str,
    ) -> Result<Self, HashRefused> {
        let [cost, salt, hash] = fields(KIND, rest)?;
        let output = output(KIND, hash)?;
        // PHC names its parameters, passlib and Django have the one.
        let (iterations, length) = if is_phc && cost.contains('=') {
            let [iterations, length] = parameters(KIND, ["i", "l"], cost)?;
            (iterations.ok_or(malformed(KIND, "the iterations"))?, length)
        } else {
            (number(KIND, "the iterations", cost)?, None)
        };
        if length.is_some_and(|length| usize::try_from(length) != Ok(output.len())) {
            return Err(malformed(KIND, "the length of the hash"));
        }
        // Each block of the output is computed anew.
        let blocks = u64::try_from(output.len().div_ceil(block_bytes)).unwrap_or(u64::MAX);
        let asked = iterations.saturating_mul(blocks);
        within(KIND, "iterations (over all blocks)", asked, PBKDF2_ITERATIONS_MAX)?;
        let iterations = u32::try_from(iterations).ok().and_then(NonZeroU32::new);
        Ok(Self {
            algorithm,
            iterations: iterations.ok_or(malformed(KIND, "the iterations"))?,
            salt: if is_phc {
                bytes(KIND, "the salt", salt)?
            } else {
                // Django's salt is the text itself.
                salt.as_bytes().to_vec()
            },
            output,
        })
    }

    pub(super) fn is_of(&self, password: &[u8]) -> bool {
        pbkdf2::verify(
            self.algorithm,
            self.iterations,
            &self.salt,
            password,
            &self.output,
        )
        .is_ok()
    }
}
