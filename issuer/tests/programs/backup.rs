//! Backups, made while the issuer serves, and what there is after they are restored.

use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use crate::Place;
use crate::serving::{Serving, ask, serving_place};

const SERVER: &str = "USHER_TEST_POSTGRES_URL";

const PASSWORD: &str = "tumble down the burrow";

/// The status of a request with login and password.
fn status(address: &str, path: &str, login: &str) -> String {
    let body = format!("{{\"login\":\"{login}\",\"password\":\"{PASSWORD}\"}}");
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    ask(address, &(head + &body))
        .split(' ')
        .nth(1)
        .unwrap()
        .to_owned()
}

fn started(place: &Place) -> (Serving, String) {
    let mut serving = Serving::start(place);
    let address = serving.until("the issuer listens")["address"]
        .as_str()
        .unwrap()
        .to_owned();
    (serving, address)
}

/// Somebody registers before a backup that is made while the issuer serves, and somebody behind it; the first can sign in at an
/// issuer on the restored database, the other is unknown there.
fn is_whole(before: &Place, back_up: impl FnOnce(), restored: &Place) {
    let (serving, address) = started(before);
    assert_eq!(status(&address, "/api/v1/user", "neo"), "201");
    back_up();
    assert_eq!(status(&address, "/api/v1/user", "late"), "201");
    serving.signal("TERM");
    assert_eq!(serving.end().status, 0);

    let (serving, address) = started(restored);
    assert_eq!(status(&address, "/api/v1/user/login", "neo"), "200");
    assert_eq!(status(&address, "/api/v1/user/login", "late"), "401");
    serving.signal("TERM");
    assert_eq!(serving.end().status, 0);
    let key = |place: &Place| place.run(&["keys", "list"]).out;
    assert_eq!(key(before), key(restored), "tokens from before are good");
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

#[test]
fn sqlite_is_backed_up_while_it_is_written_to() {
    let (before, restored) = (serving_place(), serving_place());
    let data = |place: &Place| place.path().join("data");
    let back_up = || {
        std::fs::create_dir(data(&restored)).unwrap();
        // As `sqlite3 data/usher.db "VACUUM INTO '…'"` does.
        wait(async {
            let url = format!("sqlite:{}", data(&before).join("usher.db").display());
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            let copy = data(&restored).join("usher.db");
            let vacuum = format!("VACUUM INTO '{}'", copy.display());
            sqlx::raw_sql(AssertSqlSafe(vacuum))
                .execute(&mut connection)
                .await
                .unwrap();
            connection.close().await.unwrap();
        });
        let key = "usher.key";
        std::fs::copy(data(&before).join(key), data(&restored).join(key)).unwrap();
    };
    is_whole(&before, back_up, &restored);
}

#[test]
fn postgres_is_backed_up_while_it_is_written_to() {
    let Ok(server) = std::env::var(SERVER) else {
        assert!(
            std::env::var_os("CI").is_none(),
            "in CI both databases are tested: {SERVER} is missing"
        );
        eprintln!("SKIPPED: no PostgreSQL to back up; set {SERVER}");
        return;
    };
    let names = ["before", "restored"].map(|name| {
        let random = shared::encoding::base64url(&shared::crypto::random::bytes::<9>());
        format!("usher_backup_{name}_{random}")
    });
    let run = |sql: String| {
        wait(async {
            let mut admin = PgConnection::connect(&server).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut admin)
                .await
                .unwrap();
            admin.close().await.unwrap();
        });
    };
    let [before_url, restored_url] = names.each_ref().map(|name| {
        run(format!("CREATE DATABASE \"{name}\""));
        let mut url = url::Url::parse(&server).unwrap();
        url.set_path(name);
        url.to_string()
    });
    let place = |url: &str| {
        let place = serving_place()
            .with("ISSUER__DATABASE__URL", url)
            .with("ISSUER__KEYS__ENCRYPTION_KEY_FILE", "issuer.key");
        place.file("issuer.key", "c2l4dGVlbiBieXRlcywgdHdvIHRpbWVzIG92ZXIhISE=\n");
        place
    };
    let (before, restored) = (place(&before_url), place(&restored_url));
    let dump = restored.path().join("usher.dump");
    let back_up = || {
        program("pg_dump", &["--format=custom", "--file"], &dump, &before_url);
        program(
            "pg_restore",
            &["--no-owner", "--exit-on-error"],
            &dump,
            &restored_url,
        );
    };
    is_whole(&before, back_up, &restored);
    for name in &names {
        run(format!("DROP DATABASE \"{name}\" WITH (FORCE)"));
    }
}

/// Runs one of PostgreSQL's programs on a file and a database.
fn program(name: &str, arguments: &[&str], file: &Path, database: &str) {
    let ran = Command::new(find(name))
        .args(arguments)
        .arg(file)
        .args(["--dbname", database])
        .output()
        .unwrap();
    assert!(
        ran.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

/// Debian keeps them by version, and puts few on the path.
fn find(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let found = versions
        .map(|version| version.path().join("bin").join(name))
        .filter(|path| path.exists())
        .max();
    found.unwrap_or_else(|| name.into())
}
