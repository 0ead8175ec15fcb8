//! The issuer held to its HTTP contract, on both databases.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends there"
)]

#[path = "../support/harness.rs"]
mod support;

mod account;
mod sweep;
mod tokens;
