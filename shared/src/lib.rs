//! What issuer and verifier must agree on: tokens, keys, revocations and their feed, canonical paths, HTTP and
//! TLS plumbing. Nothing here knows a database or a private key.

pub mod admin;
pub mod cli;
pub mod config;
pub mod core_dumps;
pub mod credentials;
pub mod crypto;
pub mod encoding;
pub mod feed;
pub mod host;
pub mod id;
pub mod keys;
pub mod label;
pub mod limits;
pub mod path;
pub mod problem;
pub mod reason;
pub mod redis;
pub mod revocation;
pub mod role;
pub mod secret;
pub mod serve;
pub mod strict_json;
pub mod telemetry;
pub mod time;
pub mod token;

#[cfg(feature = "testkit")]
pub mod testkit;
