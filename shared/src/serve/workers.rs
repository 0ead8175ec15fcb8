//! Threads that serve connections, each with a runtime of its own.
//!
//! A connection stays on the thread that it was given to: what it needs is in that core's caches, and nobody steals work. Whoever
//! accepts gives it to the thread with the fewest. (`SO_REUSEPORT` would have the kernel choose by a hash of the addresses: a proxy
//! keeps few connections, and for long, so that some threads would have several and others none.)

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

/// The threads. They end when this is dropped, and what they serve is cut.
#[derive(Debug)]
pub struct Workers {
    workers: Vec<Worker>,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    connections: Arc<AtomicUsize>,
}

/// A place on a thread, for as long as this lives.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) runtime: Handle,
    connections: Arc<AtomicUsize>,
}

impl Workers {
    /// Starts so many threads, under this name and a number.
    ///
    /// # Errors
    ///
    /// [`io::Error`] if the system gives no thread, or no way to wait for sockets.
    pub fn start(name: &str, threads: NonZeroUsize) -> io::Result<Self> {
        // Made first, so that threads which did start end when a later one does not.
        let mut started = Self {
            workers: Vec::with_capacity(threads.get()),
            stop: CancellationToken::new(),
        };
        for number in 0..threads.get() {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            started.workers.push(Worker {
                runtime: runtime.handle().clone(),
                connections: Arc::default(),
            });
            let stop = started.stop.clone();
            std::thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(move || runtime.block_on(stop.cancelled_owned()))?;
        }
        Ok(started)
    }

    /// A place on the thread that serves the fewest. One accepts at a time for each listener, so that no two take the same in
    /// the belief that it is the emptiest, but by a rare chance.
    pub(super) fn place(&self) -> Option<Place> {
        let emptiest = self
            .workers
            .iter()
            .min_by_key(|worker| worker.connections.load(Ordering::Relaxed))?;
        emptiest.connections.fetch_add(1, Ordering::Relaxed);
        Some(Place {
            runtime: emptiest.runtime.clone(),
            connections: Arc::clone(&emptiest.connections),
        })
    }

    /// How many connections each thread serves.
    #[cfg(test)]
    pub(super) fn connections(&self) -> Vec<usize> {
        let counts = self.workers.iter();
        counts
            .map(|worker| worker.connections.load(Ordering::Relaxed))
            .collect()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
