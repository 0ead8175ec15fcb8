//! Load: ready-made requests over many connections that are kept alive, by one thread, which looks after all of them and never
//! sleeps. It costs less than the servers that it asks.

mod closed;
mod connection;
mod open;

pub use closed::{Until, closed};
pub use connection::{Request, Target};
pub use open::open;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use shared::time::{Clock as _, SystemClock};

use self::connection::Connection;

/// Connections of each load.
pub const CONNECTIONS: usize = 64;

/// An answer that is not there by then will never be.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// How long a closed loop turns its back to a server that has answered nothing yet. A server with all of [`CONNECTIONS`] before it
/// is busy for longer.
const LOOKS_AGAIN_AFTER: Duration = Duration::from_micros(100);

/// Connections, and the means to wait for all of them.
struct Crowd {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    events: Vec<epoll::Event>,
}

impl Crowd {
    fn connect(target: &Target, connections: usize) -> anyhow::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let connections = (0..connections as u64).map(|number| {
            let connection = Connection::open(target)?;
            let data = epoll::EventData::new_u64(number);
            epoll::add(&epoll, connection.socket(), data, epoll::EventFlags::IN)?;
            Ok(connection)
        });
        let connections: Vec<_> = connections.collect::<anyhow::Result<_>>()?;
        Ok(Self {
            events: Vec::with_capacity(connections.len()),
            epoll,
            connections,
        })
    }

    /// Takes the answers that are there: which connections have theirs. It does not sleep: a server would have to wake this
    /// thread up, which is dear on a virtual machine, and only those that are slow enough to let it sleep would pay.
    fn answered(&mut self, answered: &mut Vec<usize>) -> anyhow::Result<()> {
        const AT_ONCE: Timespec = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        self.events.clear();
        epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&AT_ONCE))?;
        for event in &self.events {
            let data = event.data;
            let number = usize::try_from(data.u64())?;
            let connection = self.connections.get_mut(number);
            if connection.context("an unknown connection")?.receive()? {
                answered.push(number);
            }
        }
        Ok(())
    }

    /// Likewise, until there is one. It leaves the kernel alone for a while where there was none: it would be in the way of a
    /// server that is just sending, and again only those that are slow would pay.
    fn must_answer(&mut self, answered: &mut Vec<usize>) -> anyhow::Result<()> {
        let begin = SystemClock.boot();
        loop {
            self.answered(answered)?;
            if !answered.is_empty() {
                return Ok(());
            }
            let looked = SystemClock.boot();
            while SystemClock.boot().since(looked) < LOOKS_AGAIN_AFTER {
                std::hint::spin_loop();
            }
            ensure!(
                SystemClock.boot().since(begin) < ANSWERED_WITHIN,
                "no answer within {ANSWERED_WITHIN:?}"
            );
        }
    }

    fn connection(&mut self, number: usize) -> anyhow::Result<&mut Connection> {
        self.connections.get_mut(number).context("an unknown connection")
    }
}
