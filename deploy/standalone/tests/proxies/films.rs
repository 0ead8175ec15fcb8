//! Labels on films and revocations, from the issuer's API through the feed to the decision, at every front end.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Answer, Ask};
use crate::front_end::Kind;
use crate::process::{LOOK_EVERY, START_TIMEOUT};
use crate::stand::{SUPERUSER, Stand};

const RULES: &str = r#"
default = "allow"

[[rule]]
path = "/films/{film_id}/download"
film = "{film_id}"
roles = ["subscriber"]

[[rule]]
path = "/films/{film_id}/{*rest}"
film = "{film_id}"

[[rule]]
path = "/me"
authenticated = true
"#;

const PLAIN: &str = "11111111-1111-4111-8111-111111111111";
const KIDS: &str = "22222222-2222-4222-8222-22222222222a";
const PREMIUM: &str = "33333333-3333-4333-8333-33333333333a";

const PASSWORD: &str = "follow the white rabbit";

/// Who asks, and the labels that the service is told.
#[derive(Debug)]
struct Caller {
    who: &'static str,
    token: Option<String>,
    is_cookie: bool,
    labels: &'static str,
}

impl Caller {
    fn asks(&self, path: &str) -> Ask {
        let ask = Ask::get(path).header("X-Auth-Labels", "forged");
        match &self.token {
            None => ask,
            Some(token) if self.is_cookie => ask.header("Cookie", &format!("__Host-access_token={token}")),
            Some(token) => ask.bearer(token),
        }
    }
}

/// Asks the issuer, whose answer has to be a good one.
async fn done(stand: &Stand, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Value {
    let mut ask = Ask::new(method, path);
    if let Some(token) = token {
        ask = ask.bearer(token);
    }
    if let Some(body) = body {
        ask = ask
            .header("Content-Type", "application/json")
            .body(&body.to_string());
    }
    let answer = ask.send(stand.behind.issuer).await;
    assert!(matches!(answer.status, 200..=204), "{method} {path}: {answer:?}");
    serde_json::from_str(&answer.body).unwrap_or_default()
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap().to_owned()
}

/// What the verifier answers `path`, as soon as it is this: what the issuer said takes a moment through the feed.
async fn until_refused(stand: &Stand, path: &str, token: Option<&str>, reason: &str) {
    let mut waited = Duration::ZERO;
    loop {
        let mut ask = Ask::get(format!("/authz/ext-authz{path}"));
        if let Some(token) = token {
            ask = ask.bearer(token);
        }
        let answer = ask.send(stand.behind.verifier).await;
        if answer.header("x-auth-reason") == reason {
            return;
        }
        assert!(waited < START_TIMEOUT, "{path} is not {reason}: {answer:?}");
        tokio::time::sleep(LOOK_EVERY).await;
        waited += LOOK_EVERY;
    }
}

/// Labels on two films, a person with the role that one asks for, another whose session has ended.
async fn set(stand: &Stand) -> Vec<Caller> {
    let (login, password) = SUPERUSER;
    let sign_in = json!({"login": login, "password": password});
    let root = done(stand, "POST", "/api/v1/user/login", None, Some(&sign_in)).await;
    let root = text(&root, "access_token");
    let by_root = async |method: &str, path: &str, body: Option<Value>| {
        done(stand, method, path, Some(&root), body.as_ref()).await
    };
    let role = by_root("POST", "/api/v1/role", Some(json!({"name": "subscriber"}))).await;
    for (label, definition) in [
        ("kids", json!({"roles": [], "anonymous": true})),
        ("premium", json!({"roles": ["subscriber"], "anonymous": false})),
    ] {
        by_root("PUT", &format!("/api/v1/label/{label}"), Some(definition)).await;
    }
    let mut people = Vec::new();
    for login in ["user", "subscriber", "gone"] {
        let body = json!({"login": format!("the-{login}"), "password": PASSWORD});
        people.push(done(stand, "POST", "/api/v1/user", None, Some(&body)).await);
    }
    let [user, subscriber, gone] = &people[..] else {
        unreachable!("there are three");
    };
    let grant = format!(
        "/api/v1/user/{}/role/{}",
        text(subscriber, "user_id"),
        text(&role, "id")
    );
    by_root("POST", &grant, None).await;
    let refresh = json!({"refresh_token": text(subscriber, "refresh_token")});
    let fresh = done(stand, "POST", "/api/v1/token/refresh", None, Some(&refresh)).await;
    let revoked = text(gone, "access_token");
    done(stand, "POST", "/api/v1/user/logout", Some(&revoked), None).await;
    // Last, so that everything before it has come, too.
    for (film, labels) in [(KIDS, json!(["kids"])), (PREMIUM, json!(["kids", "premium"]))] {
        by_root(
            "PUT",
            &format!("/api/v1/film/{film}/label"),
            Some(json!({"labels": labels})),
        )
        .await;
    }
    until_refused(stand, &format!("/films/{PREMIUM}"), None, "missing").await;
    until_refused(stand, "/me", Some(&revoked), "revoked").await;
    let caller = |who, token, is_cookie, labels| Caller {
        who,
        token,
        is_cookie,
        labels,
    };
    vec![
        caller("nobody", None, false, "kids"),
        caller("a user", Some(text(user, "access_token")), false, "kids"),
        caller(
            "a subscriber",
            Some(text(&fresh, "access_token")),
            false,
            "kids,premium",
        ),
        caller(
            "a subscriber by cookie",
            Some(text(&fresh, "access_token")),
            true,
            "kids,premium",
        ),
        caller("a superuser", Some(root), false, "kids,premium"),
        caller(
            "with an older token",
            Some(text(subscriber, "access_token")),
            false,
            "",
        ),
        caller("logged out", Some(revoked.clone()), false, ""),
        caller("logged out, by cookie", Some(revoked), true, "kids"),
    ]
}

#[tokio::test]
async fn every_front_end_decides_alike_about_films_and_revoked_tokens() {
    let Some(stand) = Stand::start_with_feed(&Kind::ALL, RULES).await else {
        return;
    };
    let callers = set(&stand).await;
    let upper = PREMIUM.to_uppercase();
    // By the callers' order.
    let rows: [(String, [u16; 8]); 12] = [
        ("/anything".into(), [200, 200, 200, 200, 200, 401, 401, 200]),
        ("/me".into(), [401, 200, 200, 200, 200, 401, 401, 401]),
        (
            format!("/films/{PLAIN}"),
            [200, 200, 200, 200, 200, 401, 401, 200],
        ),
        (
            format!("/films/{KIDS}/"),
            [200, 200, 200, 200, 200, 401, 401, 200],
        ),
        (
            format!("/films/{PREMIUM}"),
            [401, 403, 200, 200, 200, 401, 401, 401],
        ),
        (
            format!("/films/{upper}/cast"),
            [401, 403, 200, 200, 200, 401, 401, 401],
        ),
        (
            format!("/films/%33{}", &PREMIUM[1..]),
            [401, 403, 200, 200, 200, 401, 401, 401],
        ),
        (
            format!("/films/{PREMIUM}?x={KIDS}"),
            [401, 403, 200, 200, 200, 401, 401, 401],
        ),
        (
            format!("/films/{PLAIN}/download"),
            [401, 403, 200, 200, 200, 401, 401, 401],
        ),
        (
            format!("/films/{PREMIUM}/download"),
            [401, 403, 200, 200, 200, 401, 401, 401],
        ),
        ("/films/1".into(), [403; 8]),
        (format!("/films/{}", PREMIUM.replace('-', "")), [403; 8]),
    ];
    stand.echo.take_seen();
    let mut differing = Vec::new();
    for (path, expected) in &rows {
        for (caller, status) in callers.iter().zip(expected) {
            for front_end in &stand.front_ends {
                let answer = front_end.send(&caller.asks(path)).await;
                if let Err(problem) = check(&stand, caller, *status, &answer) {
                    differing.push(format!("{}: {path} by {}: {problem}", front_end.kind, caller.who));
                }
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// Whether it was decided so, and the service was told the caller's labels, by the verifier and nobody else.
fn check(stand: &Stand, caller: &Caller, expected: u16, answer: &Answer) -> Result<(), String> {
    let seen = stand.echo.take_seen();
    if answer.status != expected {
        return Err(format!("{expected}, but {answer:?}"));
    }
    match (expected, &seen[..]) {
        (200, [seen]) if seen.all("x-auth-labels").concat() == caller.labels => Ok(()),
        (200, _) => Err(format!("the labels {:?}, but {seen:?}", caller.labels)),
        (_, []) => Ok(()),
        _ => Err(format!("the service saw {seen:?}")),
    }
}
