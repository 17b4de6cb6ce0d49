//! The headers of requests, as the OpenAPI document tells of them. They are read by [`crate::request`].

use utoipa::IntoParams;

/// Of every POST and PATCH.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what request::Write reads")]
pub(super) struct IdempotencyKeyHeader {
    /// Repeating the request with the same key answers as the first time and changes nothing further, for 24 hours.
    #[param(
        rename = "Idempotency-Key",
        nullable = false,
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]+$",
        example = "0a4b7c1e-8d0f-4a55-9a53-2f1de7c3c9b0"
    )]
    idempotency_key: Option<String>,
}

/// Of what changes a thing with a version.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what request::Write reads")]
pub(super) struct IfMatchHeader {
    /// Refuse unless this is still the `ETag`; `*` for any. Of a product only the part before the dot counts, so that
    /// an order does not get in the way of an editor.
    #[param(rename = "If-Match", nullable = false, example = "\"7\"")]
    if_match: Option<String>,
}

/// Of what shows one thing.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what request::if_none_match reads")]
pub(super) struct IfNoneMatchHeader {
    /// Answer 304 without a body if this is still the `ETag`.
    #[param(rename = "If-None-Match", nullable = false, example = "\"7.3\"")]
    if_none_match: Option<String>,
}
