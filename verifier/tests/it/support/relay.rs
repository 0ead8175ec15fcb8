use shared::feed::chain::Chain;
use shared::feed::entry;
use shared::feed::heartbeat::Statement;
use shared::feed::key::FeedSigningKey;
use shared::feed::log::{LogBody, LogItem};
use shared::feed::redis_log::RedisLog;
use shared::feed::term::{ItemId, Term};
use shared::feed::writer::{Append, Appended, FeedWriter, PointerRule};
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
        };
        assert!(relay.log.claim(relay.term).await.unwrap());
        relay.write(Vec::new()).await;
        relay
    }

    /// Publishes a fact, with a heartbeat of now behind it.
    pub(crate) async fn revoke(&mut self, fact: Fact) {
        let bytes = entry::encode(&Revocation { fact, expires: None });
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
            labels: None,
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
