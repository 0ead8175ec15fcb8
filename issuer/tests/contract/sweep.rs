//! The access sweep: every documented route against every kind of credentials. A route without a row fails.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shared::testkit::{TestKey, TokenForge};

use crate::support::{ADMIN, Answer, Database, Person, ROLE_EDITOR, Request, Site, claims};

crate::on_both_databases!(
    every_documented_route_has_its_row,
    bad_credentials_are_refused,
    cookies_need_an_allowed_origin,
    roles_decide,
    open_routes_are_open,
    clients_say_who_they_are,
);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// No credentials are looked at, or they change nothing.
    Anyone,
    /// Whoever holds a token that is truly ours, however old.
    Holder,
    /// Everybody who is signed in.
    SignedIn,
    /// Signed in, and told that there is nothing where it is not theirs.
    Owner,
    Admin,
    Editor,
    EditorOrAdmin,
    Superuser,
    /// A client of OAuth, in its own terms.
    Client,
}

use Who::{Admin, Anyone, Client, Editor, EditorOrAdmin, Holder, Owner, SignedIn, Superuser};

/// A UUID that is nobody's.
const NOBODY: &str = "01890000-0000-7000-8000-00000000dead";

const ROUTES: [(&str, &str, Who); 46] = [
    ("POST", "/api/v1/user", Anyone),
    ("GET", "/api/v1/user", Admin),
    ("POST", "/api/v1/user/login", Anyone),
    ("POST", "/api/v1/user/logout", Holder),
    ("POST", "/api/v1/token/refresh", Anyone),
    ("GET", "/api/v1/token/continue", Anyone),
    ("GET", "/api/v1/user/me", SignedIn),
    ("PATCH", "/api/v1/user/me", SignedIn),
    ("DELETE", "/api/v1/user/me", SignedIn),
    ("GET", "/api/v1/user/{id}", Admin),
    ("PATCH", "/api/v1/user/{id}", Superuser),
    ("DELETE", "/api/v1/user/{id}", Superuser),
    ("POST", "/api/v1/user/{id}/disable", Admin),
    ("POST", "/api/v1/user/{id}/enable", Admin),
    ("PUT", "/api/v1/user/{id}/superuser", Superuser),
    ("GET", "/api/v1/user/{id}/login/history", Admin),
    ("GET", "/api/v1/login/history", SignedIn),
    ("GET", "/api/v1/session", SignedIn),
    ("DELETE", "/api/v1/session/{id}", Owner),
    ("POST", "/api/v1/role", Editor),
    ("GET", "/api/v1/role", SignedIn),
    ("GET", "/api/v1/role/{id}", SignedIn),
    ("PUT", "/api/v1/role/{id}", Editor),
    ("DELETE", "/api/v1/role/{id}", Editor),
    ("GET", "/api/v1/user/{user_id}/role", EditorOrAdmin),
    ("POST", "/api/v1/user/{user_id}/role/{role_id}", Editor),
    ("DELETE", "/api/v1/user/{user_id}/role/{role_id}", Editor),
    ("GET", "/api/v1/label", SignedIn),
    ("GET", "/api/v1/label/{name}", SignedIn),
    ("PUT", "/api/v1/label/{name}", Editor),
    ("DELETE", "/api/v1/label/{name}", Editor),
    ("POST", "/api/v1/film/label", Editor),
    ("GET", "/api/v1/film/label", EditorOrAdmin),
    ("GET", "/api/v1/film/{film_id}/label", SignedIn),
    ("PUT", "/api/v1/film/{film_id}/label", Editor),
    ("DELETE", "/api/v1/film/{film_id}/label", Editor),
    ("GET", "/api/v1/audit", Admin),
    ("POST", "/oauth2/token", Client),
    ("POST", "/oauth2/introspect", Client),
    ("POST", "/oauth2/revoke", Client),
    ("GET", "/.well-known/jwks.json", Anyone),
    ("GET", "/.well-known/revocation-feed.json", Anyone),
    ("GET", "/.well-known/oauth-authorization-server", Anyone),
    ("GET", "/.well-known/openid-configuration", Anyone),
    ("GET", "/api/openapi.json", Anyone),
    ("GET", "/docs", Anyone),
];

/// Routes of the contract that the document, being one of them, does not list.
const UNDOCUMENTED: [&str; 2] = ["/api/openapi.json", "/docs"];

fn protected() -> impl Iterator<Item = (&'static str, &'static str, Who)> {
    ROUTES
        .into_iter()
        .filter(|(_, _, who)| !matches!(who, Anyone | Client))
}

/// A request that would be good, about nobody.
fn ask(site: &Site, method: &str, template: &str) -> Request {
    let path = template
        .replace("{id}", NOBODY)
        .replace("{user_id}", NOBODY)
        .replace("{role_id}", NOBODY)
        .replace("{film_id}", NOBODY)
        .replace("{name}", "swept");
    let body = match (method, template) {
        ("PATCH", _) => json!({}),
        ("PUT", "/api/v1/user/{id}/superuser") => json!({"superuser": true}),
        ("POST" | "PUT", "/api/v1/role" | "/api/v1/role/{id}") => json!({"name": "swept"}),
        ("PUT", "/api/v1/label/{name}") => json!({"roles": [], "anonymous": true}),
        ("PUT", "/api/v1/film/{film_id}/label") => json!({"labels": []}),
        ("POST", "/api/v1/film/label") => {
            let lines = site
                .request(method, &path)
                .header("content-type", "application/x-ndjson");
            return lines.body("");
        }
        _ => return site.request(method, &path),
    };
    site.request(method, &path).json(&body)
}

fn is_unsafe(method: &str) -> bool {
    method != "GET"
}

/// Everybody whom the sweep needs.
struct People {
    root: Person,
    admin: Person,
    editor: Person,
    plain: Person,
}

impl People {
    async fn of(site: &Site) -> Self {
        let root = site.superuser("root").await;
        let admin = site.register_with(&root, "some_admin", &[ADMIN]).await;
        let editor = site.register_with(&root, "some_editor", &[ROLE_EDITOR]).await;
        let plain = site.register("plain").await;
        Self {
            root,
            admin,
            editor,
            plain,
        }
    }

    fn may(&self, who: Who) -> Vec<(&str, &str)> {
        let mut may = vec![("superuser", self.root.access.as_str())];
        if matches!(who, Admin | EditorOrAdmin | SignedIn | Holder | Owner) {
            may.push(("admin", &self.admin.access));
        }
        if matches!(who, Editor | EditorOrAdmin | SignedIn | Holder | Owner) {
            may.push(("role_editor", &self.editor.access));
        }
        may
    }

    fn may_not(&self, who: Who) -> Vec<&str> {
        match who {
            Anyone | Client | Holder | SignedIn | Owner => vec![],
            Admin => vec![&self.plain.access, &self.editor.access],
            Editor => vec![&self.plain.access, &self.admin.access],
            EditorOrAdmin => vec![&self.plain.access],
            Superuser => vec![&self.plain.access, &self.admin.access, &self.editor.access],
        }
    }
}

/// Let in: what comes of it is another matter.
#[track_caller]
fn is_let_in(answer: &Answer, what: &str) {
    assert!(
        !matches!(answer.status, 401 | 403 | 405),
        "{what}: {} {}",
        answer.status,
        answer.text()
    );
}

async fn every_documented_route_has_its_row(database: Database) {
    let site = Site::start(database).await;
    let document = site.get("/api/openapi.json").send().await.ok(200);
    let mut documented = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            documented.insert((method.to_uppercase(), path.clone()));
        }
    }
    let rows: BTreeSet<(String, String)> = ROUTES
        .iter()
        .filter(|(_, path, _)| !UNDOCUMENTED.contains(path))
        .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    assert_eq!(documented, rows);
    for (method, path, who) in ROUTES {
        if UNDOCUMENTED.contains(&path) {
            continue;
        }
        let operation = &document["paths"][path][method.to_lowercase()];
        let secured = operation["security"].is_array();
        assert_eq!(secured, who != Anyone, "{method} {path}: its `security`");
    }
}

/// Tokens that do not hold, each with its reason.
async fn bad_tokens(site: &Site, people: &People) -> Vec<(&'static str, String, &'static str)> {
    let good = people.root.access.clone();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let payload = claims(&good);
    let kid = site.header()["kid"].as_str().unwrap().to_owned();
    let forge = |key: &TestKey| {
        let mut forge = TokenForge::new(key, site.now());
        for (name, value) in &payload {
            forge = forge.claim(name, value.clone());
        }
        forge
    };
    let with_header = |name: &str, value: Value| {
        let mut header = site.header();
        header[name] = value;
        site.sign(&header, &Value::Object(payload.clone()))
    };
    let unsigned = {
        let (_, claims) = signed.split_once('.').unwrap();
        let header = json!({"alg": "none", "typ": "at+jwt", "kid": kid}).to_string();
        format!("{}.{claims}.", shared::encoding::base64url(header.as_bytes()))
    };
    let out = site.login("root").await;
    site.post("/api/v1/user/logout")
        .bearer(&out.access)
        .send()
        .await
        .no_content();
    let stale = site.register("once").await;
    let path = format!("/api/v1/user/{}/role/{ROLE_EDITOR}", stale.id);
    site.post(&path)
        .bearer(&people.root.access)
        .send()
        .await
        .no_content();
    let later = payload["exp"].as_i64().unwrap() + 10_000;
    vec![
        ("garbage", "garbage".into(), "malformed"),
        ("four parts", format!("{good}.x"), "malformed"),
        ("too long", format!("{good}{}", "A".repeat(8 * 1024)), "malformed"),
        (
            "forged",
            forge(&TestKey::number(0).with_kid(&kid)).token(),
            "bad_signature",
        ),
        ("another's key", forge(&TestKey::number(0)).token(), "unknown_key"),
        ("cut", format!("{signed}.{}", &signature[4..]), "bad_signature"),
        ("expired", site.expired(&good), "expired"),
        ("early", site.resigned(&good, "nbf", later), "not_yet_valid"),
        ("audience", site.resigned(&good, "aud", "games"), "wrong_audience"),
        (
            "issuer",
            site.resigned(&good, "iss", "https://evil.example"),
            "wrong_issuer",
        ),
        ("no subject", site.resigned(&good, "sub", 7), "bad_claims"),
        ("none", unsigned, "unsupported"),
        ("HS256", with_header("alg", json!("HS256")), "unsupported"),
        ("JWT", with_header("typ", json!("JWT")), "unsupported"),
        ("crit", with_header("crit", json!(["exp"])), "unsupported"),
        ("revoked", out.access, "revoked"),
        ("unknown session", site.resigned(&good, "sid", NOBODY), "revoked"),
        ("unknown user", site.resigned(&good, "sub", NOBODY), "revoked"),
        ("stale", stale.access, "stale"),
    ]
}

/// Attack: no credentials, forged, expired, revoked, or of another kind, at each route
/// Source: OWASP API Security 2023, API2
/// Result: 401 with its reason
async fn bad_credentials_are_refused(database: Database) {
    let site = Site::start(database).await;
    let people = People::of(&site).await;
    let bad = bad_tokens(&site, &people).await;
    for (method, path, who) in protected() {
        let ask = || ask(&site, method, path);
        ask().send().await.unauthorised("missing");
        ask()
            .header("authorization", "Basic cm9vdDpwdw==")
            .send()
            .await
            .unauthorised("missing");
        ask()
            .header("authorization", "Bearer")
            .send()
            .await
            .unauthorised("malformed");
        for (what, token, reason) in &bad {
            let still_ours =
                matches!(*what, "expired" | "early" | "revoked" | "stale") || what.starts_with("unknown ");
            // For those a logout is told of elsewhere: it would end what the other routes are asked with.
            if who != Holder || !still_ours {
                ask().bearer(token).send().await.unauthorised(reason);
                ask()
                    .access_cookie(token)
                    .own_origin()
                    .send()
                    .await
                    .unauthorised(reason);
            }
        }
        let good = &people.root.access;
        let twice = ask().bearer(good).bearer(good).send().await;
        twice.unauthorised("ambiguous_credentials");
        let cookies = ask()
            .access_cookie(good)
            .access_cookie(&people.admin.access)
            .own_origin();
        cookies.send().await.unauthorised("ambiguous_credentials");
        let beside = ask().bearer("garbage").access_cookie(good).own_origin();
        beside.send().await.unauthorised("malformed");
    }
}

/// Attack: a page of another origin, or of nearly ours, sends what changes something with the user's cookie, at each route
/// Source: CWE-352
/// Result: 403 `cross-site`
async fn cookies_need_an_allowed_origin(database: Database) {
    let site = Site::start(database).await;
    site.superuser("root").await;
    for (method, path, _) in protected() {
        let what = format!("{method} {path}");
        // A session of its own, since some of these end it.
        let own = site.login("root").await.access;
        let ask = || ask(&site, method, path);
        if is_unsafe(method) {
            for origin in [
                "https://evil.example",
                "null",
                "http://auth.example.org",
                "https://auth.example.org.evil.example",
                "https://auth.example.org:8443",
            ] {
                let answer = ask().access_cookie(&own).header("origin", origin).send().await;
                let problem = answer.refused(403, "cross-site");
                assert_eq!(problem["reason"], "cross_site", "{what}");
            }
            ask().access_cookie(&own).send().await.refused(403, "cross-site");
            for site in ["cross-site", "same-site", "none"] {
                let answer = ask()
                    .access_cookie(&own)
                    .header("sec-fetch-site", site)
                    .send()
                    .await;
                answer.refused(403, "cross-site");
            }
        } else {
            let answer = ask()
                .access_cookie(&own)
                .header("origin", "https://evil.example")
                .send()
                .await;
            is_let_in(&answer, &what);
        }
        for (header, value) in [
            ("origin", "https://auth.example.org"),
            ("origin", "https://app.example.org"),
            ("sec-fetch-site", "same-origin"),
        ] {
            let own = site.login("root").await.access;
            is_let_in(
                &ask().access_cookie(&own).header(header, value).send().await,
                &what,
            );
        }
        // Beside a header the cookie is not looked at, wherever the request comes from.
        let own = site.login("root").await.access;
        let beside = ask()
            .bearer(&own)
            .access_cookie("garbage")
            .header("origin", "https://evil.example");
        is_let_in(&beside.send().await, &what);
    }
}

/// Attack: each kind of caller at each route that is not for them
/// Source: OWASP API Security 2023, API1 and API5
/// Result: 403 or 404
async fn roles_decide(database: Database) {
    let site = Site::start(database).await;
    let people = People::of(&site).await;
    for (method, path, who) in protected() {
        for token in people.may_not(who) {
            ask(&site, method, path)
                .bearer(token)
                .send()
                .await
                .refused(403, "forbidden");
        }
        if who == Holder || (method, path) == ("DELETE", "/api/v1/user/me") {
            continue;
        }
        for (name, token) in people.may(who) {
            let answer = ask(&site, method, path).bearer(token).send().await;
            is_let_in(&answer, &format!("{method} {path} for {name}"));
        }
        if matches!(who, SignedIn | Owner) {
            let answer = ask(&site, method, path).bearer(&people.plain.access).send().await;
            is_let_in(&answer, &format!("{method} {path} for anybody"));
        }
    }
}

async fn open_routes_are_open(database: Database) {
    let site = Site::start(database).await;
    for (method, path, _) in ROUTES.iter().filter(|(_, _, who)| *who == Anyone) {
        for authorization in ["", "Bearer garbage", "Basic cm9vdDpwdw=="] {
            let answer = site
                .request(method, path)
                .header("authorization", authorization)
                .send()
                .await;
            assert!(
                !answer.text().contains("/problems/invalid-token")
                    && !answer.text().contains("/problems/not-signed-in"),
                "{method} {path} with {authorization:?}: {}",
                answer.text()
            );
        }
    }
}

async fn clients_say_who_they_are(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let machine = site.machine("film-etl", &["role_editor"]).await;
    let own = site.machine_token(&machine).await;
    for (method, path, _) in ROUTES.iter().filter(|(_, _, who)| *who == Client) {
        let ask = || {
            let form = [("grant_type", "client_credentials"), ("token", own.as_str())];
            site.request(method, path).form(&form)
        };
        let name = machine.name.as_str();
        for refused in [
            ask(),
            ask().bearer(&root.access),
            ask().bearer(&own),
            ask().access_cookie(&root.access).own_origin(),
            ask().basic(name, ""),
            ask().basic(name, &machine.secret[1..]),
            ask().basic("nobody", &machine.secret),
            ask().basic("web", &machine.secret),
            ask().basic("root", crate::support::PASSWORD),
        ] {
            refused.send().await.oauth_error(401, "invalid_client");
        }
        ask().basic(name, &machine.secret).send().await.is(200);
    }
}
