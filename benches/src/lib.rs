//! What the project is measured and held to. There is nothing to call here:
//!
//! - `src/main.rs` has the benches of the whole, a program;
//! - `benches/` has the micro benches, for `cargo bench`;
//! - `tests/` has what holds for the whole workspace and can be read off its sources.
