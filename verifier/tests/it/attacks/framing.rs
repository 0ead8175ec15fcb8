//! Requests in HTTP/1.1 that a proxy and the verifier could take apart at different places.

use crate::support::World;

const GOOD: &str = "GET /authz/ext-authz/open HTTP/1.1\r\nHost: a\r\n";

/// What would be a second request, if a body were taken for one.
const HIDDEN: &str = "GET /authz/ext-authz/hidden HTTP/1.1\r\nHost: a\r\n\r\n";

/// Sends this on a connection of its own, and gives the statuses of what is answered until it is closed.
async fn statuses(world: &World, bytes: &[u8]) -> Vec<u16> {
    let mut client = world.connect().await;
    // It may be refused while it is still being sent.
    let _ = client.send(bytes).await;
    client.finish().await;
    let mut statuses = Vec::new();
    while let Some(answer) = client.answer().await {
        statuses.push(answer.status);
    }
    statuses
}

/// Each of these is refused before it is a request, or is one request and the last one of its connection.
async fn hides_nothing(requests: impl IntoIterator<Item = String>) {
    for request in requests {
        let world = World::ready("default = \"allow\"\n").await;
        let statuses = statuses(&world, request.as_bytes()).await;
        assert!(statuses.len() <= 1, "{statuses:?} {request:?}");
        assert!(world.decisions() <= 1, "{request:?}");
    }
}

/// Each of these is answered with 400, and nothing is decided.
async fn is_refused(requests: impl IntoIterator<Item = String>) {
    for request in requests {
        let world = World::ready("default = \"allow\"\n").await;
        let statuses = statuses(&world, format!("{request}{HIDDEN}").as_bytes()).await;
        assert_eq!((statuses, world.decisions()), (vec![400], 0), "{request:?}");
    }
}

/// Attack: a request with both `Content-Length` and `Transfer-Encoding`.
/// Source: RFC 9112 section 6.1, CVE-2021-21299
/// Result: what follows is no second request
#[tokio::test]
async fn two_ways_to_end() {
    let cl = HIDDEN.len();
    hides_nothing([
        format!("{GOOD}Content-Length: {cl}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}"),
        format!("{GOOD}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{HIDDEN}"),
    ])
    .await;
}

/// Attack: two lengths.
/// Source: RFC 9112 section 6.3, CWE-444
/// Result: 400 or one answer, and what follows is no second request
#[tokio::test]
async fn two_lengths() {
    let cl = HIDDEN.len();
    hides_nothing([
        format!("{GOOD}Content-Length: 0\r\nContent-Length: {cl}\r\n\r\n{HIDDEN}"),
        format!("{GOOD}Content-Length: {cl}\r\nContent-Length: 0\r\n\r\n{HIDDEN}"),
        format!("{GOOD}Content-Length: 0, {cl}\r\n\r\n{HIDDEN}"),
    ])
    .await;
}

/// Attack: a length that readers read differently.
/// Source: RFC 9112 section 6.3, CVE-2021-32715
/// Result: 400 or one answer, and what follows is no second request
#[tokio::test]
async fn a_length_that_is_no_number() {
    let lengths = ["+5", "-1", "0x10", "5 ", "1e1", "", "18446744073709551616", "5;x"];
    hides_nothing(lengths.map(|length| format!("{GOOD}Content-Length: {length}\r\n\r\nhello{HIDDEN}"))).await;
}

/// Attack: a transfer coding in another spelling, or behind another one.
/// Source: RFC 9112 section 6.1, CVE-2019-18277
/// Result: 400 or one answer, and what follows is no second request
#[tokio::test]
async fn transfer_codings_in_disguise() {
    let codings = [
        "xchunked",
        "chunked, identity",
        "identity, chunked",
        "\tchunked",
        "chunked\u{b}",
        "\"chunked\"",
        "CHUNKED",
        "chunked, chunked",
        "gzip",
    ];
    hides_nothing(
        codings.map(|coding| format!("{GOOD}Transfer-Encoding: {coding}\r\n\r\n0\r\n\r\n{HIDDEN}")),
    )
    .await;
}

/// Attack: a chunked body in HTTP/1.0, which has none.
/// Source: RFC 9112 section 6.1
/// Result: 400 or one answer, and what follows is no second request
#[tokio::test]
async fn chunks_in_http_1_0() {
    let old = GOOD.replace("1.1", "1.0");
    hides_nothing([format!(
        "{old}Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}"
    )])
    .await;
}

/// Attack: chunks with sizes that overflow, or extensions without end.
/// Source: RFC 9112 section 7.1, CVE-2021-32714
/// Result: no body is read; what follows is no second request
#[tokio::test]
async fn chunks_that_overflow() {
    let sizes = ["f0000000000000003", "10000000000000000", "-1", "0x0", "0;x=\n"];
    hides_nothing(
        sizes.map(|size| {
            format!("{GOOD}Transfer-Encoding: chunked\r\n\r\n{size}\r\nabc\r\n0\r\n\r\n{HIDDEN}")
        }),
    )
    .await;
}

/// Attack: a body that is a request.
/// Source: CWE-444
/// Result: it is not read, and the connection is closed
#[tokio::test]
async fn a_request_in_a_body() {
    let cl = HIDDEN.len();
    hides_nothing([format!("{GOOD}Content-Length: {cl}\r\n\r\n{HIDDEN}")]).await;
}

/// Attack: white space between a header's name and its colon.
/// Source: RFC 9112 section 5.1, CVE-2019-16276
/// Result: 400
#[tokio::test]
async fn white_space_before_the_colon() {
    is_refused([
        format!("{GOOD}Authorization : Bearer x\r\n\r\n"),
        format!("{GOOD}Transfer-Encoding\t: chunked\r\n\r\n"),
    ])
    .await;
}

/// Attack: a header that goes on in the next line.
/// Source: RFC 9112 section 5.2
/// Result: 400
#[tokio::test]
async fn a_folded_header() {
    is_refused([
        format!("{GOOD}Authorization: Bearer\r\n x\r\n\r\n"),
        "GET /authz/ext-authz/open HTTP/1.1\r\n Host: a\r\n\r\n".to_owned(),
    ])
    .await;
}

/// Attack: NUL, CR or another control character in a header's value.
/// Source: RFC 9110 section 5.5
/// Result: 400
#[tokio::test]
async fn control_characters_in_a_header() {
    is_refused(["\0", "\r", "\u{1}", "\u{7f}"].map(|c| format!("{GOOD}X-Any: a{c}b\r\n\r\n"))).await;
}

/// Attack: a header's name with characters that no name has.
/// Source: RFC 9110 section 5.1
/// Result: 400
#[tokio::test]
async fn names_that_are_none() {
    is_refused(["X Any", "X(Any)", "", "X\0", "X/Y"].map(|name| format!("{GOOD}{name}: a\r\n\r\n"))).await;
}

/// Attack: a request line with control characters, too few words, or a version that there is not.
/// Source: RFC 9112 section 3
/// Result: 400
#[tokio::test]
async fn request_lines_that_are_none() {
    is_refused(
        [
            "GET\0/authz/ext-authz/open HTTP/1.1",
            "GET /authz/ext-authz/open",
            "GET /authz/ext-authz/open HTTP/1.2",
            "GET /authz/ext-authz/open HTTP/3.0",
            "GET /authz/ext-authz/open http/1.1",
            "G\u{1}T /authz/ext-authz/open HTTP/1.1",
        ]
        .map(|line| format!("{line}\r\nHost: a\r\n\r\n")),
    )
    .await;
}
