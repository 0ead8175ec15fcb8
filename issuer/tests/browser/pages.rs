//! Every page, in both themes, on a phone and on a desk.

use serde_json::json;

use crate::driver::Browser;
use crate::support::{PASSWORD, Person, Site};

/// Widths of a phone and of a desk, in CSS pixels.
const WIDTHS: [(&str, u32); 2] = [("phone", 375), ("desk", 1280)];

/// Pages for anybody: name and path.
const OPEN: [(&str, &str); 2] = [
    ("sign-in", "/login?return_to=/account/history"),
    ("register", "/account/register"),
];

/// Pages of a superuser, who has all of them. `{user}`, `{role}` and `{film}` are put in.
const OWN: [(&str, &str); 15] = [
    ("account", "/account?done=saved"),
    ("sessions", "/account/sessions"),
    ("history", "/account/history"),
    ("sign-out", "/account/logout"),
    ("users", "/account/users"),
    ("user", "/account/users/{user}"),
    ("roles", "/account/roles"),
    ("role", "/account/roles/{role}"),
    ("labels", "/account/labels"),
    ("label", "/account/labels/paid"),
    ("films", "/account/films?film_id={film}"),
    ("keys", "/account/keys"),
    ("audit", "/account/audit"),
    ("verifiers", "/account/verifiers"),
    ("nothing", "/account/users/{film}"),
];

const FILM: &str = "01890000-0000-7000-8000-00000000dead";

/// Something to see on every page.
async fn furnish(site: &Site) -> (Person, String) {
    let root = site.superuser("root").await;
    let role = site.role(&root, "critic").await;
    let neo = site.register_with(&root, "neo", &[&role]).await;
    let paid = site.put("/api/v1/label/paid").bearer(&root.access);
    let paid = paid.json(
        &json!({"roles": ["critic", "user"], "anonymous": false, "description": "For those who have paid"}),
    );
    paid.send().await.is(201);
    let film = site
        .put(&format!("/api/v1/film/{FILM}/label"))
        .bearer(&root.access);
    film.json(&json!({"labels": ["paid"]})).send().await.ok(200);
    site.try_login("root", "wrong")
        .await
        .refused(401, "invalid-credentials");
    let agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0";
    let login = site.post("/api/v1/user/login").header("user-agent", agent);
    login
        .json(&json!({"login": "root", "password": PASSWORD}))
        .send()
        .await
        .ok(200);
    (neo, role)
}

async fn look(browser: &Browser, name: &str, path: &str) {
    for (size, width) in WIDTHS {
        for theme in ["light", "dark"] {
            browser.show_in(theme, width).await;
            browser.open(path).await;
            let what = format!("{name}-{size}-{theme}");
            browser.is_accessible(&what).await;
            browser.keep_picture(&what).await;
        }
    }
}

#[tokio::test]
async fn every_page_is_for_everybody() {
    let (site, url) = crate::site().await;
    let Some(browser) = Browser::start_or_skip("every_page_is_for_everybody", &url).await else {
        return;
    };
    let (neo, role) = furnish(&site).await;
    for (name, path) in OPEN {
        look(&browser, name, path).await;
    }
    // With something wrong in a form.
    for (size, width) in WIDTHS {
        for theme in ["light", "dark"] {
            browser.show_in(theme, width).await;
            browser.open("/account/register").await;
            browser.fill("[name=login]", "x").await;
            browser.fill("[name=password]", "short").await;
            browser.click("main button:not([type=button])").await;
            assert_eq!(browser.text("#login-error").await, "The login is too short.");
            browser.is_accessible("register-faults").await;
            browser
                .keep_picture(&format!("register-faults-{size}-{theme}"))
                .await;
        }
    }
    browser.open("/account/history").await;
    assert_eq!(browser.text("h1").await, "Sign in");
    browser.fill("[name=login]", "root").await;
    browser.fill("[name=password]", PASSWORD).await;
    browser.click("main button:not([type=button])").await;
    assert_eq!(browser.path().await, "/account/history");
    for (name, path) in OWN {
        let path = path
            .replace("{user}", &neo.id)
            .replace("{role}", &role)
            .replace("{film}", FILM);
        look(&browser, name, &path).await;
    }
    browser.open("/account").await;
    browser.click("footer [lang=ru]").await;
    assert_eq!(browser.text("h1").await, "Аккаунт");
    for (name, path) in [
        ("account-ru", "/account"),
        ("sessions-ru", "/account/sessions"),
        ("labels-ru", "/account/labels"),
    ] {
        look(&browser, name, path).await;
    }
    browser.stop().await;
}
