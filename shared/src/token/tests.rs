use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::crypto::jwt_provider;
use crate::testkit::{TestKey, TokenForge};
use crate::time::{UnixMillis, UnixSeconds};

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn key() -> TestKey {
    TestKey::number(0)
}

fn forge() -> TokenForge {
    TokenForge::new(&key(), NOW)
}

fn policy() -> ClaimsPolicy {
    ClaimsPolicy {
        issuer: TokenForge::ISSUER.into(),
        audience: TokenForge::AUDIENCE.into(),
        leeway_s: 5,
    }
}

/// All the steps, as a request path takes them.
fn judge(token: &str, now: UnixSeconds) -> Result<(), TokenError> {
    let compact = CompactToken::parse(token)?;
    if compact.kid() != key().kid {
        return Err(TokenError::UnknownKey);
    }
    compact
        .verify(&key().signing.verifying_key().unwrap())?
        .validate(&policy(), now)
        .map(|_| ())
}

fn judged(forge: &TokenForge) -> Result<(), TokenError> {
    judge(&forge.token(), NOW.to_seconds())
}

#[test]
fn a_good_token_says_what_was_signed() {
    let forge = forge().roles(&["user", "admin"]).claim("superuser", true);
    assert_eq!(judged(&forge), Ok(()));
    let signed = forge.signed();
    let claims = signed.claims();
    assert_eq!(signed.kid(), "test-0");
    assert_eq!(claims.subject.to_string(), forge.claim_text("sub"));
    assert!(claims.roles.iter().eq(["admin", "user"]));
    assert!(claims.superuser);
    assert_eq!(claims.expires_at, UnixSeconds(NOW.to_seconds().0 + 900));
}

#[test]
fn a_token_is_not_shown() {
    let token = forge().token();
    let compact = CompactToken::parse(&token).unwrap();
    assert_eq!(format!("{compact:?}"), "CompactToken { kid: \"test-0\", .. }");
}

#[test]
fn headers_other_than_ours_are_unsupported() {
    for alg in [
        "none", "None", "NONE", "HS256", "RS384", "RS512", "PS256", "ES256", "EdDSA", "rs256", "",
    ] {
        assert_eq!(
            judged(&forge().header("alg", alg)),
            Err(TokenError::Unsupported),
            "{alg}"
        );
    }
    for typ in [json!("JWT"), json!("jwt"), json!(""), json!(1), Value::Null] {
        assert_eq!(
            judged(&forge().header("typ", typ.clone())),
            Err(TokenError::Unsupported),
            "{typ}"
        );
    }
    assert_eq!(
        judged(&forge().without_header("typ")),
        Err(TokenError::Unsupported)
    );
    assert_eq!(
        judged(&forge().without_header("alg")),
        Err(TokenError::Unsupported)
    );
    assert_eq!(
        judged(&forge().header("crit", json!(["exp"]))),
        Err(TokenError::Unsupported)
    );
    assert_eq!(
        judged(&forge().header("crit", json!([]))),
        Err(TokenError::Unsupported)
    );
    assert_eq!(judged(&forge().header("typ", "Application/AT+JWT")), Ok(()));
    assert_eq!(
        judged(&forge().header("jku", "http://127.0.0.1/")),
        Ok(()),
        "not looked at"
    );
}

#[test]
fn key_ids_that_name_nothing_are_unknown() {
    for kid in [
        json!(""),
        json!(7),
        Value::Null,
        json!("x".repeat(1000)),
        json!("../../etc/passwd"),
        json!("a\0"),
    ] {
        assert_eq!(
            judged(&forge().header("kid", kid.clone())),
            Err(TokenError::UnknownKey),
            "{kid}"
        );
    }
    assert_eq!(
        judged(&forge().without_header("kid")),
        Err(TokenError::UnknownKey)
    );
}

#[test]
fn another_key_under_the_same_id_signs_nothing() {
    let other = TestKey::number(1).with_kid("test-0");
    assert_eq!(
        judged(&TokenForge::new(&other, NOW)),
        Err(TokenError::BadSignature)
    );
}

#[test]
fn forms_that_are_no_compact_jws_are_malformed() {
    let token = forge().token();
    let (rest, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = rest.split_once('.').unwrap();
    let forms = [
        String::new(),
        ".".into(),
        "..".into(),
        header.to_owned(),
        rest.to_owned(),
        format!("{token}."),
        format!("{token}.{signature}"),
        format!("{header}..{signature}"),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}.{signature}=="),
        format!("{header}.{payload}.{signature} "),
        format!(" {token}"),
        format!("{header}.{payload}.+/{signature}"),
        ".".repeat(1_000_000),
        "a".repeat(1_000_000),
        format!("{{\"payload\":\"{payload}\"}}"),
    ];
    for form in forms {
        let refused = judge(&form, NOW.to_seconds());
        assert!(
            matches!(refused, Err(TokenError::Malformed | TokenError::BadSignature)),
            "{refused:?} {}",
            &form[..form.len().min(60)]
        );
    }
}

#[test]
fn a_name_twice_is_malformed_in_any_spelling_and_at_any_depth() {
    let key = key();
    let header = br#"{"alg":"RS256","typ":"at+jwt","kid":"test-0"}"#;
    let twice: [&[u8]; 3] = [
        br#"{"alg":"RS256","alg":"RS256","typ":"at+jwt","kid":"test-0"}"#,
        br#"{"alg":"RS256","typ":"at+jwt","kid":"test-0","k\u0069d":"test-0"}"#,
        br#"{"alg":"RS256","typ":"at+jwt","kid":"test-0","x":{"a":1,"a":1}}"#,
    ];
    for header in twice {
        let token = TokenForge::sign_raw(&key, header, b"{}");
        assert_eq!(judge(&token, NOW.to_seconds()), Err(TokenError::Malformed));
    }
    let payloads: [&[u8]; 7] = [
        br#"{"sub":"a","sub":"b"}"#,
        br#"{"sub":"a","s\u0075b":"b"}"#,
        br#"{"x":[{"a":1,"a":2}]}"#,
        b"[]",
        b"",
        b"{} ,",
        b"{\"a\":\"\xff\"}",
    ];
    for payload in payloads {
        let token = TokenForge::sign_raw(&key, header, payload);
        assert_eq!(
            judge(&token, NOW.to_seconds()),
            Err(TokenError::Malformed),
            "{payload:?}"
        );
    }
    let deep = [b"{\"x\":".as_slice(), &[b'['; 2000]].concat();
    let token = TokenForge::sign_raw(&key, header, &deep);
    assert_eq!(judge(&token, NOW.to_seconds()), Err(TokenError::Malformed));
}

#[test]
fn claims_missing_or_of_another_type_are_bad() {
    for name in [
        "iss",
        "aud",
        "sub",
        "sid",
        "jti",
        "client_id",
        "roles",
        "ver",
        "rver",
        "iat",
        "exp",
    ] {
        assert_eq!(
            judged(&forge().without_claim(name)),
            Err(TokenError::BadClaims),
            "no {name}"
        );
        for wrong in [
            Value::Null,
            json!({}),
            json!(true),
            json!(1.5),
            json!(-1),
            json!([1]),
        ] {
            let refused = judged(&forge().claim(name, wrong.clone()));
            assert_eq!(refused, Err(TokenError::BadClaims), "{name}: {wrong}");
        }
    }
    let wrong = [
        ("nbf", json!("now")),
        ("nbf", Value::Null),
        ("superuser", json!("true")),
        ("superuser", json!(1)),
        ("roles", json!("admin")),
        ("exp", json!("1800000900")),
        ("exp", json!(9_223_372_036_854_775_808_u64)),
        ("exp", json!(1e300)),
        ("iss", json!(["http://127.0.0.1:8080"])),
        ("sub", json!("not-a-uuid")),
        ("sub", json!("0193A5B0-0000-7000-8000-000000000000")),
        ("sub", json!("{0193a5b0-0000-7000-8000-000000000000}")),
        ("sub", json!("0193a5b0000070008000000000000000")),
    ];
    for (name, value) in wrong {
        let refused = judged(&forge().claim(name, value.clone()));
        assert_eq!(refused, Err(TokenError::BadClaims), "{name}: {value}");
    }
}

#[test]
fn issuer_and_audience_are_compared_byte_by_byte() {
    for iss in [
        "http://127.0.0.1:8080/",
        "http://127.0.0.1:808",
        "HTTP://127.0.0.1:8080",
        "",
    ] {
        assert_eq!(
            judged(&forge().claim("iss", iss)),
            Err(TokenError::WrongIssuer),
            "{iss}"
        );
    }
    for aud in [json!("Movies"), json!(""), json!([]), json!(["other"])] {
        assert_eq!(
            judged(&forge().claim("aud", aud.clone())),
            Err(TokenError::WrongAudience),
            "{aud}"
        );
    }
    assert_eq!(judged(&forge().claim("aud", json!(["other", "movies"]))), Ok(()));
}

#[test]
fn times_hold_to_the_second_of_the_leeway() {
    let token = forge().token();
    let issued = NOW.to_seconds().0;
    for (at, expected) in [
        (issued - 6, Err(TokenError::NotYetValid)),
        (issued - 5, Ok(())),
        (issued + 904, Ok(())),
        (issued + 905, Err(TokenError::Expired)),
    ] {
        assert_eq!(judge(&token, UnixSeconds(at)), expected, "{}", at - issued);
    }
    let later = forge().claim("nbf", issued + 6);
    assert_eq!(judged(&later), Err(TokenError::NotYetValid));
    assert_eq!(judged(&forge().without_claim("nbf")), Ok(()));
}

fn reference_accepts(token: &str) -> bool {
    let _ = jwt_provider::PROVIDER.install_default();
    let jwk = key().jwk();
    let decoding = DecodingKey::from_rsa_components(&jwk.n, &jwk.e).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[TokenForge::ISSUER]);
    validation.set_audience(&[TokenForge::AUDIENCE]);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    jsonwebtoken::decode::<Value>(token, &decoding, &validation).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Attack: a good token with any byte changed
    /// Source: RFC 8725 section 3.3
    /// Result: it is refused, whatever the byte
    #[test]
    fn any_mutated_byte_is_refused(position in 0_usize..900, flip in 1_u8..=255) {
        let token = forge().roles(&["user"]).token();
        let mut bytes = token.clone().into_bytes();
        let position = position % bytes.len();
        bytes[position] ^= flip;
        if let Ok(mutated) = String::from_utf8(bytes) {
            prop_assert!(judge(&mutated, NOW.to_seconds()).is_err());
        }
    }

    /// Attack: tokens of any issuer, audience and algorithm
    /// Source: RFC 8725 section 3.1
    /// Result: what is accepted, another implementation accepts too
    #[test]
    fn what_is_accepted_the_reference_accepts(
        roles in proptest::collection::vec("[a-z]{2,9}", 0..5),
        iss in prop_oneof![Just(TokenForge::ISSUER), Just("http://other")],
        aud in prop_oneof![Just("movies"), Just("other")],
        alg in prop_oneof![Just("RS256"), Just("HS256"), Just("none")],
    ) {
        let forge = forge().claim("roles", roles).claim("iss", iss).claim("aud", aud).header("alg", alg);
        let token = forge.token();
        let ours = judge(&token, NOW.to_seconds()).is_ok();
        prop_assert_eq!(ours, iss == TokenForge::ISSUER && aud == "movies" && alg == "RS256");
        prop_assert!(!ours || reference_accepts(&token));
    }

    /// Attack: any text, and any bytes that are signed
    /// Source: CWE-248
    /// Result: it is refused, and nothing panics
    #[test]
    fn foreign_bytes_never_panic(text in ".*", raw in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(judge(&text, NOW.to_seconds()).is_err());
        let token = TokenForge::sign_raw(&key(), br#"{"alg":"RS256","typ":"at+jwt","kid":"test-0"}"#, &raw);
        prop_assert!(judge(&token, NOW.to_seconds()).is_err());
    }
}

fn foreign(roles_claim: &'static str) -> TokenFormat {
    TokenFormat {
        profile: TokenProfile::Jwt,
        roles_claim: roles_claim.into(),
    }
}

fn read_as(forge: &TokenForge, format: &TokenFormat) -> Result<Claims, TokenError> {
    let token = forge.token();
    let compact = CompactToken::parse_as(&token, format)?;
    let signed = compact.verify(&key().signing.verifying_key().unwrap())?;
    Ok(signed.claims().clone())
}

#[test]
fn another_issuers_roles_are_where_the_format_says() {
    let forge = TokenForge::keycloak(&key(), NOW, &["editor", "user"])
        .claim("groups", "a b")
        .claim("https://a.org/roles", json!(["by url"]));
    for (claim, roles) in [
        ("realm_access.roles", &["editor", "user"][..]),
        (
            "resource_access.account.roles",
            &["manage-account", "view-profile"],
        ),
        ("groups", &["a", "b"]),
        ("https://a.org/roles", &["by url"]),
        ("roles", &[]),
        ("realm_access.roles.x", &[]),
        ("sub.roles", &[]),
    ] {
        let claims = read_as(&forge, &foreign(claim)).unwrap();
        assert!(
            claims.roles.iter().eq(roles.iter().copied()),
            "{claim}: {:?}",
            claims.roles
        );
        let names = claims.foreign.unwrap();
        assert_eq!(
            (&*names.subject, &*names.session),
            (forge.claim_text("sub"), forge.claim_text("sid"))
        );
    }
    assert_eq!(
        read_as(&forge, &foreign("realm_access")).map(|_| ()),
        Err(TokenError::BadClaims)
    );
    let many: Vec<String> = (0..=limits::ROLES_MAX).map(|n| n.to_string()).collect();
    let forge = forge.claim("groups", many.join(" "));
    assert_eq!(
        read_as(&forge, &foreign("groups")).map(|_| ()),
        Err(TokenError::BadClaims)
    );
}

#[test]
fn of_another_issuers_claims_four_are_required() {
    let format = foreign("roles");
    let mut least = TokenForge::new(&key(), NOW).without_header("typ");
    for claim in ["iat", "nbf", "jti", "sid", "client_id", "roles", "ver", "rver"] {
        least = least.without_claim(claim);
    }
    let claims = read_as(&least, &format).unwrap();
    assert_eq!(&*claims.foreign.unwrap().session, "");
    for claim in ["iss", "aud", "exp", "sub"] {
        let forge = least.clone().without_claim(claim);
        assert_eq!(
            read_as(&forge, &format).map(|_| ()),
            Err(TokenError::BadClaims),
            "{claim}"
        );
    }
    for (claim, value) in [
        ("sub", json!("")),
        ("sub", json!(1)),
        ("sub", json!("a b")),
        ("sub", json!("é")),
        ("sub", json!("a".repeat(256))),
        ("sid", json!(1)),
        ("nbf", json!("soon")),
        ("iat", json!(1.5)),
        ("roles", json!({})),
    ] {
        let forge = least.clone().claim(claim, value.clone());
        assert_eq!(
            read_as(&forge, &format).map(|_| ()),
            Err(TokenError::BadClaims),
            "{claim}: {value}"
        );
    }
    let auth0 = least.clone().claim("sub", "auth0|5f7c8ec7c33c6c004bbafe82");
    assert!(read_as(&auth0, &format).is_ok());
    let proud = read_as(&least.claim("superuser", true), &format).unwrap();
    assert!(!proud.superuser, "it is no word of theirs");
}

/// Attack: an ID token, refresh token or logout token of another issuer, with `token_profile = "jwt"`
/// Source: RFC 8725 section 3.12
/// Result: 401 `unsupported`
#[test]
fn another_issuers_tokens_are_for_access_and_nothing_else() {
    let forge = TokenForge::keycloak(&key(), NOW, &[]);
    let format = foreign("roles");
    for (typ, is_taken) in [
        ("JWT", true),
        ("jwt", true),
        ("application/jwt", true),
        ("at+jwt", true),
        ("APPLICATION/AT+JWT", true),
        ("logout+jwt", false),
        ("dpop+jwt", false),
        ("", false),
    ] {
        let read = read_as(&forge.clone().header("typ", typ), &format);
        assert_eq!(read.is_ok(), is_taken, "{typ}");
    }
    for other in [
        forge.clone().claim("typ", "ID"),
        forge.clone().claim("typ", "Refresh"),
        forge.clone().claim("at_hash", "x"),
        forge.clone().header("typ", json!(null)),
        forge.clone().header("alg", "HS256"),
        forge.clone().header("crit", json!(["b64"])),
    ] {
        assert_eq!(read_as(&other, &format).map(|_| ()), Err(TokenError::Unsupported));
    }
}

#[test]
fn our_own_format_takes_nothing_of_theirs() {
    let keycloak = TokenForge::keycloak(&key(), NOW, &["user"]);
    assert_eq!(judged(&keycloak), Err(TokenError::Unsupported));
    let dressed_up = keycloak.header("typ", "at+jwt");
    assert_eq!(judged(&dressed_up), Err(TokenError::BadClaims));
    let strict = TokenFormat {
        profile: TokenProfile::AtJwt,
        roles_claim: "realm_access.roles".into(),
    };
    let ours = forge().without_claim("roles");
    assert_eq!(read_as(&ours, &strict).map(|_| ()), Err(TokenError::BadClaims));
    let elsewhere = ours.claim("realm_access", json!({"roles": ["user"]}));
    assert!(read_as(&elsewhere, &strict).unwrap().roles.contains("user"));
}
