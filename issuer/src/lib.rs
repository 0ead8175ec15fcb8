//! The central issuer.

pub mod client_address;
pub mod device;
pub mod login;
pub mod password;
pub mod rate_limit;
