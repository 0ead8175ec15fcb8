//! Load: ready-made requests over many connections that are kept alive, by one thread, which waits for all of them at
//! once. It costs less than the servers that it asks.

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

use self::connection::Connection;

/// Connections of each load.
pub const CONNECTIONS: usize = 64;

/// An answer that is not there by then will never be.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

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

    /// Waits for answers, and takes them: which connections have theirs.
    fn answered(&mut self, within: Duration, answered: &mut Vec<usize>) -> anyhow::Result<()> {
        let within = Timespec {
            tv_sec: i64::try_from(within.as_secs())?,
            tv_nsec: i64::from(within.subsec_nanos()),
        };
        self.events.clear();
        epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&within))?;
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

    /// Likewise, where there must be one.
    fn must_answer(&mut self, answered: &mut Vec<usize>) -> anyhow::Result<()> {
        self.answered(ANSWERED_WITHIN, answered)?;
        ensure!(!self.events.is_empty(), "no answer within {ANSWERED_WITHIN:?}");
        Ok(())
    }

    fn connection(&mut self, number: usize) -> anyhow::Result<&mut Connection> {
        self.connections.get_mut(number).context("an unknown connection")
    }
}
