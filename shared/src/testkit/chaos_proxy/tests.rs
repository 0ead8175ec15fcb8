use tokio::time::timeout;

use super::*;

/// Long enough for anything on one machine.
const SOON: Duration = Duration::from_secs(20);

/// Long enough to see that nothing comes.
const NOTHING_FOR: Duration = Duration::from_millis(200);

/// A server that says back what it hears.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

/// Says something, and hears it again.
async fn exchange(stream: &mut TcpStream, text: &[u8]) -> io::Result<()> {
    stream.write_all(text).await?;
    let mut heard = vec![0; text.len()];
    timeout(SOON, stream.read_exact(&mut heard)).await??;
    assert_eq!(heard, text);
    Ok(())
}

async fn connected(proxy: &ChaosProxy) -> TcpStream {
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    exchange(&mut stream, b"hello").await.unwrap();
    stream
}

async fn assert_reset(stream: &mut TcpStream) {
    let error = timeout(SOON, stream.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn it_passes_on_and_ends_with_either_side() {
    let proxy = ChaosProxy::start(echo().await);
    let mut stream = connected(&proxy).await;
    let long = vec![7; 10 * CHUNK_BYTES];
    exchange(&mut stream, &long).await.unwrap();
    assert_eq!(proxy.connections(), 1);
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    timeout(SOON, stream.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert!(rest.is_empty(), "the end of data comes through");
}

#[tokio::test]
async fn cut_resets_what_stands_and_lets_new_ones_pass() {
    let proxy = ChaosProxy::start(echo().await);
    let mut stream = connected(&proxy).await;
    proxy.cut();
    assert_reset(&mut stream).await;
    connected(&proxy).await;
}

#[tokio::test]
async fn refused_is_refused_until_it_passes_again() {
    let proxy = ChaosProxy::start(echo().await);
    let mut stream = connected(&proxy).await;
    proxy.refuse();
    assert_reset(&mut stream).await;
    // The reset is seen before or after the listener is closed.
    let refused = async {
        loop {
            match TcpStream::connect(proxy.address()).await {
                Err(error) => return error.kind(),
                Ok(_) => tokio::task::yield_now().await,
            }
        }
    };
    let refused = timeout(SOON, refused).await.unwrap();
    assert_eq!(refused, io::ErrorKind::ConnectionRefused);
    proxy.pass();
    let passed = async {
        while TcpStream::connect(proxy.address()).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, passed).await.unwrap();
    connected(&proxy).await;
}

#[tokio::test]
async fn stalled_it_takes_everything_and_gives_nothing_until_it_passes() {
    let proxy = ChaosProxy::start(echo().await);
    let mut old = connected(&proxy).await;
    proxy.stall();
    let mut new = TcpStream::connect(proxy.address()).await.unwrap();
    for stream in [&mut old, &mut new] {
        stream.write_all(b"x").await.unwrap();
    }
    for stream in [&mut old, &mut new] {
        let heard = timeout(NOTHING_FOR, stream.read_u8()).await;
        assert!(heard.is_err(), "{heard:?}");
    }
    proxy.pass();
    for stream in [&mut old, &mut new] {
        assert_eq!(timeout(SOON, stream.read_u8()).await.unwrap().unwrap(), b'x');
    }
}

#[tokio::test]
async fn every_nth_chunk_is_a_reset() {
    let proxy = ChaosProxy::start(echo().await);
    let mut stream = connected(&proxy).await;
    proxy.reset_every(NonZeroU64::new(5).unwrap());
    // Two chunks for each exchange: the fifth is the third's first.
    exchange(&mut stream, b"one").await.unwrap();
    exchange(&mut stream, b"two").await.unwrap();
    assert!(exchange(&mut stream, b"three").await.is_err());
    proxy.pass();
    connected(&proxy).await;
}

#[tokio::test]
async fn a_delay_holds_each_chunk_up() {
    let proxy = ChaosProxy::start(echo().await);
    let mut stream = connected(&proxy).await;
    let delay = Duration::from_millis(50);
    proxy.delay(delay);
    let began = tokio::time::Instant::now();
    exchange(&mut stream, b"x").await.unwrap();
    assert!(began.elapsed() >= 2 * delay);
}

#[tokio::test]
async fn new_connections_are_led_to_the_first_that_takes_them() {
    let nobody = ChaosProxy::start(echo().await);
    nobody.refuse();
    let proxy = ChaosProxy::start(echo().await);
    proxy.lead_to(&[nobody.address(), echo().await]);
    connected(&proxy).await;
    proxy.lead_to(&[]);
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    assert_reset(&mut stream).await;
}
