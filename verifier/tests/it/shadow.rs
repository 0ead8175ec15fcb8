//! Rules that are tried: they are compared, and decide nothing.

use std::time::Duration;

use verifier::http::Endpoint;

use crate::support::{Request, World, until};

const ENFORCED: &str = "default = \"allow\"\n[[rule]]\npath = \"/me\"\nauthenticated = true\n";
const SHADOW: &str = "default = \"authenticated\"\n[[rule]]\npath = \"/me\"\nroles = [\"editor\"]\n";

#[tokio::test]
async fn what_shadow_rules_would_have_decided_is_counted_and_not_enforced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shadow.toml");
    std::fs::write(&path, SHADOW).unwrap();
    let shadow = path.clone();
    let world = World::with(ENFORCED, |settings| settings.shadow_rules = Some(shadow)).await;
    let user = world.forge().token();
    let editor = world.forge().roles(&["editor"]).token();
    let count = |enforced: &str, said: &str| {
        let labels = format!("{{enforced=\"{enforced}\",shadow=\"{said}\"}}");
        world.metric(&format!("verifier_shadow_rules_differed_total{labels}"))
    };
    for endpoint in Endpoint::ALL {
        for (path, token, status) in [
            ("/open", None, 200),
            ("/me", Some(&user), 200),
            ("/me", Some(&editor), 200),
            ("/me", None, 401),
        ] {
            let mut request = Request::about(endpoint, "GET", path);
            if let Some(token) = token {
                request = request.bearer(token);
            }
            assert_eq!(world.ask(&request).await.status, status, "{endpoint} {path}");
        }
    }
    assert_eq!(count("allowed", "missing"), Some(4.0));
    assert_eq!(count("allowed", "role"), Some(4.0));
    assert_eq!(world.metric("verifier_shadow_rules_agreed_total"), Some(8.0));

    // They are reloaded like the others, whole or not at all.
    std::fs::write(&path, "default = ").unwrap();
    let within = Duration::from_secs(2);
    until(within, async || {
        world.metric("verifier_shadow_rules_behind") == Some(1.0)
    })
    .await;
    std::fs::write(&path, ENFORCED).unwrap();
    until(within, async || {
        world.metric("verifier_shadow_rules_generation") == Some(2.0)
    })
    .await;
    assert_eq!(world.metric("verifier_shadow_rules_behind"), Some(0.0));
    let open = Request::about(Endpoint::AuthRequest, "GET", "/open");
    assert_eq!(world.ask(&open).await.status, 200);
    assert_eq!(world.metric("verifier_shadow_rules_agreed_total"), Some(9.0));
}
