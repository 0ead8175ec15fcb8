//! Two issuers and two verifiers on one PostgreSQL and one Redis, the real programs.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use crate::server::postgres::Postgres;
use crate::server::redis::Redis;
use crate::server::usher::Programs;
use crate::server::{Process, Serving};

/// The `iss` of the tokens; nobody asks there.
const ISSUER: &str = "http://issuer.test";

const RULES: &str = "default = \"authenticated\"\n[[rule]]\npath = \"/open\"\nanonymous = true\n";

/// How long a token lives: much less than the warm-up of the shortest run.
const ACCESS_TTL: &str = "30s";

/// How long a new key is published before it signs: verifiers look more often.
const PUBLISH_AHEAD: &str = "5s";
const JWKS_REFRESH: &str = "1s";

/// No limit that this load reaches, but one that is counted.
const UNREACHED: &str = "100000/1m";

/// By then a verifier refuses what an issuer has revoked.
pub const REFUSED_WITHIN: Duration = Duration::from_secs(10);

/// Everything that runs.
pub struct Site {
    /// What it runs on, in words.
    pub servers: String,
    issuers: [Serving; 2],
    verifiers: [Serving; 2],
    programs: Programs,
    settings: Vec<(&'static str, String)>,
    _redis: Redis,
    _postgres: Postgres,
    folder: TempDir,
}

impl Site {
    /// Starts it.
    pub fn start() -> anyhow::Result<Self> {
        let programs = Programs::build()?;
        let redis = Redis::start()?;
        let postgres = Postgres::start(true)?.context("PostgreSQL is not installed")?;
        let folder = tempfile::tempdir()?;
        let file = |name: &str, text: &str| -> anyhow::Result<String> {
            let path = folder.path().join(name);
            std::fs::write(&path, text)?;
            Ok(path.to_string_lossy().into_owned())
        };
        let text = str::to_owned;
        let settings = vec![
            ("ISSUER__LISTEN", text("127.0.0.1:0")),
            ("ISSUER__ADMIN_LISTEN", text("127.0.0.1:0")),
            ("ISSUER__PUBLIC_URL", text(ISSUER)),
            ("ISSUER__DATABASE__URL", text(postgres.url())),
            ("ISSUER__REDIS__URL", text(redis.url())),
            // 32 bytes in base64.
            (
                "ISSUER__KEYS__ENCRYPTION_KEY_FILE",
                file("key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")?,
            ),
            ("ISSUER__KEYS__PUBLISH_AHEAD", text(PUBLISH_AHEAD)),
            ("ISSUER__TOKENS__ACCESS_TTL", text(ACCESS_TTL)),
            ("ISSUER__LIMITS__LOGIN_PER_IP", text(UNREACHED)),
            ("ISSUER__LIMITS__LOGIN_PER_ACCOUNT", text(UNREACHED)),
            ("ISSUER__LIMITS__REGISTER_PER_IP", text(UNREACHED)),
        ];
        let borrowed = borrowed(&settings);
        let issuer = || programs.serve("issuer", &borrowed, "the issuer listens");
        let issuers = [issuer()?, issuer()?];
        let rules = file("rules.toml", RULES)?;
        let verifier = |issuer: &Serving| {
            let jwks_url = format!("http://{}/.well-known/jwks.json", issuer.address());
            let settings = [
                ("VERIFIER__LISTEN", "127.0.0.1:0"),
                ("VERIFIER__ADMIN_LISTEN", "127.0.0.1:0"),
                ("VERIFIER__ISSUER", ISSUER),
                ("VERIFIER__JWKS_URL", &jwks_url),
                ("VERIFIER__JWKS_REFRESH", JWKS_REFRESH),
                ("VERIFIER__REDIS__URL", redis.url()),
                ("VERIFIER__RULES", &rules),
            ];
            programs.serve("verifier", &settings, "the verifier listens")
        };
        let [first, second] = &issuers;
        let verifiers = [verifier(first)?, verifier(second)?];
        Ok(Self {
            servers: format!(
                "two issuers and two verifiers on {} and {}",
                postgres.version(),
                redis.version()
            ),
            issuers,
            verifiers,
            programs,
            settings,
            _redis: redis,
            _postgres: postgres,
            folder,
        })
    }

    /// The programs that are watched, by name.
    pub fn programs(&self) -> [(&'static str, &Process); 4] {
        let [a, b] = self.issuers.each_ref().map(Serving::process);
        let [c, d] = self.verifiers.each_ref().map(Serving::process);
        [
            ("issuer 1", a),
            ("issuer 2", b),
            ("verifier 1", c),
            ("verifier 2", d),
        ]
    }

    /// Where the issuers listen.
    pub fn issuers(&self) -> [SocketAddr; 2] {
        self.issuers.each_ref().map(Serving::address)
    }

    /// Where the verifiers listen.
    pub fn verifiers(&self) -> [SocketAddr; 2] {
        self.verifiers.each_ref().map(Serving::address)
    }

    /// Has another key sign, once it is known everywhere.
    pub fn rotate_keys(&self) -> anyhow::Result<()> {
        let settings = borrowed(&self.settings);
        let mut rotate = self.programs.command("issuer", &settings, self.folder.path());
        // What went wrong is all that there is to say.
        rotate.args(["keys", "rotate", "--log-level", "error"]);
        let rotated = rotate.stdout(Stdio::null()).status()?;
        ensure!(rotated.success(), "`issuer keys rotate`: {rotated}");
        Ok(())
    }
}

fn borrowed<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}
