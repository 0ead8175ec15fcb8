//! What a login costs the issuer: the password's hash, and the token's signature.

#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot make its input has nothing to measure"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use issuer::password::{HashParams, HashingPool, Password, PoolSettings};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use shared::testkit::{TestKey, TokenForge};
use shared::time::{Clock as _, SystemClock};

/// The issuer's defaults.
const PARAMS: HashParams = HashParams {
    memory_kib: 19_456,
    iterations: 2,
    parallelism: 1,
};

/// A password's hash through the pool, and by the library alone, on memory that is used again and on new memory each time.
fn password_hash(criterion: &mut Criterion) {
    let settings = PoolSettings {
        max_concurrent: 1,
        queue: 1,
        failure_floor: Duration::ZERO,
    };
    let pool = HashingPool::new(PARAMS, settings, Arc::new(SystemClock)).unwrap();
    let password = Password::presented(&"follow the white rabbit".into());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let params = Params::new(PARAMS.memory_kib, PARAMS.iterations, PARAMS.parallelism, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let bare = |memory: &mut Vec<Block>| {
        let mut output = [0; 32];
        argon2
            .hash_password_into_with_memory(b"follow the white rabbit", &[7; 16], &mut output, memory)
            .unwrap();
        black_box(output);
    };
    let blocks = || vec![Block::default(); argon2.params().block_count()];

    let mut group = criterion.benchmark_group("password hash");
    group.throughput(Throughput::Elements(1)).sample_size(40);
    group.bench_function("pool of the issuer", |bencher| {
        bencher.iter(|| runtime.block_on(pool.hash(black_box(&password))).unwrap());
    });
    let mut kept = blocks();
    group.bench_function("argon2id, memory kept", |bencher| {
        bencher.iter(|| bare(&mut kept));
    });
    group.bench_function("argon2id, new memory", |bencher| {
        bencher.iter(|| bare(&mut blocks()));
    });
    group.finish();
}

/// A token's signature: by the issuer's library, and by ring.
fn signing(criterion: &mut Criterion) {
    let key = TestKey::number(0);
    let token = TokenForge::new(&key, SystemClock.now())
        .roles(&["subscriber"])
        .token();
    let (message, _) = token.rsplit_once('.').unwrap();
    let rings = RsaKeyPair::from_pkcs8(&key.signing.to_pkcs8().unwrap()).unwrap();
    let random = SystemRandom::new();
    let mut group = criterion.benchmark_group("signing");
    group.throughput(Throughput::Elements(1));
    group.bench_function("aws-lc, key parsed once", |bencher| {
        bencher.iter(|| black_box(key.signing.sign(black_box(message.as_bytes())).unwrap()));
    });
    group.bench_function("ring, key parsed once", |bencher| {
        let mut signature = vec![0; rings.public().modulus_len()];
        bencher.iter(|| {
            rings
                .sign(
                    &RSA_PKCS1_SHA256,
                    &random,
                    black_box(message.as_bytes()),
                    &mut signature,
                )
                .unwrap();
        });
    });
    group.finish();
}

criterion_group!(issuer_benches, password_hash, signing);
criterion_main!(issuer_benches);
