//! Faults, against real processes: three verifiers, two issuers, PostgreSQL, Redis, and wires between them that break.
//!
//! `cargo test -p usher --test faults -- --nocapture` prints a line for each fault: what was seen of it from outside. With
//! `USHER_FAULTS_REVOCATIONS` the storm takes so many revocations, with `USHER_FAULTS_SEED` it takes the same faults
//! again.

#[cfg(test)]
mod audit;
#[cfg(test)]
mod drill;
#[cfg(test)]
mod history;
#[cfg(test)]
#[path = "../support/installed.rs"]
mod installed;
#[cfg(test)]
mod issuer_faults;
#[cfg(test)]
mod key_faults;
#[cfg(test)]
mod load;
#[cfg(test)]
mod poller;
#[cfg(test)]
mod postgres_faults;
#[cfg(test)]
mod redis_faults;
#[cfg(test)]
mod report;
#[cfg(test)]
mod rolling;
#[cfg(test)]
mod rolling_verifiers;
#[cfg(test)]
mod soak;
#[cfg(test)]
mod stored_feed;
#[cfg(test)]
mod storm;
#[cfg(test)]
mod tampering;
#[cfg(test)]
mod verifier_faults;
#[cfg(test)]
mod world;
