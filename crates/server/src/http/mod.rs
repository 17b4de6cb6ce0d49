//! The shell around every contract: connections, problem documents, headers, metrics and the documentation pages.
//! Nothing in here knows what an order is.

mod compress;
pub mod docs;
mod fault_log;
mod framing;
mod histogram;
pub mod host;
pub mod listener;
pub mod metrics;
pub mod middleware;
pub mod peer;
pub mod problem;
mod problem_docs;
mod rejection;
pub mod reply;
pub mod request_id;
mod stall;
#[cfg(test)]
mod testing;
mod unread;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

/// Answers `GET /healthz`: the process runs and takes requests. Says nothing about the database.
pub async fn healthz() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], r#"{"status":"ok"}"#)
}
