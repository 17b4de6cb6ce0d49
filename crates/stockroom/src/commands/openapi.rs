//! `stockroom openapi`

use crate::output;

/// Prints the OpenAPI document, which no setting changes.
pub(crate) fn run() -> anyhow::Result<()> {
    output::print(&document()?)
}

/// The document as formatted JSON, exactly as the repository's `openapi.json` holds it.
fn document() -> anyhow::Result<String> {
    Ok(server::router::openapi()?)
}
