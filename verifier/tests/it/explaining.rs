//! An explanation is the decision, told.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use shared::admin::Admin;
use shared::id::SessionId;
use shared::revocation::Fact;
use shared::serve::{BoundAddress, Peer};
use shared::testkit::{TestKey, TokenForge};
use shared::time::{Clock, SystemClock};
use tokio::io::AsyncWriteExt;
use tower::ServiceExt;
use verifier::http::Endpoint;
use verifier::http::admin::ExplainingAdmin;

use crate::support::{Canned, Client, KeyServer, Request, Served, World, film, label, program, until};

const RULES: &str = r#"
default = "authenticated"

[[rule]]
path = "/open/{*rest}"
anonymous = true

[[rule]]
path = "/films/{film_id}"
methods = ["GET"]
roles = ["subscriber", "editor"]

[[rule]]
path = "/hosted"
hosts = ["movies.example.org"]
authenticated = true

[[rule]]
path = "/billing"
authenticated = true
audience = "billing"

[[rule]]
path = "/admin/{*rest}"
roles = ["admin"]

[[rule]]
path = "/labelled/{film_id}"
film = "{film_id}"

[[rule]]
path = "/labelled/{film_id}/cast"
film = "{film_id}"
roles = ["subscriber", "editor"]
"#;

/// Where the rules that ask the labels of films begin.
const FILM_RULES: &str = "\n[[rule]]\npath = \"/labelled";

const METHODS: [&str; 4] = ["GET", "POST", "OPTIONS", "get"];
const HOSTS: [Option<&str>; 4] = [
    None,
    Some("movies.example.org"),
    Some("Other.org:80"),
    Some("a,b"),
];
const TARGETS: [&str; 28] = [
    "/",
    "/open",
    "/open/a/b?c=d",
    "/open/../admin",
    "/films/1",
    "/films/1/",
    "/films/%31",
    "/films/1/2",
    "/films//1",
    "/films/a%2fb",
    "/hosted",
    "/hosted/",
    "/hosted#x",
    "/billing",
    "/admin",
    "/admin/x",
    "/admin;x",
    "/%61dmin",
    "/%2561dmin",
    "/labelled/00000000-0000-0000-0000-000000000000",
    "/labelled/00000000-0000-0000-0000-000000000001",
    "/labelled/00000000-0000-0000-0000-00000000000A",
    "/labelled/00000000-0000-0000-0000-00000000000b",
    "/labelled/00000000-0000-0000-0000-00000000000a/cast",
    "/labelled/00000000-0000-0000-0000-00000000000c/cast/",
    "/labelled/0000000000000000000000000000000a",
    "/кино",
    "",
];

/// The tokens that are presented: none, good ones of each kind, and bad ones of each kind.
async fn tokens(world: &mut World) -> Vec<Option<String>> {
    let forge = world.forge();
    let revoked = world.forge();
    let session: SessionId = revoked.claim_text("sid").parse().unwrap();
    world.revoke(Fact::Session { session }).await;
    let good = [
        forge.clone(),
        forge.clone().roles(&["subscriber"]),
        forge.clone().roles(&["editor", "user"]),
        forge.clone().roles(&["admin"]),
        forge.clone().roles(&["nobody"]),
        forge.clone().claim("superuser", true),
        forge.clone().claim("aud", "billing"),
        forge
            .clone()
            .claim("aud", vec!["billing", "movies"])
            .roles(&["admin"]),
    ];
    let bad = [
        forge.clone().claim("exp", 1),
        forge.clone().claim("nbf", 9_999_999_999_i64),
        forge.clone().claim("iss", "https://evil.example.org"),
        forge.clone().claim("aud", "others"),
        forge.clone().without_claim("sid"),
        forge.clone().claim("roles", "admin"),
        forge.clone().header("alg", "none"),
        forge.clone().header("typ", "JWT"),
        forge.clone().header("crit", vec!["x"]),
        forge.clone().header("kid", "other"),
        forge.clone().without_header("kid"),
        revoked,
        TokenForge::new(&TestKey::number(1).with_kid("test-0"), world.now()),
    ];
    let mut tokens: Vec<Option<String>> = good.iter().chain(&bad).map(|forge| Some(forge.token())).collect();
    let whole = forge.token();
    tokens.extend([
        None,
        Some("x".to_owned()),
        Some("a.b.c".to_owned()),
        Some(whole[..whole.len() - 2].to_owned()),
        Some(format!("{whole},{whole}")),
        Some(format!("{whole} {whole}")),
        Some("x".repeat(9000)),
        Some("é".to_owned()),
        Some(String::new()),
    ]);
    tokens
}

async fn explained(admin: &ExplainingAdmin, inquiry: &Value) -> Value {
    let mut request = http::Request::post("/explain")
        .body(Full::<bytes::Bytes>::from(inquiry.to_string()))
        .unwrap();
    request.extensions_mut().insert(Peer::Unix);
    let answer = admin.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_verdict_is_the_live_verdict() {
    let mut world = World::ready(RULES).await;
    let labels = vec![
        label("kids", &[], true),
        label("premium", &["editor", "admin"], false),
        film(1, &["kids"]),
        film(10, &["kids", "premium"]),
        film(11, &["unknown"]),
    ];
    world.tell_labels(labels).await;
    let tokens = tokens(&mut world).await;
    let admin = world.explaining(Admin::new(Arc::new(Registry::default()), || {
        std::future::ready(Vec::new())
    }));
    let mut client = world.connect().await;
    let mut pairs = 0;
    for token in &tokens {
        for method in METHODS {
            for target in TARGETS {
                for host in HOSTS {
                    let mut request = Request::about(Endpoint::AuthRequest, method, target);
                    if let Some(host) = host {
                        request = request.host(Endpoint::AuthRequest, host);
                    }
                    if let Some(token) = token {
                        request = request.bearer(token);
                    }
                    let live = client.ask(&request).await;
                    let inquiry = json!({"method": method, "uri": target, "host": host, "token": token});
                    let told = explained(&admin, &inquiry).await;
                    let (status, reason) = (&told["answer"]["status"], &told["answer"]["reason"]);
                    assert_eq!(
                        (status.as_u64().unwrap(), reason.as_str().unwrap_or_default()),
                        (live.status.into(), live.reason().as_str()),
                        "{method} {target:?} {host:?} {token:?}"
                    );
                    let checks = told["checks"].as_array().unwrap();
                    let failed = checks.iter().filter(|check| check["outcome"] == "failed").count();
                    assert_eq!(
                        failed,
                        usize::from(live.status != 200),
                        "one check decides: {told}"
                    );
                    if let Some(token) = token.as_ref().filter(|token| token.len() > 8) {
                        assert!(!told.to_string().contains(token.as_str()));
                    }
                    pairs += 1;
                }
            }
        }
    }
    assert!(pairs >= 10_000, "{pairs}");
    assert_eq!(world.decisions(), pairs, "explanations are not counted");
}

#[tokio::test]
async fn it_says_what_the_labels_of_a_film_say() {
    const FILM: &str = "/labelled/00000000-0000-0000-0000-00000000000";
    let mut world = World::ready(RULES).await;
    let admin = world.explaining(Admin::new(Arc::new(Registry::default()), || {
        std::future::ready(Vec::new())
    }));
    let labels = vec![label("kids", &[], true), label("premium", &["editor"], false)];
    world.tell_labels(labels).await;
    world
        .tell_labels(vec![film(10, &["kids", "premium"]), film(11, &["unknown"])])
        .await;
    let editor = world.forge().roles(&["editor"]).token();
    let told = async |target: &str, token: Option<&str>| {
        let inquiry = json!({"method": "GET", "uri": target, "token": token});
        let told = explained(&admin, &inquiry).await;
        let checks = told["checks"].as_array().unwrap();
        let last = checks.last().unwrap();
        [&last["name"], &last["outcome"], &last["detail"]].map(|part| part.as_str().unwrap().to_owned())
    };
    for (target, token, outcome, detail) in [
        (
            "0",
            None,
            "passed",
            "the film carries none, and is open to all; the labels are 0 ms old",
        ),
        (
            "a",
            Some(editor.as_str()),
            "passed",
            "the film carries kids, premium; the caller satisfies kids, premium; the labels are 0 ms old",
        ),
        (
            "a",
            None,
            "failed",
            "missing: credentials are needed here; the film carries kids, premium; the caller satisfies kids; \
             the labels are 0 ms old",
        ),
        (
            "b",
            Some(&editor),
            "failed",
            "label: a label of this film asks for more; the film carries unknown; the caller satisfies kids, premium; \
             the labels are 0 ms old",
        ),
    ] {
        let expected = ["labels", outcome, detail];
        assert_eq!(
            told(&format!("{FILM}{target}"), token).await,
            expected,
            "{target}"
        );
    }
    let [name, outcome, detail] = told("/labelled/1", None).await;
    assert_eq!((name.as_str(), outcome.as_str()), ("rule", "failed"));
    assert!(
        detail.ends_with("it is about a film, and what stands there is no UUID"),
        "{detail}"
    );

    world.clock.advance(Duration::from_secs(31));
    let [name, _, detail] = told(&format!("{FILM}0"), None).await;
    assert_eq!(name, "labels");
    assert!(detail.ends_with("the labels are too old: 31000 ms"), "{detail}");
}

/// Attack: an explanation asked for over TCP, to learn which tokens are good
/// Source: CWE-306
/// Result: 404
#[tokio::test]
async fn over_tcp_there_is_no_explanation() {
    let world = World::ready(RULES).await;
    let admin = world.explaining(Admin::new(Arc::new(Registry::default()), || {
        std::future::ready(Vec::new())
    }));
    let body = json!({"method": "GET", "uri": "/"}).to_string();
    for (peer, status) in [
        (Some(Peer::Tcp("127.0.0.1:1".parse().unwrap())), 404),
        (None, 404),
        (Some(Peer::Unix), 200),
    ] {
        let mut request = http::Request::post("/explain")
            .body(Full::<bytes::Bytes>::from(body.clone()))
            .unwrap();
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        assert_eq!(
            admin.clone().oneshot(request).await.unwrap().status(),
            status,
            "{peer:?}"
        );
    }
    for bad in ["", "{}", "{\"method\":\"GET\",\"uri\":\"/\",\"tokn\":\"secret\"}"] {
        let mut request = http::Request::post("/explain")
            .body(Full::<bytes::Bytes>::from(bad))
            .unwrap();
        request.extensions_mut().insert(Peer::Unix);
        let answer = admin.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 400);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(!String::from_utf8_lossy(&body).contains("secret"));
    }
}

/// Runs `explain` with a token on standard input.
async fn run(arguments: &[&str], variables: &[(&str, &str)], token: &str) -> (i32, String, String) {
    let mut child = program()
        .arg("explain")
        .args(arguments)
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may end before it has read.
    let _ = stdin.write_all(format!("{token}\n").as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[tokio::test]
async fn the_program_explains_from_files_and_asks_one_that_runs() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let socket = socket.to_str().unwrap();
    let keys = KeyServer::start(Canned::ok(TestKey::jwks(&[&TestKey::number(0)]))).await;
    let url = format!("{}/keys", keys.origin);
    let admin_listen = format!("unix:{socket}");
    let variables = [
        ("VERIFIER__REVOCATIONS", "off"),
        ("VERIFIER__JWKS_URL", url.as_str()),
    ];
    let (without_films, _) = RULES.split_once(FILM_RULES).unwrap();
    let served = Served::start_with(folder.path(), without_films, &variables, &admin_listen).await;
    let BoundAddress::Unix(path) = served.admin_address() else {
        unreachable!("it listens on a Unix socket");
    };
    assert_eq!(path.to_str(), Some(socket));
    let mut admin = Client::connect(served.admin_address()).await;
    until(Duration::from_secs(10), async || {
        admin.ask(&Request::raw("GET", "/readyz")).await.status == 200
    })
    .await;

    let rules = folder.path().join("rules.toml");
    let rules = rules.to_str().unwrap();
    let forge = TokenForge::new(&TestKey::number(0), SystemClock.now()).roles(&["user"]);
    let token = forge.token();
    let question = ["--method", "GET", "--uri", "/admin/x", "--token-stdin"];
    for arguments in [vec!["--rules", rules], vec!["--socket", socket]] {
        let arguments = [&question[..], &arguments].concat();
        let (status, out, err) = run(&arguments, &variables, &token).await;
        assert_eq!(status, 0, "{err}");
        for line in [
            "passed  rule         the one on line 24 matches, /admin/{*rest}; it asks for any one of these roles: admin",
            "passed  signature    it is that of the key test-0",
            "FAILED  caller       role: none of the roles that are needed here",
            "403 role",
        ] {
            assert!(out.lines().any(|own| own == line), "{line} is not in\n{out}");
        }
        assert!(!out.contains(&token) && !err.contains(&token));

        let as_json = [&arguments[..], &["--output", "json"]].concat();
        let (_, out, _) = run(&as_json, &variables, &token).await;
        let told: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(
            (&told["answer"]["reason"], &told["rule_line"]),
            (&json!("role"), &json!(24))
        );
    }
    let (status, _, err) = run(&[&question[..], &["--rules", rules]].concat(), &variables, "").await;
    assert!(status == 2 && err.contains("--token-stdin"), "{err}");
    let (status, _, err) = run(
        &[&question[..], &["--socket", "/nowhere"]].concat(),
        &variables,
        &token,
    )
    .await;
    assert!(status == 1 && !err.contains(&token), "{err}");
    served.stop().await;
}
