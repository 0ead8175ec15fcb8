//! The front ends, each started with its configuration of `deploy/`.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use crate::client::{Answer, Ask};
use crate::installed::installed;
use crate::process::{LOOK_EVERY, Process, START_TIMEOUT};
use crate::stand::free_address;

/// Who asks the verifier, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    HaProxy,
    Caddy,
    Traefik,
    EnvoyHttp,
    EnvoyGrpc,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [
        Self::Nginx,
        Self::HaProxy,
        Self::Caddy,
        Self::Traefik,
        Self::EnvoyHttp,
        Self::EnvoyGrpc,
    ];

    const fn program(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::HaProxy => "haproxy",
            Self::Caddy => "caddy",
            Self::Traefik => "traefik",
            Self::EnvoyHttp | Self::EnvoyGrpc => "envoy",
        }
    }

    /// Where its program is. `None`, with a word about it, where it is not installed; with `CI` set it has to be.
    pub(crate) fn find(self) -> Option<PathBuf> {
        installed(self.program(), &self.to_string())
    }

    /// Whether what it passes on is decoded and encoded again, as Go's library does: another spelling of the same path.
    pub(crate) const fn respells(self) -> bool {
        matches!(self, Self::Caddy | Self::Traefik)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EnvoyHttp => "envoy over HTTP",
            Self::EnvoyGrpc => "envoy over gRPC",
            Self::Nginx | Self::HaProxy | Self::Caddy | Self::Traefik => self.program(),
        })
    }
}

/// What stands behind the front ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behind {
    pub(crate) issuer: SocketAddr,
    pub(crate) verifier: SocketAddr,
    pub(crate) service: SocketAddr,
}

/// One that runs.
#[derive(Debug)]
pub(crate) struct FrontEnd {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    process: Option<Process>,
}

impl FrontEnd {
    /// Starts it, with its files in a folder of its own below this one.
    pub(crate) async fn start(kind: Kind, program: &Path, folder: &Path, behind: Behind) -> Self {
        let address = free_address().await;
        let own = folder.join(format!("{kind:?}"));
        std::fs::create_dir(&own).unwrap();
        let variables = variables(address, free_address().await, &own, behind);
        let mut command = Command::new(program);
        arguments(kind, &mut command, &own, &variables);
        command
            .current_dir(&own)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &own)
            .envs(variables.iter().map(|(name, value)| (*name, value)));
        let mut front_end = Self {
            kind,
            address,
            process: Some(Process::start(&format!("{kind:?}"), &mut command, folder)),
        };
        front_end.ready().await;
        front_end
    }

    /// Returns when it brings a request all the way through.
    async fn ready(&mut self) {
        let mut waited = std::time::Duration::ZERO;
        loop {
            let listens = tokio::net::TcpStream::connect(self.address).await.is_ok();
            if listens && self.send(&Ask::get("/open/ready")).await.status == 200 {
                return;
            }
            let process = self.process.as_mut().unwrap();
            let is_running = process.is_running();
            assert!(
                is_running && waited < START_TIMEOUT,
                "{} does not come up: {}",
                self.kind,
                process.said()
            );
            tokio::time::sleep(LOOK_EVERY).await;
            waited += LOOK_EVERY;
        }
    }

    pub(crate) async fn send(&self, ask: &Ask) -> Answer {
        ask.send(self.address).await
    }
}

impl Drop for FrontEnd {
    fn drop(&mut self) {
        // nginx and HAProxy end their workers only if they are asked to.
        if let Some(mut process) = self.process.take()
            && process.is_running()
        {
            process.end(Signal::TERM);
        }
    }
}

type Variables = Vec<(&'static str, String)>;

fn variables(listen: SocketAddr, ask: SocketAddr, own: &Path, behind: Behind) -> Variables {
    let Behind {
        issuer,
        verifier,
        service,
    } = behind;
    let deploy = deploy();
    let mut variables = vec![
        ("USHER_LUA", path(&deploy.join("haproxy/usher.lua"))),
        ("USHER_LUA_FOLDER", path(&deploy.join("envoy"))),
        ("USHER_DYNAMIC", path(&deploy.join("traefik/dynamic.yml"))),
        ("USHER_ASK_SOCKET", path(&own.join("ask.sock"))),
        ("USHER_ASK", ask.to_string()),
    ];
    for ([whole, host, port], address) in [
        (["USHER_LISTEN", "USHER_LISTEN_HOST", "USHER_LISTEN_PORT"], listen),
        (["USHER_ISSUER", "USHER_ISSUER_HOST", "USHER_ISSUER_PORT"], issuer),
        (
            ["USHER_VERIFIER", "USHER_VERIFIER_HOST", "USHER_VERIFIER_PORT"],
            verifier,
        ),
        (
            ["USHER_SERVICE", "USHER_SERVICE_HOST", "USHER_SERVICE_PORT"],
            service,
        ),
    ] {
        variables.push((whole, address.to_string()));
        variables.push((host, address.ip().to_string()));
        variables.push((port, address.port().to_string()));
    }
    variables
}

/// The file as it is, or a copy in which our variables are replaced, as `envsubst` would.
fn arguments(kind: Kind, command: &mut Command, own: &Path, variables: &Variables) {
    let file = |name: &str| deploy().join(name);
    let filled = |name: &str| {
        let mut text = std::fs::read_to_string(file(name)).unwrap();
        for (name, value) in variables {
            text = text.replace(&format!("${{{name}}}"), value);
        }
        let copy = own.join(Path::new(name).file_name().unwrap());
        std::fs::write(&copy, text).unwrap();
        copy
    };
    match kind {
        Kind::Nginx => command
            .args(["-g", "daemon off;", "-e", "stderr", "-p"])
            .arg(own)
            .arg("-c")
            .arg(filled("nginx/nginx.conf")),
        Kind::HaProxy => command.arg("-f").arg(file("haproxy/haproxy.cfg")),
        Kind::Caddy => command
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(file("caddy/Caddyfile")),
        Kind::Traefik => {
            let mut argument = std::ffi::OsString::from("--configFile=");
            argument.push(filled("traefik/traefik.yml"));
            command.arg(argument)
        }
        Kind::EnvoyHttp => envoy(command, &filled("envoy/http.yaml")),
        Kind::EnvoyGrpc => envoy(command, &filled("envoy/grpc.yaml")),
    };
}

fn envoy<'a>(command: &'a mut Command, configuration: &Path) -> &'a mut Command {
    command
        .args([
            "--disable-hot-restart",
            "--concurrency",
            "2",
            "-l",
            "warning",
            "-c",
        ])
        .arg(configuration)
}

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn path(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
