//! How each contract shows what the model knows. Times stand as `"T"`.

use domain::AllocateAt;
use serde_json::{Map, Value, json};

use super::asks::money;
use super::model::{Deal, Good, Model};
use super::steps::Contract;

/// What all contracts print in the same way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Print<'a> {
    pub(super) currency: &'a str,
    pub(super) digits: u32,
}

/// Which parts of a product `mini-order` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Depth {
    Made,
    Changed,
    Listed,
}

impl Print<'_> {
    pub(super) fn product(self, contract: Contract, model: &Model, id: i64, depth: Depth) -> Value {
        let good = &model.goods[&id];
        let price = money(good.price, self.digits);
        let [name, description] = &good.texts;
        match contract {
            Contract::Canonical => self.canonical_product(good, id, model.held(id)),
            Contract::Orderflow => json!({
                "stock_id": id, "stock_name": name, "stock_price": price, "stock_quantity": good.shelf,
                "is_active": good.active,
            }),
            Contract::MiniOrder => {
                let mut body = Map::from_iter([
                    ("id".to_owned(), json!(id)),
                    ("name".to_owned(), json!(name)),
                    ("price".to_owned(), price),
                ]);
                if depth >= Depth::Changed {
                    body.insert("stock_quantity".to_owned(), json!(good.shelf));
                    body.insert("is_active".to_owned(), json!(good.active));
                }
                if depth == Depth::Listed {
                    body.insert("created_at".to_owned(), json!("T"));
                }
                Value::Object(body)
            }
            Contract::Leafcraft => {
                json!({"id": id, "name": name, "stock_quantity": good.shelf, "price": price})
            }
            Contract::Inventory => json!({
                "id": id, "name": name, "description": description, "stock_quantity": good.shelf,
                "low_stock_threshold": good.low,
            }),
        }
    }

    fn canonical_product(self, good: &Good, id: i64, held: i64) -> Value {
        json!({
            "id": id, "sku": good.sku, "name": good.texts[0], "description": good.texts[1],
            "price_cents": good.price, "currency": self.currency, "is_active": good.active,
            "archived_at": good.archived.then_some("T"), "low_stock_threshold": good.low,
            "is_low_stock": good.shelf <= good.low, "auto_deactivate": good.auto, "on_hand": good.shelf + held,
            "allocated": held, "available": good.shelf, "version": good.version, "created_at": "T",
            "updated_at": "T",
        })
    }

    /// An order; of several lines `orderflow` shows the first.
    pub(super) fn order(self, contract: Contract, model: &Model, id: i64) -> Value {
        let deal = &model.deals[&id];
        match contract {
            Contract::Canonical => self.canonical_order(model, deal, id),
            Contract::Orderflow => lines(deal, id).swap_remove(0),
            Contract::MiniOrder => {
                let items = deal.wants.iter().zip(&deal.frozen).map(|((product, quantity), (_, price))| {
                    json!({
                        "product_id": product, "quantity": quantity,
                        "price_at_purchase": money(*price, self.digits),
                    })
                });
                json!({
                    "id": id, "customer_id": deal.owner, "status": deal.word.to_uppercase(),
                    "total_amount": money(deal.amount, self.digits), "created_at": "T",
                    "items": items.collect::<Vec<_>>(),
                })
            }
            Contract::Leafcraft => {
                let item =
                    |(product, quantity): &(i64, i64)| json!({"product_id": product, "quantity": quantity});
                let status = match deal.word {
                    "pending" => "Pending",
                    "confirmed" => "Confirmed",
                    "paid" => "Paid",
                    "shipped" => "Shipped",
                    "delivered" => "Delivered",
                    _ => "Cancelled",
                };
                json!({
                    "id": id, "items": deal.wants.iter().map(item).collect::<Vec<_>>(),
                    "total_amount": money(deal.amount, self.digits), "status": status,
                })
            }
            Contract::Inventory => panic!("inventory has no orders"),
        }
    }

    fn canonical_order(self, model: &Model, deal: &Deal, id: i64) -> Value {
        let before: usize = model.deals.range(..id).map(|(_, deal)| deal.wants.len()).sum();
        let held = |id: i64| deal.holds.iter().find(|hold| hold.0 == id).map_or(0, |hold| hold.1);
        let items = deal.wants.iter().zip(&deal.frozen).zip(before + 1..);
        let items = items.map(|(((product, quantity), (name, price)), id)| {
            json!({
                "id": id, "product_id": product, "quantity": quantity,
                "price_cents_at_purchase": price, "product_name": name, "allocated": held(*product),
            })
        });
        let items: Vec<_> = items.collect();
        let state = match deal.word {
            "pending" | "cancelled" => deal.word,
            "delivered" if deal.paid => "completed",
            _ => "confirmed",
        };
        let fulfilment = match deal.word {
            "shipped" | "delivered" => deal.word,
            _ => "unfulfilled",
        };
        let late = if deal.late { AllocateAt::Confirmation } else { AllocateAt::Creation };
        let person = deal.owner.map(|id| &model.people.0[usize::try_from(id - 1).unwrap()]);
        json!({
            "order_id": id, "user_id": deal.owner,
            "user_name": person.map(|person| person.full_name.as_ref().unwrap_or(&person.name)),
            "status": deal.word, "state": state, "payment": if deal.paid { "paid" } else { "unpaid" },
            "fulfilment": fulfilment, "allocate_at": late.word(), "created_at": "T",
            "updated_at": (deal.version > 1).then_some("T"), "version": deal.version,
            "currency": self.currency, "items": items, "total_amount_cents": deal.amount,
            "total_quantity": deal.wants.iter().map(|want| want.1).sum::<i64>(),
        })
    }
}

/// An order as `orderflow` lists it: once per line.
pub(super) fn lines(deal: &Deal, id: i64) -> Vec<Value> {
    let line = |(product, quantity): &(i64, i64)| {
        json!({
            "order_id": id, "stock_id": product, "quantity": quantity, "status": deal.word, "created_at": "T",
        })
    };
    deal.wants.iter().map(line).collect()
}

/// Puts `"T"` in the place of each time.
pub(super) fn timeless(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(timeless),
        Value::Object(members) => {
            for (name, member) in members {
                let time = member.as_str().filter(|text| text.len() >= 20 && text.ends_with('Z'));
                if name.ends_with("_at") && time.is_some() {
                    *member = json!("T");
                } else {
                    timeless(member);
                }
            }
        }
        _ => {}
    }
}
