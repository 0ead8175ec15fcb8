//! The edge token verifier: a reverse proxy asks it about each request, and it answers from memory.

pub mod app;
pub mod cache;
pub mod http;
pub mod keys;
pub mod metrics;
pub mod pipeline;
pub mod policy;
pub mod revocation;
pub mod settings;
pub mod snapshot;
