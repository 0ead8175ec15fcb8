//! A verifier with everything that it needs, and its requests.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use shared::time::{Clock as _, SystemClock};
use tempfile::TempDir;

use super::feed::Feed;
use super::keys;
use super::tokens::{ISSUER, ROLE, Tokens};
use crate::cores::Cores;
use crate::http::HttpConnection;
use crate::load::Request;
use crate::server::Serving;
use crate::server::redis::Redis;
use crate::server::usher::Programs;

/// Rules in the file.
pub const RULES: usize = 200;
/// Revoked sessions.
pub const REVOCATIONS: u64 = 1_000_000;
/// Tokens in rotation.
pub const IN_ROTATION: usize = 10_000;
/// Tokens in all: so many are cold at once.
pub const TOKENS: usize = 20_000;

const READY_WITHIN: Duration = Duration::from_mins(1);

/// What a verifier needs.
pub struct Site {
    /// Who runs where.
    pub cores: Cores,
    /// What the callers have.
    pub tokens: Tokens,
    programs: Programs,
    redis: Redis,
    feed: Feed,
    jwks_url: String,
    revocations: u64,
    folder: TempDir,
}

impl Site {
    /// Builds the programs, signs the tokens, writes the feed. From then on this thread is the client.
    pub fn start(revocations: u64, tokens: usize) -> anyhow::Result<Self> {
        let programs = Programs::build()?;
        let tokens = Tokens::sign(tokens)?;
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("rules.toml"), rules()?)?;
        let redis = Redis::start()?;
        let cores = Cores::share_out()?;
        cores.be_client()?;
        let feed = Feed::start(redis.url(), revocations)?;
        let jwks_url = keys::publish(tokens.jwks()?, feed.keys())?;
        Ok(Self {
            cores,
            tokens,
            programs,
            redis,
            feed,
            jwks_url,
            revocations,
            folder,
        })
    }

    /// Starts a verifier of one thread, on TCP and, if wanted, on a Unix socket too, and waits until it has keys and
    /// revocations.
    pub fn verifier(&self, socket: Option<&Path>) -> anyhow::Result<Serving> {
        let mut listen = "127.0.0.1:0".to_owned();
        if let Some(socket) = socket {
            write!(listen, ",unix:{}", socket.display())?;
        }
        let rules = self.folder.path().join("rules.toml");
        let settings = [
            ("VERIFIER__LISTEN", listen.as_str()),
            ("VERIFIER__ADMIN_LISTEN", "127.0.0.1:0"),
            ("VERIFIER__THREADS", "1"),
            ("VERIFIER__ISSUER", ISSUER),
            ("VERIFIER__JWKS_URL", &self.jwks_url),
            ("VERIFIER__REDIS__URL", self.redis.url()),
            ("VERIFIER__RULES", &rules.to_string_lossy()),
        ];
        let serve = || self.programs.serve("verifier", &settings, "the verifier listens");
        let verifier = self.cores.on_server(serve)?;
        let token = self.tokens.all().last().map_or("", String::as_str);
        let mut connection = HttpConnection::open(verifier.address())?;
        let begin = SystemClock.boot();
        loop {
            let answer = connection.request("GET", PATH, &headers(token), "")?;
            if answer.status == 200 {
                return Ok(verifier);
            }
            ensure!(
                SystemClock.boot().since(begin) < READY_WITHIN,
                "not ready: {answer:?}"
            );
        }
    }

    /// In words.
    pub fn words(&self) -> String {
        format!(
            "{RULES} rules, {} revocations, {}",
            self.revocations,
            self.cores.words()
        )
    }

    /// Ends everything, and says whether the feed went well.
    pub fn end(self) -> anyhow::Result<()> {
        self.feed.end()
    }
}

/// Where nginx asks.
pub const PATH: &str = "/authz/auth-request";

/// What nginx is asked for, about which rule number 150 of [`RULES`] decides.
pub const ORIGINAL_PATH: &str = "/api/v1/section-150/items/42";

fn headers(token: &str) -> String {
    format!(
        "Authorization: Bearer {token}\r\nX-Original-Method: GET\r\n\
         X-Original-URI: {ORIGINAL_PATH}\r\nX-Original-Host: movies.example.org\r\n"
    )
}

/// A request with this token, the same to everybody.
pub fn request(token: &str, expects: u16) -> Request {
    let headers = headers(token);
    Request {
        bytes: format!("GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n").into_bytes(),
        expects,
    }
}

/// Every tenth rule is about a film, the others ask for a role.
fn rules() -> anyhow::Result<String> {
    let mut rules = "default = \"deny\"\n".to_owned();
    for number in 0..RULES {
        if number % 10 == 9 {
            write!(
                rules,
                "[[rule]]\npath = \"/api/v1/films-{number}/{{film_id}}\"\nfilm = \"{{film_id}}\"\n"
            )?;
        } else {
            write!(
                rules,
                "[[rule]]\npath = \"/api/v1/section-{number}/{{*rest}}\"\nroles = [\"editor-{number}\", \"{ROLE}\"]\n"
            )?;
        }
    }
    Ok(rules)
}
