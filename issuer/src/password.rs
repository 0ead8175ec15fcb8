//! Passwords: what may be one, and their hashing beside the runtime.

mod common;
mod hash;
mod policy;
mod pool;
mod stored;

pub use hash::{HashFailure, HashParams};
pub use policy::{PASSWORD_CHARACTERS_MAX, Password, PasswordPolicy, PasswordRefused};
pub use pool::{Checked, HashingPool, PoolCounts, PoolError, PoolSettings, StartError, Wrong};
pub use stored::HashRefused;
