//! Pages of lists: `limit` and an opaque `cursor` in, items and `next_cursor` out.

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use serde::{Deserialize, Serialize};
use shared::encoding::{base64url, base64url_decode};
use shared::limits;
use shared::problem::FieldError;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::respond::ApiError;
use crate::service::ServiceError;
use crate::store::{Page, PageRequest};

/// The query of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// At most so many items, 1 to 100; 20 if absent.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

impl PageQuery {
    fn read(&self) -> Result<PageRequest, ServiceError> {
        let mut errors = Vec::new();
        let limit = match self.limit.as_deref().map(read_limit) {
            None => limits::PAGE_ITEMS_DEFAULT,
            Some(Some(limit)) => limit,
            Some(None) => {
                let message = format!("a whole number from 1 to {} is expected", limits::PAGE_ITEMS_MAX);
                errors.push(FieldError {
                    field: "limit".into(),
                    code: "out_of_range",
                    message,
                });
                0
            }
        };
        let before = self.cursor.as_deref().map(read_cursor);
        if before == Some(None) {
            let message = "take the `next_cursor` of the page before".into();
            errors.push(FieldError {
                field: "cursor".into(),
                code: "invalid",
                message,
            });
        }
        if errors.is_empty() {
            Ok(PageRequest {
                limit,
                before: before.flatten(),
            })
        } else {
            Err(ServiceError::Invalid(errors))
        }
    }
}

fn read_limit(limit: &str) -> Option<u32> {
    // `parse` would take a sign.
    let digits = limit.bytes().all(|byte| byte.is_ascii_digit());
    let limit = limit.parse().ok().filter(|_| digits)?;
    (1..=limits::PAGE_ITEMS_MAX).contains(&limit).then_some(limit)
}

fn read_cursor(cursor: &str) -> Option<Uuid> {
    Uuid::from_slice(&base64url_decode(cursor.as_bytes())?).ok()
}

/// The `cursor` of the page behind an item.
pub(crate) fn cursor(id: Uuid) -> String {
    base64url(id.as_bytes())
}

/// Which page a request asks for.
pub(crate) struct Paging(pub(crate) PageRequest);

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(query) = query::<PageQuery, S>(parts, state).await?;
        Ok(Self(query.read()?))
    }
}

/// Reads a query of texts. One that cannot be read (bytes that are no UTF-8, a name twice) is a 422.
pub(super) async fn query<T, S>(parts: &mut Parts, state: &S) -> Result<Query<T>, ApiError>
where
    T: serde::de::DeserializeOwned,
    S: Send + Sync,
{
    Query::<T>::from_request_parts(parts, state)
        .await
        .map_err(|_| ServiceError::field("query", "invalid", "the query cannot be read").into())
}

/// A page of a list, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct PageBody<T> {
    /// The items.
    items: Vec<T>,
    /// The `cursor` of the next page, or null.
    next_cursor: Option<String>,
}

impl<T> PageBody<T> {
    pub(super) fn of<R>(page: Page<R>, item: impl Fn(R) -> T) -> Self {
        Self {
            items: page.items.into_iter().map(item).collect(),
            next_cursor: page.next.map(cursor),
        }
    }
}
