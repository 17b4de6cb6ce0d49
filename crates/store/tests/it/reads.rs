//! Single rows, the ledger, events and accounts.

use crate::shop::{Shop, actor, new_order};
use domain::{
    Action, AdjustStock, MovementKind, OrderId, ProductId, RevokeSessions, Role, StockChange, StockLine,
    UpdateUser, UserId,
};
use store::{Page, Session, SortValue, Start};

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let shop = Shop::new().await;
    shop.store.ping().await.unwrap();
    assert_eq!(shop.store.product(ProductId(1)).await.unwrap(), None);
    assert_eq!(shop.store.order(OrderId(1)).await.unwrap(), None);
    assert_eq!(shop.store.user(UserId(1)).await.unwrap(), None);
    assert_eq!(shop.store.session(UserId(1)).await.unwrap(), None);
    assert_eq!(shop.store.user_by_login("ann").await.unwrap(), None);
    assert_eq!(shop.store.user_by_login("ann\0").await.unwrap(), None);
    assert!(shop.store.timeline(OrderId(1)).await.unwrap().is_empty());
    assert!(shop.store.events(0, 10).await.unwrap().is_empty());
    let page = Page { limit: 5, start: Start::Offset(0) };
    assert!(shop.store.movements(ProductId(1), &page).await.unwrap().rows.is_empty());
}

#[tokio::test]
async fn a_database_without_the_schema_does_not_answer() {
    let shop = Shop::new().await;
    shop.sabotage("DROP TABLE counters").await;
    assert!(shop.store.ping().await.is_err());
}

#[tokio::test]
async fn an_order_knows_its_user_and_its_items_in_order() {
    let shop = Shop::new().await;
    let ann = shop.user("Ann").await;
    let (a, b) = (shop.product("A", 10).await.id, shop.product("B", 10).await.id);
    let named = shop.place(Some(ann.id), &[(b, 1), (a, 2)]).await;
    let anonymous = shop.place(None, &[(a, 2)]).await;
    let view = shop.store.order(named.id).await.unwrap().unwrap();
    assert_eq!((view.user_name.as_deref(), &view.order), (Some("Ann"), &named));
    assert_eq!(view.order.items.iter().map(|item| item.product_id).collect::<Vec<_>>(), [b, a]);
    let view = shop.store.order(anonymous.id).await.unwrap().unwrap();
    assert_eq!((view.user_name, &view.order), (None, &anonymous));
    let full_name = Some(Some("Ann Ahn".to_owned()));
    let update =
        UpdateUser { user_id: ann.id, if_version: None, email: None, full_name, role: None, is_active: None };
    shop.run(update).await.unwrap();
    assert_eq!(shop.store.order(named.id).await.unwrap().unwrap().user_name.as_deref(), Some("Ann Ahn"));
}

#[tokio::test]
async fn the_ledger_says_who_and_why_latest_first() {
    let shop = Shop::new().await;
    let root = shop
        .run(domain::CreateUser { role: Some(Role::Staff), ..crate::shop::new_user("Root") })
        .await
        .unwrap();
    let (a, b) = (shop.product("A", 10).await.id, shop.product("B", 10).await.id);
    let line = StockLine {
        product_id: a,
        change: StockChange::Decrement(4),
        reason: Some("broken".to_owned()),
        note: Some("by rain".to_owned()),
    };
    shop.run_as(actor(&root), AdjustStock { lines: vec![line] }).await.unwrap();
    let order = shop.place(None, &[(b, 1), (a, 5)]).await;
    shop.act(order.id, Action::Cancel).await;

    let page = |limit, start| Page { limit, start };
    let all = shop.store.movements(a, &page(10, Start::Offset(0))).await.unwrap();
    assert!(!all.more);
    let told: Vec<_> = all
        .rows
        .iter()
        .map(|line| {
            (line.kind, line.on_hand_delta, line.allocated_delta, line.on_hand_after, line.allocated_after)
        })
        .collect();
    assert_eq!(
        told,
        [
            (MovementKind::Released, 0, -5, 6, 0),
            (MovementKind::Allocated, 0, 5, 6, 5),
            (MovementKind::Removed, -4, 0, 6, 0),
            (MovementKind::Opening, 10, 0, 10, 0),
        ]
    );
    let removed = &all.rows[2];
    assert_eq!((removed.product_id, removed.order_id, removed.actor_id), (a, None, Some(root.id)));
    assert_eq!(removed.actor_name.as_deref(), Some("Root"));
    assert_eq!((removed.reason.as_deref(), removed.note.as_deref()), (Some("broken"), Some("by rain")));
    assert_eq!(removed.request_id, format!("request-{}", removed.at_us));
    assert_eq!((all.rows[0].order_id, all.rows[0].actor_name.as_deref()), (Some(order.id), None));

    let first = shop.store.movements(a, &page(3, Start::Offset(0))).await.unwrap();
    assert_eq!((first.rows.as_slice(), first.more), (&all.rows[..3], true));
    let after = Start::After { value: SortValue::Int(first.rows[2].id), id: first.rows[2].id };
    let rest = shop.store.movements(a, &page(3, after)).await.unwrap();
    assert_eq!((rest.rows.as_slice(), rest.more), (&all.rows[3..], false));
    assert_eq!(shop.store.movements(a, &page(3, Start::Offset(3))).await.unwrap().rows, all.rows[3..]);
}

#[tokio::test]
async fn events_follow_one_another() {
    let shop = Shop::new().await;
    let ann = shop.user("Ann").await;
    let product = shop.product("A", 10).await.id;
    let order = shop.run_as(actor(&ann), new_order(None, &[(product, 2)])).await.unwrap().order;
    shop.act(order.id, Action::Pay).await;
    let all = shop.store.events(0, 100).await.unwrap();
    let kinds: Vec<_> = all.iter().map(|event| (event.id, &*event.kind)).collect();
    let expected = ["user_created", "product_created", "order_placed", "order_confirmed", "order_paid"];
    assert_eq!(kinds, (1..).zip(expected).collect::<Vec<_>>());
    let placed = &all[2];
    assert_eq!((placed.order_id, placed.product_id, placed.user_id), (Some(order.id), None, Some(ann.id)));
    assert_eq!((placed.actor_id, placed.actor_name.as_deref()), (Some(ann.id), Some("Ann")));
    assert_eq!(placed.payload, r#"{"total_amount_cents":500,"total_quantity":2}"#);
    assert_eq!(all[1].product_id, Some(product));
    assert_eq!(all[1].payload, r#"{"sku":"A"}"#);
    assert_eq!(shop.store.events(2, 2).await.unwrap(), all[2..4]);
    assert!(shop.store.events(5, 2).await.unwrap().is_empty());
    assert_eq!(shop.store.timeline(order.id).await.unwrap(), all[2..]);
}

#[tokio::test]
async fn logins_and_sessions() {
    let shop = Shop::new().await;
    let ann = shop.user("Ännchen").await;
    let bob = shop.user("bob").await;
    for login in ["Ännchen", "ännCHEN", "ännchen@example.com", "ÄNNCHEN@Example.COM"] {
        assert_eq!(shop.store.user_by_login(login).await.unwrap().unwrap().id, ann.id, "{login}");
    }
    for login in ["", "%", "bo_", "bob@example"] {
        assert_eq!(shop.store.user_by_login(login).await.unwrap(), None, "{login}");
    }
    // A login name that is somebody else's address.
    let odd = shop
        .run(domain::CreateUser { email: None, ..crate::shop::new_user("Bob@example.com") })
        .await
        .unwrap();
    assert_eq!(shop.store.user_by_login("bob@example.com").await.unwrap().unwrap().id, odd.id);
    let session = Session { role: Role::Customer, is_active: true, token_generation: 1 };
    assert_eq!(shop.store.session(bob.id).await.unwrap(), Some(session));
    shop.run(RevokeSessions { user_id: bob.id }).await.unwrap();
    assert_eq!(shop.store.session(bob.id).await.unwrap().unwrap().token_generation, 2);
}
