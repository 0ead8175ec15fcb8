//! How fast a verifier that starts has every revocation, beside the client library that fetches the same and does
//! nothing with it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use redis::Value;
use shared::feed::key::FeedKeys;
use shared::feed::reader::{FeedKeysView, ReaderStart, StreamFeed};
use shared::feed::redis_log::RedisLog;
use shared::limits;
use shared::redis::{RedisClient, RedisSettings};
use shared::revocation::Revocation;
use shared::time::{Clock, SystemClock, UnixMillis};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use verifier::revocation::{RevocationReplica, StalenessBounds};

use super::epoch::Epoch;
use super::ids;
use crate::report::{Figure, Report, Spread};
use crate::server::redis::Redis;

/// Runs of each.
const RUNS: usize = 11;

/// A verifier's own, as its settings have them.
const BOUNDS: StalenessBounds = StalenessBounds {
    max_staleness: Duration::from_secs(30),
    leeway: Duration::from_secs(5),
};

/// Writes an epoch into a Redis of its own, and reads it in turns.
pub fn run(entries: u64) -> anyhow::Result<Report> {
    let redis = Redis::start()?;
    tokio::runtime::Runtime::new()?.block_on(compare(&redis, entries))
}

async fn compare(redis: &Redis, entries: u64) -> anyhow::Result<Report> {
    let expires = SystemClock.now().plus(Duration::from_hours(1));
    let revocations = (0..entries).map(|number| revocation(number, expires));
    let mut epoch = Epoch::write(redis.url(), revocations).await?;
    let (mut bare, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let fetched_s = fetch(redis.url(), &epoch.stream_key(), entries).await?;
        // So that the epoch is fresh when it has been read.
        epoch.heartbeat().await?;
        let loaded_s = load(redis.url(), epoch.keys(), entries).await?;
        bare.push(rate(entries, fetched_s));
        ours.push(rate(entries, loaded_s));
        ratios.push(fetched_s / loaded_s);
    }
    let mut report = Report {
        bench: "revocation --part load",
        setting: format!(
            "{entries} revoked sessions in {}, {RUNS} runs, each over a new connection",
            redis.version()
        ),
        figures: Vec::new(),
        notes: Vec::new(),
    };
    let unit = "entries a second";
    report.figures.extend([
        Figure::median("client library, raw", Spread::of(bare), unit),
        Figure::median("our reader, until fresh", Spread::of(ours), unit),
    ]);
    report.compare("our reader by the client library", ratios);
    Ok(report)
}

/// The client library alone: page by page, answers as they come, thrown away. In seconds.
async fn fetch(url: &str, stream: &str, entries: u64) -> anyhow::Result<f64> {
    let client = redis::Client::open(url)?;
    let begin = SystemClock.boot();
    let mut connection = client.get_multiplexed_async_connection().await?;
    let (mut from, mut fetched) = ("-".to_owned(), 0);
    loop {
        let mut command = redis::cmd("XRANGE");
        command.arg(stream).arg(&from).arg("+");
        command.arg("COUNT").arg(limits::FEED_PAGE);
        let page: Vec<Value> = command.query_async(&mut connection).await?;
        fetched += page.len();
        if page.len() < limits::FEED_PAGE {
            break;
        }
        from = format!("({}", last_id(&page).context("an item without an id")?);
    }
    let took = SystemClock.boot().since(begin);
    ensure!(fetched as u64 > entries, "only {fetched} were fetched");
    Ok(took.as_secs_f64())
}

fn last_id(page: &[Value]) -> Option<&str> {
    let Value::Array(item) = page.last()? else {
        return None;
    };
    match item.first()? {
        Value::BulkString(id) => std::str::from_utf8(id).ok(),
        _ => None,
    }
}

/// A verifier's reader and its replica, until that is fresh. In seconds.
async fn load(url: &str, keys: FeedKeys, entries: u64) -> anyhow::Result<f64> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let log = RedisLog::new(RedisClient::open(&RedisSettings::at(url))?);
    let replica = Arc::new(RevocationReplica::new(BOUNDS));
    let keys = watch::Sender::new(keys);
    let start = ReaderStart {
        keys: FeedKeysView {
            keys: keys.subscribe(),
            wanted: Arc::default(),
        },
        clock: Arc::clone(&clock),
        newest_seen: None,
        labels_at: None,
        jitter_seed: 1,
    };
    let stop = CancellationToken::new();
    let begin = clock.boot();
    let feed = Box::new(StreamFeed::start(log, start));
    let following = tokio::spawn(Arc::clone(&replica).follow(feed, Arc::clone(&clock), stop.clone()));
    replica.loaded().await;
    let took = clock.boot().since(begin);
    let view = replica.view(clock.now(), clock.boot());
    ensure!(
        view.freshness.is_trusted(),
        "loaded, but {}",
        view.freshness.as_str()
    );
    let [(_, sessions), ..] = view.set.counts();
    ensure!(sessions as u64 == entries, "{sessions} were loaded");
    stop.cancel();
    following.await?;
    Ok(took.as_secs_f64())
}

fn revocation(number: u64, expires: UnixMillis) -> Revocation {
    Revocation {
        expires: Some(expires),
        ..ids::revocation(number)
    }
}

#[expect(clippy::cast_precision_loss, reason = "some millions")]
fn rate(entries: u64, seconds: f64) -> f64 {
    entries as f64 / seconds
}
