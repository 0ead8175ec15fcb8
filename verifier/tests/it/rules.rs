//! What rules are about, and what becomes of the rest.

use verifier::http::Endpoint;

use crate::support::{Request, World};

#[tokio::test]
async fn a_rule_is_about_its_methods_and_hosts_alone() {
    let rules = "default = \"allow\"\n\
        [[rule]]\npath = \"/a\"\nmethods = [\"GET\"]\nanonymous = true\n\
        [[rule]]\npath = \"/a\"\nroles = [\"editor\"]\n\
        [[rule]]\npath = \"/b\"\nhosts = [\"movies.example.org\"]\nauthenticated = true\n";
    let world = World::ready(rules).await;
    for endpoint in Endpoint::ALL {
        for (method, status) in [
            ("GET", 200),
            ("HEAD", 401),
            ("OPTIONS", 401),
            ("POST", 401),
            ("PURGE", 401),
        ] {
            let request = Request::about(endpoint, method, "/a").header("X-HTTP-Method-Override", "GET");
            assert_eq!(world.ask(&request).await.status, status, "{endpoint} {method}");
        }
        for (host, verdict) in [
            ("movies.example.org", (401, "missing")),
            ("Movies.Example.ORG.:443", (401, "missing")),
            ("other.org", (200, "")),
            ("movies.example.org,other.org", (403, "request")),
        ] {
            let request = Request::about(endpoint, "GET", "/b").host(endpoint, host);
            let answer = world.ask(&request).await;
            assert_eq!(
                answer.verdict(),
                (verdict.0, verdict.1.to_owned()),
                "{endpoint} {host}"
            );
        }
        let unknown = world.ask(&Request::about(endpoint, "GET", "/b")).await;
        assert_eq!(
            unknown.verdict(),
            (403, "request".to_owned()),
            "{endpoint} without a host"
        );
    }
}

#[tokio::test]
async fn the_default_speaks_for_what_no_rule_names() {
    for (default, anonymous, user) in [
        ("allow", (200, ""), (200, "")),
        ("authenticated", (401, "missing"), (200, "")),
        ("deny", (401, "missing"), (403, "denied")),
    ] {
        let world = World::ready(&format!("default = \"{default}\"\n")).await;
        let token = world.forge().token();
        for endpoint in Endpoint::ALL {
            let request = Request::about(endpoint, "GET", "/x");
            let verdicts = [
                world.ask(&request).await.verdict(),
                world.ask(&request.bearer(&token)).await.verdict(),
            ];
            assert_eq!(
                verdicts,
                [anonymous, user].map(|(status, reason)| (status, reason.to_owned())),
                "{default}"
            );
        }
    }
}
