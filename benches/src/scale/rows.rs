//! Bytes that PostgreSQL keeps, table and indexes, for each user and for each thing that they do.

use anyhow::Context as _;

use crate::report::{Figure, Report};
use crate::server::postgres::Postgres;
use crate::server::usher::Programs;
use crate::users::plans;

/// Enough that pages which are not full do not show.
const USERS: u64 = 100_000;

/// What is counted, and the tables it is in.
const KEPT: [(&str, &str); 5] = [
    ("a user", "users"),
    ("a role of a user", "user_roles"),
    ("a session", "sessions"),
    ("a refresh", "refresh_tokens"),
    ("an attempt to log in", "login_history"),
];

pub fn run() -> anyhow::Result<Report> {
    let programs = Programs::build()?;
    let folder = tempfile::tempdir()?;
    let postgres = Postgres::start(false)?.context("PostgreSQL is not installed")?;
    plans::prepare(&programs, &postgres, folder.path(), USERS)?;
    let mut figures = Vec::new();
    for (what, table) in KEPT {
        let bytes = postgres.run(&format!(
            "SELECT coalesce((SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('{table}')), \
             pg_total_relation_size('{table}'))::float8 / \
             (SELECT count(*) FROM {table})"
        ))?;
        figures.push(Figure::once(
            what,
            bytes.trim().parse().context("a size")?,
            "bytes",
        ));
    }
    Ok(Report {
        bench: "scale --part rows",
        setting: format!(
            "{}, {USERS} users with a session and a refresh token each",
            postgres.version()
        ),
        figures,
        notes: vec!["with indexes; freshly loaded, without what updates leave behind".to_owned()],
    })
}
