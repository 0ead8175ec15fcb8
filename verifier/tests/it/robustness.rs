//! Whatever is sent, the answer is no 5xx, and the next request is answered as if nothing had been.

use std::sync::LazyLock;

use proptest::prelude::*;
use tokio::runtime::Runtime;
use verifier::http::Endpoint;

use crate::support::{Request, World};

const RULES: &str = "default = \"authenticated\"\n[[rule]]\npath = \"/open\"\nanonymous = true\n";

static SHARED: LazyLock<(Runtime, World)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let world = runtime.block_on(World::ready(RULES));
    (runtime, world)
});

/// Sends bytes and the end of them, and looks at whatever comes back.
async fn send(world: &World, bytes: &[u8]) -> Option<u16> {
    let mut client = world.connect().await;
    let _ = client.send(bytes).await;
    client.finish().await;
    let answer = client.answer().await;
    answer.map(|answer| answer.status)
}

async fn still_answers(world: &World) -> bool {
    world
        .ask(&Request::about(Endpoint::AuthRequest, "GET", "/open"))
        .await
        .status
        == 200
}

fn header_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(prop_oneof![Just(b'\t'), 0x20_u8..0x7f, 0x80_u8..=0xff], 0..64),
        prop::sample::select(vec![
            &b"Bearer "[..],
            b"Bearer a.b.c",
            b"Bearer ..",
            b"Bearer eyJ.eyJ.x",
            b"/",
            b"//",
            b"/%",
            b"*",
            b"GET",
            b"a:b",
            b"[::1",
            b"__Host-access_token=..",
            b"__Host-access_token=\xff",
            b";;;=",
            b"http",
            b"-1",
            b"%00",
        ])
        .prop_map(<[u8]>::to_vec),
    ]
}

const NAMES: [&str; 16] = [
    "X-Original-Method",
    "X-Original-URI",
    "X-Original-Host",
    "X-Forwarded-Method",
    "X-Forwarded-Uri",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "Host",
    "Authorization",
    "Cookie",
    "Origin",
    "Accept",
    "Upgrade",
    "Content-Length",
    "Connection",
    "Transfer-Encoding",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Attack: any headers at all, made at random
    /// Source: CWE-248
    /// Result: an answer below 500, and the next request is answered
    #[test]
    fn any_headers_get_an_answer_below_500(
        target in prop::sample::select(vec![
            "/authz/auth-request", "/authz/forward-auth?on_401=redirect", "/authz/ext-authz/open", "/authz/ext-authz/%", "/",
        ]),
        headers in prop::collection::vec((prop::sample::select(NAMES.to_vec()), header_value()), 0..6),
    ) {
        let (runtime, world) = &*SHARED;
        let mut bytes = format!("GET {target} HTTP/1.1\r\n").into_bytes();
        for (name, value) in headers {
            bytes.extend([name.as_bytes(), b": ", &value, b"\r\n"].concat());
        }
        bytes.extend(b"\r\n");
        let status = runtime.block_on(send(world, &bytes));
        prop_assert!(status.is_none_or(|status| status < 500), "{status:?}");
        prop_assert!(runtime.block_on(still_answers(world)));
    }

    /// Attack: any path at all, made at random
    /// Source: CWE-248
    /// Result: an answer below 500
    #[test]
    fn any_path_gets_an_answer_below_500(path in prop::collection::vec(0x21_u8..=0xff, 0..80)) {
        let (runtime, world) = &*SHARED;
        let request = [b"GET /authz/ext-authz/", &path[..], b" HTTP/1.1\r\n\r\n"].concat();
        let status = runtime.block_on(send(world, &request));
        prop_assert!(status.is_none_or(|status| status < 500), "{status:?}");
    }

    /// Attack: any bytes at all instead of HTTP
    /// Source: CWE-248
    /// Result: the next request is answered
    #[test]
    fn any_bytes_leave_it_alive(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let (runtime, world) = &*SHARED;
        let status = runtime.block_on(send(world, &bytes));
        prop_assert!(status.is_none_or(|status| status < 500), "{status:?}");
        prop_assert!(runtime.block_on(still_answers(world)));
    }
}

/// Attack: a token, path, header or number of headers past its bound
/// Source: CWE-770
/// Result: 401, 403 or 431
#[tokio::test]
async fn what_is_too_long_is_refused_early() {
    let world = World::ready(RULES).await;
    let request = Request::about(Endpoint::AuthRequest, "GET", "/open");
    let long_token = world.ask(&request.clone().bearer(&"a".repeat(9 * 1024))).await;
    assert_eq!(long_token.verdict(), (401, "malformed".to_owned()));
    let long_path = format!("/{}", "a".repeat(9 * 1024));
    assert_eq!(
        world
            .ask(&Request::about(Endpoint::AuthRequest, "GET", &long_path))
            .await
            .status,
        403
    );
    let long_header = world
        .ask(&request.clone().header("X-Padding", &"a".repeat(40 * 1024)))
        .await;
    assert_eq!(long_header.status, 431);
    let many = (0..200).fold(request, |request, number| {
        request.header(&format!("X-{number}"), "x")
    });
    assert_eq!(world.ask(&many).await.status, 431);
}
