//! The verifier as its callers meet it: over real sockets, with real keys, files and feeds, the time in the test's hand.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod access;
mod attacks;
mod browsers;
mod calls;
mod explaining;
mod feed_keys;
mod feed_on_redis;
mod films;
mod foreign;
mod freshness;
mod key_fetching;
mod original_request;
mod program;
mod reload;
mod revoking;
mod robustness;
mod rules;
mod shadow;
mod snapshot;
mod support;
