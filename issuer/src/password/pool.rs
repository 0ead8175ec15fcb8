//! Threads of their own for hashing, beside the runtime, with a short queue before them.
//!
//! A hash takes tens of milliseconds of a core and of memory bandwidth; on the runtime it would hold up every request
//! that shares its thread, and without a bound a burst of logins would take all memory. Past the queue the caller is
//! told so at once.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;

use secrecy::SecretString;
use tokio::sync::oneshot;

use super::hash::{HashFailure, HashParams, Hasher, Memory, Verdict};
use super::policy::Password;

/// Why a pool does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Argon2 does not take these parameters.
    #[error("argon2 does not take these parameters")]
    Params(#[source] argon2::Error),
    /// The system gives no thread.
    #[error("cannot start a hashing thread")]
    Thread(#[source] std::io::Error),
}

/// Why the pool gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// As many jobs run and wait as may: try again later.
    #[error("too many passwords are being hashed")]
    Overloaded,
    /// The job itself failed.
    #[error("a password could not be hashed")]
    Failed(#[source] HashFailure),
}

/// What the pool has to do and has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolCounts {
    /// Jobs that wait.
    pub queued: usize,
    /// Jobs that run.
    pub running: usize,
    /// Jobs that ran, since the start.
    pub done: u64,
    /// Jobs that were turned away, since the start.
    pub overloaded: u64,
    /// Jobs that nobody waited for any more, since the start. They were not run.
    pub abandoned: u64,
}

/// A bounded pool of hashing threads. They end when it is dropped; what then still waits is not run.
#[derive(Debug)]
pub struct HashingPool {
    shared: Arc<Shared>,
    hasher: Arc<Hasher>,
    /// Held so that tests can wait for their end. Dropping a pool does not: it may happen on the runtime.
    threads: Vec<JoinHandle<()>>,
}

impl HashingPool {
    /// Starts `max_concurrent` threads (one at least), before which up to `queue` jobs may wait.
    ///
    /// # Errors
    ///
    /// - [`StartError::Params`] if argon2 does not take the parameters (RFC 9106 section 3.1: 8 KiB a lane, one pass
    ///   and one lane at least).
    /// - [`StartError::Thread`] if the system gives no thread.
    pub fn new(params: HashParams, max_concurrent: usize, queue: usize) -> Result<Self, StartError> {
        let hasher = Arc::new(Hasher::new(params).map_err(StartError::Params)?);
        let max_concurrent = max_concurrent.max(1);
        let shared = Arc::new(Shared {
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
            jobs_max: max_concurrent.saturating_add(queue),
        });
        // Made first, so that threads which did start end when a later one does not.
        let mut pool = Self {
            shared,
            hasher,
            threads: Vec::new(),
        };
        for number in 0..max_concurrent {
            let (shared, memory) = (Arc::clone(&pool.shared), Memory::for_hasher(&pool.hasher));
            let thread = std::thread::Builder::new()
                .name(format!("hashing-{number}"))
                .spawn(move || shared.work(memory))
                .map_err(StartError::Thread)?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// Hashes a password with a new salt; the answer is a PHC string.
    ///
    /// # Errors
    ///
    /// - [`PoolError::Overloaded`] if the queue is full.
    /// - [`PoolError::Failed`] if hashing failed.
    pub async fn hash(&self, password: &Password) -> Result<String, PoolError> {
        let (hasher, password) = (Arc::clone(&self.hasher), password.clone());
        self.run(move |memory| hasher.hash(&password, memory)).await
    }

    /// Compares a password with the stored argon2 hash of a login. `None`, for a login that is not known, does the
    /// work of a hash with the configured parameters and is always [`Verdict::Wrong`].
    ///
    /// # Errors
    ///
    /// - [`PoolError::Overloaded`] if the queue is full.
    /// - [`PoolError::Failed`] if the stored hash is not understood or asks for too much, or hashing failed.
    pub async fn verify(
        &self,
        password: &Password,
        stored: Option<&SecretString>,
    ) -> Result<Verdict, PoolError> {
        let (hasher, password, stored) = (Arc::clone(&self.hasher), password.clone(), stored.cloned());
        self.run(move |memory| hasher.verify(&password, stored.as_ref(), memory))
            .await
    }

    /// What the pool has to do and has done, all at one moment.
    pub fn counts(&self) -> PoolCounts {
        let state = self.shared.lock();
        PoolCounts {
            queued: state.jobs.len(),
            ..state.counts
        }
    }

    /// Runs a job on one of the threads and waits for it. Dropping the future abandons the job if it has not begun.
    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Memory) -> Result<T, HashFailure> + Send + 'static,
    ) -> Result<T, PoolError> {
        let (answer, answered) = oneshot::channel();
        let wanted = Arc::new(());
        let shared = Arc::clone(&self.shared);
        let run = move |memory: &mut Memory| {
            let outcome = catch_unwind(AssertUnwindSafe(|| job(memory))).unwrap_or_else(|_| {
                memory.clear();
                Err(HashFailure::Panicked)
            });
            // Counted first: who has the answer sees it counted.
            shared.count_done();
            // Nobody may be waiting any more.
            let _ = answer.send(outcome);
        };
        self.shared.submit(Job {
            wanted: Arc::downgrade(&wanted),
            run: Box::new(run),
        })?;
        let outcome = answered.await.unwrap_or(Err(HashFailure::Stopped));
        // Until here the caller was waiting.
        drop(wanted);
        outcome.map_err(PoolError::Failed)
    }
}

impl Drop for HashingPool {
    fn drop(&mut self) {
        let waiting = {
            let mut state = self.shared.lock();
            state.closed = true;
            std::mem::take(&mut state.jobs)
        };
        drop(waiting);
        self.shared.changed.notify_all();
    }
}

struct Job {
    /// Gone when the caller is.
    wanted: Weak<()>,
    run: Box<dyn FnOnce(&mut Memory) + Send>,
}

impl Job {
    fn is_abandoned(&self) -> bool {
        self.wanted.strong_count() == 0
    }
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// All but `queued`, which is the length of `jobs`.
    counts: PoolCounts,
    closed: bool,
}

impl State {
    /// Takes the abandoned jobs out, which would hold places that somebody could wait in.
    fn sweep(&mut self) {
        let before = self.jobs.len();
        self.jobs.retain(|job| !job.is_abandoned());
        let swept = before.saturating_sub(self.jobs.len());
        self.counts.abandoned = self.counts.abandoned.saturating_add(swept as u64);
    }
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Jobs that may run and wait.
    jobs_max: usize,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("jobs_max", &self.jobs_max)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Nothing panics while it is held, so that a poisoned lock is a whole one.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(&self, job: Job) -> Result<(), PoolError> {
        let mut state = self.lock();
        if state.jobs.len().saturating_add(state.counts.running) >= self.jobs_max {
            state.sweep();
        }
        if state.jobs.len().saturating_add(state.counts.running) >= self.jobs_max {
            state.counts.overloaded = state.counts.overloaded.saturating_add(1);
            return Err(PoolError::Overloaded);
        }
        state.jobs.push_back(job);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// The life of a thread.
    fn work(&self, mut memory: Memory) {
        while let Some(job) = self.next() {
            (job.run)(&mut memory);
        }
    }

    /// Waits for a job that somebody wants; `None` when the pool is gone.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            match state.jobs.pop_front() {
                Some(job) if job.is_abandoned() => {
                    state.counts.abandoned = state.counts.abandoned.saturating_add(1);
                }
                Some(job) => {
                    state.counts.running = state.counts.running.saturating_add(1);
                    return Some(job);
                }
                None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn count_done(&self) {
        let mut state = self.lock();
        state.counts.running = state.counts.running.saturating_sub(1);
        state.counts.done = state.counts.done.saturating_add(1);
    }
}

#[cfg(test)]
mod tests;
