//! How PostgreSQL runs every statement of the issuer among many users: the plans that it really used, as `auto_explain`
//! logs them, of the real program, which is asked over HTTP.

mod log;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use shared::time::{Clock as _, SystemClock};

use self::log::Plan;
use super::{ATTEMPTS_EACH, HASH, PASSWORD, borrowed, settings};
use crate::http::HttpConnection;
use crate::report::{Figure, Report};
use crate::server::postgres::Postgres;
use crate::server::usher::Programs;

/// How often each thing is asked: after five times PostgreSQL may take to one plan for whatever arguments.
const TIMES: u64 = 12;

/// What is not in the log by then will never be.
const LOGGED_WITHIN: Duration = Duration::from_mins(2);

/// A table of fewer rows may well be read whole.
const LARGE_ROWS: u64 = 20_000;

/// Statements that have to be among what was run, by a part of their text.
const HOT: [(&str, &str); 13] = [
    (
        "login by name",
        "SELECT id, password_hash, active FROM users WHERE login =",
    ),
    (
        "rehash at a login",
        "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash",
    ),
    ("truth of a token", "FROM sessions s JOIN users u"),
    (
        "whose refresh token",
        "SELECT session_id FROM refresh_tokens WHERE digest",
    ),
    ("presented refresh token", "FROM refresh_tokens t JOIN sessions"),
    ("standing of a caller", "FROM users u CROSS JOIN role_version"),
    ("page of the history", "FROM login_history WHERE user_id"),
    ("page of sessions", "FROM sessions WHERE user_id"),
    ("users by prefix", "WHERE u.login >= $3"),
    ("an attempt written", "INSERT INTO login_history"),
    ("a session written", "INSERT INTO sessions"),
    ("a refresh token written", "INSERT INTO refresh_tokens"),
    ("retention", "DELETE FROM login_history_default"),
];

/// Fills a database with so many users, and asks.
pub fn run(users: u64) -> anyhow::Result<Report> {
    let programs = Programs::build()?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    let explain = [
        "shared_preload_libraries=auto_explain",
        "auto_explain.log_format=json",
        "auto_explain.log_nested_statements=on",
        "max_wal_size=8GB",
        "maintenance_work_mem=256MB",
    ];
    let postgres = Postgres::start_with(false, &explain, Some(File::create(&log)?))?;
    let postgres = postgres.context("PostgreSQL is not installed")?;
    let settings = prepare(&programs, &postgres, folder.path(), users)?;
    let settings = borrowed(&settings);
    postgres.run("ALTER DATABASE postgres SET auto_explain.log_min_duration = 0")?;
    let issuer = programs.serve("issuer", &settings, "the issuer listens")?;
    ask(&mut HttpConnection::open(issuer.address())?, users)?;
    let begin = SystemClock.boot();
    let plans = loop {
        let plans = log::read(&log)?;
        let missing = HOT
            .iter()
            .find(|(_, text)| !plans.iter().any(|plan| plan.text.contains(text)));
        let Some((what, text)) = missing else {
            break plans;
        };
        ensure!(
            SystemClock.boot().since(begin) < LOGGED_WITHIN,
            "{what} was not run: {text}"
        );
        std::thread::sleep(Duration::from_millis(100));
    };
    drop(issuer);
    report(&postgres, users, &plans)
}

/// Makes the tables, and loads everything. The settings of an issuer there.
pub fn prepare(
    programs: &Programs,
    postgres: &Postgres,
    folder: &Path,
    users: u64,
) -> anyhow::Result<Vec<(&'static str, String)>> {
    let settings = settings(postgres.url(), folder)?;
    let mut migrate = programs.command("issuer", &borrowed(&settings), folder);
    let migrated = migrate.arg("migrate").stdout(Stdio::null()).status()?;
    ensure!(migrated.success(), "migrate");
    fill(postgres, users)?;
    Ok(settings)
}

/// Loads everything by SQL.
fn fill(postgres: &Postgres, users: u64) -> anyhow::Result<()> {
    let attempts = users * ATTEMPTS_EACH;
    let asking: Vec<String> = (1..=TIMES)
        .map(|nth| format!("'{}'", asking(nth, users)))
        .collect();
    // The history is of the last year, and of a little more, which retention is to delete.
    for sql in [
        "CREATE FUNCTION bench_id(at timestamptz, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ \
         SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7000' || \
         lpad(to_hex(x'8000000000000000'::bit(64)::bigint | n), 16, '0'))::uuid $$"
            .to_owned(),
        "SELECT login_history_make_month((date_trunc('month', now() AT TIME ZONE 'UTC') - ago * interval '1 month') \
         AT TIME ZONE 'UTC', 0, 1000000000, 5000) FROM generate_series(1, 11) ago"
            .to_owned(),
        format!(
            "INSERT INTO users (id, login, password_hash, ver, created_at, updated_at) \
             SELECT bench_id(now() - n * interval '1 second', n), 'login' || n, '{HASH}', 1, now(), now() \
             FROM generate_series(1, {users}) n"
        ),
        "INSERT INTO user_roles SELECT id, '00000000-0000-7000-8000-000000000001', now() FROM users".to_owned(),
        "INSERT INTO sessions (id, user_id, created_at, last_seen_at, expires_at, refresh_expires_at) \
         SELECT id, id, now(), now(), now() + interval '9 days', now() + interval '9 days' FROM users"
            .to_owned(),
        "INSERT INTO refresh_tokens SELECT sha256(id::text::bytea), id, 0, NULL FROM users".to_owned(),
        format!(
            "INSERT INTO login_history (id, at, user_id, session_id, outcome, ip, user_agent, device) \
             SELECT bench_id(a.at, n), a.at, u.id, u.id, 'success', '203.0.113.7', 'Mozilla/5.0', 'Firefox' \
             FROM (SELECT row_number() OVER (ORDER BY login) AS nth, id FROM users) u, \
             LATERAL generate_series(u.nth, {attempts}, {users}) n, \
             LATERAL (SELECT now() - n * (interval '370 days' / {attempts}) AS at) a"
        ),
        // They may look at the others.
        format!("UPDATE users SET superuser = true WHERE login IN ({})", asking.join(", ")),
        "VACUUM ANALYZE".to_owned(),
    ] {
        postgres.run(&sql)?;
    }
    Ok(())
}

/// The login of one of those who ask.
fn asking(nth: u64, users: u64) -> String {
    format!("login{}", nth * (users / (TIMES + 1)))
}

/// Has people log in, and look at what is theirs.
fn ask(issuer: &mut HttpConnection, users: u64) -> anyhow::Result<()> {
    for nth in 1..=TIMES {
        let credentials = json!({"login": asking(nth, users), "password": PASSWORD});
        let pair = post(issuer, "/api/v1/user/login", &credentials)?;
        let token = |name: &str| -> anyhow::Result<String> {
            Ok(pair
                .get(name)
                .and_then(Value::as_str)
                .context("no token")?
                .to_owned())
        };
        post(
            issuer,
            "/api/v1/token/refresh",
            &json!({"refresh_token": token("refresh_token")?}),
        )?;
        let bearer = format!("Authorization: Bearer {}\r\n", token("access_token")?);
        let history = "/api/v1/login/history?limit=5";
        let page = get(issuer, history, &bearer)?;
        let cursor = page.get("next_cursor").and_then(Value::as_str);
        let cursor = cursor.context("the history has one page")?;
        for path in [
            &format!("{history}&cursor={cursor}"),
            "/api/v1/session",
            "/api/v1/user/me",
            "/api/v1/user?login=login777",
        ] {
            get(issuer, path, &bearer)?;
        }
    }
    Ok(())
}

fn post(issuer: &mut HttpConnection, path: &str, body: &Value) -> anyhow::Result<Value> {
    let answer = issuer.post_json(path, &body.to_string())?;
    ensure!(answer.status == 200, "{path}: {answer:?}");
    Ok(serde_json::from_slice(&answer.body)?)
}

fn get(issuer: &mut HttpConnection, path: &str, headers: &str) -> anyhow::Result<Value> {
    let answer = issuer.request("GET", path, headers, "")?;
    ensure!(answer.status == 200, "{path}: {answer:?}");
    Ok(serde_json::from_slice(&answer.body)?)
}

/// The dearest plan of each statement, none of which may read a large table whole.
fn report(postgres: &Postgres, users: u64, plans: &[Plan]) -> anyhow::Result<Report> {
    let large = postgres.run(&format!(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples >= {LARGE_ROWS}"
    ))?;
    for plan in plans {
        if let Some(table) = large.lines().find(|table| plan.scanned.contains(*table)) {
            bail!("{table} is read whole by: {}", plan.text);
        }
    }
    let mut dearest: BTreeMap<usize, &Plan> = BTreeMap::new();
    for plan in plans {
        let Some(at) = HOT.iter().position(|(_, text)| plan.text.contains(text)) else {
            continue;
        };
        let known = dearest.entry(at).or_insert(plan);
        if plan.cost > known.cost {
            *known = plan;
        }
    }
    let figures = dearest
        .into_iter()
        .filter_map(|(at, plan)| {
            let (what, _) = HOT.get(at)?;
            Some(Figure::once(
                format!("{what}: {}", plan.indexes()),
                plan.cost,
                "planned cost",
            ))
        })
        .collect();
    Ok(Report {
        bench: "users --part plans",
        setting: format!(
            "{users} users, {} attempts to log in, {}",
            users * ATTEMPTS_EACH,
            postgres.version()
        ),
        figures,
        notes: vec![format!(
            "{} statements were run, and none read whole one of the {} tables with {LARGE_ROWS} rows or more",
            plans.len(),
            large.lines().count()
        )],
    })
}
