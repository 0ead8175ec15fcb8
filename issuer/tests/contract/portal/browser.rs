//! What a browser does, as far as the pages count on it: it keeps cookies, and says where a form came from.

use std::collections::BTreeMap;

use crate::support::{Answer, PASSWORD, Request, Site};

/// The cookie whose value forms carry.
pub(crate) const FORM: &str = "__Host-form";
/// The access cookie.
pub(crate) const ACCESS: &str = "__Host-access_token";
/// The refresh cookie.
pub(crate) const REFRESH: &str = "__Secure-refresh_token";

/// A browser with its cookies.
pub(crate) struct Browser<'a> {
    site: &'a Site,
    /// Name and value of each cookie that has not ended.
    pub(crate) cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    /// One that has been nowhere yet.
    pub(crate) fn new(site: &'a Site) -> Self {
        Self {
            site,
            cookies: BTreeMap::new(),
        }
    }

    /// One in which somebody has registered on the page for it.
    pub(crate) async fn registered(site: &'a Site, login: &str) -> Self {
        let mut browser = Self::new(site);
        browser.get("/account/register").await.is(200);
        let answer = browser
            .submit("/account/register", &[("login", login), ("password", PASSWORD)])
            .await;
        answer.leads_to("/account");
        browser
    }

    /// One in which somebody who is there already has signed in.
    pub(crate) async fn signed_in(site: &'a Site, login: &str) -> Self {
        let mut browser = Self::new(site);
        browser.sign_in(login, PASSWORD).await.leads_to("/account");
        browser
    }

    /// Signs somebody in on the page for it.
    pub(crate) async fn sign_in(&mut self, login: &str, password: &str) -> Answer {
        self.get("/login").await.is(200);
        self.submit("/login", &[("login", login), ("password", password)])
            .await
    }

    /// A request with the cookies that belong to its path.
    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        let sent = self
            .cookies
            .iter()
            .filter(|(name, _)| *name != REFRESH || path.starts_with("/api/v1/token"));
        let cookies: Vec<String> = sent.map(|(name, value)| format!("{name}={value}")).collect();
        let request = self.site.request(method, path);
        if cookies.is_empty() {
            request
        } else {
            request.header("cookie", cookies.join("; "))
        }
    }

    /// Opens a page.
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let answer = self.request("GET", path).send().await;
        self.keep(&answer);
        answer
    }

    /// Sends a form of a page of ours.
    pub(crate) async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.cookies.get(FORM).cloned().unwrap_or_default();
        let fields = [&[("form_token", token.as_str())], fields].concat();
        let request = self.request("POST", path).own_origin();
        let answer = request
            .header("sec-fetch-site", "same-origin")
            .form(&fields)
            .send()
            .await;
        self.keep(&answer);
        answer
    }

    /// Follows redirects within the site to their end.
    pub(crate) async fn follow(&mut self, mut answer: Answer) -> Answer {
        for _ in 0..5 {
            let Some(target) = answer.header("location") else {
                return answer;
            };
            let path = target.strip_prefix("https://auth.example.org").unwrap_or(target);
            assert!(path.starts_with('/'), "{target} leads elsewhere");
            let path = path.to_owned();
            answer = self.get(&path).await;
        }
        answer
    }

    fn keep(&mut self, answer: &Answer) {
        for cookie in answer.all("set-cookie") {
            let (name, rest) = cookie.split_once('=').unwrap();
            let (value, attributes) = rest.split_once(';').unwrap();
            if attributes.contains("Max-Age=0;") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// What tests ask of pages.
pub(crate) trait Page {
    /// A redirect after a form, or away from a page.
    fn leads_to(&self, target: &str);
    /// A page of this status that says this.
    fn says(&self, status: u16, text: &str);
}

impl Page for Answer {
    #[track_caller]
    fn leads_to(&self, target: &str) {
        self.is(303);
        assert_eq!(self.header("location"), Some(target));
    }

    #[track_caller]
    fn says(&self, status: u16, text: &str) {
        self.is(status);
        assert_eq!(self.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(self.text().contains(text), "no {text:?} in {}", self.text());
    }
}
