//! The pages that people see: signing in and out, the account, and administration.
//!
//! They are another face of the API, not a second way in: each of them calls the use case that the API calls, so that limits,
//! audit and rights are the same, and sets the cookies that it sets.
//!
//! A form is taken only from a page of ours, by three things of which each would do alone in the browsers of today:
//!
//! - the cookies are `SameSite`, so that a request from another site carries none; an operator may loosen that, and a site
//!   below the same domain counts as the same;
//! - `Sec-Fetch-Site`, or else `Origin`, says that the page was of our own origin; who sends neither is refused;
//! - a field of the form repeats a cookie of the `__Host-` kind, which no other host can set or read; it covers the form that
//!   signs somebody in too, where there is no session yet to forge.
//!
//! What was done is answered by a redirect, so that nothing is sent twice by going back or reloading.

mod account;
mod administration;
mod asset;
mod form;
mod form_token;
mod history;
mod language;
mod moment;
mod page;
mod register;
mod respond;
mod sessions;
mod sign_in;
mod sign_out;
mod switch;
mod text;
mod visit;

use axum::routing::get;
use axum::{Router, middleware};

use crate::http::Api;

/// The pages, below `/login` and `/account`, so that a proxy in front has two paths to hand on.
pub(crate) fn routes(api: &Api) -> Router<Api> {
    Router::new()
        .route("/", get(account::home))
        .route("/login", get(sign_in::show).post(sign_in::submit))
        .route("/account", get(account::show).post(account::submit))
        .route("/account/register", get(register::show).post(register::submit))
        .route("/account/logout", get(sign_out::show).post(sign_out::submit))
        .route("/account/sessions", get(sessions::show).post(sessions::submit))
        .route("/account/history", get(history::show))
        .route("/account/language", get(switch::choose))
        .route("/account/assets/{name}", get(asset::file))
        .merge(administration::routes())
        .layer(middleware::from_fn_with_state(api.clone(), respond::around))
}
