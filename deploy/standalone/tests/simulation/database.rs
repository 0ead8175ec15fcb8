//! The database as an issuer reaches it.

use std::time::Duration;

use issuer::publish::{BatchRequest, DatabaseAway, RelayDatabase};
use issuer::store::feed::{Batch, LabelPage, LabelsTaken, LeaseView};
use shared::feed::term::Term;
use shared::id::FilmId;
use shared::revocation::Revocation;
use shared::time::UnixMillis;

use crate::world::{Database, Link, Node, Row, World};

/// As long as the real one waits for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Few at once, so that what is committed does not always fit.
const BATCH: usize = 4;

#[derive(Clone)]
pub(crate) struct SimDatabase {
    pub(crate) world: World,
    pub(crate) issuer: usize,
}

impl SimDatabase {
    /// A transaction: the way there, the effect at one instant, the way back. It may fail before and after the effect.
    async fn transact<T>(
        &self,
        effect: impl FnOnce(&mut Database, UnixMillis) -> T,
    ) -> Result<T, DatabaseAway> {
        let (world, link) = (&self.world, Link::Database { issuer: self.issuer });
        let node = Node::Issuer(self.issuer);
        world.thawed(node).await;
        // Read at the beginning, as the real one does.
        world.travel().await;
        let now = world.now();
        world.travel().await;
        if !world.works(link) {
            tokio::time::sleep(ANSWER_TIMEOUT).await;
            return Err(DatabaseAway("simulated".to_owned()));
        }
        let result = effect(&mut world.state().database, now);
        world.travel().await;
        world.thawed(node).await;
        if world.works(link) && !world.state().dice.one_in(2000) {
            Ok(result)
        } else {
            Err(DatabaseAway("simulated: the answer was lost".to_owned()))
        }
    }
}

impl Database {
    pub(crate) fn insert(&mut self, id: u64, revocation: Revocation, created_at: UnixMillis) {
        self.rows.push(Row {
            id,
            seq: None,
            revocation,
            created_at,
        });
        self.rows.sort_by_key(|row| row.id);
    }

    fn is_held_by(&self, term: Term) -> bool {
        self.lease.term == term
    }

    fn numbered_above(&self, after: u64) -> Vec<(u64, Revocation)> {
        let mut rows: Vec<_> = self
            .rows
            .iter()
            .filter_map(|row| Some((row.seq.filter(|seq| *seq > after)?, row.revocation.clone())))
            .collect();
        rows.sort_by_key(|(seq, _)| *seq);
        rows
    }

    pub(crate) fn forget_expired(&mut self, now: UnixMillis) {
        self.rows
            .retain(|row| row.revocation.expires.is_none_or(|at| at > now));
    }

    fn take_batch(&mut self, request: BatchRequest, now: UnixMillis) -> Option<Batch> {
        if !self.is_held_by(request.term) {
            return None;
        }
        if let Some((duration, published)) = request.renewal {
            self.lease.ends_at = now.plus(duration);
            self.lease.published_seq = published;
        }
        let limit = BATCH;
        if self.lease.last_seq < request.published {
            return Some(Batch {
                now,
                last_seq: self.lease.last_seq,
                lowest_live: None,
                entries: Vec::new(),
                is_complete: false,
                label_change: 0,
            });
        }
        for row in self.rows.iter_mut().filter(|row| row.seq.is_none()).take(limit) {
            self.lease.last_seq += 1;
            row.seq = Some(self.lease.last_seq);
        }
        if let Some(below) = request.republish_below {
            for row in &mut self.rows {
                let is_kept = row.revocation.expires.is_none() && row.seq.is_some_and(|seq| seq <= below);
                if is_kept {
                    self.lease.last_seq += 1;
                    row.seq = Some(self.lease.last_seq);
                }
            }
        }
        let mut entries = self.numbered_above(request.published);
        let is_complete = entries.len() <= limit && self.rows.iter().all(|row| row.seq.is_some());
        entries.truncate(limit);
        Some(Batch {
            now,
            last_seq: self.lease.last_seq,
            lowest_live: self.rows.iter().filter_map(|row| row.seq).min(),
            entries,
            is_complete,
            label_change: self.labels.change,
        })
    }
}

impl Database {
    fn take_labels(&mut self, term: Term, published: u64, told: u64, now: UnixMillis) -> LabelsTaken {
        if !self.is_held_by(term) {
            return LabelsTaken::Deposed;
        }
        if self.lease.last_seq < published || self.labels.change < told {
            return LabelsTaken::SetBack;
        }
        let changes = self.labels.changes(told, now);
        if !changes.changes.is_empty() {
            self.lease.last_seq += 1;
        }
        LabelsTaken::Entry(self.lease.last_seq, changes)
    }
}

impl RelayDatabase for SimDatabase {
    async fn look(&self) -> Result<LeaseView, DatabaseAway> {
        self.transact(|database, now| {
            let published = database.lease.published_seq;
            let unpublished = database
                .rows
                .iter()
                .filter(|row| row.seq.is_none_or(|seq| seq > published));
            LeaseView {
                now,
                unpublished_since: unpublished.map(|row| row.created_at).min(),
                label_change: database.labels.change,
                ..database.lease
            }
        })
        .await
    }

    async fn acquire(
        &self,
        seen: LeaseView,
        lapsed_only: bool,
        term: Term,
        duration: Duration,
    ) -> Result<bool, DatabaseAway> {
        self.transact(|database, now| {
            let lease = &mut database.lease;
            let is_as_seen = lease.term == seen.term
                && (!lapsed_only || (lease.ends_at == seen.ends_at && lease.ends_at <= now));
            if is_as_seen {
                lease.term = term;
                lease.ends_at = now.plus(duration);
            }
            is_as_seen
        })
        .await
    }

    async fn renew(&self, term: Term, duration: Duration, published: u64) -> Result<bool, DatabaseAway> {
        self.transact(|database, now| {
            let is_ours = database.is_held_by(term);
            if is_ours {
                database.lease.ends_at = now.plus(duration);
                database.lease.published_seq = published;
            }
            is_ours
        })
        .await
    }

    async fn release(&self, term: Term) -> Result<(), DatabaseAway> {
        self.transact(|database, now| {
            if database.is_held_by(term) {
                database.lease.ends_at = now;
            }
        })
        .await
    }

    async fn take_batch(&self, request: BatchRequest) -> Result<Option<Batch>, DatabaseAway> {
        self.transact(|database, now| database.take_batch(request, now))
            .await
    }

    async fn take_labels(&self, term: Term, published: u64, told: u64) -> Result<LabelsTaken, DatabaseAway> {
        self.transact(|database, now| database.take_labels(term, published, told, now))
            .await
    }

    async fn label_page(&self, after: Option<FilmId>) -> Result<LabelPage, DatabaseAway> {
        self.transact(|database, now| database.labels.page(after, now))
            .await
    }

    async fn live_after(&self, after: u64) -> Result<Vec<(u64, Revocation)>, DatabaseAway> {
        self.transact(|database, now| {
            database.forget_expired(now);
            let mut rows = database.numbered_above(after);
            rows.truncate(BATCH);
            rows
        })
        .await
    }

    async fn restore(
        &self,
        term: Term,
        facts: Vec<Revocation>,
        at_least_seq: u64,
    ) -> Result<bool, DatabaseAway> {
        self.transact(|database, now| {
            if !database.is_held_by(term) {
                return false;
            }
            for fact in facts {
                if !database.rows.iter().any(|row| row.revocation.fact == fact.fact) {
                    let id = database.next_id;
                    database.next_id += 1;
                    database.insert(id, fact, now);
                }
            }
            database.lease.last_seq = database.lease.last_seq.max(at_least_seq);
            database.lease.min_epoch = term.number;
            true
        })
        .await
    }
}
