//! Where a reader is in a stream.

use crate::feed::Gap;
use crate::feed::chain::Chain;
use crate::feed::entry::Entry;
use crate::feed::log::{LogBody, LogItem};
use crate::feed::term::{Epoch, ItemId};
use crate::label::LabelChange;
use crate::revocation::Revocation;

/// A place, and the chain up to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub(super) epoch: Epoch,
    /// The last item that was read.
    pub(super) last: ItemId,
    pub(super) chain: Chain,
}

/// What entries say.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) revocations: Vec<Revocation>,
    /// With the number of the entry.
    pub(super) labels: Vec<(u64, Vec<LabelChange>)>,
}

impl Position {
    /// Behind everything that belongs to a floor.
    pub(super) const fn at_floor(epoch: Epoch, floor: Chain) -> Self {
        Self {
            epoch,
            last: ItemId::entry(floor.seq),
            chain: floor,
        }
    }

    /// From where to read on when loading: a floor's own heartbeats say nothing new.
    pub(super) const fn next(&self) -> ItemId {
        if self.last.seq == self.chain.seq && self.last.k == 0 {
            ItemId::entry(self.chain.seq.saturating_add(1))
        } else {
            self.last.next_heartbeat()
        }
    }

    /// Puts entries to the chain, and gives what they say.
    pub(super) fn take_entries<'a>(
        &mut self,
        items: impl IntoIterator<Item = &'a LogItem>,
    ) -> Result<Taken, Gap> {
        let items = items.into_iter();
        let mut taken = Taken::default();
        taken.revocations.reserve(items.size_hint().0);
        for item in items {
            let LogBody::Entry(bytes) = &item.body else {
                return Err(Gap::Foreign);
            };
            if item.id.k != 0 || item.id <= self.last {
                return Err(Gap::Foreign);
            }
            match Entry::read(bytes).map_err(|_| Gap::Foreign)? {
                Entry::Revocation(revocation) => taken.revocations.push(revocation),
                Entry::Labels(changes) => taken.labels.push((item.id.seq, changes)),
            }
            self.chain = self.chain.with(item.id.seq, bytes);
            self.last = item.id;
        }
        Ok(taken)
    }
}
