//! What may stand in `kid`, which is the attacker's to write.

use serde_json::{Value, json};
use verifier::http::Endpoint;

use super::Target;
use crate::support::Request;
use crate::support::call::{CHECK, CheckRequest, call, channel};

async fn refuses(kids: impl IntoIterator<Item = Value>) {
    let target = Target::start().await;
    for kid in kids {
        let forge = target.forge().header("kid", kid);
        target.refuses_each([forge], "unknown_key").await;
    }
}

/// Attack: no `kid`.
/// Source: RFC 7515 section 4.1.4
/// Result: 401 `unknown_key`
#[tokio::test]
async fn absent() {
    let target = Target::start().await;
    let forge = target.forge().without_header("kid");
    target.refuses_each([forge], "unknown_key").await;
}

/// Attack: `kid` is an empty text.
/// Source: RFC 7515 section 4.1.4
/// Result: 401 `unknown_key`
#[tokio::test]
async fn empty() {
    refuses([json!("")]).await;
}

/// Attack: `kid` is a number, null, a boolean, an array or an object.
/// Source: RFC 7515 section 4.1.4
/// Result: 401 `unknown_key`
#[tokio::test]
async fn no_text() {
    refuses([
        json!(0),
        json!(null),
        json!(true),
        json!(["test-0"]),
        json!({"test-0": 1}),
    ])
    .await;
}

/// Attack: `kid` is a path out of a folder of keys, to a file whose content anybody knows.
/// Source: RFC 8725 section 3.10, CWE-22
/// Result: 401 `unknown_key`
#[tokio::test]
async fn traversal() {
    refuses([
        json!("../../../../dev/null"),
        json!("..%2f..%2fdev%2fnull"),
        json!("/proc/self/environ"),
        json!("..\\..\\windows\\win.ini"),
        json!("file:///etc/passwd"),
    ])
    .await;
}

/// Attack: `kid` is a piece of SQL that selects a key of the attacker's.
/// Source: RFC 8725 section 3.10, CWE-89
/// Result: 401 `unknown_key`
#[tokio::test]
async fn sql() {
    refuses([
        json!("x' UNION SELECT 'secret' --"),
        json!("test-0' OR '1'='1"),
        json!("test-0; DROP TABLE key"),
    ])
    .await;
}

/// Attack: `kid` is a command, a template or an address.
/// Source: CWE-78, CVE-2021-44228, RFC 8725 section 3.10
/// Result: 401 `unknown_key`
#[tokio::test]
async fn commands() {
    refuses([
        json!("|id"),
        json!("$(id)"),
        json!("`id`"),
        json!("${jndi:ldap://127.0.0.1/a}"),
        json!("http://127.0.0.1/key"),
    ])
    .await;
}

/// Attack: our key's id with NUL behind or before it.
/// Source: CWE-626
/// Result: 401 `unknown_key`
#[tokio::test]
async fn nul() {
    refuses([json!("test-0\0"), json!("\0test-0"), json!("test-0\0.pem")]).await;
}

/// Attack: our key's id in another casing, with white space, or in letters that look the same.
/// Source: RFC 7515 section 4.1.4
/// Result: 401 `unknown_key`
#[tokio::test]
async fn other_spellings() {
    refuses([
        json!("TEST-0"),
        json!(" test-0"),
        json!("test-0\n"),
        json!("test-0\u{200b}"),
        json!("tеst-0"),
    ])
    .await;
}

/// Attack: `kid` has line breaks and control characters, which would forge lines of a log.
/// Source: CWE-117
/// Result: 401 `unknown_key`
#[tokio::test]
async fn line_breaks() {
    refuses([
        json!("x\r\n{\"level\":\"INFO\"}"),
        json!("\u{1b}[2J"),
        json!("x\r\nSet-Cookie: a=b"),
    ])
    .await;
}

/// Attack: `kid` of 1000 and of 5000 bytes, which fit into a token.
/// Source: CWE-770
/// Result: 401 `unknown_key`
#[tokio::test]
async fn long() {
    refuses([json!("x".repeat(1000)), json!("x".repeat(5000))]).await;
}

/// Attack: `kid` of 64 KiB.
/// Source: CWE-770
/// Result: 431 before it is looked at, 401 `malformed` over gRPC
#[tokio::test]
async fn of_64_kib() {
    let target = Target::start().await;
    let token = target.forge().header("kid", "x".repeat(64 * 1024)).token();
    for endpoint in crate::support::HTTP {
        let answer = target
            .world
            .ask(&Request::about(endpoint, "GET", "/").bearer(&token))
            .await;
        assert_eq!(answer.status, 431, "{endpoint}");
    }
    let message = CheckRequest::about(&Request::about(Endpoint::Grpc, "GET", "/").bearer(&token));
    let answer = call(channel(target.world.address()).await, CHECK, message).await;
    let answer = crate::support::Answer::from(answer.unwrap());
    assert_eq!(answer.verdict(), (401, "malformed".to_owned()));
    target.admits(&target.forge().token()).await;
}
