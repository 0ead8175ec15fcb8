//! Bad input: a 4xx problem each, never a 5xx, and nothing half done.

use serde_json::json;

use crate::shape::escaped;
use crate::support::{Database, Person, Request, Site};

crate::on_both_databases!(
    bodies_that_are_no_json,
    bodies_with_wrong_fields,
    bodies_of_the_wrong_size_or_type,
    texts_that_no_database_takes,
    pages_that_cannot_be,
    requests_that_are_no_http,
    large_header_blocks,
);

/// Names, each with whether it is needed.
type Fields = &'static [(&'static str, bool)];

/// Every endpoint with a body: where, and its fields with whether each is needed.
const ENDPOINTS: [(&str, &str, Fields); 9] = [
    ("POST", "/api/v1/user", &[("login", true), ("password", true)]),
    (
        "POST",
        "/api/v1/user/login",
        &[("login", true), ("password", true)],
    ),
    ("POST", "/api/v1/token/refresh", &[("refresh_token", true)]),
    ("PATCH", "/api/v1/user/me", CHANGE),
    ("PATCH", "/api/v1/user/{id}", CHANGE),
    ("PUT", "/api/v1/user/{id}/superuser", &[("superuser", true)]),
    ("POST", "/api/v1/role", &[("name", true), ("description", false)]),
    (
        "PUT",
        "/api/v1/role/{id}",
        &[("name", true), ("description", false)],
    ),
    (
        "PUT",
        "/api/v1/role/00000000-0000-7000-8000-000000000003",
        &[("name", true), ("description", false)],
    ),
];
const CHANGE: Fields = &[("login", false), ("password", false), ("current_password", false)];

struct Target<'a> {
    site: &'a Site,
    root: Person,
}

impl Target<'_> {
    /// A request to an endpoint, from whoever may send it.
    fn ask(&self, method: &str, path: &str) -> Request {
        let request = self.site.request(method, &path.replace("{id}", &self.root.id));
        // Registration is for the anonymous.
        if path == "/api/v1/user" {
            request
        } else {
            request.bearer(&self.root.access)
        }
    }
}

async fn target(site: &Site) -> Target<'_> {
    Target {
        site,
        root: site.superuser("root").await,
    }
}

/// Attack: bodies that are no JSON, nested too deep, or no UTF-8
/// Source: CWE-20, CWE-674
/// Result: 400
async fn bodies_that_are_no_json(database: Database) {
    let site = Site::start(database).await;
    let target = target(&site).await;
    let before = site.rows().await;
    let deep = format!("{{\"login\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    for (method, path, _) in ENDPOINTS {
        let send = |body: &[u8]| {
            let request = target
                .ask(method, path)
                .header("content-type", "application/json");
            request.body(body).send()
        };
        let bodies: [&[u8]; 12] = [
            b"{",
            b"nonsense",
            b"{\"login\":\"neo\",}",
            b"{} {}",
            b"{}x",
            b"{'login':'neo'}",
            b"{\"login\":\"\xff\xfe\"}",
            b"{\"login\":\"\x00\"}",
            b"{\"login\":\"\\ud800\"}",
            b"\xef\xbb\xbf{}",
            b" ",
            deep.as_bytes(),
        ];
        for body in bodies {
            send(body).await.refused(400, "malformed-body");
        }
        for body in ["[]", "null", "7", "\"text\"", "true"] {
            send(body.as_bytes()).await.invalid(&[("", "wrong_type")]);
        }
        if path != "/api/v1/token/refresh" {
            send(b"").await.refused(400, "malformed-body");
            target
                .ask(method, path)
                .send()
                .await
                .refused(400, "malformed-body");
        }
    }
    assert_eq!(site.rows().await, before);
}

/// Attack: bodies with unknown, duplicate, missing and wrong fields
/// Source: CWE-915, OWASP API Security 2023, API3
/// Result: 422, each field named
async fn bodies_with_wrong_fields(database: Database) {
    let site = Site::start(database).await;
    let target = target(&site).await;
    let before = site.rows().await;
    for (method, path, fields) in ENDPOINTS {
        let send = |body: String| {
            let request = target
                .ask(method, path)
                .header("content-type", "application/json");
            request.body(body).send()
        };
        let missing: Vec<(&str, &str)> = fields
            .iter()
            .filter(|(_, needed)| *needed)
            .map(|(name, _)| (*name, "missing"))
            .collect();
        if !missing.is_empty() {
            send("{}".into()).await.invalid(&missing);
        }
        let unknown = [&missing[..], &[("extra", "unknown_field")]].concat();
        send(json!({"extra": 1}).to_string()).await.invalid(&unknown);
        for (name, needed) in fields {
            let rest = || missing.iter().copied().filter(|(other, _)| other != name);
            send(format!("{{\"{name}\":\"a\",\"{name}\":\"a\"}}"))
                .await
                .invalid(&[(name, "duplicate_field")]);
            send(format!(
                "{{\"{name}\":\"a\",\"\\u{:04x}{}\":\"b\"}}",
                name.as_bytes()[0],
                &name[1..]
            ))
            .await
            .invalid(&[(name, "duplicate_field")]);
            for value in ["7", "[]", "{}", "1e999999", "-0.0"] {
                let answer = send(format!("{{\"{name}\":{value}}}")).await;
                if value == "1e999999" && answer.status == 400 {
                    answer.refused(400, "malformed-body");
                    continue;
                }
                let wrong: Vec<_> = rest().chain([(*name, "wrong_type")]).collect();
                answer.invalid(&wrong);
            }
            if *needed {
                let wrong: Vec<_> = rest().chain([(*name, "wrong_type")]).collect();
                send(format!("{{\"{name}\":null}}")).await.invalid(&wrong);
            }
            let upper = name.to_uppercase();
            let unknown: Vec<_> = missing
                .iter()
                .copied()
                .chain([(upper.as_str(), "unknown_field")])
                .collect();
            send(format!("{{\"{upper}\":\"a\"}}")).await.invalid(&unknown);
        }
    }
    assert_eq!(site.rows().await, before);
    let long = "x".repeat(5_000);
    let named = site
        .post("/api/v1/user/login")
        .json(&json!({"login": "a", "password": "b", long: 1}));
    let problem = named.send().await.refused(422, "invalid");
    assert!(
        problem.to_string().len() < 1_000,
        "a stranger's name is not sent back at length"
    );
}

/// Attack: bodies past 64 KiB, or of another media type
/// Source: CWE-770
/// Result: 413 or 415
async fn bodies_of_the_wrong_size_or_type(database: Database) {
    let site = Site::start(database).await;
    let target = target(&site).await;
    let before = site.rows().await;
    for (method, path, _) in ENDPOINTS {
        let large = format!("{{\"x\":\"{}\"}}", "y".repeat(64 * 1024 + 1 - 8));
        assert_eq!(large.len(), 64 * 1024 + 1);
        let send = |media_type: &str, body: &str| {
            let request = target.ask(method, path);
            let request = if media_type.is_empty() {
                request
            } else {
                request.header("content-type", media_type)
            };
            request.body(body).send()
        };
        send("application/json", &large)
            .await
            .refused(413, "body-too-large");
        send("application/json", &large.replace("yy\"", "\""))
            .await
            .refused(422, "invalid");
        for media_type in [
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/jsonx",
            "application/problem+json",
            "json",
            "\u{e9}",
        ] {
            send(media_type, "{}")
                .await
                .refused(415, "unsupported-media-type");
        }
        for media_type in [
            "application/json; charset=utf-8",
            "Application/JSON",
            "application/json;",
        ] {
            assert_ne!(
                send(media_type, "{\"extra\":1}").await.status,
                415,
                "{media_type}"
            );
        }
    }
    assert_eq!(site.rows().await, before);
}

/// Attack: texts with NUL and other characters that a database chokes on
/// Source: CWE-158
/// Result: 422 and never 500
async fn texts_that_no_database_takes(database: Database) {
    let site = Site::start(database).await;
    let target = target(&site).await;
    let before = site.rows().await;
    let long = "x".repeat(10_000);
    let texts = [
        "\0",
        "a\0b",
        "\u{1}\u{2}",
        "\u{fffe}",
        "\u{10ffff}",
        "'; DROP TABLE users; --",
        "\u{202e}x",
        long.as_str(),
    ];
    for text in texts {
        for (method, path, fields) in ENDPOINTS {
            // What is sound would be taken from here on.
            if path.starts_with("/api/v1/user/login") {
                continue;
            }
            let body: serde_json::Map<_, _> = fields
                .iter()
                .map(|(name, _)| ((*name).to_owned(), json!(text)))
                .collect();
            let answer = target.ask(method, path).json(&body.into()).send().await;
            assert!(
                (400..500).contains(&answer.status),
                "{method} {path} {text:?}: {}",
                answer.status
            );
        }
        for path in [
            "/api/v1/user?login=",
            "/api/v1/role?cursor=",
            "/api/v1/user/me/role?name=",
        ] {
            let escaped = escaped(text.get(..2_000).unwrap_or(text));
            let answer = site
                .get(&format!("{path}{escaped}"))
                .bearer(&target.root.access)
                .send()
                .await;
            assert!(answer.status < 500);
        }
        let agent: Vec<u8> = text.bytes().filter(|byte| *byte >= 0x20).take(5_000).collect();
        let login = json!({"login": "root", "password": "wrong"});
        let login = site
            .post("/api/v1/user/login")
            .header("user-agent", agent)
            .json(&login);
        login.send().await.refused(401, "invalid-credentials");
    }
    let mut after = site.rows().await;
    assert_eq!(
        after["login_history"],
        before["login_history"] + i64::try_from(texts.len()).unwrap()
    );
    after.insert("login_history", before["login_history"]);
    assert_eq!(after, before);
}

async fn pages_that_cannot_be(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let history = format!("/api/v1/user/{}/login/history", root.id);
    for path in [
        "/api/v1/user",
        "/api/v1/role",
        "/api/v1/session",
        "/api/v1/login/history",
        &history,
    ] {
        let ask = |query: &str| site.get(&format!("{path}?{query}")).bearer(&root.access).send();
        for limit in [
            "0",
            "101",
            "-1",
            "x",
            "",
            "1.5",
            "99999999999",
            "%2B5",
            "%201",
            "0x10",
            "%00",
        ] {
            ask(&format!("limit={limit}"))
                .await
                .invalid(&[("limit", "out_of_range")]);
        }
        for cursor in [
            "",
            "x",
            "%00",
            "AAAA",
            "AAAAAAAAAAAAAAAAAAAAAAA",
            "01890000-0000-7000-8000-00000000dead",
        ] {
            ask(&format!("cursor={cursor}"))
                .await
                .invalid(&[("cursor", "invalid")]);
        }
        ask("limit=0&cursor=x")
            .await
            .invalid(&[("cursor", "invalid"), ("limit", "out_of_range")]);
        ask("limit=1&limit=2").await.invalid(&[("query", "invalid")]);
        for limit in ["1", "100"] {
            ask(&format!("limit={limit}")).await.ok(200);
        }
        ask("unheard=of").await.ok(200);
        let past_all = "AAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(
            ask(&format!("cursor={past_all}")).await.ok(200)["items"],
            json!([])
        );
    }
}

async fn requests_that_are_no_http(database: Database) {
    let site = Site::start(database).await;
    for (name, value) in [
        ("bad name", "x"),
        ("x", "a\0b"),
        ("content-length", "x"),
        ("content-length", "-1"),
    ] {
        let answer = site.get("/api/v1/user/me").header(name, value).send().await;
        answer.is(400);
    }
    for path in ["/a b", "/\u{1}"] {
        site.get(path).send().await.is(400);
    }
    site.get("/api/v1/user/me").send().await.unauthorised("missing");
}

/// Attack: header blocks past their bound
/// Source: RFC 6585 section 5
/// Result: 431
async fn large_header_blocks(database: Database) {
    let site = Site::start(database).await;
    let padded = |bytes: usize| {
        site.get("/api/v1/user/me")
            .header("x-padding", "x".repeat(bytes))
            .send()
    };
    padded(30 * 1024).await.unauthorised("missing");
    for answer in [
        padded(33 * 1024).await,
        site.get(&format!("/{}", "x".repeat(33 * 1024))).send().await,
    ] {
        answer.is(431);
        assert_eq!(answer.body, b"");
    }
    let mut many = site.get("/api/v1/user/me");
    for number in 0..120 {
        many = many.header(&format!("x-{number}"), "x");
    }
    many.send().await.is(431);
}
