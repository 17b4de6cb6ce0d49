//! Every list of every contract shows what the model knows, and all of them show the same times.

use std::collections::BTreeMap;

use domain::Role;
use serde_json::{Value, json};

use super::referee::Referee;
use super::shows::{Depth, lines, timeless};
use super::steps::{Contract, What, Who};
use super::words::role;
use crate::shop::ensure;

impl Referee<'_> {
    /// One list of one contract, to whoever may see it.
    pub(super) async fn list(&mut self, contract: Contract, who: Who, what: &What) -> Result<(), String> {
        let path = match (contract, what) {
            (Contract::Orderflow, What::ListProducts) => "/stocks",
            (Contract::Canonical, What::ListLow) => "/products/low-stock?sort=id&",
            (_, What::ListLow) => "/products/below_requirement",
            (Contract::Canonical, What::ListProducts) => "/products?",
            (Contract::Canonical, _) => "/orders?sort=id&",
            (Contract::MiniOrder | Contract::Leafcraft, What::ListProducts) => "/products/",
            (_, What::ListProducts) => "/products",
            _ => "/orders",
        };
        let rows = match contract {
            Contract::Canonical => self.by_cursor(who, path).await?,
            Contract::MiniOrder => self.by_page(who, path).await?,
            _ => {
                let answer = self.callers[who as usize].get(&format!("{}{path}", contract.prefix())).await;
                ensure!(answer.status == 200, "{contract:?} {path}: {answer:?}");
                answer.json().as_array().cloned().ok_or("no array")?
            }
        };
        self.note_times(contract, what, &rows)?;
        let mut rows = Value::Array(rows);
        timeless(&mut rows);
        let expected = Value::Array(self.expected_rows(contract, who, what));
        ensure!(
            rows == expected,
            "{contract:?} {path} to {who:?}:\n  {rows}\n  but the model says\n  {expected}"
        );
        Ok(())
    }

    /// What the model expects of a list.
    fn expected_rows(&self, contract: Contract, who: Who, what: &What) -> Vec<Value> {
        let goods = self.model.goods.iter().filter(|(_, good)| !good.archived);
        match what {
            What::ListProducts | What::ListLow => goods
                .filter(|(_, good)| !matches!(what, What::ListLow) || good.shelf <= good.low)
                .map(|(id, _)| self.print().product(contract, &self.model, *id, Depth::Listed))
                .collect(),
            _ => {
                let sees_all = match role(who, self.anonymous) {
                    Some(Role::Admin) => true,
                    Some(Role::Staff) => contract != Contract::MiniOrder,
                    _ => false,
                };
                let own = (who != Who::Stranger).then(|| who.id());
                let deals = self.model.deals.iter().filter(|(_, deal)| sees_all || deal.owner == own);
                match contract {
                    Contract::Orderflow => deals.flat_map(|(id, deal)| lines(deal, *id)).collect(),
                    _ => deals.map(|(id, _)| self.print().order(contract, &self.model, *id)).collect(),
                }
            }
        }
    }

    /// All pages of `/api/v1`, one cursor after another.
    async fn by_cursor(&self, who: Who, path: &str) -> Result<Vec<Value>, String> {
        let mut rows = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = format!("/api/v1{path}limit=100{cursor}");
            let answer = self.callers[who as usize].get(&page).await;
            ensure!(answer.status == 200, "{page}: {answer:?}");
            let body = answer.json();
            let members = ["products", "orders"].into_iter().find_map(|name| body[name].as_array());
            rows.extend(members.into_iter().flatten().cloned());
            let Some(next) = body["next_cursor"].as_str() else { return Ok(rows) };
            cursor = format!("&cursor={next}");
        }
    }

    /// All pages of `mini-order`, one number after another.
    async fn by_page(&self, who: Who, path: &str) -> Result<Vec<Value>, String> {
        let mut rows: Vec<Value> = Vec::new();
        for number in 1.. {
            let page = format!("/compat/mini-order{path}?page={number}&limit=50");
            let answer = self.callers[who as usize].get(&page).await;
            ensure!(answer.status == 200, "{page}: {answer:?}");
            let body = answer.json();
            let data = body["data"].as_array().ok_or("no data")?;
            rows.extend(data.iter().cloned());
            let total = body["pagination"]["total"].as_u64().unwrap_or(0);
            let pages = total.div_ceil(50);
            let pagination = json!({"total": total, "page": number, "limit": 50, "pages": pages});
            ensure!(body["pagination"] == pagination && body["status"] == true, "{page}: {answer:?}");
            if number >= pages {
                ensure!(rows.len() as u64 == total, "{page}: {} rows are not {answer:?}", rows.len());
                break;
            }
        }
        Ok(rows)
    }

    /// A row has one time of creation, whichever contract shows it.
    fn note_times(&mut self, contract: Contract, what: &What, rows: &[Value]) -> Result<(), String> {
        let orders = matches!(what, What::ListOrders);
        for row in rows {
            let Some(time) = row["created_at"].as_str() else { continue };
            let id = ["order_id", "id"].iter().find_map(|name| row[*name].as_i64()).unwrap_or(0);
            let known = self.times.entry((orders, id)).or_insert_with(|| time.to_owned());
            ensure!(known == time, "{contract:?}: {row}, but another contract said {known}");
        }
        Ok(())
    }

    /// Every list of every contract to everybody who may see it, and the books.
    pub(super) async fn all_lists(&mut self) -> Result<(), String> {
        for contract in Contract::ALL {
            for who in Who::ALL {
                for what in [What::ListProducts, What::ListLow, What::ListOrders] {
                    if self.has(contract, who, &what) {
                        self.list(contract, who, &what).await?;
                    }
                }
            }
        }
        self.archived().await?;
        self.by_status().await?;
        for (id, good) in &self.model.goods {
            ensure!(good.shelf >= 0, "{id}: {good:?}");
        }
        let report = self.app.store.verify().await.map_err(|error| error.to_string())?;
        ensure!(report.discrepancies.is_empty(), "{report:?}");
        Ok(())
    }

    /// Whether a contract has such a list, and lets this caller see it.
    pub(super) fn has(&self, contract: Contract, who: Who, what: &What) -> bool {
        use Contract as C;
        let has = match what {
            What::ListProducts => true,
            What::ListLow => [C::Canonical, C::Inventory].contains(&contract),
            _ => contract != C::Inventory,
        };
        let role = role(who, self.anonymous);
        let sees = match (contract, what) {
            (C::MiniOrder | C::Leafcraft, What::ListProducts) => true,
            (C::MiniOrder | C::Leafcraft, _) => who != Who::Stranger,
            (C::Canonical, What::ListLow) => role.is_some_and(|role| role != Role::Customer),
            _ => role.is_some(),
        };
        has && sees
    }

    /// Archived products have a list of their own, on `/api/v1` alone.
    async fn archived(&self) -> Result<(), String> {
        let mut rows = Value::Array(self.by_cursor(Who::Admin, "/products?archived=true&").await?);
        timeless(&mut rows);
        let archived = self.model.goods.iter().filter(|(_, good)| good.archived).map(|(id, _)| id);
        let print = |id: &i64| self.print().product(Contract::Canonical, &self.model, *id, Depth::Listed);
        let expected: Value = archived.map(print).collect();
        ensure!(rows == expected, "archived: {rows}\n  but the model says\n  {expected}");
        Ok(())
    }

    /// `mini-order` counts by status, in whatever case the word is written.
    async fn by_status(&self) -> Result<(), String> {
        let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
        for deal in self.model.deals.values() {
            *counts.entry(deal.word).or_default() += 1;
        }
        for (word, count) in counts {
            for word in [word.to_owned(), word.to_uppercase()] {
                let path = format!("/compat/mini-order/orders?status={word}&limit=1");
                let answer = self.callers[Who::Admin as usize].get(&path).await;
                let total = &answer.json()["pagination"]["total"];
                ensure!(total == count, "{path}: {answer:?}, but the model counts {count}");
            }
        }
        Ok(())
    }
}
