//! Values that must not be shown: the secret that signs tokens, and the passwords inside database URLs.

use std::fmt;
use std::path::Path;

use super::Config;

/// Most bytes of a file that is taken for a secret.
const MAX_SECRET_FILE_BYTES: u64 = 4096;

/// The secret that signs tokens. Prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// Takes the text without the white space around it.
    pub(super) fn read(raw: &str) -> Result<Self, String> {
        let secret = raw.trim();
        server::auth::secret::Secret::from_text(secret).map_err(|error| error.to_string())?;
        Ok(Self(secret.to_owned()))
    }

    /// The secret itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(***)")
    }
}

/// Reads `secret_file` into `secret`. The file must exist: making up a secret where one was promised would log
/// everybody out at the next start.
pub(super) fn read_file(config: &mut Config, complaints: &mut Vec<String>) {
    // Two secrets are refused by a rule of their own.
    let (Some(path), false) = (config.secret_file.clone(), config.is_given("secret")) else { return };
    let place = format!("{}: secret_file = {:?}", config.origin("secret_file"), path.display().to_string());
    match read_small_file(&path).and_then(|text| Secret::read(&text)) {
        Ok(secret) => config.secret = Some(secret),
        Err(hint) => complaints.push(format!("{place}: {hint}")),
    }
    if is_open_to_others(&path) {
        config
            .warnings
            .push(format!("{place}: others may read this file; chmod 600 keeps the secret a secret"));
    }
}

fn read_small_file(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?.len();
    if size > MAX_SECRET_FILE_BYTES {
        return Err(format!(
            "holds more than {MAX_SECRET_FILE_BYTES} bytes; write the path of a file with one line of text"
        ));
    }
    std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o044 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_path: &Path) -> bool {
    false
}

/// Where the database is. Prints without the password.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The file `stockroom.sqlite` in the directory.
    pub(super) fn in_directory(directory: &Path) -> Self {
        Self(format!("sqlite:{}", directory.join("stockroom.sqlite").display()))
    }

    /// Takes a URL of one of the databases that the program speaks to.
    pub(crate) fn read(raw: &str) -> Result<Self, String> {
        let hint = "write sqlite:PATH, postgres://USER:PASSWORD@HOST/NAME or mysql://USER:PASSWORD@HOST/NAME";
        let (scheme, rest) = raw.split_once(':').ok_or(hint)?;
        let valid = match scheme {
            "sqlite" => !rest.trim_start_matches('/').is_empty(),
            "postgres" | "postgresql" | "mysql" | "mariadb" => {
                // A host or a socket, then the name of the database.
                let place = rest.strip_prefix("//").and_then(|rest| rest.split('?').next());
                place.and_then(|place| place.rsplit_once('/')).is_some_and(|(host, name)| {
                    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
                    !host.is_empty() && !name.is_empty()
                })
            }
            _ => false,
        };
        // A path may hold spaces; a host and its password may not, or they would end up in the wrong field.
        if valid && (scheme == "sqlite" || !raw.contains(char::is_whitespace)) {
            Ok(Self(raw.to_owned()))
        } else {
            Err(hint.to_owned())
        }
    }

    /// The URL with its password.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// The file of the embedded database; `None` for databases on a network.
    pub(crate) fn file(&self) -> Option<&Path> {
        let path = self.0.strip_prefix("sqlite:")?;
        Some(Path::new(path.strip_prefix("//").unwrap_or(path)))
    }

    /// Where a database on a network is, whoever comes and by whatever means: kind, hosts, name and schema.
    pub(crate) fn place(&self) -> (&'static str, &str, Vec<&str>) {
        let (scheme, rest) = self.0.split_once("://").unwrap_or_default();
        let kind = if scheme.starts_with("postgres") { "postgres" } else { "mysql" };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
        // Without the schema, two shops in one database would look like one.
        let within = |parameter: &&str| parameter.starts_with("schema=") || parameter.starts_with("options=");
        (kind, place, query.split('&').filter(within).collect())
    }

    /// Whether this is the embedded database.
    pub(super) fn is_sqlite(&self) -> bool {
        self.file().is_some()
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_sqlite() { out.write_str(&self.0) } else { out.write_str(&without_password(&self.0)) }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "DatabaseUrl({self})")
    }
}

/// Replaces what may be a password by `***`: all between the first colon and the last `@` before the host, and the
/// query parameters that carry one. Passwords may hold characters that should have been percent-encoded, so this
/// rather hides too much.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "***".to_owned() };
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    if query.is_some_and(|query| query.contains('@')) {
        // The question mark may be part of a password.
        return format!("{scheme}://***");
    }
    let place = match place.rsplit_once('@') {
        Some((user_info, host)) => match user_info.split_once(':') {
            Some((user, _)) => format!("{user}:***@{host}"),
            None => place.to_owned(),
        },
        None => place.to_owned(),
    };
    let Some(query) = query else { return format!("{scheme}://{place}") };
    let parameters = query.split('&').map(|parameter| match parameter.split_once('=') {
        Some((name, _)) if is_secret_name(name) => format!("{name}=***"),
        _ => parameter.to_owned(),
    });
    format!("{scheme}://{place}?{}", parameters.collect::<Vec<_>>().join("&"))
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["pass", "secret", "key", "token"].iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::{DatabaseUrl, Secret, without_password};

    #[test]
    fn passwords_in_urls_are_hidden() {
        for (url, shown) in [
            ("postgres://shop:hush@host/db", "postgres://shop:***@host/db"),
            ("postgres://shop@host/db", "postgres://shop@host/db"),
            ("postgres://host:5432/db", "postgres://host:5432/db"),
            ("postgres://shop:hu@sh/:x@host/db", "postgres://shop:***@host/db"),
            ("mysql://shop:@host/db?ssl=true", "mysql://shop:***@host/db?ssl=true"),
            ("postgres://shop@host/db?password=hush&a=b", "postgres://shop@host/db?password=***&a=b"),
            ("postgres://shop@host/db?sslpassword=hush", "postgres://shop@host/db?sslpassword=***"),
            ("postgres://host/db?a=b&password=hu@sh", "postgres://***"),
            ("postgres://shop:hu?sh@host/db", "postgres://***"),
        ] {
            assert_eq!(without_password(url), shown);
            assert_eq!(format!("{:?}", DatabaseUrl(url.to_owned())), format!("DatabaseUrl({shown})"));
        }
    }

    #[test]
    fn database_urls() {
        for right in [
            "sqlite:shop.sqlite",
            "sqlite:///var/my shop.db",
            "postgresql://h/db",
            "mariadb://u:p@h:3306/db?x=y",
        ] {
            assert_eq!(DatabaseUrl::read(right).map(|url| url.expose().to_owned()), Ok(right.to_owned()));
        }
        for wrong in [
            "",
            "shop.sqlite",
            "sqlite:",
            "sqlite://",
            "postgres:db",
            "postgres://h",
            "postgres://u:p@/db",
            "mysql://h/",
            "oracle://h/db",
        ] {
            assert!(DatabaseUrl::read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn short_secrets_are_refused() {
        assert!(Secret::read("0123456789").unwrap_err().contains("32"));
        let secret = Secret::read("0123456789abcdefghijklmnopqrstuv\n").unwrap();
        assert_eq!(secret.expose().len(), 32);
        assert_eq!(format!("{secret} {secret:?}"), "*** Secret(***)");
    }
}
