//! Issuers are restarted in turn: behind a balancer that asks whether they are ready, and behind nginx, which asks nobody. Nobody
//! notices.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::{Client, RequestBuilder, StatusCode};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::drill::{Drill, drill, single};
use crate::installed::installed;
use crate::load::PASSWORD;
use crate::world::process::Process;
use crate::world::{Issuer, Place, World};

/// People behind the balancer, whom nothing may happen to.
const GUESTS: usize = 4;

/// Answers of each issuer between two restarts.
const ANSWERS_BETWEEN: u64 = 20;

/// Longer than the balancer takes to notice that an issuer is not ready.
const UNTIL_NOTICED: &str = "3s";

/// Longer than the connections that nginx keeps are left unused.
const UNTIL_CONNECTIONS_ENDED: &str = "1s";

#[test]
fn nobody_notices_a_rolling_restart_behind_a_balancer() {
    let fault = "issuers are restarted in turn behind a balancer";
    if let Some(program) = installed("haproxy", fault) {
        restarted_in_turn(fault, UNTIL_NOTICED, |world, places| {
            Balancer::haproxy(&program, world, places)
        });
    }
}

#[test]
fn nobody_notices_a_rolling_restart_of_issuers_behind_nginx() {
    let fault = "issuers are restarted in turn behind nginx";
    if let Some(program) = installed("nginx", fault) {
        restarted_in_turn(fault, UNTIL_CONNECTIONS_ENDED, |world, places| {
            Balancer::nginx(&program, world, places)
        });
    }
}

fn restarted_in_turn(
    fault: &'static str,
    shutdown_delay: &'static str,
    balancer: impl FnOnce(&World, [Place; 2]) -> Balancer,
) {
    drill(single(fault), async |drill| {
        let issuers = drill.world.issuers.each_ref();
        let places = issuers.map(|issuer| issuer.stay(shutdown_delay));
        restart_each(drill, None).await;
        let balancer = balancer(&drill.world, places);
        let guests = Guests::start(&drill.world.client, &balancer);
        guests.served(drill).await;
        restart_each(drill, Some(&guests)).await;
        guests.leave().await;
        issuers.into_iter().for_each(Issuer::wander);
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

/// Something before both issuers, which tells in `x-served-by` whose answer it is.
struct Balancer {
    address: SocketAddr,
    issuers: [SocketAddr; 2],
    _process: Process,
}

impl Balancer {
    fn haproxy(program: &Path, world: &World, places: [Place; 2]) -> Self {
        let address = free_address();
        let [a, b] = places.map(|place| format!("{} check port {}", place.public, place.admin.port()));
        let configuration = format!(
            "defaults\n mode http\n timeout connect 1s\n timeout client 30s\n timeout server 30s\n timeout check 5s\n\
             frontend front\n bind {address}\n default_backend issuers\n\
             backend issuers\n balance roundrobin\n option httpchk GET /readyz\n http-check expect status 200\n \
             http-response set-header x-served-by %si:%sp\n default-server inter 100ms fall 1 rise 1\n \
             server a {a}\n server b {b}\n"
        );
        let file = world.folder.path().join("haproxy.cfg");
        std::fs::write(&file, configuration).unwrap();
        let mut command = Command::new(program);
        command.arg("-db").arg("-f").arg(file);
        Self {
            address,
            issuers: places.map(|place| place.public),
            _process: Process::start("haproxy", &mut command, world.folder.path()),
        }
    }

    /// With the file that we ship, and in it two issuers in place of one.
    fn nginx(program: &Path, world: &World, places: [Place; 2]) -> Self {
        let (address, folder) = (free_address(), world.folder.path());
        let issuers = places.map(|place| place.public);
        // One that is away is passed over, and asked again at the next request: left alone nginx would leave it out for ten
        // seconds, in which the other one is restarted.
        let servers = issuers.map(|issuer| format!("{issuer} max_fails=0"));
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../nginx/nginx.conf");
        let configuration = std::fs::read_to_string(shipped)
            .unwrap()
            .replace("${USHER_LISTEN}", &address.to_string())
            .replace("${USHER_ISSUER}", &servers.join("; server "))
            // Nobody asks for these.
            .replace("${USHER_VERIFIER}", "127.0.0.1:1")
            .replace("${USHER_SERVICE}", "127.0.0.1:1")
            .replace(
                "proxy_pass http://usher_issuer;",
                "proxy_pass http://usher_issuer; add_header x-served-by $upstream_addr always;",
            );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, configuration).unwrap();
        let mut command = Command::new(program);
        command
            .args(["-g", "daemon off; master_process off;", "-e", "stderr", "-p"])
            .arg(folder)
            .arg("-c")
            .arg(file);
        Self {
            address,
            issuers,
            _process: Process::start("nginx", &mut command, folder),
        }
    }
}

/// An address that nobody listens on now.
fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap()
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
    fn start(client: &Client, balancer: &Balancer) -> Self {
        let (served, stop) = (Arc::new(Served::default()), CancellationToken::new());
        let mut tasks = JoinSet::new();
        for number in 0..GUESTS {
            let guest = Guest {
                client: client.clone(),
                base: format!("http://{}/api/v1", balancer.address),
                issuers: balancer.issuers.map(|issuer| issuer.to_string()),
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
    issuers: [String; 2],
    login: String,
    served: Arc<Served>,
}

impl Guest {
    async fn stay(&self, stop: &CancellationToken) {
        // The balancer takes a moment to listen.
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
        // The last of those that nginx asked.
        let by = by.unwrap().to_str().unwrap().to_owned();
        let by = self.issuers.iter().position(|issuer| by.ends_with(issuer));
        self.served.0[by.unwrap()].fetch_add(1, Ordering::Relaxed);
        serde_json::from_slice(&body).unwrap_or_default()
    }
}
