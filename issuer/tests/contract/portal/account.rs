//! One's own account: sessions, login, password and history.

use serde_json::json;

use super::browser::{ACCESS, Browser, Page};
use crate::support::{Database, PASSWORD, Site, claims};

crate::on_both_databases!(
    a_session_is_ended_by_its_button,
    the_login_is_changed,
    the_password_is_changed,
    every_attempt_is_in_the_history,
    an_access_cookie_that_has_ended_is_renewed,
);

async fn a_session_is_ended_by_its_button(database: Database) {
    let site = Site::start(database).await;
    let firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0";
    site.register("neo").await;
    let login = site.post("/api/v1/user/login").header("user-agent", firefox);
    let pair = login
        .json(&json!({"login": "neo", "password": PASSWORD}))
        .send()
        .await
        .ok(200);
    let access = pair["access_token"].as_str().unwrap();
    let session = claims(access)["sid"].as_str().unwrap().to_owned();
    let mut browser = Browser::signed_in(&site, "neo").await;
    let page = browser.get("/account/sessions").await;
    page.says(200, "Firefox on Windows");
    page.says(200, "<dd>127.0.0.1</dd>");
    page.says(200, &session);
    let own = claims(&browser.cookies[ACCESS])["sid"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(!page.text().contains(&own), "one's own is ended by signing out");
    let end = [("act", "end"), ("session", session.as_str())];
    let answer = browser.submit("/account/sessions", &end).await;
    answer.leads_to("/account/sessions?done=session");
    let page = browser.follow(answer).await;
    page.says(200, "The session has ended.");
    assert!(!page.text().contains(&session));
    let me = site.get("/api/v1/user/me").bearer(access).send().await;
    me.unauthorised("revoked");
    browser
        .submit("/account/sessions", &end)
        .await
        .says(404, "Nothing here");
    let smith = site.register("smith").await;
    let session = smith.session();
    let foreign = [("act", "end"), ("session", session.as_str())];
    browser
        .submit("/account/sessions", &foreign)
        .await
        .says(404, "Nothing here");
    browser.submit("/account/sessions", &[("act", "x")]).await.is(422);
}

async fn the_login_is_changed(database: Database) {
    let site = Site::start(database).await;
    site.register("smith").await;
    let mut browser = Browser::registered(&site, "neo").await;
    browser.get("/account").await.is(200);
    let mut change = async |login: &str, current: &str| {
        let fields = [("act", "login"), ("login", login), ("current_password", current)];
        browser.submit("/account", &fields).await
    };
    let answer = change("anderson", "wrong").await;
    answer.says(
        403,
        "id=\"login-current_password-error\">The current password is wrong.",
    );
    answer.says(403, "value=\"anderson\"");
    change("anderson", "").await.says(422, "Please fill this in.");
    change("smith", PASSWORD)
        .await
        .says(409, "Somebody else has this login.");
    change("x", PASSWORD).await.says(422, "The login is too short.");
    let answer = change("Anderson", PASSWORD).await;
    answer.leads_to("/account?done=login");
    let page = browser.follow(answer).await;
    page.says(200, "The login is changed.");
    page.says(200, "<dd>anderson</dd>");
}

async fn the_password_is_changed(database: Database) {
    let site = Site::start(database).await;
    let other = Browser::registered(&site, "neo").await;
    let mut browser = Browser::signed_in(&site, "neo").await;
    browser.get("/account").await.is(200);
    let mut change = async |password: &str, current: &str| {
        let fields = [
            ("act", "password"),
            ("password", password),
            ("current_password", current),
        ];
        browser.submit("/account", &fields).await
    };
    change("there is no spoon", "wrong")
        .await
        .says(403, "The current password is wrong.");
    change("there is no spoon", "")
        .await
        .says(422, "id=\"password-current_password-error\"");
    change("short", PASSWORD)
        .await
        .says(422, "The password is too short.");
    change("", PASSWORD).await.says(422, "The password is too short.");
    let answer = change("there is no spoon", PASSWORD).await;
    answer.leads_to("/account?done=password");
    // The access cookie is stale now: on by way of fresh ones.
    let page = browser.follow(answer).await;
    page.says(200, "The password is changed.");
    let me = site.get("/api/v1/user/me").access_cookie(&other.cookies[ACCESS]);
    me.send().await.unauthorised("revoked");
    site.try_login("neo", PASSWORD)
        .await
        .refused(401, "invalid-credentials");
    site.try_login("neo", "there is no spoon").await.ok(200);
}

async fn every_attempt_is_in_the_history(database: Database) {
    let site = Site::start(database).await;
    let mut browser = Browser::registered(&site, "neo").await;
    for _ in 0..25 {
        site.try_login("neo", "wrong")
            .await
            .refused(401, "invalid-credentials");
    }
    let page = browser.get("/account/history").await;
    page.says(200, "Wrong password");
    assert_eq!(page.text().matches("<li class=\"row\">").count(), 20);
    assert!(!page.text().contains("Signed in</strong>"));
    let text = page.text();
    let next = text.split("href=\"/account/history?cursor=").nth(1).unwrap();
    let next = format!("/account/history?cursor={}", next.split('"').next().unwrap());
    let page = browser.get(&next).await;
    page.says(200, "<strong>Signed in</strong>");
    assert_eq!(page.text().matches("<li class=\"row\">").count(), 6);
    browser
        .get("/account/history?cursor=x")
        .await
        .says(422, "This cannot be read");
}

async fn an_access_cookie_that_has_ended_is_renewed(database: Database) {
    let site = Site::start(database).await;
    let mut browser = Browser::registered(&site, "neo").await;
    browser.get("/account").await.is(200);
    let expired = site.expired(&browser.cookies[ACCESS]);
    for cookie in [None, Some("garbage"), Some(expired.as_str())] {
        match cookie {
            Some(cookie) => browser.cookies.insert(ACCESS.to_owned(), cookie.to_owned()),
            None => browser.cookies.remove(ACCESS),
        };
        let answer = browser.get("/account/history?done=saved").await;
        let back = "/api/v1/token/continue?return_to=https%3A%2F%2Fauth.example.org%2Faccount%2Fhistory%3Fdone%3Dsaved";
        answer.leads_to(back);
        browser.follow(answer).await.says(200, "<h1>Sign-in history</h1>");
    }
    // A form that came too late leads to its page again.
    browser.cookies.remove(ACCESS);
    let answer = browser.submit("/account/sessions", &[("act", "end")]).await;
    browser.follow(answer).await.says(200, "<h1>Sessions</h1>");
    // Without a session, to the sign-in and back.
    let mut nobody = Browser::new(&site);
    let answer = nobody.get("/account/history").await;
    let page = nobody.follow(answer).await;
    page.says(
        200,
        "name=\"return_to\" value=\"https://auth.example.org/account/history\"",
    );
    // Two cookies that differ would be there still: no going round in circles.
    let two = site.get("/account").access_cookie("a").access_cookie("b");
    two.send().await.says(401, "Two sign-ins at once");
}
