//! What a token costs: the choices of `shared::token`, `shared::crypto` and `shared::revocation`, proved again.

#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot make its input has nothing to measure"
)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::Value;
use shared::crypto::jwt_provider;
use shared::encoding::{base64url, base64url_decode};
use shared::id::{SessionId, SubjectId};
use shared::path::CanonicalPath;
use shared::revocation::{Fact, Revocation, RevocationSet};
use shared::testkit::{TestKey, TokenForge};
use shared::time::{Clock as _, SystemClock};
use shared::token::{ClaimsPolicy, CompactToken};

/// The signature alone: our parsed key, ring's key in components, which it parses anew each time.
fn signature(criterion: &mut Criterion) {
    let key = TestKey::number(0);
    let token = TokenForge::new(&key, SystemClock.now())
        .roles(&["subscriber"])
        .token();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (message, signature) = (
        message.as_bytes(),
        base64url_decode(signature.as_bytes()).unwrap(),
    );
    let ours = key.signing.verifying_key().unwrap();
    let rings = RsaPublicKeyComponents {
        n: ours.modulus().to_vec(),
        e: ours.exponent().to_vec(),
    };

    let mut group = criterion.benchmark_group("signature");
    group.throughput(Throughput::Elements(1));
    group.bench_function("aws-lc, key parsed once", |bencher| {
        bencher.iter(|| assert!(ours.verify(black_box(message), black_box(&signature))));
    });
    group.bench_function("ring", |bencher| {
        bencher.iter(|| {
            rings
                .verify(&RSA_PKCS1_2048_8192_SHA256, black_box(message), &signature)
                .unwrap();
        });
    });
    group.finish();
}

/// The whole way of a token that nobody has seen yet: ours, and that of `jsonwebtoken` over the same cryptography.
fn whole_token(criterion: &mut Criterion) {
    let _ = jwt_provider::PROVIDER.install_default();
    let now = SystemClock.now();
    let key = TestKey::number(0);
    let token = TokenForge::new(&key, now).roles(&["subscriber"]).token();
    let ours = key.signing.verifying_key().unwrap();
    let policy = ClaimsPolicy {
        issuer: TokenForge::ISSUER.into(),
        audience: TokenForge::AUDIENCE.into(),
        leeway_s: 5,
    };
    let theirs =
        DecodingKey::from_rsa_components(&base64url(ours.modulus()), &base64url(ours.exponent())).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[TokenForge::AUDIENCE]);
    validation.set_issuer(&[TokenForge::ISSUER]);

    let mut group = criterion.benchmark_group("whole token");
    group.throughput(Throughput::Elements(1));
    group.bench_function("ours", |bencher| {
        bencher.iter(|| {
            let signed = CompactToken::parse(black_box(&token)).unwrap().verify(&ours);
            black_box(signed.unwrap().validate(&policy, now.to_seconds()).is_ok())
        });
    });
    group.bench_function("jsonwebtoken", |bencher| {
        bencher.iter(|| jsonwebtoken::decode::<Value>(black_box(&token), &theirs, &validation).unwrap());
    });
    group.finish();
}

/// A valid token against the revocations, none of which is about it.
fn revocations(criterion: &mut Criterion) {
    let now = SystemClock.now();
    let token = TokenForge::new(&TestKey::number(0), now)
        .roles(&["subscriber", "user"])
        .signed();
    let policy = ClaimsPolicy {
        issuer: TokenForge::ISSUER.into(),
        audience: TokenForge::AUDIENCE.into(),
        leeway_s: 5,
    };
    let valid = token.validate(&policy, now.to_seconds()).unwrap();

    let mut group = criterion.benchmark_group("revocations");
    group.throughput(Throughput::Elements(1));
    for facts in [0_u32, 1_000, 1_000_000] {
        // A token that a set has found alive is not looked for in it again before a fact comes: they take turns.
        let sets = [RevocationSet::default(), RevocationSet::default()];
        let expires = Some(now.plus(Duration::from_hours(1)));
        for at in 0..facts {
            // Logouts, as most are, and changes of what users may do.
            let fact = if at % 4 == 0 {
                Fact::Subject {
                    subject: SubjectId::new(now),
                    min_ver: now.0,
                }
            } else {
                Fact::Session {
                    session: SessionId::new(now),
                }
            };
            for set in &sets {
                set.apply(&Revocation {
                    fact: fact.clone(),
                    expires,
                });
            }
        }
        let [set, other] = &sets;
        group.bench_function(BenchmarkId::new("two checks", facts), |bencher| {
            bencher.iter(|| {
                set.check(black_box(valid)).unwrap();
                other.check(black_box(valid)).unwrap();
            });
        });
        group.bench_function(BenchmarkId::new("nothing new", facts), |bencher| {
            bencher.iter(|| set.check(black_box(valid)).unwrap());
        });
    }
    group.finish();
}

/// The path of a request: as clients send it, and percent-encoded.
fn canonical_path(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("canonical path");
    group.throughput(Throughput::Elements(1));
    for (name, target) in [
        (
            "plain",
            "/api/v1/films/7c9e6679-7425-40de-944b-e07fc1f90ae7?from=list",
        ),
        (
            "encoded",
            "/api/v1/films/by-title/%D0%A1%D1%82%D0%B0%D0%BB%D0%BA%D0%B5%D1%80",
        ),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(CanonicalPath::parse(black_box(target.as_bytes())).is_ok()));
        });
    }
    group.finish();
}

criterion_group!(token, signature, whole_token, revocations, canonical_path);
criterion_main!(token);
