//! The rules in force, and their replacement while requests are being decided.
//!
//! A file is taken whole or not at all. Changes are noticed by watching its directory (so that a rename over the file,
//! or a swap of the symbolic links that Kubernetes mounts, is seen too), by SIGHUP, and in any case by a look every
//! second.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{Basis, Policy, PolicyError, read};

/// How often the file is looked at, whatever the file system says of changes.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A file may be written in place, so it must have kept its content for this long before it is believed to be whole.
const SETTLE_FOR: Duration = Duration::from_millis(100);

/// After this many changes in a row it is believed all the same: files that are swapped whole never settle under
/// somebody who swaps them all the time.
const SETTLE_TRIES: usize = 5;

/// Where the rules come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RulesSource {
    /// A file, which may change.
    File(PathBuf),
    /// Rules that come with the program.
    BuiltIn(&'static str),
}

/// Rules, and how many came into force before them.
#[derive(Debug)]
pub struct InForce {
    /// The rules.
    pub policy: Policy,
    /// A number that grows with each set of rules that came into force; the first is 1.
    pub generation: u64,
}

/// The rules in force. Readers take no lock.
#[derive(Debug)]
pub struct PolicyStore {
    source: RulesSource,
    basis: Basis,
    current: ArcSwap<InForce>,
    /// Follows the generation in force.
    generations: watch::Sender<u64>,
    failures: AtomicU64,
    is_behind: AtomicBool,
    /// The text that was judged last, good or bad; `None` if it could not be read. Only the follower looks at it.
    judged: Mutex<Option<String>>,
}

impl PolicyStore {
    /// Loads the rules for the first time.
    ///
    /// # Errors
    ///
    /// A [`PolicyError`] if they cannot be used: there is nothing to fall back on yet.
    pub fn open(source: RulesSource, basis: Basis) -> Result<Self, PolicyError> {
        let (text, name) = match &source {
            RulesSource::File(path) => (read(path)?, path.display().to_string()),
            RulesSource::BuiltIn(text) => ((*text).to_owned(), "built-in rules".to_owned()),
        };
        let policy = Policy::parse(&text, &name, &basis)?;
        warn_of(&policy);
        Ok(Self {
            source,
            basis,
            current: ArcSwap::from_pointee(InForce {
                policy,
                generation: 1,
            }),
            generations: watch::Sender::new(1),
            failures: AtomicU64::new(0),
            is_behind: AtomicBool::new(false),
            judged: Mutex::new(Some(text)),
        })
    }

    /// The rules in force now.
    pub fn current(&self) -> Guard<Arc<InForce>> {
        self.current.load()
    }

    /// The generation in force, to be watched.
    pub fn generations(&self) -> watch::Receiver<u64> {
        self.generations.subscribe()
    }

    /// How many times a changed file could not be used.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Acquire)
    }

    /// Whether the file says something that could not be used, so that older rules are in force.
    pub fn is_behind(&self) -> bool {
        self.is_behind.load(Ordering::Acquire)
    }

    /// Follows the file until `shutdown`.
    pub async fn follow(self: Arc<Self>, shutdown: CancellationToken) {
        let RulesSource::File(path) = self.source.clone() else {
            return;
        };
        let changed = Arc::new(Notify::new());
        let _watcher = watch_directory(&path, &changed);
        let mut hangup = signal(SignalKind::hangup())
            .map_err(|error| tracing::warn!(%error, "SIGHUP will not reload the rules"))
            .ok();
        loop {
            let is_asked_for = tokio::select! {
                () = shutdown.cancelled() => return,
                () = changed.notified() => false,
                () = tokio::time::sleep(LOOK_EVERY) => false,
                Some(()) = async { hangup.as_mut()?.recv().await } => true,
            };
            let mut text = look(&path).await;
            if !is_asked_for && self.is_judged(&text) {
                continue;
            }
            for _ in 0..SETTLE_TRIES {
                tokio::time::sleep(SETTLE_FOR).await;
                let again = look(&path).await;
                let has_settled = again.as_ref().ok() == text.as_ref().ok();
                text = again;
                if has_settled {
                    break;
                }
            }
            let (store, path) = (Arc::clone(&self), path.clone());
            // To compile thousands of rules takes milliseconds that no request shall wait for.
            let judged = tokio::task::spawn_blocking(move || store.judge(text, &path)).await;
            if let Err(error) = judged {
                tracing::error!(%error, "the rules could not be compiled");
            }
        }
    }

    fn is_judged(&self, text: &Result<String, PolicyError>) -> bool {
        text.as_ref().ok()
            == self
                .judged
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .as_ref()
    }

    /// Brings a text into force, or says why not.
    fn judge(&self, text: Result<String, PolicyError>, path: &Path) {
        let file = path.display().to_string();
        let (text, parsed) = match text {
            Ok(text) => {
                let parsed = Policy::parse(&text, &file, &self.basis);
                (Some(text), parsed)
            }
            Err(error) => (None, Err(error)),
        };
        *self.judged.lock().unwrap_or_else(PoisonError::into_inner) = text;
        match parsed {
            Ok(policy) => {
                warn_of(&policy);
                let rules = policy.rules().len();
                let generation = self.current().generation + 1;
                self.is_behind.store(false, Ordering::Release);
                self.current.store(Arc::new(InForce { policy, generation }));
                self.generations.send_replace(generation);
                tracing::info!(file, rules, generation, "the rules were reloaded");
            }
            Err(error) => {
                self.is_behind.store(true, Ordering::Release);
                self.failures.fetch_add(1, Ordering::Release);
                tracing::error!(%error, "the rules file cannot be used; the rules that were in force stay so");
            }
        }
    }
}

fn warn_of(policy: &Policy) {
    for warning in policy.warnings() {
        tracing::warn!("{warning}");
    }
}

/// Reads the file beside the runtime: a network file system may take its time.
async fn look(path: &Path) -> Result<String, PolicyError> {
    let own = path.to_owned();
    match tokio::task::spawn_blocking(move || read(&own)).await {
        Ok(looked) => looked,
        Err(error) => Err(PolicyError::Read {
            file: path.display().to_string(),
            source: std::io::Error::other(error),
        }),
    }
}

/// Wakes `changed` whenever something happens in the file's directory. `None` where the system cannot watch: the look
/// every second remains.
fn watch_directory(file: &Path, changed: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let changed = Arc::clone(changed);
    let handler = move |event: notify::Result<notify::Event>| {
        // To read the file is an event too.
        let is_reading = event.is_ok_and(|event| {
            matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write))
        });
        if !is_reading {
            changed.notify_one();
        }
    };
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let watched = notify::recommended_watcher(handler).and_then(|mut watcher| {
        watcher.watch(directory.unwrap_or(Path::new(".")), RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    watched
        .map_err(|error| tracing::warn!(%error, "the rules file is not watched, but looked at every second"))
        .ok()
}

#[cfg(test)]
mod tests;
