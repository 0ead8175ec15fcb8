//! The pages that people see.

mod administration;
mod browser;
mod forms;
mod return_to;

use serde_json::json;
use shared::revocation::Fact;

use crate::support::{Database, PASSWORD, Site, claims};
use browser::{ACCESS, Browser, FORM, Page, REFRESH};

crate::on_both_databases!(
    somebody_registers_and_signs_in,
    a_wrong_password_is_told_beside_nothing_else,
    a_registration_is_told_what_is_wrong_with_it,
    signing_out_ends_the_session_at_every_edge,
    signing_out_everywhere_ends_every_session,
    a_session_is_ended_by_its_button,
    the_login_is_changed,
    the_password_is_changed,
    every_attempt_is_in_the_history,
    an_access_cookie_that_has_ended_is_renewed,
    the_language_is_the_reader_s,
    pages_are_shut_in,
    what_people_write_is_text,
    limits_are_those_of_the_api,
    a_header_signs_nobody_in,
);

/// Every fact, in order.
async fn facts(site: &Site) -> Vec<Fact> {
    let mut work = site.service.store.read().await.unwrap();
    let live = issuer::store::outbox::live_after(&mut work, 0).await.unwrap();
    live.into_iter().map(|entry| entry.revocation.fact).collect()
}

fn session_of(browser: &Browser<'_>) -> Fact {
    let claims = claims(&browser.cookies[ACCESS]);
    let session = claims["sid"].as_str().unwrap().parse().unwrap();
    Fact::Session { session }
}

async fn somebody_registers_and_signs_in(database: Database) {
    let site = Site::start(database).await;
    let mut browser = Browser::registered(&site, "neo").await;
    browser.get("/account").await.says(200, "<dd>neo</dd>");
    browser.get("/").await.leads_to("/account");
    for page in ["/login", "/account/register"] {
        browser.get(page).await.leads_to("/account");
    }
    let me = site
        .get("/api/v1/user/me")
        .access_cookie(&browser.cookies[ACCESS]);
    assert_eq!(me.send().await.ok(200)["login"], "neo");

    let mut again = Browser::new(&site);
    let answer = again.sign_in("Neo", PASSWORD).await;
    answer.leads_to("/account");
    // The same cookies as the API sets, and the end of the form's.
    let cookies = answer.all("set-cookie");
    assert_eq!(cookies.len(), 3);
    assert!(cookies[0].ends_with("Max-Age=900; Path=/; Secure; HttpOnly; SameSite=Lax"));
    assert!(cookies[1].ends_with("Path=/api/v1/token; Secure; HttpOnly; SameSite=Strict"));
    assert!(cookies[2].starts_with("__Host-form=; Max-Age=0;"));
    again.get("/account").await.says(200, "<strong>neo</strong>");
    let mut taken = Browser::new(&site);
    taken.get("/account/register").await.is(200);
    let answer = taken
        .submit("/account/register", &[("login", "NEO"), ("password", PASSWORD)])
        .await;
    answer.says(409, "Somebody else has this login.");
    assert!(answer.text().contains("value=\"NEO\""));
}

async fn a_wrong_password_is_told_beside_nothing_else(database: Database) {
    let site = Site::start(database).await;
    site.register("neo").await;
    let mut browser = Browser::new(&site);
    let mut pages = Vec::new();
    for login in ["neo", "nobody", "a b"] {
        let answer = browser.sign_in(login, "there is no such password").await;
        answer.says(401, "Wrong login or password.");
        let text = answer.text();
        assert!(text.contains(&format!("value=\"{login}\"")), "the login is kept");
        assert!(!text.contains("no such password"), "the password is not");
        assert!(!browser.cookies.contains_key(ACCESS));
        pages.push(text.replace(login, "LOGIN"));
    }
    assert_eq!(pages[0], pages[1]);
    assert_eq!(pages[0], pages[2]);
    let root = site.superuser("root").await;
    let id = &site.login("neo").await.id;
    let path = format!("/api/v1/user/{id}/disable");
    site.post(&path).bearer(&root.access).send().await.no_content();
    let answer = browser.sign_in("neo", PASSWORD).await;
    answer.says(403, "This account is disabled.");
}

async fn a_registration_is_told_what_is_wrong_with_it(database: Database) {
    let site = Site::start(database).await;
    let mut browser = Browser::new(&site);
    browser
        .get("/account/register")
        .await
        .says(200, "At least 8 characters");
    let before = site.rows().await;
    let mut register = async |login: &str, password: &str| {
        browser
            .submit("/account/register", &[("login", login), ("password", password)])
            .await
    };
    let answer = register("x", "short").await;
    answer.says(422, "The login is too short.");
    answer.says(422, "The password is too short.");
    answer.says(
        422,
        "aria-describedby=\"login-error login-hint\" aria-invalid=\"true\"",
    );
    answer.says(422, "id=\"password-error\"");
    answer.says(422, "<title>Error: ");
    assert!(!answer.text().contains("\"short\""));
    register("white rabbit", PASSWORD)
        .await
        .says(422, "such as a space");
    register("neo", "password")
        .await
        .says(422, "among the first that others try");
    register("follow-the-rabbit", "follow-the-rabbit")
        .await
        .says(422, "The password is the login.");
    assert_eq!(site.rows().await, before);
}

async fn signing_out_ends_the_session_at_every_edge(database: Database) {
    let site = Site::start(database).await;
    let mut other = Browser::registered(&site, "neo").await;
    let mut browser = Browser::signed_in(&site, "neo").await;
    browser
        .get("/account/logout")
        .await
        .says(200, "Sign out everywhere");
    let (access, refresh) = (browser.cookies[ACCESS].clone(), browser.cookies[REFRESH].clone());
    let ended = session_of(&browser);
    let answer = browser.submit("/account/logout", &[("act", "this")]).await;
    answer.leads_to("/login?done=signed_out");
    assert_eq!(browser.cookies.len(), 0, "{:?}", browser.cookies);
    assert_eq!(facts(&site).await, [ended]);
    let me = site.get("/api/v1/user/me").access_cookie(&access);
    me.send().await.unauthorised("revoked");
    let refused = site.try_refresh(&refresh).await;
    refused.refused(401, "invalid-refresh-token");
    browser.follow(answer).await.says(200, "You are signed out.");
    other.get("/account").await.is(200);
    // A cookie that was kept somewhere is good for nothing.
    browser.cookies.insert(ACCESS.to_owned(), access);
    let answer = browser.get("/account").await;
    browser.follow(answer).await.says(200, "<h1>Sign in</h1>");
}

async fn signing_out_everywhere_ends_every_session(database: Database) {
    let site = Site::start(database).await;
    let other = Browser::registered(&site, "neo").await;
    let mut browser = Browser::signed_in(&site, "neo").await;
    browser
        .get("/account/sessions")
        .await
        .says(200, "Sign out everywhere");
    let answer = browser.submit("/account/logout", &[("act", "all")]).await;
    answer.leads_to("/login?done=signed_out_everywhere");
    let me = site.get("/api/v1/user/me").access_cookie(&other.cookies[ACCESS]);
    me.send().await.unauthorised("revoked");
    let mut browser = other;
    let answer = browser.get("/account").await;
    browser.follow(answer).await.says(200, "<h1>Sign in</h1>");
}

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

async fn the_language_is_the_reader_s(database: Database) {
    let site = Site::start(database).await;
    let russian = site
        .get("/login")
        .header("accept-language", "ru-RU,ru;q=0.9,en;q=0.8");
    let russian = russian.send().await;
    russian.says(200, "<html lang=\"ru\">");
    russian.says(200, "<h1>Войти</h1>");
    assert_eq!(russian.header("vary"), Some("Cookie, Accept-Language"));
    let mut browser = Browser::new(&site);
    let page = browser.get("/login?return_to=/films%3Fa%3Db").await;
    page.says(200, "<html lang=\"en\">");
    let text = page.text();
    let switch = text.split("href=\"/account/language?to=ru&#38;return_to=").nth(1);
    let switch = switch.or_else(|| text.split("href=\"/account/language?to=ru&amp;return_to=").nth(1));
    let back = switch.unwrap().split('"').next().unwrap();
    let answer = browser
        .get(&format!("/account/language?to=ru&return_to={back}"))
        .await;
    answer.leads_to("https://auth.example.org/login?return_to=/films%3Fa%3Db");
    let page = browser.follow(answer).await;
    page.says(200, "<html lang=\"ru\">");
    page.says(200, "value=\"https://auth.example.org/films?a=b\"");
    browser
        .sign_in("nobody", "no such password")
        .await
        .says(401, "Неверный логин или пароль.");
    browser
        .get("/account/language?to=xx")
        .await
        .says(404, "Здесь ничего нет");
    browser
        .get("/account/language?to=en&return_to=https://evil.example")
        .await
        .leads_to("/account");
}

async fn pages_are_shut_in(database: Database) {
    let site = Site::start(database).await;
    let mut browser = Browser::registered(&site, "neo").await;
    for path in [
        "/account",
        "/account/sessions",
        "/account/history",
        "/account/logout",
        "/account/nothing",
        "/account/sessions?cursor=x",
        "/account/language?to=en",
        "/",
    ] {
        let page = browser.get(path).await;
        if page.status == 404 {
            continue;
        }
        assert_eq!(page.header("cache-control"), Some("no-store"), "{path}");
        let policy = page.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "style-src 'self'",
            "script-src 'self'",
            "form-action 'self';",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        for (name, value) in [
            ("referrer-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(page.header(name), Some(value), "{path}: {name}");
        }
        let text = page.text();
        for outside in ["http://", "//", "style=", "onclick"] {
            let text = text.replace("https://auth.example.org", "");
            assert!(!text.contains(&format!("\"{outside}")), "{path}: {outside}");
        }
    }
    // No other origin reads a page, not even one that may call the API.
    let other = site
        .get("/login")
        .header("origin", "https://app.example.org")
        .send()
        .await;
    assert_eq!(other.header("access-control-allow-origin"), None);
    let page = browser.get("/account").await.text();
    for name in [".css", ".js", ".svg"] {
        let end = page.find(&format!("{name}\"")).unwrap() + name.len();
        let start = page[..end].rfind('"').unwrap() + 1;
        let asset = site.get(&page[start..end]).send().await;
        asset.is(200);
        assert_eq!(
            asset.header("cache-control"),
            Some("public, max-age=31536000, immutable")
        );
        assert!(!asset.text().contains("http://") || name == ".svg");
    }
    browser
        .get("/account/assets/x.css")
        .await
        .says(404, "Nothing here");
}

async fn what_people_write_is_text(database: Database) {
    let site = Site::start(database).await;
    let hostile = "\"><script>alert(1)</script>";
    let mut browser = Browser::new(&site);
    let is_text = |answer: &crate::support::Answer| {
        let text = answer.text();
        assert!(!text.contains("<script>"), "{text}");
        assert!(!text.contains("alert(1)<"), "{text}");
    };
    let answer = browser.sign_in(hostile, "no such password").await;
    answer.says(401, "script");
    is_text(&answer);
    let page = browser
        .get("/login?return_to=/%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
        .await;
    page.says(200, "name=\"return_to\"");
    is_text(&page);
    let page = browser.get("/login?x=\"><script>alert(1)</script>").await;
    is_text(&page);
    // A device and an address that say what their sender liked.
    let mut browser = Browser::registered(&site, "neo").await;
    let agent = "Mozilla/5.0 (X11; Linux x86_64) <script>alert(1)</script> Firefox/128.0";
    let login = site.post("/api/v1/user/login").header("user-agent", agent);
    login
        .json(&json!({"login": "neo", "password": PASSWORD}))
        .send()
        .await
        .ok(200);
    site.database
        .run("UPDATE sessions SET device = '\"><script>alert(1)</script>', ip = '<script>'")
        .await;
    let page = browser.get("/account/sessions").await;
    page.says(200, "script");
    is_text(&page);
}

async fn limits_are_those_of_the_api(database: Database) {
    let settings = "limits.login_per_ip = \"2/1m\"\nlimits.register_per_ip = \"1/1m\"";
    let site = Site::start_with(database, settings).await;
    let mut browser = Browser::new(&site);
    site.try_login("nobody", "no such password")
        .await
        .refused(401, "invalid-credentials");
    browser.sign_in("nobody", "no such password").await.is(401);
    let answer = browser.sign_in("nobody", "no such password").await;
    answer.says(429, "Too many attempts.");
    assert!(answer.header("retry-after").is_some());
    site.try_login("nobody", "no such password")
        .await
        .refused(429, "too-many-requests");
    Browser::registered(&site, "neo").await;
    browser.get("/account/register").await.is(200);
    let fields = [("login", "smith"), ("password", PASSWORD)];
    browser
        .submit("/account/register", &fields)
        .await
        .says(429, "Too many attempts.");
    assert!(browser.cookies.contains_key(FORM));
}

async fn a_header_signs_nobody_in(database: Database) {
    let site = Site::start(database).await;
    let neo = site.register("neo").await;
    site.get("/account").bearer(&neo.access).send().await.is(303);
    site.get("/login")
        .bearer(&neo.access)
        .send()
        .await
        .says(200, "<h1>Sign in</h1>");
    // A service has no account, whichever way it comes.
    let machine = site.machine("film-etl", &["role_editor"]).await;
    let token = site.machine_token(&machine).await;
    let page = site.get("/account").access_cookie(&token).send().await;
    page.says(403, "You are not allowed to do this.");
}
