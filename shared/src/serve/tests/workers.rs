use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::Mutex;

use super::*;

fn threads(count: usize) -> (Arc<Workers>, ServeOptions) {
    let workers = Arc::new(Workers::start("test", NonZeroUsize::new(count).unwrap()).unwrap());
    let options = ServeOptions {
        workers: Some(Arc::clone(&workers)),
        ..ServeOptions::default()
    };
    (workers, options)
}

#[tokio::test]
async fn connections_are_spread_evenly_and_stay_on_their_thread() {
    let (workers, options) = threads(3);
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let names = Arc::clone(&seen);
    let service = tower::service_fn(move |_: Request<Incoming>| {
        let thread = std::thread::current().name().unwrap().to_owned();
        names.lock().unwrap().push(thread.clone());
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(thread)))))
    });
    let listener = tcp_listener().await;
    let BoundAddress::Tcp(address) = *listener.address() else {
        panic!("a TCP address");
    };
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(vec![listener], service, options, stop.clone()));
    let mut open = Vec::new();
    for _ in 0..6 {
        let mut connection = TcpStream::connect(address).await.unwrap();
        let first = ask(&mut connection, "/").await.unwrap();
        assert_eq!(ask(&mut connection, "/").await.unwrap(), first);
        open.push(connection);
    }
    assert_eq!(workers.connections(), [2, 2, 2]);
    let names: HashSet<String> = seen.lock().unwrap().iter().cloned().collect();
    assert_eq!(names, ["test-0", "test-1", "test-2"].map(str::to_owned).into());
    stop.cancel();
    assert_eq!(patiently(serving).await.unwrap(), Drained { cut: 0 });
    assert_eq!(workers.connections(), [0, 0, 0]);
}

#[tokio::test]
async fn what_is_under_way_on_a_thread_is_finished() {
    let (_workers, options) = threads(2);
    let released = Arc::new(Notify::new());
    let server = Server::start(tcp_listener().await, options, Arc::clone(&released));
    let mut connection = server.connect().await;
    let waiting = Arc::clone(&server.waiting);
    let asking = tokio::spawn(async move { ask(&mut connection, "/wait").await });
    patiently(waiting.notified()).await;
    server.stop.cancel();
    released.notify_one();
    assert!(patiently(asking).await.unwrap().unwrap().contains("/wait"));
    assert_eq!(patiently(server.serving).await.unwrap(), Drained { cut: 0 });
}

#[tokio::test]
async fn what_does_not_end_on_a_thread_is_cut() {
    let (_workers, mut options) = threads(2);
    options.shutdown_grace = Duration::from_millis(50);
    let server = Server::start(tcp_listener().await, options, Arc::new(Notify::new()));
    let mut connection = server.connect().await;
    connection
        .write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    patiently(server.waiting.notified()).await;
    let metrics = server.metrics.clone();
    assert_eq!(server.stop().await, Drained { cut: 1 });
    assert_eq!(rest(&mut connection).await, b"");
    assert_eq!((metrics.count(End::Cut), metrics.open.get()), (1, 0));
}
