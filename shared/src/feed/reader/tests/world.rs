//! A feed to read: a log that can be cut off, a relay's writing hand, and the reader's ear.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::feed::chain::Chain;
use crate::feed::entry;
use crate::feed::heartbeat::{LabelsStatement, Statement};
use crate::feed::key::{FeedKeys, FeedSigningKey};
use crate::feed::log::{FeedLog, LogBody, LogError, LogItem};
use crate::feed::reader::{FeedKeysView, ReaderStart, StreamFeed};
use crate::feed::table::TableId;
use crate::feed::term::{Epoch, ItemId, Term};
use crate::feed::{FeedEvent, Gap, Heartbeat, RevocationFeed};
use crate::id::SessionId;
use crate::revocation::{Fact, Revocation};
use crate::testkit::{ManualClock, ModelLog};
use crate::time::UnixMillis;

pub(super) const START: UnixMillis = UnixMillis(1_795_376_000_000);

type Meanwhile = Box<dyn FnOnce() + Send>;

/// A model that can be cut off, and remembers from where it was read.
#[derive(Clone)]
pub(super) struct Log {
    pub(super) model: ModelLog,
    pub(super) is_cut: watch::Sender<bool>,
    pub(super) ranges: Arc<Mutex<Vec<ItemId>>>,
    /// Done once, before the next call is answered.
    pub(super) meanwhile: Arc<Mutex<Option<Meanwhile>>>,
}

impl Log {
    async fn unless_cut<T>(&self, call: impl Future<Output = Result<T, LogError>>) -> Result<T, LogError> {
        let mut is_cut = self.is_cut.subscribe();
        tokio::select! {
            biased;
            _ = is_cut.wait_for(|is_cut| *is_cut) => Err(LogError::Away("cut off".into())),
            answer = call => answer,
        }
    }
}

impl FeedLog for Log {
    async fn pointer(&mut self) -> Result<Option<Epoch>, LogError> {
        self.unless_cut(self.model.clone().pointer()).await
    }

    async fn newest(
        &mut self,
        epoch: Epoch,
        from: Option<ItemId>,
        count: usize,
    ) -> Result<Vec<LogItem>, LogError> {
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        self.unless_cut(self.model.clone().newest(epoch, from, count))
            .await
    }

    async fn range(&mut self, epoch: Epoch, from: ItemId, count: usize) -> Result<Vec<LogItem>, LogError> {
        self.ranges.lock().unwrap().push(from);
        self.unless_cut(self.model.clone().range(epoch, from, count))
            .await
    }

    async fn follow(
        &mut self,
        epoch: Epoch,
        after: ItemId,
        count: usize,
        wait: Duration,
    ) -> Result<Vec<LogItem>, LogError> {
        self.unless_cut(self.model.clone().follow(epoch, after, count, wait))
            .await
    }

    async fn chunk(&mut self, table: TableId, index: u32) -> Result<Option<Vec<u8>>, LogError> {
        self.unless_cut(self.model.clone().chunk(table, index)).await
    }
}

/// What a relay writes, in one epoch.
#[derive(Clone)]
pub(super) struct Writer {
    pub(super) model: ModelLog,
    pub(super) key: Arc<FeedSigningKey>,
    pub(super) epoch: Epoch,
    pub(super) term: Term,
    pub(super) counter: u64,
    pub(super) chain: Chain,
    pub(super) floor: Chain,
    pub(super) last: ItemId,
    pub(super) time: UnixMillis,
    pub(super) labels: Option<LabelsStatement>,
}

impl Writer {
    /// Writes an epoch of this many entries and a heartbeat, and brings it into force.
    pub(super) fn begin(model: &ModelLog, key: &Arc<FeedSigningKey>, number: u64, entries: u128) -> Self {
        let term = Term::fresh(number);
        let mut writer = Self {
            model: model.clone(),
            key: Arc::clone(key),
            epoch: term,
            term,
            counter: 0,
            chain: Chain::START,
            floor: Chain::START,
            last: ItemId::default(),
            time: START,
            labels: None,
        };
        for number in 1..=entries {
            writer.entry(number);
        }
        writer.heartbeat();
        model.with(|model| model.pointer = Some(term));
        writer
    }

    pub(super) fn put(&mut self, id: ItemId, body: LogBody) {
        self.model
            .with(|model| model.stream_mut(self.epoch).insert(id, body));
    }

    /// Writes this as the next entry.
    pub(super) fn put_entry(&mut self, bytes: Vec<u8>) {
        let seq = self.chain.seq + 1;
        self.chain = self.chain.with(seq, &bytes);
        self.last = ItemId::entry(seq);
        self.put(self.last, LogBody::Entry(bytes));
    }

    /// The next entry, without writing it.
    pub(super) fn skip(&mut self, number: u128) -> Vec<u8> {
        let bytes = entry::encode(&revocation(number));
        let seq = self.chain.seq + 1;
        self.chain = self.chain.with(seq, &bytes);
        self.last = ItemId::entry(seq);
        bytes
    }

    pub(super) fn entry(&mut self, number: u128) {
        let bytes = self.skip(number);
        self.put(self.last, LogBody::Entry(bytes));
    }

    /// The next heartbeat's statement.
    pub(super) fn statement(&mut self) -> Statement {
        self.counter += 1;
        self.time = self.time.plus(Duration::from_secs(1));
        Statement {
            epoch: self.epoch,
            term: self.term,
            counter: self.counter,
            last: self.chain,
            floor: self.floor,
            time: self.time,
            labels: self.labels,
        }
    }

    /// Writes this at the next heartbeat's place.
    pub(super) fn put_heartbeat(&mut self, signed: Vec<u8>) {
        self.last = self.last.next_heartbeat();
        self.put(self.last, LogBody::Heartbeat(signed));
    }

    pub(super) fn heartbeat(&mut self) {
        let signed = self.statement().sign(&self.key);
        self.put_heartbeat(signed);
    }
}

pub(super) fn revocation(number: u128) -> Revocation {
    Revocation {
        fact: Fact::Session {
            session: SessionId(Uuid::from_u128(number)),
        },
        expires: Some(START.plus(Duration::from_hours(1))),
    }
}

/// A feed that is written and read.
pub(super) struct World {
    pub(super) log: Log,
    pub(super) clock: Arc<ManualClock>,
    pub(super) keys: watch::Sender<FeedKeys>,
    pub(super) wanted: Arc<Notify>,
    pub(super) writer: Writer,
    pub(super) feed: Option<StreamFeed>,
}

impl World {
    /// An epoch of this many entries and a heartbeat that nobody reads yet, under term 7.
    pub(super) fn unread(entries: u128) -> Self {
        let log = Log {
            model: ModelLog::default(),
            is_cut: watch::Sender::new(false),
            ranges: Arc::default(),
            meanwhile: Arc::default(),
        };
        let key = Arc::new(FeedSigningKey::generate().unwrap());
        Self {
            writer: Writer::begin(&log.model, &key, 7, entries),
            clock: Arc::new(ManualClock::at(START)),
            keys: watch::Sender::new(key.public()),
            wanted: Arc::default(),
            feed: None,
            log,
        }
    }

    /// The same, read until the heartbeat.
    pub(super) async fn followed(entries: u128) -> Self {
        let mut world = Self::unread(entries);
        world.read(None);
        if entries > 0 {
            world.entries(&(1..=entries).collect::<Vec<_>>()).await;
        }
        world.heard().await;
        world
    }

    pub(super) fn read(&mut self, newest_seen: Option<(u64, u64)>) {
        let start = ReaderStart {
            keys: FeedKeysView {
                keys: self.keys.subscribe(),
                wanted: Arc::clone(&self.wanted),
            },
            clock: self.clock.clone(),
            newest_seen,
            labels_at: None,
            jitter_seed: 4,
        };
        self.feed = Some(StreamFeed::start(self.log.clone(), start));
    }

    pub(super) async fn next(&mut self) -> FeedEvent {
        let next = self.feed.as_mut().unwrap().next();
        tokio::time::timeout(Duration::from_mins(1), next)
            .await
            .expect("an event in time")
            .unwrap()
    }

    /// The next event is these entries.
    pub(super) async fn entries(&mut self, numbers: &[u128]) {
        let FeedEvent::Entries { revocations, .. } = self.next().await else {
            panic!("no entries");
        };
        let expected: Vec<_> = numbers.iter().copied().map(revocation).collect();
        assert_eq!(revocations, expected);
    }

    /// The next event is the writer's last heartbeat.
    pub(super) async fn heard(&mut self) -> Heartbeat {
        let event = self.next().await;
        let FeedEvent::Heartbeat(heartbeat) = event else {
            panic!("no heartbeat but {event:?}");
        };
        assert_eq!(
            (heartbeat.term, heartbeat.counter, heartbeat.time),
            (self.writer.term.number, self.writer.counter, self.writer.time)
        );
        heartbeat
    }

    /// The next event is this gap, and no heartbeat comes behind it, however long one waits.
    pub(super) async fn lost(&mut self, gap: Gap) {
        assert_eq!(self.next().await, FeedEvent::Lost(gap));
        self.no_heartbeat().await;
    }

    /// No heartbeat comes.
    pub(super) async fn no_heartbeat(&mut self) {
        let until = tokio::time::Instant::now() + Duration::from_secs(5);
        let feed = self.feed.as_mut().unwrap();
        while let Ok(event) = tokio::time::timeout_at(until, feed.next()).await {
            assert!(!matches!(event, Ok(FeedEvent::Heartbeat(_))), "{event:?}");
        }
    }

    /// Nothing comes.
    pub(super) async fn quiet(&mut self) {
        let feed = self.feed.as_mut().unwrap();
        let event = tokio::time::timeout(Duration::from_secs(5), feed.next()).await;
        assert!(event.is_err(), "{event:?}");
    }

    /// The next heartbeat, whatever is said before it.
    pub(super) async fn heard_again(&mut self) -> Heartbeat {
        loop {
            if let FeedEvent::Heartbeat(heartbeat) = self.next().await {
                assert_eq!(
                    (heartbeat.term, heartbeat.counter),
                    (self.writer.term.number, self.writer.counter)
                );
                return heartbeat;
            }
        }
    }

    /// A healthy epoch of the next term, as the relay begins it, makes everything good again.
    pub(super) async fn heals(&mut self) {
        let number = self.writer.term.number + 1;
        self.writer = Writer::begin(&self.log.model, &self.writer.key, number, 1);
        self.heard_again().await;
    }

    /// Changes the stream in force behind everybody's back.
    pub(super) fn tamper(&self, change: impl FnOnce(&mut std::collections::BTreeMap<ItemId, LogBody>)) {
        self.log.model.with(|model| change(model.in_force()));
    }
}
