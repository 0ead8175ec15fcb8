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

mod audit;
mod change;
mod clients;
mod conformance;
mod database;
mod facts;
mod feed;
mod feed_labels;
mod feed_overlap;
mod feed_restore;
mod history;
mod keys;
mod listener;
mod overlap;
mod refresh;
mod relay;
mod service_change;
mod superusers;
mod users;
mod world;
