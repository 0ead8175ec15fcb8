//! A small movie service, as it may stand behind a proxy that asks the verifier about each request.
//!
//! It knows nothing of tokens. Who is calling it learns from the identity headers, which the proxy sets from the
//! verifier's answer and takes from nobody else; so it must be reachable through the proxy alone.

mod api;
pub mod etl;
mod film;
mod viewer;

pub use api::router;
pub use film::{Access, Film, FilmId, Films, FilmsError};
