//! What the tests drive: every front end before one verifier, one issuer and a service, on ports of their own.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use shared::testkit::{RedisServer, TestKey, TokenForge};
use shared::time::{Clock as _, SystemClock};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::client::{Ask, HOST};
use crate::echo::Echo;
use crate::front_end::{Behind, FrontEnd, Kind};
use crate::process::{LOOK_EVERY, Process, START_TIMEOUT, program, show_logs};

/// Login and password of the superuser, where there is a feed.
pub(crate) const SUPERUSER: (&str, &str) = ("keymaker", "every door has one key");

const SERVE: [&str; 5] = ["serve", "--log-format", "json", "--log-level", "info"];

/// The rules of most tests.
pub(crate) const RULES: &str = r#"
default = "allow"

[[rule]]
path = "/admin/{*rest}"
roles = ["admin"]

[[rule]]
path = "/me/{*rest}"
authenticated = true

[[rule]]
path = "/open/{*rest}"
anonymous = true

[[rule]]
path = "/films/{film}"
methods = ["GET", "HEAD"]
roles = ["subscriber"]

[[rule]]
path = "/films/{*rest}"
roles = ["editor"]

[[rule]]
path = "/кино/{*rest}"
authenticated = true

[[rule]]
path = "/hosted/{*rest}"
hosts = ["members.example.org"]
authenticated = true
"#;

/// Everything that runs. Front ends go first, then what is behind them.
#[derive(Debug)]
pub(crate) struct Stand {
    pub(crate) front_ends: Vec<FrontEnd>,
    pub(crate) verifier: Option<Process>,
    pub(crate) echo: Echo,
    pub(crate) behind: Behind,
    admin: SocketAddr,
    keys: SocketAddr,
    _issuer: Process,
    /// What the feed is on, if there is one.
    redis: Option<RedisServer>,
    pub(crate) folder: TempDir,
}

impl Stand {
    /// Starts everything with these front ends, as far as they are installed. There is no feed: tokens are believed.
    pub(crate) async fn start(kinds: &[Kind], rules: &str) -> Self {
        Self::start_on(None, kinds, rules).await
    }

    /// Starts everything with a feed and a superuser. `None`, with a word about it, where there is no Redis.
    pub(crate) async fn start_with_feed(kinds: &[Kind], rules: &str) -> Option<Self> {
        let redis = RedisServer::start_or_skip("labels and revocations behind proxies", "")?;
        Some(Self::start_on(Some(redis), kinds, rules).await)
    }

    async fn start_on(redis: Option<RedisServer>, kinds: &[Kind], rules: &str) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("rules.toml"), rules).unwrap();
        let echo = Echo::start().await;
        let behind = Behind {
            issuer: free_address().await,
            verifier: free_address().await,
            service: echo.address,
        };
        let redis_url = redis.as_ref().map(RedisServer::url);
        let issuer_command = || issuer_command(&folder, behind, redis_url.as_deref());
        if redis.is_some() {
            create_superuser(&mut issuer_command());
        }
        let mut issuer = Process::start("issuer", issuer_command().args(SERVE), folder.path());
        issuer.address("the issuer listens");
        let mut stand = Self {
            front_ends: Vec::new(),
            verifier: None,
            echo,
            behind,
            admin: free_address().await,
            keys: serve_keys(behind.issuer).await,
            _issuer: issuer,
            redis,
            folder,
        };
        stand.start_verifier().await;
        for kind in kinds {
            if let Some(program) = kind.find() {
                let started = FrontEnd::start(*kind, &program, stand.folder.path(), behind).await;
                stand.front_ends.push(started);
            }
        }
        stand.echo.take_seen();
        stand
    }

    /// Starts the verifier where it was, and returns when it is ready.
    pub(crate) async fn start_verifier(&mut self) {
        self.start_verifier_with_keys_at(self.keys);
        let mut waited = Duration::ZERO;
        while Ask::get("/readyz")
            .host("127.0.0.1")
            .send(self.admin)
            .await
            .status
            != 200
        {
            assert!(waited < START_TIMEOUT, "the verifier is not ready");
            tokio::time::sleep(LOOK_EVERY).await;
            waited += LOOK_EVERY;
        }
    }

    /// Starts the verifier where it was, with its keys to be had there, and returns when it listens.
    pub(crate) fn start_verifier_with_keys_at(&mut self, keys: SocketAddr) {
        let mut command = Command::new(program("verifier"));
        command
            .args(["serve", "--log-format", "json", "--log-level", "info"])
            .current_dir(self.folder.path())
            .env_clear()
            .env("VERIFIER__LISTEN", self.behind.verifier.to_string())
            .env("VERIFIER__ADMIN_LISTEN", self.admin.to_string())
            .env("VERIFIER__ISSUER", self.issuer_url())
            .env("VERIFIER__JWKS_URL", format!("http://{keys}/"))
            .env("VERIFIER__RULES", "rules.toml")
            .env(
                "VERIFIER__LOGIN_URL",
                format!("{}/api/v1/token/continue", self.issuer_url()),
            )
            .env("VERIFIER__ALLOWED_RETURN_HOSTS", HOST)
            .env("VERIFIER__THREADS", "1");
        match &self.redis {
            Some(redis) => command.env("VERIFIER__REDIS__URL", redis.url()),
            None => command.env("VERIFIER__REVOCATIONS", "off"),
        };
        let mut process = Process::start("verifier", &mut command, self.folder.path());
        process.address("the verifier listens");
        self.verifier = Some(process);
    }

    /// The value of one of the verifier's metrics, named with its labels; 0 where there is no such sample.
    pub(crate) async fn metric(&self, sample: &str) -> u64 {
        let page = Ask::get("/metrics").host("127.0.0.1").send(self.admin).await.body;
        let value = page
            .lines()
            .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        value.map_or(0, |value| value.trim().parse().unwrap())
    }

    /// How many connections the verifier has accepted.
    pub(crate) async fn accepted(&self) -> u64 {
        let page = Ask::get("/metrics").host("127.0.0.1").send(self.admin).await.body;
        let samples = page.lines().filter(|line| {
            line.starts_with("verifier_http_connections_open ")
                || line.starts_with("verifier_http_connections_ended_total{")
        });
        let values = samples.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap());
        values.sum()
    }

    /// A forge of tokens that the verifier takes.
    pub(crate) fn forge(&self) -> TokenForge {
        TokenForge::new(&TestKey::number(0), SystemClock.now()).claim("iss", self.issuer_url())
    }

    fn issuer_url(&self) -> String {
        format!("http://{}", self.behind.issuer)
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        if std::thread::panicking() {
            show_logs(self.folder.path());
        }
    }
}

/// An address that nobody listens on, nor will: each is given once, and lies below the ports that the system gives to
/// connections, of which the tests open thousands.
pub(crate) async fn free_address() -> SocketAddr {
    const FIRST: u16 = 12_000;
    const COUNT: u32 = 18_000;
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    loop {
        // Other processes of this machine begin elsewhere.
        let number = std::process::id()
            .wrapping_mul(97)
            .wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + u16::try_from(number % COUNT).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).await.is_ok() {
            return SocketAddr::from(([127, 0, 0, 1], port));
        }
    }
}

fn create_superuser(command: &mut Command) {
    let (login, password) = SUPERUSER;
    let mut creating = command
        .args(["superuser", "create", "--login", login, "--password-stdin"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = creating.stdin.take().unwrap();
    writeln!(stdin, "{password}").unwrap();
    drop(stdin);
    assert!(creating.wait().unwrap().success());
}

fn issuer_command(folder: &TempDir, behind: Behind, redis_url: Option<&str>) -> Command {
    let mut command = Command::new(program("issuer"));
    command
        .current_dir(folder.path())
        .env_clear()
        .env("ISSUER__LISTEN", behind.issuer.to_string())
        .env("ISSUER__ADMIN_LISTEN", "127.0.0.1:0")
        .env("ISSUER__PUBLIC_URL", format!("http://{}", behind.issuer))
        .env("ISSUER__DATABASE__URL", "sqlite:usher.db")
        .env("ISSUER__PORTAL__ALLOWED_RETURN_HOSTS", HOST)
        .env("ISSUER__PASSWORD__MEMORY_KIB", "64")
        .env("ISSUER__PASSWORD__ITERATIONS", "1")
        .env("ISSUER__LIMITS__LOGIN_PER_IP", "off")
        .env("ISSUER__LIMITS__LOGIN_PER_ACCOUNT", "off")
        .env("ISSUER__LIMITS__REGISTER_PER_IP", "off");
    match redis_url {
        Some(url) => command.env("ISSUER__REDIS__URL", url),
        None => command.env("ISSUER__REDIS__DISABLED", "true"),
    };
    command
}

/// The issuer's keys, and that of the forge.
async fn serve_keys(issuer: SocketAddr) -> SocketAddr {
    let published = Ask::get("/.well-known/jwks.json").send(issuer).await;
    let mut keys: Value = serde_json::from_str(&published.body).unwrap();
    let forged: Value = serde_json::from_slice(&TestKey::jwks(&[&TestKey::number(0)])).unwrap();
    let all = keys["keys"].as_array_mut().unwrap();
    all.extend(forged["keys"].as_array().unwrap().iter().cloned());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let body = json!(keys);
    let route = axum::routing::get(move || {
        let body = body.clone();
        async move { axum::Json(body) }
    });
    let router = axum::Router::new().route("/", route);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}
