//! The issuer's keys: what signs access tokens, what derives refresh tokens, and how they are kept.

mod client_secret;
mod feed_key;
mod key_file;
mod keyring;
mod keys;
mod mint;
mod operate;
mod refresh_token;
mod rotation;
mod seal;
mod server_secret;

pub use client_secret::ClientSecret;
pub use feed_key::load_or_create_feed_key;
pub use key_file::KeyFile;
pub use keyring::{Keyring, KeyringError};
pub use keys::SigningKeys;
pub use mint::AccessGrant;
pub use operate::{OperateError, Revoked, Rewrapped, Rotated, list_keys, rewrap};
pub use refresh_token::{RefreshSecret, RefreshToken};
pub use rotation::KeyPolicy;
pub use seal::{SealError, SealingKey};
pub use server_secret::load_or_create_secret;
