//! Who may become the first administrator of a shop.
//!
//! Somebody who sits at the machine on which it was just set up, or who holds the code that the server printed there. A
//! proxy on the same machine looks like the former, and so does a page that a browser there shows: hence nothing may speak
//! for somebody else, and the server must be asked for by its address or as localhost. Whether there is an administrator
//! already is for the command to say.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use domain::Founding;

use super::source::Source;
use crate::app::{App, Failure};
use crate::auth::setup;
use crate::clock;
use crate::http::host::names_this_machine;
use crate::http::problem::Problem;

/// For so long after its first start the shop belongs to whoever sits at the machine.
const FIRST_HOUR_US: i64 = 60 * 60 * 1_000_000;

/// What the caller has shown of being the one who sets the shop up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Founder {
    shown: Founding,
}

impl Founder {
    /// All that was shown, with the code that came in the body, if one did.
    ///
    /// # Errors
    /// 403 when that is not the code.
    pub fn with(self, app: &App, code: Option<&str>) -> Result<Founding, Problem> {
        code.map_or(Ok(self.shown), |code| by_code(app, code))
    }
}

impl FromRequestParts<App> for Founder {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if let Some(header) = parts.headers.get(setup::HEADER) {
            let shown = by_code(app, header.to_str().unwrap_or_default())?;
            return Ok(Self { shown });
        }
        let source = Source::of(parts, &app.settings().trusted_proxies);
        let is_here = source.direct && source.address.is_loopback() && names_this_machine(&parts.headers);
        let shown = if is_here && is_new(app).await? { Founding::FirstAccount } else { Founding::Nothing };
        Ok(Self { shown })
    }
}

fn by_code(app: &App, given: &str) -> Result<Founding, Problem> {
    let is_right = app.setup_code().is_some_and(|code| code.is(given));
    if is_right { Ok(Founding::Code) } else { Err(Problem::wrong_setup_code()) }
}

/// Whether the shop was started for the first time less than an hour ago. If the clock was set back since, nobody knows.
async fn is_new(app: &App) -> Result<bool, Problem> {
    let Some(begun_us) = app.reads().begun_us().await.map_err(Failure::from)? else { return Ok(false) };
    Ok((0..FIRST_HOUR_US).contains(&clock::now_us().saturating_sub(begun_us)))
}
