//! What holds for every page: its language, its headers, and that nothing in it is markup but what we wrote.

use serde_json::json;

use super::browser::{Browser, Page};
use crate::support::{Database, PASSWORD, Site};

crate::on_both_databases!(
    the_language_is_the_reader_s,
    pages_are_shut_in,
    what_people_write_is_text,
    a_header_signs_nobody_in,
);

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
