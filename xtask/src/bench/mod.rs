//! stub
use std::process::ExitCode;
pub(crate) fn run(_args: &[String]) -> Result<ExitCode, crate::Failure> {
    Err(String::new())
}
