//! One generated shop with its server, and what in it is worth asking for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use super::super::http::Client;
use super::super::server::{Launch, Server};
use super::super::text;
use crate::Failure;

/// How large a shop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) products: u64,
    pub(super) users: u64,
    pub(super) orders: u64,
}

impl Size {
    /// The products and users of a shop with so many orders.
    pub(super) fn of(orders: u64) -> Self {
        Self { orders, products: (orders / 10).clamp(10, 100_000), users: (orders / 5).clamp(10, 200_000) }
    }
}

/// A shop that is being served.
pub(super) struct Shop {
    pub(super) size: Size,
    pub(super) server: Server,
    /// Of an administrator, and of a customer.
    pub(super) admin: String,
    pub(super) alice: String,
    /// Products with most and with fewest orders, and the customer with most.
    pub(super) popular: u64,
    pub(super) rare: u64,
    pub(super) busiest: u64,
    /// Orders a second that were generated.
    pub(super) rate: f64,
    /// Days (`2026-01-31`) at a third and in the middle of the history.
    pub(super) days: [String; 2],
}

impl Shop {
    /// Generates a shop below this directory and serves it.
    pub(super) fn open(binary: &Path, directory: &Path, size: Size) -> Result<Self, Failure> {
        let directory: PathBuf = directory.join(size.orders.to_string());
        fs::create_dir_all(&directory)
            .map_err(|error| format!("cannot create {}: {error}", directory.display()))?;
        let launch = Launch { binary, directory: &directory, database: None, options: &[] };
        let said = generate(&launch, size)?;
        let file = launch.data().join("demo-password");
        let password =
            fs::read_to_string(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        let server = launch.start()?;
        let log_in = |username: &str| {
            let body = json!({ "username": username, "password": password.trim() });
            text(&server.client().post("/api/v1/auth/login", &body)?, "access_token")
        };
        let (admin, alice) = (log_in("admin")?, log_in("alice")?);
        let client = Client { token: Some(admin.clone()), ..server.client() };
        let days = [size.orders / 3, size.orders / 2].map(|nth| day_of(&client, nth.max(1)));
        let [first, middle] = days;
        let number = |what: &str| figure(&said, what).ok_or_else(|| format!("no '{what}' in:\n{said}"));
        Ok(Self {
            popular: number("popular product")?,
            rare: number("rare product")?,
            busiest: number("busiest user")?,
            rate: number("orders")? as f64,
            days: [first?, middle?],
            size,
            server,
            admin,
            alice,
        })
    }

    /// The `cursor` parameter of the page behind so many rows of a list.
    pub(super) fn cursor_behind(&self, path: &str, rows: u64) -> Result<String, Failure> {
        let client = Client { token: Some(self.admin.clone()), ..self.server.client() };
        let separator = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{separator}limit=1&offset={}", rows.saturating_sub(1));
        let page = get(&client, &path)?;
        Ok(format!("cursor={}", text(&page, "next_cursor")?))
    }
}

/// Has the shop made, and answers with what was said about it.
fn generate(launch: &Launch<'_>, size: Size) -> Result<String, Failure> {
    let mut command = launch.command("generate");
    let Size { products, users, orders } = size;
    for (flag, number) in [("--products", products), ("--users", users), ("--orders", orders)] {
        command.arg(flag).arg(number.to_string());
    }
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start {}: {error}", launch.binary.display()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    print!("{said}");
    if output.status.success() { Ok(said) } else { Err("stockroom generate failed".to_owned()) }
}

/// The first number in the line that begins so.
fn figure(said: &str, what: &str) -> Option<u64> {
    let rest = said.lines().find_map(|line| line.trim().strip_prefix(what))?;
    let word = rest.split_whitespace().next()?;
    word.trim_end_matches(',').parse().ok()
}

fn get(client: &Client, path: &str) -> Result<Value, Failure> {
    let answer = client.call("GET", path, None)?;
    if answer.status == 200 {
        Ok(answer.body)
    } else {
        Err(format!("GET {path} answered {}: {}", answer.status, answer.body))
    }
}

/// The day on which an order was placed.
fn day_of(client: &Client, order: u64) -> Result<String, Failure> {
    let time = text(&get(client, &format!("/api/v1/orders/{order}"))?, "created_at")?;
    time.get(..10).map(str::to_owned).ok_or_else(|| format!("order {order} was placed at {time}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_what_is_said() {
        let said = "made 1,000 products, 2,000 users and 10,000 orders in 1.0 s, by seed 1\n  \
                    orders         21034 a second, in 0.5 s\n  popular product 7, with 1,234 orders\n";
        assert_eq!(figure(said, "orders"), Some(21_034));
        assert_eq!(figure(said, "popular product"), Some(7));
        assert_eq!(figure(said, "rare product"), None);
    }

    #[test]
    fn products_and_users_follow_the_orders_up_to_a_point() {
        assert_eq!(Size::of(10_000), Size { products: 1_000, users: 2_000, orders: 10_000 });
        assert_eq!(Size::of(5_000_000), Size { products: 100_000, users: 200_000, orders: 5_000_000 });
        assert_eq!(Size::of(1), Size { products: 10, users: 10, orders: 1 });
    }
}
