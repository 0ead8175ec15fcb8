//! The switch between languages.

use axum::extract::State;
use axum::response::Response;

use super::language::Language;
use super::visit::{Visit, see_other, set_cookie};
use crate::http::{Api, ApiError};
use crate::service::ServiceError;

/// Remembers a language, and back to the page that the link was on.
pub(super) async fn choose(State(api): State<Api>, visit: Visit) -> Result<Response, ApiError> {
    let chosen = Language::of_tag(&visit.query_or_empty("to")).ok_or(ServiceError::NotFound)?;
    let back = visit.query("return_to");
    let back = back.and_then(|address| api.site.return_address(&address));
    let mut response = see_other(back.as_deref().unwrap_or("/account"));
    set_cookie(&mut response, &chosen.cookie());
    Ok(response)
}
