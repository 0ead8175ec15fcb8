//! Cryptography: `ring` for everything but RSA, which `aws-lc-rs` does faster and can generate keys for.

pub mod jwt_provider;
pub mod random;
pub mod rsa;
