//! Floods in HTTP/2, written frame by frame: no client would send them.

mod wire;

use verifier::http::Endpoint;

use self::wire::{Flooded, Frame, flood};
use super::Target;
use crate::support::Request;

/// Frames that are enough for a server without a bound to be in trouble.
const MANY: u32 = 20_000;

impl Target {
    /// A good token's requests are answered at every endpoint while and after somebody sends these frames.
    async fn stands(&self, frames: impl FnMut(u32) -> Vec<Frame> + Send + 'static) -> Flooded {
        let flooding = tokio::spawn(flood(self.world.address().clone(), MANY, frames));
        let token = self.forge().token();
        let mut client = self.world.connect().await;
        let request = Request::about(Endpoint::AuthRequest, "GET", "/").bearer(&token);
        while !flooding.is_finished() {
            assert_eq!(client.ask(&request).await.status, 200);
        }
        self.admits(&token).await;
        flooding.await.unwrap()
    }
}

/// Attack: streams that are opened and reset at once, again and again.
/// Source: CVE-2023-44487
/// Result: the connection is ended with `ENHANCE_YOUR_CALM`, others are served
#[tokio::test]
async fn rapid_reset() {
    let target = Target::start().await;
    let flooded = target
        .stands(|n| vec![Frame::request(2 * n + 1), Frame::reset(2 * n + 1)])
        .await;
    assert_eq!(flooded.goodbye, Some(wire::ENHANCE_YOUR_CALM), "{flooded:?}");
    assert!(flooded.sent < MANY, "{flooded:?}");
}

/// Attack: the server is made to reset streams itself, by window updates of nothing.
/// Source: CVE-2025-8671
/// Result: the connection is ended, others are served
#[tokio::test]
async fn resets_by_the_server() {
    let target = Target::start().await;
    let flooded = target
        .stands(|n| vec![Frame::request(2 * n + 1), Frame::window(2 * n + 1, 0)])
        .await;
    assert!(flooded.goodbye.is_some(), "{flooded:?}");
    assert!(flooded.sent < MANY, "{flooded:?}");
}

/// Attack: a header block that goes on in CONTINUATION frames without end.
/// Source: CVE-2024-27316, VU#421644
/// Result: the connection is ended, others are served
#[tokio::test]
async fn continuation_without_end() {
    let target = Target::start().await;
    let flooded = target
        .stands(|n| match n {
            0 => vec![Frame::unfinished_request(1)],
            _ => vec![Frame::continuation(1, &[b'x'; 1024])],
        })
        .await;
    assert!(flooded.is_ended(), "{flooded:?}");
    assert!(flooded.sent < MANY, "{flooded:?}");
}

/// Attack: CONTINUATION frames of nothing, which no bound on bytes counts.
/// Source: CVE-2019-9518, VU#421644
/// Result: the connection is ended, others are served
#[tokio::test]
async fn empty_continuations() {
    let target = Target::start().await;
    let flooded = target
        .stands(|n| match n {
            0 => vec![Frame::unfinished_request(1)],
            _ => vec![Frame::continuation(1, b"")],
        })
        .await;
    assert!(flooded.is_ended(), "{flooded:?}");
    assert!(flooded.sent < MANY, "{flooded:?}");
}

/// Attack: DATA frames of nothing, which no window bounds.
/// Source: CVE-2019-9518
/// Result: nothing of them is kept, others are served
#[tokio::test]
async fn empty_data() {
    let target = Target::start().await;
    target
        .stands(|n| match n {
            0 => vec![Frame::request_with_body(1)],
            _ => vec![Frame::data(1, b"")],
        })
        .await;
    let own = target.world.decisions();
    target
        .world
        .ask(&Request::about(Endpoint::AuthRequest, "GET", "/"))
        .await;
    assert_eq!(target.world.decisions(), own + 1);
}

/// Attack: PING frames, each of which is to be answered, and no answer is read.
/// Source: CVE-2019-9512
/// Result: answers do not pile up, others are served
#[tokio::test]
async fn pings() {
    let target = Target::start().await;
    target.stands(|n| vec![Frame::ping(n)]).await;
}

/// Attack: SETTINGS frames, each of which is to be acknowledged.
/// Source: CVE-2019-9515
/// Result: acknowledgements do not pile up, others are served
#[tokio::test]
async fn settings() {
    let target = Target::start().await;
    target.stands(|_| vec![Frame::settings()]).await;
}

/// Attack: PRIORITY frames that move streams about.
/// Source: CVE-2019-9513
/// Result: they are not looked at, others are served
#[tokio::test]
async fn priorities() {
    let target = Target::start().await;
    target
        .stands(|n| vec![Frame::priority(2 * (n % 100) + 1, 2 * ((n + 1) % 100) + 1)])
        .await;
}

/// Attack: a block of headers that is small on the wire and large in memory.
/// Source: CVE-2016-6581, RFC 9113 section 10.5.1
/// Result: such a request is refused, others are served
#[tokio::test]
async fn headers_that_expand() {
    let target = Target::start().await;
    let before = target.world.decisions();
    let flooding = flood(target.world.address().clone(), 50, |n| {
        vec![Frame::bomb(2 * n + 1)]
    });
    let flooded = flooding.await;
    assert!(flooded.is_ended() || flooded.refused > 0, "{flooded:?}");
    assert_eq!(target.world.decisions(), before, "{flooded:?}");
    target.admits(&target.forge().token()).await;
}

/// Attack: more streams at once than one connection may have.
/// Source: RFC 9113 section 5.1.2
/// Result: those past the bound are refused, others are served
#[tokio::test]
async fn too_many_streams() {
    let target = Target::start().await;
    let flooded = target.stands(|n| vec![Frame::request_with_body(2 * n + 1)]).await;
    assert!(flooded.refused > 0 || flooded.is_ended(), "{flooded:?}");
}
