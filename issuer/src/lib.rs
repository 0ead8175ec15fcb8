//! The central issuer.

pub mod login;
pub mod password;
