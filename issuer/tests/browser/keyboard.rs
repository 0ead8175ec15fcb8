//! By keyboard alone: what has the focus is seen, and everything is reached.

use fantoccini::key::Key;
use serde_json::Value;

use crate::driver::Browser;
use crate::support::PASSWORD;

/// Presses of a key after which something must have been reached.
const STEPS_MAX: usize = 60;

impl Browser {
    async fn press(&self, keys: &str) {
        let focused = self.client.active_element().await.unwrap();
        focused.send_keys(keys).await.unwrap();
    }

    /// Presses keys that lead to another page, and waits for that.
    async fn press_to_leave(&self, keys: &str) {
        let focused = self.client.active_element().await.unwrap();
        self.leave(focused.send_keys(keys)).await;
    }

    /// Goes on with the tabulator until what a selector names has the focus, which must be seen on everything on the way.
    async fn tab_to(&self, selector: &str) {
        let state = format!(
            "const focused = document.activeElement; \
             return [focused.matches({selector:?}), getComputedStyle(focused).outlineStyle, focused.outerHTML]"
        );
        for _ in 0..STEPS_MAX {
            self.press(&Key::Tab.to_string()).await;
            let found = self.run(&state).await;
            assert_eq!(found[1], "solid", "the focus is not seen: {}", found[2]);
            if found[0] == true {
                return;
            }
        }
        panic!("{selector} is not reached by keyboard");
    }
}

#[tokio::test]
async fn somebody_without_a_mouse_does_everything() {
    let (site, url) = crate::site().await;
    let Some(browser) = Browser::start_or_skip("somebody_without_a_mouse_does_everything", &url).await else {
        return;
    };
    site.register("smith").await;
    browser.open("/login").await;
    // The first stop leads past what is the same on every page.
    browser.tab_to(".skip").await;
    browser.press(&Key::Enter.to_string()).await;
    assert_eq!(browser.run("return document.activeElement.id").await, "content");
    browser.tab_to("a[href='/account/register']").await;
    browser.press_to_leave(&Key::Enter.to_string()).await;
    assert_eq!(browser.text("h1").await, "Create an account");
    // A login that is taken: the focus is where something is wrong.
    browser.tab_to("[name=login]").await;
    browser.press("smith").await;
    browser.tab_to("[name=password]").await;
    browser.press_to_leave(&(PASSWORD.to_owned() + &Key::Enter)).await;
    assert_eq!(
        browser.text("#login-error").await,
        "Somebody else has this login."
    );
    assert_eq!(browser.run("return document.activeElement.id").await, "login");
    assert_eq!(
        browser
            .run("return document.querySelector('[name=password]').value")
            .await,
        ""
    );
    browser.press("2").await;
    browser.tab_to("[name=password]").await;
    browser.press(PASSWORD).await;
    // What was typed can be looked at.
    browser.tab_to(".secret button").await;
    browser.press(&Key::Enter.to_string()).await;
    assert_eq!(
        browser
            .run("return document.querySelector('[name=password]').type")
            .await,
        "text"
    );
    browser.tab_to("main button:not([type=button])").await;
    browser.press_to_leave(&Key::Enter.to_string()).await;
    assert_eq!(browser.path().await, "/account");
    assert_eq!(browser.text(".viewer strong").await, "smith2");
    // The password is changed, which leads by way of fresh cookies.
    browser.tab_to("#password-current_password").await;
    browser.press(PASSWORD).await;
    browser.tab_to("#password-password").await;
    browser
        .press_to_leave(&("there is no spoon".to_owned() + &Key::Enter))
        .await;
    assert_eq!(browser.path().await, "/account?done=password");
    assert_eq!(
        browser.text("[role=status]").await,
        "The password is changed. Every other session has ended."
    );
    // Times are in the reader's manner.
    let time = browser
        .run("return document.querySelector('time').textContent")
        .await;
    assert!(!time.as_str().unwrap().contains("UTC"), "{time}");
    browser.tab_to("a[href='/account/sessions']").await;
    browser.press_to_leave(&Key::Enter.to_string()).await;
    assert_eq!(browser.text("h1").await, "Sessions");
    browser.tab_to(".viewer button").await;
    browser.press_to_leave(&Key::Enter.to_string()).await;
    assert_eq!(browser.path().await, "/login?done=signed_out");
    let cookies = browser.client.get_all_cookies().await.unwrap();
    assert!(
        cookies.iter().all(|cookie| !cookie.name().contains("token")),
        "{cookies:?}"
    );
    assert_eq!(browser.run("return document.cookie").await, Value::from(""));
    browser.stop().await;
}
