//! The pages in a real browser: every one of them, by keyboard, without scripts, for everybody.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on ends there"
)]

mod driver;
mod keyboard;
mod pages;
mod plain;

#[path = "../support/harness.rs"]
mod support;

use std::net::TcpListener;

use support::{Database, Site};

/// An issuer that a browser can reach by its own name for itself, and that name.
async fn site() -> (Site, String) {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{port}");
    // Whoever listens there is no verifier, and is shown as one that does not answer.
    let settings =
        format!("public_url = {url:?}\nlisten = \"127.0.0.1:{port}\"\nportal.verifiers = [{url:?}]");
    (Site::start_with(Database::Sqlite, &settings).await, url)
}
