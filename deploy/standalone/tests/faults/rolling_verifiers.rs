//! Verifiers are restarted in turn behind nginx, which asks one of them about each request: nobody notices.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::{Client, StatusCode};
use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::drill::{Drill, drill, single};
use crate::installed::installed;
use crate::load::access_token;
use crate::world::process::Process;
use crate::world::{SIGNED_IN, VERIFIERS, Verifier, World};

/// People behind nginx, whom nothing may happen to.
const GUESTS: usize = 4;

/// Answers between two restarts, and while one is away.
const ANSWERS_BETWEEN: u64 = 50;

#[test]
fn nobody_notices_a_rolling_restart_of_verifiers_behind_nginx() {
    let fault = "verifiers are restarted in turn behind nginx";
    let Some(program) = installed("nginx", fault) else {
        return;
    };
    drill(single(fault), async |drill| {
        let places = drill.world.verifiers.each_ref().map(Verifier::stay);
        let front = Front::start(&program, &drill.world, places);
        let guests = Guests::start(drill, front.address).await;
        guests.answered(drill).await;
        for (place, verifier) in drill.world.verifiers.iter().enumerate() {
            drill.history.set_must_answer(place, false);
            verifier.end(Signal::TERM);
            guests.answered(drill).await;
            verifier.start();
            drill.history.set_must_answer(place, true);
            drill.decides(place).await;
            guests.answered(drill).await;
        }
        guests.leave().await;
        drill.world.verifiers.iter().for_each(Verifier::wander);
    });
}

/// nginx before a page, for which it asks the verifiers.
struct Front {
    address: SocketAddr,
    _process: Process,
}

impl Front {
    fn start(program: &Path, world: &World, places: [SocketAddr; VERIFIERS]) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let folder = world.folder.path();
        std::fs::write(folder.join("page"), "seen").unwrap();
        let servers: String = places
            .map(|place| format!("server {place} max_fails=0; "))
            .concat();
        // One process, with the rights that the folder asks for. A verifier that is not there, or knows too little yet, is
        // passed over. It is asked again at the next request: left alone nginx would leave it out for ten seconds, in which
        // the others are restarted.
        let configuration = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr warn;\n\
             events {{ }}\n\
             http {{\n access_log off;\n client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n \
             uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n \
             upstream verifiers {{ {servers} keepalive 8; }}\n \
             server {{\n listen {address};\n root .;\n \
             location = {SIGNED_IN} {{ auth_request /ask; try_files /page =404; }}\n \
             location = /ask {{ internal; proxy_pass http://verifiers/authz/auth-request; proxy_http_version 1.1;\n \
             proxy_set_header Connection \"\"; proxy_set_header X-Original-Method $request_method;\n \
             proxy_set_header X-Original-URI $request_uri; proxy_pass_request_body off;\n \
             proxy_set_header Content-Length \"\"; proxy_connect_timeout 1s;\n \
             proxy_next_upstream error timeout http_503; }}\n }}\n}}\n"
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, configuration).unwrap();
        let mut command = Command::new(program);
        command.arg("-p").arg(folder).arg("-c").arg(file);
        Self {
            address,
            _process: Process::start("nginx", &mut command, folder),
        }
    }
}

/// People to whom every answer is as if nothing was going on.
struct Guests {
    answered: Arc<AtomicU64>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Guests {
    async fn start(drill: &Drill, front: SocketAddr) -> Self {
        let (answered, stop) = (Arc::<AtomicU64>::default(), CancellationToken::new());
        let mut tasks = JoinSet::new();
        for _ in 0..GUESTS {
            let login = format!("g{:032x}", u128::from_be_bytes(shared::crypto::random::bytes()));
            let token = access_token(&drill.world, 0, "/api/v1/user", &login)
                .await
                .unwrap();
            let guest = Guest {
                client: drill.world.client.clone(),
                page: format!("http://{front}{SIGNED_IN}"),
                token,
                answered: Arc::clone(&answered),
            };
            let stop = stop.clone();
            tasks.spawn(async move { guest.stay(&stop).await });
        }
        Self {
            answered,
            stop,
            tasks,
        }
    }

    /// Waits until there are enough answers more, or one of them was wrong.
    async fn answered(&self, drill: &Drill) {
        let enough = self.answered.load(Ordering::Relaxed) + ANSWERS_BETWEEN;
        drill
            .until("the guests are answered", || {
                self.answered.load(Ordering::Relaxed) >= enough
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
    page: String,
    token: String,
    answered: Arc<AtomicU64>,
}

impl Guest {
    async fn stay(&self, stop: &CancellationToken) {
        // nginx takes a moment to listen.
        while self.client.get(&self.page).send().await.is_err() {
            tokio::task::yield_now().await;
        }
        while !stop.is_cancelled() {
            let with = self.client.get(&self.page).bearer_auth(&self.token);
            assert_eq!(with.send().await.unwrap().status(), StatusCode::OK);
            let without = self.client.get(&self.page).send().await.unwrap();
            assert_eq!(without.status(), StatusCode::UNAUTHORIZED);
            self.answered.fetch_add(2, Ordering::Relaxed);
        }
    }
}
