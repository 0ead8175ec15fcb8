//! How the verifiers are.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::http::{Api, ApiError};
use crate::portal::page::{Frame, show as show_page};
use crate::portal::visit::Member;
use crate::verifiers::{Health, Seen};

#[derive(Template)]
#[template(path = "verifiers.html")]
struct Page {
    frame: Frame,
    verifiers: Vec<Row>,
}

struct Row {
    address: String,
    health: Option<Health>,
}

impl From<Seen> for Row {
    fn from(seen: Seen) -> Self {
        Self {
            address: seen.address,
            health: seen.health,
        }
    }
}

impl Row {
    /// The replica's age in seconds.
    fn age(health: &Health) -> Option<String> {
        let age = health.replica_age?;
        Some(format!("{}.{} s", age.as_secs(), age.subsec_millis() / 100))
    }

    /// Lookups of a hundred that found the token in the cache.
    fn hit_rate(health: &Health) -> Option<String> {
        let per_mille = health.cache_hits_per_mille()?;
        Some(format!("{}.{} %", per_mille / 10, per_mille % 10))
    }

    /// Whether the replica may be decided by.
    fn is_fresh(health: &Health) -> bool {
        health.state.as_deref() == Some("fresh")
    }
}

/// All of them, as they are now.
pub(in crate::portal) async fn show(State(api): State<Api>, member: Member) -> Result<Response, ApiError> {
    let seen = api.service.verifier_health(&member.caller).await?;
    let page = Page {
        frame: Frame::for_member(&member),
        verifiers: seen.into_iter().map(Row::from).collect(),
    };
    show_page(StatusCode::OK, &page)
}
