//! `HAProxy`, one thread, which verifies tokens itself.

use std::process::{Command, Stdio};

use anyhow::Context as _;
use rustix::process::Signal;

use super::{Process, Serving, free_port, listens, loopback, said_of_itself};
use crate::verify::tokens::{AUDIENCE, ISSUER};

/// What it says of itself; `None`: it is not installed.
pub fn version() -> Option<String> {
    said_of_itself("haproxy", "-v")
}

/// Starts one that checks algorithm, `iss`, `aud`, `exp` and the signature by this key, in PEM, and answers 204.
pub fn start(key_pem: &str) -> anyhow::Result<Serving> {
    let folder = tempfile::tempdir()?;
    let port = free_port()?;
    let key = folder.path().join("key.pem");
    std::fs::write(&key, key_pem)?;
    let key = key.display();
    let config = format!(
        "global\n  nbthread 1\n  maxconn 2000\n\
         defaults\n  mode http\n  timeout client 60s\n  timeout server 60s\n  timeout connect 5s\n  \
         timeout http-keep-alive 60s\n\
         frontend full\n  bind 127.0.0.1:{port}\n  \
         http-request set-var(txn.bearer) http_auth_bearer\n  \
         http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')\n  \
         http-request set-var(txn.iss) var(txn.bearer),jwt_payload_query('$.iss')\n  \
         http-request set-var(txn.aud) var(txn.bearer),jwt_payload_query('$.aud')\n  \
         http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')\n  \
         http-request set-var(txn.now) date()\n  \
         http-request deny deny_status 401 unless {{ var(txn.alg) -m str RS256 }}\n  \
         http-request deny deny_status 401 unless {{ var(txn.iss) -m str {ISSUER} }}\n  \
         http-request deny deny_status 401 unless {{ var(txn.aud) -m str {AUDIENCE} }}\n  \
         http-request deny deny_status 401 if {{ var(txn.exp),sub(txn.now) -m int lt 0 }}\n  \
         http-request deny deny_status 401 unless {{ var(txn.bearer),jwt_verify(txn.alg,\"{key}\") 1 }}\n  \
         http-request return status 204\n"
    );
    let file = folder.path().join("haproxy.cfg");
    std::fs::write(&file, config)?;
    let mut command = Command::new("haproxy");
    command
        .arg("-db")
        .arg("-f")
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut process = Process::start(&mut command, Signal::TERM)?;
    process.wait_until(|| listens(port)).context("haproxy")?;
    Ok(Serving::new(process, Some(folder), loopback(port)))
}
