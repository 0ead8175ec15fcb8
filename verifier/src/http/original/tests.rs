use http::Request;

use super::*;

fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, value.as_bytes());
    }
    request.body(()).unwrap().into_parts().0
}

/// Method, path and host as they were read.
fn read(endpoint: Endpoint, parts: &Parts) -> Result<(String, String, Option<String>), Unreadable> {
    let original = Original::read(endpoint, parts)?;
    let host = original.host.map(CanonicalHost::into_string);
    Ok((
        original.method.to_owned(),
        original.path.as_str().to_owned(),
        host,
    ))
}

fn seen(method: &str, path: &str, host: Option<&str>) -> (String, String, Option<String>) {
    (method.to_owned(), path.to_owned(), host.map(ToOwned::to_owned))
}

const NGINX: [(&str, &str); 3] = [
    ("X-Original-Method", "POST"),
    ("X-Original-URI", "/a%20b/?q=1"),
    ("X-Original-Host", "Movies.example.org:443"),
];
const TRAEFIK: [(&str, &str); 4] = [
    ("X-Forwarded-Method", "PUT"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "b.org"),
    ("X-Forwarded-Uri", "/b"),
];

#[test]
fn each_endpoint_reads_its_own_family_alone() {
    let all: Vec<(&str, &str)> = [("Host", "c.org")]
        .into_iter()
        .chain(NGINX)
        .chain(TRAEFIK)
        .collect();
    let nginx = Ok(seen("POST", "/a b", Some("movies.example.org")));
    let traefik = Ok(seen("PUT", "/b", Some("b.org")));
    assert_eq!(
        read(Endpoint::AuthRequest, &parts("GET", "/authz/auth-request", &all)),
        nginx
    );
    assert_eq!(
        read(Endpoint::ForwardAuth, &parts("GET", "/authz/forward-auth", &all)),
        traefik
    );
    let envoy = parts("DELETE", "/authz/ext-authz/c/?x", &all);
    assert_eq!(
        read(Endpoint::ExtAuthz, &envoy),
        Ok(seen("DELETE", "/c", Some("c.org")))
    );

    assert_eq!(
        read(Endpoint::AuthRequest, &parts("GET", "/", &TRAEFIK)),
        Err(Unreadable)
    );
    assert_eq!(
        read(Endpoint::ForwardAuth, &parts("GET", "/", &NGINX)),
        Err(Unreadable)
    );
}

#[test]
fn what_is_missing_twice_or_malformed_is_unreadable() {
    for (endpoint, good, needed) in [
        (Endpoint::AuthRequest, &NGINX[..], 2),
        (Endpoint::ForwardAuth, &TRAEFIK[..], 2),
    ] {
        let mut missing = 0;
        for (at, (name, value)) in good.iter().enumerate() {
            let without: Vec<_> = good.iter().copied().filter(|(other, _)| other != name).collect();
            missing += usize::from(read(endpoint, &parts("GET", "/", &without)).is_err());

            let twice: Vec<_> = good.iter().copied().chain([(*name, *value)]).collect();
            assert_eq!(
                read(endpoint, &parts("GET", "/", &twice)),
                Err(Unreadable),
                "{name} twice"
            );

            for bad in ["", "\u{e9}", "a b", "//", "/a/../b"] {
                let mut changed = good.to_vec();
                changed[at].1 = bad;
                assert_eq!(
                    read(endpoint, &parts("GET", "/", &changed)),
                    Err(Unreadable),
                    "{name}: {bad}"
                );
            }
        }
        assert_eq!(
            missing, needed,
            "method and path are needed, host and scheme need not be known"
        );
    }
}

#[test]
fn methods_have_one_reading() {
    for (method, is_read) in [
        ("GET", true),
        ("M-SEARCH", true),
        ("PURGE", true),
        ("get", false),
        ("Get", false),
        ("GET,POST", false),
        ("-GET", false),
        ("G/T", false),
        (&"A".repeat(33), false),
    ] {
        let headers = [("X-Original-Method", method), ("X-Original-URI", "/")];
        assert_eq!(
            read(Endpoint::AuthRequest, &parts("GET", "/", &headers)).is_ok(),
            is_read,
            "{method}"
        );
    }
}

#[test]
fn envoys_path_is_what_follows_the_prefix() {
    for (uri, path) in [
        ("/authz/ext-authz/", Some("/")),
        ("/authz/ext-authz/a/b/", Some("/a/b")),
        ("/authz/ext-authz/authz/ext-authz/a", Some("/authz/ext-authz/a")),
        ("/authz/ext-authz/%D0%BA?x=%zz", Some("/к")),
        ("/authz/ext-authz", None),
        ("/authz/ext-authz?a", None),
        ("/authz/ext-authz*", None),
        ("/authz/ext-authzfilms", None),
        ("/authz/ext-authz//a", None),
        ("/authz/ext-authz/../a", None),
        ("/authz/ext-authz/%2e%2e/a", None),
        ("/authz/ext-authz/a%2Fb", None),
        ("/authz/ext-authz/a;b", None),
    ] {
        let read = read(Endpoint::ExtAuthz, &parts("GET", uri, &[]));
        assert_eq!(read.ok().map(|(_, read, _)| read).as_deref(), path, "{uri}");
    }
}

#[test]
fn envoys_hosts_must_agree() {
    let whole = "http://movies.example.org/authz/ext-authz/a";
    for (uri, hosts, host) in [
        (whole, vec![], Ok(Some("movies.example.org"))),
        (
            whole,
            vec!["MOVIES.example.org:80"],
            Ok(Some("movies.example.org")),
        ),
        (whole, vec!["other.org"], Err(Unreadable)),
        ("/authz/ext-authz/a", vec!["other.org"], Ok(Some("other.org"))),
        (
            "/authz/ext-authz/a",
            vec!["other.org", "other.org"],
            Err(Unreadable),
        ),
        ("/authz/ext-authz/a", vec!["a,b"], Err(Unreadable)),
        ("/authz/ext-authz/a", vec![], Ok(None)),
    ] {
        let headers: Vec<_> = hosts.iter().map(|host| ("Host", *host)).collect();
        let read = read(Endpoint::ExtAuthz, &parts("GET", uri, &headers));
        assert_eq!(
            read.map(|(_, _, host)| host),
            host.map(|host| host.map(ToOwned::to_owned)),
            "{uri} {hosts:?}"
        );
    }
}

#[test]
fn connect_is_never_read() {
    // Its success would turn an HTTP/1 connection into a tunnel.
    assert_eq!(
        read(Endpoint::AuthRequest, &parts("CONNECT", "a.org:80", &NGINX)),
        Err(Unreadable)
    );
}
