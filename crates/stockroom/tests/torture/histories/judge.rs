//! Holding a history against the rules.

use std::collections::HashMap;
use std::sync::Arc;

use domain::{
    AdjustStock, AllocateAt, ChangeOrder, Context, Customs, Effects, Goal, NextIds, OrderId, OrderLine,
    PlaceOrder, PlacingCustoms, PlacingTerms, Product, ProductId, Rejection, Role, Status, StockChange,
    StockLevel, StockLine, User, UserId,
};
use serde_json::Value;

use super::record::{Ask, History, Operation};
use crate::any::{Any, Shown, Verdict};
use crate::shop::Shop;

/// Between which states of the shop an operation lies: after at least, and at most, so many that changed something.
#[derive(Debug, Clone, Copy)]
struct Window {
    from: usize,
    to: usize,
}

/// Every way in which a history is not as the rules would have it.
pub(super) fn judge(history: &History) -> Vec<String> {
    let (done, mut findings) = in_order(history);
    let mut quiet: Vec<(usize, Window)> = Vec::new();
    for (at, operation) in history.operations.iter().enumerate() {
        let window = window(history, &done, operation);
        match done.iter().position(|(position, _)| *position == at) {
            Some(position) if window.from <= position && position <= window.to => {}
            Some(position) => {
                findings.push(format!("{operation:?} is at {position} in the log, not in {window:?}"));
            }
            None => quiet.push((at, window)),
        }
    }
    let mut shop = open(history);
    for position in 0..=done.len() {
        quiet.retain(|(at, window)| {
            let may_be = window.from <= position && position <= window.to;
            !(may_be && was_so(&shop, &history.operations[*at]))
        });
        if let Some((at, kinds)) = done.get(position) {
            findings.extend(carry_out(&mut shop, &history.operations[*at], kinds).err());
        }
    }
    findings.extend(shop.audit().err());
    for (at, window) in quiet {
        findings.push(format!("never right in {window:?}: {:?}", history.operations[at]));
    }
    findings
}

/// The operations that changed something, in the order of the log, with the kinds of their events.
fn in_order(history: &History) -> (Vec<(usize, Vec<&str>)>, Vec<String>) {
    let operations = history.operations.iter().enumerate();
    let asked: HashMap<&str, usize> = operations.map(|(at, it)| (it.request_id.as_str(), at)).collect();
    let mut done: Vec<(usize, Vec<&str>)> = Vec::new();
    let mut findings = Vec::new();
    for event in &history.events {
        let Some(at) = asked.get(event.request_id.as_str()).copied() else {
            findings.push(format!("nobody asked for {event:?}"));
            continue;
        };
        match done.last_mut() {
            Some((last, kinds)) if *last == at => kinds.push(&event.kind),
            _ => done.push((at, vec![&event.kind])),
        }
    }
    (done, findings)
}

/// What had been answered before the operation was asked comes before it; what was asked after its answer comes later.
fn window(history: &History, done: &[(usize, Vec<&str>)], operation: &Operation) -> Window {
    let mut window = Window { from: 0, to: done.len() };
    for (position, (at, _)) in done.iter().enumerate() {
        let other = &history.operations[*at];
        if other.ended < operation.began {
            window.from = window.from.max(position + 1);
        }
        if other.began > operation.ended {
            window.to = window.to.min(position);
        }
    }
    window
}

/// Carries an operation out as the log says, and compares with what was answered.
fn carry_out(shop: &mut Shop, operation: &Operation, kinds: &[&str]) -> Result<(), String> {
    let verdict = match decide(shop, operation) {
        Some(Ok(verdict)) => verdict,
        other => return Err(format!("{operation:?} was carried out, but the rules say {other:?}")),
    };
    shop.apply(&verdict.effects)?;
    let expected: Vec<&str> = verdict.effects.events.iter().map(|event| event.event.kind()).collect();
    if expected != kinds {
        return Err(format!("{operation:?} left {kinds:?} in the log instead of {expected:?}"));
    }
    if shows(&verdict, operation) {
        Ok(())
    } else {
        Err(format!("{operation:?}, but the rules say {verdict:?}"))
    }
}

/// Whether an operation that changed nothing is answered rightly in this state of the shop.
fn was_so(shop: &Shop, operation: &Operation) -> bool {
    match decide(shop, operation) {
        Some(Ok(verdict)) => verdict.effects == Effects::default() && shows(&verdict, operation),
        Some(Err(rejection)) => {
            operation.status >= 400 && operation.body["code"] == Rejection::code(&rejection)
        }
        None => reads(shop, operation),
    }
}

fn reads(shop: &Shop, operation: &Operation) -> bool {
    match operation.ask {
        Ask::Product(id) => {
            let level = shop.levels.get(&ProductId(id));
            operation.status == 200 && level.is_some_and(|level| is_level(level, &operation.body))
        }
        Ask::Order(id) => {
            let may_see = |owner| operation.actor.is_staff() || owner == operation.actor.user_id;
            let order = shop.orders.get(&OrderId(id)).filter(|order| may_see(order.user_id));
            match order {
                Some(order) => operation.status == 200 && operation.body["status"] == order.status().word(),
                None => operation.status == 404,
            }
        }
        _ => false,
    }
}

fn is_level(level: &StockLevel, body: &Value) -> bool {
    body["on_hand"] == level.on_hand && body["allocated"] == level.allocated
}

/// Whether what was answered is what the rules show.
fn shows(verdict: &Verdict, operation: &Operation) -> bool {
    let body = &operation.body;
    let is_done = operation.status == if matches!(operation.ask, Ask::Place(_)) { 201 } else { 200 };
    is_done
        && verdict.shown.iter().all(|row| match row {
            Shown::Order { order, .. } => {
                body["order_id"] == order.id.0
                    && body["status"] == order.status().word()
                    && body["total_quantity"] == order.total_quantity
            }
            Shown::Product(product) => is_level(&product.level, body),
            Shown::User(_) | Shown::ApiKey(_) => false,
        })
}

/// What the rules say; `None` for what only looks.
fn decide(shop: &Shop, operation: &Operation) -> Option<Result<Verdict, Rejection>> {
    let command = command(&operation.ask)?;
    let request_id = Arc::from(operation.request_id.as_str());
    let context = Context { actor: operation.actor, now_us: 1, request_id, source: None };
    Some(command.decide(&shop.load(&command.keys(&context)), &context))
}

fn command(ask: &Ask) -> Option<Any> {
    Some(match ask {
        Ask::Place(lines) => {
            let line =
                |(id, quantity): &(i64, i64)| OrderLine { product_id: ProductId(*id), quantity: *quantity };
            PlaceOrder {
                user_id: None,
                lines: lines.iter().map(line).collect(),
                allocate_at: AllocateAt::Creation,
                status: Status::Pending,
                terms: PlacingTerms::default(),
                customs: PlacingCustoms::default(),
            }
            .into()
        }
        Ask::Act(order, action) => ChangeOrder {
            order_id: OrderId(*order),
            goal: Goal::Act(*action),
            if_version: None,
            customs: Customs::default(),
        }
        .into(),
        Ask::Move(id, quantity) => {
            let change = if *quantity > 0 {
                StockChange::Increment(*quantity)
            } else {
                StockChange::Decrement(-quantity)
            };
            let line = StockLine { product_id: ProductId(*id), change, reason: None, note: None };
            AdjustStock { lines: vec![line] }.into()
        }
        Ask::Product(_) | Ask::Order(_) => return None,
    })
}

/// The shop as it was before.
fn open(history: &History) -> Shop {
    let mut shop =
        Shop { next: NextIds { order: history.first_order, ..NextIds::default() }, ..Shop::default() };
    for operation in &history.operations {
        if let Some(id) = operation.actor.user_id {
            shop.users.insert(id, user(id, operation.actor.role));
        }
    }
    for opening in &history.products {
        let id = ProductId(opening.id);
        let level = StockLevel { product_id: id, on_hand: opening.on_hand, allocated: 0, version: 1 };
        shop.products.insert(id, product(id, opening.price_cents));
        shop.levels.insert(id, level);
        shop.sums.insert(id, (opening.on_hand, 0));
        shop.next.product = shop.next.product.max(opening.id + 1);
    }
    shop
}

fn user(id: UserId, role: Role) -> User {
    User {
        id,
        username: format!("user {}", id.0),
        email: None,
        full_name: None,
        role,
        password_hash: String::new(),
        token_generation: 1,
        is_active: true,
        version: 1,
        created_at_us: 0,
        updated_at_us: 0,
    }
}

fn product(id: ProductId, price_cents: i64) -> Product {
    Product {
        id,
        sku: format!("SKU-{}", id.0),
        name: String::new(),
        description: String::new(),
        price_cents,
        is_active: true,
        archived_at_us: None,
        low_stock_threshold: 0,
        auto_deactivate: false,
        version: 1,
        created_at_us: 0,
        updated_at_us: 0,
    }
}
