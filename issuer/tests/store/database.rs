//! A database of a test's own, on each of the two, and what only a test may do with it.

use std::future::Future;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool, Row as _, SqlitePool};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// Names the server that the PostgreSQL half runs on.
const SERVER: &str = "USHER_TEST_POSTGRES_URL";

/// Nothing that is awaited takes longer unless it never comes.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A database of its own.
#[derive(Debug)]
pub struct Database {
    pub kind: Kind,
    pub url: String,
    pub folder: tempfile::TempDir,
    raw: Raw,
}

#[derive(Debug)]
enum Raw {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Database {
    /// Makes an empty one. `None`, loudly, if there is no server to make it on and nobody insists.
    pub async fn fresh(kind: Kind) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        if kind == Kind::Sqlite {
            let url = format!("sqlite:{}", folder.path().join("test.db").display());
            let raw = Raw::Sqlite(SqlitePool::connect_lazy(&url).unwrap());
            return Some(Self {
                kind,
                url,
                folder,
                raw,
            });
        }
        let Ok(server) = std::env::var(SERVER) else {
            assert!(
                std::env::var_os("CI").is_none(),
                "in CI both databases are tested: {SERVER} is missing"
            );
            eprintln!("SKIPPED: no PostgreSQL to test on; set {SERVER}");
            return None;
        };
        let name = format!(
            "usher_test_{}",
            shared::encoding::base64url(&shared::crypto::random::bytes::<12>())
        );
        let mut admin = PgConnection::connect(&server).await.unwrap();
        let create = format!("CREATE DATABASE \"{name}\"");
        sqlx::raw_sql(AssertSqlSafe(create))
            .execute(&mut admin)
            .await
            .unwrap();
        admin.close().await.unwrap();
        let mut url = url::Url::parse(&server).unwrap();
        url.set_path(&name);
        let raw = Raw::Postgres(PgPool::connect_lazy(url.as_str()).unwrap());
        Some(Self {
            kind,
            url: url.into(),
            folder,
            raw,
        })
    }

    /// Drops it again, when the test has passed.
    pub async fn remove(self) {
        let Raw::Postgres(pool) = self.raw else {
            return;
        };
        pool.close().await;
        let mut admin = PgConnection::connect(&std::env::var(SERVER).unwrap())
            .await
            .unwrap();
        let name = url::Url::parse(&self.url).unwrap().path()[1..].to_owned();
        let drop = format!("DROP DATABASE \"{name}\" WITH (FORCE)");
        sqlx::raw_sql(AssertSqlSafe(drop))
            .execute(&mut admin)
            .await
            .unwrap();
    }

    /// Runs SQL that both take.
    pub async fn run(&self, sql: &str) {
        self.try_run(sql).await.unwrap();
    }

    /// Runs SQL that may be refused.
    pub async fn try_run(&self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.raw {
            Raw::Sqlite(pool) => sqlx::raw_sql(sql).execute(pool).await.map(|_| ()),
            Raw::Postgres(pool) => sqlx::raw_sql(sql).execute(pool).await.map(|_| ()),
        }
    }

    /// Runs the SQL of this database's kind.
    pub async fn run_each(&self, postgres: &str, sqlite: &str) {
        self.run(match self.kind {
            Kind::Sqlite => sqlite,
            Kind::Postgres => postgres,
        })
        .await;
    }

    /// One number.
    pub async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.raw {
            Raw::Sqlite(pool) => sqlx::query(sql).fetch_one(pool).await.unwrap().get(0),
            Raw::Postgres(pool) => sqlx::query(sql).fetch_one(pool).await.unwrap().get(0),
        }
    }

    /// The first column of every row as text.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.raw {
            Raw::Sqlite(pool) => {
                let rows = sqlx::query(sql).fetch_all(pool).await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
            Raw::Postgres(pool) => {
                let rows = sqlx::query(sql).fetch_all(pool).await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
        }
    }

    /// Everything that a use case may change, in a form to compare.
    pub async fn dump(&self) -> Vec<String> {
        const TABLES: [(&str, &str); 11] = [
            ("users", "id, login, password_hash, active, superuser, ver"),
            ("roles", "id, name, description"),
            ("user_roles", "user_id, role_id"),
            ("role_version", "rver"),
            ("sessions", "id, user_id, ended_at, leaf"),
            ("refresh_tokens", "digest, session_id, counter, used_at"),
            ("login_history", "id, user_id, session_id, outcome"),
            ("outbox", "id, kind, ref, name, version"),
            ("audit_events", "id, actor, action, subject, detail"),
            ("clients", "id, name, secret_digest, ver, rotated_at"),
            ("client_roles", "client_id, role_id"),
        ];
        let mut all = Vec::new();
        for (table, columns) in TABLES {
            let text = match self.kind {
                Kind::Postgres => format!("CONCAT_WS('|', {columns})"),
                Kind::Sqlite => columns
                    .split(", ")
                    .map(|column| format!("quote({column})"))
                    .collect::<Vec<_>>()
                    .join(" || '|' || "),
            };
            let sql = format!("SELECT '{table}|' || {text} AS line FROM {table} ORDER BY line");
            all.extend(self.texts(&sql).await);
        }
        all
    }

    /// A connection of one's own, for locks that are held over several steps.
    pub async fn connection(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    /// Returns when this many connections to the database wait for a lock, or `done` says that none will.
    pub async fn waiters(&self, count: i64, done: impl Fn() -> bool) {
        const WAITERS: &str = "SELECT COUNT(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'";
        within(async {
            while !done() && self.number(WAITERS).await < count {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

/// Waits for what must come.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("what was waited for never came")
}

/// Makes two tests of each function, one for each database.
macro_rules! on_both {
    ($(async fn $name:ident($database:ident: &Database) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn body($database: &Database) $body

            async fn on(kind: Kind) {
                if let Some(database) = Database::fresh(kind).await {
                    body(&database).await;
                    database.remove().await;
                }
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                on(Kind::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                on(Kind::Postgres).await;
            }
        }
    )+};
}
pub(crate) use on_both;
