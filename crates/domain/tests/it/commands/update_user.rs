//! [`UpdateUser`].

use domain::{Actor, Denial, Rejection, Role, UpdateUser, UserId};

use super::{ADMIN, ANONYMOUS, CLEO, CYD, STAFF, account, amend, do_as, shop};
use crate::shop::Shop;

#[track_caller]
fn check(actor: Actor, command: UpdateUser, expected: Result<&str, Rejection>) -> Shop {
    super::check(&shop(), actor, command, expected)
}

fn email(id: i64, email: Option<&str>) -> UpdateUser {
    UpdateUser { email: Some(email.map(str::to_owned)), ..amend(id) }
}

fn role(id: i64, role: Role) -> UpdateUser {
    UpdateUser { role: Some(role), ..amend(id) }
}

fn active(id: i64, is_active: bool) -> UpdateUser {
    UpdateUser { is_active: Some(is_active), ..amend(id) }
}

#[test]
fn people_change_their_own_name_and_address() {
    check(
        CLEO,
        UpdateUser { full_name: Some(Some("C".to_owned())), ..email(3, Some("c@y")) },
        Ok("user 3 v2 cleo c@y C customer active g1 hash
            user_updated user=3 version=2"),
    );
    check(
        CLEO,
        UpdateUser { full_name: Some(None), ..email(3, None) },
        Ok("user 3 v2 cleo - - customer active g1 hash
            user_updated user=3 version=2"),
    );
    // The address that was given up is free.
    let mut shop = check(
        STAFF,
        email(2, Some("s@y")),
        Ok("user 2 v2 sam s@y - staff active g1 hash
        user_updated user=2 version=2"),
    );
    do_as(&mut shop, CLEO, email(3, Some("sam@x")));
}

#[test]
fn administrators_change_all() {
    check(
        ADMIN,
        email(3, Some("c@y")),
        Ok("user 3 v2 cleo c@y Cleo C customer active g1 hash
            user_updated user=3 version=2"),
    );
    // Another role or none at all ends the sessions.
    check(
        ADMIN,
        role(3, Role::Staff),
        Ok("user 3 v2 cleo cleo@x Cleo C staff active g2 hash
            user_updated user=3 version=2"),
    );
    check(
        Actor::SYSTEM,
        active(3, false),
        Ok("user 3 v2 cleo cleo@x Cleo C customer inactive g2 hash
            user_updated user=3 version=2"),
    );
    check(
        ADMIN,
        active(5, true),
        Ok("user 5 v3 idle idle@x - customer active g3 hash
            user_updated user=5 version=3"),
    );
}

#[test]
fn leaves_alone_what_is_already_so() {
    check(CLEO, amend(3), Ok(""));
    let same = UpdateUser {
        if_version: Some(1),
        full_name: Some(Some("Cleo C".to_owned())),
        role: Some(Role::Customer),
        is_active: Some(true),
        ..email(3, Some("cleo@x"))
    };
    check(CLEO, same.clone(), Ok(""));
    check(ADMIN, same, Ok(""));
    check(ADMIN, role(1, Role::Admin), Ok(""));
}

#[test]
fn refuses() {
    let not_found = |id| Err(Rejection::UserNotFound(UserId(id)));
    for actor in [CYD, STAFF, ANONYMOUS] {
        check(actor, amend(3), not_found(3));
    }
    check(ADMIN, amend(9), not_found(9));
    for new_role in [Role::Staff, Role::Admin] {
        check(CLEO, role(3, new_role), Err(Rejection::Forbidden(Denial::GrantRole)));
    }
    check(STAFF, role(2, Role::Customer), Err(Rejection::Forbidden(Denial::GrantRole)));
    check(CLEO, active(3, false), Err(Rejection::Forbidden(Denial::SetActive)));
    let outdated = UpdateUser { if_version: Some(2), ..amend(3) };
    check(CLEO, outdated, Err(Rejection::VersionMismatch { expected: 2, actual: 1 }));
    check(CLEO, email(3, Some("cyd@x")), Err(Rejection::EmailTaken("cyd@x".to_owned())));
    check(ADMIN, email(3, Some("idle@x")), Err(Rejection::EmailTaken("idle@x".to_owned())));
}

#[test]
fn somebody_stays_in_charge() {
    for last in [role(1, Role::Staff), role(1, Role::Customer), active(1, false)] {
        check(ADMIN, last.clone(), Err(Rejection::LastAdmin));
        check(Actor::SYSTEM, last.clone(), Err(Rejection::LastAdmin));
        // One who cannot log in is no help.
        let mut idle = shop();
        do_as(&mut idle, ADMIN, UpdateUser { is_active: Some(false), ..role(2, Role::Admin) });
        super::check(&idle, ADMIN, last.clone(), Err(Rejection::LastAdmin));
        let mut two = shop();
        do_as(&mut two, ADMIN, account("eve", Some(Role::Admin)));
        do_as(&mut two, ADMIN, last);
        super::check(&two, Actor::SYSTEM, active(6, false), Err(Rejection::LastAdmin));
    }
    check(
        ADMIN,
        email(1, Some("ada@y")),
        Ok("user 1 v2 ada ada@y - admin active g1 hash
            user_updated user=1 version=2"),
    );
}
