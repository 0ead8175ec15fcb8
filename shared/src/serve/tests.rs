use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::metrics::End;
use super::*;
use crate::config::ListenAddress;

mod bounds;
mod drain;
mod secured;
mod unix;
mod workers;

/// Far beyond what any test takes: a failure ends in an error, not in a hang.
const PATIENCE: Duration = Duration::from_secs(20);

async fn patiently<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("not done in time")
}

struct Server {
    address: BoundAddress,
    metrics: ServeMetrics,
    stop: CancellationToken,
    serving: JoinHandle<Drained>,
    /// Notified when a request for `/wait` has begun to wait.
    waiting: Arc<Notify>,
}

impl Server {
    /// Serves on a listener, answering with the peer and the path. `/wait` waits until `released` is notified.
    fn start(listener: Listener, options: ServeOptions, released: Arc<Notify>) -> Self {
        let waiting = Arc::new(Notify::new());
        let begun = Arc::clone(&waiting);
        let service = tower::service_fn(move |request: Request<Incoming>| {
            let (released, begun) = (Arc::clone(&released), Arc::clone(&begun));
            async move {
                if request.uri().path() == "/wait" {
                    begun.notify_one();
                    released.notified().await;
                }
                let peer = request.extensions().get::<Peer>().copied();
                let who = match peer {
                    Some(Peer::Tcp(address)) => address.ip().to_string(),
                    Some(Peer::Unix) => "unix".to_owned(),
                    None => "nobody".to_owned(),
                };
                let text = format!("{who} {} {:?}", request.uri().path(), request.version());
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
            }
        });
        let (address, metrics) = (listener.address().clone(), options.metrics.clone());
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(vec![listener], service, options, stop.clone()));
        Self {
            address,
            metrics,
            stop,
            serving,
            waiting,
        }
    }

    async fn on_tcp(options: ServeOptions) -> Self {
        Self::start(tcp_listener().await, options, Arc::new(Notify::new()))
    }

    fn tcp_address(&self) -> SocketAddr {
        match &self.address {
            BoundAddress::Tcp(address) => *address,
            BoundAddress::Unix(path) => panic!("{} is no TCP address", path.display()),
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.tcp_address()).await.unwrap()
    }

    async fn stop(self) -> Drained {
        self.stop.cancel();
        patiently(self.serving).await.unwrap()
    }
}

async fn tcp_listener() -> Listener {
    Listener::bind(&ListenAddress::tcp("127.0.0.1", 0), UNIX_SOCKET_MODE)
        .await
        .unwrap()
}

/// Sends a request and reads one response whose body has a `content-length`.
async fn ask<C: AsyncRead + AsyncWrite + Unpin>(connection: &mut C, path: &str) -> io::Result<String> {
    connection
        .write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes())
        .await?;
    response(connection).await
}

async fn response<C: AsyncRead + Unpin>(connection: &mut C) -> io::Result<String> {
    let mut text = String::new();
    loop {
        let mut buffer = [0; 4096];
        let count = patiently(connection.read(&mut buffer)).await?;
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        let complete = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            body.len() >= length.map_or(0, |length| length.parse().unwrap())
        });
        if complete || count == 0 {
            return Ok(text);
        }
    }
}

/// Everything until the server closes; a reset counts as an end, too.
async fn rest<C: AsyncRead + Unpin>(connection: &mut C) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = patiently(connection.read_to_end(&mut bytes)).await;
    bytes
}

#[tokio::test]
async fn http_1_is_served_with_its_peer_again_and_again() {
    let server = Server::on_tcp(ServeOptions::default()).await;
    let mut connection = server.connect().await;
    for path in ["/a", "/b"] {
        let answer = ask(&mut connection, path).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(
            answer.ends_with(&format!("127.0.0.1 {path} HTTP/1.1")),
            "{answer}"
        );
    }
    assert_eq!(server.stop().await, Drained { cut: 0 });
}

#[tokio::test]
async fn http_2_is_served_on_the_same_port() {
    let server = Server::on_tcp(ServeOptions::default()).await;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let url = format!("http://{}/h2", server.address);
    let answer = patiently(client.get(url).send()).await.unwrap();
    assert_eq!(answer.version(), http::Version::HTTP_2);
    assert_eq!(answer.text().await.unwrap(), "127.0.0.1 /h2 HTTP/2.0");
    assert_eq!(server.stop().await, Drained { cut: 0 });
}

#[tokio::test]
async fn an_upgrade_is_answered_like_any_request() {
    let server = Server::on_tcp(ServeOptions::default()).await;
    for protocol in ["websocket", "h2c"] {
        let mut connection = server.connect().await;
        let request =
            format!("GET /u HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: {protocol}\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let answer = response(&mut connection).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[tokio::test]
async fn several_listeners_are_served_at_once() {
    let (one, two) = (tcp_listener().await, tcp_listener().await);
    let addresses = [one.address().clone(), two.address().clone()];
    let service =
        tower::service_fn(|_| async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("ok")))) });
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(
        vec![one, two],
        service,
        ServeOptions::default(),
        stop.clone(),
    ));
    for address in addresses {
        let mut connection = TcpStream::connect(address.to_string()).await.unwrap();
        assert!(ask(&mut connection, "/").await.unwrap().ends_with("ok"));
    }
    stop.cancel();
    assert_eq!(patiently(serving).await.unwrap(), Drained { cut: 0 });
}

#[tokio::test]
async fn addresses_that_cannot_be_had_are_named() {
    let taken = tcp_listener().await;
    let BoundAddress::Tcp(address) = taken.address() else {
        panic!("a TCP listener has a TCP address")
    };
    let again = ListenAddress::tcp("127.0.0.1", address.port());
    let error = Listener::bind(&again, UNIX_SOCKET_MODE).await.unwrap_err();
    assert!(matches!(error, ListenError::Bind { .. }), "{error}");
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot listen on {again}: ")),
        "{error}"
    );
}
