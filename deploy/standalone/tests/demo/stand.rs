//! What the tests drive: nginx before usher and the movie service, on ports of their own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use http::{HeaderMap, Method, Uri};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::client::{Answer, Ask};
use crate::installed::installed;
use crate::relay::Relay;

pub(crate) const OPEN_FILM: &str = "/api/v1/films/0f3b9a52-6f0e-4c1e-9a55-2d7b1c8e4a10";
pub(crate) const SUBSCRIBER_FILM: &str = "/api/v1/films/7c9e6679-7425-40de-944b-e07fc1f90ae7";

/// The films that carry labels, as `start.sh` puts them there.
const LABELS: &str = include_str!("../../../demo/labels.jsonl");

const SUPERUSER: (&str, &str) = ("keymaker", "every door has one key");
const PASSWORD: &str = "follow the white rabbit";

/// A request that reached the movie service.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
}

/// Everything that runs.
#[derive(Debug)]
pub(crate) struct Stand {
    /// Where nginx listens.
    pub(crate) address: SocketAddr,
    pub(crate) relay: Relay,
    pub(crate) usher: tokio::process::Child,
    nginx: Nginx,
    seen: Arc<Mutex<Vec<Seen>>>,
    folder: TempDir,
}

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    pub(crate) id: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl SignedIn {
    fn of(answer: &Answer) -> Self {
        Self {
            id: answer.text("user_id"),
            access: answer.text("access_token"),
            refresh: answer.text("refresh_token"),
        }
    }
}

impl Stand {
    /// Starts everything. `None`, with a word about it, where there is no nginx; with `CI` set there has to be one.
    pub(crate) async fn start() -> Option<Self> {
        let program = installed("nginx", "the demo behind nginx")?;
        let folder = TempDir::new().unwrap();
        let (usher, issuer, verifier) = start_usher(&folder.path().join("data")).await;
        let relay = Relay::to(verifier).await;
        let seen = Arc::default();
        let service = start_movies(Arc::clone(&seen)).await;
        let (nginx, address) = Nginx::start(&program, folder.path(), issuer, relay.address, service).await;
        let stand = Self {
            address,
            relay,
            usher,
            nginx,
            seen,
            folder,
        };
        stand.label_films().await;
        Some(stand)
    }

    /// Does what `start.sh` does: a role, a label that asks for it, and the films that carry the label.
    async fn label_films(&self) {
        let superuser = self.superuser().await;
        let by_superuser = |method, path| Ask::new(method, path).bearer(&superuser.access);
        let role = by_superuser("POST", "/api/v1/role").json(&json!({"name": "subscriber"}));
        let label = by_superuser("PUT", "/api/v1/label/subscribers")
            .json(&json!({"roles": ["subscriber"], "anonymous": false}));
        let films = by_superuser("POST", "/api/v1/film/label").lines(LABELS);
        for (ask, status) in [(role, 201), (label, 201), (films, 200)] {
            let answer = self.send(ask).await;
            assert_eq!(answer.status, status, "{answer:?}");
        }
    }

    pub(crate) async fn send(&self, ask: Ask) -> Answer {
        ask.send(self.address).await
    }

    /// The status of a film for an anonymous caller, or the bearer of a token.
    pub(crate) async fn film(&self, path: &str, token: Option<&str>) -> Answer {
        let ask = Ask::get(path);
        self.send(match token {
            Some(token) => ask.bearer(token),
            None => ask,
        })
        .await
    }

    /// Registers somebody, who is then signed in.
    pub(crate) async fn register(&self, login: &str) -> SignedIn {
        let ask = Ask::post("/api/v1/user").json(&json!({"login": login, "password": PASSWORD}));
        let answer = self.send(ask).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        SignedIn::of(&answer)
    }

    /// Signs the superuser in.
    pub(crate) async fn superuser(&self) -> SignedIn {
        let (login, password) = SUPERUSER;
        let ask = Ask::post("/api/v1/user/login").json(&json!({"login": login, "password": password}));
        let answer = self.send(ask).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        SignedIn::of(&answer)
    }

    pub(crate) async fn refresh(&self, who: &SignedIn) -> SignedIn {
        let ask = Ask::post("/api/v1/token/refresh").json(&json!({"refresh_token": who.refresh}));
        let answer = self.send(ask).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        SignedIn::of(&answer)
    }

    /// Gives the role `subscriber` to somebody.
    pub(crate) async fn subscribe(&self, who: &SignedIn) {
        let superuser = self.superuser().await;
        let roles = self
            .send(Ask::get("/api/v1/role").bearer(&superuser.access))
            .await
            .value();
        let mut roles = roles["items"].as_array().unwrap().iter();
        let role = roles.find(|role| role["name"] == "subscriber").unwrap();
        let grant = format!("/api/v1/user/{}/role/{}", who.id, role["id"].as_str().unwrap());
        let granted = self.send(Ask::post(&grant).bearer(&superuser.access)).await;
        assert_eq!(granted.status, 204, "{granted:?}");
    }

    /// What reached the movie service since the last time.
    pub(crate) fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    /// How many worker processes nginx has.
    pub(crate) fn nginx_workers(&self) -> usize {
        let master = self.nginx.0.id();
        let children = std::fs::read_to_string(format!("/proc/{master}/task/{master}/children")).unwrap();
        children.split_whitespace().count()
    }

    /// Stops nginx when it is done with what is under way, and gives all that it logged.
    pub(crate) fn logs(mut self) -> String {
        self.nginx.stop(Signal::QUIT);
        let log = |name| std::fs::read_to_string(self.folder.path().join(name)).unwrap();
        log("access.log") + &log("error.log")
    }
}

/// An address that nobody listens on now.
pub(crate) async fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

/// The process, and where its issuer and its verifier listen, as it says itself.
async fn start_usher(data: &Path) -> (tokio::process::Child, SocketAddr, SocketAddr) {
    let anywhere = "127.0.0.1:0";
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_usher"))
        .args(["--issuer-listen", anywhere])
        .args(["--verifier-listen", anywhere, "--admin-listen", anywhere])
        .args(["--log-level", "warn", "--data-dir"])
        .arg(data)
        .env("USHER_SUPERUSER_LOGIN", SUPERUSER.0)
        .env("USHER_SUPERUSER_PASSWORD", SUPERUSER.1)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut address_of = async |name: &str| loop {
        let line = lines.next_line().await.unwrap();
        let line = line.unwrap_or_else(|| panic!("usher ended before it said where its {name} is"));
        let mut words = line.split_whitespace();
        if words.next() == Some(name) {
            let url = words.next().unwrap();
            break url.strip_prefix("http://").unwrap().parse().unwrap();
        }
    };
    let issuer = address_of("issuer").await;
    let verifier = address_of("verifier").await;
    // What else it prints must have a reader.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, issuer, verifier)
}

async fn start_movies(seen: Arc<Mutex<Vec<Seen>>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let record = from_fn(move |request: Request, next: Next| {
        seen.lock().unwrap().push(Seen {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
        });
        next.run(request)
    });
    let service = movies::router(movies::Films::built_in().unwrap()).layer(record);
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

/// nginx, until it is dropped.
#[derive(Debug)]
struct Nginx(Child);

impl Nginx {
    async fn start(
        program: &Path,
        folder: &Path,
        issuer: SocketAddr,
        verifier: SocketAddr,
        service: SocketAddr,
    ) -> (Self, SocketAddr) {
        let address = free_address().await;
        let configuration = include_str!("../../../nginx/nginx.conf")
            .replace("${USHER_LISTEN}", &address.to_string())
            .replace("${USHER_ISSUER}", &issuer.to_string())
            .replace("${USHER_VERIFIER}", &verifier.to_string())
            .replace("${USHER_SERVICE}", &service.to_string());
        let file = folder.join("nginx.conf");
        std::fs::write(&file, configuration).unwrap();
        let mut child = Command::new(program)
            .args(["-g", "daemon off;", "-e", "stderr", "-p"])
            .arg(folder)
            .arg("-c")
            .arg(&file)
            .spawn()
            .unwrap();
        // nginx tells nobody when it listens.
        while TcpStream::connect(address).await.is_err() {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "nginx ended: {ended:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (Self(child), address)
    }

    /// Signals the master, which ends its workers, and waits for it.
    fn stop(&mut self, how: Signal) {
        if self.0.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = kill_process(Pid::from_child(&self.0), how);
            let _ = self.0.wait();
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.stop(Signal::TERM);
    }
}
