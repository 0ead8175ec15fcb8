//! The feed's log on Redis.
//!
//! ```text
//! {usher}:feed:epoch            the pointer: the epoch in force, as its term's text
//! {usher}:feed:term             the term that was claimed last
//! {usher}:feed:doubt            the term whose holder may not know of every change of labels
//! {usher}:feed:stream:<epoch>   an epoch's stream; each item has one field, `e` (entry) or `h` (heartbeat)
//! {usher}:feed:table:<id>       a table of labels: a hash of its chunks by their indices
//! ```
//!
//! All keys share a hash tag, so that one script can write them on a Cluster.

mod reply;
#[cfg(test)]
mod tests;
#[cfg(feature = "signing")]
mod write;

use std::time::Duration;

use ::redis::{Cmd, FromRedisValue, Value, cmd};

use super::log::{FeedLog, LogError, LogItem};
use super::table::TableId;
use super::term::{Epoch, ItemId};
use crate::redis::{ConnectOptions, RedisClient, RedisConnection};

/// Where the epoch in force is named.
pub const POINTER_KEY: &str = "{usher}:feed:epoch";

/// Where the claimed term is.
pub const TERM_KEY: &str = "{usher}:feed:term";

/// Where a term is doubted to know of every change of labels.
#[cfg(feature = "signing")]
const DOUBT_KEY: &str = "{usher}:feed:doubt";

/// An answer must be there within this time, the connection included: a reader has to notice within 3 s that the other
/// side is gone.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// The same for a call that waits, beyond what it waits.
const ANSWER_WITHIN_BEYOND_WAIT: Duration = Duration::from_secs(2);

/// The longest that one call waits for the next item. The connection's own time-out lies beyond it.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// A connection's own time-out, behind the deadline of every call.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// The key of an epoch's stream.
pub fn stream_key(epoch: Epoch) -> String {
    format!("{{usher}}:feed:stream:{epoch}")
}

/// The key of a table.
pub fn table_key(table: TableId) -> String {
    format!("{{usher}}:feed:table:{table}")
}

/// The feed's log, over one connection that nobody else uses.
#[derive(Debug)]
pub struct RedisLog {
    client: RedisClient,
    /// None before the first call and behind a failed one.
    connection: Option<RedisConnection>,
}

impl RedisLog {
    /// A log that connects at the first call.
    pub const fn new(client: RedisClient) -> Self {
        Self {
            client,
            connection: None,
        }
    }

    /// Sends a command and gives its answer, over the connection there is or a new one.
    async fn ask(&mut self, command: &Cmd, within: Duration) -> Result<Value, LogError> {
        self.ask_once(command, within).await?.map_err(LogError::from)
    }

    /// The same, with the server's refusals apart: behind them the connection is as good as before.
    async fn ask_once(
        &mut self,
        command: &Cmd,
        within: Duration,
    ) -> Result<Result<Value, ::redis::RedisError>, LogError> {
        // Taken out, so that a call that is given up half way leaves no connection with an answer under way.
        let held = self.connection.take();
        let answering = async {
            let mut connection = match held {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            let answer: Result<Value, _> = command.query_async(&mut connection).await;
            Ok((connection, answer))
        };
        let (connection, answer) = tokio::time::timeout(within, answering)
            .await
            .unwrap_or_else(|_| {
                Err(LogError::Away(format!(
                    "Redis at {} does not answer within {within:?}",
                    self.client
                )))
            })?;
        let is_known = |error: &::redis::RedisError| {
            matches!(
                error.kind(),
                ::redis::ErrorKind::Server(::redis::ServerErrorKind::NoScript)
            )
        };
        if answer.as_ref().err().is_none_or(is_known) {
            self.connection = Some(connection);
        }
        Ok(answer)
    }

    async fn connect(&self) -> Result<RedisConnection, LogError> {
        let options = ConnectOptions {
            connect_timeout: ANSWER_WITHIN,
            response_timeout: Some(RESPONSE_TIMEOUT),
        };
        self.client
            .connect(options)
            .await
            .map_err(|error| LogError::Away(error.to_string()))
    }

    async fn items(&mut self, command: &Cmd) -> Result<Vec<LogItem>, LogError> {
        reply::items(self.ask(command, ANSWER_WITHIN).await?)
    }

    /// A key's value as a term.
    async fn named(&mut self, key: &str) -> Result<Option<Epoch>, LogError> {
        let value = self.ask(cmd("GET").arg(key), ANSWER_WITHIN).await?;
        let text: Option<String> = FromRedisValue::from_redis_value(value)
            .map_err(|_| LogError::Unreadable(format!("{key} is no text")))?;
        let term = text.map(|text| text.parse());
        term.transpose()
            .map_err(|_| LogError::Unreadable(format!("{key} names no term")))
    }
}

impl FeedLog for RedisLog {
    async fn pointer(&mut self) -> Result<Option<Epoch>, LogError> {
        self.named(POINTER_KEY).await
    }

    async fn newest(
        &mut self,
        epoch: Epoch,
        from: Option<ItemId>,
        count: usize,
    ) -> Result<Vec<LogItem>, LogError> {
        let mut command = cmd("XREVRANGE");
        command.arg(stream_key(epoch));
        match from {
            Some(from) => command.arg(from.to_string()),
            None => command.arg("+"),
        };
        command.arg("-").arg("COUNT").arg(count);
        self.items(&command).await
    }

    async fn range(&mut self, epoch: Epoch, from: ItemId, count: usize) -> Result<Vec<LogItem>, LogError> {
        let mut command = cmd("XRANGE");
        command.arg(stream_key(epoch)).arg(from.to_string());
        command.arg("+").arg("COUNT").arg(count);
        self.items(&command).await
    }

    async fn follow(
        &mut self,
        epoch: Epoch,
        after: ItemId,
        count: usize,
        wait: Duration,
    ) -> Result<Vec<LogItem>, LogError> {
        let wait = wait.min(WAIT_MAX);
        let mut command = cmd("XREAD");
        command.arg("COUNT").arg(count);
        // To Redis, no milliseconds are for ever.
        if let Some(wait_ms) = u64::try_from(wait.as_millis()).ok().filter(|ms| *ms > 0) {
            command.arg("BLOCK").arg(wait_ms);
        }
        command
            .arg("STREAMS")
            .arg(stream_key(epoch))
            .arg(after.to_string());
        let answer = self.ask(&command, wait + ANSWER_WITHIN_BEYOND_WAIT).await?;
        reply::of_one_stream(answer).map_or(Ok(Vec::new()), |answer| reply::items(answer?))
    }

    async fn chunk(&mut self, table: TableId, index: u32) -> Result<Option<Vec<u8>>, LogError> {
        let mut command = cmd("HGET");
        command.arg(table_key(table)).arg(index);
        match self.ask(&command, ANSWER_WITHIN).await? {
            Value::Nil => Ok(None),
            Value::BulkString(bytes) => Ok(Some(bytes)),
            _ => Err(reply::malformed()),
        }
    }
}

impl From<::redis::RedisError> for LogError {
    fn from(error: ::redis::RedisError) -> Self {
        // Redis's answers quote at most the command, which has nothing secret.
        if error.code() == Some("WRONGTYPE") || error.kind() == ::redis::ErrorKind::Parse {
            Self::Unreadable(error.to_string())
        } else {
            Self::Away(error.to_string())
        }
    }
}
