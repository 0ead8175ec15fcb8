//! One way to speak to both databases: statements, their arguments, rows, and the unit of work.

mod error;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shared::revocation::Fact;
use shared::time::{Clock, UnixMillis};
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Postgres, Row as _, Sqlite, Transaction};
use time::OffsetDateTime;
use uuid::Uuid;

pub use error::StoreError;

use super::audit::Event;

/// Who hears at once of revocations that were committed in this process.
pub trait CommitObserver: std::fmt::Debug + Send + Sync {
    /// These facts have been committed.
    fn committed(&self, facts: Vec<Fact>);

    /// Changes of labels or films have been committed.
    fn labels_committed(&self);
}

/// A statement's text for each database. `$1` works in both.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statement {
    pub(super) postgres: &'static str,
    pub(super) sqlite: &'static str,
}

impl Statement {
    /// One text that both take.
    pub(super) const fn both(text: &'static str) -> Self {
        Self {
            postgres: text,
            sqlite: text,
        }
    }

    /// A text that only PostgreSQL is asked.
    pub(super) const fn postgres(text: &'static str) -> Self {
        Self::each(text, "")
    }

    /// A text that only SQLite is asked.
    pub(super) const fn sqlite(text: &'static str) -> Self {
        Self::each("", text)
    }

    /// A text for each, where they differ.
    pub(super) const fn each(postgres: &'static str, sqlite: &'static str) -> Self {
        Self { postgres, sqlite }
    }
}

/// An argument of a statement.
#[derive(Clone, Debug)]
pub(super) enum Argument {
    Id(Option<Uuid>),
    Text(Option<String>),
    Bytes(Vec<u8>),
    Flag(bool),
    Number(Option<i64>),
    Time(Option<UnixMillis>),
}

macro_rules! arguments_from {
    ($($type:ty => |$value:ident| $argument:expr),+ $(,)?) => {$(
        impl From<$type> for Argument {
            fn from($value: $type) -> Self {
                $argument
            }
        }
    )+};
}

arguments_from! {
    Uuid => |id| Self::Id(Some(id)),
    Option<Uuid> => |id| Self::Id(id),
    shared::id::SubjectId => |id| Self::Id(Some(id.0)),
    Option<shared::id::SubjectId> => |id| Self::Id(id.map(|id| id.0)),
    shared::id::SessionId => |id| Self::Id(Some(id.0)),
    Option<shared::id::SessionId> => |id| Self::Id(id.map(|id| id.0)),
    shared::id::TokenId => |id| Self::Id(Some(id.0)),
    shared::id::RoleId => |id| Self::Id(Some(id.0)),
    shared::id::LoginId => |id| Self::Id(Some(id.0)),
    &str => |text| Self::Text(Some(text.to_owned())),
    Option<&str> => |text| Self::Text(text.map(str::to_owned)),
    &[u8] => |bytes| Self::Bytes(bytes.to_vec()),
    bool => |flag| Self::Flag(flag),
    i64 => |number| Self::Number(Some(number)),
    Option<i64> => |number| Self::Number(number),
    UnixMillis => |at| Self::Time(Some(at)),
    Option<UnixMillis> => |at| Self::Time(at),
}

/// The arguments of a statement, in the order of `$1`, `$2` …
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::sql::Argument::from($value)),*] };
}
pub(super) use args;

type PostgresQuery = sqlx::query::Query<'static, Postgres, <Postgres as sqlx::Database>::Arguments>;
type SqliteQuery = sqlx::query::Query<'static, Sqlite, <Sqlite as sqlx::Database>::Arguments>;

fn postgres_query(statement: &Statement, arguments: Vec<Argument>) -> PostgresQuery {
    arguments.into_iter().fold(
        sqlx::query(statement.postgres),
        |query, argument| match argument {
            Argument::Id(id) => query.bind(id),
            Argument::Text(text) => query.bind(text),
            Argument::Bytes(bytes) => query.bind(bytes),
            Argument::Flag(flag) => query.bind(flag),
            Argument::Number(number) => query.bind(number),
            Argument::Time(at) => query.bind(at.map(to_timestamp)),
        },
    )
}

fn sqlite_query(statement: &Statement, arguments: Vec<Argument>) -> SqliteQuery {
    arguments
        .into_iter()
        .fold(sqlx::query(statement.sqlite), |query, argument| match argument {
            Argument::Id(id) => query.bind(id),
            Argument::Text(text) => query.bind(text),
            Argument::Bytes(bytes) => query.bind(bytes),
            Argument::Flag(flag) => query.bind(flag),
            Argument::Number(number) => query.bind(number),
            Argument::Time(at) => query.bind(at.map(|at| at.0)),
        })
}

fn to_timestamp(at: UnixMillis) -> OffsetDateTime {
    let nanoseconds = i128::from(at.0) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn from_timestamp(at: OffsetDateTime) -> UnixMillis {
    UnixMillis(i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).unwrap_or(i64::MAX))
}

/// A row of either database. A column is asked for by name.
pub(super) enum Row {
    Postgres(PgRow),
    Sqlite(SqliteRow),
}

macro_rules! column {
    ($row:expr, $name:expr) => {
        match $row {
            Row::Postgres(row) => row.try_get($name),
            Row::Sqlite(row) => row.try_get($name),
        }
        .map_err(StoreError::from)
    };
}

impl Row {
    pub(super) fn id<T: From<Uuid>>(&self, name: &str) -> Result<T, StoreError> {
        let id: Uuid = column!(self, name)?;
        Ok(id.into())
    }

    pub(super) fn id_or_null<T: From<Uuid>>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let id: Option<Uuid> = column!(self, name)?;
        Ok(id.map(Into::into))
    }

    pub(super) fn text(&self, name: &str) -> Result<String, StoreError> {
        column!(self, name)
    }

    pub(super) fn text_or_null(&self, name: &str) -> Result<Option<String>, StoreError> {
        column!(self, name)
    }

    pub(super) fn bytes(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        column!(self, name)
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, StoreError> {
        column!(self, name)
    }

    pub(super) fn number(&self, name: &str) -> Result<i64, StoreError> {
        column!(self, name)
    }

    pub(super) fn number_or_null(&self, name: &str) -> Result<Option<i64>, StoreError> {
        column!(self, name)
    }

    pub(super) fn time(&self, name: &str) -> Result<UnixMillis, StoreError> {
        self.time_or_null(name)?
            .ok_or_else(|| defect(format!("{name} is null")))
    }

    pub(super) fn time_or_null(&self, name: &str) -> Result<Option<UnixMillis>, StoreError> {
        match self {
            Self::Postgres(row) => Ok(row
                .try_get::<Option<OffsetDateTime>, _>(name)?
                .map(from_timestamp)),
            Self::Sqlite(row) => Ok(row.try_get::<Option<i64>, _>(name)?.map(UnixMillis)),
        }
    }
}

/// The database holds something that no code of ours wrote.
pub(super) fn defect(message: String) -> StoreError {
    StoreError::Defect(sqlx::Error::Decode(message.into()))
}

/// What a unit of work speaks through.
pub(super) enum Link {
    Postgres(PoolConnection<Postgres>),
    PostgresTransaction(Transaction<'static, Postgres>),
    Sqlite(PoolConnection<Sqlite>),
    SqliteTransaction(Transaction<'static, Sqlite>),
}

/// A connection that stays with whoever asks again and again, so that no round trip is needed to learn that it is still
/// good. One that was not put back, because a call failed or was given up, goes to the pool, which looks at it.
#[derive(Debug, Default)]
pub struct KeptConnection(Mutex<Option<PoolConnection<Postgres>>>);

impl KeptConnection {
    pub(super) fn take(&self) -> Option<PoolConnection<Postgres>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, connection: PoolConnection<Postgres>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
    }
}

/// A unit of work: a transaction, or a connection to read through.
pub struct Work {
    link: Link,
    clock: Arc<dyn Clock>,
    now: Option<UnixMillis>,
    skew: Duration,
    /// Facts that were put into the outbox, and who is to hear of them.
    facts: Vec<Fact>,
    /// Whether labels or films were changed.
    changes_labels: bool,
    /// What is to be logged once it is committed.
    events: Vec<Event>,
    observer: Option<Arc<dyn CommitObserver>>,
    /// How the database means to run each statement, where a test asks for it.
    #[cfg(test)]
    pub(super) plans: Option<Vec<String>>,
}

impl Work {
    pub(super) fn new(link: Link, clock: Arc<dyn Clock>, observer: Option<Arc<dyn CommitObserver>>) -> Self {
        Self {
            link,
            clock,
            now: None,
            skew: Duration::ZERO,
            facts: Vec::new(),
            changes_labels: false,
            events: Vec::new(),
            observer,
            #[cfg(test)]
            plans: None,
        }
    }

    #[cfg(test)]
    async fn note_plan(&mut self, statement: &Statement, arguments: &[Argument]) -> Result<(), StoreError> {
        let Some(mut plans) = self.plans.take() else {
            return Ok(());
        };
        let explained = Statement::each(
            String::leak(format!("EXPLAIN {}", statement.postgres)),
            String::leak(format!("EXPLAIN QUERY PLAN {}", statement.sqlite)),
        );
        for row in Box::pin(self.fetch_all(&explained, arguments.to_vec())).await? {
            plans.push(match &row {
                Row::Postgres(_) => row.text("QUERY PLAN")?,
                Row::Sqlite(_) => row.text("detail")?,
            });
        }
        self.plans = Some(plans);
        Ok(())
    }

    /// Which of the two databases it is.
    pub(super) const fn is_postgres(&self) -> bool {
        matches!(self.link, Link::Postgres(_) | Link::PostgresTransaction(_))
    }

    /// The database's time, read once for a unit of work, when it is first asked for.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the database does not answer.
    pub async fn now(&mut self) -> Result<UnixMillis, StoreError> {
        const NOW: Statement = Statement::both("SELECT clock_timestamp() AS now");
        if let Some(now) = self.now {
            return Ok(now);
        }
        match self.link {
            Link::Postgres(_) | Link::PostgresTransaction(_) => {
                let row = self.fetch_one(&NOW, args![]).await?;
                Ok(self.note_now(row.time("now")?))
            }
            // SQLite runs in this process, so its time is ours.
            Link::Sqlite(_) | Link::SqliteTransaction(_) => Ok(self.note_now(self.clock.now())),
        }
    }

    /// Takes the time from a statement that told it as `now`, so that it need not be asked for. SQLite's do not.
    pub(super) fn learn_now(&mut self, row: &Row) -> Result<(), StoreError> {
        if self.is_postgres() && self.now.is_none() {
            self.note_now(row.time("now")?);
        }
        Ok(())
    }

    fn note_now(&mut self, now: UnixMillis) -> UnixMillis {
        let ours = self.clock.now();
        self.skew = ours.since(now).max(now.since(ours));
        self.now = Some(now);
        now
    }

    /// Notes a fact that was put into the outbox.
    pub(super) fn note_fact(&mut self, fact: &Fact) {
        if self.observer.is_some() {
            self.facts.push(fact.clone());
        }
    }

    /// Notes that labels or films were changed.
    pub(super) fn note_labels(&mut self) {
        self.changes_labels = true;
    }

    /// Notes an event, to be logged once it is committed.
    pub(super) fn note_event(&mut self, event: Event) {
        self.events.push(event);
    }

    /// How far this machine's clock was off the database's when [`Work::now`] was read; zero before that.
    pub fn clock_skew(&self) -> Duration {
        self.skew
    }

    /// Makes what was written last. Nothing to do for work that only read.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the database does not answer: whether it took it is unknown then.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self.link {
            Link::PostgresTransaction(transaction) => transaction.commit().await?,
            Link::SqliteTransaction(transaction) => transaction.commit().await?,
            Link::Postgres(_) | Link::Sqlite(_) => {}
        }
        for event in &self.events {
            event.log();
        }
        if let Some(observer) = self.observer {
            if !self.facts.is_empty() {
                observer.committed(self.facts);
            }
            if self.changes_labels {
                observer.labels_committed();
            }
        }
        Ok(())
    }

    /// [`Work::commit`] for work of one statement, which keeps the connection for the next.
    ///
    /// # Errors
    ///
    /// As [`Work::commit`].
    pub async fn commit_keeping(self, kept: &KeptConnection) -> Result<(), StoreError> {
        match self.link {
            Link::Postgres(connection) => {
                kept.put(connection);
                Ok(())
            }
            Link::PostgresTransaction(_) | Link::Sqlite(_) | Link::SqliteTransaction(_) => {
                self.commit().await
            }
        }
    }

    /// Runs a statement and gives the number of rows it changed.
    pub(super) async fn execute(
        &mut self,
        statement: &Statement,
        arguments: Vec<Argument>,
    ) -> Result<u64, StoreError> {
        #[cfg(test)]
        self.note_plan(statement, &arguments).await?;
        Ok(match &mut self.link {
            Link::Postgres(link) => postgres_query(statement, arguments)
                .execute(&mut **link)
                .await?
                .rows_affected(),
            Link::PostgresTransaction(link) => postgres_query(statement, arguments)
                .execute(&mut **link)
                .await?
                .rows_affected(),
            Link::Sqlite(link) => sqlite_query(statement, arguments)
                .execute(&mut **link)
                .await?
                .rows_affected(),
            Link::SqliteTransaction(link) => sqlite_query(statement, arguments)
                .execute(&mut **link)
                .await?
                .rows_affected(),
        })
    }

    /// Runs a statement and gives every row.
    pub(super) async fn fetch_all(
        &mut self,
        statement: &Statement,
        arguments: Vec<Argument>,
    ) -> Result<Vec<Row>, StoreError> {
        #[cfg(test)]
        self.note_plan(statement, &arguments).await?;
        let postgres = |rows: Vec<PgRow>| rows.into_iter().map(Row::Postgres).collect();
        let sqlite = |rows: Vec<SqliteRow>| rows.into_iter().map(Row::Sqlite).collect();
        Ok(match &mut self.link {
            Link::Postgres(link) => postgres(
                postgres_query(statement, arguments)
                    .fetch_all(&mut **link)
                    .await?,
            ),
            Link::PostgresTransaction(link) => postgres(
                postgres_query(statement, arguments)
                    .fetch_all(&mut **link)
                    .await?,
            ),
            Link::Sqlite(link) => sqlite(sqlite_query(statement, arguments).fetch_all(&mut **link).await?),
            Link::SqliteTransaction(link) => {
                sqlite(sqlite_query(statement, arguments).fetch_all(&mut **link).await?)
            }
        })
    }

    /// Runs a statement that gives at most one row.
    pub(super) async fn fetch_optional(
        &mut self,
        statement: &Statement,
        arguments: Vec<Argument>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.fetch_all(statement, arguments).await?.into_iter().next())
    }

    /// Runs a statement that always gives one row.
    pub(super) async fn fetch_one(
        &mut self,
        statement: &Statement,
        arguments: Vec<Argument>,
    ) -> Result<Row, StoreError> {
        self.fetch_optional(statement, arguments)
            .await?
            .ok_or_else(|| defect("a row is missing".to_owned()))
    }
}
