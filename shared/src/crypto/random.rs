//! Randomness from the system's secure generator.

use ring::rand::{SecureRandom, SystemRandom};

/// `N` random bytes.
///
/// Where the system has no randomness to give, nothing of ours may go on: the process ends.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if SystemRandom::new().fill(&mut bytes).is_err() {
        tracing::error!("the system's random generator failed");
        std::process::abort();
    }
    bytes
}
