//! Signing out: of this session, or of every one.

use askama::Template;
use axum::extract::{FromRequest, Request, State};
use axum::response::Response;
use http::StatusCode;

use super::form::{Form, unknown_act};
use super::form_token::FormToken;
use super::page::{Frame, show as show_page};
use super::visit::{Member, access_token, see_other, set_cookie};
use crate::http::{Api, ApiError, Client};

#[derive(Template)]
#[template(path = "sign_out.html")]
struct Page {
    frame: Frame,
}

/// Asks for the button: a link alone signs nobody out.
pub(super) async fn show(member: Member) -> Result<Response, ApiError> {
    let frame = Frame::for_member(&member);
    show_page(StatusCode::OK, &Page { frame })
}

/// Signs somebody out. As with the API, a token that is stale or was revoked will do.
pub(super) async fn submit(
    State(api): State<Api>,
    client: Client,
    request: Request,
) -> Result<Response, ApiError> {
    let token = access_token(request.headers(), &api)?.to_owned();
    let form = Form::from_request(request, &api).await?;
    let (all, done) = match form.act().as_str() {
        "this" => (false, "signed_out"),
        "all" => (true, "signed_out_everywhere"),
        _ => return Err(unknown_act()),
    };
    api.service.logout(&token, all, &client.origin).await?;
    let mut response = see_other(&format!("/login?done={done}"));
    api.site.cookies.delete_on(response.headers_mut());
    set_cookie(&mut response, &FormToken::ended());
    Ok(response)
}
