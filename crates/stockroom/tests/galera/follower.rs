//! Somebody who follows the events on one node.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::http::Client;

/// Reads all events from the first on, page after page, until it is told that no more come and has seen the last. When its
/// server is away, it comes back.
pub(crate) fn follow(client: &mut Client, is_over: &AtomicBool) -> Vec<Value> {
    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        // Asked before reading: what was written by then is in the answer.
        let is_last = is_over.load(Ordering::Relaxed);
        let answer = client.call("GET", &format!("/api/v1/events?after={after}&limit=100"), None);
        if answer.status == 503 {
            sleep(Duration::from_millis(20));
            continue;
        }
        let page = answer.expect(200);
        let events = page["events"].as_array().unwrap();
        seen.extend(events.iter().cloned());
        after = page["next_after"].as_i64().unwrap();
        if events.is_empty() {
            if is_last {
                return seen;
            }
            sleep(Duration::from_millis(5));
        }
    }
}

/// That a follower has seen what there is, each event once and in order.
#[track_caller]
pub(crate) fn check_followed(seen: &[Value], all: &[Value]) {
    let gap = seen.iter().zip(1..).find(|(event, id)| event["id"] != *id);
    assert_eq!(gap, None, "an event was missed or came late");
    assert!(seen == all, "{} events were seen, and there are {}", seen.len(), all.len());
}
