//! The issuer held to its HTTP contract, on both databases.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends there"
)]

#[path = "../support/harness.rs"]
mod support;

mod account;
mod audit;
mod bad_input;
mod change;
mod cookies;
mod discovery;
mod introspection;
mod labels;
mod limits;
mod machines;
mod oauth;
mod portal;
mod power;
mod redis_user;
mod registration;
mod revocation;
mod roles;
mod sessions;
mod shape;
mod sweep;
mod tokens;
mod web;
