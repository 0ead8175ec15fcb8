//! The feed as it lies in Redis, for whoever may write there.

use std::collections::HashMap;

use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use shared::feed::term::{ItemId, Term};

use crate::world::World;

const POINTER: &str = "{usher}:feed:epoch";
const TERM: &str = "{usher}:feed:term";
const ENTRY: &str = "e";
const HEARTBEAT: &str = "h";

/// Items that are read at once.
const PAGE: usize = 10_000;

/// A connection of somebody who knows the keys and keeps to no rule.
pub(crate) struct StoredFeed(MultiplexedConnection);

/// An item of the stream, with whatever fields it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item(pub(crate) HashMap<String, Vec<u8>>);

impl Item {
    pub(crate) fn new(field: &str, value: &[u8]) -> Self {
        Self(HashMap::from([(field.to_owned(), value.to_vec())]))
    }

    pub(crate) fn of_entry(value: &[u8]) -> Self {
        Self::new(ENTRY, value)
    }

    pub(crate) fn of_heartbeat(value: &[u8]) -> Self {
        Self::new(HEARTBEAT, value)
    }

    pub(crate) fn entry(&self) -> Option<&[u8]> {
        self.0.get(ENTRY).map(Vec::as_slice)
    }

    pub(crate) fn heartbeat(&self) -> Option<&[u8]> {
        self.0.get(HEARTBEAT).map(Vec::as_slice)
    }
}

impl StoredFeed {
    pub(crate) async fn of(world: &World) -> Self {
        let url = world.redis().url();
        let client = redis::Client::open(url).unwrap();
        // How long everything may take is for those who wait to say: a page of a long stream may take longer than a command.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        Self(connecting.await.unwrap())
    }

    /// The epoch in force, as its text.
    pub(crate) async fn pointer(&mut self) -> Option<String> {
        redis::cmd("GET")
            .arg(POINTER)
            .query_async(&mut self.0)
            .await
            .unwrap()
    }

    /// Number of the term that was claimed last.
    pub(crate) async fn term(&mut self) -> u64 {
        let term: String = redis::cmd("GET")
            .arg(TERM)
            .query_async(&mut self.0)
            .await
            .unwrap();
        term.parse::<Term>().unwrap().number
    }

    pub(crate) async fn point_to(&mut self, epoch: &str) {
        self.run(redis::cmd("SET").arg(POINTER).arg(epoch)).await;
    }

    pub(crate) async fn delete_pointer(&mut self) {
        self.run(redis::cmd("DEL").arg(POINTER)).await;
    }

    /// Everything in the stream of an epoch, read by pages: a long one takes longer than an answer may.
    pub(crate) async fn items(&mut self, epoch: &str) -> Vec<(ItemId, Item)> {
        type Found = Vec<(String, HashMap<String, Vec<u8>>)>;
        let (mut items, mut from) = (Vec::new(), "-".to_owned());
        loop {
            let mut range = redis::cmd("XRANGE");
            range
                .arg(stream(epoch))
                .arg(&from)
                .arg("+")
                .arg("COUNT")
                .arg(PAGE);
            let found: Found = range.query_async(&mut self.0).await.unwrap();
            let Some((last, _)) = found.last() else {
                return items;
            };
            from = format!("({last}");
            let page = found.into_iter();
            items.extend(page.map(|(id, fields)| (id.parse().unwrap(), Item(fields))));
        }
    }

    /// Adds an item at the end of a stream; `false` if the stream has come further meanwhile.
    pub(crate) async fn add(&mut self, epoch: &str, id: ItemId, item: &Item) -> bool {
        let mut add = redis::cmd("XADD");
        add.arg(stream(epoch)).arg(id.to_string());
        for (field, value) in &item.0 {
            add.arg(field).arg(value);
        }
        add.query_async::<String>(&mut self.0).await.is_ok()
    }

    /// Takes an item out.
    pub(crate) async fn drop_item(&mut self, epoch: &str, id: ItemId) {
        self.run(redis::cmd("XDEL").arg(stream(epoch)).arg(id.to_string()))
            .await;
    }

    /// Takes out everything before a place.
    pub(crate) async fn trim_to(&mut self, epoch: &str, id: ItemId) {
        self.run(
            redis::cmd("XTRIM")
                .arg(stream(epoch))
                .arg("MINID")
                .arg(id.to_string()),
        )
        .await;
    }

    pub(crate) async fn delete_stream(&mut self, epoch: &str) {
        self.run(redis::cmd("DEL").arg(stream(epoch))).await;
    }

    /// Puts these items in place of a stream, in one step.
    pub(crate) async fn rewrite(&mut self, epoch: &str, items: &[(ItemId, Item)]) {
        let mut steps = redis::pipe();
        steps.atomic().cmd("DEL").arg(stream(epoch)).ignore();
        for (id, item) in items {
            let add = steps.cmd("XADD").arg(stream(epoch)).arg(id.to_string());
            for (field, value) in &item.0 {
                add.arg(field).arg(value);
            }
            steps.ignore();
        }
        steps.query_async::<()>(&mut self.0).await.unwrap();
    }

    /// Puts an entry in the place of another, in one step.
    pub(crate) async fn replace(&mut self, epoch: &str, id: ItemId, entry: &Item) {
        const REPLACE: &str = r"
            local items = redis.call('XRANGE', KEYS[1], '-', '+')
            redis.call('DEL', KEYS[1])
            for _, item in ipairs(items) do
                if item[1] == ARGV[1] then item[2][2] = ARGV[2] end
                redis.call('XADD', KEYS[1], item[1], unpack(item[2]))
            end
        ";
        let mut script = redis::cmd("EVAL");
        script.arg(REPLACE).arg(1).arg(stream(epoch));
        self.run(script.arg(id.to_string()).arg(entry.entry().unwrap()))
            .await;
    }

    async fn run(&mut self, command: &redis::Cmd) {
        command.query_async::<redis::Value>(&mut self.0).await.unwrap();
    }
}

fn stream(epoch: &str) -> String {
    format!("{{usher}}:feed:stream:{epoch}")
}
