//! Answers in the contract's envelopes, and the bodies they answer to.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::store::Away;

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let bytes = serde_json::to_vec(body).expect("answers have string keys only");
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A request that the gateway does not fulfil, and the `error` that says why.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    error: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into() }
    }
}

impl From<Away> for Refusal {
    fn from(Away: Away) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store unavailable")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        json(self.status, &json!({ "success": false, "error": self.error }))
    }
}

/// A request's body as JSON. A type of our own, so that what is malformed or too large is refused in the contract's
/// envelope, and no content type is insisted upon.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            let status = rejection.status();
            Refusal::new(status, format!("the body could not be read: {}", rejection.body_text()))
        })?;
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|e| Refusal::new(StatusCode::BAD_REQUEST, format!("the body is not what this call takes: {e}")))
    }
}

/// The workspace that the request speaks for.
pub(crate) struct WorkspaceId(pub(crate) Arc<str>);

impl<S: Send + Sync> FromRequestParts<S> for WorkspaceId {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let header = parts.headers.get("x-workspace-id").and_then(|value| value.to_str().ok());
        match header {
            Some(id) if !id.is_empty() => Ok(Self(id.into())),
            _ => Err(Refusal::new(StatusCode::BAD_REQUEST, "the header X-Workspace-ID is missing")),
        }
    }
}
