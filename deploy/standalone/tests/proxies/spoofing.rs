//! Clients that speak for the front end, for the verifier, or in riddles.

use crate::client::Ask;
use crate::echo::Seen;
use crate::front_end::{FrontEnd, Kind};
use crate::stand::{RULES, Stand};

const IDENTITY: [&str; 5] = ["Subject", "Session", "Roles", "Superuser", "Labels"];

/// What makes some service somewhere take the request for another one.
const OF_THE_REQUEST: [&str; 25] = [
    "X-Original-URI",
    "X-Original-URL",
    "X-Original-Method",
    "X-Original-Host",
    "x_original_uri",
    "X.Original.URI",
    "X-Forwarded-Uri",
    "X-Forwarded-Method",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-For",
    "X-Forwarded-Path",
    "X-Forwarded-Prefix",
    "x_forwarded_uri",
    "X.Forwarded.Uri",
    "X-Real-IP",
    "X-Rewrite-URL",
    "X-HTTP-Method-Override",
    "X-HTTP-Method",
    "X-Method-Override",
    "X_HTTP_Method_Override",
    "x-http-method-OVERRIDE",
    "Forwarded",
    "Proxy",
    "Proxy-Authorization",
];

/// Spellings that some service somewhere takes for `X-Auth-<what>`.
fn spellings(what: &str) -> [String; 20] {
    let (lower, upper) = (what.to_lowercase(), what.to_uppercase());
    [
        format!("X-Auth-{what}"),
        format!("x-auth-{lower}"),
        format!("X-AUTH-{upper}"),
        format!("x-AuTh-{lower}"),
        format!("X_Auth_{what}"),
        format!("x_auth_{lower}"),
        format!("X-Auth_{what}"),
        format!("X_Auth-{what}"),
        format!("X_AUTH-{upper}"),
        format!("HTTP_X_AUTH_{upper}"),
        format!("X.Auth.{what}"),
        format!("X-Auth.{what}"),
        format!("X.Auth-{what}"),
        format!("X.Auth_{what}"),
        format!("X~Auth~{what}"),
        format!("X!Auth!{what}"),
        format!("X+Auth+{what}"),
        format!("X-Auth'{what}"),
        format!("X|Auth|{what}"),
        format!("X^Auth`{what}"),
    ]
}

/// What of a forgery came through. Our own headers can have come from nobody else.
fn forged(seen: &Seen) -> Vec<&(String, String)> {
    let values = seen.headers.iter();
    values.filter(|(_, value)| value.contains("forged")).collect()
}

/// Attack: identity headers of the client's own, in every spelling, through each proxy
/// Source: CWE-290
/// Result: the service gets those of the verifier alone
#[tokio::test]
async fn nobody_is_somebody_else() {
    let stand = Stand::start(&Kind::ALL, RULES).await;
    let forge = stand.forge().roles(&["subscriber"]);
    let (token, subject) = (forge.token(), forge.claim_text("sub").to_owned());
    let mut asks = Vec::new();
    for what in IDENTITY {
        let mut all = Ask::get("/open");
        for spelling in spellings(what) {
            asks.push(Ask::get("/open").header(&spelling, "forged"));
            // Twice, so that one is left if one is taken.
            all = all
                .header(&spelling, "forged")
                .header(&spelling, "forged, forged");
        }
        asks.push(all);
    }
    for line in [
        ("Connection", "close, X-Auth-Subject, X-Auth-Superuser"),
        ("Connection", "x-auth-superuser, x-auth-subject"),
        ("Keep-Alive", "timeout=5"),
        ("TE", "trailers"),
    ] {
        let ask = Ask::get("/open")
            .header(line.0, line.1)
            .header("X-Auth-Subject", "forged")
            .header("X-Auth-Superuser", "forged");
        asks.push(ask);
    }
    for front_end in &stand.front_ends {
        for ask in &asks {
            for (is_signed_in, ask) in [(false, ask.clone()), (true, ask.clone().bearer(&token))] {
                let answer = front_end.send(&ask).await;
                let kind = front_end.kind;
                let seen = stand.echo.take_seen();
                // To refuse such a request is an answer to it.
                assert!(
                    answer.status == 200 || answer.status == 400 && seen.is_empty(),
                    "{kind}: {ask:?}: {answer:?}"
                );
                for seen in seen {
                    assert!(forged(&seen).is_empty(), "{kind}: {ask:?}: {seen:?}");
                    let expected = if is_signed_in { subject.as_str() } else { "" };
                    assert_eq!(seen.all("x-auth-subject").concat(), expected, "{kind}: {ask:?}");
                    assert_eq!(seen.all("x-auth-superuser"), ["false"], "{kind}: {ask:?}");
                    let roles = if is_signed_in { "subscriber" } else { "" };
                    assert_eq!(seen.all("x-auth-roles").concat(), roles, "{kind}: {ask:?}");
                }
            }
        }
    }
}

/// Attack: headers that would have the verifier judge another request, through each proxy
/// Source: CWE-345
/// Result: it judges the one that is made
#[tokio::test]
async fn nobody_asks_about_another_request_than_their_own() {
    let stand = Stand::start(&Kind::ALL, RULES).await;
    for front_end in &stand.front_ends {
        let kind = front_end.kind;
        let is_envoy = matches!(kind, Kind::EnvoyHttp | Kind::EnvoyGrpc);
        let names = OF_THE_REQUEST.iter().copied();
        // Envoy itself reads this one, on its way through.
        for name in names.chain(is_envoy.then_some("X-Envoy-Original-Path")) {
            for value in ["/open", "OPTIONS", "members.example.org", "forged"] {
                let answer = front_end.send(&Ask::get("/admin").header(name, value)).await;
                assert_eq!(answer.status, 401, "{kind}: {name}: {value}: {answer:?}");
            }
            let ask = Ask::get("/open").header(name, "forged").header(name, "forged");
            let answer = front_end.send(&ask).await;
            assert_eq!(answer.status, 200, "{kind}: {name}: {answer:?}");
            for seen in stand.echo.take_seen() {
                assert!(forged(&seen).is_empty(), "{kind}: {name}: {seen:?}");
                assert_eq!((seen.method.as_str(), &*seen.target), ("GET", &b"/open"[..]));
            }
        }
        // What is named in `Connection` is only for the next hop: not even the front end's own headers may go by it.
        for names in [
            "X-Original-URI, X-Original-Method",
            "X-Forwarded-Uri, X-Forwarded-Method, X-Forwarded-Host",
            "Host, Authorization, Cookie",
            "close, X-Forwarded-For, X-Auth-Roles",
        ] {
            let ask = Ask::get("/admin").header("Connection", names);
            let answer = front_end.send(&ask.header("X-Original-URI", "/open")).await;
            assert!(matches!(answer.status, 400 | 401), "{kind}: {names}: {answer:?}");
        }
        assert!(stand.echo.take_seen().is_empty());
    }
}

/// Attack: credentials that a service behind could misuse
/// Source: CWE-522
/// Result: they are taken away
#[tokio::test]
async fn the_service_gets_the_request_and_no_credentials() {
    let stand = Stand::start(&Kind::ALL, RULES).await;
    let token = stand.forge().token();
    for front_end in &stand.front_ends {
        let kind = front_end.kind;
        let ask = Ask::new("POST", "/me?a=1&b=%2F")
            .bearer(&token)
            .header("X-Request-Id", "one-two.3")
            .header("Content-Type", "text/plain")
            .body("a body of some bytes");
        let seen = through(&stand, front_end, &ask).await;
        assert_eq!(
            (&*seen.target, &*seen.body),
            (&b"/me?a=1&b=%2F"[..], &b"a body of some bytes"[..]),
            "{kind}"
        );
        for (name, value) in [
            ("host", "movies.example.org"),
            ("content-type", "text/plain"),
            ("x-request-id", "one-two.3"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-real-ip", "127.0.0.1"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "movies.example.org"),
        ] {
            assert_eq!(seen.all(name), [value], "{kind}: {name}: {seen:?}");
        }
        assert!(seen.all("authorization").is_empty(), "{kind}: {seen:?}");
        for (sent, left) in [
            ("__Host-access_token=@", ""),
            ("__Host-access_token=@; a=1", "a=1"),
            ("a=1; __Host-access_token=@", "a=1"),
            (
                "a=1; __Host-access_token=@; b=2; __Secure-refresh_token=@; c=3",
                "a=1; b=2; c=3",
            ),
            ("__Secure-refresh_token=@;__Host-access_token=@;a=1", "a=1"),
            ("a=1; b=__Host", "a=1; b=__Host"),
        ] {
            let ask = Ask::get("/me").header("Cookie", &sent.replace('@', &token));
            let ask = if sent.contains("__Host-access_token=") {
                ask
            } else {
                ask.bearer(&token)
            };
            let seen = through(&stand, front_end, &ask).await;
            // Traefik can only pass on all of them or none.
            let left = if kind == Kind::Traefik { "" } else { left };
            assert_eq!(seen.all("cookie").concat(), left, "{kind}: {sent}");
        }
        for cookie in [
            "__Host-access_token =@",
            "__HOST-ACCESS_TOKEN=@",
            "a=1;__Secure-refresh_token=@",
        ] {
            let ask = Ask::get("/open").header("Cookie", &cookie.replace('@', "secret"));
            let seen = through(&stand, front_end, &ask).await;
            assert!(
                !seen.all("cookie").concat().contains("secret"),
                "{kind}: {cookie}: {seen:?}"
            );
        }
    }
}

/// Attack: an upgrade through each proxy
/// Source: CWE-444
/// Result: a WebSocket is judged, anything else does not pass
#[tokio::test]
async fn a_websocket_is_judged_and_no_other_upgrade_passes() {
    let stand = Stand::start(&Kind::ALL, RULES).await;
    let token = stand.forge().token();
    let websocket = |path: &str| {
        Ask::get(path)
            .header("Connection", "keep-alive, Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    };
    for front_end in &stand.front_ends {
        let kind = front_end.kind;
        assert_eq!(front_end.send(&websocket("/me")).await.status, 401, "{kind}");
        assert!(stand.echo.take_seen().is_empty(), "{kind}");
        let answer = front_end.send(&websocket("/me").bearer(&token)).await;
        assert_eq!(answer.status, 101, "{kind}: {answer:?}");
        let [seen] = <[_; 1]>::try_from(stand.echo.take_seen()).unwrap();
        assert_eq!(seen.all("x-auth-superuser"), ["false"], "{kind}");

        for (connection, upgrades) in [
            ("Upgrade, HTTP2-Settings", vec!["h2c"]),
            ("upgrade", vec!["h2c"]),
            ("Upgrade", vec!["anything"]),
            ("Upgrade", vec!["websocket, h2c"]),
            ("Upgrade", vec!["h2c", "websocket"]),
            ("Upgrade, HTTP2-Settings", vec!["websocket", "h2c"]),
        ] {
            let mut ask = Ask::get("/open")
                .header("Connection", connection)
                .header("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA");
            for upgrade in &upgrades {
                ask = ask.header("Upgrade", upgrade);
            }
            let answer = front_end.send(&ask).await;
            let seen = stand.echo.take_seen();
            // Of two, one may be left: that which is a WebSocket.
            let left = seen.first().map(|seen| seen.all("upgrade").concat());
            let is_websocket = answer.status == 101 && left.as_deref() == Some("websocket");
            assert!(
                seen.is_empty() || answer.status == 200 || is_websocket && upgrades.len() == 2,
                "{kind}: {upgrades:?}: {answer:?}"
            );
            for seen in seen {
                assert!(
                    is_websocket || seen.all("upgrade").is_empty(),
                    "{kind}: {upgrades:?}: {seen:?}"
                );
                assert!(
                    seen.all("http2-settings").is_empty(),
                    "{kind}: {upgrades:?}: {seen:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn connections_to_the_verifier_are_kept() {
    let stand = Stand::start(&Kind::ALL, RULES).await;
    let token = stand.forge().token();
    for front_end in &stand.front_ends {
        let before = stand.accepted().await;
        for _ in 0..50 {
            for (ask, status) in [
                (Ask::get("/open"), 200),
                (Ask::get("/me"), 401),
                (Ask::get("/admin").bearer(&token), 403),
                (Ask::new("POST", "/open").body("some bytes"), 200),
            ] {
                assert_eq!(front_end.send(&ask).await.status, status, "{}", front_end.kind);
            }
        }
        let opened = stand.accepted().await - before;
        // One for each worker or thread, and what the metrics' own reader may add elsewhere: far from the 200 asked.
        assert!(
            opened <= 20,
            "{} opened {opened} connections for 200 questions",
            front_end.kind
        );
        eprintln!("{}: {opened} connections for 200 questions", front_end.kind);
    }
}

async fn through(stand: &Stand, front_end: &FrontEnd, ask: &Ask) -> Seen {
    let answer = front_end.send(ask).await;
    assert_eq!(answer.status, 200, "{}: {ask:?}: {answer:?}", front_end.kind);
    let [seen] = <[_; 1]>::try_from(stand.echo.take_seen()).unwrap();
    seen
}
