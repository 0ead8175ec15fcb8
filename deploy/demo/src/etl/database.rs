//! The films, in SQLite.

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteRow};
use sqlx::{Connection as _, Row as _, Sqlite, SqliteConnection, Transaction};

/// The tables, and the films of the demo.
const DEMO: &str = include_str!("../../films.sql");

/// Why the films are not to be had.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// SQLite says so.
    #[error("{}", file.display())]
    Sqlite {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// Something is there already.
    #[error("{}: is there already, and is left alone", .0.display())]
    Exists(PathBuf),
    /// The day is none.
    #[error("{0:?} is no day; write one as 2026-11-26")]
    Day(String),
}

/// Makes the demo's database of films.
///
/// # Errors
///
/// [`DatabaseError::Exists`] if there is such a file.
pub async fn make_database(file: &Path) -> Result<(), DatabaseError> {
    if file.exists() {
        return Err(DatabaseError::Exists(file.to_owned()));
    }
    let wrong = |source| DatabaseError::Sqlite {
        file: file.to_owned(),
        source,
    };
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        // Films can be changed while they are read.
        .journal_mode(SqliteJournalMode::Wal);
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(wrong)?;
    let mut work = connection.begin().await.map_err(wrong)?;
    sqlx::raw_sql(DEMO).execute(&mut *work).await.map_err(wrong)?;
    work.commit().await.map_err(wrong)?;
    connection.close().await.map_err(wrong)
}

/// A database of films.
#[derive(Debug)]
pub struct FilmDatabase {
    file: PathBuf,
    connection: SqliteConnection,
}

impl FilmDatabase {
    /// Opens it, to read.
    ///
    /// # Errors
    ///
    /// [`DatabaseError::Sqlite`], also if there is none.
    pub async fn open(file: &Path) -> Result<Self, DatabaseError> {
        let options = SqliteConnectOptions::new().filename(file).read_only(true);
        let connection = SqliteConnection::connect_with(&options).await;
        let file = file.to_owned();
        match connection {
            Ok(connection) => Ok(Self { file, connection }),
            Err(source) => Err(DatabaseError::Sqlite { file, source }),
        }
    }

    /// The films as they are at this moment, however often they are read.
    pub(super) async fn snapshot(&mut self, today: Option<&str>) -> Result<Snapshot<'_>, DatabaseError> {
        const CUTOFF: &str =
            "SELECT date(coalesce($1, 'now'), '-3 years') AS cutoff, $1 IS NULL OR $1 IS date($1) AS good";
        let file = &self.file;
        let wrong = |source| DatabaseError::Sqlite {
            file: file.clone(),
            source,
        };
        let mut work = self.connection.begin().await.map_err(wrong)?;
        let row = sqlx::query(CUTOFF)
            .bind(today)
            .fetch_one(&mut *work)
            .await
            .map_err(wrong)?;
        if !row.try_get::<bool, _>("good").map_err(wrong)? {
            return Err(DatabaseError::Day(today.unwrap_or_default().to_owned()));
        }
        let cutoff = row.try_get("cutoff").map_err(wrong)?;
        Ok(Snapshot { file, work, cutoff })
    }
}

/// A film as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FilmRow {
    pub(super) id: String,
    pub(super) title: String,
    /// As `2026-11-26`.
    pub(super) release_date: String,
    /// From 0 to 10.
    pub(super) rating: Option<f64>,
    pub(super) genres: Vec<String>,
    pub(super) directors: Vec<String>,
    /// Younger than three years, or not released yet.
    pub(super) is_new: bool,
}

/// The films at one moment.
pub(super) struct Snapshot<'a> {
    file: &'a Path,
    work: Transaction<'a, Sqlite>,
    /// A film of this day is three years old.
    cutoff: String,
}

impl Snapshot<'_> {
    /// Films in the order of their ids, from behind one on.
    pub(super) async fn page(&mut self, after: &str, limit: usize) -> Result<Vec<FilmRow>, DatabaseError> {
        const PAGE: &str = "SELECT id, title, release_date, rating, release_date > $2 AS is_new, \
             (SELECT json_group_array(name) FROM (SELECT g.name FROM film_genre f JOIN genre g ON g.id = f.genre_id \
                 WHERE f.film_id = film.id ORDER BY g.name)) AS genres, \
             (SELECT json_group_array(name) FROM (SELECT p.name FROM film_director f JOIN person p ON p.id = f.person_id \
                 WHERE f.film_id = film.id ORDER BY p.name)) AS directors \
             FROM film WHERE id > $1 ORDER BY id LIMIT $3";
        let rows = sqlx::query(PAGE)
            .bind(after)
            .bind(&self.cutoff)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&mut *self.work)
            .await;
        rows.and_then(|rows| rows.iter().map(read).collect())
            .map_err(|source| DatabaseError::Sqlite {
                file: self.file.to_owned(),
                source,
            })
    }
}

fn read(row: &SqliteRow) -> Result<FilmRow, sqlx::Error> {
    let names = |column| {
        let json: &str = row.try_get(column)?;
        serde_json::from_str(json).map_err(|error| sqlx::Error::Decode(error.into()))
    };
    Ok(FilmRow {
        id: row.try_get("id")?,
        title: row.try_get("title")?,
        release_date: row.try_get("release_date")?,
        rating: row.try_get("rating")?,
        genres: names("genres")?,
        directors: names("directors")?,
        is_new: row.try_get("is_new")?,
    })
}
