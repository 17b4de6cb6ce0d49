//! The server that is asked: a shop with sample data, and the accounts and the key that ask.

use std::fs;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::Failure;
use crate::bench::http::Client;
use crate::bench::server::{Launch, Server};
use crate::process::{cargo, exit_code};

/// Settings under which nothing is refused because there was too much of it, and under which the documents are exact: how
/// short a password may be is a setting.
const SETTINGS: [&str; 9] = [
    "--demo",
    "--login-attempts-per-account=0",
    "--login-attempts-per-source=0",
    "--mini-order-min-password=1",
    "--access-token-minutes=600",
    "--queue-limit=100000",
    "--max-connections=10000",
    "--request-timeout-seconds=60",
    "--log-level=error",
];

/// Long, and none of those that are tried first.
const PASSWORD: &str = "nine green bottles on a wall";

/// Somebody who calls.
pub(super) struct Caller {
    pub(super) name: &'static str,
    /// A token or a key; none for a stranger.
    pub(super) token: Option<String>,
}

/// A running server with its callers.
pub(super) struct Shop {
    server: Server,
    address: SocketAddr,
    pub(super) callers: Vec<Caller>,
    users: Vec<String>,
    key: String,
}

impl Shop {
    /// Builds the server without optimisation, which also checks its arithmetic, and fills a new shop.
    pub(super) fn open() -> Result<Self, Failure> {
        let mut build = cargo();
        build.args(["build", "--locked", "--package", "stockroom", "--bin", "stockroom"]);
        if exit_code(&mut build)? != 0 {
            return Err("the server could not be built".to_owned());
        }
        let binary = crate::bench::target().join("debug/stockroom");
        let directory = crate::root().join("target/torture/schemathesis/shop");
        fs::create_dir_all(&directory).map_err(|error| format!("no {}: {error}", directory.display()))?;
        let launch = Launch { binary: &binary, directory: &directory, database: None, options: &SETTINGS };
        let server = launch.start()?;
        let address = server.address;
        let password = fs::read_to_string(launch.data().join("demo-password"))
            .map_err(|error| format!("no password of the sample data: {error}"))?;
        let owner = Client { address, token: Some(log_in(address, "admin", password.trim())?) };
        let (mut callers, mut users) = (vec![Caller { name: "stranger", token: None }], Vec::new());
        // Accounts of their own: those of the sample data are changed by whoever may.
        for role in ["customer", "admin"] {
            let account = json!({"username": format!("torture-{role}"), "password": PASSWORD, "role": role});
            let made = owner.post("/api/v1/users", &account)?;
            users.push(made["id"].to_string());
            let token = log_in(address, &format!("torture-{role}"), PASSWORD)?;
            callers.push(Caller { name: role, token: Some(token) });
        }
        let token = callers.last().and_then(|caller| caller.token.clone());
        let wish = json!({"name": "torture", "role": "admin",
            "scopes": ["read", "orders", "stock", "catalogue", "users"]});
        let made = Client { address, token }.post("/api/v1/api-keys", &wish)?;
        callers.push(Caller { name: "key", token: Some(text(&made, "key")?) });
        Ok(Self { server, address, callers, users, key: made["id"].to_string() })
    }

    /// A path of the server.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// One of its documents.
    pub(super) fn document(&self, path: &str) -> Result<Value, Failure> {
        let answer = self.server.client().call("GET", path, None)?;
        if answer.body.is_object() { Ok(answer.body) } else { Err(format!("{path} answers no document")) }
    }

    /// The accounts and the key that callers may not change, as the hooks read them.
    pub(super) fn kept(&self) -> String {
        format!("user_id={} api_key_id={}", self.users.join(","), self.key)
    }

    /// Fails when the caller is nobody any more: what was asked then was asked as a stranger.
    pub(super) fn check(&self, caller: &Caller) -> Result<(), Failure> {
        let client = Client { address: self.address, token: caller.token.clone() };
        let answer = client.call("GET", "/api/v1/products?limit=1", None)?;
        if answer.status == if caller.token.is_some() { 200 } else { 401 } {
            Ok(())
        } else {
            Err(format!("the {} is answered {} by now", caller.name, answer.status))
        }
    }

    /// How many answers were faults of the server, as it counts them itself.
    pub(super) fn faults(&self) -> u64 {
        let text = self.server.client().text("/metrics").unwrap_or_default();
        faults(&text)
    }
}

/// The number of answers from 500 on in what `/metrics` tells. Under the settings of this shop there is no
/// reason for 503 and 504 either.
fn faults(metrics: &str) -> u64 {
    let counted = metrics.lines().filter(|line| line.starts_with("stockroom_http_requests_total{"));
    let of_500 = counted.filter(|line| {
        let status = line.split_once("status=\"").and_then(|(_, rest)| rest.get(..3));
        status.is_some_and(|status| status.starts_with('5'))
    });
    of_500.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

fn log_in(address: SocketAddr, name: &str, password: &str) -> Result<String, Failure> {
    let credentials = json!({"username": name, "password": password});
    text(&Client { address, token: None }.post("/api/v1/auth/login", &credentials)?, "access_token")
}

fn text(answer: &Value, name: &str) -> Result<String, Failure> {
    answer[name].as_str().map(str::to_owned).ok_or_else(|| format!("no {name} in {answer}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_counted_by_status() {
        let line = |status: u16, count: u32| {
            format!(
                "stockroom_http_requests_total{{method=\"GET\",route=\"/x\",status=\"{status}\"}} {count}\n"
            )
        };
        let text = format!("# HELP\n{}{}{}other 500\n", line(200, 9), line(500, 2), line(504, 1));
        assert_eq!(faults(&text), 3);
    }
}
