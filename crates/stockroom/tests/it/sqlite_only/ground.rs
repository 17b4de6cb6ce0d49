//! A file that is taken away from under a server.

use crate::callers::furnish;
use crate::history::Ask;
use crate::http::{Answer, Client};
use crate::program::Place;
use crate::server::Server;

fn place_an_order(client: &mut Client, key: &str) -> Answer {
    let (path, body) = Ask::Place(vec![(1, 1)]).request();
    client.call_with_key("POST", &path, key, body.as_ref())
}

/// What a server writes into a file that has no name any more is gone when it ends.
#[test]
fn a_file_that_was_moved_or_replaced_takes_no_orders() {
    let place = Place::new();
    let token = furnish(&place, &[]);
    let server = Server::start(&place, &[]);
    let mut client = server.client().with_token(&token);
    let data = place.path().join("data");
    let (file, aside) = (data.join("stockroom.sqlite"), data.join("aside.sqlite"));
    client.get("/readyz");
    for replace in [false, true] {
        std::fs::rename(&file, &aside).unwrap();
        if replace {
            std::fs::copy(&aside, &file).unwrap();
        }
        let refusal = place_an_order(&mut client, "first");
        assert!(refusal.status == 503 && refusal.text.contains("STORAGE_FAILED"), "{}", refusal.text);
        assert_eq!(refusal.retry_after, Some(5));
        assert_eq!(client.call("GET", "/readyz", None).status, 503);
        client.get("/api/v1/products");
        std::fs::rename(&aside, &file).unwrap();
        client.get("/readyz");
    }
    place_an_order(&mut client, "first").expect(201);
    assert_eq!(server.stop(), 0);
    place.run(&["verify"]).succeeded();
}
