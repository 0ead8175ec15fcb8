use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// An answer, as it will be written.
#[derive(Clone, Debug)]
pub(crate) struct Canned {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

impl Canned {
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            headers: String::new(),
            body: body.into(),
        }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::ok("")
        }
    }
}

/// A small HTTP server on a socket of its own. It answers what it is told to, counts what it is asked, and can hold
/// its answers back.
#[derive(Clone)]
pub(crate) struct KeyServer {
    pub(crate) origin: String,
    state: Arc<State>,
}

struct State {
    usual: Mutex<Canned>,
    next: Mutex<VecDeque<Canned>>,
    at: Mutex<HashMap<String, Canned>>,
    asked: watch::Sender<Vec<String>>,
    permits: Semaphore,
}

impl KeyServer {
    pub(crate) async fn start(usual: Canned) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            usual: Mutex::new(usual),
            next: Mutex::default(),
            at: Mutex::default(),
            asked: watch::Sender::new(Vec::new()),
            permits: Semaphore::new(Semaphore::MAX_PERMITS),
        });
        let server = Self { origin, state };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().answer(stream));
            }
        });
        server
    }

    async fn answer(self, mut stream: tokio::net::TcpStream) {
        let mut request = Vec::new();
        while !request.windows(4).any(|four| four == b"\r\n\r\n") {
            let mut buffer = [0; 1024];
            match stream.read(&mut buffer).await {
                Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
                _ => return,
            }
        }
        let target = String::from_utf8_lossy(&request)
            .split(' ')
            .nth(1)
            .unwrap_or_default()
            .to_owned();
        let at = self.state.at.lock().unwrap().get(&target).cloned();
        self.state.asked.send_modify(|asked| asked.push(target));
        let _permit = self.state.permits.acquire().await;
        let canned = at.or_else(|| self.state.next.lock().unwrap().pop_front());
        let canned = canned.unwrap_or_else(|| self.state.usual.lock().unwrap().clone());
        let Canned {
            status,
            headers,
            body,
        } = canned;
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n");
        let _ = stream.write_all(&[head.into_bytes(), body].concat()).await;
    }

    /// What is answered from now on.
    pub(crate) fn answer_with(&self, canned: Canned) {
        *self.state.usual.lock().unwrap() = canned;
    }

    /// What is answered once, before that.
    pub(crate) fn answer_next(&self, canned: Canned) {
        self.state.next.lock().unwrap().push_back(canned);
    }

    /// What is answered at one path from now on, whatever is answered elsewhere.
    pub(crate) fn answer_at(&self, path: &str, canned: Canned) {
        self.state.at.lock().unwrap().insert(path.to_owned(), canned);
    }

    /// Holds answers back until [`KeyServer::release`].
    pub(crate) fn hold(&self) {
        self.state.permits.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn release(&self) {
        self.state.permits.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    /// The paths that were asked for so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state.asked.borrow().clone()
    }

    /// Returns when so many requests have come.
    pub(crate) async fn asked_times(&self, times: usize) {
        self.state
            .asked
            .subscribe()
            .wait_for(|asked| asked.len() >= times)
            .await
            .unwrap();
    }
}
