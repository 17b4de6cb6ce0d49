//! What each contract says when it refuses.

use domain::{Action, Role};
use serde_json::{Value, json};

use super::asks::Ask;
use super::model::Model;
use super::steps::{Contract, What, Who};

/// What an answer must be.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub(super) status: u16,
    pub(super) body: Body,
}

#[derive(Debug, Clone)]
pub(super) enum Body {
    /// Exactly this, apart from times.
    Json(Value),
    Nothing,
    /// Exactly `{"detail": …}` with this text, or this object.
    Detail(Value),
    /// A problem document with this code and these members.
    Problem(&'static str, Value),
    /// A list of flaws, one of which is there.
    Flaw(Value),
}

pub(super) fn said(status: u16, detail: impl Into<Value>) -> Expected {
    Expected { status, body: Body::Detail(detail.into()) }
}

pub(super) fn shown(status: u16, body: Value) -> Expected {
    Expected { status, body: Body::Json(body) }
}

fn problem(status: u16, code: &'static str) -> Expected {
    Expected { status, body: Body::Problem(code, json!({})) }
}

/// The role of a caller, if they have any.
pub(super) fn role(who: Who, anonymous: Option<Role>) -> Option<Role> {
    match who {
        Who::Stranger => anonymous,
        Who::Admin => Some(Role::Admin),
        Who::Staff => Some(Role::Staff),
        Who::Ann | Who::Bob => Some(Role::Customer),
    }
}

/// Whom a contract does not let in, whatever the rules say.
pub(super) fn turned_away(ask: &Ask, anonymous: Option<Role>) -> Option<Expected> {
    let role = role(ask.who, anonymous);
    let token = ask.who != Who::Stranger;
    let catalogue = !matches!(
        ask.what,
        What::Place { .. }
            | What::Act(..)
            | What::ReadProduct(_)
            | What::ReadOrder(_)
            | What::ListProducts
            | What::ListOrders
    );
    let verb = matches!(ask.what, What::Act(action, _) if action != Action::Cancel);
    let canonical = ask.contract == Contract::Canonical;
    match ask.contract {
        Contract::Canonical | Contract::Orderflow | Contract::Inventory => {
            let asks_staff = match ask.contract {
                Contract::Canonical => catalogue || verb,
                // What runs low is anybody's business here.
                _ => catalogue && !matches!(ask.what, What::ListLow),
            };
            match role {
                None if canonical => Some(problem(401, "UNAUTHENTICATED")),
                None => Some(said(401, "Not authenticated")),
                Some(Role::Customer) if asks_staff && canonical => Some(problem(403, "FORBIDDEN")),
                Some(Role::Customer) if asks_staff => Some(said(403, "Not enough permissions")),
                Some(_) => None,
            }
        }
        Contract::MiniOrder => {
            let only_admins = (catalogue || verb) && role != Some(Role::Admin);
            match ask.what {
                What::ListProducts => None,
                _ if !token => Some(said(401, "Not authenticated")),
                _ => only_admins.then(|| said(403, "Admin only")),
            }
        }
        Contract::Leafcraft => {
            let only_staff = catalogue && role == Some(Role::Customer);
            match ask.what {
                What::ListProducts => None,
                _ if !token => Some(said(401, "Could not validate credentials")),
                _ => only_staff.then(|| said(403, "Not enough permissions")),
            }
        }
    }
}

/// What is wrong with the request itself.
pub(super) fn flawed(ask: &Ask) -> Option<Expected> {
    use Contract as C;
    let contract = ask.contract;
    let flaw = |loc: Value| match contract {
        C::Canonical => problem(400, "VALIDATION_ERROR"),
        _ => Expected { status: 422, body: Body::Flaw(loc) },
    };
    let [name_field, stock_field] = match contract {
        C::Orderflow => ["stock_name", "stock_quantity"],
        _ => ["name", "stock_quantity"],
    };
    match &ask.what {
        What::Create { name, price, stock, .. } if contract == C::Leafcraft => {
            let text = match (name, price, stock) {
                (_, _, ..0) => "Stock Quantity cannot be negative",
                (_, 0, _) => "Price must be greater than zero",
                (&"", ..) => "Product name cannot be empty",
                _ => return None,
            };
            Some(said(400, text))
        }
        What::Create { stock: ..0, .. } => Some(flaw(json!(["body", stock_field]))),
        What::Create { name: "", .. } => Some(flaw(json!(["body", name_field]))),
        What::Edit { edit, .. } if contract != C::Canonical && edit.stock == Some(-1) => {
            Some(flaw(json!(["body", stock_field])))
        }
        What::Edit { edit, .. } if edit.name == Some("") => Some(flaw(json!(["body", name_field]))),
        What::Increment(_, ..=0) | What::Decrement(_, ..=0) if contract == C::Inventory => {
            Some(said(400, "Enter Valid (Positive) Values!"))
        }
        What::Increment(_, ..=0) | What::Decrement(_, ..=0) => Some(flaw(json!([]))),
        What::Place { lines, .. } => {
            let bad = lines.iter().position(|line| line.1 < 1);
            match bad {
                Some(_) if contract == C::Orderflow => Some(flaw(json!(["body", "quantity"]))),
                Some(at) => Some(flaw(json!(["body", "items", at, "quantity"]))),
                None if lines.is_empty() && contract == C::MiniOrder => Some(flaw(json!(["body", "items"]))),
                None => None,
            }
        }
        _ => None,
    }
}

/// What a contract makes of the model's refusal; the model is as it was, for nothing has happened.
pub(super) fn refused(ask: &Ask, code: &'static str, model: &Model) -> Expected {
    match ask.contract {
        Contract::Canonical => canonical(ask, code, model),
        Contract::Orderflow => match code {
            "PRODUCT_NOT_FOUND" | "PRODUCT_ARCHIVED" => said(404, "Stock not found"),
            "ORDER_NOT_FOUND" => said(404, "Order not found"),
            "PRODUCT_INACTIVE" => said(400, "Stock is inactive"),
            "INSUFFICIENT_STOCK" => said(400, "Insufficient stock"),
            other => panic!("orderflow has no word for {other}"),
        },
        Contract::MiniOrder => mini_order(ask, code),
        Contract::Leafcraft => leafcraft(ask, code, model),
        Contract::Inventory => match code {
            "PRODUCT_NOT_FOUND" | "PRODUCT_ARCHIVED" => said(404, "Product ID Doesn't Exist!"),
            "INSUFFICIENT_STOCK" => said(400, "Insufficient Stock!"),
            other => panic!("inventory has no word for {other}"),
        },
    }
}

fn canonical(ask: &Ask, code: &'static str, model: &Model) -> Expected {
    let status = match code {
        "VALIDATION_ERROR" => 400,
        "FORBIDDEN" => 403,
        "PRODUCT_NOT_FOUND" | "ORDER_NOT_FOUND" => 404,
        _ => 409,
    };
    let more = if code == "INSUFFICIENT_STOCK" { json!({"products": short(ask, model)}) } else { json!({}) };
    Expected { status, body: Body::Problem(code, more) }
}

/// Of what there is too little, and how much was asked for over all lines.
fn short(ask: &Ask, model: &Model) -> Value {
    let mut wants: Vec<(i64, i64)> = Vec::new();
    let lines = match &ask.what {
        What::Place { lines, .. } => lines.clone(),
        What::Decrement(id, pieces) => vec![(*id, *pieces)],
        What::Act(_, id) => model.deals[id].wants.clone(),
        other => panic!("{other:?} takes no stock"),
    };
    for (id, pieces) in lines {
        match wants.iter_mut().find(|want| want.0 == id) {
            Some(want) => want.1 += pieces,
            None => wants.push((id, pieces)),
        }
    }
    wants.retain(|(id, pieces)| model.goods[id].shelf < *pieces);
    let entry = |(id, pieces): &(i64, i64)| json!({"product_id": id, "requested": pieces, "available": model.goods[id].shelf});
    wants.iter().map(entry).collect()
}

fn mini_order(ask: &Ask, code: &'static str) -> Expected {
    let failed = |text: &str| json!({"status": false, "message": text});
    match (code, &ask.what) {
        ("PRODUCT_NOT_FOUND" | "PRODUCT_ARCHIVED", What::Edit { .. }) => {
            said(404, failed("Product not found"))
        }
        ("PRODUCT_NOT_FOUND", _) => said(404, "Product not found"),
        ("PRODUCT_INACTIVE", _) => said(400, "Inactive product"),
        ("INSUFFICIENT_STOCK", _) => said(400, "Insufficient stock"),
        ("ORDER_NOT_FOUND", _) => said(404, "Order not found"),
        ("FORBIDDEN", _) => said(403, "Not allowed"),
        ("INVALID_TRANSITION", What::Act(Action::Confirm, _)) => {
            said(400, "Cancelled order cannot be confirmed")
        }
        ("INVALID_TRANSITION", _) => said(400, "Order cannot be cancelled"),
        (other, _) => panic!("mini-order has no word for {other}"),
    }
}

fn leafcraft(ask: &Ask, code: &'static str, model: &Model) -> Expected {
    let lines = match &ask.what {
        What::Place { lines, .. } => lines.as_slice(),
        _ => &[],
    };
    let first = |bad: &dyn Fn(i64) -> bool| lines.iter().find(|line| bad(line.0)).map_or(0, |line| line.0);
    let unknown = |id: i64| model.goods.get(&id).is_none_or(|good| good.archived);
    let closed = |id: i64| model.goods.get(&id).is_some_and(|good| !good.active);
    match (code, &ask.what) {
        ("VALIDATION_ERROR", What::Place { .. }) => said(400, "Order must need to have one item"),
        ("NAME_TAKEN", _) => said(400, "Product already exist"),
        ("PRODUCT_NOT_FOUND", _) => said(400, format!("Product {} not exist", first(&unknown))),
        ("PRODUCT_INACTIVE", _) => said(400, format!("Product {} is not active", first(&closed))),
        ("INSUFFICIENT_STOCK", _) => said(400, "Insufficient stock for one or more products"),
        ("ORDER_NOT_FOUND", What::Act(_, id)) => said(400, format!("Order with {id} not found")),
        ("INVALID_TRANSITION", What::Act(Action::Confirm, _)) => {
            said(400, "Only Orders with status can be confirmed")
        }
        ("INVALID_TRANSITION", _) => said(400, "Order cannot be cancelled"),
        ("FORBIDDEN", _) => said(403, "Not enough permissions"),
        (other, _) => panic!("leafcraft has no word for {other}"),
    }
}

/// What a contract says to whoever asks for what is done already; `None` where that is a success.
pub(super) fn done_before(ask: &Ask) -> Option<Expected> {
    let action = match ask.what {
        What::Act(action, _) => action,
        What::Delete(_) if ask.contract == Contract::Inventory => {
            return Some(said(404, "Product ID Doesn't Exist!"));
        }
        _ => return None,
    };
    let text = match (ask.contract, action) {
        (Contract::MiniOrder, Action::Confirm) => "Order already confirmed",
        (Contract::MiniOrder, _) => "Order already cancelled",
        (Contract::Leafcraft, Action::Confirm) => "Only Orders with status can be confirmed",
        (Contract::Leafcraft, _) => "Orders cancelled already!",
        _ => return None,
    };
    Some(said(400, text))
}
