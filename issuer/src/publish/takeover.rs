//! How an issuer comes to write the feed: it takes the lease in the database, claims its term in the log, and goes on where
//! the stream ends, or begins another where it cannot.

use std::time::Duration;

use shared::feed::entry::{self, Entry};
use shared::feed::heartbeat::Statement;
use shared::feed::log::{FeedLog, LogBody, LogError};
use shared::feed::term::{Epoch, ItemId, Term};
use shared::feed::writer::FeedWriter;
use shared::limits;
use shared::revocation::{Fact, Revocation};
use shared::time::BootTime;

use super::database::RelayDatabase;
use super::reign::{Reign, RoundError};
use super::relay::Relay;
use super::status::RelayStatus;
use crate::store::feed::LeaseView;

/// How long the lease lasts without being renewed.
pub(super) const LEASE: Duration = Duration::from_secs(3);

/// The same while a new epoch is written. A lease that ends later than [`LEASE`] from now says so, and nobody takes it
/// for unpublished rows.
const BUILDING_LEASE: Duration = Duration::from_secs(10);

/// A row that has waited this long is not being published, though the lease is renewed. Its holder says with each renewal how
/// far it has come, so a row may look unpublished for a second when it is not.
const OVERDUE: Duration = Duration::from_millis(2500);

impl<D: RelayDatabase, W: FeedWriter> Relay<D, W> {
    /// Takes over, if the lease is there to be taken and the log can be reached.
    pub(super) async fn try_take(&mut self) -> Result<Option<Reign>, RoundError> {
        let looked_at = self.clock.boot();
        let view = match self.database.look().await {
            Ok(view) => view,
            Err(away) => {
                self.stop_a_holder_who_cannot_know().await;
                self.doubt_labels().await;
                return Err(away.into());
            }
        };
        if self.status.has_unconfirmed_labels() && self.label_change_told().await? >= Some(view.label_change)
        {
            self.status.confirm_labels(looked_at);
        }
        if view.unpublished_since.is_none() {
            self.status.confirm(looked_at);
        }
        let waited = view
            .unpublished_since
            .map_or(Duration::ZERO, |since| view.now.since(since));
        self.status.update(|figures| figures.unpublished_for = waited);
        let is_own = self.last_term == Some(view.term);
        let is_writing_epoch = view.ends_at > view.now.plus(LEASE);
        let has_reigned = self.has_reigned(view.term, looked_at);
        let is_overdue = waited > OVERDUE && has_reigned && !is_writing_epoch;
        if !is_own && !is_overdue && view.now < view.ends_at {
            return Ok(None);
        }
        // Whoever cannot reach the log does not take the lease.
        let claimed = self.writer.term().await?.map_or(0, |term| term.number);
        // The database holds 63 bits. So great a number was written by nobody of ours.
        let number = view.term.number.max(claimed).saturating_add(1);
        if i64::try_from(number).is_err() {
            return Err(RoundError::Broken(
                "its term is beyond every number; delete the key",
            ));
        }
        let term = Term::fresh(number);
        let lapsed_only = !is_own && !is_overdue;
        if !self.database.acquire(view, lapsed_only, term, LEASE).await? {
            return Ok(None);
        }
        self.last_term = Some(term);
        if !self.writer.claim(term).await? {
            return Ok(None);
        }
        self.status.update(|figures| {
            figures.term = term.number;
            figures.terms_taken += 1;
        });
        tracing::info!(
            term = term.number,
            "this issuer publishes revocations from now on"
        );
        self.go_on_or_begin(term).await.map(Some)
    }

    /// Whether the holder has had time to publish what it found. Otherwise two issuers would take an old row as a reason to
    /// take the lease from each other, and neither would come to saying that it has published it.
    fn has_reigned(&mut self, term: Term, now: BootTime) -> bool {
        let since = match self.reigns_since {
            Some((seen, since)) if seen == term => since,
            _ => now,
        };
        self.reigns_since = Some((term, since));
        now.since(since) > OVERDUE
    }

    /// The database is away, and something was committed here of which we do not know that it is published. A holder
    /// that goes on without the database would say that it is: claiming a term stops it.
    async fn stop_a_holder_who_cannot_know(&mut self) {
        if !self.status.has_unconfirmed() || self.has_stopped_holder {
            return;
        }
        let stopped = async {
            if confirm_from_stream(&mut self.writer, &self.status).await? {
                return Ok(false);
            }
            let number = self.writer.term().await?.map_or(0, |term| term.number);
            self.writer.claim(Term::fresh(number.saturating_add(1))).await
        };
        match stopped.await {
            Ok(false) => {}
            Ok(true) => {
                self.has_stopped_holder = true;
                tracing::warn!(
                    "a revocation was committed just before the database went away: no heartbeat says that it is published"
                );
            }
            Err(error) => {
                tracing::warn!(%error, "a revocation is unpublished, and neither database nor log answers");
            }
        }
    }

    /// The database is away, and labels were changed here of which we do not know that it is told: whoever reigns is not to say
    /// that they are as they were.
    async fn doubt_labels(&mut self) {
        if !self.status.has_unconfirmed_labels() {
            return;
        }
        let doubted = async {
            match self.writer.term().await? {
                Some(term) => self.writer.doubt_labels(term).await,
                None => Ok(()),
            }
        };
        if let Err(error) = doubted.await {
            tracing::warn!(%error, "labels were changed, and neither database nor log answers");
        }
    }

    /// Number of the last change of labels that the newest heartbeat tells of.
    async fn label_change_told(&mut self) -> Result<Option<u64>, LogError> {
        let Some(epoch) = self.writer.pointer().await? else {
            return Ok(None);
        };
        let newest = self.writer.newest(epoch, None, 1).await?;
        let Some(LogBody::Heartbeat(signed)) = newest.first().map(|item| &item.body) else {
            return Ok(None);
        };
        let statement = Statement::verify(signed, &self.key.public()).ok();
        Ok(statement.and_then(|said| said.labels).map(|labels| labels.change))
    }

    async fn go_on_or_begin(&mut self, term: Term) -> Result<Reign, RoundError> {
        // Anew: until the lease was ours, somebody else may have given numbers.
        let view = self.database.look().await?;
        let pointer = match self.writer.pointer().await {
            Err(LogError::Unreadable(_)) => None,
            answer => answer?,
        };
        if let Some(epoch) = pointer
            && !self.must_begin_epoch
            && let Some((id, tail)) = self.tail_of(epoch, term).await?
        {
            // Labels are not proved by what the database kept: a stream from before it was set back tells of other ones.
            let is_of_this_database = epoch.number >= view.min_epoch;
            if view.last_seq >= tail.last.seq && is_of_this_database {
                self.status.update(|figures| figures.epoch = epoch.number);
                return Ok(Reign::resumed(term, id, &tail, self.clock.boot()));
            }
            if view.last_seq < tail.last.seq {
                self.bring_back(term, id, &tail, &view).await?;
            }
        }
        let reign = self.begin_epoch(term, pointer).await?;
        self.must_begin_epoch = false;
        Ok(reign)
    }

    /// The heartbeat that a stream ends with. `None` if it does not end with one of ours: every write of ours that readers
    /// know of does.
    async fn tail_of(&mut self, epoch: Epoch, term: Term) -> Result<Option<(ItemId, Statement)>, RoundError> {
        let newest = match self.writer.newest(epoch, None, 1).await {
            Err(LogError::Unreadable(_)) => return Ok(None),
            answer => answer?,
        };
        let Some(item) = newest.first() else {
            return Ok(None);
        };
        let LogBody::Heartbeat(signed) = &item.body else {
            return Ok(None);
        };
        let is_ours = |tail: &Statement| {
            tail.epoch == epoch && tail.last.seq == item.id.seq && tail.term.number < term.number
        };
        let tail = Statement::verify(signed, &self.key.public()).ok().filter(is_ours);
        Ok(tail.map(|tail| (item.id, tail)))
    }

    /// The stream proves more than the database knows: the database was set back. Gives it back what is proved.
    async fn bring_back(
        &mut self,
        term: Term,
        id: ItemId,
        tail: &Statement,
        view: &LeaseView,
    ) -> Result<(), RoundError> {
        tracing::error!(
            database = view.last_seq,
            stream = tail.last.seq,
            "the database has been set back behind the revocation feed: what the feed proves is applied to it again"
        );
        let Some(facts) = self.proved(id, tail).await? else {
            tracing::error!("the revocation feed proves nothing: its chain is broken");
            return Ok(());
        };
        if self.database.restore(term, facts, tail.last.seq).await? {
            Ok(())
        } else {
            Err(RoundError::Deposed)
        }
    }

    /// Everything from the floor to a heartbeat, if the chain agrees with it.
    async fn proved(&mut self, id: ItemId, tail: &Statement) -> Result<Option<Vec<Revocation>>, RoundError> {
        let (mut chain, mut facts) = (tail.floor, Vec::new());
        let mut from = ItemId::entry(tail.floor.seq.saturating_add(1));
        loop {
            let items = self.writer.range(tail.epoch, from, limits::FEED_PAGE).await?;
            let Some(last) = items.last().map(|item| item.id) else {
                break;
            };
            for item in items.iter().filter(|item| item.id <= id) {
                if let LogBody::Entry(bytes) = &item.body {
                    chain = chain.with(item.id.seq, bytes);
                    match Entry::read(bytes) {
                        Ok(Entry::Revocation(fact)) => facts.push(fact),
                        // Of labels the database is right, though it has lost some of them.
                        Ok(Entry::Labels(_)) => {}
                        Err(_) => return Ok(None),
                    }
                }
            }
            from = last.next_heartbeat();
        }
        Ok((chain == tail.last).then_some(facts))
    }

    /// Writes every live fact that has a number into a stream of its own. It comes into force with its first heartbeat.
    async fn begin_epoch(&mut self, term: Term, instead_of: Option<Epoch>) -> Result<Reign, RoundError> {
        tracing::warn!(epoch = term.number, "a new epoch of the revocation feed begins");
        self.status.update(|figures| {
            figures.epoch = term.number;
            figures.epochs_begun += 1;
        });
        let mut reign = Reign::begun(term, instead_of, self.clock.boot());
        let mut renewed_at = None;
        loop {
            self.renew_while_building(&reign, &mut renewed_at).await?;
            let facts = self.database.live_after(reign.published()).await?;
            if facts.is_empty() {
                return Ok(reign);
            }
            for batch in facts.chunks(usize::try_from(limits::FEED_BATCH).unwrap_or(usize::MAX)) {
                self.renew_while_building(&reign, &mut renewed_at).await?;
                reign.append_unseen(&mut self.tools(), batch).await?;
            }
        }
    }

    /// Renews the lease of whoever writes an epoch, every second.
    async fn renew_while_building(
        &self,
        reign: &Reign,
        renewed_at: &mut Option<BootTime>,
    ) -> Result<(), RoundError> {
        let now = self.clock.boot();
        if renewed_at.is_some_and(|at| now.since(at) < Duration::from_secs(1)) {
            return Ok(());
        }
        let is_ours = self
            .database
            .renew(reign.term(), BUILDING_LEASE, reign.published())
            .await?;
        *renewed_at = Some(now);
        if is_ours { Ok(()) } else { Err(RoundError::Deposed) }
    }
}

/// Looks in the stream for what was committed here and is not known to be published, from the newest entries back: what
/// is a second old is there, unless it never will be. Whether all of it is.
pub(super) async fn confirm_from_stream<L: FeedLog>(
    log: &mut L,
    status: &RelayStatus,
) -> Result<bool, LogError> {
    if !status.has_unconfirmed() {
        return Ok(true);
    }
    let Some(epoch) = log.pointer().await? else {
        return Ok(false);
    };
    let newest = log.newest(epoch, None, limits::FEED_PAGE).await?;
    let published = newest.iter().filter_map(|item| match &item.body {
        LogBody::Entry(bytes) => entry::decode(bytes).ok(),
        _ => None,
    });
    let published: Vec<Fact> = published.map(|revocation| revocation.fact).collect();
    status.confirm_facts(&published);
    Ok(!status.has_unconfirmed())
}
