//! The style sheet and the script: in the program, under names that change with what is in them.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use ring::digest;
use shared::encoding::base64url;

use crate::http::ApiError;
use crate::service::ServiceError;

/// Where they are.
const FOLDER: &str = "/account/assets/";

/// Characters of a digest that stand in a name: 96 bits.
const DIGEST_CHARACTERS: usize = 16;

/// The style sheet.
static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(include_str!("../../assets/portal.css"), "text/css", "css"));

/// The script. Everything works without it.
static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(include_str!("../../assets/portal.js"), "text/javascript", "js"));

/// The icon.
static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(include_str!("../../assets/icon.svg"), "image/svg+xml", "svg"));

/// Where they are, for a page to name.
#[derive(Debug)]
pub(super) struct Assets {
    pub(super) style: &'static str,
    pub(super) script: &'static str,
    pub(super) icon: &'static str,
}

impl Default for Assets {
    fn default() -> Self {
        Self {
            style: &STYLE.path,
            script: &SCRIPT.path,
            icon: &ICON.path,
        }
    }
}

/// A file of the pages.
#[derive(Debug)]
struct Asset {
    content: &'static str,
    media_type: &'static str,
    path: String,
}

impl Asset {
    fn new(content: &'static str, media_type: &'static str, extension: &str) -> Self {
        let digest = base64url(digest::digest(&digest::SHA256, content.as_bytes()).as_ref());
        let digest: String = digest.chars().take(DIGEST_CHARACTERS).collect();
        Self {
            content,
            media_type,
            path: format!("{FOLDER}{digest}.{extension}"),
        }
    }
}

/// One of them.
pub(super) async fn file(Path(name): Path<String>) -> Result<Response, ApiError> {
    let assets = [&STYLE, &SCRIPT, &ICON];
    let named = |asset: &&&LazyLock<Asset>| asset.path.strip_prefix(FOLDER) == Some(name.as_str());
    let asset = assets.iter().find(named).ok_or(ServiceError::NotFound)?;
    let mut response = (StatusCode::OK, asset.content).into_response();
    let headers = response.headers_mut();
    let media_type = format!("{}; charset=utf-8", asset.media_type);
    if let Ok(media_type) = HeaderValue::from_str(&media_type) {
        headers.insert(CONTENT_TYPE, media_type);
    }
    // What the name says can never be anything else.
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    headers.insert(CACHE_CONTROL, forever);
    Ok(response)
}
