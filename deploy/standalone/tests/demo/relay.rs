//! A wire between nginx and the verifier: it counts connections, and can be laid elsewhere or cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Passes connections on, whatever goes over them.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    target: watch::Sender<SocketAddr>,
    accepted: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Relay {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let (target, laid) = watch::channel(target);
        let count = Arc::clone(&accepted);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(pass(stream, laid.clone()));
            }
        });
        Self {
            address,
            target,
            accepted,
            accepting,
        }
    }

    /// How many connections there have been.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Lays the wire elsewhere; connections that are open are closed.
    pub(crate) fn lay(&self, target: SocketAddr) {
        self.target.send_replace(target);
    }

    /// Cuts the wire: new connections are refused, open ones closed.
    pub(crate) async fn cut(self) {
        self.accepting.abort();
        // The listener is gone once the task is.
        let _ = self.accepting.await;
    }
}

/// Ends with either side, or when the wire is laid elsewhere or cut.
async fn pass(mut stream: TcpStream, mut laid: watch::Receiver<SocketAddr>) {
    let target = *laid.borrow_and_update();
    let Ok(mut onward) = TcpStream::connect(target).await else {
        return;
    };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut stream, &mut onward) => {}
        _ = laid.changed() => {}
    }
}
