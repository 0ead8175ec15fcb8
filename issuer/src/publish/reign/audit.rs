//! The holder reads again, a page at a time, what it has written: a stream that somebody altered would keep every verifier
//! that starts from loading it.

use shared::feed::chain::Chain;
use shared::feed::log::{FeedLog, LogBody, LogError};
use shared::feed::term::{Epoch, ItemId};

/// Items read at each step.
const PAGE: usize = 1000;

/// Where the audit is. When it has come to the end it begins again.
#[derive(Debug)]
pub(super) struct Audit {
    floor: Chain,
    at: Option<(ItemId, Chain)>,
}

impl Audit {
    pub(super) const fn from(floor: Chain) -> Self {
        Self { floor, at: None }
    }

    /// The stream begins at this floor now. An audit that was behind it begins again.
    pub(super) fn trimmed_to(&mut self, floor: Chain) {
        if floor != self.floor {
            self.floor = floor;
            self.at = self.at.filter(|(_, chain)| chain.seq > floor.seq);
        }
    }

    /// Reads a page. `false`: what is there is not what was written, which ends with `last` and this chain.
    pub(super) async fn step<L: FeedLog>(
        &mut self,
        log: &mut L,
        epoch: Epoch,
        last: Option<ItemId>,
        written: Chain,
    ) -> Result<bool, LogError> {
        let (from, mut chain) = self
            .at
            .unwrap_or((ItemId::entry(self.floor.seq.saturating_add(1)), self.floor));
        let items = log.range(epoch, from, PAGE).await?;
        for item in &items {
            if Some(item.id) > last {
                return Ok(false);
            }
            match &item.body {
                LogBody::Entry(bytes) if item.id.k == 0 => chain = chain.with(item.id.seq, bytes),
                LogBody::Heartbeat(_) if item.id.k > 0 && item.id.seq == chain.seq => {}
                _ => return Ok(false),
            }
        }
        match items.last() {
            Some(end) if Some(end.id) < last && items.len() == PAGE => {
                self.at = Some((end.id.next_heartbeat(), chain));
                Ok(true)
            }
            _ => {
                self.at = None;
                Ok(chain == written)
            }
        }
    }
}
