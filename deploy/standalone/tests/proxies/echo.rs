//! The service behind the front ends. It keeps what it saw, byte by byte.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request that came through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// The raw bytes between method and version.
    pub(crate) target: Vec<u8>,
    /// Names in small letters, and values, in their order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    /// Every value of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let values = self.headers.iter().filter(|(own, _)| own == name);
        values.map(|(_, value)| value.as_str()).collect()
    }
}

/// Answers 200 to everything.
#[derive(Debug)]
pub(crate) struct Echo {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Echo {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let kept = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&kept)));
            }
        });
        Self { address, seen }
    }

    /// What came through since the last time.
    pub(crate) fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

async fn serve(stream: TcpStream, kept: Arc<Mutex<Vec<Seen>>>) {
    let mut stream = BufReader::new(stream);
    while let Ok(Some(seen)) = read(&mut stream).await {
        if seen.all("upgrade") == ["websocket"] {
            // The accept value of the key that RFC 6455 section 1.3 has as its example.
            let switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                            Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
            kept.lock().unwrap().push(seen);
            // What is said on it is nobody's business here.
            let _ = stream.write_all(switched.as_bytes()).await;
            return;
        }
        let answer = if seen.method == "HEAD" {
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
        } else {
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nseen"
        };
        kept.lock().unwrap().push(seen);
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The next request; `None` at the end.
async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Seen>> {
    let Some(line) = read_line(stream).await? else {
        return Ok(None);
    };
    let first = line.iter().position(|byte| *byte == b' ').unwrap();
    let last = line.iter().rposition(|byte| *byte == b' ').unwrap();
    let mut seen = Seen {
        method: String::from_utf8_lossy(&line[..first]).into_owned(),
        target: line[first + 1..last].to_vec(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    while let Some(line) = read_line(stream).await?.filter(|line| !line.is_empty()) {
        let line = String::from_utf8_lossy(&line).into_owned();
        let (name, value) = line.split_once(':').unwrap();
        seen.headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    if let Some(length) = seen.all("content-length").first() {
        seen.body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut seen.body).await?;
    } else if seen.all("transfer-encoding") == ["chunked"] {
        while let Some(size) = read_line(stream).await? {
            let size = usize::from_str_radix(&String::from_utf8_lossy(&size), 16).unwrap();
            let mut chunk = vec![0; size];
            stream.read_exact(&mut chunk).await?;
            read_line(stream).await?;
            if size == 0 {
                break;
            }
            seen.body.extend(chunk);
        }
    }
    Ok(Some(seen))
}

async fn read_line(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if stream.read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    while line.last().is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
        line.pop();
    }
    Ok(Some(line))
}
