//! One hop through Redis and nothing else: `XADD` on one connection, and an `XREAD` that waits for it on another.

use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context as _;
use redis::{Connection, Value};
use shared::time::{BootTime, Clock as _, SystemClock};

const STREAM: &str = "{bench}:hop";

/// As long as an entry of the feed.
const BODY: [u8; 25] = [7; 25];

/// A reader that waits longer is stuck.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Both ends.
pub struct Hop {
    writer: Connection,
    reader_waits: mpsc::Receiver<()>,
    read_at: mpsc::Receiver<BootTime>,
}

/// How long it took.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// From `XADD`'s sending to `XREAD`'s return.
    pub since_sent: Duration,
    /// From `XADD`'s answer; zero if that came later.
    pub since_answered: Duration,
}

impl Hop {
    /// Connects both. The reader goes on in a thread of its own until this is dropped.
    pub fn open(url: &str) -> anyhow::Result<Self> {
        let client = redis::Client::open(url)?;
        let (waits, reader_waits) = mpsc::channel();
        let (read, read_at) = mpsc::channel();
        let reader = client.get_connection()?;
        std::thread::spawn(move || read_on(reader, &waits, &read));
        Ok(Self {
            writer: client.get_connection()?,
            reader_waits,
            read_at,
        })
    }

    /// Once through.
    pub fn measure(&mut self) -> anyhow::Result<Took> {
        self.reader_waits
            .recv_timeout(WAIT_MAX)
            .context("the reader ended")?;
        // It has said that it will wait; give it the time to.
        std::thread::sleep(Duration::from_millis(1));
        let sent = SystemClock.boot();
        redis::cmd("XADD")
            .arg(STREAM)
            .arg(&["*", "e"])
            .arg(&BODY)
            .query::<Value>(&mut self.writer)?;
        let answered = SystemClock.boot();
        let read = self.read_at.recv_timeout(WAIT_MAX).context("nothing was read")?;
        Ok(Took {
            since_sent: read.since(sent),
            since_answered: read.since(answered),
        })
    }
}

fn read_on(mut connection: Connection, waits: &mpsc::Sender<()>, read: &mpsc::Sender<BootTime>) {
    // All but `$` would have to be read out of the answer; there is one writer, who waits for us.
    while waits.send(()).is_ok() {
        let answer = redis::cmd("XREAD")
            .arg(&["BLOCK", "0", "STREAMS", STREAM, "$"])
            .query::<Value>(&mut connection);
        let at = SystemClock.boot();
        match answer {
            Ok(_) if read.send(at).is_ok() => {}
            _ => return,
        }
    }
}
