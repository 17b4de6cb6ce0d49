//! Requests in the tongue of each contract, and the commands that they stand for.

use axum::http::Method;
use domain::{
    Action, AdjustStock, AllocateAt, ChangeOrder, CreateProduct, Customs, DeleteProduct, Goal, OrderId,
    OrderLine, PlaceOrder, PlacingCustoms, PlacingTerms, ProductId, RestoreProduct, Status, StockChange,
    StockLine, ToggleProduct, UpdateProduct, UserId,
};
use serde_json::{Map, Value, json};

use super::steps::{Contract, Edit, Step, What, Who};
use crate::any::Any;

/// A request that can be sent, also a second time.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) contract: Contract,
    pub(super) who: Who,
    /// With the numbers of products and orders.
    pub(super) what: What,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<String>,
}

/// An amount of minor units as the façades write it: the shortest decimal.
pub(super) fn major(minor: i64, digits: u32) -> String {
    let width = usize::try_from(digits).unwrap() + 1;
    let text = format!("{minor:0>width$}");
    let (whole, rest) = text.split_at(text.len() + 1 - width);
    let rest = rest.trim_end_matches('0');
    if rest.is_empty() { whole.to_owned() } else { format!("{whole}.{rest}") }
}

pub(super) fn money(minor: i64, digits: u32) -> Value {
    serde_json::from_str(&major(minor, digits)).unwrap()
}

/// Puts numbers in the place of positions.
pub(super) fn resolved(what: &What, newest_product: i64, newest_order: i64) -> What {
    let product = |back: i64| (newest_product + 1 - back).max(1);
    let order = |back: i64| (newest_order + 1 - back).max(1);
    match what.clone() {
        What::Edit { product: back, edit } => What::Edit { product: product(back), edit },
        What::Toggle(back) => What::Toggle(product(back)),
        What::Delete(back) => What::Delete(product(back)),
        What::Restore(back) => What::Restore(product(back)),
        What::Increment(back, pieces) => What::Increment(product(back), pieces),
        What::Decrement(back, pieces) => What::Decrement(product(back), pieces),
        What::Count(back, pieces) => What::Count(product(back), pieces),
        What::Place { lines, owner, late, start } => {
            let lines = lines.into_iter().map(|(back, quantity)| (product(back), quantity)).collect();
            What::Place { lines, owner, late, start }
        }
        What::Act(action, back) => What::Act(action, order(back)),
        What::ReadProduct(back) => What::ReadProduct(product(back)),
        What::ReadOrder(back) => What::ReadOrder(order(back)),
        other => other,
    }
}

impl Ask {
    /// The request of a step whose numbers have been resolved.
    pub(super) fn new(step: &Step, what: What, digits: u32) -> Self {
        let contract = step.contract;
        let (method, path) = address(contract, &what, step.verb);
        let slash = step.slash && contract != Contract::Canonical;
        let path = match path.strip_suffix('/') {
            Some(bare) if slash => bare.to_owned(),
            None if slash => format!("{path}/"),
            _ => path,
        };
        let body = body(contract, &what, digits).map(|body| body.to_string());
        let path = format!("{}{path}", contract.prefix());
        Self { contract, who: step.who, what, method, path, body }
    }
}

/// Method and path below the contract's prefix.
fn address(contract: Contract, what: &What, verb: usize) -> (Method, String) {
    use Contract as C;
    let stocks = if contract == C::Orderflow { "/stocks" } else { "/products" };
    match (contract, what) {
        (C::Leafcraft, What::Create { .. }) => (Method::POST, "/products/".to_owned()),
        (_, What::Create { .. }) => (Method::POST, stocks.to_owned()),
        (_, What::Edit { product, .. }) => (Method::PATCH, format!("{stocks}/{product}")),
        (C::Orderflow, What::Toggle(id)) => (Method::PATCH, format!("/stocks/{id}/toggle-active")),
        (_, What::Toggle(id)) => (Method::POST, format!("/products/{id}/toggle-active")),
        (_, What::Delete(id)) => (Method::DELETE, format!("/products/{id}")),
        (_, What::Restore(id)) => (Method::POST, format!("/products/{id}/restore")),
        (C::Inventory, What::Increment(id, _)) => (Method::PATCH, format!("/products/increment/{id}")),
        (C::Inventory, What::Decrement(id, _)) => (Method::PATCH, format!("/products/decrement/{id}")),
        (_, What::Increment(id, _)) => (Method::POST, format!("/products/{id}/stock/increment")),
        (_, What::Decrement(id, _)) => (Method::POST, format!("/products/{id}/stock/decrement")),
        (_, What::Count(id, _)) => (Method::POST, format!("/products/{id}/stock/set")),
        (C::Leafcraft, What::Place { .. }) => (Method::POST, "/orders/create_order".to_owned()),
        (_, What::Place { .. }) => (Method::POST, "/orders".to_owned()),
        (C::Canonical, What::Act(action, id)) => (Method::POST, format!("/orders/{id}/{}", action.word())),
        (C::Leafcraft, What::Act(action, id)) => {
            let method = [Method::PATCH, Method::PUT, Method::POST][verb].clone();
            (method, format!("/orders/{id}/{}", action.word()))
        }
        (_, What::Act(action, id)) => (Method::PATCH, format!("/orders/{id}/{}", action.word())),
        (_, What::ReadProduct(id)) => (Method::GET, format!("{stocks}/{id}")),
        (_, What::ReadOrder(id)) => (Method::GET, format!("/orders/{id}")),
        (_, What::ListProducts | What::ListLow | What::ListOrders | What::Again(_)) => {
            panic!("{what:?} is several requests")
        }
    }
}

fn body(contract: Contract, what: &What, digits: u32) -> Option<Value> {
    use Contract as C;
    let items = |lines: &[(i64, i64)]| -> Value {
        lines.iter().map(|(id, quantity)| json!({"product_id": id, "quantity": quantity})).collect()
    };
    Some(match what {
        What::Create { name, price, stock, low, active, auto } => match contract {
            C::Canonical => json!({
                "name": name, "price_cents": price, "stock_quantity": stock, "low_stock_threshold": low,
                "is_active": active, "auto_deactivate": auto,
            }),
            C::Orderflow => json!({
                "stock_name": name, "stock_price": money(*price, digits), "stock_quantity": stock,
                "is_active": active,
            }),
            C::MiniOrder => json!({"name": name, "price": money(*price, digits), "stock_quantity": stock}),
            C::Leafcraft => {
                json!({"id": 7, "name": name, "stock_quantity": stock, "price": money(*price, digits)})
            }
            C::Inventory => json!({
                "name": name, "description": "ripe", "stock_quantity": stock, "low_stock_threshold": low,
            }),
        },
        What::Edit { edit, .. } => edited(contract, edit, digits),
        What::Increment(_, pieces) | What::Decrement(_, pieces) => match contract {
            C::Inventory => json!({"change": pieces}),
            _ => json!({"quantity": pieces}),
        },
        What::Count(_, pieces) => json!({"on_hand": pieces}),
        What::Place { lines, owner, late, start } => match contract {
            C::Canonical => {
                let late = late.map(|late| if late { "confirmation" } else { "creation" });
                json!({
                    "items": items(lines), "user_id": owner.map(Who::id), "allocate_at": late, "status": start,
                })
            }
            C::Orderflow => json!({"stock_id": lines[0].0, "quantity": lines[0].1}),
            _ => json!({"items": items(lines)}),
        },
        _ => return None,
    })
}

fn edited(contract: Contract, edit: &Edit, digits: u32) -> Value {
    let Edit { name, price, stock, low, active } = edit;
    let names = match contract {
        Contract::Orderflow => ["stock_name", "stock_price", "stock_quantity", "", "is_active"],
        Contract::MiniOrder => ["name", "price", "stock_quantity", "", "is_active"],
        Contract::Inventory => ["name", "", "stock_quantity", "low_stock_threshold", ""],
        _ => ["name", "price_cents", "", "low_stock_threshold", "is_active"],
    };
    let canonical = contract == Contract::Canonical;
    let amount = |price: i64| if canonical { json!(price) } else { money(price, digits) };
    let values = [
        name.map(|name| json!(name)),
        price.map(amount),
        stock.map(|stock| json!(stock)),
        low.map(|low| json!(low)),
        active.map(|active| json!(active)),
    ];
    let mut body = Map::new();
    for (name, value) in names.into_iter().zip(values) {
        if let Some(value) = value.filter(|_| !name.is_empty()) {
            body.insert(name.to_owned(), value);
        }
    }
    Value::Object(body)
}

/// What a request asks of the shop, if it asks for a change. `usual` is when the shop's own orders take their stock.
pub(super) fn command(contract: Contract, what: &What, usual: AllocateAt) -> Option<Any> {
    use Contract as C;
    let if_version = None;
    let line = |id: &i64, change: StockChange| StockLine {
        product_id: ProductId(*id),
        change,
        reason: None,
        note: None,
    };
    let adjust = |id: &i64, change: StockChange| Any::from(AdjustStock { lines: vec![line(id, change)] });
    Some(match what {
        What::Create { name, price, stock, low, active, auto } => {
            created(contract, (name, *price, *stock), (*low, *active, *auto))
        }
        What::Edit { product, edit } => {
            let no_price = contract == C::Inventory;
            let has_low = [C::Canonical, C::Inventory].contains(&contract);
            UpdateProduct {
                name: edit.name.map(str::to_owned),
                price_cents: edit.price.filter(|_| !no_price),
                // What reaches nothing in orderflow is inactive from then on.
                is_active: match edit.stock {
                    Some(0) if contract == C::Orderflow => Some(false),
                    _ => edit.active.filter(|_| !no_price),
                },
                low_stock_threshold: edit.low.filter(|_| has_low),
                available: edit.stock.filter(|_| contract != C::Canonical),
                ..UpdateProduct::nothing(ProductId(*product))
            }
            .into()
        }
        What::Toggle(id) => ToggleProduct { product_id: ProductId(*id), if_version }.into(),
        What::Delete(id) => DeleteProduct { product_id: ProductId(*id), if_version }.into(),
        What::Restore(id) => RestoreProduct { product_id: ProductId(*id), if_version }.into(),
        What::Increment(id, pieces) => adjust(id, StockChange::Increment(*pieces)),
        What::Decrement(id, pieces) => adjust(id, StockChange::Decrement(*pieces)),
        What::Count(id, pieces) => adjust(id, StockChange::Set { on_hand: *pieces, expected: None }),
        What::Place { lines, owner, late, start } => {
            let line =
                |(id, quantity): &(i64, i64)| OrderLine { product_id: ProductId(*id), quantity: *quantity };
            let allocate_at = match (contract, late) {
                (C::Leafcraft, _) | (C::Canonical, Some(true)) => AllocateAt::Confirmation,
                (C::Canonical, None) => usual,
                _ => AllocateAt::Creation,
            };
            PlaceOrder {
                user_id: owner.map(|owner| UserId(owner.id())),
                lines: lines.iter().map(line).collect(),
                allocate_at,
                status: Status::from_word(start)?,
                customs: PlacingCustoms {
                    hides_archived: contract != C::Canonical,
                    deactivates_sold_out: contract == C::Orderflow,
                },
                terms: PlacingTerms::default(),
            }
            .into()
        }
        What::Act(action, id) => changed(contract, *action, *id, usual),
        _ => return None,
    })
}

fn created(
    contract: Contract,
    (name, price, stock): (&str, i64, i64),
    (low, active, auto): (i64, bool, bool),
) -> Any {
    use Contract as C;
    let canonical = contract == C::Canonical;
    CreateProduct {
        sku: None,
        name: name.to_owned(),
        description: if contract == C::Inventory { "ripe" } else { "" }.to_owned(),
        price_cents: if contract == C::Inventory { 0 } else { price },
        is_active: active || ![C::Canonical, C::Orderflow].contains(&contract),
        low_stock_threshold: if [C::Canonical, C::Inventory].contains(&contract) { low } else { 0 },
        auto_deactivate: (canonical && auto) || contract == C::Orderflow,
        opening_stock: stock,
        unique_name: contract == C::Leafcraft,
    }
    .into()
}

fn changed(contract: Contract, action: Action, id: i64, usual: AllocateAt) -> Any {
    let customs = Customs {
        owner_confirms: contract == Contract::Leafcraft && usual == AllocateAt::Creation,
        admits_foreign: contract == Contract::MiniOrder,
    };
    ChangeOrder { order_id: OrderId(id), goal: Goal::Act(action), if_version: None, customs }.into()
}
