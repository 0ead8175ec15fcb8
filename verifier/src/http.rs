//! What the verifier answers over HTTP and gRPC: an endpoint for each family of proxies.
//!
//! ```text
//! router ─► original (the headers of that family alone) ─► pipeline ─► respond (rendered beforehand)
//!      └──► grpc (the original request in a message)  ────────┘   └──► grpc (the same in a message)
//! ```

pub mod admin;
mod body;
pub mod explain;
pub mod grpc;
pub mod original;
pub mod redirect;
pub mod respond;
pub mod router;
pub mod verify;

pub use router::Endpoint;
pub use verify::{Authz, Context};
