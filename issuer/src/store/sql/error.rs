//! Why the database did not do what it was asked, and whether it is worth another try.

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, is too busy, or gave up to break a deadlock: worth another try later.
    #[error("the database is away")]
    Unavailable(#[source] sqlx::Error),
    /// A unique value exists already.
    #[error("the value exists already")]
    Duplicate(#[source] sqlx::Error),
    /// A row that was referred to is gone.
    #[error("a row that was referred to is gone")]
    Gone(#[source] sqlx::Error),
    /// Anything else: a defect of ours, or of the data.
    #[error("the database refused a statement, or holds what it should not")]
    Defect(#[source] sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            sqlx::Error::Database(database) if database.is_unique_violation() => Self::Duplicate(error),
            sqlx::Error::Database(database) if database.is_foreign_key_violation() => Self::Gone(error),
            sqlx::Error::Database(database) if database.code().is_some_and(|code| is_passing(&code)) => {
                Self::Unavailable(error)
            }
            _ => Self::Defect(error),
        }
    }
}

/// PostgreSQL: connection, transaction rollback, resources, operator intervention, lock not available (classes 08,
/// 40, 53, 57 and 55P03), read-only after a failover (25006), too long idle in a transaction (25P03). SQLite: BUSY and LOCKED with their extended codes,
/// FULL, IOERR.
fn is_passing(code: &str) -> bool {
    let class_is_passing = ["08", "40", "53", "57"]
        .iter()
        .any(|class| code.starts_with(class));
    if code.len() == 5 && (class_is_passing || matches!(code, "55P03" | "25006" | "25P03")) {
        return true;
    }
    code.parse::<u32>()
        .is_ok_and(|code| code < 10_000 && matches!(code & 0xff, 5 | 6 | 10 | 13))
}
