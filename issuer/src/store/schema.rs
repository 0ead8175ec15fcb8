//! Whether the schema is the one that this program was made for.

use std::collections::HashMap;

use sqlx::migrate::{Migrate, MigrateError, Migrator};

use super::{OpenError, POSTGRES_MIGRATIONS, Pools, SQLITE_MIGRATIONS, Store};

/// Where sqlx writes down which migrations were run.
const APPLIED: &str = "_sqlx_migrations";

impl Store {
    /// Looks whether the schema is up to date, and changes nothing.
    ///
    /// # Errors
    ///
    /// [`OpenError::Outdated`] if a migration was not run, [`OpenError::Newer`] if one was that this program does not know,
    /// [`OpenError::Migrate`] if one was another than this program's.
    pub async fn check_schema(&self) -> Result<(), OpenError> {
        match &self.pools {
            Pools::Postgres(pool) => {
                let mut connection = pool.acquire().await.map_err(OpenError::Connect)?;
                check(&POSTGRES_MIGRATIONS, &mut *connection).await
            }
            Pools::Sqlite { readers, .. } => {
                let mut connection = readers.acquire().await.map_err(OpenError::Connect)?;
                check(&SQLITE_MIGRATIONS, &mut *connection).await
            }
        }
    }
}

async fn check(ours: &Migrator, connection: &mut impl Migrate) -> Result<(), OpenError> {
    let applied = match connection.list_applied_migrations(APPLIED).await {
        Ok(applied) => applied,
        // It answers, and has no such table, or none for us.
        Err(error @ MigrateError::Execute(sqlx::Error::Database(_))) => {
            return Err(OpenError::Outdated(Some(error)));
        }
        Err(error) => return Err(error.into()),
    };
    let mut applied: HashMap<i64, _> = applied
        .into_iter()
        .map(|migration| (migration.version, migration.checksum))
        .collect();
    for migration in ours
        .iter()
        .filter(|ours| !ours.migration_type.is_down_migration())
    {
        let checksum = applied.remove(&migration.version);
        let checksum = checksum.ok_or(OpenError::Outdated(None))?;
        if checksum != migration.checksum {
            return Err(MigrateError::VersionMismatch(migration.version).into());
        }
    }
    match applied.into_keys().next() {
        Some(version) => Err(OpenError::Newer(version)),
        None => Ok(()),
    }
}
