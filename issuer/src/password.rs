//! Passwords: what may be one, and their hashing beside the runtime.

mod common;
mod hash;
mod policy;
mod pool;
mod stored;

pub use hash::{HashFailure, HashParams, Verdict};
pub use policy::{PASSWORD_CHARACTERS_MAX, Password, PasswordPolicy, PasswordRefused};
pub use pool::{HashingPool, PoolCounts, PoolError, PoolSettings, StartError};
pub use stored::HashRefused;
