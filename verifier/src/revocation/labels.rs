//! The replica of the film labels, and how far it can be trusted.
//!
//! They come in the same feed as the revocations, and the same heartbeats vouch for them. But a change of a label may open
//! a film as well as close one: so a decision by labels always needs knowledge that is young enough, whoever is asking.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use shared::feed::LabelUpdate;
use shared::label::{Definitions, LabelChange, LabelTable};
use shared::time::{BootTime, UnixMillis};
use tokio::sync::watch;

use super::freshness::{Freshness, StalenessBounds};

/// The labels known here. Readers take no lock.
#[derive(Debug)]
pub struct LabelReplica {
    is_off: bool,
    bounds: StalenessBounds,
    /// Everything that has been told, and proved by being told.
    table: ArcSwap<LabelTable>,
    /// A table of which the end has not come: it proves nothing yet. Whoever follows the feed alone looks at it.
    arriving: Mutex<Option<LabelTable>>,
    /// The newest heartbeat that vouched for labels, and what became of it.
    heard: ArcSwapOption<Heard>,
    films: AtomicU64,
    definitions: AtomicU64,
    /// Whether a heartbeat has vouched for labels yet.
    loaded: watch::Sender<bool>,
}

/// A heartbeat that vouched for labels.
#[derive(Clone, Copy, Debug)]
struct Heard {
    /// Every change of labels committed before this is here.
    time: UnixMillis,
    read_at: BootTime,
    /// Whether nothing has been found amiss since.
    is_whole: bool,
}

/// The labels as of one moment.
#[derive(Debug)]
pub struct LabelView {
    /// How far they can be trusted.
    pub freshness: Freshness,
    known: Option<KnownLabels>,
}

/// What is known of labels, whole as of some heartbeat.
#[derive(Debug)]
pub struct KnownLabels {
    /// Every change of labels committed before this is here.
    pub as_of: UnixMillis,
    /// The films.
    pub table: Guard<Arc<LabelTable>>,
    /// What each label asks, by that table.
    pub definitions: Guard<Arc<Definitions>>,
}

impl LabelView {
    /// What is known, if it is young enough to decide by.
    pub fn trusted(&self) -> Option<&KnownLabels> {
        self.known.as_ref().filter(|_| self.freshness.is_trusted())
    }

    /// What is known, however old; `None` if it was never whole.
    pub const fn known(&self) -> Option<&KnownLabels> {
        self.known.as_ref()
    }
}

impl LabelReplica {
    /// A replica that has to load.
    pub(super) fn new(bounds: StalenessBounds) -> Self {
        Self {
            is_off: false,
            bounds,
            table: ArcSwap::from_pointee(LabelTable::default()),
            arriving: Mutex::new(None),
            heard: ArcSwapOption::empty(),
            films: AtomicU64::new(0),
            definitions: AtomicU64::new(0),
            loaded: watch::Sender::new(false),
        }
    }

    /// A replica of nothing, where there is no feed.
    pub(super) fn off(bounds: StalenessBounds) -> Self {
        Self {
            is_off: true,
            ..Self::new(bounds)
        }
    }

    /// The replica as of `now` and `boot`, which the caller read once.
    pub fn view(&self, now: UnixMillis, boot: BootTime) -> LabelView {
        if self.is_off {
            return LabelView {
                freshness: Freshness::Off,
                known: None,
            };
        }
        // Before the table is looked into: what a heartbeat promises was applied before the heartbeat was noted.
        let heard = self.heard.load();
        let Some(heard) = heard.as_deref() else {
            return LabelView {
                freshness: Freshness::Loading,
                known: None,
            };
        };
        let freshness = if heard.is_whole {
            self.bounds.judge(heard.time, heard.read_at, now, boot)
        } else {
            Freshness::Loading
        };
        let table = self.table.load();
        LabelView {
            freshness,
            known: Some(KnownLabels {
                as_of: heard.time,
                definitions: table.definitions(),
                table,
            }),
        }
    }

    /// Whether a heartbeat has vouched for labels yet.
    pub fn is_loaded(&self) -> bool {
        *self.loaded.borrow()
    }

    /// Returns when a heartbeat has vouched for labels, at once if that is so already.
    pub async fn loaded(&self) {
        // The sender is our own, so it is never gone.
        let _ = self.loaded.subscribe().wait_for(|loaded| *loaded).await;
    }

    /// Everything told so far, for the metrics and the snapshot.
    pub fn table(&self) -> Arc<LabelTable> {
        self.table.load_full()
    }

    /// Changes that were taken in, by kind. One that was read again counts again.
    pub fn entries(&self) -> [(&'static str, u64); 2] {
        [("film", &self.films), ("definition", &self.definitions)]
            .map(|(kind, count)| (kind, count.load(Ordering::Relaxed)))
    }

    /// Takes in what a snapshot has. It counts for nothing before its heartbeat is heard.
    pub fn restore(&self, table: LabelTable) {
        self.table.store(Arc::new(table));
    }

    pub(super) fn take_in(&self, update: &LabelUpdate) {
        match update {
            LabelUpdate::Changes(changes) => {
                self.table.load().apply(changes);
                self.count(changes);
            }
            LabelUpdate::TableBegins => *self.arriving() = Some(LabelTable::default()),
            LabelUpdate::TablePart(changes) => {
                if let Some(table) = self.arriving().as_ref() {
                    table.apply(changes);
                    self.count(changes);
                }
            }
            LabelUpdate::TableEnds => {
                if let Some(table) = self.arriving().take() {
                    self.table.store(Arc::new(table));
                }
            }
        }
    }

    /// Notes a heartbeat with everything before it taken in. `time` is that of the labels: without one it vouches for
    /// nothing, and what was heard before grows old.
    pub(super) fn hear(&self, time: Option<UnixMillis>, read_at: BootTime) {
        let Some(time) = time else { return };
        let was_whole = self
            .heard
            .swap(Some(Arc::new(Heard {
                time,
                read_at,
                is_whole: true,
            })))
            .is_some_and(|before| before.is_whole);
        if !was_whole {
            let table = self.table.load();
            tracing::info!(
                films = table.films(),
                labels = table.definitions().len(),
                %time,
                "the labels are loaded"
            );
        }
        self.loaded
            .send_if_modified(|loaded| !std::mem::replace(loaded, true));
    }

    /// Notes that something did not fit together: what is known stays. So does a table of which the end has not come: what
    /// is wrong behind it is not wrong with it, and whoever begins another says so.
    pub(super) fn lose(&self) {
        if let Some(heard) = self.heard.load_full() {
            self.heard.store(Some(Arc::new(Heard {
                is_whole: false,
                ..*heard
            })));
        }
    }

    fn count(&self, changes: &[LabelChange]) {
        let films = changes
            .iter()
            .filter(|change| matches!(change, LabelChange::Film { .. }));
        let (films, all) = (count_of(films.count()), count_of(changes.len()));
        self.films.fetch_add(films, Ordering::Relaxed);
        self.definitions.fetch_add(all - films, Ordering::Relaxed);
    }

    fn arriving(&self) -> MutexGuard<'_, Option<LabelTable>> {
        self.arriving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count_of(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
