//! Collects what each layer says about each setting, and picks the strongest.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::closest::closest;
use super::table::{SETTINGS, Setting, Shape};
use super::{dot_env, synonyms};

/// The beginning of every environment variable of the program.
const PREFIX: &str = "STOCKROOM_";
/// Read when no other file is named.
const DEFAULT_FILE: &str = "stockroom.toml";

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody said anything.
    Default,
    /// The flag without its dashes.
    Flag(&'static str),
    /// The variable.
    Environment(String),
    /// The variable, set in `.env`.
    DotEnv(String),
    /// The path of the TOML file as it was given.
    File(String),
    /// The deprecated variables that a value was put together from.
    Synonyms(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("default"),
            Self::Flag(flag) => write!(out, "--{flag}"),
            Self::Environment(name) => out.write_str(name),
            Self::DotEnv(name) => write!(out, "{name} in .env"),
            Self::File(path) => out.write_str(path),
            Self::Synonyms(names) => write!(out, "{names} (deprecated)"),
        }
    }
}

/// What one layer says about one setting.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    /// The setting.
    pub(crate) setting: &'static Setting,
    /// Its value as text; values of a list are separated by commas.
    pub(crate) raw: String,
    /// Which layer, and where in it.
    pub(crate) origin: Origin,
}

impl Given {
    /// The line that tells what is wrong with this value and what to write instead.
    pub(super) fn complaint(&self, hint: &str) -> String {
        let Self { setting, raw, origin } = self;
        if setting.is_secret {
            format!("{origin}: {}: {hint}", setting.key)
        } else {
            format!("{origin}: {} = {raw:?}: {hint}", setting.key)
        }
    }
}

/// All that the configuration depends on, so that tests need not change their own process.
#[derive(Debug)]
pub(crate) struct Sources {
    /// From the command line.
    pub(crate) flags: Vec<Given>,
    /// The environment of the process.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// Where `.env` and `stockroom.toml` are looked for.
    pub(crate) directory: PathBuf,
}

impl Sources {
    /// The surroundings of this process.
    pub(crate) fn of_this_process(flags: Vec<Given>) -> anyhow::Result<Self> {
        let directory = std::env::current_dir().context("cannot tell the working directory")?;
        Ok(Self { flags, environment: std::env::vars_os().collect(), directory })
    }
}

/// The strongest word on each setting that any layer mentions.
pub(super) fn read(
    sources: &Sources,
    complaints: &mut Vec<String>,
    warnings: &mut Vec<String>,
) -> Vec<Given> {
    let environment = from_environment(&sources.environment, complaints);
    let dot_env = from_dot_env(&sources.directory.join(".env"), complaints);
    let mut strongest_first = sources.flags.clone();
    settings_of(&environment, Origin::Environment, complaints, &mut strongest_first);
    settings_of(&dot_env, Origin::DotEnv, complaints, &mut strongest_first);
    let file =
        strongest_first.iter().find(|given| given.setting.key == "config").map(|given| given.raw.clone());
    from_file(file.as_deref(), &sources.directory, complaints, &mut strongest_first);

    if !strongest_first.iter().any(|given| given.setting.key == "database_url") {
        let variables: Vec<(&str, &str)> =
            environment.iter().chain(&dot_env).map(|(name, value)| (name.as_str(), value.as_str())).collect();
        match synonyms::database_url(&variables) {
            Ok(Some((setting, raw, names))) => {
                warnings.push(format!("{names}: deprecated, set STOCKROOM_DATABASE_URL instead"));
                strongest_first.push(Given { setting, raw, origin: Origin::Synonyms(names) });
            }
            Ok(None) => {}
            Err(complaint) => complaints.push(complaint),
        }
    }
    let mut winners: Vec<Given> = Vec::new();
    for given in strongest_first {
        if !winners.iter().any(|winner| winner.setting.key == given.setting.key) {
            winners.push(given);
        }
    }
    winners
}

/// The variables whose names and values are text. An empty one counts as not set, which is how container
/// orchestrators pass on what nobody filled in.
fn from_environment(
    variables: &[(OsString, OsString)],
    complaints: &mut Vec<String>,
) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str() else { continue };
        match value.to_str() {
            Some(value) if name.starts_with(PREFIX) && is_service_link(name, value) => {}
            Some("") => {}
            Some(value) => texts.push((name.to_owned(), value.to_owned())),
            None if name.starts_with(PREFIX) => {
                complaints.push(format!("{name}: is not valid UTF-8; write plain text"));
            }
            None => {}
        }
    }
    texts.sort();
    texts
}

/// Kubernetes tells every container where the services of its namespace are, in variables that begin with the
/// service's name: a service called `stockroom` must not keep the program from starting.
fn is_service_link(name: &str, value: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    let is_address = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    rest == "SERVICE_HOST"
        || rest.starts_with("SERVICE_PORT")
        || rest == "PORT" && is_address
        || rest
            .strip_prefix("PORT_")
            .is_some_and(|port| port.starts_with(|first: char| first.is_ascii_digit()))
}

fn from_dot_env(path: &Path, complaints: &mut Vec<String>) -> Vec<(String, String)> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            complaints.push(format!(".env: cannot be read: {error}"));
            return Vec::new();
        }
    };
    let (mut variables, mistakes) = dot_env::parse(&text);
    complaints.extend(mistakes.into_iter().map(|mistake| format!(".env: {mistake}")));
    variables.retain(|(_, value)| !value.is_empty());
    variables
}

/// Adds the settings among the variables, and complains about those that look like one.
fn settings_of(
    variables: &[(String, String)],
    origin: fn(String) -> Origin,
    complaints: &mut Vec<String>,
    given: &mut Vec<Given>,
) {
    for (name, value) in variables.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        if let Some(setting) = SETTINGS.iter().find(|setting| setting.variable() == *name) {
            given.push(Given { setting, raw: value.clone(), origin: origin(name.clone()) });
        } else {
            let known = closest(name, SETTINGS.iter().map(Setting::variable));
            complaints.push(format!("{}: unknown variable: did you mean {known}?", origin(name.clone())));
        }
    }
}

fn from_file(named: Option<&str>, directory: &Path, complaints: &mut Vec<String>, given: &mut Vec<Given>) {
    let name = named.unwrap_or(DEFAULT_FILE);
    let text = match std::fs::read_to_string(directory.join(name)) {
        Ok(text) => text,
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => return complaints.push(format!("{name}: cannot be read: {error}")),
    };
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            // Not the error's own text: it quotes the line, which may hold a secret.
            let line = error
                .span()
                .map_or(1, |span| 1 + text.bytes().take(span.start).filter(|byte| *byte == b'\n').count());
            return complaints.push(format!("{name}: line {line} is not valid TOML: {}", error.message()));
        }
    };
    for (key, value) in &table {
        let known = || SETTINGS.iter().filter(|setting| setting.in_file);
        let Some(setting) = known().find(|setting| setting.key == key) else {
            complaints.push(if value.is_table() {
                format!("{name}: [{key}]: write settings at the top of the file, not in sections")
            } else {
                let meant = closest(key, known().map(|setting| setting.key.to_owned()));
                format!("{name}: unknown setting {key:?}: did you mean {meant}?")
            });
            continue;
        };
        match toml_text(setting, value) {
            Some(raw) => given.push(Given { setting, raw, origin: Origin::File(name.to_owned()) }),
            None => {
                let list = if setting.shape == Shape::List { " or an array of strings" } else { "" };
                complaints.push(format!(
                    "{name}: {}: found {}: write a string, a whole number or true/false{list}",
                    setting.key,
                    value.type_str()
                ));
            }
        }
    }
}

/// The value as the text that a flag would have; `None` for a type that no setting has.
fn toml_text(setting: &Setting, value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(switch) => Some(switch.to_string()),
        toml::Value::Array(values) if setting.shape == Shape::List => {
            values.iter().map(|value| value.as_str()).collect::<Option<Vec<_>>>().map(|texts| texts.join(","))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::is_service_link;

    #[test]
    fn addresses_of_services_are_no_settings() {
        assert!(is_service_link("STOCKROOM_SERVICE_HOST", "10.0.0.1"));
        assert!(is_service_link("STOCKROOM_SERVICE_PORT_HTTP", "80"));
        assert!(is_service_link("STOCKROOM_PORT", "tcp://10.0.0.1:80"));
        assert!(is_service_link("STOCKROOM_PORT_80_TCP_ADDR", "10.0.0.1"));
        assert!(!is_service_link("STOCKROOM_PORT", "8000"));
        assert!(!is_service_link("STOCKROOM_LISTEN", "tcp://10.0.0.1:80"));
    }
}
