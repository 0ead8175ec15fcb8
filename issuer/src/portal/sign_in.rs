//! Signing in, and on to where somebody came from.

use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use url::Url;

use super::form::Form;
use super::form_token::FormToken;
use super::page::{Faults, Field, Frame};
use super::respond::FormTarget;
use super::visit::{Visit, is_member, see_other, set_cookie};
use crate::http::{Api, ApiError, Client};
use crate::service::{Credentials, TokenPair};

/// Where somebody goes who asked for nothing else.
const HOME: &str = "/account";

/// Where somebody goes on to: a path of ours, or an address on an allowed host.
pub(super) struct Onward {
    /// The address, in its one spelling; `None`: nothing was asked for, or nothing that is allowed.
    pub(super) address: Option<String>,
    /// Its host and origin, where that is not ours.
    elsewhere: Option<(String, String)>,
}

impl Onward {
    /// What was asked for, if it is allowed.
    pub(super) fn to(api: &Api, asked: Option<&str>) -> Self {
        let address = asked.and_then(|asked| api.site.return_address(asked));
        let url = address.as_deref().and_then(|address| Url::parse(address).ok());
        let elsewhere = url
            .filter(|url| url.origin() != api.site.public_url.origin())
            .and_then(|url| Some((url.host_str()?.to_owned(), url.origin().ascii_serialization())));
        Self { address, elsewhere }
    }

    /// Somebody who has signed in, sent on with the cookies for it.
    pub(super) fn signed_in(&self, api: &Api, pair: &TokenPair) -> Response {
        let mut response = see_other(self.address.as_deref().unwrap_or(HOME));
        api.site.cookies.set_on(response.headers_mut(), pair);
        set_cookie(&mut response, &FormToken::ended());
        response
    }

    /// The host, to be told where it is not ours.
    pub(super) fn host(&self) -> Option<String> {
        self.elsewhere.as_ref().map(|(host, _)| host.clone())
    }

    /// The query that keeps it on the way to another page.
    pub(super) fn query(&self) -> String {
        let Some(address) = &self.address else {
            return String::new();
        };
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("return_to", address);
        format!("?{}", query.finish())
    }

    /// Lets the page's form lead there.
    pub(super) fn allow(self, mut response: Response) -> Response {
        if let Some((_, origin)) = self.elsewhere {
            response.extensions_mut().insert(FormTarget(origin));
        }
        response
    }
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page {
    frame: Frame,
    faults: Faults,
    fields: [Field; 2],
    return_to: Option<String>,
    host: Option<String>,
    query: String,
}

fn page(visit: &Visit, onward: Onward, login: String, faults: Faults) -> Result<Response, ApiError> {
    let t = visit.text();
    let fields = [
        Field::login(t.login, login),
        Field::password("password", t.password, "current-password"),
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

/// The form; on at once for somebody who is signed in.
pub(super) async fn show(
    State(api): State<Api>,
    visit: Visit,
    request: Request,
) -> Result<Response, ApiError> {
    let onward = Onward::to(&api, visit.query("return_to").as_deref());
    let (mut parts, _) = request.into_parts();
    if is_member(&mut parts, &api).await? {
        return Ok(see_other(onward.address.as_deref().unwrap_or(HOME)));
    }
    page(&visit, onward, String::new(), Faults::default())
}

/// Signs somebody in.
pub(super) async fn submit(
    State(api): State<Api>,
    visit: Visit,
    client: Client,
    form: Form,
) -> Result<Response, ApiError> {
    let onward = Onward::to(&api, form.given("return_to").as_deref());
    let credentials = Credentials {
        login: form.text("login"),
        password: form.secret("password"),
    };
    let signed_in = api
        .service
        .login(&credentials, client.counted_as(), &client.origin)
        .await;
    match signed_in {
        Ok(pair) => Ok(onward.signed_in(&api, &pair)),
        Err(error) => {
            let faults = Faults::of_error(error, visit.text())?;
            page(&visit, onward, credentials.login, faults)
        }
    }
}
