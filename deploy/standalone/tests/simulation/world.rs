//! Everything that the nodes share: the database, the log, the links between, and the dice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use issuer::store::feed::LeaseView;
use shared::feed::term::Term;
use shared::revocation::Revocation;
use shared::testkit::FeedModel;
use shared::time::{BootTime, Clock, UnixMillis};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::labels::LabelTables;

pub(crate) const START: UnixMillis = UnixMillis(1_795_376_000_000);

/// xorshift64*: enough for dice, and the same everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            dice.next();
        }
        dice
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end
    }

    pub(crate) fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    pub(crate) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from + 1))
    }
}

/// Who talks to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Link {
    Database { issuer: usize },
    IssuerLog { issuer: usize },
    VerifierLog { verifier: usize },
}

/// A row of the outbox.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: u64,
    pub(crate) seq: Option<u64>,
    pub(crate) revocation: Revocation,
    pub(crate) created_at: UnixMillis,
}

/// The model of the database: what is committed.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) rows: Vec<Row>,
    pub(crate) next_id: u64,
    pub(crate) labels: LabelTables,
    pub(crate) lease: LeaseView,
}

/// What is true of the whole at one moment.
pub(crate) struct State {
    pub(crate) dice: Dice,
    pub(crate) database: Database,
    pub(crate) database_is_up: bool,
    /// The next commit that is answered is the last.
    pub(crate) stops_at_commit: bool,
    pub(crate) log: FeedModel,
    pub(crate) log_is_up: bool,
    /// Links that are cut.
    pub(crate) cut: Vec<Link>,
    /// Issuers that stand still.
    pub(crate) frozen: Vec<usize>,
    /// Wall clocks that are wrong, by node: issuers first, then verifiers.
    pub(crate) wall_error_ms: BTreeMap<Node, i64>,
    pub(crate) trace: Vec<String>,
}

/// A machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    Issuer(usize),
    Verifier(usize),
}

/// The world, shared by everything that runs in it.
#[derive(Clone)]
pub(crate) struct World {
    state: Arc<Mutex<State>>,
    /// Told at every change that somebody may wait for.
    pub(crate) changed: Arc<Notify>,
    epoch: Instant,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let lease = LeaseView {
            now: START,
            term: Term {
                number: 0,
                nonce: [0; 16],
            },
            ends_at: UnixMillis(0),
            last_seq: 0,
            min_epoch: 0,
            label_change: 0,
            published_seq: 0,
            unpublished_since: None,
        };
        Self {
            state: Arc::new(Mutex::new(State {
                dice: Dice::new(seed),
                database: Database {
                    rows: Vec::new(),
                    next_id: 1,
                    labels: LabelTables::default(),
                    lease,
                },
                database_is_up: true,
                stops_at_commit: false,
                log: FeedModel::default(),
                log_is_up: true,
                cut: Vec::new(),
                frozen: Vec::new(),
                wall_error_ms: BTreeMap::new(),
                trace: Vec::new(),
            })),
            changed: Arc::new(Notify::new()),
            epoch: Instant::now(),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// True time: what a perfect clock shows, and the database's.
    pub(crate) fn now(&self) -> UnixMillis {
        START.plus(self.epoch.elapsed())
    }

    pub(crate) fn clock(&self, node: Node) -> Arc<dyn Clock> {
        Arc::new(NodeClock {
            world: self.clone(),
            node,
        })
    }

    pub(crate) fn note(&self, what: impl FnOnce() -> String) {
        let at = self.epoch.elapsed().as_millis();
        let line = format!("{at:>7} {}", what());
        self.state().trace.push(line);
    }

    pub(crate) fn changed(&self) {
        self.changed.notify_waiters();
    }

    /// Goes on when this issuer does not stand still.
    pub(crate) async fn thawed(&self, node: Node) {
        let Node::Issuer(issuer) = node else { return };
        loop {
            let changed = self.changed.notified();
            if !self.state().frozen.contains(&issuer) {
                return;
            }
            changed.await;
        }
    }

    /// A way over the network takes a while.
    pub(crate) async fn travel(&self) {
        let wait = {
            let dice = &mut self.state().dice;
            if dice.one_in(50) {
                dice.millis(5, 200)
            } else {
                dice.millis(0, 3)
            }
        };
        tokio::time::sleep(wait).await;
    }

    /// Whether a link works at this moment.
    pub(crate) fn works(&self, link: Link) -> bool {
        let state = self.state();
        let is_up = match link {
            Link::Database { .. } => state.database_is_up,
            Link::IssuerLog { .. } | Link::VerifierLog { .. } => state.log_is_up,
        };
        is_up && !state.cut.contains(&link)
    }
}

/// The clocks of one machine: boot time is true, wall time may be wrong.
struct NodeClock {
    world: World,
    node: Node,
}

impl std::fmt::Debug for NodeClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.node)
    }
}

impl Clock for NodeClock {
    fn now(&self) -> UnixMillis {
        let error = self.world.state().wall_error_ms.get(&self.node).copied();
        UnixMillis(self.world.now().0 + error.unwrap_or(0))
    }

    fn boot(&self) -> BootTime {
        BootTime(Duration::from_hours(1) + self.world.epoch.elapsed())
    }
}
