//! Commands of one batch see what the ones before them did, before any of it is stored.

use std::sync::Arc;

use domain::{
    Action, Actor, ApiKeyId, Change, CreateProduct, CreateUser, DeleteProduct, Keys, NoteApiKeyUse,
    ProductId, Rejection, RestoreProduct, RevokeApiKey, Role, Snapshot, UpdateProduct, UpdateUser, UserId,
};

use crate::any::Any;
use crate::commands::api_keys::new_key;
use crate::commands::{
    ADMIN, APPLE, CLEO, OLD, PEAR, STAFF, UNKNOWN, account, act, amend, edit, order, product, shop,
};

/// Decides the commands as one batch: the codes of the refusals, or `ok`.
#[track_caller]
fn check(commands: &[(Actor, Any, &str)]) -> Snapshot {
    let shop = shop();
    let context = |actor| domain::Context { actor, now_us: 0, request_id: Arc::from("r"), source: None };
    let mut keys = Keys::default();
    commands.iter().for_each(|(actor, command, _)| keys.absorb(command.keys(&context(*actor))));
    let mut snapshot = shop.load(&keys);
    for (actor, command, expected) in commands {
        let verdict = command.decide(&snapshot, &context(*actor));
        let code = verdict.as_ref().map_or_else(Rejection::code, |_| "ok");
        assert_eq!(code, *expected, "{command:?}");
        let changes: Vec<Change> = verdict.map_or_else(|_| Vec::new(), |verdict| verdict.effects.changes);
        changes.iter().for_each(|change| snapshot.apply(change));
    }
    snapshot
}

fn sku(id: ProductId, sku: &str) -> Any {
    UpdateProduct { sku: Some(sku.to_owned()), ..edit(id) }.into()
}

fn email(id: i64, email: &str) -> Any {
    UpdateUser { email: Some(Some(email.to_owned())), ..amend(id) }.into()
}

fn delete(product_id: ProductId) -> Any {
    DeleteProduct { product_id, if_version: None }.into()
}

#[test]
fn stock_is_sold_once() {
    let four = || Any::from(order(&[(APPLE, 4)]));
    let snapshot = check(&[
        (CLEO, four(), "ok"),
        (CLEO, four(), "ok"),
        (CLEO, four(), "INSUFFICIENT_STOCK"),
        // Orders of this batch can be changed in it, and what they give back can be sold again.
        (CLEO, act(2, Action::Cancel).into(), "ok"),
        (CLEO, act(4, Action::Cancel).into(), "ORDER_NOT_FOUND"),
        (CLEO, four(), "ok"),
    ]);
    assert_eq!((snapshot.next.order, snapshot.next.item), (5, 5));
    assert_eq!(snapshot.level(APPLE).map(|level| (level.on_hand, level.allocated)), Some((10, 8)));
}

#[test]
fn names_change_hands() {
    check(&[
        (STAFF, sku(APPLE, "PEAR"), "SKU_TAKEN"),
        (STAFF, sku(PEAR, "P"), "ok"),
        (STAFF, sku(APPLE, "PEAR"), "ok"),
        (STAFF, product("PEAR", 1, 0).into(), "SKU_TAKEN"),
        (STAFF, product("APPLE", 1, 0).into(), "ok"),
        (STAFF, product("APPLE", 1, 0).into(), "SKU_TAKEN"),
        (STAFF, delete(ProductId(6)), "ok"),
        (STAFF, product("APPLE", 1, 0).into(), "ok"),
    ]);
    let snapshot = check(&[
        (Actor::SYSTEM, email(2, "cleo@x"), "EMAIL_TAKEN"),
        (CLEO, email(3, "c@y"), "ok"),
        (Actor::SYSTEM, email(2, "cleo@x"), "ok"),
        (CLEO, email(3, "sam@x"), "ok"),
        (CLEO, CreateUser { email: Some("c@y".to_owned()), ..account("eve", None) }.into(), "ok"),
        (CLEO, CreateUser { email: Some("e@y".to_owned()), ..account("EVE", None) }.into(), "USERNAME_TAKEN"),
    ]);
    assert_eq!(snapshot.email_owner("cleo@x"), Some(UserId(2)));
    assert_eq!((snapshot.census().users, snapshot.next.user), (6, 7));
}

#[test]
fn names_of_products_are_taken_and_given_back() {
    let only = |name: &str| {
        let fresh = CreateProduct { sku: None, unique_name: true, ..product("x", 1, 0) };
        Any::from(CreateProduct { name: name.to_owned(), ..fresh })
    };
    let any =
        |name: &str| Any::from(CreateProduct { sku: None, name: name.to_owned(), ..product("x", 1, 0) });
    let rename = |id, name: &str| Any::from(UpdateProduct { name: Some(name.to_owned()), ..edit(id) });
    let restore = |product_id| Any::from(RestoreProduct { product_id, if_version: None });
    let (fig, twin, last) = (ProductId(6), ProductId(7), ProductId(8));
    let snapshot = check(&[
        // Created in this batch, and gone with the last of its name.
        (STAFF, only("fig"), "ok"),
        (STAFF, only("fig"), "NAME_TAKEN"),
        (STAFF, any("fig"), "ok"),
        (STAFF, delete(fig), "ok"),
        (STAFF, only("fig"), "NAME_TAKEN"),
        (STAFF, delete(twin), "ok"),
        (STAFF, only("fig"), "ok"),
        // Renamed away, and back.
        (STAFF, only("apple"), "NAME_TAKEN"),
        (STAFF, rename(APPLE, "gala"), "ok"),
        (STAFF, only("gala"), "NAME_TAKEN"),
        (STAFF, rename(last, "apple"), "ok"),
        (STAFF, only("apple"), "NAME_TAKEN"),
        (STAFF, only("fig"), "ok"),
        // Archived, because an order refers to it, and restored.
        (STAFF, only("old"), "ok"),
        (STAFF, delete(ProductId(10)), "ok"),
        (STAFF, restore(OLD), "ok"),
        (STAFF, only("old"), "NAME_TAKEN"),
        (STAFF, delete(OLD), "ok"),
        (STAFF, only("old"), "ok"),
    ]);
    assert_eq!(snapshot.next.product, 12);
    assert!(snapshot.is_name_taken("apple") && snapshot.is_name_taken("gala"));
    assert_eq!(snapshot.names["fig"], [ProductId(9)].into());
    assert_eq!(snapshot.names["old"], [ProductId(11)].into());
}

#[test]
fn products_come_and_go() {
    let new = ProductId(6);
    check(&[
        (STAFF, product("FIG", 1, 3).into(), "ok"),
        (CLEO, order(&[(new, 3)]).into(), "ok"),
        // Referred to by an order of this batch: archived, and it takes no more orders.
        (STAFF, delete(new), "ok"),
        (CLEO, order(&[(new, 1)]).into(), "PRODUCT_INACTIVE"),
        (STAFF, delete(PEAR), "ok"),
        (CLEO, order(&[(PEAR, 1)]).into(), "PRODUCT_NOT_FOUND"),
        (STAFF, edit(UNKNOWN).into(), "PRODUCT_NOT_FOUND"),
    ]);
}

#[test]
fn somebody_stays_in_charge() {
    let role = |id, role| Any::from(UpdateUser { role: Some(role), ..amend(id) });
    check(&[
        (Actor::SYSTEM, role(1, Role::Staff), "LAST_ADMIN"),
        (Actor::SYSTEM, role(2, Role::Admin), "ok"),
        (Actor::SYSTEM, role(1, Role::Staff), "ok"),
        (Actor::SYSTEM, role(2, Role::Staff), "LAST_ADMIN"),
        (Actor::SYSTEM, account("eve", Some(Role::Admin)).into(), "ok"),
        (Actor::SYSTEM, role(2, Role::Staff), "ok"),
    ]);
}

#[test]
fn keys_end_with_the_rights_of_who_made_them() {
    let sam = Actor { role: Role::Admin, ..STAFF };
    let used = |id, at_us| Any::from(NoteApiKeyUse { id: ApiKeyId(id), at_us });
    let snapshot = check(&[
        (Actor::SYSTEM, UpdateUser { role: Some(Role::Admin), ..amend(2) }.into(), "ok"),
        (ADMIN, new_key().into(), "ok"),
        (sam, new_key().into(), "ok"),
        (sam, new_key().into(), "ok"),
        (ADMIN, RevokeApiKey { id: ApiKeyId(4) }.into(), "API_KEY_NOT_FOUND"),
        // The later use counts, whichever is noted last.
        (Actor::SYSTEM, used(1, 5), "ok"),
        (Actor::SYSTEM, used(1, 3), "ok"),
        (Actor::SYSTEM, used(9, 3), "ok"),
        (Actor::SYSTEM, UpdateUser { role: Some(Role::Customer), ..amend(2) }.into(), "ok"),
    ]);
    let key = |id| snapshot.api_key(ApiKeyId(id)).map(|key| (key.revoked_at_us, key.last_used_at_us));
    assert_eq!(
        (key(1), key(2), key(3)),
        (Some((None, Some(5))), Some((Some(0), None)), Some((Some(0), None)))
    );
    assert_eq!(snapshot.next.api_key, 4);
}

#[test]
fn keys_of_two_commands_are_the_keys_of_both() {
    let yes = Keys { census: true, currency: true, secret_mark: true, ..Keys::default() };
    let no = Keys::default();
    for (first, second, both) in [(&no, &no, &no), (&no, &yes, &yes), (&yes, &no, &yes), (&yes, &yes, &yes)] {
        let mut keys = first.clone();
        keys.absorb(second.clone());
        assert_eq!(keys, *both, "{first:?} and {second:?}");
    }
    let of = |id: i64| Keys {
        users: vec![UserId(id)],
        products: vec![ProductId(id)],
        orders: vec![domain::OrderId(id)],
        skus: vec![id.to_string()],
        names: vec![id.to_string()],
        usernames: vec![id.to_string()],
        emails: vec![id.to_string()],
        references: vec![ProductId(id)],
        holds: vec![UserId(id)],
        api_keys: vec![ApiKeyId(id)],
        ..Keys::default()
    };
    let mut keys = of(1);
    keys.absorb(of(2));
    let ids = keys.users.iter().chain(&keys.holds).map(|id| id.0);
    let ids = ids.chain(keys.products.iter().chain(&keys.references).map(|id| id.0));
    let ids = ids.chain(keys.orders.iter().map(|id| id.0)).chain(keys.api_keys.iter().map(|id| id.0));
    assert_eq!(ids.collect::<Vec<_>>(), [1, 2].repeat(6));
    let texts = [keys.skus, keys.names, keys.usernames, keys.emails];
    assert_eq!(texts, [["1", "2"]; 4].map(|pair| pair.map(str::to_owned).to_vec()));
}
