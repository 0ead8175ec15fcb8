//! Issuers are restarted in turn behind a balancer that asks whether they are ready: nobody notices.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::{Client, RequestBuilder, StatusCode};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::drill::{Drill, drill, single};
use crate::load::PASSWORD;
use crate::world::process::Process;
use crate::world::{Issuer, World};

/// People behind the balancer, whom nothing may happen to.
const GUESTS: usize = 4;

/// Answers of each issuer between two restarts.
const ANSWERS_BETWEEN: u64 = 20;

#[test]
fn nobody_notices_a_rolling_restart_behind_a_balancer() {
    let fault = "issuers are restarted in turn behind a balancer";
    let Some(program) = haproxy(fault) else {
        return;
    };
    drill(single(fault), async |drill| {
        let places = drill.world.issuers.each_ref().map(Issuer::stay);
        restart_each(drill, None).await;
        let balancer = Balancer::start(&program, &drill.world, places);
        let guests = Guests::start(&drill.world.client, balancer.address);
        guests.served(drill).await;
        restart_each(drill, Some(&guests)).await;
        guests.leave().await;
        for issuer in &drill.world.issuers {
            issuer.wander();
        }
    });
}

/// As an operator does it: one after the other, each when the one before is back.
async fn restart_each(drill: &Drill, guests: Option<&Guests>) {
    for issuer in &drill.world.issuers {
        issuer.end(Signal::TERM);
        drill.world.start_issuer(issuer);
        issuer.ready(&drill.world.client).await;
        if let Some(guests) = guests {
            guests.served(drill).await;
        }
    }
}

/// Where the balancer's program is. `None`, with a word about it, where it is not installed; with `CI` set it has to be.
fn haproxy(test: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|folder| folder.join("haproxy"))
        .find(|program| program.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "CI needs haproxy");
        eprintln!("SKIPPED: {test}: haproxy is not installed");
    }
    found
}

/// A balancer before both issuers.
struct Balancer {
    address: SocketAddr,
    _process: Process,
}

impl Balancer {
    fn start(program: &std::path::Path, world: &World, places: [(SocketAddr, SocketAddr); 2]) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let [a, b] = places.map(|(public, admin)| format!("{public} check port {}", admin.port()));
        let configuration = format!(
            "defaults\n mode http\n timeout connect 1s\n timeout client 30s\n timeout server 30s\n timeout check 5s\n\
             frontend front\n bind {address}\n default_backend issuers\n\
             backend issuers\n balance roundrobin\n option httpchk GET /readyz\n http-check expect status 200\n \
             http-response set-header x-served-by %s\n default-server inter 100ms fall 1 rise 1\n \
             server a {a}\n server b {b}\n"
        );
        let file = world.folder.path().join("haproxy.cfg");
        std::fs::write(&file, configuration).unwrap();
        let mut command = Command::new(program);
        command.arg("-db").arg("-f").arg(file);
        Self {
            address,
            _process: Process::start("haproxy", &mut command, world.folder.path()),
        }
    }
}

/// How often each issuer has answered.
#[derive(Debug, Default)]
struct Served([AtomicU64; 2]);

/// People to whom every answer is as if nothing was going on.
struct Guests {
    served: Arc<Served>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Guests {
    fn start(client: &Client, balancer: SocketAddr) -> Self {
        let (served, stop) = (Arc::new(Served::default()), CancellationToken::new());
        let mut tasks = JoinSet::new();
        for number in 0..GUESTS {
            let guest = Guest {
                client: client.clone(),
                base: format!("http://{balancer}/api/v1"),
                login: format!(
                    "guest{number}_{:08x}",
                    u32::from_be_bytes(shared::crypto::random::bytes())
                ),
                served: Arc::clone(&served),
            };
            let stop = stop.clone();
            tasks.spawn(async move { guest.stay(&stop).await });
        }
        Self { served, stop, tasks }
    }

    /// Waits until both issuers have answered often enough again.
    async fn served(&self, drill: &Drill) {
        let enough = self
            .served
            .0
            .each_ref()
            .map(|count| count.load(Ordering::Relaxed) + ANSWERS_BETWEEN);
        drill
            .until("both issuers answer", || {
                let served = self.served.0.iter().zip(enough);
                served
                    .into_iter()
                    .all(|(count, enough)| count.load(Ordering::Relaxed) >= enough)
            })
            .await;
    }

    /// Fails if any of them was not answered as ever.
    async fn leave(mut self) {
        self.stop.cancel();
        while let Some(left) = self.tasks.join_next().await {
            left.unwrap();
        }
    }
}

struct Guest {
    client: Client,
    base: String,
    login: String,
    served: Arc<Served>,
}

impl Guest {
    async fn stay(&self, stop: &CancellationToken) {
        // HAProxy takes a moment to listen.
        while self
            .client
            .get(format!("{}/role", self.base))
            .send()
            .await
            .is_err()
        {
            tokio::task::yield_now().await;
        }
        let credentials = json!({"login": self.login, "password": PASSWORD});
        self.ask(self.post("/user").json(&credentials), StatusCode::CREATED)
            .await;
        while !stop.is_cancelled() {
            let pair = self
                .ask(self.post("/user/login").json(&credentials), StatusCode::OK)
                .await;
            // The same refresh token at both at once.
            let refresh = || {
                self.post("/token/refresh")
                    .json(&json!({"refresh_token": pair["refresh_token"]}))
            };
            let (one, other) = tokio::join!(
                self.ask(refresh(), StatusCode::OK),
                self.ask(refresh(), StatusCode::OK)
            );
            assert_eq!(one["refresh_token"], other["refresh_token"]);
            let access = one["access_token"].as_str().unwrap();
            let me = self
                .client
                .get(format!("{}/user/me", self.base))
                .bearer_auth(access);
            assert_eq!(self.ask(me, StatusCode::OK).await["login"], self.login);
            self.ask(
                self.post("/user/logout").bearer_auth(access),
                StatusCode::NO_CONTENT,
            )
            .await;
        }
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.base))
    }

    async fn ask(&self, request: RequestBuilder, status: StatusCode) -> Value {
        let answer = request.send().await.unwrap();
        let by = answer.headers().get("x-served-by").cloned();
        let (found, body) = (answer.status(), answer.bytes().await.unwrap());
        assert_eq!(found, status, "{}", String::from_utf8_lossy(&body));
        let by = usize::from(by.unwrap() == "b");
        self.served.0[by].fetch_add(1, Ordering::Relaxed);
        serde_json::from_slice(&body).unwrap_or_default()
    }
}
