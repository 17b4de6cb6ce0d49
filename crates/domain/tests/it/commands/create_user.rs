//! [`CreateUser`].

use domain::{Actor, CreateUser, Denial, Rejection, Role};

use super::{ADMIN, ANONYMOUS, CLEO, STAFF, account, shop};
use crate::shop::Shop;

#[track_caller]
fn check(shop: &Shop, actor: Actor, command: CreateUser, expected: Result<&str, Rejection>) {
    super::check(shop, actor, command, expected);
}

#[test]
fn the_first_account_is_in_charge() {
    let empty = Shop::default();
    check(
        &empty,
        ANONYMOUS,
        account("eve", None),
        Ok("user 1 v1 eve eve@x - admin active g1 hash
            user_created user=1 role=admin"),
    );
    for role in Role::ALL {
        let word = role.word();
        let expected = format!(
            "user 1 v1 eve eve@x - {word} active g1 hash
             user_created user=1 role={word}"
        );
        check(&empty, ANONYMOUS, account("eve", Some(*role)), Ok(&expected));
    }
}

#[test]
fn all_others_are_customers_unless_an_administrator_says_otherwise() {
    let shop = shop();
    for actor in [ANONYMOUS, CLEO, STAFF, ADMIN, Actor::SYSTEM] {
        for role in [None, Some(Role::Customer)] {
            check(
                &shop,
                actor,
                CreateUser { email: None, full_name: Some("Eve".to_owned()), ..account("eve", role) },
                Ok("user 6 v1 eve - Eve customer active g1 hash
                    user_created user=6 role=customer"),
            );
        }
    }
    for role in [Role::Staff, Role::Admin] {
        for actor in [ANONYMOUS, CLEO, STAFF] {
            check(&shop, actor, account("eve", Some(role)), Err(Rejection::Forbidden(Denial::GrantRole)));
        }
        let word = role.word();
        let expected = format!(
            "user 6 v1 eve eve@x - {word} active g1 hash
             user_created user=6 role={word}"
        );
        check(&shop, ADMIN, account("eve", Some(role)), Ok(&expected));
        check(&shop, Actor::SYSTEM, account("eve", Some(role)), Ok(&expected));
    }
}

#[test]
fn names_and_addresses_are_taken_once() {
    let shop = shop();
    for name in ["cleo", "Cleo", "CLEO", "idle"] {
        check(&shop, ANONYMOUS, account(name, None), Err(Rejection::UsernameTaken(name.to_owned())));
    }
    let address = CreateUser { email: Some("cleo@x".to_owned()), ..account("eve", None) };
    check(&shop, ANONYMOUS, address, Err(Rejection::EmailTaken("cleo@x".to_owned())));
    // Any number of accounts have no address.
    let mut after = shop;
    super::do_as(&mut after, ANONYMOUS, CreateUser { email: None, ..account("eve", None) });
    super::do_as(&mut after, ANONYMOUS, CreateUser { email: None, ..account("eva", None) });
}
