//! The database: all SQL is here, one text per statement for PostgreSQL and SQLite wherever both take it.
//!
//! Every function that writes takes the [`Work`] it belongs to, so that a use case decides what commits together.

pub mod audit;
pub mod client;
mod connections;
pub mod feed;
pub mod film;
pub mod key;
pub mod label;
mod listener;
pub mod login_history;
pub mod outbox;
pub mod refresh;
pub mod role;
mod schema;
pub mod session;
mod sql;
pub mod truth;
pub mod user;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use shared::time::Clock;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, PgPool, SqlitePool};

pub use connections::Connections;
pub use listener::OutboxListener;
pub use sql::{CommitObserver, KeptConnection, StoreError, Work};
use sql::{Link, Row, Statement, args};

static POSTGRES_MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/postgres");
static SQLITE_MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/sqlite");

/// A request waits this long for a connection before it is told that the database is away.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that was used so recently is taken for good. Where it is not, the request on it is told that the database is
/// away, as those before it were.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// No statement of ours takes longer unless something is wrong.
const STATEMENT_TIMEOUT_MS: u32 = 10_000;

/// Nothing of ours is thought about for longer between two statements. An issuer that stands still, or cannot be reached any
/// more, loses its locks then; among them may be that of the feed's lease, for which another waits to take over.
const IDLE_IN_TRANSACTION_TIMEOUT_MS: u32 = 2_500;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is neither `postgres://…` nor `sqlite:…`. It is not shown: a password may be in it.
    #[error("database.url is neither `postgres://…` nor `sqlite:…`")]
    Address(#[source] Option<sqlx::Error>),
    /// The folder of the SQLite file could not be made.
    #[error("cannot make the folder {0}")]
    Folder(PathBuf, #[source] std::io::Error),
    /// The database does not answer.
    #[error("the database does not answer")]
    Connect(#[source] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the schema could not be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The schema is older than this program, which was told to leave it alone.
    #[error("the schema is not up to date, and database.migrate is false: run `issuer migrate`")]
    Outdated(#[source] Option<sqlx::migrate::MigrateError>),
    /// The schema is newer than this program.
    #[error("the schema is newer than this program, which does not know its migration {0}")]
    Newer(i64),
}

#[derive(Clone, Debug)]
enum Pools {
    Postgres(PgPool),
    /// SQLite has one writer at a time; waiting for it in a queue of ours is fairer than its busy loop.
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
    },
}

/// The database, with its pool of connections.
#[derive(Clone, Debug)]
pub struct Store {
    pools: Pools,
    clock: Arc<dyn Clock>,
    observer: Option<Arc<dyn CommitObserver>>,
}

impl Store {
    /// Opens the database at `url`: `postgres://…` or `sqlite:PATH`. A SQLite file that is not there is made.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the address is not understood or the database does not answer.
    pub async fn open(
        url: &SecretString,
        max_connections: u32,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let url = url.expose_secret();
        let pools = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            open_postgres(url, max_connections).await?
        } else if url.starts_with("sqlite:") {
            open_sqlite(url, max_connections).await?
        } else {
            return Err(OpenError::Address(None));
        };
        Ok(Self {
            pools,
            clock,
            observer: None,
        })
    }

    /// The same database; `observer` hears of every revocation that is committed through it.
    pub fn observed_by(self, observer: Arc<dyn CommitObserver>) -> Self {
        Self {
            observer: Some(observer),
            ..self
        }
    }

    /// Brings the schema up to date. Safe to run from several replicas at once: PostgreSQL locks, SQLite has one
    /// process.
    ///
    /// # Errors
    ///
    /// [`OpenError::Migrate`] if a migration fails or the schema is newer than this program.
    pub async fn migrate(&self) -> Result<(), OpenError> {
        match &self.pools {
            Pools::Postgres(pool) => {
                // A migration, or waiting for another replica's, may take longer than any statement of a request.
                let unhurried = PgConnectOptions::clone(&pool.connect_options()).options([
                    ("statement_timeout", "0"),
                    ("idle_in_transaction_session_timeout", "0"),
                ]);
                let pool = PgPoolOptions::new()
                    .max_connections(1)
                    .connect_with(unhurried)
                    .await
                    .map_err(OpenError::Connect)?;
                let outcome = POSTGRES_MIGRATIONS.run(&pool).await;
                pool.close().await;
                outcome?;
            }
            Pools::Sqlite { writer, .. } => SQLITE_MIGRATIONS.run(writer).await?,
        }
        Ok(())
    }

    /// Work that only reads, on the primary.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if no connection is to be had.
    pub async fn read(&self) -> Result<Work, StoreError> {
        let link = match &self.pools {
            Pools::Postgres(pool) => Link::Postgres(pool.acquire().await?),
            Pools::Sqlite { readers, .. } => Link::Sqlite(readers.acquire().await?),
        };
        Ok(self.work(link))
    }

    /// Work that writes, in a transaction. What is not committed is undone.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if no connection is to be had.
    pub async fn write(&self) -> Result<Work, StoreError> {
        let link = match &self.pools {
            Pools::Postgres(pool) => Link::PostgresTransaction(pool.begin().await?),
            // Taken at the start, the write lock can not be lost to another writer half-way.
            Pools::Sqlite { writer, .. } => {
                Link::SqliteTransaction(writer.begin_with("BEGIN IMMEDIATE").await?)
            }
        };
        Ok(self.work(link))
    }

    /// Work that only reads, or writes in one statement, through a connection that is kept from one to the next: PostgreSQL
    /// commits that by itself, without a round trip for it. SQLite has its transaction as in [`Store::write`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if no connection is to be had.
    pub async fn write_at_once(&self, kept: &KeptConnection) -> Result<Work, StoreError> {
        match (&self.pools, kept.take()) {
            (Pools::Postgres(_), Some(connection)) => Ok(self.work(Link::Postgres(connection))),
            (Pools::Postgres(_), None) => self.read().await,
            (Pools::Sqlite { .. }, _) => self.write().await,
        }
    }

    fn work(&self, link: Link) -> Work {
        Work::new(link, Arc::clone(&self.clock), self.observer.clone())
    }

    /// Whether the database answers.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        const PING: Statement = Statement::both("SELECT 1");
        self.read()
            .await?
            .fetch_optional(&PING, args![])
            .await
            .map(|_| ())
    }

    /// Hears of new rows in the outbox, on a connection of its own. `None` on SQLite, where every writer is in this
    /// process.
    pub fn outbox_listener(&self) -> Option<OutboxListener> {
        match &self.pools {
            Pools::Postgres(pool) => Some(OutboxListener::new(PgConnectOptions::clone(
                &pool.connect_options(),
            ))),
            Pools::Sqlite { .. } => None,
        }
    }

    /// Whether a commit that was answered survives a fail-over: whether it waits for a synchronous standby. SQLite has no
    /// other server to fail over to.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the database does not answer.
    pub async fn commits_survive_failover(&self) -> Result<bool, StoreError> {
        const REPLICATION: Statement = Statement::each(
            "SELECT current_setting('synchronous_standby_names') <> '' \
             AND current_setting('synchronous_commit') NOT IN ('off', 'local') AS survive",
            "SELECT 1 AS survive",
        );
        self.read()
            .await?
            .fetch_one(&REPLICATION, args![])
            .await?
            .flag("survive")
    }

    /// Closes every connection, for a clean end.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Postgres(pool) => pool.close().await,
            Pools::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
        }
    }

    /// Its connections, for metrics.
    pub fn connections(&self) -> Connections {
        match &self.pools {
            Pools::Postgres(pool) => Connections::of(pool),
            Pools::Sqlite { writer, readers } => Connections::of(writer).plus(Connections::of(readers)),
        }
    }
}

async fn open_postgres(url: &str, max_connections: u32) -> Result<Pools, OpenError> {
    let options: PgConnectOptions = url.parse().map_err(|error| OpenError::Address(Some(error)))?;
    let pool = PgPoolOptions::new()
        // One more, which the relay keeps to itself while it holds the lease.
        .max_connections(max_connections.saturating_add(1))
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A round trip for every request is too much to learn what is as good as known.
        .test_before_acquire(false)
        .before_acquire(|connection, seen| {
            Box::pin(async move {
                if seen.idle_for > TRUSTED_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(|connection, _| {
            Box::pin(async move {
                let timeouts = format!(
                    // The locks assume that a statement sees what was committed before it began, whatever the server's
                    // default is.
                    "SET default_transaction_isolation = 'read committed'; \
                     SET statement_timeout = {STATEMENT_TIMEOUT_MS}; \
                     SET idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_TIMEOUT_MS}"
                );
                sqlx::raw_sql(sqlx::AssertSqlSafe(timeouts))
                    .execute(connection)
                    .await
                    .map(|_| ())
            })
        })
        .connect_with(options.application_name("usher-issuer"))
        .await
        .map_err(OpenError::Connect)?;
    Ok(Pools::Postgres(pool))
}

async fn open_sqlite(url: &str, max_connections: u32) -> Result<Pools, OpenError> {
    let options: SqliteConnectOptions = url.parse().map_err(|error| OpenError::Address(Some(error)))?;
    if let Some(folder) = options
        .get_filename()
        .parent()
        .filter(|folder| *folder != Path::new(""))
    {
        std::fs::create_dir_all(folder).map_err(|error| OpenError::Folder(folder.to_owned(), error))?;
    }
    let options = options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // In WAL mode `NORMAL` can lose the last commits with the power; we answered for them.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(ACQUIRE_TIMEOUT);
    let pool = |connections| {
        SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
    };
    let writer = pool(1)
        .connect_with(options.clone())
        .await
        .map_err(OpenError::Connect)?;
    let readers = pool(max_connections)
        .connect_with(options)
        .await
        .map_err(OpenError::Connect)?;
    Ok(Pools::Sqlite { writer, readers })
}

/// A page of a list, newest first: its items, and the id to go on from if there may be more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, at most as many as asked for.
    pub items: Vec<T>,
    /// The last item's id, if another item follows it.
    pub next: Option<uuid::Uuid>,
}

/// Which page of a list.
#[derive(Clone, Copy, Debug)]
pub struct PageRequest {
    /// At most so many items.
    pub limit: u32,
    /// Only items older than this one.
    pub before: Option<uuid::Uuid>,
}

impl PageRequest {
    /// Where to begin: `before`, or past every id.
    fn before_or_end(self) -> uuid::Uuid {
        self.before.unwrap_or(uuid::Uuid::max())
    }

    /// One more than asked for, to learn whether there is a next page.
    fn limit_and_one(self) -> i64 {
        i64::from(self.limit) + 1
    }

    fn page<T>(
        self,
        rows: &[Row],
        read: impl Fn(&Row) -> Result<T, StoreError>,
        id: impl Fn(&T) -> uuid::Uuid,
    ) -> Result<Page<T>, StoreError> {
        let mut items = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(id) } else { None };
        Ok(Page { items, next })
    }
}

#[cfg(test)]
mod tests;
