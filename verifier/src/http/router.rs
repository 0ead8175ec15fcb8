//! Which endpoint a request is for.

use std::fmt;

use super::grpc;

/// An endpoint: one for each family of proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `/authz/auth-request`: nginx, `HAProxy`.
    AuthRequest,
    /// `/authz/forward-auth`: Traefik, Caddy.
    ForwardAuth,
    /// `/authz/ext-authz/…`: Envoy over HTTP.
    ExtAuthz,
    /// `envoy.service.auth.v3.Authorization/Check`: Envoy and its kin over gRPC.
    Grpc,
}

/// What goes before the original path.
pub(super) const EXT_AUTHZ_PREFIX: &str = "/authz/ext-authz";

impl Endpoint {
    /// Every endpoint.
    pub const ALL: [Self; 4] = [Self::AuthRequest, Self::ForwardAuth, Self::ExtAuthz, Self::Grpc];

    /// Chooses by the raw bytes of the path: an encoded spelling of an endpoint is none. `None`: there is nothing there.
    ///
    /// Everything that begins with the prefix is Envoy's, whatever follows: what Envoy puts behind it is the client's,
    /// and need not begin with a slash (`OPTIONS *`).
    pub fn of(path: &str) -> Option<Self> {
        match path {
            "/authz/auth-request" | "/authz/auth-request/" => Some(Self::AuthRequest),
            "/authz/forward-auth" | "/authz/forward-auth/" => Some(Self::ForwardAuth),
            grpc::CHECK => Some(Self::Grpc),
            _ if path.starts_with(EXT_AUTHZ_PREFIX) => Some(Self::ExtAuthz),
            _ => None,
        }
    }

    /// The word for it in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthRequest => "auth_request",
            Self::ForwardAuth => "forward_auth",
            Self::ExtAuthz => "ext_authz",
            Self::Grpc => "grpc",
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_have_one_spelling() {
        for (path, endpoint) in [
            ("/authz/auth-request", Some(Endpoint::AuthRequest)),
            ("/authz/auth-request/", Some(Endpoint::AuthRequest)),
            ("/authz/forward-auth", Some(Endpoint::ForwardAuth)),
            ("/authz/ext-authz", Some(Endpoint::ExtAuthz)),
            ("/authz/ext-authz/authz/auth-request", Some(Endpoint::ExtAuthz)),
            ("/authz/ext-authz*", Some(Endpoint::ExtAuthz)),
            ("/envoy.service.auth.v3.Authorization/Check", Some(Endpoint::Grpc)),
            ("/envoy.service.auth.v3.Authorization/Check/", None),
            ("/authz/auth-request/x", None),
            ("/authz/auth%2Drequest", None),
            ("/authz/%65xt-authz/a", None),
            ("//authz/auth-request", None),
            ("/authz/../authz/auth-request", None),
            ("/Authz/auth-request", None),
            ("/authz", None),
            ("/", None),
        ] {
            assert_eq!(Endpoint::of(path), endpoint, "{path}");
        }
    }
}
