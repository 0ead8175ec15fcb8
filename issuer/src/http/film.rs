//! Films and the labels that they carry, one by one and all of them.

mod lines;

use std::sync::Arc;

use axum::Json as JsonBody;
use axum::body::Body;
use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use http_body_util::channel::Channel;
use serde::Serialize;
use shared::id::FilmId;
use shared::label::{LabelName, LabelNames};
use shared::limits;
use tracing::Instrument;
use utoipa::ToSchema;
use uuid::Uuid;

use self::lines::Lines;
use super::Api;
use super::body::{Fields, FromFields, Json, says};
use super::caller::{Id, SignedIn};
use super::respond::ApiError;
use super::schema::Problem;
use crate::service::{Caller, FilmLine, ImportOutcome, LineFault, Service, ServiceError};

/// The type of bodies with a film on each line.
const LINES: &str = "application/x-ndjson";

/// A film and its labels.
#[derive(Serialize, ToSchema)]
#[schema(as = FilmLabels)]
pub(super) struct FilmBody {
    /// The film.
    film_id: Uuid,
    /// Its labels, in order.
    labels: Vec<String>,
}

impl FilmBody {
    fn of(film: FilmId, labels: &LabelNames) -> Self {
        Self {
            film_id: film.0,
            labels: labels.iter().map(LabelName::to_string).collect(),
        }
    }
}

/// The labels that a film is to carry.
#[derive(ToSchema)]
#[schema(as = FilmLabelsDraft)]
pub(super) struct DraftBody {
    /// The labels, at most 16; none: the film is open to all.
    #[schema(example = json!(["subscribers"]))]
    labels: Vec<String>,
}

impl FromFields for DraftBody {
    fn from_fields(fields: &mut Fields) -> Self {
        Self {
            labels: fields.texts("labels"),
        }
    }
}

/// Give a film its labels, instead of those that it carries, for `role_editor` and superusers. In force at every edge at once.
#[utoipa::path(
    put, path = "/api/v1/film/{film_id}/label", tag = "labels", params(("film_id" = Uuid, Path)),
    request_body = DraftBody, security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 200, body = FilmBody), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem),
    )
)]
pub(super) async fn put(
    State(api): State<Api>,
    SignedIn(caller): SignedIn,
    Id(film): Id<FilmId>,
    Json(draft): Json<DraftBody>,
) -> Result<JsonBody<FilmBody>, ApiError> {
    let labels = api.service.put_film_labels(&caller, film, &draft.labels).await?;
    Ok(JsonBody(FilmBody::of(film, &labels)))
}

/// See the labels of a film. One that nobody has labelled has none.
#[utoipa::path(
    get, path = "/api/v1/film/{film_id}/label", tag = "labels", params(("film_id" = Uuid, Path)),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, body = FilmBody), (status = 401, body = Problem), (status = 404, body = Problem))
)]
pub(super) async fn see(
    State(api): State<Api>,
    _caller: SignedIn,
    Id(film): Id<FilmId>,
) -> Result<JsonBody<FilmBody>, ApiError> {
    Ok(JsonBody(FilmBody::of(
        film,
        &api.service.film_labels(film).await?,
    )))
}

/// Take every label from a film, for `role_editor` and superusers: it is open to all from now on.
#[utoipa::path(
    delete, path = "/api/v1/film/{film_id}/label", tag = "labels", params(("film_id" = Uuid, Path)),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
    )
)]
pub(super) async fn clear(
    State(api): State<Api>,
    SignedIn(caller): SignedIn,
    Id(film): Id<FilmId>,
) -> Result<StatusCode, ApiError> {
    api.service.put_film_labels(&caller, film, &[]).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What came of a bulk request.
#[derive(Serialize, ToSchema)]
#[schema(as = FilmImport)]
pub(super) struct OutcomeBody {
    /// Lines that were taken.
    accepted: u64,
    /// Lines that were not, the first 1000 of them.
    refused: Vec<RefusedBody>,
    /// How many were not.
    refused_count: u64,
}

/// A line that was not taken.
#[derive(Serialize, ToSchema)]
#[schema(as = RefusedLine)]
pub(super) struct RefusedBody {
    /// Its number, from 1.
    line: u64,
    /// Why, for a person.
    reason: String,
}

impl From<ImportOutcome> for OutcomeBody {
    fn from(outcome: ImportOutcome) -> Self {
        Self {
            accepted: outcome.accepted,
            refused_count: outcome.refused_count,
            refused: outcome
                .refused
                .into_iter()
                .map(|refused| RefusedBody {
                    line: refused.line,
                    reason: refused.fault.to_string(),
                })
                .collect(),
        }
    }
}

/// A body of lines, of which nothing has been read.
pub(super) struct LinesBody(Body);

impl FromRequest<Api> for LinesBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &Api) -> Result<Self, ApiError> {
        if !says(&request, LINES) {
            return Err(ApiError::UnsupportedMediaType(LINES));
        }
        let declared = http_body::Body::size_hint(request.body()).lower();
        if declared > u64::try_from(limits::BULK_BYTES_MAX).unwrap_or(u64::MAX) {
            return Err(ApiError::BodyTooLarge);
        }
        Ok(Self(request.into_body()))
    }
}

/// Give many films their labels, for `role_editor` and superusers: a film on each line, as
/// `{"film_id":"…","labels":["…"]}`, up to 64 MiB. Lines are taken as they come; those that cannot be are told by their
/// number, and keep no other from being taken.
#[utoipa::path(
    post, path = "/api/v1/film/label", tag = "labels",
    request_body(content = String, content_type = "application/x-ndjson"),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 200, body = OutcomeBody), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem),
    )
)]
pub(super) async fn import(
    State(api): State<Api>,
    SignedIn(caller): SignedIn,
    body: Result<LinesBody, ApiError>,
) -> Result<JsonBody<OutcomeBody>, ApiError> {
    // Whoever may not is told so, whatever was sent.
    let mut import = api.service.import_films(Some(&caller))?;
    let mut lines = Lines::of(body?.0);
    let taking = async {
        while let Some(line) = lines.next().await? {
            match line.as_deref() {
                Ok([]) => import.skip(),
                Ok(line) => import.take(FilmLine::from_json(line)).await?,
                Err(fault) => import.take(Err(LineFault::clone(fault))).await?,
            }
        }
        Ok(import.finish().await?)
    };
    let outcome: Result<ImportOutcome, ApiError> = tokio::time::timeout(limits::BULK_READ_TIMEOUT, taking)
        .await
        .unwrap_or(Err(ApiError::MalformedBody("the body took too long")));
    Ok(JsonBody(outcome?.into()))
}

/// Every film that carries labels, one on each line, for `role_editor`, `admin` and superusers.
#[utoipa::path(
    get, path = "/api/v1/film/label", tag = "labels", security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 200, body = String, content_type = "application/x-ndjson"),
        (status = 401, body = Problem), (status = 403, body = Problem),
    )
)]
pub(super) async fn export(State(api): State<Api>, SignedIn(caller): SignedIn) -> Result<Response, ApiError> {
    // The first part before the answer begins, so that what keeps it from being had can still be said.
    let first = api.service.film_page(Some(&caller), None).await?;
    let (to_client, body) = Channel::<Bytes, ServiceError>::new(2);
    let service = Arc::clone(&api.service);
    tokio::spawn(send_pages(service, caller, first, to_client).in_current_span());
    let lines = HeaderValue::from_static(LINES);
    Ok(([(CONTENT_TYPE, lines)], Body::new(body)).into_response())
}

async fn send_pages(
    service: Arc<Service>,
    caller: Caller,
    mut page: Vec<(FilmId, LabelNames)>,
    mut to_client: http_body_util::channel::Sender<Bytes, ServiceError>,
) {
    while let Some((last, _)) = page.last() {
        let last = *last;
        let mut text = Vec::new();
        for (film, labels) in &page {
            if serde_json::to_writer(&mut text, &FilmBody::of(*film, labels)).is_ok() {
                text.push(b'\n');
            }
        }
        if to_client.send_data(text.into()).await.is_err() {
            // The client has gone.
            return;
        }
        page = match service.film_page(Some(&caller), Some(last)).await {
            Ok(next) => next,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the films were not sent to the end"
                );
                // Cut off, so that nobody takes a part for the whole.
                to_client.abort(error);
                return;
            }
        };
    }
}
