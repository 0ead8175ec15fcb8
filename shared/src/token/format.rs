//! What tokens look like: our own issuer's, or another one's.

use std::borrow::Cow;

use serde::Deserialize;

use crate::strict_json::{Json, JsonObject};

/// How strict to be about what is not the same with every issuer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum TokenProfile {
    /// Access tokens as RFC 9068 has them, with every claim that our issuer gives.
    #[default]
    #[serde(rename = "at+jwt")]
    AtJwt,
    /// Tokens of other issuers: `typ` may be `JWT` or absent, and only `iss`, `aud`, `exp` and `sub` have to be there.
    #[serde(rename = "jwt")]
    Jwt,
}

/// What is expected of a token's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFormat {
    /// How strict to be.
    pub profile: TokenProfile,
    /// Where the role names are: a claim's name, or the way to it through objects, parted by dots.
    pub roles_claim: Cow<'static, str>,
}

impl TokenFormat {
    /// Our own issuer's.
    pub const OURS: Self = Self {
        profile: TokenProfile::AtJwt,
        roles_claim: Cow::Borrowed("roles"),
    };

    /// The claim that has the roles. A claim whose very name has the dots goes first: some issuers name theirs by URLs.
    pub(super) fn roles<'a>(&self, claims: &'a JsonObject<'a>) -> Option<&'a Json<'a>> {
        claims.get(self.roles_claim.as_ref()).or_else(|| {
            let (first, rest) = self.roles_claim.split_once('.')?;
            let mut value = claims.get(first)?;
            for name in rest.split('.') {
                value = value.as_object()?.get(name)?;
            }
            Some(value)
        })
    }
}

impl Default for TokenFormat {
    fn default() -> Self {
        Self::OURS
    }
}
