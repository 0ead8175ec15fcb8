//! The bare password hash: nobody who checks a password by it is faster.

use std::time::Duration;

use anyhow::anyhow;
use argon2::{Algorithm, Argon2, Block, Params, Version};

use super::pace::per_second;

/// The issuer's defaults: argon2id, 19 MiB, 2 passes, 1 lane.
pub const MEMORY_KIB: u32 = 19_456;
pub const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Hashes a second on so many threads, each of which has its memory from the start.
pub fn hashes_per_second(threads: usize, lasting: Duration) -> anyhow::Result<f64> {
    per_second(
        threads,
        lasting,
        |_| hash_of(PASSES),
        |(argon2, memory)| hash(argon2, memory),
    )
}

/// A hash of so many passes, and its memory.
pub fn hash_of(passes: u32) -> anyhow::Result<(Argon2<'static>, Vec<Block>)> {
    let params = Params::new(MEMORY_KIB, passes, LANES, None).map_err(|error| anyhow!("{error}"))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let memory = vec![Block::default(); argon2.params().block_count()];
    Ok((argon2, memory))
}

/// Computes it once.
pub fn hash(argon2: &Argon2<'_>, memory: &mut [Block]) -> anyhow::Result<()> {
    let mut output = [0; 32];
    argon2
        .hash_password_into_with_memory(b"follow the white rabbit", &[7; 16], &mut output, memory)
        .map_err(|error| anyhow!("{error}"))?;
    std::hint::black_box(&output);
    Ok(())
}
