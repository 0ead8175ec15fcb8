//! Threads of their own for hashing, beside the runtime, with a short queue before them.
//!
//! A hash takes tens of milliseconds of a core and of memory bandwidth; on the runtime it would hold up every request
//! that shares its thread, and without a bound a burst of logins would take all memory. Past the queue the caller is
//! told so at once.
//!
//! Memory is bounded too. Each thread has that of one hash with the configured parameters. Stored hashes that need more, such
//! as people bring along from elsewhere, share as much again, or what one of them may need if that is more: they wait for each
//! other, and nobody waits for them.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use shared::limits::STORED_HASH_MEMORY_KIB_MAX;
use shared::time::{BootTime, Clock};
use tokio::sync::oneshot;

use super::hash::{HashFailure, HashParams, Hasher, Memory, Verdict};
use super::policy::Password;
use super::stored::{HashRefused, Stored};

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

/// How much there is of everything.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    /// Hashes that are computed at once, one at least.
    pub max_concurrent: usize,
    /// Jobs that may wait.
    pub queue: usize,
    /// A wrong password is told no sooner than this after its check began, whatever it was checked against.
    pub failure_floor: Duration,
}

/// What came of a check.
#[derive(Debug)]
pub enum Checked {
    /// The password is the one that was stored.
    Right {
        /// Whether the stored hash is weaker than a new one would be, or of another kind: hash again.
        outdated: bool,
    },
    /// It is not.
    Wrong(Wrong),
}

/// A wrong password, of which the caller is not to hear before a time.
#[derive(Debug)]
pub struct Wrong {
    /// Why no password could have been right, where that is so.
    pub refused: Option<HashRefused>,
    began: BootTime,
    floor: Duration,
    clock: Arc<dyn Clock>,
}

impl Wrong {
    /// Returns when it may be told. What is to be written down is written before: whoever asked may not wait for the answer.
    pub async fn may_be_told(self) {
        let taken = self.clock.boot().since(self.began);
        tokio::time::sleep(self.floor.saturating_sub(taken)).await;
    }
}

/// A bounded pool of hashing threads. They end when it is dropped; what then still waits is not run.
#[derive(Debug)]
pub struct HashingPool {
    shared: Arc<Shared>,
    hasher: Arc<Hasher>,
    failure_floor: Duration,
    clock: Arc<dyn Clock>,
    /// Held so that tests can wait for their end. Dropping a pool does not: it may happen on the runtime.
    threads: Vec<JoinHandle<()>>,
}

impl HashingPool {
    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// - [`StartError::Params`] if argon2 does not take the parameters (RFC 9106 section 3.1: 8 KiB a lane, one pass
    ///   and one lane at least).
    /// - [`StartError::Thread`] if the system gives no thread.
    pub fn new(
        params: HashParams,
        settings: PoolSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let hasher = Arc::new(Hasher::new(params).map_err(StartError::Params)?);
        let max_concurrent = settings.max_concurrent.max(1);
        let threads = u64::try_from(max_concurrent).unwrap_or(u64::MAX);
        let own_kib = u64::from(params.memory_kib).saturating_mul(threads);
        let shared = Arc::new(Shared {
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
            jobs_max: max_concurrent.saturating_add(settings.queue),
            large_kib_max: own_kib.max(STORED_HASH_MEMORY_KIB_MAX.into()),
        });
        // Made first, so that threads which did start end when a later one does not.
        let mut pool = Self {
            shared,
            hasher,
            failure_floor: settings.failure_floor,
            clock,
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
        self.run(0, move |memory| hasher.hash(&password, memory)).await
    }

    /// Compares a password with the stored hash of a login. `None`, for a login that is not known, and a hash that is not
    /// understood or asks for too much, are always [`Checked::Wrong`].
    ///
    /// Whatever is stored, and whether anything is, a password that is not right costs the work of a hash with the configured
    /// parameters at least, and [`Wrong::may_be_told`] returns no sooner than [`PoolSettings::failure_floor`] after that work
    /// began. A stored hash that takes longer to compute is told later.
    ///
    /// # Errors
    ///
    /// - [`PoolError::Overloaded`] if the queue is full.
    /// - [`PoolError::Failed`] if hashing failed.
    pub async fn verify(
        &self,
        password: &Password,
        stored: Option<&SecretString>,
    ) -> Result<Checked, PoolError> {
        let (hasher, password, clock) = (
            Arc::clone(&self.hasher),
            password.clone(),
            Arc::clone(&self.clock),
        );
        let read = stored.map(|stored| Stored::read(stored.expose_secret(), hasher.wanted()));
        let (stored, refused) = match read.transpose() {
            Ok(stored) => (stored, None),
            Err(refused) => (None, Some(refused)),
        };
        let large_kib = stored.as_ref().map_or(0, |stored| self.large_kib(stored));
        let check = move |memory: &mut Memory| {
            let began = clock.boot();
            Ok((hasher.verify(&password, stored.as_ref(), memory)?, began))
        };
        let (verdict, began) = self.run(large_kib, check).await?;
        Ok(match verdict {
            Verdict::Right { outdated } => Checked::Right { outdated },
            Verdict::Wrong => Checked::Wrong(Wrong {
                refused,
                began,
                floor: self.failure_floor,
                clock: Arc::clone(&self.clock),
            }),
        })
    }

    /// Whether a text is a hash that passwords can be checked against, within its bounds.
    ///
    /// # Errors
    ///
    /// [`HashRefused`] says what is wrong with it.
    pub fn check_stored(&self, stored: &str) -> Result<(), HashRefused> {
        Stored::read(stored, self.hasher.wanted()).map(|_| ())
    }

    /// The memory of a hash that needs more than a thread has; 0 for one that does not.
    fn large_kib(&self, stored: &Stored) -> u64 {
        let kib = stored.memory_kib();
        if kib > self.hasher.wanted().memory_kib {
            kib.into()
        } else {
            0
        }
    }

    /// What the pool has to do and has done, all at one moment.
    pub fn counts(&self) -> PoolCounts {
        let state = self.shared.lock();
        PoolCounts {
            queued: state.jobs.len(),
            ..state.counts
        }
    }

    /// Jobs that may run and wait.
    pub fn jobs_max(&self) -> usize {
        self.shared.jobs_max
    }

    /// Runs a job on one of the threads and waits for it. Dropping the future abandons the job if it has not begun.
    ///
    /// `large_kib`: memory that it needs beyond what a thread has.
    async fn run<T: Send + 'static>(
        &self,
        large_kib: u64,
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
            shared.count_done(large_kib);
            // Nobody may be waiting any more.
            let _ = answer.send(outcome);
        };
        self.shared.submit(Job {
            wanted: Arc::downgrade(&wanted),
            large_kib,
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
    large_kib: u64,
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
    /// Memory of the large jobs that run.
    large_kib: u64,
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

    /// Takes the first job that may run. A large one that does not fit yet lets small ones pass, and no other large one.
    fn take(&mut self, large_kib_max: u64) -> Option<Job> {
        let free = large_kib_max.saturating_sub(self.large_kib);
        let first_large = self.jobs.iter().position(|job| job.large_kib > 0);
        let at =
            self.jobs.iter().enumerate().position(|(at, job)| {
                job.large_kib == 0 || (first_large == Some(at) && job.large_kib <= free)
            })?;
        let job = self.jobs.remove(at)?;
        self.large_kib = self.large_kib.saturating_add(job.large_kib);
        self.counts.running = self.counts.running.saturating_add(1);
        Some(job)
    }
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Jobs that may run and wait.
    jobs_max: usize,
    /// Memory that large jobs may have at once.
    large_kib_max: u64,
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
            state.sweep();
            match state.take(self.large_kib_max) {
                Some(job) => return Some(job),
                None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn count_done(&self, large_kib: u64) {
        let mut state = self.lock();
        state.large_kib = state.large_kib.saturating_sub(large_kib);
        state.counts.running = state.counts.running.saturating_sub(1);
        state.counts.done = state.counts.done.saturating_add(1);
        drop(state);
        if large_kib > 0 {
            // Several that waited for this one may run now, and this thread takes one.
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests;
