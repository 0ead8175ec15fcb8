//! The pages that people see: signing in and out here, the rest in its modules.

mod account;
mod administration;
mod browser;
mod forms;
mod page;
mod return_to;

use shared::revocation::Fact;

use crate::support::{Database, PASSWORD, Site, claims};
use browser::{ACCESS, Browser, FORM, Page, REFRESH};

crate::on_both_databases!(
    somebody_registers_and_signs_in,
    a_wrong_password_is_told_beside_nothing_else,
    a_registration_is_told_what_is_wrong_with_it,
    signing_out_ends_the_session_at_every_edge,
    signing_out_everywhere_ends_every_session,
    limits_are_those_of_the_api,
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
