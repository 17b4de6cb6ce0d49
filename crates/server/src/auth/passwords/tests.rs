use std::time::{Duration, Instant};

use super::*;

#[tokio::test]
async fn hashes_and_compares() {
    let passwords = Passwords::new(2, 8);
    let hash = passwords.hash("correct horse").await.unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    assert_ne!(hash, passwords.hash("correct horse").await.unwrap(), "salted");
    assert_eq!(passwords.verify("correct horse", Some(&hash)).await, Ok(true));
    assert_eq!(passwords.verify("correct horsf", Some(&hash)).await, Ok(false));
    assert_eq!(passwords.verify("correct horse", None).await, Ok(false));
    assert!(matches!(passwords.verify("x", Some("no hash")).await, Err(PasswordError::Failed(_))));
}

#[tokio::test]
async fn nobody_costs_as_much_as_somebody() {
    let passwords = Passwords::new(1, 8);
    let hash = passwords.hash("correct horse").await.unwrap();
    let mut fastest = [Duration::MAX; 2];
    let are_alike = |[some, none]: [Duration; 2]| none * 2 > some && some * 2 > none;
    // On a busy machine it takes a while until each has had a moment without interruption.
    for round in 0..100 {
        if round >= 5 && are_alike(fastest) {
            break;
        }
        for (slot, hash) in [Some(hash.as_str()), None].into_iter().enumerate() {
            let start = Instant::now();
            assert_eq!(passwords.verify("wrong", hash).await, Ok(false));
            fastest[slot] = fastest[slot].min(start.elapsed());
        }
    }
    assert!(are_alike(fastest), "{fastest:?}");
}

#[tokio::test]
async fn the_queue_is_bounded_and_recovers() {
    let passwords = Passwords::new(1, 2);
    let mut all: Vec<_> = (0..8)
        .map(|_| {
            let passwords = passwords.clone();
            tokio::spawn(async move { passwords.hash("correct horse").await })
        })
        .collect();
    let mut busy = 0;
    for one in all.drain(..) {
        if one.await.unwrap() == Err(PasswordError::Busy) {
            busy += 1;
        }
    }
    assert_eq!(busy, 5);
    assert!(passwords.hash("correct horse").await.is_ok());
}

#[tokio::test]
async fn a_caller_who_leaves_keeps_its_turn_until_done() {
    let passwords = Passwords::new(1, 0);
    let left = tokio::time::timeout(Duration::from_micros(1), passwords.hash("correct horse")).await;
    assert!(left.is_err());
    while passwords.running.available_permits() == 0 {
        assert_eq!(passwords.hash("x").await, Err(PasswordError::Busy));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(passwords.hash("correct horse").await.is_ok());
}
