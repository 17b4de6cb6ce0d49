//! What several settings must be together.

use domain::Role;

use super::Config;

/// Judges the whole. A rule stays silent when one of its settings was refused already: what stands in the
/// configuration is then its default and not what was meant.
pub(super) fn check(config: &Config, refused: &[&str], complaints: &mut Vec<String>) {
    for (keys, rule) in RULES {
        if keys.iter().any(|key| refused.contains(key)) {
            continue;
        }
        if let Some(hint) = rule(config) {
            let origins: Vec<String> = keys
                .iter()
                .filter(|key| config.is_given(key))
                .map(|key| config.origin(key).to_string())
                .collect();
            complaints.push(format!("{}: {hint}", origins.join(", ")));
        }
    }
}

type Rule = fn(&Config) -> Option<String>;

/// Each rule with the settings it is about.
const RULES: &[(&[&str], Rule)] = &[
    (&["anonymous_role", "listen", "allow_privileged_anonymous"], privileged_anonymous_stays_home),
    (&["allow_privileged_anonymous", "anonymous_role"], allowance_needs_a_reason),
    (&["secret", "secret_file"], one_secret),
    (&["access_token_minutes", "refresh_token_days"], refresh_tokens_live_longer),
    (&["database_wait_seconds", "request_timeout_seconds"], answers_come_before_the_timeout),
    (&["test_sync_delay_us", "database_url"], delay_needs_a_file),
];

fn is_privileged(role: Option<Role>) -> bool {
    match role {
        Some(Role::Staff | Role::Admin) => true,
        Some(Role::Customer) | None => false,
    }
}

fn privileged_anonymous_stays_home(config: &Config) -> Option<String> {
    let server = &config.server;
    let safe = server.listen.ip().to_canonical().is_loopback() || server.allow_privileged_anonymous;
    (is_privileged(server.anonymous_role) && !safe).then(|| {
        format!(
            "anonymous_role = {:?} with listen = \"{}\" makes everybody who can reach that address {}: \
             listen on 127.0.0.1, or write allow_privileged_anonymous = true if that is meant",
            server.anonymous_role.map_or("none", Role::word),
            server.listen,
            server.anonymous_role.map_or("none", Role::word),
        )
    })
}

fn allowance_needs_a_reason(config: &Config) -> Option<String> {
    let server = &config.server;
    (server.allow_privileged_anonymous && !is_privileged(server.anonymous_role)).then(|| {
        format!(
            "allow_privileged_anonymous = true has no effect with anonymous_role = {:?}: \
             write anonymous_role = staff or admin, or remove the permission",
            server.anonymous_role.map_or("none", Role::word),
        )
    })
}

fn one_secret(config: &Config) -> Option<String> {
    (config.is_given("secret") && config.is_given("secret_file"))
        .then(|| "secret and secret_file are both set: remove one of them".to_owned())
}

fn refresh_tokens_live_longer(config: &Config) -> Option<String> {
    let server = &config.server;
    (server.refresh_token_life <= server.access_token_life).then(|| {
        "a refresh token must outlive an access token: write fewer access_token_minutes or more refresh_token_days"
            .to_owned()
    })
}

fn answers_come_before_the_timeout(config: &Config) -> Option<String> {
    let is_given = config.is_given("database_wait_seconds");
    (is_given && config.server.patience >= config.server.request_timeout).then(|| {
        "a request would time out before it could be told that the database is away: \
         write fewer database_wait_seconds or more request_timeout_seconds"
            .to_owned()
    })
}

fn delay_needs_a_file(config: &Config) -> Option<String> {
    (!config.test_sync_delay.is_zero() && !config.database_url.is_sqlite()).then(|| {
        "test_sync_delay_us slows the embedded database alone: write a sqlite: URL or remove it".to_owned()
    })
}
