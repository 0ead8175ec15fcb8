//! What a revocation costs on its way: written, read, and the heartbeat that vouches for it.

#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot make its input has nothing to measure"
)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shared::feed::chain::Chain;
use shared::feed::entry;
use shared::feed::heartbeat::Statement;
use shared::feed::key::FeedSigningKey;
use shared::feed::term::Term;
use shared::id::{SessionId, SubjectId};
use shared::revocation::{Fact, Revocation, RevocationSet};
use shared::time::{Clock as _, SystemClock};

/// Entries as they stand in the stream: a logout, and a change of what a user may do.
fn codec(criterion: &mut Criterion) {
    let now = SystemClock.now();
    let expires = Some(now.plus(Duration::from_mins(15)));
    let session = Fact::Session {
        session: SessionId::new(now),
    };
    let subject = Fact::Subject {
        subject: SubjectId::new(now),
        min_ver: now.0,
    };
    let mut group = criterion.benchmark_group("stream codec");
    group.throughput(Throughput::Elements(1));
    for (name, fact) in [("session", session), ("subject", subject)] {
        let revocation = Revocation { fact, expires };
        let bytes = entry::encode(&revocation);
        group.bench_function(format!("write, {name}"), |bencher| {
            bencher.iter(|| black_box(entry::encode(black_box(&revocation))));
        });
        group.bench_function(format!("read, {name}"), |bencher| {
            bencher.iter(|| black_box(entry::decode(black_box(&bytes)).unwrap()));
        });
        let mut chain = Chain::START;
        group.bench_function(format!("hash into the chain, {name}"), |bencher| {
            bencher.iter(|| chain = chain.with(chain.seq + 1, black_box(&bytes)));
        });
    }
    group.finish();
}

/// A logout into the set of a verifier that has a million.
fn apply(criterion: &mut Criterion) {
    let now = SystemClock.now();
    let expires = Some(now.plus(Duration::from_hours(1)));
    let logout = || Revocation {
        fact: Fact::Session {
            session: SessionId::new(now),
        },
        expires,
    };
    let set = RevocationSet::default();
    for _ in 0..1_000_000 {
        set.apply(&logout());
    }
    let mut group = criterion.benchmark_group("revocation applied");
    group.throughput(Throughput::Elements(1));
    group.bench_function("to a million", |bencher| {
        bencher.iter_batched(logout, |fact| set.apply(&fact), criterion::BatchSize::SmallInput);
    });
    group.finish();
}

/// A heartbeat: signed once a second by the issuer, checked as often by each verifier.
fn heartbeat(criterion: &mut Criterion) {
    let key = FeedSigningKey::generate().unwrap();
    let keys = key.public();
    let statement = Statement {
        epoch: Term::fresh(1),
        term: Term::fresh(1),
        counter: 1,
        last: Chain::START,
        floor: Chain::START,
        time: SystemClock.now(),
        labels: None,
    };
    let bytes = statement.sign(&key);
    let mut group = criterion.benchmark_group("heartbeat");
    group.throughput(Throughput::Elements(1));
    group.bench_function("sign", |bencher| {
        bencher.iter(|| black_box(black_box(statement).sign(&key)));
    });
    group.bench_function("check", |bencher| {
        bencher.iter(|| black_box(Statement::verify(black_box(&bytes), &keys).unwrap()));
    });
    group.finish();
}

criterion_group!(feed, codec, apply, heartbeat);
criterion_main!(feed);
