//! Every endpoint × every kind of credentials × every kind of rule.

use std::sync::Arc;

use shared::revocation::Fact;
use shared::testkit::{TestKey, TokenForge};
use verifier::http::Endpoint;

use crate::support::{Answer, Request, START, World};

const RULES: &str = r#"
default = "deny"

[[rule]]
path = "/open/{*rest}"
anonymous = true

[[rule]]
path = "/me"
authenticated = true

[[rule]]
path = "/films/{film_id}"
methods = ["GET"]
roles = ["subscriber", "editor"]

[[rule]]
path = "/billing"
authenticated = true
audience = "billing"
"#;

/// The paths of the table, in its order.
const PATHS: [&str; 5] = ["/open/a", "/me", "/films/1", "/billing", "/else"];

type Credentials = Arc<dyn Fn(Request) -> Request + Send + Sync>;

/// One row: who asks, and the verdict on each of [`PATHS`].
#[derive(Clone)]
struct Row {
    who: &'static str,
    credentials: Credentials,
    verdicts: [&'static str; 5],
}

fn row(
    who: &'static str,
    credentials: impl Fn(Request) -> Request + Send + Sync + 'static,
    verdicts: [&'static str; 5],
) -> Row {
    Row {
        who,
        credentials: Arc::new(credentials),
        verdicts,
    }
}

/// A row for a token in the header, which has to be valid everywhere.
fn refused(who: &'static str, token: String, reason: &'static str) -> Row {
    row(who, move |request| request.bearer(&token), [reason; 5])
}

/// A row for the same token in the cookie, which counts for nothing where nothing is asked.
fn refused_cookie(who: &'static str, token: String, reason: &'static str) -> Row {
    row(
        who,
        move |request| request.cookie(&token),
        ["200", reason, reason, reason, reason],
    )
}

/// Who has a token that holds, or none.
fn callers(world: &World) -> Vec<Row> {
    let plain = world.forge().token();
    let subscriber = world.forge().roles(&["subscriber", "user"]).token();
    let by_cookie = subscriber.clone();
    let superuser = world.forge().claim("superuser", true).token();
    let payer = world.forge().claim("aud", vec!["movies", "billing"]).token();
    let beside = plain.clone();
    vec![
        row(
            "nobody",
            |request| request,
            ["200", "missing", "missing", "missing", "missing"],
        ),
        row(
            "somebody of another scheme",
            |request| request.header("Authorization", "Basic YTpi"),
            ["200", "missing", "missing", "missing", "missing"],
        ),
        row(
            "a user",
            move |request| request.bearer(&plain),
            ["200", "200", "role", "wrong_audience", "denied"],
        ),
        row(
            "a user with a bad cookie beside the header",
            move |request| request.bearer(&beside).cookie("x"),
            ["200", "200", "role", "wrong_audience", "denied"],
        ),
        row(
            "a subscriber",
            move |request| request.bearer(&subscriber),
            ["200", "200", "200", "wrong_audience", "denied"],
        ),
        row(
            "a subscriber by cookie",
            move |request| request.cookie(&by_cookie),
            ["200", "200", "200", "wrong_audience", "denied"],
        ),
        row(
            "a superuser",
            move |request| request.bearer(&superuser),
            ["200", "200", "200", "wrong_audience", "200"],
        ),
        row(
            "a payer",
            move |request| request.bearer(&payer),
            ["200", "200", "role", "200", "denied"],
        ),
    ]
}

/// Who has credentials that cannot be read, or several.
fn unreadable(world: &World) -> Vec<Row> {
    let cookie = world.forge().token();
    let ambiguous = "ambiguous_credentials";
    vec![
        row(
            "no token behind Bearer",
            |request| request.header("Authorization", "Bearer"),
            ["malformed"; 5],
        ),
        row(
            "two headers",
            |request| request.bearer("a").bearer("a"),
            [ambiguous; 5],
        ),
        row(
            "two cookies",
            |request| request.cookie("a").cookie("b"),
            ["200", ambiguous, ambiguous, ambiguous, ambiguous],
        ),
        row(
            "a bad header beside a good cookie",
            move |request| request.bearer("x").cookie(&cookie),
            ["malformed"; 5],
        ),
    ]
}

/// A forge whose tokens have every audience of the rules.
fn forge(world: &World) -> TokenForge {
    world.forge().claim("aud", vec!["movies", "billing"])
}

/// Tokens that do not hold, and why.
fn bad_tokens(world: &World) -> Vec<(&'static str, String, &'static str)> {
    let good = forge(world);
    let foreign = TokenForge::new(&TestKey::number(1), START);
    let impostor = TokenForge::new(&TestKey::number(1).with_kid("test-0"), START);
    let none = format!(
        "{}.e30.",
        shared::encoding::base64url(br#"{"alg":"none","typ":"at+jwt"}"#)
    );
    let twice = br#"{"alg":"RS256","typ":"at+jwt","kid":"test-0","kid":"test-0"}"#;
    let second = START.0 / 1000;
    vec![
        ("garbage", "garbage".to_owned(), "malformed"),
        (
            "a header name twice",
            TokenForge::sign_raw(&TestKey::number(0), twice, b"{}"),
            "malformed",
        ),
        ("no algorithm", none, "unsupported"),
        (
            "another algorithm",
            good.clone().header("alg", "HS256").token(),
            "unsupported",
        ),
        (
            "another type",
            good.clone().header("typ", "JWT").token(),
            "unsupported",
        ),
        (
            "critical headers",
            good.clone().header("crit", vec!["x"]).token(),
            "unsupported",
        ),
        (
            "no kid",
            good.clone().without_header("kid").token(),
            "unknown_key",
        ),
        ("an unknown kid", foreign.token(), "unknown_key"),
        ("forged", impostor.token(), "bad_signature"),
        (
            "expired",
            good.clone().claim("exp", second - 60).token(),
            "expired",
        ),
        (
            "not yet valid",
            good.clone().claim("nbf", second + 60).token(),
            "not_yet_valid",
        ),
        (
            "another issuer",
            good.clone().claim("iss", "https://other.org").token(),
            "wrong_issuer",
        ),
        (
            "another audience",
            good.clone().claim("aud", "other").token(),
            "wrong_audience",
        ),
        (
            "no session",
            good.clone().without_claim("sid").token(),
            "bad_claims",
        ),
        (
            "roles of a wrong type",
            good.claim("roles", "admin").token(),
            "bad_claims",
        ),
    ]
}

/// Tokens that were good until something happened, and what.
async fn revoked_tokens(world: &mut World) -> Vec<(&'static str, String, &'static str)> {
    let [session, token, subject] = [forge(world), forge(world), forge(world)];
    let role = forge(world).roles(&["editor"]);
    for fact in [
        Fact::Session {
            session: session.claim_text("sid").parse().unwrap(),
        },
        Fact::Token {
            token: token.claim_text("jti").parse().unwrap(),
        },
        Fact::Subject {
            subject: subject.claim_text("sub").parse().unwrap(),
            min_ver: START.0 + 1,
        },
        Fact::Role {
            name: "editor".into(),
            min_rver: 2,
        },
    ] {
        world.revoke(fact).await;
    }
    vec![
        ("a revoked session", session.token(), "revoked"),
        ("a revoked token", token.token(), "revoked"),
        ("a subject that has changed", subject.token(), "stale"),
        ("a role that was renamed", role.token(), "stale"),
    ]
}

/// Attack: each kind of bad, missing, expired and revoked credentials, at each endpoint, under each kind of rule
/// Source: OWASP API Security 2023, API1 and API5
/// Result: the status and reason that are documented
#[tokio::test]
async fn each_caller_gets_the_documented_answer_at_each_endpoint() {
    let mut world = World::ready(RULES).await;
    let mut rows = [callers(&world), unreadable(&world)].concat();
    for (who, token, reason) in [bad_tokens(&world), revoked_tokens(&mut world).await].concat() {
        rows.push(refused(who, token.clone(), reason));
        rows.push(refused_cookie(who, token, reason));
    }
    for Row {
        who,
        credentials,
        verdicts,
    } in rows
    {
        for endpoint in Endpoint::ALL {
            let mut client = world.connect().await;
            for (path, verdict) in PATHS.iter().zip(verdicts) {
                let answer = client
                    .ask(&credentials(Request::about(endpoint, "GET", path)))
                    .await;
                check(
                    &answer,
                    endpoint,
                    verdict,
                    &format!("{who} at {endpoint} about {path}"),
                );
            }
        }
    }
}

fn check(answer: &Answer, endpoint: Endpoint, verdict: &str, about: &str) {
    // Over gRPC these are the headers of the request that goes on.
    let is_request = endpoint == Endpoint::Grpc && verdict == "200";
    let cache_control = (!is_request).then_some("no-store");
    assert_eq!(answer.header("cache-control"), cache_control, "{about}");
    if verdict == "200" {
        assert_eq!(answer.status, 200, "{about}: {}", answer.reason());
        for name in ["subject", "session", "roles", "superuser", "labels"] {
            assert!(
                answer.header(&format!("x-auth-{name}")).is_some(),
                "{about}: x-auth-{name}"
            );
        }
        assert!(answer.body.is_empty());
        return;
    }
    let status = if matches!(verdict, "role" | "denied") {
        403
    } else {
        401
    };
    assert_eq!(answer.verdict(), (status, verdict.to_owned()), "{about}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert!(answer.header("x-auth-subject").is_none());
    let challenge = answer.header("www-authenticate").unwrap();
    let expected = match (status, verdict) {
        (_, "missing") => "Bearer realm=\"usher\"".to_owned(),
        (403, _) => {
            format!("Bearer realm=\"usher\", error=\"insufficient_scope\", error_description=\"{verdict}: ")
        }
        _ => format!("Bearer realm=\"usher\", error=\"invalid_token\", error_description=\"{verdict}: "),
    };
    assert!(challenge.starts_with(&expected), "{about}: {challenge}");
}

#[tokio::test]
async fn identity_headers_say_who_it_is() {
    let world = World::ready(RULES).await;
    let forge = world.forge().roles(&["user", "subscriber"]);
    for endpoint in Endpoint::ALL {
        let answer = world
            .ask(&Request::about(endpoint, "GET", "/me").bearer(&forge.token()))
            .await;
        assert_eq!(answer.header("x-auth-subject"), Some(forge.claim_text("sub")));
        assert_eq!(answer.header("x-auth-session"), Some(forge.claim_text("sid")));
        assert_eq!(answer.header("x-auth-roles"), Some("subscriber,user"));
        assert_eq!(answer.header("x-auth-superuser"), Some("false"));
        assert_eq!(answer.header("x-auth-labels"), Some(""));

        let superuser = forge.clone().claim("superuser", true).token();
        let answer = world
            .ask(&Request::about(endpoint, "GET", "/else").bearer(&superuser))
            .await;
        assert_eq!(
            (answer.status, answer.header("x-auth-superuser")),
            (200, Some("true"))
        );

        let spoofed = Request::about(endpoint, "GET", "/open/a")
            .header("X-Auth-Subject", "me")
            .header("X-Auth-Roles", "admin");
        let answer = world.ask(&spoofed).await;
        for (name, value) in [
            ("subject", ""),
            ("session", ""),
            ("roles", ""),
            ("superuser", "false"),
            ("labels", ""),
        ] {
            assert_eq!(answer.header(&format!("x-auth-{name}")), Some(value));
        }
    }
}
