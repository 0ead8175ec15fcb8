//! An epoch of the revocation feed, written as the issuer's relay writes it.

use anyhow::{bail, ensure};
use shared::feed::chain::Chain;
use shared::feed::entry;
use shared::feed::heartbeat::Statement;
use shared::feed::key::{FeedKeys, FeedSigningKey};
use shared::feed::log::{LogBody, LogItem};
use shared::feed::redis_log::{RedisLog, stream_key};
use shared::feed::term::{ItemId, Term};
use shared::feed::writer::{Append, Appended, FeedWriter as _, PointerRule};
use shared::limits;
use shared::redis::{RedisClient, RedisSettings};
use shared::revocation::Revocation;
use shared::time::{Clock as _, SystemClock};

/// The writer, and how far it has come.
pub struct Epoch {
    log: RedisLog,
    key: FeedSigningKey,
    term: Term,
    chain: Chain,
    last: Option<ItemId>,
    counter: u64,
}

impl Epoch {
    /// Claims a term on an empty Redis, and writes these revocations and a heartbeat, which bring the epoch into force.
    pub async fn write(url: &str, revocations: impl Iterator<Item = Revocation>) -> anyhow::Result<Self> {
        let mut log = RedisLog::new(RedisClient::open(&RedisSettings::at(url))?);
        let term = Term::fresh(1);
        ensure!(log.claim(term).await?, "somebody else writes there");
        let mut epoch = Self {
            log,
            key: FeedSigningKey::generate()?,
            term,
            chain: Chain::START,
            last: None,
            counter: 0,
        };
        let batch = usize::try_from(limits::FEED_BATCH)?;
        let mut items = Vec::with_capacity(batch);
        for revocation in revocations {
            let (seq, bytes) = (epoch.chain.seq + 1, entry::encode(&revocation));
            epoch.chain = epoch.chain.with(seq, &bytes);
            items.push(LogItem {
                id: ItemId::entry(seq),
                body: LogBody::Entry(bytes),
            });
            if items.len() == batch {
                epoch
                    .append(std::mem::take(&mut items), PointerRule::Unseen)
                    .await?;
            }
        }
        if !items.is_empty() {
            epoch.append(items, PointerRule::Unseen).await?;
        }
        let rule = PointerRule::BringIntoForce { instead_of: None };
        epoch.say_that_this_is_all(rule).await?;
        Ok(epoch)
    }

    /// Writes a heartbeat of now.
    pub async fn heartbeat(&mut self) -> anyhow::Result<()> {
        self.say_that_this_is_all(PointerRule::InForce).await
    }

    /// What the heartbeats are signed with.
    pub fn keys(&self) -> FeedKeys {
        self.key.public()
    }

    /// Where the stream is.
    pub fn stream_key(&self) -> String {
        stream_key(self.term)
    }

    async fn say_that_this_is_all(&mut self, pointer: PointerRule) -> anyhow::Result<()> {
        self.counter += 1;
        let statement = Statement {
            epoch: self.term,
            term: self.term,
            counter: self.counter,
            last: self.chain,
            floor: Chain::START,
            time: SystemClock.now(),
            labels: None,
        };
        let behind = self.last.unwrap_or_default();
        let item = LogItem {
            id: behind.next_heartbeat(),
            body: LogBody::Heartbeat(statement.sign(&self.key)),
        };
        self.append(vec![item], pointer).await
    }

    async fn append(&mut self, items: Vec<LogItem>, pointer: PointerRule) -> anyhow::Result<()> {
        let last = items.last().map(|item| item.id);
        let append = Append {
            term: self.term,
            epoch: self.term,
            pointer,
            expected_last: self.last,
            items,
            keep_from: None,
            table: None,
            replaced_table: None,
        };
        match self.log.append(append).await? {
            Appended::Written => self.last = last,
            otherwise => bail!("not written: {otherwise:?}"),
        }
        Ok(())
    }
}
