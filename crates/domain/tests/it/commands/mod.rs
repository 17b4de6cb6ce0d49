//! One table a command: who asks for what of which shop, and what comes of it, as text.
//!
//! The text has a line for each thing: changed rows, then the ledger, then events. A changed level has no line of
//! its own, since [`Shop::apply`] insists that its line in the ledger tells all of it.

mod adjust_stock;
pub(crate) mod api_keys;
mod change_order;
mod create_product;
mod create_user;
mod delete_product;
mod expire_orders;
mod place_order;
mod restore_product;
mod sessions;
mod shop_wide;
mod toggle_product;
mod transitions;
mod update_product;
mod update_user;

use std::fmt::Write as _;
use std::sync::Arc;

use domain::{
    Action, Actor, AllocateAt, ApiKey, Change, ChangeOrder, Context, CreateProduct, CreateUser, Customs,
    DeleteProduct, Effects, Fact, Goal, Movement, Order, OrderId, OrderLine, Payment, PlaceOrder, Product,
    ProductId, RecordedEvent, Rejection, Role, Status, UpdateProduct, UpdateUser, User, UserId,
};

use crate::any::{Any, check_shown};
use crate::shop::Shop;

pub(crate) const ADMIN: Actor = Actor { user_id: Some(UserId(1)), role: Role::Admin, key: None };
pub(crate) const STAFF: Actor = Actor { user_id: Some(UserId(2)), role: Role::Staff, key: None };
pub(crate) const CLEO: Actor = Actor { user_id: Some(UserId(3)), role: Role::Customer, key: None };
pub(crate) const CYD: Actor = Actor { user_id: Some(UserId(4)), role: Role::Customer, key: None };
pub(crate) const IDLE: Actor = Actor { user_id: Some(UserId(5)), role: Role::Customer, key: None };
/// A caller without an account, where the shop serves such callers as customers.
pub(crate) const ANONYMOUS: Actor = Actor { user_id: None, role: Role::Customer, key: None };

/// In stock, ten pieces at 100, low at two.
pub(crate) const APPLE: ProductId = ProductId(1);
/// In stock, five pieces at 250, deactivates itself at zero.
pub(crate) const PEAR: ProductId = ProductId(2);
/// Inactive, seven pieces at 30.
pub(crate) const NUT: ProductId = ProductId(3);
/// Archived, two pieces at 70; order 1 had one.
pub(crate) const OLD: ProductId = ProductId(4);
/// Out of stock.
pub(crate) const PLUM: ProductId = ProductId(5);
pub(crate) const UNKNOWN: ProductId = ProductId(99);

/// When what a case starts from happened, microseconds.
pub(crate) const BEFORE_US: i64 = 400;
/// When the case happens.
pub(crate) const NOW_US: i64 = 1_000;

/// A new product as most tables want it.
pub(crate) fn product(sku: &str, price_cents: i64, opening_stock: i64) -> CreateProduct {
    CreateProduct {
        sku: Some(sku.to_owned()),
        name: sku.to_lowercase(),
        description: String::new(),
        price_cents,
        is_active: true,
        low_stock_threshold: 0,
        auto_deactivate: false,
        opening_stock,
        unique_name: false,
    }
}

/// A new account as most tables want it.
pub(crate) fn account(username: &str, role: Option<Role>) -> CreateUser {
    CreateUser {
        username: username.to_owned(),
        email: Some(format!("{username}@x")),
        full_name: None,
        role,
        founding: domain::Founding::FirstAccount,
        by_invitation: false,
        password_hash: "hash".to_owned(),
    }
}

/// An edit that changes nothing yet.
pub(crate) fn edit(product_id: ProductId) -> UpdateProduct {
    UpdateProduct::nothing(product_id)
}

/// A change of an account that changes nothing yet.
pub(crate) fn amend(user_id: i64) -> UpdateUser {
    let user_id = UserId(user_id);
    UpdateUser { user_id, if_version: None, email: None, full_name: None, role: None, is_active: None }
}

/// An order of the caller's own, pending, that takes stock at once.
pub(crate) fn order(lines: &[(ProductId, i64)]) -> PlaceOrder {
    let line = |(product_id, quantity): &(ProductId, i64)| OrderLine {
        product_id: *product_id,
        quantity: *quantity,
    };
    PlaceOrder {
        user_id: None,
        lines: lines.iter().map(line).collect(),
        allocate_at: AllocateAt::Creation,
        status: Status::Pending,
        customs: domain::PlacingCustoms::default(),
        terms: domain::PlacingTerms::default(),
    }
}

pub(crate) fn act(order_id: i64, action: Action) -> ChangeOrder {
    ChangeOrder {
        order_id: OrderId(order_id),
        goal: Goal::Act(action),
        if_version: None,
        customs: Customs::default(),
    }
}

/// Five users, five products, and order 1: delivered and paid, long ago.
pub(crate) fn shop() -> Shop {
    let mut shop = Shop::default();
    let mut run = |command: Any| do_as(&mut shop, Actor::SYSTEM, command);
    run(account("ada", None).into());
    run(account("sam", Some(Role::Staff)).into());
    run(CreateUser { full_name: Some("Cleo C".to_owned()), ..account("cleo", None) }.into());
    run(account("cyd", None).into());
    run(account("idle", None).into());
    run(UpdateUser { is_active: Some(false), ..amend(5) }.into());
    run(CreateProduct { low_stock_threshold: 2, ..product("APPLE", 100, 10) }.into());
    run(CreateProduct { auto_deactivate: true, ..product("PEAR", 250, 5) }.into());
    run(CreateProduct { is_active: false, ..product("NUT", 30, 7) }.into());
    run(product("OLD", 70, 3).into());
    run(product("PLUM", 50, 0).into());
    run(PlaceOrder { status: Status::Paid, user_id: Some(UserId(4)), ..order(&[(OLD, 1)]) }.into());
    run(act(1, Action::Ship).into());
    run(act(1, Action::Deliver).into());
    run(DeleteProduct { product_id: OLD, if_version: None }.into());
    shop
}

/// Carries a command out that is no part of the case.
pub(crate) fn do_as(shop: &mut Shop, actor: Actor, command: impl Into<Any>) {
    let command = command.into();
    if let Err(rejection) = attempt(shop, actor, &command, BEFORE_US) {
        panic!("{command:?} was refused: {rejection:?}");
    }
}

/// Decides on exactly what the keys name, and applies.
fn attempt(shop: &mut Shop, actor: Actor, command: &Any, now_us: i64) -> Result<Effects, Rejection> {
    let context = Context { actor, now_us, request_id: Arc::from("r"), source: None };
    let verdict = command.decide(&shop.load(&command.keys(&context)), &context)?;
    let checks = shop.apply(&verdict.effects).and_then(|()| check_shown(shop, &verdict));
    if let Err(fault) = checks.and_then(|()| shop.audit()) {
        panic!("{command:?}: {fault}");
    }
    for line in &verdict.effects.movements {
        let signed = (line.actor_id, &*line.request_id, line.at_us);
        assert_eq!(signed, (actor.user_id, "r", now_us), "{line:?}");
    }
    for event in &verdict.effects.events {
        let signed = (event.actor_id, &*event.request_id, event.at_us);
        assert_eq!(signed, (actor.user_id, "r", now_us), "{event:?}");
    }
    Ok(verdict.effects)
}

/// Carries the command out on a copy of the shop, which it returns, and compares what came of it.
#[track_caller]
pub(crate) fn check(
    shop: &Shop,
    actor: Actor,
    command: impl Into<Any>,
    expected: Result<&str, Rejection>,
) -> Shop {
    let command = command.into();
    let mut after = shop.clone();
    let actual = attempt(&mut after, actor, &command, NOW_US).map(|effects| text(&effects));
    let lines = |text: &str| text.lines().map(|line| format!("{}\n", line.trim())).collect::<String>();
    let expected = expected.map(|text| lines(text.trim()));
    if actual != expected {
        let show = |result: &Result<String, Rejection>| match result {
            Ok(text) => text.clone(),
            Err(rejection) => format!("{rejection:?}\n"),
        };
        panic!("{command:?}\n--- expected\n{}--- actual\n{}", show(&expected), show(&actual));
    }
    after
}

/// One line for each thing that happened now.
fn text(effects: &Effects) -> String {
    let mut lines = String::new();
    for line in effects.changes.iter().filter_map(change).chain(effects.movements.iter().map(movement)) {
        lines += &(line + "\n");
    }
    for it in &effects.events {
        lines += &(event(it) + "\n");
    }
    lines
}

fn change(change: &Change) -> Option<String> {
    Some(match change {
        Change::PutUser(user) => user_text(user),
        Change::PutProduct(product) => product_text(product),
        Change::EraseProduct(id) => format!("erase product {}", id.0),
        Change::PutLevel(level) if level.version == 0 => format!("stock {} empty", level.product_id.0),
        Change::PutLevel(_) => return None,
        Change::PutOrder(order) => order_text(order),
        Change::OpenShop { currency } => format!("open shop in {currency}"),
        Change::NoteSecret { mark } => format!("note secret {mark}"),
        Change::PutApiKey(key) => api_key_text(key),
        Change::RevokeApiKeysOf { user_id, .. } => format!("revoke keys of {}", user_id.0),
        Change::NoteSession { user_id } => format!("session of {}", user_id.0),
        Change::NoteApiKeyUse { id, at_us } => format!("key {} used at {at_us}", id.0),
        Change::ForgetAnswers { before_us } => format!("forget answers before {before_us}"),
    })
}

fn user_text(user: &User) -> String {
    let User { id, version, username, role, token_generation, .. } = user;
    assert_eq!(user.updated_at_us, NOW_US, "{user:?}");
    let email = user.email.as_deref().unwrap_or("-");
    let name = user.full_name.as_deref().unwrap_or("-");
    let active = if user.is_active { "active" } else { "inactive" };
    let (role, hash) = (role.word(), &user.password_hash);
    format!("user {} v{version} {username} {email} {name} {role} {active} g{token_generation} {hash}", id.0)
}

fn api_key_text(key: &ApiKey) -> String {
    let ApiKey { id, name, digest, role, scopes, maker_id, .. } = key;
    let times = if key.revoked_at_us.is_some() { (BEFORE_US, Some(NOW_US)) } else { (NOW_US, None) };
    assert_eq!((key.created_at_us, key.revoked_at_us), times, "{key:?}");
    let scopes: Vec<_> = scopes.iter().map(|scope| scope.word()).collect();
    let days = (key.expires_at_us - key.created_at_us) / 86_400_000_000;
    let state = if key.revoked_at_us.is_some() { " revoked" } else { "" };
    let (role, scopes) = (role.word(), scopes.join("+"));
    format!("key {} {name} {digest} {role} {scopes} by {} for {days} days{state}", id.0, maker_id.0)
}

fn product_text(product: &Product) -> String {
    let Product { id, version, sku, name, price_cents, low_stock_threshold, .. } = product;
    assert_eq!(product.updated_at_us, NOW_US, "{product:?}");
    assert!(product.archived_at_us.is_none_or(|at| at == NOW_US), "{product:?}");
    let mut line =
        format!("product {} v{version} {sku} {name} {price_cents}c low {low_stock_threshold}", id.0);
    let traits = [
        (!product.description.is_empty(), product.description.as_str()),
        (product.is_active, "active"),
        (!product.is_active, "inactive"),
        (product.auto_deactivate, "auto"),
        (product.archived_at_us.is_some(), "archived"),
    ];
    for (_, word) in traits.iter().filter(|(holds, _)| *holds) {
        line = line + " " + word;
    }
    line
}

fn order_text(order: &Order) -> String {
    let Order { id, version, total_amount_cents, total_quantity, .. } = order;
    let times = if *version > 1 { (BEFORE_US, Some(NOW_US)) } else { (NOW_US, None) };
    assert_eq!((order.placed_at_us, order.updated_at_us), times, "{order:?}");
    let mut line = format!("order {} v{version} {}", id.0, order.status().word());
    if order.payment == Payment::Paid && order.status() != Status::Paid {
        line += " paid";
    }
    if order.allocate_at == AllocateAt::Confirmation {
        line += " late";
    }
    let owner = order.user_id.map_or("nobody".to_owned(), |id| id.0.to_string());
    let _ = write!(line, " for {owner}:");
    for item in &order.items {
        let held = if item.allocated == item.quantity { " held" } else { "" };
        let _ = write!(line, " {}x{}@{}{held},", item.quantity, item.product_name, item.price_cents);
    }
    if let Some(at_us) = order.expires_at_us {
        let _ = write!(line, " until {at_us}:");
    }
    line + &format!(" {total_quantity} for {total_amount_cents}c")
}

fn movement(movement: &Movement) -> String {
    let Movement { product_id, kind, on_hand_delta, allocated_delta, on_hand_after, allocated_after, .. } =
        movement;
    let mut line = format!(
        "stock {} {} {on_hand_delta:+} {allocated_delta:+} = {on_hand_after}/{allocated_after}",
        product_id.0,
        kind.word()
    );
    if let Some(order_id) = movement.order_id {
        let _ = write!(line, " order {}", order_id.0);
    }
    for text in [&movement.reason, &movement.note].into_iter().flatten() {
        let _ = write!(line, " {text:?}");
    }
    line
}

fn event(it: &RecordedEvent) -> String {
    let event = &it.event;
    let ids = [
        ("order", event.order_id().map(|id| id.0)),
        ("product", event.product_id().map(|id| id.0)),
        ("user", event.user_id().map(|id| id.0)),
    ];
    let mut line = event.kind().to_owned();
    for (name, id) in ids {
        if let Some(id) = id {
            let _ = write!(line, " {name}={id}");
        }
    }
    for (name, fact) in event.facts() {
        let _ = match fact {
            Fact::Int(value) => write!(line, " {name}={value}"),
            Fact::Text(value) => write!(line, " {name}={value}"),
            Fact::Flag(value) => write!(line, " {name}={value}"),
        };
    }
    line
}
