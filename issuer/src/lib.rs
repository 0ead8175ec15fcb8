//! The central issuer.

pub mod login;
pub mod password;
pub mod rate_limit;
