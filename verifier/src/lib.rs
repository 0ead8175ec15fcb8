//! The edge token verifier: a reverse proxy asks it about each request, and it answers from memory.

pub mod cache;
pub mod keys;
pub mod pipeline;
pub mod policy;
pub mod revocation;
