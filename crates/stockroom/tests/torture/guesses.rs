//! Somebody who guesses names by the clock: a wrong password for a name that there is takes as long as for one that
//! there is not.
//!
//! Registration is not asked: that a name is taken it must tell, and who tries many waits for it.
//!
//! How well the two are told apart is printed, and judged by `cargo xtask torture` alone: a busy machine is no failure of a
//! test.

use std::cmp::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::callers::PASSWORD;
use crate::http::Client;
use crate::place::run;
use crate::program::Place;
use crate::rounds::rounds;
use crate::server::Server;

/// Logins of a plain test run.
const FEW: usize = 24;
const DOORS: [&str; 3] = ["/api/v1/auth/login", "/compat/mini-order/login", "/compat/leafcraft/auth/login"];
/// Of logins with two names, how often the first takes longer, in thousandths: half of the time, give or take what chance
/// does.
const BAND: std::ops::RangeInclusive<usize> = 450..=550;

/// A name that somebody has, and one of the same length that nobody has. The last of those who exist is deactivated.
const PAIRS: [[&str; 2]; 3] =
    [["amelia", "nobody"], ["amelia@shop.example", "nobody@shop.example"], ["norman", "noland"]];
/// An account whose hash costs half of what the others cost: as if names without an account were compared with a hash
/// that has fallen behind.
const CHEAP: [&str; 2] = ["cheryl", "nobody"];
const HALF_THE_PASSES: &str =
    "$argon2id$v=19$m=19456,t=1,p=1$c3RvY2tyb29tIG5vYm9keQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// How long logins with names of two kinds took.
type Times = [Vec<Duration>; 2];

/// The area under the curve of whoever takes the slower one for the one that exists, in thousandths: 500 is a coin, 0 and
/// 1,000 are certain.
fn area([known, unknown]: &Times) -> usize {
    let points = |one: &Duration, other: &Duration| match one.cmp(other) {
        Ordering::Less => 0,
        Ordering::Equal => 1,
        Ordering::Greater => 2,
    };
    let won: usize =
        known.iter().map(|one| unknown.iter().map(|other| points(one, other)).sum::<usize>()).sum();
    won * 500 / (known.len() * unknown.len()).max(1)
}

/// How long it takes to be told that name and password do not fit.
fn guess(client: &mut Client, door: &str, name: &str) -> Duration {
    let body = json!({"username": name, "password": "wrong but long"});
    let asked = Instant::now();
    let answer = client.call("POST", door, Some(&body));
    let took = asked.elapsed();
    assert_eq!(answer.status, 401, "{door} {name}: {}", answer.text);
    took
}

/// So many logins at a door, in pairs of which now the one and now the other is first, so that a machine that becomes
/// slower does so for both.
fn guesses(client: &mut Client, door: &str, pairs: &[[&str; 2]], logins: usize) -> Times {
    let mut times = Times::default();
    for number in 0..logins / 2 {
        let names = pairs[number % pairs.len()];
        // Each pair is in either order as often.
        let first = number / pairs.len() % 2;
        for one in [first, 1 - first] {
            times[one].push(guess(client, door, names[one]));
        }
    }
    times
}

/// A shop where one account is deactivated and another has a hash of the wrong cost.
fn shop() -> Place {
    let place = Place::with_shop();
    for name in ["amelia", "norman", "cheryl"] {
        place.add_user(name, "admin", PASSWORD).succeeded();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let cheapen = format!("UPDATE users SET password_hash = '{HALF_THE_PASSES}' WHERE username = 'cheryl'");
    runtime.block_on(run(&place.database_url(), &[&cheapen]));
    place
}

#[test]
fn who_exists_is_not_told_by_the_clock() {
    let logins = rounds(FEW);
    let is_whole = logins > FEW;
    let place = shop();
    // The throttle counts, and lets everybody go on.
    let patience = ["--login-attempts-per-account", "100000", "--login-attempts-per-source", "100000"];
    let server = Server::start(&place, &patience);
    let mut admin = server.logged_in("amelia", PASSWORD);
    admin.call("PATCH", "/api/v1/users/2", Some(&json!({"is_active": false}))).expect(200);
    let mut client = server.client();
    let mut areas = Vec::new();
    for door in DOORS {
        // What is used for the first time is slow.
        guesses(&mut client, door, &PAIRS, 2 * PAIRS.len());
        areas.push(area(&guesses(&mut client, door, &PAIRS, logins / DOORS.len())));
    }
    let control = area(&guesses(&mut client, DOORS[0], &[CHEAP], logins.div_ceil(20).max(2)));
    assert_eq!(server.stop(), 0);
    println!("{areas:?} of 1000 at {DOORS:?}, {control} where hashes cost half");
    let worst = areas.iter().copied().max_by_key(|area| area.abs_diff(500)).unwrap();
    println!("torture guesses: {logins} logins, AUC 0.{worst:03}, control 0.{control:03}");
    assert!(!is_whole || BAND.contains(&worst), "names are told apart: {areas:?}");
    assert!(!is_whole || !BAND.contains(&control), "a hash of half the cost went unnoticed: {control}");
}

/// What is apart is measured so, however the two are mixed.
#[test]
fn times_that_are_apart_are_told_apart() {
    let times = |of: &[u64]| of.iter().copied().map(Duration::from_micros).collect::<Vec<_>>();
    let alike = times(&(0..100).map(|number| number * 37 % 100).collect::<Vec<_>>());
    assert_eq!(area(&[alike.clone(), alike.clone()]), 500);
    let later = alike.iter().map(|time| *time + Duration::from_micros(100)).collect::<Vec<_>>();
    assert_eq!(area(&[later.clone(), alike.clone()]), 1_000);
    assert_eq!(area(&[alike.clone(), later]), 0);
    // One in five is answered at once.
    let hurried = alike.iter().enumerate().map(|(at, time)| if at % 5 == 0 { Duration::ZERO } else { *time });
    assert!(!BAND.contains(&area(&[alike.clone(), hurried.collect()])));
    assert_eq!(area(&[times(&[1, 4]), times(&[2, 3, 4])]), 416);
}
