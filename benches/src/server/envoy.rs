//! Envoy, one worker, which verifies tokens itself.

use std::process::{Command, Stdio};

use anyhow::Context as _;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Process, Serving, free_port, listens, loopback, said_of_itself};
use crate::verify::tokens::{AUDIENCE, ISSUER, ROLE};

/// What it does with a token beside verifying it.
#[derive(Clone, Copy, Debug)]
pub struct EnvoySettings {
    /// How many verified tokens it remembers; `None`: none.
    pub cache: Option<u32>,
    /// Whether it asks for a role.
    pub has_rbac: bool,
}

/// What it says of itself; `None`: it is not installed.
pub fn version() -> Option<String> {
    said_of_itself("envoy", "--version")
}

/// Starts one that checks signature, `iss`, `aud` and `exp` by this key set, and answers 204.
pub fn start(jwks: &str, settings: EnvoySettings) -> anyhow::Result<Serving> {
    let folder = tempfile::tempdir()?;
    let port = free_port()?;
    let file = folder.path().join("envoy.json");
    std::fs::write(&file, config(port, jwks, settings).to_string())?;
    let mut command = Command::new("envoy");
    command
        .args([
            "--concurrency",
            "1",
            "--disable-hot-restart",
            "-l",
            "critical",
            "-c",
        ])
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut process = Process::start(&mut command, Signal::TERM)?;
    process.wait_until(|| listens(port)).context("envoy")?;
    Ok(Serving::new(process, Some(folder), loopback(port)))
}

fn config(port: u16, jwks: &str, settings: EnvoySettings) -> Value {
    let mut filters = vec![jwt_authn(jwks, settings.cache)];
    if settings.has_rbac {
        filters.push(rbac());
    }
    filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
    }));
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.\
                  HttpConnectionManager",
        "stat_prefix": "bench",
        "generate_request_id": false,
        "route_config": {"virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 204}}],
        }]},
        "http_filters": filters,
    });
    json!({"static_resources": {"listeners": [{
        "name": "bench",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": manager,
        }]}],
    }]}})
}

fn jwt_authn(jwks: &str, cache: Option<u32>) -> Value {
    let mut provider = json!({
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "local_jwks": {"inline_string": jwks},
        "payload_in_metadata": "jwt_payload",
    });
    if let (Some(size), Some(provider)) = (cache, provider.as_object_mut()) {
        provider.insert("jwt_cache_config".into(), json!({"jwt_cache_size": size}));
    }
    json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"ours": provider},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "ours"}}],
        },
    })
}

fn rbac() -> Value {
    let role = json!({"metadata": {
        "filter": "envoy.filters.http.jwt_authn",
        "path": [{"key": "jwt_payload"}, {"key": "roles"}],
        "value": {"list_match": {"one_of": {"string_match": {"exact": ROLE}}}},
    }});
    let path = json!({"header": {"name": ":path", "string_match": {"prefix": "/"}}});
    json!({
        "name": "envoy.filters.http.rbac",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": {
                "action": "ALLOW",
                "policies": {"role": {"permissions": [path], "principals": [role]}},
            },
        },
    })
}
