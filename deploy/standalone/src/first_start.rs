//! The first start: a superuser, and something to try.

use secrecy::SecretString;
use shared::config::HttpUrl;
use shared::crypto::random;
use shared::encoding::base64url;

use issuer::service::{Credentials, Service, ServiceError};

/// A film of the demo that everybody may see.
const OPEN_FILM: &str = "/api/v1/films/0f3b9a52-6f0e-4c1e-9a55-2d7b1c8e4a10";

/// A superuser made at the first start.
pub(crate) struct FirstSuperuser {
    /// The login.
    pub(crate) login: String,
    /// The password, if it was generated: to be shown this once.
    pub(crate) generated_password: Option<SecretString>,
}

/// Makes a superuser if there is none: the one that the environment names, or `admin` with a generated password.
///
/// # Errors
///
/// [`ServiceError::Invalid`] if the environment names an impossible one, or that something is away.
pub(crate) async fn ensure_superuser(service: &Service) -> Result<Option<FirstSuperuser>, ServiceError> {
    if service.has_superuser().await? {
        return Ok(None);
    }
    let given = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let login = given("USHER_SUPERUSER_LOGIN").unwrap_or_else(|| "admin".to_owned());
    let given_password = given("USHER_SUPERUSER_PASSWORD").map(SecretString::from);
    let generated = given_password
        .is_none()
        .then(|| SecretString::from(base64url(&random::bytes::<18>())));
    let Some(password) = given_password.or_else(|| generated.clone()) else {
        return Ok(None);
    };
    let credentials = Credentials {
        login: login.clone(),
        password,
    };
    service.create_superuser(&credentials).await?;
    Ok(Some(FirstSuperuser {
        login,
        generated_password: generated,
    }))
}

/// Three lines to paste into a shell: register, ask the verifier, log out and ask again.
pub(crate) fn lines_to_try(issuer: &HttpUrl, verifier: &HttpUrl) -> [String; 3] {
    // A new guest at every start, so that the first line works each time.
    let guest = u32::from_le_bytes(random::bytes());
    let password = base64url(&random::bytes::<9>());
    let question =
        format!("curl -si {verifier}/authz/ext-authz{OPEN_FILM} -H \"Authorization: Bearer $TOKEN\"");
    let body = format!("{{\"login\":\"guest-{guest:08x}\",\"password\":\"{password}\"}}");
    [
        format!(
            "TOKEN=$(curl -s {issuer}/api/v1/user -H 'Content-Type: application/json' -d '{body}' | \
             sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/'); echo \"$TOKEN\""
        ),
        question.clone(),
        format!(
            "curl -si -X POST {issuer}/api/v1/user/logout -H \"Authorization: Bearer $TOKEN\"; {question}"
        ),
    ]
}
