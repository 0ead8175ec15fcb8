//! Attacks on the verifier, a test each. What stands above a test, its attack, who told of it and what comes of it, is a row
//! of `verifier/attacks.md`.

mod algorithm;
mod claims;
mod credentials;
mod flood;
mod framing;
mod http_2;
mod json;
mod key_id;
mod key_set;
mod own_key;
mod shape;
mod time;

use shared::testkit::TokenForge;
use verifier::http::Endpoint;

use crate::support::{Request, World};

/// A token is asked for everywhere.
const RULES: &str = "default = \"authenticated\"\n";

/// A verifier under attack.
struct Target {
    world: World,
}

impl Target {
    /// A verifier with key 0 and nobody revoked.
    async fn start() -> Self {
        Self {
            world: World::ready(RULES).await,
        }
    }

    /// A forge of good tokens.
    fn forge(&self) -> TokenForge {
        self.world.forge()
    }

    /// Every endpoint refuses the token for this reason, as a header and as a cookie, and goes on admitting a good one.
    async fn refuses(&self, token: &str, reason: &str) {
        let mut client = self.world.connect().await;
        for endpoint in Endpoint::ALL {
            let request = Request::about(endpoint, "GET", "/");
            for request in [request.clone().bearer(token), request.cookie(token)] {
                let answer = client.ask(&request).await;
                assert_eq!(
                    answer.verdict(),
                    (401, reason.to_owned()),
                    "{endpoint} {token:.300}"
                );
            }
        }
        self.admits(&self.forge().token()).await;
    }

    /// Every endpoint refuses what was made of a good token for this reason.
    async fn refuses_each(&self, forges: impl IntoIterator<Item = TokenForge>, reason: &str) {
        for forge in forges {
            self.refuses(&forge.token(), reason).await;
        }
    }

    /// Every endpoint refuses this value of the header, which may be no token at all, and goes on admitting a good one.
    async fn refuses_header(&self, authorization: &str, reason: &str) {
        let mut client = self.world.connect().await;
        for endpoint in Endpoint::ALL {
            let request = Request::about(endpoint, "GET", "/").header("Authorization", authorization);
            let answer = client.ask(&request).await;
            assert_eq!(
                answer.verdict(),
                (401, reason.to_owned()),
                "{endpoint} {authorization:.300}"
            );
        }
        self.admits(&self.forge().token()).await;
    }

    /// Every endpoint admits the token.
    async fn admits(&self, token: &str) {
        let mut client = self.world.connect().await;
        for endpoint in Endpoint::ALL {
            let answer = client
                .ask(&Request::about(endpoint, "GET", "/").bearer(token))
                .await;
            assert_eq!(answer.verdict(), (200, String::new()), "{endpoint} {token:.300}");
        }
    }
}

/// What is signed of a token, and its signature.
fn parted(token: &str) -> (&str, &str) {
    token.rsplit_once('.').unwrap()
}

/// A token's header, payload and signature.
fn parts(token: &str) -> (&str, &str, &str) {
    let (signed, signature) = parted(token);
    let (header, payload) = signed.split_once('.').unwrap();
    (header, payload, signature)
}
