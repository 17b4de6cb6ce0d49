//! Who asks, and what follows from that alone.

use domain::{Actor, ApiKeyId, Context, Role, UserId};

const fn person(id: i64, role: Role) -> Actor {
    Actor { user_id: Some(UserId(id)), role, key: None }
}

const fn machine(id: i64, role: Role) -> Actor {
    Actor { user_id: None, role, key: Some(ApiKeyId(id)) }
}

const fn nobody(role: Role) -> Actor {
    Actor { user_id: None, role, key: None }
}

#[test]
fn everybody_known_has_idempotency_keys_of_their_own() {
    // The actor, whether they are known, and the number under which their keys are kept.
    let rows = [
        (person(7, Role::Customer), true, 7),
        (person(1, Role::Admin), true, 1),
        (machine(7, Role::Staff), true, -7),
        (machine(1, Role::Admin), true, -1),
        (nobody(Role::Customer), false, 0),
        (nobody(Role::Staff), false, 0),
        (Actor::SYSTEM, false, 0),
    ];
    for (actor, is_known, principal) in rows {
        assert_eq!((actor.is_known(), actor.principal()), (is_known, principal), "{actor:?}");
    }
}

#[test]
fn roles_are_what_they_say() {
    let rows = [(Role::Customer, false, false), (Role::Staff, true, false), (Role::Admin, true, true)];
    for (role, is_staff, is_admin) in rows {
        let actor = nobody(role);
        assert_eq!((actor.is_staff(), actor.is_admin()), (is_staff, is_admin), "{role:?}");
    }
}

#[test]
fn what_is_done_for_the_shop_is_audited_and_what_customers_do_is_not() {
    // The actor, whether it is told from where they ask, and whether there is a line.
    let rows = [
        (person(1, Role::Admin), true, true),
        (person(2, Role::Staff), true, true),
        (person(3, Role::Customer), true, false),
        (machine(4, Role::Staff), true, true),
        // A machine answers for itself wherever it is, and whatever it may do.
        (machine(4, Role::Staff), false, true),
        (machine(4, Role::Customer), true, true),
        (Actor::SYSTEM, true, true),
        (Actor::SYSTEM, false, false),
        (nobody(Role::Customer), true, false),
        (nobody(Role::Customer), false, false),
    ];
    for (actor, has_source, is_audited) in rows {
        let source = has_source.then(|| "192.0.2.7".into());
        let context = Context { actor, now_us: 1, request_id: "r1".into(), source };
        assert_eq!(context.is_audited(), is_audited, "{actor:?}, {has_source}");
    }
}
