//! Time is an argument here, so a night of guessing takes no longer than anything else.

use super::*;

const ALLOWANCE: Allowance = Allowance { per_account: 5, per_source: 20 };
const MALLORY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 66));
const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7));

fn throttle() -> Throttle {
    Throttle::new(ALLOWANCE)
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn address(number: u32) -> IpAddr {
    std::net::Ipv4Addr::from(0x0a00_0000 + number).into()
}

/// Tries a wrong password; the wait when it is too early.
fn wrong(throttle: &Throttle, name: &str, source: IpAddr, now: Instant) -> Option<u32> {
    throttle.begin(name, source, now).map(drop).err().map(|early| early.seconds)
}

fn log_in(throttle: &Throttle, name: &str, source: IpAddr, now: Instant) -> Result<(), TooEarly> {
    throttle.begin(name, source, now).map(|attempt| throttle.right(attempt))
}

/// How many passwords somebody compares within `long` who knocks every second, each time from the next of so many
/// addresses, and at the name that `name` makes of the number of the attempt.
fn guesses(throttle: &Throttle, addresses: u32, long: Duration, name: impl Fn(u32) -> String) -> u32 {
    let start = Instant::now();
    let knocks = u32::try_from(long.as_secs()).unwrap();
    let begun = (0..knocks).filter(|knock| {
        let now = start + seconds(u64::from(*knock));
        wrong(throttle, &name(*knock), address(knock % addresses), now).is_none()
    });
    u32::try_from(begun.count()).unwrap()
}

#[test]
fn waits_double_up_to_a_minute_and_are_never_longer() {
    let (throttle, mut now) = (throttle(), Instant::now());
    for _ in 0..ALLOWANCE.per_account {
        assert_eq!(wrong(&throttle, "root", MALLORY, now), None);
    }
    let mut waits = Vec::new();
    for _ in 0..12 {
        let wait = wrong(&throttle, "ROOT", MALLORY, now).unwrap();
        waits.push(wait);
        // A moment early is too early, and leaves no mark.
        let early = now + seconds(u64::from(wait)) - Duration::from_millis(1);
        assert_eq!(wrong(&throttle, "root", MALLORY, early), Some(1));
        now += seconds(u64::from(wait));
        assert_eq!(wrong(&throttle, "root", MALLORY, now), None);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60]);
    // A right one is heard then, and a quarter of an hour later all is as it was.
    now += seconds(60);
    assert_eq!(log_in(&throttle, "root", MALLORY, now), Ok(()));
    now += FORGIVING;
    for _ in 0..ALLOWANCE.per_account {
        assert_eq!(wrong(&throttle, "root", HOME, now), None);
    }
    assert_eq!(wrong(&throttle, "root", HOME, now), Some(1));
}

#[test]
fn a_day_of_guessing_gets_nowhere() {
    let day = seconds(24 * 60 * 60);
    // One name from one address, one name from ever new addresses, ever new names from one address.
    for (addresses, names) in [(1, 1), (u32::MAX, 1), (1, u32::MAX)] {
        let made = guesses(&throttle(), addresses, day, |knock| format!("user{}", knock % names));
        assert!((1440..1500).contains(&made), "{addresses} {names}: {made}");
    }
}

#[test]
fn control_without_a_throttle_a_day_of_guessing_gets_far() {
    let none = Throttle::new(Allowance { per_account: 0, per_source: 0 });
    assert_eq!(guesses(&none, 1, seconds(86_400), |_| "root".to_owned()), 86_400);
    // Each half alone leaves the other way open.
    let by_account = Throttle::new(Allowance { per_source: 0, ..ALLOWANCE });
    assert_eq!(guesses(&by_account, 1, seconds(3600), |knock| format!("user{knock}")), 3600);
    let by_source = Throttle::new(Allowance { per_account: 0, ..ALLOWANCE });
    assert_eq!(guesses(&by_source, u32::MAX, seconds(3600), |_| "root".to_owned()), 3600);
}

#[test]
fn a_hundred_at_once_are_as_many_as_one_by_one() {
    let (throttle, now) = (throttle(), Instant::now());
    // None of them is settled while the others begin.
    let begun: Vec<_> = (0..100).filter_map(|_| throttle.begin("root", MALLORY, now).ok()).collect();
    assert_eq!(begun.len(), 5);
}

#[test]
fn right_passwords_count_for_nothing_and_excuse_nothing() {
    let (throttle, now) = (throttle(), Instant::now());
    for _ in 0..100 {
        assert_eq!(log_in(&throttle, "mallory", MALLORY, now), Ok(()));
    }
    // One's own account is no way to get more guesses at others.
    let mut made = 0;
    for guess in 0..100 {
        made += u32::from(wrong(&throttle, &format!("victim{guess}"), MALLORY, now).is_none());
        assert_eq!(log_in(&throttle, "mallory", MALLORY, now), Ok(()));
    }
    assert_eq!(made, ALLOWANCE.per_source);
}

#[test]
fn what_was_not_compared_did_not_happen() {
    let (throttle, now) = (throttle(), Instant::now());
    for _ in 0..100 {
        let attempt = throttle.begin("root", MALLORY, now).unwrap();
        throttle.undone(attempt);
    }
    // Also when others are at it meanwhile.
    let undone = throttle.begin("root", MALLORY, now).unwrap();
    assert_eq!(wrong(&throttle, "root", MALLORY, now), None);
    throttle.undone(undone);
    for _ in 0..4 {
        assert_eq!(wrong(&throttle, "root", MALLORY, now), None);
    }
    assert_eq!(wrong(&throttle, "root", MALLORY, now), Some(1));
}

#[test]
fn whoever_is_known_does_not_wait_for_others() {
    let (throttle, now) = (throttle(), Instant::now());
    assert_eq!(log_in(&throttle, "alice", HOME, now), Ok(()));
    // Others try her name from everywhere, and other names from her own address.
    for knock in 0..200 {
        _ = wrong(&throttle, "alice", address(knock), now);
        _ = wrong(&throttle, &format!("user{knock}"), HOME, now);
    }
    assert!(wrong(&throttle, "alice", MALLORY, now).is_some());
    assert!(wrong(&throttle, "bob", HOME, now).is_some());
    assert_eq!(log_in(&throttle, "Alice", HOME, now), Ok(()));
    // She gets no more guesses than anybody, though.
    for _ in 0..ALLOWANCE.per_account {
        assert_eq!(wrong(&throttle, "alice", HOME, now), None);
    }
    assert_eq!(wrong(&throttle, "alice", HOME, now), Some(1));
}

#[test]
fn a_network_of_ipv6_is_one_source() {
    let (throttle, now) = (throttle(), Instant::now());
    let within = |host: u16| IpAddr::from([0x2001, 0xdb8, 1, 2, 0, 0, 0, host]);
    let made = (0..100).filter(|host| wrong(&throttle, &format!("u{host}"), within(*host), now).is_none());
    assert_eq!(made.count(), 20);
    let beside = IpAddr::from([0x2001, 0xdb8, 1, 3, 0, 0, 0, 1]);
    assert_eq!(wrong(&throttle, "u", beside, now), None);
    let mapped = |last: u16| IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0xc633, last]);
    for _ in 0..20 {
        assert_eq!(throttle.new_account(mapped(1), now), Ok(()));
    }
    assert_eq!(throttle.new_account(mapped(1), now), Err(TooEarly { seconds: 1 }));
    assert_eq!(throttle.new_account(mapped(2), now), Ok(()));
}

#[test]
fn memory_is_bounded() {
    let (throttle, now) = (throttle(), Instant::now());
    for knock in 0..200_000 {
        _ = wrong(&throttle, &format!("user{knock}"), address(knock), now);
        _ = log_in(&throttle, &format!("other{knock}"), address(knock), now);
    }
    assert!(throttle.tallies.len() <= TALLIES && throttle.known.len() <= KNOWN);
}
