//! [`CreateUser`].

use domain::{Actor, CreateUser, Denial, Founding, Rejection, Role};

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
fn whoever_only_comes_first_is_a_customer() {
    let empty = Shop::default();
    let stranger = |role| CreateUser { founding: Founding::Nothing, ..account("eve", role) };
    let customer = "user 1 v1 eve eve@x - customer active g1 hash
        user_created user=1 role=customer";
    for role in [None, Some(Role::Customer)] {
        check(&empty, ANONYMOUS, stranger(role), Ok(customer));
    }
    for role in [Role::Staff, Role::Admin] {
        let denied = Rejection::Forbidden(Denial::GrantRole);
        check(&empty, ANONYMOUS, stranger(Some(role)), Err(denied));
    }
}

#[test]
fn the_code_is_good_until_somebody_is_in_charge() {
    let with_code = |role| CreateUser { founding: Founding::Code, ..account("eve", role) };
    let mut shop = Shop::default();
    super::do_as(&mut shop, ANONYMOUS, CreateUser { founding: Founding::Nothing, ..account("ann", None) });
    // There is an account already, and nobody in charge.
    let denied = || Err(Rejection::Forbidden(Denial::GrantRole));
    check(&shop, ANONYMOUS, account("eve", Some(Role::Admin)), denied());
    let admin = "user 2 v1 eve eve@x - admin active g1 hash
        user_created user=2 role=admin";
    check(&shop, ANONYMOUS, with_code(None), Ok(admin));
    check(&shop, ANONYMOUS, with_code(Some(Role::Admin)), Ok(admin));
    super::do_as(&mut shop, ANONYMOUS, with_code(None));
    let another = |role| CreateUser { username: "bob".to_owned(), email: None, ..with_code(role) };
    check(&shop, ANONYMOUS, another(Some(Role::Admin)), denied());
    check(
        &shop,
        ANONYMOUS,
        another(None),
        Ok("user 3 v1 bob - - customer active g1 hash
            user_created user=3 role=customer"),
    );
}

#[test]
fn a_closed_shop_takes_whom_it_invites_and_whom_it_needs() {
    let invited = |founding| CreateUser { founding, by_invitation: true, ..account("eve", None) };
    let shop = shop();
    for founding in [Founding::Nothing, Founding::FirstAccount, Founding::Code] {
        for actor in [ANONYMOUS, CLEO, STAFF] {
            check(&shop, actor, invited(founding), Err(Rejection::RegistrationClosed));
        }
        super::do_as(&mut shop.clone(), ADMIN, invited(founding));
    }
    let empty = Shop::default();
    check(&empty, ANONYMOUS, invited(Founding::Nothing), Err(Rejection::RegistrationClosed));
    for founding in [Founding::FirstAccount, Founding::Code] {
        super::do_as(&mut empty.clone(), ANONYMOUS, invited(founding));
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
