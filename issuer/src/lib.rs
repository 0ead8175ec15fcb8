//! The central issuer.

pub mod client_address;
pub mod login;
pub mod password;
pub mod rate_limit;
