use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value, json};

use crate::crypto::rsa::{KeyBits, SigningKey};
use crate::encoding::base64url;
use crate::id::{SessionId, SubjectId, TokenId};
use crate::keys::{Jwk, JwkSet, KeySet};
use crate::time::{UnixMillis, UnixSeconds};
use crate::token::{CompactToken, SignedToken};

static POOL: LazyLock<[Arc<SigningKey>; 3]> =
    LazyLock::new(|| std::array::from_fn(|_| Arc::new(SigningKey::generate(KeyBits::Rsa2048).unwrap())));

/// A signing key with its id. Three key pairs are made once a process, since each takes a tenth of a second.
#[derive(Clone, Debug)]
pub struct TestKey {
    /// The key's id.
    pub kid: String,
    /// The private half.
    pub signing: Arc<SigningKey>,
}

impl TestKey {
    /// Key pair number `n` of three under the id `test-<n>`.
    pub fn number(n: usize) -> Self {
        Self {
            kid: format!("test-{n}"),
            signing: Arc::clone(&POOL[n % 3]),
        }
    }

    /// The same key pair under another id.
    #[must_use]
    pub fn with_kid(mut self, kid: &str) -> Self {
        kid.clone_into(&mut self.kid);
        self
    }

    /// The public half's wire form.
    pub fn jwk(&self) -> Jwk {
        Jwk::of(&self.kid, &self.signing.verifying_key().unwrap())
    }

    /// A set of the public halves of these keys, as JSON.
    pub fn jwks(keys: &[&Self]) -> Vec<u8> {
        serde_json::to_vec(&JwkSet {
            keys: keys.iter().map(|key| key.jwk()).collect(),
        })
        .unwrap()
    }

    /// A set of the public halves of these keys.
    pub fn key_set(keys: &[&Self], generation: u64) -> KeySet {
        KeySet::from_jwks(&Self::jwks(keys), generation).unwrap()
    }
}

/// Makes tokens: good ones by default, bad in whatever way a test asks for.
#[derive(Clone, Debug)]
pub struct TokenForge {
    key: TestKey,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl TokenForge {
    /// The `iss` of what is forged.
    pub const ISSUER: &str = "http://127.0.0.1:8080";
    /// The `aud` of what is forged.
    pub const AUDIENCE: &str = "movies";

    /// A forge for a user without roles, whose tokens are good for 15 minutes from `now` on.
    pub fn new(key: &TestKey, now: UnixMillis) -> Self {
        let UnixSeconds(issued_at) = now.to_seconds();
        let header = json!({"alg": "RS256", "typ": "at+jwt", "kid": key.kid});
        let claims = json!({
            "iss": Self::ISSUER, "aud": Self::AUDIENCE, "sub": SubjectId::new(now), "iat": issued_at,
            "nbf": issued_at, "exp": issued_at + 900, "jti": TokenId::new(now), "sid": SessionId::new(now),
            "client_id": "web", "roles": [], "ver": now.0, "rver": 1,
        });
        Self {
            key: key.clone(),
            header: header.as_object().unwrap().clone(),
            claims: claims.as_object().unwrap().clone(),
        }
    }

    /// A forge whose tokens look like Keycloak's, for a user whose realm roles are in `realm_access.roles`.
    pub fn keycloak(key: &TestKey, now: UnixMillis, roles: &[&str]) -> Self {
        let UnixSeconds(issued_at) = now.to_seconds();
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": key.kid});
        let session = SessionId::new(now);
        let claims = json!({
            "exp": issued_at + 300, "iat": issued_at, "jti": format!("onrtac:{}", TokenId::new(now)),
            "iss": Self::ISSUER, "aud": [Self::AUDIENCE, "account"], "sub": SubjectId::new(now), "typ": "Bearer",
            "azp": "web", "sid": session, "acr": "1", "allowed-origins": ["https://movies.example.org"],
            "realm_access": {"roles": roles},
            "resource_access": {"account": {"roles": ["manage-account", "view-profile"]}},
            "scope": "openid email profile", "email_verified": true, "preferred_username": "alice",
        });
        Self {
            key: key.clone(),
            header: header.as_object().unwrap().clone(),
            claims: claims.as_object().unwrap().clone(),
        }
    }

    /// The same with a claim set.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// The same without a claim.
    #[must_use]
    pub fn without_claim(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// The same with a header parameter set.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// The same without a header parameter.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// The same with these roles.
    #[must_use]
    pub fn roles(self, names: &[&str]) -> Self {
        self.claim("roles", names.to_vec())
    }

    /// A claim's value as text.
    pub fn claim_text(&self, name: &str) -> &str {
        self.claims[name].as_str().unwrap()
    }

    /// The token in its compact form.
    pub fn token(&self) -> String {
        let header = serde_json::to_vec(&self.header).unwrap();
        let claims = serde_json::to_vec(&self.claims).unwrap();
        Self::sign_raw(&self.key, &header, &claims)
    }

    /// The token after its signature was checked.
    pub fn signed(&self) -> SignedToken {
        let verifying = self.key.signing.verifying_key().unwrap();
        CompactToken::parse(&self.token())
            .unwrap()
            .verify(&verifying)
            .unwrap()
    }

    /// Signs any bytes as header and payload: for tokens that no JSON library would write.
    pub fn sign_raw(key: &TestKey, header: &[u8], payload: &[u8]) -> String {
        let signed_part = format!("{}.{}", base64url(header), base64url(payload));
        let signature = key.signing.sign(signed_part.as_bytes()).unwrap();
        format!("{signed_part}.{}", base64url(&signature))
    }
}
