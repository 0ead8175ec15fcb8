//! The movie demo, driven as its users would: a real nginx with the configuration of `deploy/nginx`, a real `usher`
//! process, and the movie service.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "what cannot go on fails the test"
)]

mod client;
mod forgery;
#[path = "../support/installed.rs"]
mod installed;
mod outage;
mod relay;
mod stand;
mod story;
