//! The issuer's keys: what signs access tokens, what derives refresh tokens, and how they are kept.

mod feed_key;
mod keyring;
mod mint;
mod refresh_token;
mod seal;
mod server_secret;

pub use feed_key::load_or_create_feed_key;
pub use keyring::{Keyring, KeyringError};
pub use mint::{AccessGrant, mint};
pub use refresh_token::{RefreshSecret, RefreshToken};
pub use seal::{SealError, SealingKey};
pub use server_secret::load_or_create_secret;
