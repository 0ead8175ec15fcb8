//! What it costs Redis to hand entries to many readers that wait for them, with a real one.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use redis::Connection;
use shared::time::{BootTime, Clock as _, SystemClock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::cores::Cores;
use crate::report::{Figure, Report, Spread};
use crate::server::redis::Redis;

/// Readers that wait, smallest first.
const READERS: [usize; 3] = [100, 1000, 4000];

/// Times that something is written, each of which every reader hears of.
const ROUNDS: usize = 40;

/// Entries written at once, where it is not one: so many that the cost of a further one shows.
const BATCH: usize = 50;

/// How often it is asked whether all readers wait.
const POLL_EVERY: Duration = Duration::from_millis(5);

const STREAM: &str = "{bench}:fanout";

/// As long as an entry of the feed.
const BODY: &str = "1234567890123456789012345";

/// What an answer costs Redis, in nanoseconds of a core.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivery {
    /// To wake a reader, answer it with one entry, and take its next question.
    pub first_ns: u64,
    /// Each entry more in the same answer.
    pub further_ns: u64,
}

/// One number of readers, one length of batches.
struct Run {
    /// Nanoseconds of a core that an answer costs Redis.
    answer_ns: u64,
    /// Milliseconds until the last reader had it.
    last_ms: Vec<f64>,
}

pub fn run() -> anyhow::Result<(Report, Delivery)> {
    let apart = Cores::apart()?.context("Redis and its readers need a core each")?;
    apart.on_client(|| {
        let redis = apart.on_server(Redis::start)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut report = Report {
            bench: "scale --part fanout",
            setting: format!(
                "{}, on a core of its own; readers wait in XREAD and ask again; {ROUNDS} rounds",
                redis.version()
            ),
            figures: vec![],
            notes: vec![],
        };
        let mut delivery = Delivery::default();
        for readers in READERS {
            let [one, many] = [1, BATCH].map(|batch| runtime.block_on(measure(&redis, readers, batch)));
            let (one, many) = (one?, many?);
            // That of the most readers is what counts.
            delivery = Delivery {
                first_ns: one.answer_ns,
                further_ns: many.answer_ns.saturating_sub(one.answer_ns) / (u64::try_from(BATCH)? - 1),
            };
            let us = |ns: u64| Ok::<_, anyhow::Error>(f64::from(u32::try_from(ns)?) / 1e3);
            let name = |what: &str| format!("{readers} readers: {what}");
            report.figures.extend([
                Figure::once(
                    name("one is answered with an entry"),
                    us(delivery.first_ns)?,
                    "µs of Redis",
                ),
                Figure::once(
                    name("each further entry"),
                    us(delivery.further_ns)?,
                    "µs of Redis",
                ),
                Figure::median(name("the last is answered after"), Spread::of(one.last_ms), "ms"),
            ]);
        }
        Ok((report, delivery))
    })
}

/// Has so many readers wait, and writes so many entries at once, again and again.
async fn measure(redis: &Redis, readers: usize, batch: usize) -> anyhow::Result<Run> {
    let client = redis::Client::open(redis.url())?;
    let mut writer = client.get_connection()?;
    redis::cmd("DEL").arg(STREAM).query::<()>(&mut writer)?;
    let (read, mut has_read) = mpsc::channel(readers);
    // A reader goes on when it is told to: all of them wait before the next entries are written.
    let go_on = Arc::new(Semaphore::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..readers {
        let reader = TcpStream::connect(redis.address()).await?;
        tasks.spawn(read_on(reader, batch, read.clone(), Arc::clone(&go_on)));
    }
    let (mut last_ms, mut spent_us) = (Vec::new(), 0);
    for round in 0..ROUNDS {
        let before = cpu_us(&mut writer)?;
        go_on.add_permits(readers);
        while told::<usize>(&mut writer, "clients", "blocked_clients")? < readers {
            tokio::time::sleep(POLL_EVERY).await;
        }
        let begun = SystemClock.boot();
        write(&mut writer, round * batch, batch)?;
        let mut last = begun;
        for _ in 0..readers {
            last = last.max(has_read.recv().await.context("the readers ended")?);
        }
        last_ms.push(1e3 * last.since(begun).as_secs_f64());
        spent_us += cpu_us(&mut writer)? - before;
    }
    tasks.abort_all();
    Ok(Run {
        answer_ns: 1000 * spent_us / u64::try_from(readers * ROUNDS)?,
        last_ms,
    })
}

/// Writes entries behind so many others, all at once.
fn write(writer: &mut Connection, behind: usize, entries: usize) -> anyhow::Result<()> {
    let mut transaction = redis::pipe();
    transaction.atomic();
    for number in behind + 1..=behind + entries {
        transaction
            .cmd("XADD")
            .arg(STREAM)
            .arg(format!("0-{number}"))
            .arg(&["e", BODY])
            .ignore();
    }
    Ok(transaction.query(writer)?)
}

/// Reads what comes after what it has read, each time that it may.
async fn read_on(
    mut reader: TcpStream,
    batch: usize,
    read: mpsc::Sender<BootTime>,
    go_on: Arc<Semaphore>,
) -> anyhow::Result<()> {
    let (mut known, mut answer) = (0, Vec::new());
    loop {
        go_on.acquire().await?.forget();
        let after = format!("0-{known}");
        let question = redis::cmd("XREAD")
            .arg(&["BLOCK", "0", "STREAMS", STREAM, &after])
            .get_packed_command();
        reader.write_all(&question).await?;
        known += batch;
        // The answer ends with the body of the entry that was written last.
        let end = format!("0-{known}\r\n*2\r\n$1\r\ne\r\n${}\r\n{BODY}\r\n", BODY.len());
        answer.clear();
        while !answer.ends_with(end.as_bytes()) {
            ensure!(
                reader.read_buf(&mut answer).await? > 0,
                "Redis has closed the connection"
            );
        }
        read.send(SystemClock.boot()).await?;
    }
}

/// Microseconds that Redis has had on a core.
fn cpu_us(asking: &mut Connection) -> anyhow::Result<u64> {
    let used = |asking: &mut Connection, name| -> anyhow::Result<u64> {
        // `1.234567`, in seconds, always with six digits behind the point.
        let told: String = told(asking, "cpu", name)?;
        Ok(told.replace('.', "").parse()?)
    };
    Ok(used(asking, "used_cpu_user")? + used(asking, "used_cpu_sys")?)
}

/// What Redis tells of itself.
fn told<T>(asking: &mut Connection, section: &str, name: &str) -> anyhow::Result<T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let told: String = redis::cmd("INFO").arg(section).query(asking)?;
    let value = told
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(value.with_context(|| format!("no {name}"))?.trim().parse()?)
}
