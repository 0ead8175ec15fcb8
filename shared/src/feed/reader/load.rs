//! Loading: from the floor of the newest good heartbeat to the end of the stream.

use super::position::Position;
use super::{Interruption, Reader, stands_at};
use crate::feed::Gap;
use crate::feed::heartbeat::Statement;
use crate::feed::log::{FeedLog, LogBody};
use crate::feed::term::{Epoch, ItemId};
use crate::limits;
use crate::time::BootTime;

/// Items in which the newest heartbeat is looked for at first: the end of a stream is nearly always one.
const FIRST_TAIL: usize = 16;

impl<L: FeedLog> Reader<L> {
    /// Reads the epoch in force. One that gives way to another while it is read is no gap.
    pub(super) async fn load(&mut self) -> Result<Position, Interruption> {
        if self.keys.keys.borrow().is_empty() {
            // Whoever fetches them knows that there are none.
            return Err(Interruption::Away(
                "the issuer's feed keys are not known yet".to_owned(),
            ));
        }
        let mut epoch = self.epoch_in_force().await?;
        loop {
            let loaded = self.load_epoch(epoch).await;
            if !matches!(loaded, Err(Interruption::Gap(_))) {
                return loaded;
            }
            let in_force = self.epoch_in_force().await?;
            if in_force.number <= epoch.number {
                return loaded;
            }
            epoch = in_force;
        }
    }

    /// Reads an epoch from its floor to its newest good heartbeat, and what is behind that.
    async fn load_epoch(&mut self, epoch: Epoch) -> Result<Position, Interruption> {
        let (id, target, signed) = self.newest_heartbeat(epoch).await?;
        let read_at = self.clock.boot();
        if self.newest_seen.is_some_and(|seen| target.order() < seen) {
            return Err(Interruption::Gap(Gap::Replayed));
        }
        let mut at = Position::at_floor(epoch, target.floor);
        self.labels.read_from(epoch, target.floor.seq);
        while at.last < id {
            let items = self.log.range(epoch, at.next(), limits::FEED_PAGE).await?;
            let page_read_at = self.clock.boot();
            let Some(last) = items.last().map(|item| item.id) else {
                // Nothing between floor and heartbeat but the heartbeat itself, or not even that.
                break;
            };
            if last < at.next() {
                return Err(Interruption::Gap(Gap::Foreign));
            }
            let split = items.partition_point(|item| item.id <= id);
            let (before, behind) = items.split_at_checked(split).unwrap_or((&items, &[]));
            let entries = before
                .iter()
                .filter(|item| !matches!(item.body, LogBody::Heartbeat(_)));
            let taken = at.take_entries(entries).map_err(Interruption::Gap)?;
            self.tell_entries(at.chain.seq, taken).await?;
            at.last = last.min(id);
            if last >= id {
                self.prove(&mut at, id, &target, &signed, read_at).await?;
                self.take(&mut at, behind, page_read_at).await?;
                return Ok(at);
            }
        }
        self.prove(&mut at, id, &target, &signed, read_at).await?;
        Ok(at)
    }

    /// Checks the chain against the heartbeat that was loaded for, and tells it if it is news.
    async fn prove(
        &mut self,
        at: &mut Position,
        id: ItemId,
        target: &Statement,
        signed: &[u8],
        read_at: BootTime,
    ) -> Result<(), Interruption> {
        if at.chain != target.last {
            return Err(Interruption::Gap(Gap::Chain));
        }
        at.last = at.last.max(id);
        // Read again, the same heartbeat proves the load, but is no younger than it was.
        if self.newest_seen.is_none_or(|seen| target.order() > seen) {
            self.tell_heartbeat(target, signed, read_at).await
        } else {
            self.tell_labels(target).await.map(|_| ())
        }
    }

    /// The newest heartbeat of an epoch that a feed key signed, with its place.
    async fn newest_heartbeat(&mut self, epoch: Epoch) -> Result<(ItemId, Statement, Vec<u8>), Interruption> {
        let (mut from, mut count) = (None, FIRST_TAIL);
        let (mut looked_at, mut refused) = (0, 0);
        while looked_at < limits::FEED_TAIL_MAX {
            let items = self.log.newest(epoch, from, count).await?;
            if items.is_empty() && looked_at == 0 {
                return Err(Interruption::Gap(Gap::Missing));
            }
            for item in &items {
                let LogBody::Heartbeat(signed) = &item.body else {
                    continue;
                };
                if let Ok(statement) = self.verify(signed)
                    && statement.epoch == epoch
                    && stands_at(&statement, item.id)
                {
                    return Ok((item.id, statement, signed.clone()));
                }
                refused += 1;
                if refused >= limits::FEED_BAD_HEARTBEATS_MAX {
                    return Err(Interruption::Gap(Gap::Unproven));
                }
            }
            let Some(before) = items.last().and_then(|item| item.id.before()) else {
                break;
            };
            from = Some(before);
            looked_at += items.len();
            count = limits::FEED_PAGE;
        }
        Err(Interruption::Gap(Gap::Unproven))
    }
}
