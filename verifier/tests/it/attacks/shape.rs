//! Tokens that are no compact JWS, or one in a second spelling.

use serde_json::json;
use shared::encoding::{base64url, base64url_decode};
use shared::limits::TOKEN_BYTES_MAX;
use shared::testkit::{TestKey, TokenForge};
use verifier::http::Endpoint;

use super::{Target, parted, parts};
use crate::support::call::{CHECK, CheckRequest, call, channel};
use crate::support::{HTTP, Request};

/// What is made of a good token is malformed.
async fn refuses(change: impl Fn(&str, &str, &str) -> Vec<String>) {
    let target = Target::start().await;
    let token = target.forge().token();
    let (header, payload, signature) = parts(&token);
    for token in change(header, payload, signature) {
        target.refuses(&token, "malformed").await;
    }
}

/// A token of a header and a payload that are spelt as they are here.
fn signed_as_it_stands(signed: &str) -> String {
    let signature = TestKey::number(0).signing.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", base64url(&signature))
}

/// Attack: a token of one part.
/// Source: RFC 7515 section 7.1
/// Result: 401 `malformed`
#[tokio::test]
async fn one_part() {
    refuses(|header, payload, _| vec![header.into(), format!("{header}{payload}"), "x".into()]).await;
}

/// Attack: a token of two parts, as some libraries write what is not signed.
/// Source: RFC 7515 section 7.1
/// Result: 401 `malformed`
#[tokio::test]
async fn two_parts() {
    refuses(|header, payload, _| vec![format!("{header}.{payload}"), ".".into()]).await;
}

/// Attack: a token of four parts, of which any may be empty.
/// Source: RFC 7515 section 7.1
/// Result: 401 `malformed`
#[tokio::test]
async fn four_parts() {
    refuses(|header, payload, signature| {
        vec![
            format!("{header}.{payload}.{signature}."),
            format!(".{header}.{payload}.{signature}"),
            format!("{header}.{payload}..{signature}"),
            format!("{header}.{payload}.{signature}.{signature}"),
        ]
    })
    .await;
}

/// Attack: five parts: an encrypted token, which may claim to be compressed too.
/// Source: RFC 7516 section 7.1, CVE-2024-28180, CVE-2024-21319, RFC 8725 section 3.6
/// Result: 401 `malformed`
#[tokio::test]
async fn five_parts() {
    let header = base64url(br#"{"alg":"RSA-OAEP","enc":"A128GCM","zip":"DEF","kid":"test-0"}"#);
    refuses(|_, payload, signature| {
        vec![
            format!("{header}.{signature}.{payload}.{payload}.{signature}"),
            format!("{header}..{payload}.{payload}.{signature}"),
            "....".into(),
        ]
    })
    .await;
}

/// Attack: no part has anything in it.
/// Source: RFC 7515 section 7.1
/// Result: 401 `malformed`
#[tokio::test]
async fn empty_parts() {
    refuses(|header, payload, signature| {
        vec![
            "..".into(),
            format!(".{payload}.{signature}"),
            format!("..{signature}"),
            format!("{header}..."),
        ]
    })
    .await;
}

/// Attack: an empty payload that is signed.
/// Source: RFC 7519 section 7.2
/// Result: 401 `malformed`
#[tokio::test]
async fn an_empty_payload() {
    let target = Target::start().await;
    let header = br#"{"alg":"RS256","typ":"at+jwt","kid":"test-0"}"#;
    let token = TokenForge::sign_raw(&TestKey::number(0), header, b"");
    target.refuses(&token, "malformed").await;
}

/// Attack: a million dots.
/// Source: CVE-2025-30204, CVE-2025-22868, CVE-2025-27144
/// Result: 431 before it is looked at, refused for its size over gRPC
#[tokio::test]
async fn a_million_dots() {
    let target = Target::start().await;
    let dots = ".".repeat(1_000_000);
    for endpoint in HTTP {
        let mut client = target.world.connect().await;
        let request = Request::about(endpoint, "GET", "/").bearer(&dots);
        // It is refused while it is still being sent.
        let _ = client.send(&request.to_bytes()).await;
        let answer = client.answer().await;
        assert!(answer.is_none_or(|answer| answer.status == 431), "{endpoint}");
    }
    let message = CheckRequest::about(&Request::about(Endpoint::Grpc, "GET", "/").bearer(&dots));
    let refused = call(channel(target.world.address()).await, CHECK, message).await;
    assert_eq!(refused.unwrap_err().code(), tonic::Code::ResourceExhausted);
    target.admits(&target.forge().token()).await;
}

/// Attack: as many dots as fit into a token, and one byte more than fits.
/// Source: CVE-2025-30204, CVE-2025-61920
/// Result: 401 `malformed`
#[tokio::test]
async fn a_token_of_dots() {
    refuses(|_, _, _| vec![".".repeat(TOKEN_BYTES_MAX), ".".repeat(TOKEN_BYTES_MAX + 1)]).await;
}

/// Attack: a good token that is one byte longer than tokens may be.
/// Source: CVE-2025-61920, CWE-770
/// Result: 401 `malformed`
#[tokio::test]
async fn a_token_that_is_too_long() {
    let target = Target::start().await;
    let token = |filler: usize| target.forge().claim("x", "x".repeat(filler)).token();
    let filler = (0..TOKEN_BYTES_MAX)
        .rev()
        .step_by(3)
        .find(|filler| token(*filler).len() <= TOKEN_BYTES_MAX)
        .unwrap();
    target.admits(&token(filler)).await;
    let long = token(filler + 3);
    assert!(long.len() > TOKEN_BYTES_MAX);
    target.refuses(&long, "malformed").await;
}

/// Attack: the JSON serialisations of a good token, flattened and general.
/// Source: RFC 7515 section 7.2, CVE-2022-39227
/// Result: 401 `malformed`, or `ambiguous_credentials` for the comma in it
#[tokio::test]
async fn json_serialisation() {
    let target = Target::start().await;
    let token = target.forge().token();
    let (header, payload, signature) = parts(&token);
    let flattened = json!({"protected": header, "payload": payload, "signature": signature});
    let general = json!({"payload": payload, "signatures": [{"protected": header, "signature": signature}]});
    for json in [flattened.to_string(), general.to_string()] {
        target
            .refuses_header(&format!("Bearer {json}"), "ambiguous_credentials")
            .await;
        target.refuses(&base64url(json.as_bytes()), "malformed").await;
    }
    target
        .refuses_header(&format!("Bearer {{\"payload\":\"{payload}\"}}"), "malformed")
        .await;
    // The compact form inside of JSON, which a lenient splitter takes apart at the dots.
    let mixed = format!("{{\"x\":\"{header}.{payload}.{signature}\"}}");
    target.refuses(&mixed, "malformed").await;
}

/// Attack: base64url with padding, in each part.
/// Source: RFC 7515 section 2, RFC 4648 section 3.2
/// Result: 401 `malformed`
#[tokio::test]
async fn padding() {
    refuses(|header, payload, signature| {
        let mut tokens = Vec::new();
        for padding in ["=", "==", "==="] {
            tokens.push(format!("{header}{padding}.{payload}.{signature}"));
            tokens.push(format!("{header}.{payload}.{signature}{padding}"));
        }
        tokens
    })
    .await;
}

/// Attack: a payload with padding, under a signature of just that.
/// Source: RFC 7515 section 2, RFC 4648 section 3.2
/// Result: 401 `malformed`
#[tokio::test]
async fn padding_that_is_signed() {
    let target = Target::start().await;
    let token = target.forge().token();
    let (header, payload, _) = parts(&token);
    let payload = payload.trim_end_matches('=');
    for signed in [format!("{header}.{payload}="), format!("{header}.{payload}==")] {
        target.refuses(&signed_as_it_stands(&signed), "malformed").await;
    }
}

/// Attack: the other alphabet of base64, `+` and `/` for `-` and `_`.
/// Source: RFC 4648 section 5, RFC 7515 section 2
/// Result: 401 `malformed`
#[tokio::test]
async fn the_other_alphabet() {
    refuses(|header, payload, signature| {
        // Of 342 characters some are among the two; were none, there would be nothing to try.
        let other = signature.replace('-', "+").replace('_', "/");
        assert_ne!(other, signature);
        vec![format!("{header}.{payload}.{other}")]
    })
    .await;
}

/// Attack: white space inside the token, before it, and encoded.
/// Source: RFC 7515 section 2, RFC 4648 section 3.3
/// Result: 401 `malformed`
#[tokio::test]
async fn white_space() {
    let target = Target::start().await;
    let token = target.forge().token();
    let (header, payload, signature) = parts(&token);
    for space in [" ", "\t", "%20", "%0a", "\\n"] {
        for token in [
            format!("{header}{space}.{payload}.{signature}"),
            signed_as_it_stands(&format!("{header}.{space}{payload}")),
            format!("{header}.{payload}.{}{space}{}", &signature[..9], &signature[9..]),
        ] {
            target
                .refuses_header(&format!("Bearer {token}"), "malformed")
                .await;
        }
    }
}

/// Attack: the same signature in its other spellings: a last character with bits that mean nothing.
/// Source: RFC 4648 section 3.5
/// Result: 401 `malformed`
#[tokio::test]
async fn a_last_character_that_is_not_canonical() {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let target = Target::start().await;
    let token = target.forge().token();
    let (rest, last) = token.split_at(token.len() - 1);
    let value = ALPHABET
        .iter()
        .position(|letter| *letter == last.as_bytes()[0])
        .unwrap();
    // 256 bytes leave four bits over.
    for bits in 1..16 {
        let spelling = format!("{rest}{}", char::from(ALPHABET[value & 0x30 | bits]));
        target.refuses(&spelling, "malformed").await;
    }
}

/// Attack: a character too many, so that a part has a length that no base64 has.
/// Source: RFC 4648 section 4
/// Result: 401 `malformed`
#[tokio::test]
async fn a_length_that_no_base64_has() {
    refuses(|header, payload, signature| {
        // 342 characters: three more make one over.
        vec![format!("{header}.{payload}.{signature}AAA")]
    })
    .await;
}

/// Attack: one bit of the signature or of what is signed is another.
/// Source: RFC 8725 section 3.3
/// Result: 401, whatever the bit
#[tokio::test]
async fn a_bit_that_is_another() {
    let target = Target::start().await;
    let token = target.forge().token();
    let (signed, signature) = parted(&token);
    let bytes = base64url_decode(signature.as_bytes()).unwrap();
    for at in [0, 1, 127, 254, 255] {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        let token = format!("{signed}.{}", base64url(&bytes));
        target.refuses(&token, "bad_signature").await;
    }
    let (header, payload, _) = parts(&token);
    let mut claims = base64url_decode(payload.as_bytes()).unwrap();
    for at in [1, claims.len() / 2, claims.len() - 2] {
        claims[at] ^= 1;
        let token = format!("{header}.{}.{signature}", base64url(&claims));
        target.refuses(&token, "bad_signature").await;
    }
}
