//! nginx, one worker, with a configuration of the bench's.

use std::process::{Command, Stdio};

use anyhow::Context as _;
use rustix::process::Signal;

use super::{Process, Serving, free_port, listens, loopback, said_of_itself};

/// What it says of itself; `None`: it is not installed.
pub fn version() -> Option<String> {
    said_of_itself("nginx", "-v")
}

/// Starts one with upstreams and locations of the bench's.
pub fn start(upstreams: &str, locations: &str) -> anyhow::Result<Serving> {
    let folder = tempfile::tempdir()?;
    let port = free_port()?;
    let config = format!(
        "worker_processes 1; daemon off; master_process off; error_log error.log; pid nginx.pid;\n\
         events {{ worker_connections 2048; }}\n\
         http {{ access_log off; keepalive_requests 100000000;\n\
         client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; uwsgi_temp_path d; scgi_temp_path e;\n\
         {upstreams}\n\
         server {{ listen 127.0.0.1:{port};\n{locations}\n}} }}\n"
    );
    let file = folder.path().join("nginx.conf");
    std::fs::write(&file, config)?;
    let mut command = Command::new("nginx");
    command
        .arg("-p")
        .arg(folder.path())
        .arg("-c")
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut process = Process::start(&mut command, Signal::TERM)?;
    let log = folder.path().join("error.log");
    process
        .wait_until(|| listens(port))
        .with_context(|| format!("nginx said: {}", std::fs::read_to_string(log).unwrap_or_default()))?;
    Ok(Serving::new(process, Some(folder), loopback(port)))
}
