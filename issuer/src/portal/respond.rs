//! Around every page: what went wrong becomes a page too, and every answer says what browsers may do with it.

use askama::Template;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use shared::problem::Problem;
use shared::reason::Reason;
use shared::telemetry::RequestId;

use super::page::{Frame, show};
use super::text::Text;
use super::visit::{Visit, see_other, set_cookie};
use crate::http::Api;

/// An origin that a form of the page may lead to, beside our own.
#[derive(Clone, Debug)]
pub(super) struct FormTarget(pub(super) String);

/// What went wrong.
#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    frame: Frame,
    title: &'static str,
    detail: &'static str,
    request_id: Option<String>,
}

/// Reads the visit, and finishes the answer.
pub(super) async fn around(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let visit = Visit::of(request.headers(), request.uri());
    request.extensions_mut().insert(visit.clone());
    let method = request.method().clone();
    let request_id = request.extensions().get::<RequestId>().cloned();
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = as_page(&response, problem, &visit, &api, request_id.as_ref());
    }
    let is_page = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|media_type| media_type.as_bytes().starts_with(b"text/html"));
    if is_page
        && method != Method::HEAD
        && let Some(cookie) = visit.form_token.cookie()
    {
        set_cookie(&mut response, &cookie);
    }
    let target = response.extensions_mut().remove::<FormTarget>();
    protect(response.headers_mut(), target.as_ref());
    response
}

/// Says what browsers may do with an answer.
fn protect(headers: &mut HeaderMap, target: Option<&FormTarget>) {
    // A form that signs somebody in leads on to where they came from, which browsers hold to `form-action` as well.
    let target = target.map(|target| format!(" {}", target.0)).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'{target}; frame-ancestors 'none'; base-uri 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (REFERRER_POLICY, "same-origin"),
        (X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(VARY, HeaderValue::from_static("Cookie, Accept-Language"));
    }
}

/// The page for a problem; to fresh cookies or the sign-in where that would help.
fn as_page(
    response: &Response,
    problem: Problem,
    visit: &Visit,
    api: &Api,
    request_id: Option<&RequestId>,
) -> Response {
    let signed_out = matches!(problem.kind(), "not-signed-in" | "invalid-token");
    // Two cookies of one name would be there still.
    if signed_out && problem.reason != Some(Reason::AmbiguousCredentials.as_str()) {
        return see_other(&fresh_cookies(api, visit));
    }
    let (title, detail) = words(&problem, visit.text());
    let page = ProblemPage {
        frame: Frame::of(visit),
        title,
        detail,
        request_id: request_id.map(ToString::to_string),
    };
    let Ok(mut shown) = show(response.status(), &page) else {
        // A page that cannot be made is told as the API tells it.
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(problem);
        return response;
    };
    shown.headers_mut().extend(response.headers().clone());
    shown
}

/// Where the refresh cookie, which is sent nowhere else, makes fresh ones; or else somebody signs in. Back here afterwards.
fn fresh_cookies(api: &Api, visit: &Visit) -> String {
    let back = api.site.return_address(&visit.address);
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("return_to", back.as_deref().unwrap_or("/account"));
    format!("/api/v1/token/continue?{}", query.finish())
}

/// What a problem is called, and what to do about it.
fn words(problem: &Problem, t: &'static Text) -> (&'static str, &'static str) {
    match problem.kind() {
        "forbidden" => (t.problem_forbidden, t.forbidden),
        "cross-site" => (t.problem_cross_site, t.problem_cross_site_detail),
        "not-found" => (t.problem_not_found, t.problem_not_found_detail),
        "too-many-requests" => (t.problem_too_many, t.too_many_requests),
        "overloaded" | "unavailable" => (t.problem_unavailable, t.problem_unavailable_detail),
        "invalid-token" => (t.problem_ambiguous, t.problem_ambiguous_detail),
        _ if problem.status < 500 => (t.problem_request, t.problem_request_detail),
        _ => (t.problem_internal, t.problem_internal_detail),
    }
}
