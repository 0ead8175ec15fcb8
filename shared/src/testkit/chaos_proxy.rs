//! A wire that can be cut, stalled and jammed, between a program under test and a server that it needs.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Bytes that are passed on at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 256;

/// A TCP proxy on a port of the loopback of its own, which passes everything on until it is told otherwise. It needs a
/// tokio runtime, and ends when it is dropped.
#[derive(Debug)]
pub struct ChaosProxy {
    address: SocketAddr,
    way: Arc<watch::Sender<Way>>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

/// How things stand.
#[derive(Clone, Debug)]
struct Way {
    /// Tried in this order.
    targets: Vec<SocketAddr>,
    is_open: bool,
    is_stalled: bool,
    delay: Duration,
    reset_every: Option<NonZeroU64>,
    /// How often it was cut: a connection ends when this grows.
    cuts: u64,
}

impl ChaosProxy {
    /// Starts to pass connections on to a server.
    pub fn start(target: SocketAddr) -> Self {
        // Bound and never listened on: it keeps the port ours while connections are refused.
        let placeholder = bound(0);
        let address = placeholder.local_addr().unwrap().as_socket().unwrap();
        let way = Arc::new(watch::Sender::new(Way {
            targets: vec![target],
            is_open: true,
            is_stalled: false,
            delay: Duration::ZERO,
            reset_every: None,
            cuts: 0,
        }));
        let connections = Arc::default();
        let listener = listen(address.port());
        let accepting = Accepting {
            placeholder,
            listener: Some(listener),
            port: address.port(),
            way: way.subscribe(),
            connections: Arc::clone(&connections),
            chunks: Arc::default(),
        };
        Self {
            address,
            way,
            connections,
            task: tokio::spawn(accepting.run()),
        }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that stand.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Leads new connections to the first of these servers that takes them.
    pub fn lead_to(&self, targets: &[SocketAddr]) {
        self.way.send_modify(|way| way.targets = targets.to_vec());
    }

    /// Ends every trouble: connections pass, and what was held up goes on.
    pub fn pass(&self) {
        self.way.send_modify(|way| {
            way.is_open = true;
            way.is_stalled = false;
            way.delay = Duration::ZERO;
            way.reset_every = None;
        });
    }

    /// Resets every connection. New ones pass.
    pub fn cut(&self) {
        self.way.send_modify(|way| way.cuts += 1);
    }

    /// Resets every connection and refuses new ones, as if nobody listened.
    pub fn refuse(&self) {
        self.way.send_modify(|way| {
            way.cuts += 1;
            way.is_open = false;
        });
    }

    /// Holds everything up: connections stand, and new ones are taken, but nothing goes over them.
    pub fn stall(&self) {
        self.way.send_modify(|way| way.is_stalled = true);
    }

    /// Holds each chunk up for some time, in both directions.
    pub fn delay(&self, by: Duration) {
        self.way.send_modify(|way| way.delay = by);
    }

    /// Resets a connection instead of passing the n-th chunk on, counted over all connections and both directions.
    pub fn reset_every(&self, chunks: NonZeroU64) {
        self.way.send_modify(|way| way.reset_every = Some(chunks));
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A socket of the loopback; the option lets a second one have the port as long as this one does not listen.
fn bound(port: u16) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    socket.bind(&address.into()).unwrap();
    socket
}

fn listen(port: u16) -> TcpListener {
    let socket = bound(port);
    socket.listen(BACKLOG).unwrap();
    TcpListener::from_std(socket.into()).unwrap()
}

struct Accepting {
    #[expect(dead_code, reason = "what counts is that it is open")]
    placeholder: Socket,
    listener: Option<TcpListener>,
    port: u16,
    way: watch::Receiver<Way>,
    connections: Arc<AtomicUsize>,
    chunks: Arc<AtomicU64>,
}

impl Accepting {
    async fn run(mut self) {
        // Dropped with this task, it takes the connections along.
        let mut carried = JoinSet::new();
        loop {
            let is_open = self.way.borrow_and_update().is_open;
            match (is_open, &self.listener) {
                (true, None) => self.listener = Some(listen(self.port)),
                (false, Some(_)) => self.listener = None,
                _ => {}
            }
            tokio::select! {
                changed = self.way.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                accepted = accept(self.listener.as_ref()) => {
                    if let Ok(client) = accepted {
                        let counted = Counted::new(&self.connections);
                        let link = Link {
                            way: self.way.clone(),
                            chunks: Arc::clone(&self.chunks),
                        };
                        carried.spawn(async move {
                            link.carry(client).await;
                            drop(counted);
                        });
                    }
                }
                Some(_) = carried.join_next() => {}
            }
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

/// A connection that stands, as long as it does.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(connections: &Arc<AtomicUsize>) -> Self {
        connections.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(connections))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a connection looks at while it is carried.
#[derive(Clone)]
struct Link {
    way: watch::Receiver<Way>,
    chunks: Arc<AtomicU64>,
}

impl Link {
    async fn carry(mut self, client: TcpStream) {
        let cuts = self.way.borrow().cuts;
        let cut = cut_since(self.way.clone(), cuts);
        let server = tokio::select! {
            () = cut => None,
            server = self.connect() => server,
        };
        match server {
            None => reset(&client),
            Some(server) => self.pass_on(client, server, cuts).await,
        }
    }

    async fn connect(&mut self) -> Option<TcpStream> {
        self.go_on().await?;
        let targets = self.way.borrow().targets.clone();
        for target in targets {
            if let Ok(server) = TcpStream::connect(target).await {
                return Some(server);
            }
        }
        None
    }

    async fn pass_on(&self, client: TcpStream, server: TcpStream, cuts: u64) {
        // Chunks are passed on as they come.
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let cut = cut_since(self.way.clone(), cuts);
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let pumps = async {
            tokio::try_join!(
                self.clone().pump(from_client, to_server),
                self.clone().pump(from_server, to_client),
            )
        };
        tokio::select! {
            () = cut => {}
            // Whatever did not end well is reset; the streams are closed here otherwise.
            _ = pumps => {}
        }
    }

    /// Passes on until the end of one direction. Given up before that, its streams are reset.
    async fn pump(
        mut self,
        from: OwnedReadHalf,
        to: OwnedWriteHalf,
    ) -> io::Result<(OwnedReadHalf, OwnedWriteHalf)> {
        let mut halves = ResetOnDrop(Some((from, to)));
        let mut buffer = vec![0; CHUNK_BYTES];
        while let Some((from, to)) = halves.0.as_mut() {
            let length = from.read(&mut buffer).await?;
            let wait = self.go_on().await.ok_or(io::ErrorKind::ConnectionReset)?;
            tokio::time::sleep(wait).await;
            if length == 0 {
                to.shutdown().await?;
                break;
            }
            self.count()?;
            to.write_all(&buffer[..length]).await?;
        }
        halves.0.take().ok_or(io::ErrorKind::ConnectionReset.into())
    }

    /// Waits until nothing is held up, and gives how long a chunk is to be. `None`: the proxy has ended.
    async fn go_on(&mut self) -> Option<Duration> {
        self.way
            .wait_for(|way| !way.is_stalled)
            .await
            .ok()
            .map(|way| way.delay)
    }

    fn count(&self) -> io::Result<()> {
        let Some(every) = self.way.borrow().reset_every else {
            return Ok(());
        };
        let chunk = self.chunks.fetch_add(1, Ordering::SeqCst) + 1;
        if chunk.is_multiple_of(every.get()) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

/// Returns when the way has been cut since, or the proxy has ended.
async fn cut_since(mut way: watch::Receiver<Way>, cuts: u64) {
    let _ = way.wait_for(|way| way.cuts != cuts).await;
}

/// Both ends of a direction, which are reset if they are not taken out in time.
struct ResetOnDrop(Option<(OwnedReadHalf, OwnedWriteHalf)>);

impl Drop for ResetOnDrop {
    fn drop(&mut self) {
        if let Some((from, to)) = self.0.take() {
            reset(from.as_ref());
            reset(to.as_ref());
            // Dropped otherwise, it says that the data has ended.
            to.forget();
        }
    }
}

/// Has the connection end with a reset instead of an end of data.
fn reset(stream: &TcpStream) {
    // It may be gone already.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

#[cfg(test)]
mod tests;
