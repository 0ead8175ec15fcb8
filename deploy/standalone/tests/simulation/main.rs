//! The revocation feed, model-checked small: the relay and the reader that the programs run, against models of the
//! database and of Redis, under seeded schedules of faults. Time is simulated, and every step is decided by the seed, so that a
//! seed reproduces a failure:
//!
//! ```text
//! USHER_SIMULATION_SEED=17 cargo test -p usher --test simulation -- --nocapture
//! ```
//!
//! `USHER_SIMULATION_SEEDS` sets how many are tried.

#[cfg(test)]
mod checker;
#[cfg(test)]
mod database;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod labels;
#[cfg(test)]
mod log;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod schedule;
#[cfg(test)]
mod world;
