//! Without scripts, and with a session that has to be renewed.

use fantoccini::Locator;
use serde_json::json;

use crate::driver::Browser;
use crate::support::PASSWORD;

#[tokio::test]
async fn somebody_without_scripts_does_everything() {
    let (site, url) = crate::site().await;
    let Some(browser) = Browser::start_or_skip("somebody_without_scripts_does_everything", &url).await else {
        return;
    };
    site.superuser("root").await;
    let neo = site.register("neo").await;
    let none = json!({"value": true});
    browser
        .devtools("Emulation.setScriptExecutionDisabled", none)
        .await;
    browser.open("/account/sessions").await;
    assert_eq!(
        browser
            .client
            .find_all(Locator::Css(".secret"))
            .await
            .unwrap()
            .len(),
        0
    );
    browser.fill("[name=login]", "root").await;
    browser.fill("[name=password]", PASSWORD).await;
    browser.click("main button").await;
    assert_eq!(browser.path().await, "/account/sessions");
    assert!(browser.text("time").await.ends_with("UTC"));
    // The access cookie ends; the page comes all the same.
    browser.client.delete_cookie("__Host-access_token").await.unwrap();
    browser.open("/account/history").await;
    assert_eq!(browser.text("h1").await, "Sign-in history");
    // The other session of root, from the superuser's own login, is ended.
    browser.open("/account/sessions").await;
    browser.click("button[value=end]").await;
    assert_eq!(browser.path().await, "/account/sessions?done=session");
    browser.open(&format!("/account/users/{}", neo.id)).await;
    browser.click("button[value=disable]").await;
    assert_eq!(browser.text("[role=status]").await, "Saved.");
    site.get("/api/v1/user/me")
        .bearer(&neo.access)
        .send()
        .await
        .unauthorised("revoked");
    browser.open("/account/logout").await;
    browser.click("main button[value=all]").await;
    assert_eq!(
        browser.text("[role=status]").await,
        "You are signed out everywhere."
    );
    browser.stop().await;
}

#[tokio::test]
async fn what_was_typed_outlives_the_access_cookie() {
    let (site, url) = crate::site().await;
    let Some(browser) = Browser::start_or_skip("what_was_typed_outlives_the_access_cookie", &url).await
    else {
        return;
    };
    site.register("neo").await;
    browser.open("/login").await;
    browser.fill("[name=login]", "neo").await;
    browser.fill("[name=password]", PASSWORD).await;
    browser.click("main button:not([type=button])").await;
    assert_eq!(browser.path().await, "/account");
    browser.fill("#login-login", "anderson").await;
    browser.fill("#login-current_password", PASSWORD).await;
    // An hour goes by, as far as the page can tell.
    browser.client.delete_cookie("__Host-access_token").await.unwrap();
    browser.run("performance.now = () => 60 * 60 * 1000").await;
    browser.click("button[value=login]").await;
    assert_eq!(browser.text("[role=status]").await, "The login is changed.");
    assert_eq!(browser.text(".viewer strong").await, "anderson");
    browser.stop().await;
}
