//! An issuer with its database and its Redis, the real programs, as an operator would set it up.

use std::fs::File;
use std::net::SocketAddr;
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::cores::Cores;
use crate::http::{Answer, HttpConnection};
use crate::server::Serving;
use crate::server::postgres::Postgres;
use crate::server::redis::Redis;
use crate::server::usher::Programs;

/// Everybody's password.
pub const PASSWORD: &str = "follow the white rabbit";

/// The superuser's login.
const ROOT: &str = "root";

/// Everything that runs.
pub struct Site {
    /// The issuer.
    pub issuer: Serving,
    /// What it runs on, in words.
    pub servers: String,
    _redis: Redis,
    _postgres: Option<Postgres>,
    _folder: tempfile::TempDir,
}

impl Site {
    /// Starts it with these settings beside the defaults. Where PostgreSQL is not installed, on SQLite.
    pub fn start(extra: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::start_apart(None, extra)
    }

    /// Starts it with the issuer on the core for what is measured, if the machine is parted.
    pub fn start_apart(apart: Option<&Cores>, extra: &[(&str, &str)]) -> anyhow::Result<Self> {
        let programs = Programs::build()?;
        let redis = Redis::start()?;
        let folder = tempfile::tempdir()?;
        let postgres = Postgres::start(true)?;
        let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let (url, database) = match &postgres {
            Some(postgres) => (postgres.url().to_owned(), postgres.version().to_owned()),
            None => (format!("sqlite:{}", file("usher.db")), "SQLite".to_owned()),
        };
        let key = file("key");
        // 32 bytes in base64.
        std::fs::write(&key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")?;
        let mut settings = vec![
            ("ISSUER__LISTEN", "127.0.0.1:0"),
            ("ISSUER__ADMIN_LISTEN", "127.0.0.1:0"),
            ("ISSUER__DATABASE__URL", &url),
            ("ISSUER__REDIS__URL", redis.url()),
            ("ISSUER__KEYS__ENCRYPTION_KEY_FILE", &key),
            ("ISSUER__LIMITS__REGISTER_PER_IP", "off"),
        ];
        settings.extend(extra);
        let mut create_root = programs.command("issuer", &settings, folder.path());
        create_root.args(["superuser", "create", "--login", ROOT, "--password-stdin"]);
        // As a file: a password is no argument.
        let password = file("password");
        std::fs::write(&password, format!("{PASSWORD}\n"))?;
        let created = create_root
            .stdin(File::open(password)?)
            .stdout(Stdio::null())
            .status()?;
        ensure!(created.success(), "the superuser was not made");
        let serve = || programs.serve("issuer", &settings, "the issuer listens");
        let issuer = match apart {
            Some(apart) => apart.on_server(serve)?,
            None => serve()?,
        };
        let servers = format!("issuer on {database} and {}", redis.version());
        Ok(Self {
            issuer,
            servers,
            _redis: redis,
            _postgres: postgres,
            _folder: folder,
        })
    }

    /// Makes a user; its id.
    pub fn register(&self, login: &str) -> anyhow::Result<String> {
        let mut issuer = HttpConnection::open(self.issuer.address())?;
        let answer = issuer.post_json("/api/v1/user", &credentials(login, PASSWORD))?;
        ensure!(answer.status == 201, "registration: {answer:?}");
        text(&answer, "user_id")
    }

    /// Disables a user's account.
    pub fn disable(&self, id: &str) -> anyhow::Result<()> {
        let mut issuer = HttpConnection::open(self.issuer.address())?;
        let root = issuer.post_json("/api/v1/user/login", &credentials(ROOT, PASSWORD))?;
        let bearer = format!("Authorization: Bearer {}\r\n", text(&root, "access_token")?);
        let answer = issuer.request("POST", &format!("/api/v1/user/{id}/disable"), &bearer, "")?;
        ensure!(answer.status == 204, "disabling: {answer:?}");
        Ok(())
    }
}

/// Somebody who asks again and again.
pub struct Client {
    connection: HttpConnection,
    headers: String,
}

impl Client {
    /// Somebody behind this address, as the proxy in front says.
    pub fn from(issuer: SocketAddr, address: &str) -> anyhow::Result<Self> {
        Ok(Self {
            connection: HttpConnection::open(issuer)?,
            headers: format!("Content-Type: application/json\r\nX-Forwarded-For: {address}\r\n"),
        })
    }

    /// Tries to log in.
    pub fn log_in(&mut self, login: &str, password: &str) -> anyhow::Result<Answer> {
        self.post("/api/v1/user/login", &credentials(login, password))
    }

    /// Posts a JSON text.
    pub fn post(&mut self, path: &str, body: &str) -> anyhow::Result<Answer> {
        self.connection.request("POST", path, &self.headers, body)
    }
}

fn credentials(login: &str, password: &str) -> String {
    json!({"login": login, "password": password}).to_string()
}

/// A member of an answer's JSON object.
pub fn text(answer: &Answer, name: &str) -> anyhow::Result<String> {
    let body: Value = serde_json::from_slice(&answer.body)?;
    let value = body.get(name).and_then(Value::as_str);
    value
        .map(str::to_owned)
        .with_context(|| format!("no {name} in {answer:?}"))
}

/// Threads that the machine runs at once, by which the issuer has as many hashes under way.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
