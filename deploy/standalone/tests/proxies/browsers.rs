//! Browsers that are not signed in are sent to where they can be.

use serde_json::{Value, json};

use crate::client::{Answer, Ask, HOST};
use crate::front_end::{FrontEnd, Kind};
use crate::stand::{RULES, Stand};

const HTML: &str = "text/html,application/xhtml+xml,*/*;q=0.8";
const PASSWORD: &str = "follow the white rabbit";

#[tokio::test]
async fn a_browser_is_signed_in_again_without_a_login() {
    let stand = Stand::start(&Kind::ALL, RULES).await;
    for front_end in &stand.front_ends {
        let kind = front_end.kind;
        let pair = register(front_end).await;
        let asked = "/me/page?a=1&b=%2F+c%26&return_to=//evil.example.org";
        // A browser names the port, where it is an odd one.
        let host = format!("{HOST}:{}", front_end.address.port());
        let ask = Ask::get(asked).host(&host).header("Accept", HTML);
        let sent_off = front_end.send(&ask).await;
        assert_eq!(sent_off.status, 302, "{kind}: {sent_off:?}");
        let address = sent_off.header("location").to_owned();
        assert!(
            address.contains("/api/v1/token/continue?return_to="),
            "{kind}: {address}"
        );

        let refresh = format!(
            "__Secure-refresh_token={}",
            pair["refresh_token"].as_str().unwrap()
        );
        let renewed = follow(&stand, front_end, &address, Some(&refresh)).await;
        assert_eq!(renewed.status, 303, "{kind}: {renewed:?}");
        assert_eq!(
            renewed.header("location"),
            format!("http://{host}{asked}"),
            "{kind}"
        );
        let cookie = renewed
            .headers
            .iter()
            .find(|(name, value)| name == "set-cookie" && value.starts_with("__Host-access_token="))
            .and_then(|(_, value)| value.split(';').next())
            .unwrap();
        let back = front_end.send(&Ask::get(asked).header("Cookie", cookie)).await;
        assert_eq!(back.status, 200, "{kind}: {back:?}");
        let [seen] = <[_; 1]>::try_from(stand.echo.take_seen()).unwrap();
        assert_eq!(
            seen.all("x-auth-subject"),
            [pair["user_id"].as_str().unwrap()],
            "{kind}"
        );

        // Who has no session is asked to log in, and comes back afterwards.
        let login = follow(&stand, front_end, &address, None).await;
        assert_eq!(login.status, 303, "{kind}: {login:?}");
        let login = login.header("location");
        assert!(
            login.contains("/login?return_to=http%3A%2F%2Fmovies.example.org%3A"),
            "{kind}: {login}"
        );
    }
}

#[tokio::test]
async fn nobody_else_is_sent_anywhere() {
    let stand = Stand::start(&Kind::ALL, RULES).await;
    let user = stand.forge().token();
    for front_end in &stand.front_ends {
        let kind = front_end.kind;
        for (ask, status) in [
            (Ask::get("/me"), 401),
            (Ask::get("/me").header("Accept", "application/json"), 401),
            (Ask::new("POST", "/me").header("Accept", HTML), 401),
            (Ask::get("/admin").header("Accept", HTML).bearer(&user), 403),
        ] {
            let answer = front_end.send(&ask).await;
            assert_eq!(answer.status, status, "{kind}: {ask:?}: {answer:?}");
            assert_eq!(answer.header("location"), "", "{kind}: {ask:?}");
            assert!(
                answer.header("www-authenticate").starts_with("Bearer"),
                "{kind}: {ask:?}: {answer:?}"
            );
            let problem: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            let reason = if status == 401 { "missing" } else { "role" };
            assert_eq!(problem["reason"], reason, "{kind}: {ask:?}: {answer:?}");
            assert_eq!(
                answer.header("content-type"),
                "application/problem+json",
                "{kind}"
            );
            assert_eq!(answer.header("cache-control"), "no-store", "{kind}");
        }
        // Whatever host a client claims, no login leads there.
        let ask = Ask::get("/me").host("evil.example.org").header("Accept", HTML);
        let answer = front_end.send(&ask).await;
        assert!(matches!(answer.status, 302 | 401), "{kind}: {answer:?}");
        if answer.status == 302 {
            let next = follow(&stand, front_end, answer.header("location"), None).await;
            assert_eq!(next.status, 303, "{kind}: {next:?}");
            assert!(!next.header("location").contains("evil"), "{kind}: {next:?}");
        }
    }
}

/// Registers somebody, by way of the front end.
async fn register(front_end: &FrontEnd) -> Value {
    let login = format!("{:?}", front_end.kind).to_lowercase();
    let body = json!({"login": login, "password": PASSWORD}).to_string();
    let ask = Ask::new("POST", "/api/v1/user").header("Content-Type", "application/json");
    let answer = front_end.send(&ask.body(&body)).await;
    assert_eq!(answer.status, 201, "{}: {answer:?}", front_end.kind);
    serde_json::from_str(answer.body.trim_matches(|c| c != '{' && c != '}')).unwrap()
}

/// Goes where a `Location` leads: to the issuer behind the front end, or to the issuer itself.
async fn follow(stand: &Stand, front_end: &FrontEnd, address: &str, cookie: Option<&str>) -> Answer {
    let issuer = format!("http://{}", stand.behind.issuer);
    let mut ask = Ask::get(address.strip_prefix(&issuer).unwrap_or(address));
    if let Some(cookie) = cookie {
        ask = ask.header("Cookie", cookie);
    }
    if address.starts_with(&issuer) {
        ask.send(stand.behind.issuer).await
    } else {
        front_end.send(&ask).await
    }
}
