//! Keys, a clock to set, a forge for tokens good and bad, Redis servers and wires to break. For tests and benches only.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test that cannot make its key has nothing to go on with"
)]

mod chaos_proxy;
mod clock;
mod feed_model;
mod forge;
mod redis;
mod signal;

pub use chaos_proxy::ChaosProxy;
pub use clock::ManualClock;
pub use feed_model::{FeedModel, ModelLog};
pub use forge::{TestKey, TokenForge};
pub use redis::RedisServer;
pub use signal::signal;
