//! The headers that operations share, as the document describes them. They are read where bodies are read, and for
//! `If-None-Match` by the handler.

use utoipa::IntoParams;

/// Of every operation that changes something.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what Write reads")]
pub(super) struct IdempotencyKey {
    /// Your own name for this request: 1 to 255 visible ASCII characters. The same request with the same key within 24
    /// hours gets the first answer again, with `Idempotency-Replayed: true`, and has no further effect.
    #[param(
        rename = "Idempotency-Key",
        required = false,
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]+$"
    )]
    key: String,
}

/// Of making an account for oneself.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what Founder reads")]
pub(super) struct SetupCode {
    /// The code that the server printed when the shop was new. With it the account may be an administrator's, as long as
    /// there is none.
    #[param(
        rename = "Stockroom-Setup-Code",
        required = false,
        min_length = 1,
        max_length = 128,
        pattern = "^[!-~]+$"
    )]
    code: String,
}

/// Of the POST operations whose answers are never kept.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what Write reads")]
pub(super) struct UnusedIdempotencyKey {
    /// Accepted and checked as everywhere, but without meaning here: the answer holds secrets, which are not kept, and
    /// there is no effect that a repetition could double.
    #[param(
        rename = "Idempotency-Key",
        required = false,
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]+$"
    )]
    key: String,
}

/// Of the POST operation that makes a secret.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what Write reads")]
pub(super) struct ForgottenIdempotencyKey {
    /// Accepted and checked as everywhere, but without meaning here: the answer holds a secret, which is not kept. A
    /// repetition makes another key; revoke the one whose answer was lost.
    #[param(
        rename = "Idempotency-Key",
        required = false,
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]+$"
    )]
    key: String,
}

/// Of changes to what carries a version.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what Edit reads")]
pub(super) struct IfMatch {
    /// The `ETag` that you have seen: if it is no longer the current one, the answer is 412 and nothing is changed.
    /// `*` stands for any.
    #[param(rename = "If-Match", required = false, pattern = r#"^(\*|"[!#-~]*")$"#)]
    tag: String,
}

/// Of changes to orders, which ask for a state rather than an edit.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what Edit reads")]
pub(super) struct IfMatchOfOrder {
    /// The `ETag` that you have seen: if it is no longer the current one, the answer is 412 and nothing is changed.
    /// `*` stands for any. Where the effect already stands there is nothing to change, and the answer is 200 whatever
    /// the version, so that a repetition succeeds.
    #[param(rename = "If-Match", required = false, pattern = r#"^(\*|"[!#-~]*")$"#)]
    tag: String,
}

/// Of reads of one thing, or of a page.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what handlers read")]
pub(super) struct IfNoneMatch {
    /// The `ETag` that you already have: if it is still the current one, the answer is 304 without a body.
    #[param(rename = "If-None-Match", required = false)]
    tag: String,
}
