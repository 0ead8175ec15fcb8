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
