//! How a client says who it is: `client_secret_basic` or `client_secret_post` (RFC 6749 section 2.3.1), or, having no
//! secret, by its name alone.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use shared::encoding::base64_decode;

use super::{Form, OauthError};
use crate::http::Api;
use crate::http::context::Client;
use crate::service::{ClientCredentials, OauthClient};

/// Which client asks.
pub(super) async fn authenticated(
    api: &Api,
    from: &Client,
    headers: &HeaderMap,
    form: &mut Form,
) -> Result<OauthClient, OauthError> {
    let presented = presented(headers, form)?;
    let client = api
        .service
        .authenticate_client(presented, from.counted_as(), &from.origin)
        .await?;
    client.ok_or(OauthError::InvalidClient)
}

/// What the request says of its client. By two methods at once is none.
fn presented(headers: &HeaderMap, form: &mut Form) -> Result<ClientCredentials, OauthError> {
    let (name, secret) = (form.take("client_id"), form.take("client_secret"));
    let Some(basic) = basic(headers)? else {
        return Ok(ClientCredentials {
            name: name.ok_or(OauthError::InvalidClient)?,
            secret: secret.map(Into::into),
        });
    };
    if secret.is_some() || name.is_some_and(|name| name != basic.name) {
        let problem = "the client says twice who it is: in the Authorization header and in the body";
        return Err(OauthError::InvalidRequest(problem));
    }
    Ok(basic)
}

/// The credentials of the `Authorization` header (RFC 7617), both parts encoded as in a form.
fn basic(headers: &HeaderMap) -> Result<Option<ClientCredentials>, OauthError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(OauthError::InvalidRequest("there are two Authorization headers"));
    }
    let read = || {
        let (scheme, encoded) = value.to_str().ok()?.trim().split_once(' ')?;
        let encoded = scheme.eq_ignore_ascii_case("basic").then(|| encoded.trim())?;
        let pair = String::from_utf8(base64_decode(encoded)?).ok()?;
        let (name, secret) = pair.split_once(':')?;
        let secret = decoded(secret)?;
        Some(ClientCredentials {
            name: decoded(name)?,
            secret: (!secret.is_empty()).then(|| secret.into()),
        })
    };
    read().map(Some).ok_or(OauthError::InvalidClient)
}

/// A part that was encoded as in a form.
fn decoded(part: &str) -> Option<String> {
    // A bare one would end the value of a form.
    if part.contains('&') {
        return None;
    }
    let pair = format!("part={part}");
    let (_, value) = url::form_urlencoded::parse(pair.as_bytes()).next()?;
    Some(value.into_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use secrecy::ExposeSecret;
    use shared::encoding::base64;

    use super::*;

    fn read(header: &str) -> Result<Option<(String, Option<String>)>, OauthError> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(header).unwrap());
        let secret = |given: ClientCredentials| given.secret.map(|secret| secret.expose_secret().to_owned());
        basic(&headers).map(|found| found.map(|given| (given.name.clone(), secret(given))))
    }

    #[test]
    fn both_parts_are_decoded_as_in_a_form() {
        let found = |pair: &str| {
            read(&format!("Basic {}", base64(pair.as_bytes())))
                .unwrap()
                .unwrap()
        };
        let pair = |name: &str, secret: &str| (name.to_owned(), Some(secret.to_owned()));
        assert_eq!(found("etl:s3cret"), pair("etl", "s3cret"));
        assert_eq!(found("film%2Detl:a%3Ab+c"), pair("film-etl", "a:b c"));
        assert_eq!(found("etl:a:b=c"), pair("etl", "a:b=c"));
        assert_eq!(found("web:"), ("web".to_owned(), None));
        assert_eq!(found(":x"), pair("", "x"));
    }

    #[test]
    fn what_cannot_be_read_is_no_client() {
        let mut bad = vec![
            "Basic".to_owned(),
            "Basic !!!".to_owned(),
            "Bearer abc".to_owned(),
            String::new(),
        ];
        for pair in [&b"no colon"[..], b"etl:a&b", b"etl:\xff"] {
            bad.push(format!("Basic {}", base64(pair)));
        }
        for header in bad {
            assert!(
                matches!(read(&header), Err(OauthError::InvalidClient)),
                "{header}"
            );
        }
        assert!(basic(&HeaderMap::new()).unwrap().is_none());
    }
}
