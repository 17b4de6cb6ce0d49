//! The login of the façades that had one: a form or JSON in, a bearer token out.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::tokens::TokenKind;
use crate::http::problem::Problem;
use crate::http::reply::Reply;
use crate::http::request_id::RequestId;
use crate::request::{Attempted, Source, issue_token, log_in};

/// Name and password.
#[derive(Deserialize, ToSchema)]
pub(super) struct Credentials {
    /// The user name or the e-mail address.
    #[schema(example = "admin1")]
    username: String,
    #[schema(format = Password, example = "1234")]
    password: String,
}

/// A token for every contract.
#[derive(Serialize, ToSchema)]
pub(super) struct Token {
    #[schema(example = "eyJhbGciOiJIUzI1NiJ9.eyJ0eXAiOiJhY2Nlc3MifQ.c2lnbmF0dXJl")]
    access_token: String,
    #[schema(example = "bearer")]
    token_type: &'static str,
}

/// Answers with a token; with `refused` for a name that nobody has and a wrong password alike.
pub(super) async fn token(
    app: &App,
    source: Source,
    request_id: &RequestId,
    credentials: &Credentials,
    refused: &'static str,
) -> Result<Reply, Problem> {
    let attempted = Attempted { name: &credentials.username, source };
    let user = log_in(app, attempted, &credentials.password, request_id).await.map_err(|problem| {
        if problem.status() == StatusCode::UNAUTHORIZED { problem.say(refused) } else { problem }
    })?;
    let access_token = issue_token(app, TokenKind::Access, user.id, user.token_generation)?;
    Ok(Reply::ok(&Token { access_token, token_type: "bearer" }))
}
