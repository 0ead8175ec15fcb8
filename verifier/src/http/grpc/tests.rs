use bytes::{BufMut, Bytes, BytesMut};
use http::Request;
use http_body_util::Full;

use super::*;

fn call(content_type: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder()
        .method(Method::POST)
        .version(Version::HTTP_2)
        .uri(CHECK)
        .header(CONTENT_TYPE, content_type);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn framed(flag: u8, length: u32, message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(flag);
    bytes.put_u32(length);
    bytes.extend_from_slice(message);
    bytes.freeze()
}

#[test]
fn a_call_is_a_post_over_http_2_of_its_content_type() {
    for (content_type, is) in [
        ("application/grpc", true),
        ("application/grpc+proto", true),
        ("application/grpc;x", true),
        ("application/grpc-web", false),
        ("application/grpc+json", false),
        ("application/json", false),
    ] {
        assert_eq!(is_call(&call(content_type, &[])), is, "{content_type}");
    }
    let mut request = call("application/grpc", &[]);
    request.version = Version::HTTP_11;
    assert!(!is_call(&request));
    request.version = Version::HTTP_2;
    request.method = Method::GET;
    assert!(!is_call(&request));
}

#[tokio::test]
async fn what_is_no_message_has_a_status() {
    use CallError::*;
    let parts = call("application/grpc", &[]);
    let large = vec![0; GRPC_MESSAGE_BYTES_MAX + 1];
    let large_length = u32::try_from(large.len()).unwrap();
    for (bytes, expected) in [
        (framed(0, 0, b""), Ok(CheckRequest::default())),
        // An unknown field.
        (framed(0, 2, b"\x98\x00"), Err(Malformed)),
        (framed(0, 3, b"\x98\x06\x01"), Ok(CheckRequest::default())),
        (Bytes::new(), Err(Unimplemented)),
        (Bytes::from_static(b"\0\0"), Err(Malformed)),
        (framed(0, 4, b"\x0a\x02"), Err(Malformed)),
        (framed(0, 2, b"\x0a\x09"), Err(Malformed)),
        (framed(2, 0, b""), Err(Malformed)),
        (framed(1, 0, b""), Err(Compressed)),
        (
            [framed(0, 0, b""), framed(0, 0, b"")].concat().into(),
            Err(Unimplemented),
        ),
        (framed(0, large_length, &large), Err(TooLarge)),
    ] {
        assert_eq!(
            read(&parts, Full::new(bytes.clone())).await,
            expected,
            "{bytes:?}"
        );
    }
    let gzip = call("application/grpc", &[("grpc-encoding", "gzip")]);
    assert_eq!(read(&gzip, Full::new(framed(0, 0, b""))).await, Err(Compressed));
}

/// Attack: a message of gRPC that does not come
/// Source: CWE-400
/// Result: `DEADLINE_EXCEEDED` when its time is up
#[tokio::test(start_paused = true)]
async fn a_message_that_does_not_come_is_not_waited_for() {
    let parts = call("application/grpc", &[]);
    assert_eq!(read(&parts, Never).await, Err(CallError::TooSlow));
}

struct Never;

impl Body for Never {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[test]
fn an_error_is_a_status_without_a_message() {
    for (error, code) in [
        (CallError::Unimplemented, "12"),
        (CallError::Compressed, "12"),
        (CallError::TooLarge, "8"),
        (CallError::TooSlow, "4"),
        (CallError::Malformed, "13"),
    ] {
        let answer = error.to_answer();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["grpc-status"], code);
        assert!(answer.headers().contains_key("grpc-message") && answer.body().is_end_stream());
    }
}

/// `GET /a` of `a.org`, with a cookie among its raw headers.
const GOOD: &[u8] =
    b"\x0a*\x22(\x12&\x12\x03GET\x22\x02/a*\x05a.orgj\x14\x0a\x12\x0a\x06cookie\x1a\x08t=abcdef";

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2048))]

    /// Attack: any bytes as a message of gRPC
    /// Source: CWE-248
    /// Result: a status of gRPC, and nothing panics
    #[test]
    fn no_bytes_make_it_panic(
        mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..256),
        is_framed in proptest::bool::weighted(0.8),
        noise in proptest::collection::vec((proptest::num::usize::ANY, proptest::num::u8::ANY), 0..4),
    ) {
        if is_framed {
            // A good message with a few bytes changed gets further than noise does.
            bytes = framed(0, u32::try_from(GOOD.len()).unwrap(), GOOD).to_vec();
            for (at, byte) in noise {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
        }
        if let Ok(message) = frame::unframe(bytes.into()).map(CheckRequest::decode) {
            let _ = message.map(|message| asked::Asked::read(&message).is_ok());
        }
    }
}

#[test]
fn the_message_that_is_changed_there_is_good() {
    let message = CheckRequest::decode(GOOD).unwrap();
    let asked = asked::Asked::read(&message).unwrap();
    assert_eq!(
        (asked.original.method, asked.original.path.as_str()),
        ("GET", "/a")
    );
    assert_eq!(asked.headers["cookie"], "t=abcdef");
}
