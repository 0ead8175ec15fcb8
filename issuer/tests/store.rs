//! The store and the use cases on SQLite and on PostgreSQL.

#![expect(unreachable_pub, reason = "nothing outside reaches into a test")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::unchecked_time_subtraction,
    reason = "what is not as a test expects fails it"
)]

#[path = "store/change.rs"]
mod change;
#[path = "store/conformance.rs"]
mod conformance;
#[path = "store/database.rs"]
mod database;
#[path = "store/facts.rs"]
mod facts;
#[path = "store/overlap.rs"]
mod overlap;
#[path = "store/refresh.rs"]
mod refresh;
#[path = "store/relay.rs"]
mod relay;
#[path = "store/superusers.rs"]
mod superusers;
#[path = "store/world.rs"]
mod world;
