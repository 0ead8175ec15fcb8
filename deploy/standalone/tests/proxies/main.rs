//! Every proxy for real: nginx, `HAProxy`, Caddy, Traefik and Envoy (asking over HTTP, and over gRPC) with the very
//! configurations of `deploy/`, before a real verifier and a service that tells what it saw.
//!
//! What is tested of one is tested of all: alike is what matters. A front end that is not installed is skipped aloud; with
//! `CI` set it has to be there.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what cannot go on fails the test"
)]

mod browsers;
mod client;
mod echo;
mod films;
mod front_end;
#[path = "../support/installed.rs"]
mod installed;
mod outage;
#[path = "../faults/world/process.rs"]
mod process;
mod reload;
mod spoofing;
mod stand;
mod standard_endpoints;
mod table;
