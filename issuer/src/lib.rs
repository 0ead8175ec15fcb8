//! The central issuer.

pub mod login;
