use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use tokio::sync::mpsc;

use super::*;

const SOON: Duration = Duration::from_millis(100);

/// Attack: a header block that does not come, stops half-way, or is the second one of a connection
/// Source: CVE-2007-6750, CWE-400
/// Result: the connection is closed when its time is up
#[tokio::test]
async fn a_header_that_does_not_come_is_not_waited_for() {
    let server = Server::on_tcp(ServeOptions {
        header_read_timeout: SOON,
        ..ServeOptions::default()
    })
    .await;
    let mut silent = server.connect().await;
    assert_eq!(rest(&mut silent).await, b"");
    let mut slow = server.connect().await;
    slow.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx: ").await.unwrap();
    assert_eq!(rest(&mut slow).await, b"");

    let mut second_request = server.connect().await;
    ask(&mut second_request, "/").await.unwrap();
    second_request.write_all(b"GET / HT").await.unwrap();
    assert_eq!(rest(&mut second_request).await, b"");
    let metrics = server.metrics.clone();
    server.stop().await;
    assert_eq!(metrics.count(End::HeaderTimeout), 3);
}

/// Attack: connections that ask nothing
/// Source: CWE-400
/// Result: they are closed when they have idled for long enough
#[tokio::test]
async fn idle_connections_are_closed() {
    let server = Server::on_tcp(ServeOptions {
        idle_timeout: SOON,
        ..ServeOptions::default()
    })
    .await;
    let mut connection = server.connect().await;
    ask(&mut connection, "/").await.unwrap();
    assert_eq!(rest(&mut connection).await, b"");
    let metrics = server.metrics.clone();
    server.stop().await;
    assert_eq!(metrics.count(End::Idle), 1);
}

/// Attack: a header block with too many fields, a field too long, or no end
/// Source: RFC 6585 section 5, CWE-770
/// Result: 431
#[tokio::test]
async fn large_header_blocks_are_answered_with_431() {
    let server = Server::on_tcp(ServeOptions::default()).await;
    let many = "x: y\r\n".repeat(101);
    let one_long = format!("x: {}\r\n", "y".repeat(33 * 1024));
    let never_ending = "y".repeat(200 * 1024);
    let long_path = "/".repeat(33 * 1024);
    for head in [
        format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n"),
        format!("GET / HTTP/1.1\r\nhost: x\r\n{one_long}\r\n"),
        format!("GET / HTTP/1.1\r\nhost: x\r\nx: {never_ending}"),
        format!("GET {long_path} HTTP/1.1\r\nhost: x\r\n\r\n"),
    ] {
        let mut connection = server.connect().await;
        connection.write_all(head.as_bytes()).await.unwrap();
        let answer = response(&mut connection).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    // What is just within the bound is served.
    let mut connection = server.connect().await;
    let head = format!(
        "GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
        "y".repeat(31 * 1024)
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    assert!(
        response(&mut connection)
            .await
            .unwrap()
            .starts_with("HTTP/1.1 200")
    );
}

/// Attack: a header block that is sent byte by byte, each of them before anything else has passed its time
/// Source: CVE-2007-6750, CWE-400
/// Result: the connection is closed when the block's time is up, whatever comes
#[tokio::test]
async fn a_header_that_dribbles_is_cut() {
    let server = Server::on_tcp(ServeOptions {
        header_read_timeout: SOON,
        ..ServeOptions::default()
    })
    .await;
    let (mut reading, mut writing) = server.connect().await.into_split();
    writing.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
    let dribbling = tokio::spawn(async move {
        // Ten and more in the time that the whole block has.
        let mut pace = tokio::time::interval(SOON / 10);
        while writing.write_all(b"y").await.is_ok() {
            pace.tick().await;
        }
    });
    assert_eq!(rest(&mut reading).await, b"");
    dribbling.abort();
    let metrics = server.metrics.clone();
    server.stop().await;
    assert_eq!(metrics.count(End::HeaderTimeout), 1);
}

/// The beginning of an HTTP/2 connection, and of a HEADERS frame (`:method: GET`) with these flags and this length.
fn begun_in_http_2(flags: u8, length: u8) -> Vec<u8> {
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let headers = [0, 0, length, 1, flags, 0, 0, 0, 1, 0x82];
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(),
        &settings,
        &headers,
    ]
    .concat()
}

/// Attack: an HTTP/2 header block that does not come to its end: the frame does, and none that goes on
/// Source: CVE-2007-6750, RFC 9113 section 6.10
/// Result: the connection is closed when the block's time is up
#[tokio::test]
async fn a_header_block_of_http_2_that_does_not_end_is_not_waited_for() {
    let server = Server::on_tcp(ServeOptions {
        header_read_timeout: SOON,
        ..ServeOptions::default()
    })
    .await;
    let mut connection = server.connect().await;
    connection.write_all(&begun_in_http_2(0, 1)).await.unwrap();
    rest(&mut connection).await;
    let metrics = server.metrics.clone();
    server.stop().await;
    assert_eq!(metrics.count(End::HeaderTimeout), 1);
}

/// Attack: an HTTP/2 header block that is sent byte by byte, each of them before anything else has passed its time
/// Source: CVE-2007-6750, CWE-400
/// Result: the connection is closed when the block's time is up, whatever comes
#[tokio::test]
async fn a_header_block_of_http_2_that_dribbles_is_cut() {
    let server = Server::on_tcp(ServeOptions {
        header_read_timeout: SOON,
        ..ServeOptions::default()
    })
    .await;
    let (mut reading, mut writing) = server.connect().await.into_split();
    writing.write_all(&begun_in_http_2(4, 200)).await.unwrap();
    let dribbling = tokio::spawn(async move {
        let mut pace = tokio::time::interval(SOON / 10);
        while writing.write_all(&[0x82]).await.is_ok() {
            pace.tick().await;
        }
    });
    rest(&mut reading).await;
    dribbling.abort();
    let metrics = server.metrics.clone();
    server.stop().await;
    assert_eq!(metrics.count(End::HeaderTimeout), 1);
}

#[tokio::test]
async fn an_answer_before_the_body_is_read_arrives() {
    let server = Server::on_tcp(ServeOptions::default()).await;
    let mut connection = server.connect().await;
    let body = "b".repeat(200_000);
    let request = format!(
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    assert!(
        response(&mut connection)
            .await
            .unwrap()
            .starts_with("HTTP/1.1 200")
    );
}

/// A body without end, which says when it is dropped.
struct Endless(mpsc::Sender<()>);

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 16 * 1024])))))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        let _ = self.0.try_send(());
    }
}

/// Attack: a client that asks and reads nothing of the answer
/// Source: CWE-400
/// Result: the connection is cut
#[tokio::test]
async fn a_peer_that_takes_nothing_is_cut_off() {
    let (dropped, mut when_dropped) = mpsc::channel(1);
    let service = tower::service_fn(move |_: Request<Incoming>| {
        let body = Endless(dropped.clone()).boxed();
        async move { Ok::<_, Infallible>(Response::new(body)) }
    });
    let listener = tcp_listener().await;
    let address = listener.address().to_string();
    let options = ServeOptions {
        write_stall_timeout: SOON,
        ..ServeOptions::default()
    };
    let metrics = options.metrics.clone();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(vec![listener], service, options, stop.clone()));

    let mut connection = TcpStream::connect(address).await.unwrap();
    connection
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    patiently(when_dropped.recv()).await.unwrap();
    stop.cancel();
    patiently(serving).await.unwrap();
    assert_eq!(metrics.count(End::Stalled), 1);
}

/// Attack: more connections than there may be
/// Source: CWE-770
/// Result: those past the bound wait, those within go on
#[tokio::test]
async fn connections_past_the_cap_wait_their_turn() {
    let server = Server::on_tcp(ServeOptions {
        connections_max: 1,
        ..ServeOptions::default()
    })
    .await;
    let mut first = server.connect().await;
    ask(&mut first, "/first").await.unwrap();
    let mut second = server.connect().await;
    second
        .write_all(b"GET /second HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    for _ in 0..20 {
        ask(&mut first, "/first").await.unwrap();
        assert_eq!(server.metrics.open.get(), 1);
        let mut nothing = [0; 1];
        let early = second.try_read(&mut nothing);
        assert_eq!(early.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
    drop(first);
    assert!(response(&mut second).await.unwrap().contains("/second"));
}
