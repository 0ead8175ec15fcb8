//! Creating an account.

use askama::Template;
use axum::extract::{FromRequest, Request, State};
use axum::response::Response;

use super::form::Form;
use super::page::{Faults, Field, Frame};
use super::sign_in::Onward;
use super::visit::{Visit, is_member, see_other};
use crate::http::{Api, ApiError, Client};
use crate::service::Credentials;

#[derive(Template)]
#[template(path = "register.html")]
struct Page {
    frame: Frame,
    faults: Faults,
    fields: [Field; 2],
    return_to: Option<String>,
    host: Option<String>,
    query: String,
}

fn page(
    api: &Api,
    visit: &Visit,
    onward: Onward,
    login: String,
    faults: Faults,
) -> Result<Response, ApiError> {
    let t = visit.text();
    let fields = [
        Field::login(t.login, login).with_hint(t.login_hint),
        new_password(api, visit, "password", t.password),
    ];
    let fields = fields.map(|field| field.with_faults(&faults));
    let (host, query, return_to) = (onward.host(), onward.query(), onward.address.clone());
    let page = Page {
        frame: Frame::of(visit),
        fields,
        return_to,
        host,
        query,
        faults: faults.told(),
    };
    Ok(onward.allow(faults.show(&page)?))
}

/// A field for a new password, with what is asked of it.
pub(super) fn new_password(api: &Api, visit: &Visit, name: &'static str, label: &'static str) -> Field {
    let t = visit.text();
    let hint = format!(
        "{} {} {}",
        t.password_hint_before, api.service.policy.password.min_length, t.password_hint_after
    );
    Field::password(name, label, "new-password").with_hint(hint)
}

/// The form; on at once for somebody who is signed in.
pub(super) async fn show(
    State(api): State<Api>,
    visit: Visit,
    request: Request,
) -> Result<Response, ApiError> {
    let onward = Onward::to(&api, visit.query("return_to").as_deref());
    let (mut parts, _) = request.into_parts();
    if is_member(&mut parts, &api).await? {
        return Ok(see_other("/account"));
    }
    page(&api, &visit, onward, String::new(), Faults::default())
}

/// Registers somebody, who is signed in then.
pub(super) async fn submit(
    State(api): State<Api>,
    visit: Visit,
    client: Client,
    request: Request,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let is_member = is_member(&mut parts, &api).await?;
    let form = Form::from_request(Request::from_parts(parts, body), &api).await?;
    if is_member {
        return Ok(see_other("/account"));
    }
    let onward = Onward::to(&api, form.given("return_to").as_deref());
    let credentials = Credentials {
        login: form.text("login"),
        password: form.secret("password"),
    };
    let registered = api
        .service
        .register(&credentials, client.counted_as(), &client.origin)
        .await;
    match registered {
        Ok(pair) => Ok(onward.signed_in(&api, &pair)),
        Err(error) => {
            let faults = Faults::of_error(error, visit.text())?;
            page(&api, &visit, onward, credentials.login, faults)
        }
    }
}
