//! Redis as an issuer or a verifier reaches it.

use std::time::Duration;

use shared::feed::log::{FeedLog, LogError, LogItem};
use shared::feed::table::TableId;
use shared::feed::term::{Epoch, ItemId, Term};
use shared::feed::writer::{Append, Appended, FeedWriter};
use shared::testkit::FeedModel;

use crate::world::{Link, Node, World};

/// As long as the real one waits for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

pub(crate) struct SimLog {
    pub(crate) world: World,
    pub(crate) node: Node,
}

impl SimLog {
    fn link(&self) -> Link {
        match self.node {
            Node::Issuer(issuer) => Link::IssuerLog { issuer },
            Node::Verifier(verifier) => Link::VerifierLog { verifier },
        }
    }

    /// The way there.
    async fn arrive(&self) -> Result<(), LogError> {
        let world = &self.world;
        world.thawed(self.node).await;
        world.travel().await;
        if world.works(self.link()) {
            return Ok(());
        }
        // Refused at once, or never answered.
        if world.state().dice.one_in(2) {
            tokio::time::sleep(ANSWER_TIMEOUT).await;
        }
        Err(LogError::Away("simulated".to_owned()))
    }

    /// The way back.
    async fn answered<T>(&self, result: T) -> Result<T, LogError> {
        let world = &self.world;
        world.travel().await;
        world.thawed(self.node).await;
        if world.works(self.link()) && !world.state().dice.one_in(1000) {
            Ok(result)
        } else {
            Err(LogError::Away("simulated: the answer was lost".to_owned()))
        }
    }

    async fn read<T>(&self, look: impl FnOnce(&FeedModel) -> T) -> Result<T, LogError> {
        self.arrive().await?;
        let result = look(&self.world.state().log);
        self.answered(result).await
    }

    async fn write<T>(&self, effect: impl FnOnce(&mut FeedModel) -> T) -> Result<T, LogError> {
        self.arrive().await?;
        let result = effect(&mut self.world.state().log);
        self.world.changed();
        self.answered(result).await
    }
}

impl FeedLog for SimLog {
    async fn pointer(&mut self) -> Result<Option<Epoch>, LogError> {
        self.read(|log| log.pointer).await
    }

    async fn newest(
        &mut self,
        epoch: Epoch,
        from: Option<ItemId>,
        count: usize,
    ) -> Result<Vec<LogItem>, LogError> {
        self.read(|log| log.newest(epoch, from, count)).await
    }

    async fn range(&mut self, epoch: Epoch, from: ItemId, count: usize) -> Result<Vec<LogItem>, LogError> {
        self.read(|log| log.range(epoch, from, count)).await
    }

    async fn chunk(&mut self, table: TableId, index: u32) -> Result<Option<Vec<u8>>, LogError> {
        self.read(|log| log.chunk(table, index)).await
    }

    async fn follow(
        &mut self,
        epoch: Epoch,
        after: ItemId,
        count: usize,
        wait: Duration,
    ) -> Result<Vec<LogItem>, LogError> {
        self.arrive().await?;
        let until = tokio::time::Instant::now() + wait;
        loop {
            let changed = self.world.changed.notified();
            let items = self.world.state().log.range(epoch, after.next_heartbeat(), count);
            if !items.is_empty() || tokio::time::timeout_at(until, changed).await.is_err() {
                return self.answered(items).await;
            }
        }
    }
}

impl FeedWriter for SimLog {
    async fn doubt_labels(&mut self, term: Term) -> Result<(), LogError> {
        self.write(|log| log.doubted = Some(term)).await
    }

    async fn are_labels_doubted(&mut self, term: Term) -> Result<bool, LogError> {
        self.read(|log| log.doubted == Some(term)).await
    }

    async fn put_chunk(
        &mut self,
        term: Term,
        table: TableId,
        index: u32,
        bytes: &[u8],
    ) -> Result<bool, LogError> {
        self.write(|log| log.put_chunk(term, table, index, bytes)).await
    }

    async fn term(&mut self) -> Result<Option<Term>, LogError> {
        self.read(|log| log.term).await
    }

    async fn claim(&mut self, term: Term) -> Result<bool, LogError> {
        self.write(|log| log.claim(term)).await
    }

    async fn append(&mut self, append: Append) -> Result<Appended, LogError> {
        self.write(|log| log.append(append)).await
    }
}
