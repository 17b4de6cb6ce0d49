//! What callers were told, held against what is found in the shop afterwards.
//!
//! Every order carries a mark of its own: its quantity of the first product, which no other order has. So an order can
//! be recognised although its caller never learned its number.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A command that was sent.
#[derive(Debug, Clone)]
pub(crate) enum Ask {
    /// Place an order of these products and quantities. The first quantity is the mark.
    Place(Vec<(i64, i64)>),
    /// Confirm the order with this mark and number.
    Confirm(i64, i64),
    /// Cancel the order with this mark and number.
    Cancel(i64, i64),
    /// Take in so many pieces of a product.
    Increment(i64, i64),
    /// Take out so many pieces of a product.
    Decrement(i64, i64),
}

impl Ask {
    /// The request that asks for it: path and body.
    pub(crate) fn request(&self) -> (String, Option<Value>) {
        let stock = |id, verb, quantity| {
            (format!("/api/v1/products/{id}/stock/{verb}"), Some(json!({"quantity": quantity})))
        };
        match self {
            Self::Place(lines) => {
                let item = |(id, quantity): &(i64, i64)| json!({"product_id": id, "quantity": quantity});
                let items: Vec<Value> = lines.iter().map(item).collect();
                ("/api/v1/orders".to_owned(), Some(json!({"items": items})))
            }
            Self::Confirm(_, id) => (format!("/api/v1/orders/{id}/confirm"), None),
            Self::Cancel(_, id) => (format!("/api/v1/orders/{id}/cancel"), None),
            Self::Increment(id, quantity) => stock(*id, "increment", quantity),
            Self::Decrement(id, quantity) => stock(*id, "decrement", quantity),
        }
    }
}

/// A command with its key, and the answer if there was one.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) key: String,
    pub(crate) ask: Ask,
    /// The body of the answer that it was carried out.
    pub(crate) done: Option<Value>,
}

/// An order as the shop lists it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FoundOrder {
    pub(crate) id: i64,
    pub(crate) status: String,
    pub(crate) lines: Vec<(i64, i64)>,
}

impl FoundOrder {
    /// Reads an order of the API.
    pub(crate) fn read(order: &Value) -> Self {
        let number = |value: &Value| value.as_i64().unwrap();
        let line = |item: &Value| (number(&item["product_id"]), number(&item["quantity"]));
        Self {
            id: number(&order["order_id"]),
            status: order["status"].as_str().unwrap().to_owned(),
            lines: order["items"].as_array().unwrap().iter().map(line).collect(),
        }
    }
}

/// The state of the shop.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Found {
    pub(crate) orders: Vec<FoundOrder>,
    /// Pieces on hand and allocated, by product.
    pub(crate) stock: BTreeMap<i64, (i64, i64)>,
}

/// Every way in which the shop is not as it must be after these commands; `opening` is on hand of each product before
/// all of them. A command without an answer may have been carried out once or not at all.
pub(crate) fn audit(history: &[Sent], found: &Found, opening: i64) -> Vec<String> {
    let mut findings = Vec::new();
    let mut by_mark: BTreeMap<i64, Vec<&FoundOrder>> = BTreeMap::new();
    for order in &found.orders {
        by_mark.entry(order.lines.first().map_or(0, |line| line.1)).or_default().push(order);
    }
    let mut ids: Vec<i64> = found.orders.iter().map(|order| order.id).collect();
    ids.sort_unstable();
    ids.windows(2).filter(|pair| pair[0] == pair[1]).for_each(|pair| {
        findings.push(format!("order number {} was given twice", pair[0]));
    });
    let mut changes: BTreeMap<i64, Vec<&Sent>> = BTreeMap::new();
    for sent in history {
        if let Ask::Confirm(mark, _) | Ask::Cancel(mark, _) = sent.ask {
            changes.entry(mark).or_default().push(sent);
        }
    }
    for Sent { ask, done, .. } in history {
        let Ask::Place(lines) = ask else { continue };
        let mark = lines[0].1;
        match (by_mark.remove(&mark).as_deref(), done) {
            (None, None) => {}
            (None, Some(_)) => findings.push(format!("the order marked {mark} was answered and is lost")),
            (Some([order]), _) => {
                let changes = changes.get(&mark).map_or(&[][..], Vec::as_slice);
                audit_order(changes, order, lines, done.as_ref(), &mut findings);
            }
            (Some(orders), _) => {
                let ids: Vec<i64> = orders.iter().map(|order| order.id).collect();
                findings.push(format!("the order marked {mark} exists {} times: {ids:?}", ids.len()));
            }
        }
    }
    for (mark, orders) in by_mark {
        findings.push(format!("nobody asked for the order marked {mark}: {orders:?}"));
    }
    if history.iter().all(|sent| sent.done.is_some()) {
        audit_stock(history, found, opening, &mut findings);
    }
    findings
}

/// One order; `changes` are the commands that were about it.
fn audit_order(
    changes: &[&Sent],
    order: &FoundOrder,
    lines: &[(i64, i64)],
    done: Option<&Value>,
    findings: &mut Vec<String>,
) {
    let mark = lines[0].1;
    if order.lines != lines {
        findings.push(format!("the order marked {mark} has {:?} instead of {lines:?}", order.lines));
    }
    if done.is_some_and(|answer| answer["order_id"] != order.id) {
        findings.push(format!("the order marked {mark} was answered with another number than {}", order.id));
    }
    let mut possible = vec!["pending"];
    for sent in changes {
        let status = if matches!(sent.ask, Ask::Confirm(..)) { "confirmed" } else { "cancelled" };
        if sent.done.is_some() {
            possible.clear();
        }
        possible.push(status);
    }
    if !possible.contains(&order.status.as_str()) {
        findings.push(format!("the order marked {mark} is {} instead of {possible:?}", order.status));
    }
}

/// Compares the levels, when everything was answered.
fn audit_stock(history: &[Sent], found: &Found, opening: i64, findings: &mut Vec<String>) {
    for (&product, &(on_hand, allocated)) in &found.stock {
        let moved: i64 = history.iter().fold(0, |sum, sent| match sent.ask {
            Ask::Increment(id, quantity) if id == product => sum + quantity,
            Ask::Decrement(id, quantity) if id == product => sum - quantity,
            _ => sum,
        });
        if on_hand != opening + moved {
            findings.push(format!("product {product} has {on_hand} on hand instead of {}", opening + moved));
        }
        let live = found.orders.iter().filter(|order| order.status != "cancelled");
        let held = live.flat_map(|order| &order.lines).filter(|line| line.0 == product);
        let held: i64 = held.map(|line| line.1).sum();
        if allocated != held {
            findings.push(format!("product {product} has {allocated} allocated instead of {held}"));
        }
    }
}

/// A checker that finds nothing proves nothing unless it finds what is there.
mod tests {
    use super::*;

    fn sent(ask: Ask, done: Option<Value>) -> Sent {
        Sent { key: "key".to_owned(), ask, done }
    }

    fn found(id: i64, status: &str, lines: &[(i64, i64)]) -> FoundOrder {
        FoundOrder { id, status: status.to_owned(), lines: lines.to_vec() }
    }

    /// Two orders, the second confirmed, five pieces of product 2 taken in.
    fn right() -> (Vec<Sent>, Found) {
        let history = vec![
            sent(Ask::Place(vec![(1, 101), (2, 3)]), Some(json!({"order_id": 1}))),
            sent(Ask::Place(vec![(1, 102)]), Some(json!({"order_id": 2}))),
            sent(Ask::Confirm(102, 2), Some(json!({}))),
            sent(Ask::Increment(2, 5), Some(json!({}))),
        ];
        let orders = vec![found(1, "pending", &[(1, 101), (2, 3)]), found(2, "confirmed", &[(1, 102)])];
        let stock = BTreeMap::from([(1, (1000, 203)), (2, (1005, 3))]);
        (history, Found { orders, stock })
    }

    #[track_caller]
    fn reports(history: &[Sent], found: &Found, words: &str) {
        let findings = audit(history, found, 1000);
        assert!(findings.iter().any(|finding| finding.contains(words)), "{words:?} not in {findings:?}");
    }

    #[test]
    fn what_is_right_is_not_reported() {
        let (mut history, mut shop) = right();
        assert_eq!(audit(&history, &shop, 1000), Vec::<String>::new());
        // Without its answer an order may be there or not, and its status may have changed or not.
        history[1].done = None;
        history[2].done = None;
        assert_eq!(audit(&history, &shop, 1000), Vec::<String>::new());
        shop.orders[1].status = "pending".to_owned();
        assert_eq!(audit(&history, &shop, 1000), Vec::<String>::new());
        shop.orders.pop();
        assert_eq!(audit(&history, &shop, 1000), Vec::<String>::new());
    }

    #[test]
    fn what_is_wrong_is_reported() {
        let wrong = |change: fn(&mut Found), words: &str| {
            let (history, mut shop) = right();
            change(&mut shop);
            reports(&history, &shop, words);
        };
        wrong(|shop| shop.orders.truncate(0), "marked 101 was answered and is lost");
        wrong(|shop| shop.orders.push(found(3, "pending", &[(1, 101), (2, 3)])), "marked 101 exists 2 times");
        wrong(|shop| shop.orders[0].lines.truncate(1), "marked 101 has [(1, 101)] instead of");
        wrong(|shop| shop.orders[0].lines[1].1 = 2, "marked 101 has [(1, 101), (2, 2)] instead of");
        wrong(|shop| shop.orders[0].id = 7, "marked 101 was answered with another number than 7");
        wrong(|shop| shop.orders[0].id = 2, "order number 2 was given twice");
        wrong(|shop| shop.orders[1].status = "pending".to_owned(), "marked 102 is pending instead of");
        wrong(
            |shop| shop.orders.push(found(3, "pending", &[(1, 999)])),
            "nobody asked for the order marked 999",
        );
        wrong(
            |shop| *shop.stock.get_mut(&2).unwrap() = (1010, 3),
            "product 2 has 1010 on hand instead of 1005",
        );
        wrong(
            |shop| *shop.stock.get_mut(&2).unwrap() = (1000, 3),
            "product 2 has 1000 on hand instead of 1005",
        );
        wrong(
            |shop| *shop.stock.get_mut(&1).unwrap() = (1000, 202),
            "product 1 has 202 allocated instead of 203",
        );
    }
}
