//! [`BeginSession`]; [`SetPassword`] and [`RevokeSessions`], which both end every session by raising the generation.

use domain::{Actor, BeginSession, Rejection, RevokeSessions, SetPassword, UserId};

use super::api_keys::ROBOT;
use super::{ADMIN, ANONYMOUS, CLEO, CYD, IDLE, STAFF, do_as, shop};

const OTHERS: [Actor; 3] = [CYD, STAFF, ANONYMOUS];

fn revoke(id: i64) -> RevokeSessions {
    RevokeSessions { user_id: UserId(id) }
}

#[track_caller]
fn check(actor: Actor, id: i64, seen_generation: Option<i64>, expected: Result<&str, Rejection>) {
    let user_id = UserId(id);
    let command = SetPassword { user_id, seen_generation, password_hash: "new".to_owned() };
    let mut shop = shop();
    // Cleo's second generation.
    do_as(&mut shop, CLEO, revoke(3));
    super::check(&shop, actor, command, expected);
}

#[test]
fn passwords_are_set() {
    let changed = "user 3 v3 cleo cleo@x Cleo C customer active g3 new
        password_changed user=3";
    check(CLEO, 3, Some(2), Ok(changed));
    check(CLEO, 3, None, Ok(changed));
    check(ADMIN, 3, None, Ok(changed));
    check(Actor::SYSTEM, 3, None, Ok(changed));
    // A proof from before the sessions ended is none.
    check(CLEO, 3, Some(1), Err(Rejection::CredentialsChanged));
    check(CLEO, 3, Some(3), Err(Rejection::CredentialsChanged));
    for actor in OTHERS {
        check(actor, 3, Some(2), Err(Rejection::UserNotFound(UserId(3))));
    }
    check(ADMIN, 9, None, Err(Rejection::UserNotFound(UserId(9))));
}

#[test]
fn sessions_are_revoked() {
    for actor in [CLEO, ADMIN, Actor::SYSTEM] {
        super::check(
            &shop(),
            actor,
            revoke(3),
            Ok("user 3 v2 cleo cleo@x Cleo C customer active g2 hash
                sessions_revoked user=3"),
        );
    }
    for actor in OTHERS {
        super::check(&shop(), actor, revoke(3), Err(Rejection::UserNotFound(UserId(3))));
    }
    super::check(&shop(), ADMIN, revoke(9), Err(Rejection::UserNotFound(UserId(9))));
}

/// Whoever proved to know the password begins a session of their own, unless something has ended it meanwhile.
#[test]
fn sessions_begin() {
    let begin = |id, seen_generation| BeginSession { user_id: UserId(id), seen_generation };
    for (actor, id) in [(ADMIN, 1), (STAFF, 2), (CLEO, 3)] {
        super::check(&shop(), actor, begin(id, 1), Ok(&format!("session of {id}")));
    }
    for actor in [ADMIN, CYD, STAFF, ANONYMOUS, Actor::SYSTEM, ROBOT] {
        super::check(&shop(), actor, begin(3, 1), Err(Rejection::UserNotFound(UserId(3))));
    }
    super::check(&shop(), CLEO, begin(9, 1), Err(Rejection::UserNotFound(UserId(9))));
    for seen in [0, 2] {
        super::check(&shop(), CLEO, begin(3, seen), Err(Rejection::CredentialsChanged));
    }
    // Idle has been deactivated, in the second generation.
    super::check(&shop(), IDLE, begin(5, 2), Err(Rejection::CredentialsChanged));
}
