//! What the verifier answers over HTTP: an endpoint for each family of proxies.
//!
//! ```text
//! router ─► original (the headers of that family alone) ─► pipeline ─► respond (rendered beforehand)
//! ```

pub mod original;
pub mod redirect;
pub mod respond;
pub mod router;
pub mod verify;

pub use router::Endpoint;
pub use verify::{Authz, Context};
