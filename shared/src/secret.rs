//! Secrets that cannot be printed: wiped when dropped, and shown as `[REDACTED]` by `Debug`.
//!
//! Read one with `ExposeSecret::expose_secret`, as late and as briefly as possible.

pub use secrecy::{ExposeSecret, SecretBox, SecretSlice, SecretString};
