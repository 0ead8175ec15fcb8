//! What the service answers.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde_json::json;

use crate::film::{Access, Film, FilmId, Films};
use crate::viewer::Viewer;

/// The service: `GET /api/v1/films` and `GET /api/v1/films/{film_id}`.
pub fn router(films: Films) -> Router {
    Router::new()
        .route("/api/v1/films", get(list))
        .route("/api/v1/films/", get(list))
        .route("/api/v1/films/{film_id}", get(one))
        .route("/api/v1/films/{film_id}/", get(one))
        .fallback(async || not_found("there is nothing here; try /api/v1/films"))
        .with_state(Arc::new(films))
}

#[derive(Serialize)]
struct FilmList<'a> {
    viewer: Viewer,
    films: Vec<Entry<'a>>,
}

/// A film in the list: enough to choose one.
#[derive(Serialize)]
struct Entry<'a> {
    id: &'a FilmId,
    title: &'a str,
    year: u16,
    access: Access,
}

#[derive(Serialize)]
struct OneFilm<'a> {
    viewer: Viewer,
    film: &'a Film,
}

async fn list(State(films): State<Arc<Films>>, viewer: Viewer) -> Response {
    let films = films
        .iter()
        .map(|film| Entry {
            id: &film.id,
            title: &film.title,
            year: film.year,
            access: film.access,
        })
        .collect();
    Json(FilmList { viewer, films }).into_response()
}

async fn one(State(films): State<Arc<Films>>, viewer: Viewer, Path(id): Path<String>) -> Response {
    match films.find(&id) {
        Some(film) => Json(OneFilm { viewer, film }).into_response(),
        None => not_found("there is no film of this id; ids are UUIDs in lower case with hyphens"),
    }
}

fn not_found(detail: &str) -> Response {
    let problem =
        json!({"type": "/problems/not-found", "title": "Not found", "status": 404, "detail": detail});
    (
        StatusCode::NOT_FOUND,
        [(CONTENT_TYPE, "application/problem+json")],
        problem.to_string(),
    )
        .into_response()
}

#[cfg(test)]
mod tests;
