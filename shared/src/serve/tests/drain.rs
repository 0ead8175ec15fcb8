use std::io::Write;

use tokio::net::UnixStream;

use super::*;

#[tokio::test]
async fn what_is_under_way_is_finished_and_what_idles_is_closed() {
    let released = Arc::new(Notify::new());
    let server = Server::start(
        tcp_listener().await,
        ServeOptions::default(),
        Arc::clone(&released),
    );
    let address = server.tcp_address();
    let mut silent = server.connect().await;
    let mut idle = server.connect().await;
    ask(&mut idle, "/").await.unwrap();
    let mut busy = server.connect().await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    patiently(server.waiting.notified()).await;

    server.stop.cancel();
    assert_eq!(rest(&mut silent).await, b"");
    assert_eq!(rest(&mut idle).await, b"");
    let refused = patiently(TcpStream::connect(address)).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);

    released.notify_one();
    let answer = String::from_utf8(rest(&mut busy).await).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"),
        "{answer}"
    );
    assert!(answer.ends_with("/wait HTTP/1.1"), "{answer}");
    assert_eq!(server.stop().await, Drained { cut: 0 });
}

#[tokio::test]
async fn what_does_not_finish_within_the_grace_is_cut() {
    let options = ServeOptions {
        shutdown_grace: Duration::from_millis(50),
        ..ServeOptions::default()
    };
    let (entered, mut has_entered) = tokio::sync::mpsc::channel(1);
    let service = tower::service_fn(move |_: Request<Incoming>| {
        let entered = entered.clone();
        async move {
            entered.send(()).await.unwrap();
            std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>().await
        }
    });
    let listener = tcp_listener().await;
    let address = listener.address().to_string();
    let metrics = options.metrics.clone();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(vec![listener], service, options, stop.clone()));
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    patiently(has_entered.recv()).await.unwrap();
    stop.cancel();
    assert_eq!(patiently(serving).await.unwrap(), Drained { cut: 1 });
    assert_eq!(rest(&mut connection).await, b"");
    assert_eq!((metrics.count(End::Cut), metrics.open.get()), (1, 0));
}

/// Three requests that are sent while nobody accepts: the only thread does not let the server run until it is to stop.
fn ask_unaccepted<C: Write>(connect: impl Fn() -> C) -> [C; 3] {
    ["/a", "/b", "/c"].map(|path| {
        let mut connection = connect();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        connection.write_all(request.as_bytes()).unwrap();
        connection
    })
}

/// Fails unless it is answered, and told that nothing else will be.
async fn answered_and_closed<C: AsyncRead + Unpin>(connection: &mut C) {
    let answer = String::from_utf8(rest(connection).await).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"),
        "{answer}"
    );
}

#[tokio::test]
async fn what_is_connected_and_not_accepted_is_answered() {
    let workers = Workers::start("test", std::num::NonZeroUsize::MIN).unwrap();
    for workers in [None, Some(Arc::new(workers))] {
        let server = Server::on_tcp(ServeOptions {
            workers,
            ..ServeOptions::default()
        })
        .await;
        let address = server.tcp_address();
        let connections = ask_unaccepted(|| std::net::TcpStream::connect(address).unwrap());
        server.stop.cancel();
        for connection in connections {
            connection.set_nonblocking(true).unwrap();
            answered_and_closed(&mut TcpStream::from_std(connection).unwrap()).await;
        }
        assert_eq!(server.stop().await, Drained { cut: 0 });
    }
}

#[tokio::test]
async fn what_is_connected_to_a_unix_socket_and_not_accepted_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = Listener::bind(&ListenAddress::Unix(path.clone()), UNIX_SOCKET_MODE)
        .await
        .unwrap();
    let server = Server::start(listener, ServeOptions::default(), Arc::default());
    let connections = ask_unaccepted(|| std::os::unix::net::UnixStream::connect(&path).unwrap());
    server.stop.cancel();
    for connection in connections {
        connection.set_nonblocking(true).unwrap();
        answered_and_closed(&mut UnixStream::from_std(connection).unwrap()).await;
    }
    assert_eq!(server.stop().await, Drained { cut: 0 });
}

#[tokio::test]
async fn what_is_connected_may_still_ask_once() {
    let server = Server::on_tcp(ServeOptions::default()).await;
    let address = server.tcp_address();
    let mut half = server.connect().await;
    ask(&mut half, "/").await.unwrap();
    half.write_all(b"GET /half HTTP/1.1\r\nhos").await.unwrap();
    let mut silent = server.connect().await;
    let unaccepted = std::net::TcpStream::connect(address).unwrap();
    server.stop.cancel();
    // The others were told before the last one was let in.
    patiently(async {
        while server.metrics.open.get() < 3 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    unaccepted.set_nonblocking(true).unwrap();
    let mut unaccepted = TcpStream::from_std(unaccepted).unwrap();
    for connection in [&mut unaccepted, &mut silent] {
        connection
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
    }
    half.write_all(b"t: x\r\n\r\n").await.unwrap();
    for connection in [&mut unaccepted, &mut silent, &mut half] {
        answered_and_closed(connection).await;
    }
    assert_eq!(server.stop().await, Drained { cut: 0 });
}

#[tokio::test]
async fn connections_end_with_their_next_answer_while_the_server_leaves() {
    let leaving = CancellationToken::new();
    let server = Server::on_tcp(ServeOptions {
        leaving: leaving.clone(),
        ..ServeOptions::default()
    })
    .await;
    let mut connection = server.connect().await;
    let answer = ask(&mut connection, "/").await.unwrap();
    assert!(!answer.contains("connection: close"), "{answer}");
    leaving.cancel();
    tokio::task::yield_now().await;
    connection
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    answered_and_closed(&mut connection).await;
    // Others are still let in.
    let mut late = server.connect().await;
    late.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    answered_and_closed(&mut late).await;
    assert_eq!(server.stop().await, Drained { cut: 0 });
}

/// A connection that the kernel makes after the last was accepted would be reset, with the request that it brought.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn nobody_is_let_in_between_the_last_accepted_and_the_end() {
    let listener = tcp_listener().await;
    let BoundAddress::Tcp(address) = *listener.address() else {
        panic!("a TCP address");
    };
    let early = std::net::TcpStream::connect(address).unwrap();
    let mut waiting = listener.close().unwrap();
    let (_, peer) = waiting.next().unwrap().unwrap();
    assert_eq!(peer, Peer::Tcp(early.local_addr().unwrap()));
    // Its kernel asks again, and is refused then.
    let late = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(50)).unwrap_err();
    assert_eq!(late.kind(), io::ErrorKind::TimedOut);
    assert!(waiting.next().is_none());
}
