//! What can go wrong.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use shared::feed::log::LogBody;
use shared::feed::term::ItemId;
use shared::testkit::FeedModel;

use crate::checker::History;
use crate::nodes::{SimIssuer, SimVerifier};
use crate::world::{Database, Link, Node, World};

/// A fault. Those with a duration are healed by [`Fault::heal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    LogStops,
    LogEmptied,
    LogComesBackOld,
    LogLosesTail,
    LogLosesTerm,
    StreamDeleted,
    StreamTrimmed,
    EntryDropped,
    EntryAltered,
    EntryForged,
    GarbageAppended,
    HeartbeatCopied,
    TableDamaged,
    VerifierCutOff,
    IssuerCutOffFromLog,
    IssuerCutOffFromDatabase,
    DatabaseStops,
    DatabaseStopsAtCommit,
    DatabaseSetBack,
    IssuerKilled,
    IssuersKilledInTurn,
    IssuerStandsStill,
    VerifierKilled,
    VerifierClockForward,
    VerifierClockBack,
    IssuerClockForward,
}

impl Fault {
    pub(crate) const ALL: [Self; 27] = [
        Self::None,
        Self::LogStops,
        Self::LogEmptied,
        Self::LogComesBackOld,
        Self::LogLosesTail,
        Self::LogLosesTerm,
        Self::StreamDeleted,
        Self::StreamTrimmed,
        Self::EntryDropped,
        Self::EntryAltered,
        Self::EntryForged,
        Self::GarbageAppended,
        Self::HeartbeatCopied,
        Self::TableDamaged,
        Self::VerifierCutOff,
        Self::IssuerCutOffFromLog,
        Self::IssuerCutOffFromDatabase,
        Self::DatabaseStops,
        Self::DatabaseStopsAtCommit,
        Self::DatabaseSetBack,
        Self::IssuerKilled,
        Self::IssuersKilledInTurn,
        Self::IssuerStandsStill,
        Self::VerifierKilled,
        Self::VerifierClockForward,
        Self::VerifierClockBack,
        Self::IssuerClockForward,
    ];

    /// Whether the log has lost something by it, or proves less.
    pub(crate) const fn harms_log(self) -> bool {
        matches!(
            self,
            Self::LogEmptied
                | Self::LogComesBackOld
                | Self::LogLosesTail
                | Self::StreamDeleted
                | Self::StreamTrimmed
                | Self::EntryDropped
                | Self::EntryAltered
                | Self::EntryForged
                | Self::GarbageAppended
                | Self::HeartbeatCopied
        )
    }
}

/// The parts that faults happen to.
pub(crate) struct Cast<'a> {
    pub(crate) world: &'a World,
    pub(crate) issuers: &'a Rc<RefCell<Vec<SimIssuer>>>,
    pub(crate) verifiers: &'a mut [SimVerifier],
    pub(crate) history: &'a Rc<RefCell<History>>,
    /// Earlier states, to be set back to.
    pub(crate) old_log: &'a FeedModel,
    pub(crate) old_database: &'a Database,
}

const HOUR_MS: i64 = 3_600_000;

impl Cast<'_> {
    /// Makes it happen, and lasts as long as it is to last.
    pub(crate) async fn suffer(&mut self, fault: Fault, which: usize, lasts: Duration) {
        let world = self.world.clone();
        world.note(|| format!("fault {fault:?} of {which} for {lasts:?}"));
        let issuers = self.issuers.borrow().len();
        let issuer = which % issuers;
        let verifier = which % self.verifiers.len();
        match fault {
            Fault::None => {}
            Fault::LogStops => world.state().log_is_up = false,
            Fault::LogEmptied => world.state().log = FeedModel::default(),
            Fault::LogComesBackOld => {
                world.state().log_is_up = false;
                tokio::time::sleep(lasts / 4).await;
                let mut state = world.state();
                state.log = self.old_log.clone();
                state.log_is_up = true;
            }
            Fault::LogLosesTail => lose_tail(&world, 1 + which),
            Fault::LogLosesTerm => world.state().log.term = None,
            Fault::StreamDeleted => world.state().log.streams.clear(),
            Fault::StreamTrimmed => tamper(&world, |items| {
                let keep = items.len().saturating_sub(which % 20);
                items.drain(..keep);
            }),
            Fault::EntryDropped => tamper(&world, |items| {
                let entry = pick(items, which, |body| matches!(body, LogBody::Entry(_)));
                entry.map(|at| items.remove(at));
            }),
            Fault::EntryAltered => tamper(&world, |items| {
                let entry = pick(items, which, |body| matches!(body, LogBody::Entry(_)));
                if let Some((_, LogBody::Entry(bytes))) = entry.map(|at| &mut items[at]) {
                    *bytes.last_mut().unwrap() ^= 1;
                }
            }),
            Fault::EntryForged => tamper(&world, |items| {
                let Some((last, _)) = items.last() else { return };
                let copied = items.iter().find_map(|(_, body)| match body {
                    LogBody::Entry(bytes) => Some(bytes.clone()),
                    _ => None,
                });
                let id = ItemId::entry(last.seq + 1);
                items.extend(copied.map(|bytes| (id, LogBody::Entry(bytes))));
            }),
            Fault::GarbageAppended => tamper(&world, |items| {
                let Some((last, _)) = items.last() else { return };
                items.push((last.next_heartbeat(), LogBody::Foreign));
            }),
            Fault::HeartbeatCopied => tamper(&world, |items| {
                let Some((last, _)) = items.last() else { return };
                let copied = pick(items, which, |body| matches!(body, LogBody::Heartbeat(_)));
                if let Some(at) = copied {
                    items.push((last.next_heartbeat(), items[at].1.clone()));
                }
            }),
            Fault::TableDamaged => {
                let mut state = world.state();
                let chunks: Vec<_> = state.log.tables.keys().copied().collect();
                if let Some(chunk) = chunks.get(which % chunks.len().max(1)) {
                    if lasts.as_millis().is_multiple_of(2) {
                        state.log.tables.remove(chunk);
                    } else {
                        state.log.tables.insert(*chunk, Vec::new());
                    }
                }
            }
            Fault::VerifierCutOff => world.state().cut.push(Link::VerifierLog { verifier }),
            Fault::IssuerCutOffFromLog => world.state().cut.push(Link::IssuerLog { issuer }),
            Fault::IssuerCutOffFromDatabase => world.state().cut.push(Link::Database { issuer }),
            Fault::DatabaseStops => world.state().database_is_up = false,
            Fault::DatabaseStopsAtCommit => world.state().stops_at_commit = true,
            Fault::DatabaseSetBack => self.set_database_back(lasts).await,
            Fault::IssuerKilled => self.issuers.borrow_mut()[issuer].kill(),
            Fault::IssuersKilledInTurn => {
                for issuer in 0..issuers {
                    self.issuers.borrow_mut()[issuer].kill();
                    tokio::time::sleep(lasts / 4).await;
                    self.issuers.borrow_mut()[issuer].start();
                }
            }
            Fault::IssuerStandsStill => world.state().frozen.push(issuer),
            Fault::VerifierKilled => self.verifiers[verifier].restart(),
            Fault::VerifierClockForward => self.step(Node::Verifier(verifier), HOUR_MS),
            Fault::VerifierClockBack => self.step(Node::Verifier(verifier), -HOUR_MS),
            Fault::IssuerClockForward => self.step(Node::Issuer(issuer), HOUR_MS),
        }
        world.changed();
    }

    fn step(&self, node: Node, by_ms: i64) {
        self.world.state().wall_error_ms.insert(node, by_ms);
    }

    /// The database goes away and comes back as it was a while ago. What was committed since is lost there; what the log
    /// has of it is to come back.
    async fn set_database_back(&mut self, lasts: Duration) {
        self.world.state().database_is_up = false;
        tokio::time::sleep(lasts / 4).await;
        let world_now = self.world.now();
        let mut state = self.world.state();
        let log = state.log.clone();
        let in_log = |fact: &shared::revocation::Fact| {
            let stream = log.pointer.and_then(|epoch| log.stream(epoch));
            stream.into_iter().flatten().any(|(_, body)| match body {
                LogBody::Entry(bytes) => {
                    shared::feed::entry::decode(bytes).is_ok_and(|revocation| revocation.fact == *fact)
                }
                _ => false,
            })
        };
        state.database = self.old_database.clone();
        self.history
            .borrow_mut()
            .films_set_back(&state.database.labels.films, world_now);
        let rows = &state.database.rows;
        self.history
            .borrow_mut()
            .lost(|fact| in_log(fact) || rows.iter().any(|row| row.revocation.fact == *fact));
        state.database_is_up = true;
    }

    /// Everything is mended.
    pub(crate) fn heal(&mut self) {
        self.world.note(|| "healed".to_owned());
        {
            let mut state = self.world.state();
            state.log_is_up = true;
            state.database_is_up = true;
            state.stops_at_commit = false;
            state.cut.clear();
            state.frozen.clear();
            state.wall_error_ms.clear();
        }
        for issuer in self.issuers.borrow_mut().iter_mut() {
            if !issuer.is_running() {
                issuer.start();
            }
        }
        self.world.changed();
    }
}

/// A fail-over to a replica that had not yet received the last items.
fn lose_tail(world: &World, count: usize) {
    tamper(world, |items| {
        let keep = items.len().saturating_sub(count);
        items.truncate(keep);
    });
}

fn tamper(world: &World, change: impl FnOnce(&mut Vec<(ItemId, LogBody)>)) {
    let mut state = world.state();
    if state.log.pointer.is_none() {
        return;
    }
    let stream = state.log.in_force();
    let mut items: Vec<_> = std::mem::take(stream).into_iter().collect();
    change(&mut items);
    stream.extend(items);
}

fn pick(items: &[(ItemId, LogBody)], which: usize, is_meant: impl Fn(&LogBody) -> bool) -> Option<usize> {
    let meant: Vec<usize> = (0..items.len()).filter(|at| is_meant(&items[*at].1)).collect();
    (!meant.is_empty()).then(|| meant[which % meant.len()])
}
