use std::env;
use std::path::Path;

use issuer::signing::SealingKey;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, SqlitePool};
use tempfile::TempDir;
use url::Url;
use uuid::Uuid;

/// The server whose databases tests make and drop.
const SERVER: &str = "USHER_TEST_POSTGRES_URL";

/// On which database a test runs.
#[derive(Clone, Debug)]
pub enum Database {
    /// A file.
    Sqlite,
    /// A database on the server at this address.
    Postgres(Url),
}

impl Database {
    /// PostgreSQL, if there is a server. Where none is, the test says aloud that it was skipped; in CI it fails.
    pub fn postgres_or_skip(test: &str) -> Option<Self> {
        if let Ok(url) = env::var(SERVER) {
            return Some(Self::Postgres(url.parse().unwrap()));
        }
        assert!(
            env::var_os("CI").is_none(),
            "{test}: CI must have a PostgreSQL server; set {SERVER}"
        );
        eprintln!("SKIPPED: {test} on PostgreSQL; to run it set {SERVER}=postgres://user@host:port/");
        None
    }
}

/// A database that belongs to one test, and goes with it.
#[derive(Debug)]
pub struct OwnDatabase {
    folder: TempDir,
    url: String,
    pool: Pool,
    drop: Option<(Url, String)>,
}

#[derive(Debug)]
enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl OwnDatabase {
    /// An empty database.
    pub async fn create(database: &Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        match database {
            Database::Sqlite => {
                let url = format!("sqlite:{}", folder.path().join("usher.db").display());
                let options = url.parse().unwrap();
                Self {
                    folder,
                    url,
                    pool: Pool::Sqlite(SqlitePool::connect_lazy_with(options)),
                    drop: None,
                }
            }
            Database::Postgres(server) => {
                let mut random = [0; 16];
                ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random).unwrap();
                let name = format!("usher_test_{}", Uuid::from_bytes(random).simple());
                let mut connection = PgConnection::connect(server.as_str()).await.unwrap();
                let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
                sqlx::raw_sql(AssertSqlSafe(create))
                    .execute(&mut connection)
                    .await
                    .unwrap();
                connection.close().await.unwrap();
                let mut url = server.clone();
                url.set_path(&name);
                SealingKey::read_or_create(&folder.path().join("usher.key")).unwrap();
                Self {
                    folder,
                    pool: Pool::Postgres(PgPool::connect_lazy(url.as_str()).unwrap()),
                    url: url.into(),
                    drop: Some((server.clone(), name)),
                }
            }
        }
    }

    /// Its address, as in `database.url`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A folder that goes with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the settings say of it, as TOML.
    pub fn settings(&self) -> String {
        let url = format!("database.url = {:?}\n", self.url);
        match self.pool {
            Pool::Sqlite(_) => url,
            Pool::Postgres(_) => format!(
                "{url}keys.encryption_key_file = '{}'\n",
                self.folder.path().join("usher.key").display()
            ),
        }
    }

    /// The one number that a query gives.
    pub async fn number(&self, query: &str) -> i64 {
        let query = sqlx::AssertSqlSafe(query.to_owned());
        match &self.pool {
            Pool::Sqlite(pool) => sqlx::query_scalar(query).fetch_one(pool).await.unwrap(),
            Pool::Postgres(pool) => sqlx::query_scalar(query).fetch_one(pool).await.unwrap(),
        }
    }

    /// The one column of texts that a query gives.
    pub async fn texts(&self, query: &str) -> Vec<String> {
        let query = sqlx::AssertSqlSafe(query.to_owned());
        match &self.pool {
            Pool::Sqlite(pool) => sqlx::query_scalar(query).fetch_all(pool).await.unwrap(),
            Pool::Postgres(pool) => sqlx::query_scalar(query).fetch_all(pool).await.unwrap(),
        }
    }

    /// Runs statements.
    pub async fn run(&self, statements: &str) {
        let statements = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()));
        match &self.pool {
            Pool::Sqlite(pool) => drop(statements.execute(pool).await.unwrap()),
            Pool::Postgres(pool) => drop(statements.execute(pool).await.unwrap()),
        }
    }
}

impl Drop for OwnDatabase {
    fn drop(&mut self) {
        let Some((server, name)) = self.drop.take() else {
            return;
        };
        // On a thread of its own: it happens within the test's runtime, and after a panic too.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let mut connection = PgConnection::connect(server.as_str()).await?;
                let drop = format!("DROP DATABASE {name} WITH (FORCE)");
                sqlx::raw_sql(AssertSqlSafe(drop))
                    .execute(&mut connection)
                    .await?;
                Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
            })
        });
        if let Ok(Err(error)) = dropped.join() {
            eprintln!("a test's database was left behind: {error}");
        }
    }
}
