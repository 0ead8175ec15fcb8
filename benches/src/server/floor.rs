//! The floor: hyper alone, on one thread, which answers 204 to everything.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};

use bytes::Bytes;
use clap::ValueEnum;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustix::process::Signal;
use shared::limits;
use tokio::net::TcpListener;

use super::{Process, Serving, free_port, listens, loopback};

/// How hyper is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FloorSettings {
    /// As it comes
    Default,
    /// As lean as our servers could have it
    Lean,
}

/// What to serve.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where on the loopback
    #[arg(long)]
    port: u16,
    /// How hyper is set
    #[arg(long)]
    settings: FloorSettings,
}

/// Starts one.
pub fn start(settings: FloorSettings) -> anyhow::Result<Serving> {
    let port = free_port()?;
    let settings = match settings {
        FloorSettings::Default => "default",
        FloorSettings::Lean => "lean",
    };
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["floor", "--settings", settings, "--port", &port.to_string()])
        .stdout(Stdio::null());
    let mut process = Process::start(&mut command, Signal::TERM)?;
    process.wait_until(|| listens(port))?;
    Ok(Serving::new(process, None, loopback(port)))
}

/// Serves until it is killed.
pub fn serve(arguments: &Arguments) -> anyhow::Result<()> {
    let mut builder = http1::Builder::new();
    if arguments.settings == FloorSettings::Lean {
        builder
            .writev(false)
            .header_read_timeout(None)
            .max_buf_size(limits::HEADER_BYTES_MAX);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
        let listener = TcpListener::bind(address).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let connection = builder.serve_connection(TokioIo::new(stream), service_fn(no_content));
            // A client that hangs up is no trouble of the floor's.
            tokio::spawn(async { drop(connection.await) });
        }
    })
}

async fn no_content(_: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}
