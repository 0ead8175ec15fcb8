//! The program itself: what it prints, how it ends, and that it serves.

use std::process::Output;
use std::time::Duration;

use shared::testkit::{TestKey, TokenForge};
use shared::time::{Clock, SystemClock};
use verifier::http::Endpoint;

use crate::support::{Canned, Client, KeyServer, Request, Served, logged, program, until};

const RULES: &str = "default = \"allow\"\n[[rule]]\npath = \"/me\"\nauthenticated = true\n";

async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = program()
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .await
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[tokio::test]
async fn it_explains_itself() {
    let (status, help, _) = run(&["--help"], &[]).await;
    assert!(
        status == 0 && help.contains("check-config") && help.contains("--config"),
        "{help}"
    );
    let (status, version, _) = run(&["--version"], &[]).await;
    assert_eq!(
        (status, version.as_str()),
        (0, concat!("verifier ", env!("CARGO_PKG_VERSION"), "\n"))
    );
    for shell in ["bash", "zsh", "fish"] {
        let (status, script, _) = run(&["completions", shell], &[]).await;
        assert!(status == 0 && script.contains("check-config"), "{shell}");
    }
    for misuse in [&["serve", "--nonsense"][..], &["nonsense"], &[]] {
        assert_eq!(run(misuse, &[]).await.0, 2, "{misuse:?}");
    }
}

#[tokio::test]
async fn settings_and_rules_are_checked_with_place_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let rules = write("rules.toml", RULES);
    let off = ("VERIFIER__REVOCATIONS", "off");
    let (status, out, err) = run(&["check-config", "--rules", &rules], &[off]).await;
    assert_eq!(
        (status, out.as_str(), err.as_str()),
        (0, "settings and rules are good\n", "")
    );
    let redis = ("VERIFIER__REDIS__URL", "redis://127.0.0.1:6379");
    let (status, out, _) = run(&["check-config", "--rules", &rules], &[redis]).await;
    assert_eq!((status, out.as_str()), (0, "settings and rules are good\n"));

    let covered = write(
        "covered.toml",
        "default = \"allow\"\n[[rule]]\npath = \"/{*all}\"\nanonymous = true\n[[rule]]\npath = \"/a\"\nanonymous = true\n",
    );
    let (status, _, err) = run(&["check-config", "--rules", &covered], &[off]).await;
    assert!(
        status == 0 && err.starts_with(&format!("warning: {covered}:6:8: this rule never matches")),
        "{err}"
    );

    let films = write(
        "films.toml",
        "default = \"allow\"\n[[rule]]\npath = \"/films/{id}\"\nfilm = \"{id}\"\n",
    );
    let (status, _, err) = run(&["check-config", "--rules", &films], &[off]).await;
    assert!(
        status == 2
            && err.contains(&format!(
                "{films}:4:8: the labels of films come in the revocation feed"
            )),
        "{err}"
    );
    let (status, out, _) = run(&["check-config", "--rules", &films], &[redis]).await;
    assert_eq!((status, out.as_str()), (0, "settings and rules are good\n"));

    let bad = write(
        "bad.toml",
        "default = \"allow\"\n[[rule]]\npath = \"/a/*\"\nroles = [\"x y\"]\n",
    );
    let unknown = write("unknown.toml", "revocations = \"off\"\nmax_stalenes = \"1s\"\n");
    let film = write(
        "film.toml",
        "default = \"deny\"\n[[rule]]\npath = \"/{id}\"\nfilm = \"{id}\"\n",
    );
    for (arguments, variables, said) in [
        (
            vec!["check-config", "--rules", &rules],
            vec![],
            vec!["redis.url: missing", "redis://127.0.0.1:6379", "\"off\""],
        ),
        (
            vec!["serve", "--rules", &rules],
            vec![],
            vec!["redis.url: missing", "redis.sentinels", "redis.cluster"],
        ),
        (
            vec!["check-config", "--rules", &rules],
            vec![("VERIFIER__REDIS__URL", "http://redis")],
            vec!["VERIFIER__REDIS__URL", "redis://"],
        ),
        (
            vec!["check-config", "--rules", &rules],
            vec![off, ("VERIFIER__SNAPSHOT", "/var/lib/snapshot")],
            vec!["VERIFIER__SNAPSHOT", "snapshot", "leave it out"],
        ),
        (
            vec!["check-config"],
            vec![off],
            vec!["rules: missing", "VERIFIER__RULES"],
        ),
        (
            vec!["check-config", "--rules", "/nowhere"],
            vec![off],
            vec!["/nowhere", "No such file"],
        ),
        (
            vec!["check-config", "--rules", &bad],
            vec![off],
            vec![
                ":3:8: `*` would match that very text; write `{name}`",
                ":4:10: a role's name has no white space",
            ],
        ),
        (
            vec!["check-config", "--rules", &film],
            vec![off],
            vec![":4:8: the labels of films come in the revocation feed"],
        ),
        (
            vec!["check-config", "--config", &unknown, "--rules", &rules],
            vec![],
            vec![":2:1", "max_stalenes", "max_staleness"],
        ),
        (
            vec!["check-config", "--rules", &rules],
            vec![off, ("VERIFIER__LEEWAY", "2m")],
            vec!["VERIFIER__LEEWAY", "leeway", "60"],
        ),
        (
            vec!["check-config", "--listen", "here", "--rules", &rules],
            vec![off],
            vec!["--listen", "127.0.0.1:8080"],
        ),
    ] {
        let (status, _, err) = run(&arguments, &variables).await;
        assert_eq!(status, 2, "{arguments:?}: {err}");
        for part in said {
            assert!(err.contains(part), "{arguments:?}: {part} is not in {err}");
        }
    }
}

#[tokio::test]
async fn it_serves_tells_how_it_is_and_stops_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let keys = KeyServer::start(Canned::status(503)).await;
    let jwks_url = format!("{}/keys", keys.origin);
    let variables = [
        ("VERIFIER__REVOCATIONS", "off"),
        ("VERIFIER__JWKS_URL", jwks_url.as_str()),
    ];
    let mut served = Served::start(folder.path(), RULES, &variables).await;
    assert_eq!(served.admin("/healthz").await.0, 200);
    let (status, body) = served.admin("/readyz").await;
    assert!(status == 503 && body.contains("verifier_keys"), "{body}");

    keys.answer_with(Canned::ok(TestKey::jwks(&[&TestKey::number(0)])));
    until(Duration::from_secs(10), async || {
        served.admin("/readyz").await.0 == 200
    })
    .await;

    let token = TokenForge::new(&TestKey::number(0), SystemClock.now()).token();
    let mut client = Client::connect(&served.public).await;
    for endpoint in Endpoint::ALL {
        assert_eq!(
            client.ask(&Request::about(endpoint, "GET", "/me")).await.status,
            401
        );
        assert_eq!(
            client
                .ask(&Request::about(endpoint, "GET", "/me").bearer(&token))
                .await
                .status,
            200
        );
    }
    let (_, metrics) = served.admin("/metrics").await;
    for line in [
        "verifier_decisions_total{endpoint=\"auth_request\",outcome=\"allowed\",reason=\"\"} 1",
        "verifier_decisions_total{endpoint=\"ext_authz\",outcome=\"refused\",reason=\"missing\"} 1",
        "verifier_decisions_total{endpoint=\"grpc\",outcome=\"refused\",reason=\"missing\"} 1",
        "verifier_token_cache_lookups_total{result=\"hit\"} 3",
        "verifier_token_cache_lookups_total{result=\"miss\"} 1",
        "verifier_keys 1",
        "verifier_rules 1",
        "verifier_revocation_replica_state{state=\"off\"} 1",
        "verifier_http_connections_open 2",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line} is not in\n{metrics}"
        );
    }

    served.signal(rustix::process::Signal::HUP);
    logged(&mut served.log, "the rules were reloaded").await;
    assert_eq!(
        client
            .ask(&Request::about(Endpoint::ExtAuthz, "GET", "/"))
            .await
            .status,
        200
    );

    served.signal(rustix::process::Signal::TERM);
    let stopped = logged(&mut served.log, "the verifier has stopped").await;
    assert_eq!(stopped["connections_cut"], 0);
    assert!(served.child.wait().await.unwrap().success());
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_table_of_cases_is_decided_by_the_rules() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let rules = write("rules.toml", RULES);
    let case = |expect: u16| format!("[[case]]\nmethod = \"GET\"\nuri = \"/me\"\nexpect = {expect}\n");
    for (name, table, status, said) in [
        ("good.toml", case(401), 0, "1 cases, all as expected"),
        (
            "other.toml",
            case(200),
            1,
            "other.toml:1: GET /me by an anonymous caller\n  - 200\n  + 401 missing",
        ),
        ("bad.toml", case(404), 2, "bad.toml:4:10: "),
    ] {
        let table = write(name, &table);
        let (own, out, err) = run(&["test-rules", &table, "--rules", &rules], &[]).await;
        let all = format!("{out}{err}");
        assert!(own == status && all.contains(said), "{name}: {own}\n{all}");
    }
}
