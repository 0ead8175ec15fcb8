//! Whoever is measured in turns with the verifier.

use super::site::{Site, request};
use super::tokens::tampered;
use crate::load::{Request, Target, Until, closed};
use crate::server::envoy::{self, EnvoySettings};
use crate::server::floor::{self, FloorSettings};
use crate::server::{Serving, haproxy, nginx};

/// One that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ours.
    Verifier,
    /// hyper as it comes, which answers 204.
    Floor,
    /// hyper, set as lean as it can be.
    LeanFloor,
    /// nginx, which answers 204.
    Nginx,
    /// `HAProxy`'s `jwt_verify`.
    Haproxy,
    /// Envoy's `jwt_authn`.
    Envoy,
    /// With a cache of tokens.
    EnvoyCache,
    /// With a cache of tokens and a check of the role.
    EnvoyRbac,
}

impl Kind {
    /// In a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Verifier => "verifier",
            Self::Floor => "bare hyper 204",
            Self::LeanFloor => "bare hyper 204, our settings",
            Self::Nginx => "nginx 204",
            Self::Haproxy => "HAProxy jwt_verify",
            Self::Envoy => "Envoy jwt_authn",
            Self::EnvoyCache => "Envoy jwt_authn, cache",
            Self::EnvoyRbac => "Envoy jwt_authn, cache, RBAC",
        }
    }

    /// Why it is missing, and how to get it.
    pub fn missing(self) -> Option<&'static str> {
        let (is_there, how) = match self {
            Self::Verifier | Self::Floor | Self::LeanFloor => (true, ""),
            Self::Nginx => (
                nginx::version().is_some(),
                "nginx is not installed: apt-get install nginx",
            ),
            Self::Haproxy => (
                haproxy::version().is_some(),
                "HAProxy is not installed: apt-get install haproxy",
            ),
            Self::Envoy | Self::EnvoyCache | Self::EnvoyRbac => (
                envoy::version().is_some(),
                "Envoy is not installed: https://www.envoyproxy.io/docs/envoy/latest/start/install",
            ),
        };
        (!is_there).then_some(how)
    }

    /// Whether it takes every token for good.
    fn is_blind(self) -> bool {
        matches!(self, Self::Floor | Self::LeanFloor | Self::Nginx)
    }
}

/// One that runs.
pub struct Contestant {
    /// Which.
    pub kind: Kind,
    /// Its process.
    pub serving: Serving,
    /// Where it listens.
    pub target: Target,
}

/// What a run says.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Requests a second.
    pub per_second: f64,
    /// Processor time of the server, in microseconds a request.
    pub cpu_us: f64,
    /// Which part of the time the server's core was busy with it.
    pub busy: f64,
}

impl Contestant {
    /// Starts one on the server's core.
    pub fn start(kind: Kind, site: &Site) -> anyhow::Result<Self> {
        let jwks = site.tokens.jwks()?;
        let envoy = |cache, has_rbac| envoy::start(&jwks, EnvoySettings { cache, has_rbac });
        let on_server = |start: &dyn Fn() -> anyhow::Result<Serving>| site.cores.on_server(start);
        let serving = match kind {
            Kind::Verifier => site.verifier(None)?,
            Kind::Floor => on_server(&|| floor::start(FloorSettings::Default))?,
            Kind::LeanFloor => on_server(&|| floor::start(FloorSettings::Lean))?,
            Kind::Nginx => on_server(&|| nginx::start("", "location / { return 204; }"))?,
            Kind::Haproxy => on_server(&|| haproxy::start(&site.tokens.pem()?))?,
            Kind::Envoy => on_server(&|| envoy(None, false))?,
            Kind::EnvoyCache => on_server(&|| envoy(Some(ENVOY_CACHE), false))?,
            Kind::EnvoyRbac => on_server(&|| envoy(Some(ENVOY_CACHE), true))?,
        };
        Ok(Self {
            kind,
            target: Target::Tcp(serving.address()),
            serving,
        })
    }

    /// Starts those of these that are installed; the others go into the notes.
    pub fn start_all(kinds: &[Kind], site: &Site, notes: &mut Vec<String>) -> anyhow::Result<Vec<Self>> {
        let mut started = Vec::new();
        for kind in kinds {
            match kind.missing() {
                None => started.push(Self::start(*kind, site)?),
                Some(how) => notes.push(how.to_owned()),
            }
        }
        notes.dedup();
        Ok(started)
    }

    /// Requests with these tokens; of so many, one has a signature that does not hold (0: none).
    pub fn requests(&self, tokens: &[String], one_bad_of: usize) -> anyhow::Result<Vec<Request>> {
        let good = if self.kind == Kind::Verifier { 200 } else { 204 };
        let bad = if self.kind.is_blind() { good } else { 401 };
        let requests = tokens.iter().enumerate().map(|(number, token)| {
            if one_bad_of > 0 && number % one_bad_of == 0 {
                Ok(request(&tampered(token)?, bad))
            } else {
                Ok(request(token, good))
            }
        });
        requests.collect()
    }

    /// Puts it under load.
    pub fn run(&self, requests: &[Request], until: Until) -> anyhow::Result<Run> {
        run(&[&self.serving], &self.target, requests, until)
    }
}

/// Puts servers under load, of which the first is asked; their processor times are added up.
#[expect(clippy::cast_precision_loss, reason = "some millions")]
pub fn run(
    servings: &[&Serving],
    target: &Target,
    requests: &[Request],
    until: Until,
) -> anyhow::Result<Run> {
    let cpu_seconds = || -> anyhow::Result<f64> {
        let each = servings.iter().map(|serving| serving.process().cpu_seconds());
        each.sum()
    };
    let before = cpu_seconds()?;
    let answered = closed(target, requests, until)?;
    let cpu_s = cpu_seconds()? - before;
    Ok(Run {
        per_second: answered.requests as f64 / answered.seconds,
        cpu_us: cpu_s * 1e6 / answered.requests as f64,
        busy: cpu_s / answered.seconds,
    })
}

/// As many as are in rotation, and some more.
pub const ENVOY_CACHE: u32 = 12_000;
