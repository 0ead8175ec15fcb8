//! Hashes of passwords that people bring along: none is taken that would cost more than the bounds.
#![no_main]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what cannot go on fails the fuzzing"
)]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use issuer::password::{HashParams, HashingPool, PoolSettings};
use libfuzzer_sys::fuzz_target;
use shared::limits::{
    BCRYPT_COST_MAX, PBKDF2_ITERATIONS_MAX, STORED_HASH_BYTES_MAX, STORED_HASH_MEMORY_KIB_MAX,
    STORED_HASH_WORK_KIB_MAX,
};
use shared::time::SystemClock;

static POOL: LazyLock<HashingPool> = LazyLock::new(|| {
    let params = HashParams {
        memory_kib: 64,
        iterations: 2,
        parallelism: 1,
    };
    let settings = PoolSettings {
        max_concurrent: 1,
        queue: 1,
        failure_floor: Duration::ZERO,
    };
    HashingPool::new(params, settings, Arc::new(SystemClock)).unwrap()
});

fuzz_target!(|text: &str| {
    if POOL.check_stored(text).is_err() {
        return;
    }
    assert!(text.len() <= STORED_HASH_BYTES_MAX && !text.contains(char::is_control));
    // Another reading of what it costs.
    let fields: Vec<&str> = text.strip_prefix('$').unwrap_or(text).split('$').collect();
    let number = |at: usize| fields[at].parse::<u64>().unwrap();
    let parameter = |name: &str| {
        let mut all = fields.iter().flat_map(|field| field.split(','));
        all.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse::<u64>().ok())
    };
    let is_phc = text.starts_with('$');
    match fields[0] {
        "argon2" | "argon2id" | "argon2i" | "argon2d" => {
            // Where neither is said, argon2 has values of its own, which are small.
            let said = |name| parameter(name).unwrap_or_default();
            let (memory_kib, iterations) = (said("m"), said("t"));
            assert!(memory_kib <= STORED_HASH_MEMORY_KIB_MAX.into());
            assert!(memory_kib * iterations <= STORED_HASH_WORK_KIB_MAX);
        }
        "2a" | "2b" | "2y" => assert!(number(1) <= BCRYPT_COST_MAX.into()),
        "bcrypt" | "bcrypt_sha256" => assert!(number(3) <= BCRYPT_COST_MAX.into()),
        "scrypt" => {
            let cost = if is_phc {
                1 << parameter("ln").unwrap()
            } else {
                number(1)
            };
            let block = if is_phc {
                parameter("r").unwrap()
            } else {
                number(3)
            };
            assert!(cost * block / 8 <= STORED_HASH_MEMORY_KIB_MAX.into());
        }
        kind => {
            assert!(kind.starts_with("pbkdf2"));
            let has_name = is_phc && fields[1].contains('=');
            let iterations = if has_name {
                parameter("i").unwrap()
            } else {
                number(1)
            };
            assert!(iterations <= PBKDF2_ITERATIONS_MAX);
        }
    }
});
