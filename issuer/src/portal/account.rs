//! The account: its login, its password, its roles.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::form::{Form, unknown_act};
use super::moment::Moment;
use super::page::{Faults, Field, Frame};
use super::register::new_password;
use super::visit::{Member, see_other};
use crate::http::{Api, ApiError};
use crate::service::Change;
use crate::store::user::User;

#[derive(Template)]
#[template(path = "account.html")]
struct Page {
    frame: Frame,
    faults: Faults,
    user: User,
    since: Moment,
    login_fields: [Field; 2],
    password_fields: [Field; 2],
}

/// What somebody sends, and what is wrong with it.
#[derive(Default)]
struct Sent {
    act: String,
    login: Option<String>,
    faults: Faults,
}

/// To the account, from the address that people type.
pub(super) async fn home() -> Response {
    see_other("/account")
}

async fn page(api: &Api, member: &Member, sent: Sent) -> Result<Response, ApiError> {
    let user = api.service.user(&member.caller, member.caller.subject).await?;
    let t = member.visit.text();
    let none = Faults::default();
    let (of_login, of_password) = match sent.act.as_str() {
        "login" => (&sent.faults, &none),
        _ => (&none, &sent.faults),
    };
    let current = || Field::password("current_password", t.current_password, "current-password");
    let login = sent.login.unwrap_or_else(|| user.login.clone());
    let login_fields = [Field::login(t.login, login).with_hint(t.login_hint), current()];
    let password_fields = [
        current(),
        new_password(api, &member.visit, "password", t.new_password),
    ];
    let page = Page {
        frame: Frame::for_member(member),
        since: user.created_at.into(),
        user,
        login_fields: login_fields.map(|field| field.within("login").with_faults(of_login)),
        password_fields: password_fields.map(|field| field.within("password").with_faults(of_password)),
        faults: sent.faults.told(),
    };
    sent.faults.show(&page)
}

/// Everything about the account.
pub(super) async fn show(State(api): State<Api>, member: Member) -> Result<Response, ApiError> {
    page(&api, &member, Sent::default()).await
}

/// Changes login or password. The current password is asked for whatever the settings say: the screen may be somebody else's
/// for a moment.
pub(super) async fn submit(State(api): State<Api>, member: Member, form: Form) -> Result<Response, ApiError> {
    let t = member.visit.text();
    let act = form.act();
    let (done, login, password) = match act.as_str() {
        "login" => ("login", Some(form.text("login")), None),
        "password" => ("password", None, Some(form.secret("password"))),
        _ => return Err(unknown_act()),
    };
    let typed = login.clone();
    let refused = if form.given("current_password").is_none() {
        Some(Faults::missing("current_password", t)?)
    } else {
        let change = Change {
            login,
            password,
            current_password: Some(form.secret("current_password")),
        };
        let (caller, from) = (&member.caller, member.client.counted_as());
        match api
            .service
            .change_user(caller, caller.subject, &change, from)
            .await
        {
            Ok(_) => None,
            Err(error) => Some(Faults::of_error(error, t)?),
        }
    };
    match refused {
        None => Ok(see_other(&format!("/account?done={done}"))),
        Some(faults) => {
            let sent = Sent {
                act,
                login: typed,
                faults,
            };
            page(&api, &member, sent).await
        }
    }
}
