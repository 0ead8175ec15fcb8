//! Tokens of another issuer, which look as Keycloak's do.

use shared::config::{ListenAddress, OneOrMany, Settings as _};
use shared::testkit::{TestKey, TokenForge};
use shared::token::TokenProfile;
use verifier::http::Endpoint;
use verifier::settings::{Revocations, Settings};

use crate::support::{Request, World};

const RULES: &str = "default = \"deny\"\n\
    [[rule]]\npath = \"/me\"\nauthenticated = true\n\
    [[rule]]\npath = \"/admin\"\nroles = [\"editor\"]\n";

fn keycloak(settings: &mut Settings) {
    settings.revocations = Revocations::Off;
    settings.token_profile = TokenProfile::Jwt;
    "realm_access.roles".clone_into(&mut settings.roles_claim);
    settings.listen = OneOrMany(vec![ListenAddress::tcp("127.0.0.1", 0)]);
}

#[tokio::test]
async fn another_issuers_tokens_are_decided_about() {
    let world = World::bare(RULES, keycloak).await;
    world.set_keys(&[0]);
    world.is_ready().await;
    let forge = |roles: &[&str]| TokenForge::keycloak(&TestKey::number(0), world.now(), roles);
    let editor = forge(&["editor", "offline_access"]);
    for endpoint in Endpoint::ALL {
        for (path, forge, verdict) in [
            ("/me", &editor, (200, "")),
            ("/admin", &editor, (200, "")),
            ("/admin", &forge(&["user"]), (403, "role")),
            (
                "/admin",
                &forge(&[]).claim("roles", vec!["editor"]),
                (403, "role"),
            ),
            ("/else", &forge(&[]).claim("superuser", true), (403, "denied")),
            ("/me", &editor.clone().claim("exp", 1), (401, "expired")),
            (
                "/me",
                &editor.clone().claim("aud", "account"),
                (401, "wrong_audience"),
            ),
            ("/me", &editor.clone().claim("typ", "ID"), (401, "unsupported")),
            ("/me", &editor.clone().without_claim("sub"), (401, "bad_claims")),
        ] {
            let answer = world
                .ask(&Request::about(endpoint, "GET", path).bearer(&forge.token()))
                .await;
            assert_eq!(
                answer.verdict(),
                (verdict.0, verdict.1.to_owned()),
                "{endpoint} {path}"
            );
        }
        let service = editor.clone().claim("sub", "auth0|x").without_claim("sid");
        let answer = world
            .ask(&Request::about(endpoint, "GET", "/me").bearer(&service.token()))
            .await;
        for (name, value) in [
            ("x-auth-subject", "auth0|x"),
            ("x-auth-session", ""),
            ("x-auth-roles", "editor,offline_access"),
            ("x-auth-superuser", "false"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{endpoint} {name}");
        }
    }
}

#[test]
fn they_are_taken_without_revocations_alone() {
    let mut settings = Settings::default();
    keycloak(&mut settings);
    assert!(settings.check().is_ok());
    settings.revocations = Revocations::Redis;
    let invalid = settings.check().unwrap_err();
    assert!(invalid.to_string().contains("token_profile"), "{invalid}");
    settings.token_profile = TokenProfile::AtJwt;
    assert!(settings.check().is_ok());
    "realm_access..roles".clone_into(&mut settings.roles_claim);
    assert!(settings.check().is_err());
}
