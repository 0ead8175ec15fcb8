use shared::feed::chain::Chain;
use shared::feed::entry;
use shared::feed::heartbeat::{LabelsStatement, Statement, TableRef};
use shared::feed::key::FeedSigningKey;
use shared::feed::log::{LogBody, LogItem};
use shared::feed::redis_log::RedisLog;
use shared::feed::table::{TableDigest, TableId};
use shared::feed::term::{ItemId, Term};
use shared::feed::writer::{Append, Appended, FeedWriter, PointerRule};
use shared::label::LabelChange;
use shared::redis::{RedisClient, RedisSettings};
use shared::revocation::{Fact, Revocation};
use shared::time::{Clock, SystemClock};

/// Whoever writes the feed on a real Redis.
pub(crate) struct Relay {
    pub(crate) key: FeedSigningKey,
    log: RedisLog,
    term: Term,
    chain: Chain,
    last: Option<ItemId>,
    counter: u64,
    /// A table of no labels: all that there are come in entries.
    table: TableRef,
}

impl Relay {
    /// Begins an epoch with a heartbeat of now.
    pub(crate) async fn begin(url: &str) -> Self {
        let client = RedisClient::open(&RedisSettings::at(url)).unwrap();
        let mut relay = Self {
            key: FeedSigningKey::generate().unwrap(),
            log: RedisLog::new(client),
            term: Term::fresh(1),
            chain: Chain::START,
            last: None,
            counter: 0,
            table: TableRef {
                id: TableId::fresh(),
                seq: 0,
                chunks: 0,
                digest: TableDigest::default().finish(),
            },
        };
        assert!(relay.log.claim(relay.term).await.unwrap());
        relay.write(Vec::new()).await;
        relay
    }

    /// Publishes a fact, with a heartbeat of now behind it.
    pub(crate) async fn revoke(&mut self, fact: Fact) {
        self.publish(entry::encode(&Revocation { fact, expires: None }))
            .await;
    }

    /// Publishes changes of labels, with a heartbeat of now behind them.
    pub(crate) async fn label(&mut self, changes: &[LabelChange]) {
        self.publish(entry::encode_labels(changes)).await;
    }

    async fn publish(&mut self, bytes: Vec<u8>) {
        self.chain = self.chain.with(self.chain.seq + 1, &bytes);
        let id = ItemId::entry(self.chain.seq);
        let body = LogBody::Entry(bytes);
        self.write(vec![LogItem { id, body }]).await;
    }

    /// Says that nothing has happened until now.
    pub(crate) async fn heartbeat(&mut self) {
        self.write(Vec::new()).await;
    }

    async fn write(&mut self, mut items: Vec<LogItem>) {
        self.counter += 1;
        let statement = Statement {
            epoch: self.term,
            term: self.term,
            counter: self.counter,
            last: self.chain,
            floor: Chain::START,
            time: SystemClock.now(),
            labels: Some(LabelsStatement {
                time: SystemClock.now(),
                change: self.chain.seq,
                table: self.table,
            }),
        };
        let before = items.last().map(|item| item.id).or(self.last);
        items.push(LogItem {
            id: before.unwrap_or_default().next_heartbeat(),
            body: LogBody::Heartbeat(statement.sign(&self.key)),
        });
        let last = items.last().map(|item| item.id);
        let append = Append {
            term: self.term,
            epoch: self.term,
            pointer: match self.last {
                None => PointerRule::BringIntoForce { instead_of: None },
                Some(_) => PointerRule::InForce,
            },
            expected_last: self.last,
            items,
            keep_from: None,
            table: None,
            replaced_table: None,
        };
        assert_eq!(self.log.append(append).await.unwrap(), Appended::Written);
        self.last = last;
    }
}
