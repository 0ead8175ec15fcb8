//! What it costs a proxy to ask: nginx with `auth_request`, and whom it asks, on one core.

use std::fmt::Write as _;
use std::time::Duration;

use crate::load::{Request, Target, Until};
use crate::report::{Figure, Report, Spread};
use crate::server::envoy::{self, EnvoySettings};
use crate::server::{Serving, nginx};
use crate::verify::contestant::{self, ENVOY_CACHE, Kind, Run};
use crate::verify::site::{ORIGINAL_PATH, PATH, REVOCATIONS, Site};

const ROUNDS: usize = 9;
const LASTING: Duration = Duration::from_secs(1);

/// Whom nginx asks.
struct Way {
    name: &'static str,
    location: &'static str,
    asks: Option<Serving>,
}

/// Measures nginx alone, and with each of those that it asks.
pub fn run() -> anyhow::Result<Report> {
    let site = Site::start(REVOCATIONS, 1)?;
    let mut report = Report {
        bench: "proxies",
        setting: format!("one token; {}; {ROUNDS} rounds", site.words()),
        figures: Vec::new(),
        notes: Vec::new(),
    };
    if let Some(how) = Kind::Nginx.missing() {
        report.notes.push(how.to_owned());
    } else {
        measure(&site, &mut report)?;
    }
    site.cores.be_free()?;
    site.end()?;
    Ok(report)
}

fn measure(site: &Site, report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("verifier.sock");
    let over_unix = site.verifier(Some(&socket))?;
    let over_tcp = site.verifier(None)?;
    let tcp = over_tcp.address().to_string();
    let mut upstreams = vec![("unix", format!("unix:{}", socket.display())), ("tcp", tcp)];
    let mut ways = vec![
        way("nginx alone", "alone", None),
        way("nginx asks the verifier, Unix socket", "unix", Some(over_unix)),
        way("nginx asks the verifier, TCP", "tcp", Some(over_tcp)),
    ];
    if let Some(how) = Kind::EnvoyCache.missing() {
        report.notes.push(how.to_owned());
    } else {
        let jwks = site.tokens.jwks()?;
        let settings = EnvoySettings {
            cache: Some(ENVOY_CACHE),
            has_rbac: false,
        };
        let envoy = site.cores.on_server(|| envoy::start(&jwks, settings))?;
        upstreams.push(("envoy", envoy.address().to_string()));
        ways.push(way("nginx asks Envoy, TCP", "envoy", Some(envoy)));
    }
    let nginx = site.cores.on_server(|| start_nginx(&upstreams))?;
    let token = site.tokens.all().first().map_or("", String::as_str);
    let target = Target::Tcp(nginx.address());
    let mut runs = vec![Vec::new(); ways.len()];
    for _ in 0..ROUNDS {
        for (way, runs) in ways.iter().zip(&mut runs) {
            let servings: Vec<_> = std::iter::once(&nginx).chain(&way.asks).collect();
            let requests = [request(way.location, token)];
            runs.push(contestant::run(
                &servings,
                &target,
                &requests,
                Until::Passed(LASTING),
            )?);
        }
    }
    tell(report, &ways, &runs);
    Ok(())
}

fn way(name: &'static str, location: &'static str, asks: Option<Serving>) -> Way {
    Way { name, location, asks }
}

fn start_nginx(upstreams: &[(&str, String)]) -> anyhow::Result<Serving> {
    let (mut pools, mut locations) = (String::new(), "location /alone { empty_gif; }\n".to_owned());
    for (name, server) in upstreams {
        writeln!(
            pools,
            "upstream {name} {{ server {server}; keepalive 128; keepalive_requests 100000000; }}"
        )?;
        // A `proxy_set_header` of its own drops those that a location inherits, and without an empty `Connection`
        // each subrequest has a new connection.
        writeln!(
            locations,
            "location = /ask-{name} {{ internal; proxy_pass http://{name}{PATH}; proxy_http_version 1.1;\n\
             proxy_pass_request_body off; proxy_set_header Content-Length \"\"; proxy_set_header Connection \"\";\n\
             proxy_set_header Host $host; proxy_set_header X-Original-Method $request_method;\n\
             proxy_set_header X-Original-URI {ORIGINAL_PATH}; proxy_set_header X-Original-Host $host; }}\n\
             location /{name} {{ auth_request /ask-{name}; \
             auth_request_set $subject $upstream_http_x_auth_subject; empty_gif; }}"
        )?;
    }
    nginx::start(&pools, &locations)
}

fn request(location: &str, token: &str) -> Request {
    Request {
        bytes: format!(
            "GET /{location} HTTP/1.1\r\nHost: movies.example.org\r\nAuthorization: Bearer {token}\r\n\r\n"
        )
        .into_bytes(),
        expects: 200,
    }
}

fn tell(report: &mut Report, ways: &[Way], runs: &[Vec<Run>]) {
    let Some((alone, asking)) = runs.split_first() else {
        return;
    };
    let cpu_us = Spread::of(alone.iter().map(|run| run.cpu_us).collect());
    report
        .figures
        .push(Figure::median("nginx alone", cpu_us, "µs a request"));
    let added = asking.iter().map(|runs| {
        let pairs = runs.iter().zip(alone);
        pairs
            .map(|(asking, alone)| asking.cpu_us - alone.cpu_us)
            .collect()
    });
    let added: Vec<Vec<f64>> = added.collect();
    for (way, added) in ways.iter().skip(1).zip(&added) {
        let name = format!("{}, added", way.name);
        report
            .figures
            .push(Figure::median(name, Spread::of(added.clone()), "µs a request"));
    }
    if let [unix, tcp, others @ ..] = added.as_slice() {
        let ratios = |theirs: &[f64]| {
            unix.iter()
                .zip(theirs)
                .map(|(ours, theirs)| ours / theirs)
                .collect()
        };
        report.compare("Unix socket by TCP, added", ratios(tcp));
        if let [envoy] = others {
            report.compare("verifier over the Unix socket by Envoy, added", ratios(envoy));
        }
    }
}
