//! What the crate does, beside another implementation of it, and beside every order that threads could do it in.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "what cannot go on fails the test"
)]

mod interleavings;
mod reference;
