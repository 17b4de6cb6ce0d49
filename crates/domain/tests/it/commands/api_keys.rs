//! Keys of machines: who makes them, who ends them, and what a machine may not do whatever its key says.

use domain::{
    Actor, ApiKeyId, CreateApiKey, Denial, MAX_API_KEY_LIFE_DAYS, NoteApiKeyUse, Rejection, RevokeApiKey,
    RevokeSessions, Role, Scope, SetPassword, UpdateUser, UserId,
};

use super::{ADMIN, ANONYMOUS, CLEO, STAFF, account, amend, check, do_as, shop};
use crate::shop::Shop;

/// A machine that may do whatever an administrator may.
pub(super) const ROBOT: Actor = Actor { user_id: None, role: Role::Admin, key: Some(ApiKeyId(1)) };
const MACHINE: Rejection = Rejection::Forbidden(Denial::Machine);
const ROLE: Rejection = Rejection::Forbidden(Denial::Role);

pub(crate) fn new_key() -> CreateApiKey {
    let scopes = vec![Scope::Stock, Scope::Read, Scope::Stock];
    CreateApiKey { name: "till".to_owned(), digest: "d".to_owned(), role: Role::Staff, scopes, life_days: 90 }
}

fn with_key() -> Shop {
    let mut shop = shop();
    do_as(&mut shop, ADMIN, new_key());
    shop
}

#[test]
fn administrators_make_keys() {
    let made = "key 1 till d staff read+stock by 1 for 90 days
        api_key_created api_key_id=1";
    check(&shop(), ADMIN, new_key(), Ok(made));
    for (actor, refused) in
        [(STAFF, ROLE), (CLEO, ROLE), (ANONYMOUS, ROLE), (Actor::SYSTEM, ROLE), (ROBOT, MACHINE)]
    {
        check(&shop(), actor, new_key(), Err(refused));
    }
    check(&shop(), ADMIN, CreateApiKey { role: Role::Customer, ..new_key() }, Err(MACHINE));
    let range = |field, max| Rejection::OutOfRange { field, line: None, min: 1, max };
    check(&shop(), ADMIN, CreateApiKey { scopes: Vec::new(), ..new_key() }, Err(range("scopes", 5)));
    for life_days in [0, -1, MAX_API_KEY_LIFE_DAYS + 1, i64::MAX] {
        let refused = Err(range("expires_in_days", MAX_API_KEY_LIFE_DAYS));
        check(&shop(), ADMIN, CreateApiKey { life_days, ..new_key() }, refused);
    }
}

#[test]
fn administrators_revoke_keys() {
    let revoke = |id| RevokeApiKey { id: ApiKeyId(id) };
    let revoked = check(
        &with_key(),
        ADMIN,
        revoke(1),
        Ok("key 1 till d staff read+stock by 1 for 90 days revoked
            api_key_revoked api_key_id=1"),
    );
    check(&revoked, ADMIN, revoke(1), Ok(""));
    check(&with_key(), ADMIN, revoke(2), Err(Rejection::ApiKeyNotFound(ApiKeyId(2))));
    for (actor, refused) in [(STAFF, ROLE), (CLEO, ROLE), (ANONYMOUS, ROLE), (ROBOT, MACHINE)] {
        check(&with_key(), actor, revoke(1), Err(refused));
    }
    check(&with_key(), Actor::SYSTEM, NoteApiKeyUse { id: ApiKeyId(1), at_us: 7 }, Ok("key 1 used at 7"));
}

#[test]
fn keys_die_with_the_rights_of_their_maker() {
    for change in [
        UpdateUser { role: Some(Role::Staff), ..amend(1) },
        UpdateUser { role: Some(Role::Customer), ..amend(1) },
        UpdateUser { is_active: Some(false), ..amend(1) },
    ] {
        let mut shop = with_key();
        do_as(&mut shop, Actor::SYSTEM, account("eve", Some(Role::Admin)));
        assert!(shop.api_keys[&ApiKeyId(1)].revoked_at_us.is_none());
        do_as(&mut shop, Actor::SYSTEM, change);
        assert!(shop.api_keys[&ApiKeyId(1)].revoked_at_us.is_some());
        // For good.
        let back = UpdateUser { role: Some(Role::Admin), is_active: Some(true), ..amend(1) };
        do_as(&mut shop, Actor::SYSTEM, back);
        assert!(shop.api_keys[&ApiKeyId(1)].revoked_at_us.is_some());
    }
    // Not with a change of name, and not with somebody else.
    let mut shop = with_key();
    do_as(&mut shop, ADMIN, UpdateUser { full_name: Some(Some("Ada A".to_owned())), ..amend(1) });
    do_as(&mut shop, ADMIN, UpdateUser { is_active: Some(false), ..amend(2) });
    assert!(shop.api_keys[&ApiKeyId(1)].revoked_at_us.is_none());
}

#[test]
fn machines_make_and_edit_customers_and_nobody_else() {
    let made = "user 6 v1 eve eve@x - customer active g1 hash
        user_created user=6 role=customer";
    check(&shop(), ROBOT, account("eve", None), Ok(made));
    for role in [Role::Staff, Role::Admin] {
        let refused = Err(Rejection::Forbidden(Denial::GrantRole));
        check(&shop(), ROBOT, account("eve", Some(role)), refused);
        check(&shop(), ROBOT, UpdateUser { role: Some(role), ..amend(3) }, Err(MACHINE));
    }
    check(
        &shop(),
        ROBOT,
        UpdateUser { is_active: Some(false), ..amend(3) },
        Ok("user 3 v2 cleo cleo@x Cleo C customer inactive g2 hash
            user_updated user=3 version=2"),
    );
    for id in [1, 2] {
        check(&shop(), ROBOT, UpdateUser { full_name: Some(None), ..amend(id) }, Err(MACHINE));
    }
    for user_id in [1, 2, 3].map(UserId) {
        let password = SetPassword { user_id, seen_generation: None, password_hash: "new".to_owned() };
        check(&shop(), ROBOT, password, Err(MACHINE));
        check(&shop(), ROBOT, RevokeSessions { user_id }, Err(MACHINE));
    }
}
