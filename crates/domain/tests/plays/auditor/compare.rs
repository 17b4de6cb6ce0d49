//! Where the shop and the model must agree.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::hash::Hash;

use domain::{AllocateAt, Context, Effects, Event, OrderState, Payment, Snapshot};

use super::model::{Model, News};
use crate::shop::{Shop, ensure};

/// Answers that random play must have met.
pub(super) const REACHED: &[(&str, &str)] = &[
    ("AdjustStock", "FORBIDDEN"),
    ("AdjustStock", "INSUFFICIENT_STOCK"),
    ("AdjustStock", "PRODUCT_ARCHIVED"),
    ("AdjustStock", "PRODUCT_NOT_FOUND"),
    ("AdjustStock", "STOCK_ALLOCATED"),
    ("AdjustStock", "STOCK_CHANGED"),
    ("AdjustStock", "VALIDATION_ERROR"),
    ("AdjustStock", "accepted"),
    ("BeginSession", "CREDENTIALS_CHANGED"),
    ("BeginSession", "USER_NOT_FOUND"),
    ("BeginSession", "accepted"),
    ("ChangeOrder", "FORBIDDEN"),
    ("ChangeOrder", "INSUFFICIENT_STOCK"),
    ("ChangeOrder", "INVALID_TRANSITION"),
    ("ChangeOrder", "ORDER_NOT_FOUND"),
    ("ChangeOrder", "PRECONDITION_FAILED"),
    ("ChangeOrder", "accepted"),
    ("CreateProduct", "FORBIDDEN"),
    ("CreateProduct", "NAME_TAKEN"),
    ("CreateProduct", "SKU_TAKEN"),
    ("CreateProduct", "VALIDATION_ERROR"),
    ("CreateProduct", "accepted"),
    ("CreateUser", "EMAIL_TAKEN"),
    ("CreateUser", "FORBIDDEN"),
    ("CreateUser", "USERNAME_TAKEN"),
    ("CreateUser", "accepted"),
    ("DeleteProduct", "FORBIDDEN"),
    ("DeleteProduct", "PRECONDITION_FAILED"),
    ("DeleteProduct", "PRODUCT_NOT_FOUND"),
    ("DeleteProduct", "accepted"),
    ("ExpireOrders", "accepted"),
    ("ForgetAnswers", "accepted"),
    ("LimitWaits", "accepted"),
    ("NoteSecret", "accepted"),
    ("OpenShop", "CURRENCY_MISMATCH"),
    ("OpenShop", "accepted"),
    ("PlaceOrder", "FORBIDDEN"),
    ("PlaceOrder", "INSUFFICIENT_STOCK"),
    ("PlaceOrder", "PRODUCT_INACTIVE"),
    ("PlaceOrder", "PRODUCT_NOT_FOUND"),
    ("PlaceOrder", "TOO_MANY_OPEN_ORDERS"),
    ("PlaceOrder", "TOO_MANY_UNITS_HELD"),
    ("PlaceOrder", "USER_INACTIVE"),
    ("PlaceOrder", "USER_NOT_FOUND"),
    ("PlaceOrder", "VALIDATION_ERROR"),
    ("PlaceOrder", "accepted"),
    ("RestoreProduct", "FORBIDDEN"),
    ("RestoreProduct", "PRECONDITION_FAILED"),
    ("RestoreProduct", "PRODUCT_NOT_FOUND"),
    ("RestoreProduct", "accepted"),
    ("RevokeSessions", "USER_NOT_FOUND"),
    ("RevokeSessions", "accepted"),
    ("SetPassword", "CREDENTIALS_CHANGED"),
    ("SetPassword", "USER_NOT_FOUND"),
    ("SetPassword", "accepted"),
    ("ToggleProduct", "FORBIDDEN"),
    ("ToggleProduct", "PRECONDITION_FAILED"),
    ("ToggleProduct", "PRODUCT_ARCHIVED"),
    ("ToggleProduct", "PRODUCT_NOT_FOUND"),
    ("ToggleProduct", "accepted"),
    ("UpdateProduct", "FORBIDDEN"),
    ("UpdateProduct", "PRECONDITION_FAILED"),
    ("UpdateProduct", "PRODUCT_ARCHIVED"),
    ("UpdateProduct", "PRODUCT_NOT_FOUND"),
    ("UpdateProduct", "SKU_TAKEN"),
    ("UpdateProduct", "VALIDATION_ERROR"),
    ("UpdateProduct", "accepted"),
    ("UpdateUser", "EMAIL_TAKEN"),
    ("UpdateUser", "FORBIDDEN"),
    ("UpdateUser", "LAST_ADMIN"),
    ("UpdateUser", "PRECONDITION_FAILED"),
    ("UpdateUser", "USER_NOT_FOUND"),
    ("UpdateUser", "accepted"),
];

/// The events are the expected ones, in any order, and each says who, when, and in which request.
pub(super) fn news(effects: &Effects, context: &Context, mut expected: News) -> Result<(), String> {
    let subject = |event: &Event| {
        let order = event.order_id().map(|id| id.0);
        order.or(event.product_id().map(|id| id.0)).or(event.user_id().map(|id| id.0)).unwrap_or(0)
    };
    let mut told: News = effects.events.iter().map(|it| (it.event.kind(), subject(&it.event))).collect();
    told.sort_unstable();
    expected.sort_unstable();
    ensure!(told == expected, "told {told:?}, but the model expects {expected:?}");
    let signed = (context.actor.user_id, &context.request_id, context.now_us);
    for event in &effects.events {
        ensure!((event.actor_id, &event.request_id, event.at_us) == signed, "wrongly signed: {event:?}");
    }
    for line in &effects.movements {
        ensure!((line.actor_id, &line.request_id, line.at_us) == signed, "wrongly signed: {line:?}");
    }
    Ok(())
}

/// Everything both know is the same on both sides.
pub(super) fn compare(shop: &Shop, model: &Model) -> Result<(), String> {
    ensure!(shop.currency == model.currency, "{:?} or {:?}?", shop.currency, model.currency);
    ensure!(shop.secret_mark == model.secret_mark, "{:?} or {:?}?", shop.secret_mark, model.secret_mark);
    products(shop, model)?;
    orders(shop, model)?;
    ensure!(shop.users.len() == model.people.0.len(), "different numbers of users");
    for (user, person) in shop.users.values().zip(&model.people.0) {
        let same = user.username == person.name
            && user.email == person.email
            && user.full_name == person.full_name
            && user.password_hash == person.hash
            && (user.role, user.is_active) == (person.role, person.active)
            && (user.token_generation, user.version) == (person.generation, person.version);
        ensure!(same, "{user:?} or {person:?}?");
    }
    Ok(())
}

fn products(shop: &Shop, model: &Model) -> Result<(), String> {
    let mut held: BTreeMap<i64, i64> = BTreeMap::new();
    for (id, count) in model.deals.values().flat_map(|deal| &deal.holds) {
        *held.entry(*id).or_default() += count;
    }
    ensure!(shop.products.keys().map(|id| id.0).eq(model.goods.keys().copied()), "different products");
    for (product, good) in shop.products.values().zip(model.goods.values()) {
        let same = product.sku == good.sku
            && (&product.name, &product.description) == (&good.texts[0], &good.texts[1])
            && (product.price_cents, product.low_stock_threshold) == (good.price, good.low)
            && (product.is_active, product.auto_deactivate) == (good.active, good.auto)
            && (product.archived_at_us.is_some(), product.version) == (good.archived, good.version);
        ensure!(same, "{product:?} or {good:?}?");
        let held = held.get(&product.id.0).copied().unwrap_or(0);
        let level = shop.levels.get(&product.id).map(|level| (level.on_hand, level.allocated));
        ensure!(level == Some((good.shelf + held, held)), "{level:?}, or {held} held and {good:?}?");
    }
    Ok(())
}

fn orders(shop: &Shop, model: &Model) -> Result<(), String> {
    ensure!(shop.orders.keys().map(|id| id.0).eq(model.deals.keys().copied()), "different orders");
    for (order, deal) in shop.orders.values().zip(model.deals.values()) {
        let items = || order.items.iter();
        let wants = items().map(|item| (item.product_id.0, item.quantity));
        let holds = items().map(|item| (item.product_id.0, item.allocated)).filter(|hold| hold.1 > 0);
        let tags = items().map(|item| (item.product_name.clone(), item.price_cents));
        let late = order.allocate_at == AllocateAt::Confirmation;
        let amount: i64 = items().map(|item| item.price_cents * item.quantity).sum();
        let done = deal.word == "delivered" && deal.paid;
        let same = order.status().word() == deal.word
            && (order.state == OrderState::Completed) == done
            && (order.payment == Payment::Paid, late) == (deal.paid, deal.late)
            && order.expires_at_us == deal.until
            && (order.user_id.map(|id| id.0), order.version) == (deal.owner, deal.version)
            && (order.total_amount_cents, amount) == (deal.amount, deal.amount)
            && order.total_quantity == deal.wants.iter().map(|want| want.1).sum::<i64>()
            && wants.eq(deal.wants.iter().copied())
            && tags.eq(deal.frozen.iter().cloned())
            && holds.eq(deal.holds.iter().copied());
        ensure!(same, "{order:?} or {deal:?}?");
    }
    Ok(())
}

/// A snapshot that lived through a batch shows what one loaded afterwards shows.
pub(super) fn compare_snapshots(evolved: &Snapshot, fresh: &Snapshot) -> Result<(), String> {
    ensure!(evolved.next == fresh.next, "{:?} or {:?}?", evolved.next, fresh.next);
    ensure!(evolved.census == fresh.census, "{:?} or {:?}?", evolved.census, fresh.census);
    ensure!(evolved.currency == fresh.currency, "{:?} or {:?}?", evolved.currency, fresh.currency);
    ensure!(
        evolved.secret_mark == fresh.secret_mark,
        "{:?} or {:?}?",
        evolved.secret_mark,
        fresh.secret_mark
    );
    contains(&evolved.users, &fresh.users)?;
    contains(&evolved.products, &fresh.products)?;
    contains(&evolved.levels, &fresh.levels)?;
    contains(&evolved.orders, &fresh.orders)?;
    contains(&evolved.skus, &fresh.skus)?;
    contains(&evolved.names, &fresh.names)?;
    contains(&evolved.usernames, &fresh.usernames)?;
    contains(&evolved.emails, &fresh.emails)?;
    contains(&evolved.holds, &fresh.holds)?;
    contains(&evolved.references, &fresh.references)
}

fn contains<K: Debug + Eq + Hash, V: Debug + PartialEq>(
    evolved: &HashMap<K, V>,
    fresh: &HashMap<K, V>,
) -> Result<(), String> {
    for (key, value) in fresh {
        let known = evolved.get(key);
        ensure!(known == Some(value), "{key:?} is {value:?}, but the batch says {known:?}");
    }
    Ok(())
}
