//! Orders whose time is up give back what they hold before anybody is refused for want of it, and what users hold is
//! kept exactly.

use crate::random_shop::{Random, random_shop};
use crate::shop::{Batch, Shop, act, actor, new_order};
use domain::{
    Action, Actor, Command, Context, Decision, ExpireOrders, Keys, Order, OrderId, PlaceOrder, PlacingTerms,
    ProductId, Rejection, Shortage, Snapshot, Status, User, UserId,
};
use std::sync::Arc;
use store::{Store, Verdict};
use tokio::task::JoinSet;

const MINUTE: i64 = 60_000_000;

/// An order that may wait for so long.
fn waiting(life_us: i64, order: PlaceOrder) -> PlaceOrder {
    PlaceOrder { terms: PlacingTerms { pending_life_us: Some(life_us), ..order.terms }, ..order }
}

/// An order of a customer who may have so many open.
fn limited(most: i64, order: PlaceOrder) -> PlaceOrder {
    PlaceOrder { terms: PlacingTerms { max_open_orders: Some(most), ..order.terms }, ..order }
}

/// Puts the clock forward.
fn pass(shop: &Shop, us: i64) {
    shop.now_us.fetch_add(us, std::sync::atomic::Ordering::Relaxed);
}

async fn order(shop: &Shop, id: OrderId) -> Order {
    shop.store.order(id).await.unwrap().unwrap().order
}

async fn status(shop: &Shop, id: OrderId) -> Status {
    order(shop, id).await.status()
}

/// Orders and pieces that are kept for a user.
async fn holds(shop: &Shop, user: &User) -> Vec<(i64, i64)> {
    let sql = format!("SELECT h.orders, h.units FROM customer_holds h WHERE h.user_id = {}", user.id.0);
    shop.query(&sql).await.iter().map(|row| (row.int(0).unwrap(), row.int(1).unwrap())).collect()
}

/// Whoever needs what an expired order holds gets it, in the commit in which that order ends.
#[tokio::test]
async fn expired_orders_give_way_to_those_who_need_their_stock() {
    let shop = Shop::new().await;
    let (a, b) = (shop.product("A", 3).await.id, shop.product("B", 3).await.id);
    let mut held = Vec::new();
    for (life, lines) in [(MINUTE, [(a, 2)]), (MINUTE, [(b, 2)]), (5 * MINUTE, [(b, 1)]), (MINUTE, [(a, 1)])]
    {
        held.push(shop.run(waiting(life, new_order(None, &lines))).await.unwrap().order.id);
    }
    let wanted = || new_order(None, &[(a, 2), (b, 2)]);
    let short = |id, available| Shortage { product_id: id, requested: 2, available };
    let refused = Rejection::InsufficientStock(vec![short(a, 0), short(b, 0)]);
    assert_eq!(shop.run(wanted()).await.unwrap_err(), refused);
    pass(&shop, MINUTE);
    let last = shop.store.events(0, 100).await.unwrap().last().unwrap().id;
    let placed = shop.run(wanted()).await.unwrap().order;
    let mut states = Vec::new();
    for id in &held {
        states.push(status(&shop, *id).await);
    }
    assert_eq!(states, [Status::Cancelled, Status::Cancelled, Status::Pending, Status::Cancelled]);
    assert_eq!((shop.level(a).await, shop.level(b).await), ((3, 2), (3, 3)));
    let events = shop.store.events(last, 100).await.unwrap();
    let told: Vec<_> =
        events.iter().map(|event| (event.kind.as_str(), event.order_id, event.actor_id)).collect();
    let cancelled = |id: OrderId| ("order_cancelled", Some(id), None);
    let [first, second, _, fourth] = held[..] else { panic!("{held:?}") };
    assert_eq!(
        told.iter().filter(|event| event.0 != "stock_ran_low").copied().collect::<Vec<_>>(),
        [cancelled(first), cancelled(second), cancelled(fourth), ("order_placed", Some(placed.id), None)]
    );
    assert!(events.iter().all(|event| event.request_id == events[0].request_id));
    shop.assert_sound().await;
}

/// What is over is over, also when that is not enough; and what is not over is nobody else's.
#[tokio::test]
async fn what_is_not_enough_is_given_back_as_well() {
    let shop = Shop::new().await;
    let a = shop.product("A", 3).await.id;
    let over = shop.run(waiting(MINUTE, new_order(None, &[(a, 1)]))).await.unwrap().order.id;
    let not_over = shop.run(waiting(3 * MINUTE, new_order(None, &[(a, 2)]))).await.unwrap().order.id;
    pass(&shop, 2 * MINUTE);
    let short = Shortage { product_id: a, requested: 2, available: 1 };
    let refused = shop.run(new_order(None, &[(a, 2)])).await.unwrap_err();
    assert_eq!(refused, Rejection::InsufficientStock(vec![short]));
    assert_eq!(status(&shop, over).await, Status::Cancelled);
    assert_eq!(status(&shop, not_over).await, Status::Pending);
    // Confirming an order that takes its stock then asks for it just the same.
    let late = PlaceOrder { allocate_at: domain::AllocateAt::Confirmation, ..new_order(None, &[(a, 3)]) };
    let late = shop.run(late).await.unwrap().order.id;
    assert!(shop.run(act(late, Action::Confirm)).await.is_err());
    pass(&shop, MINUTE);
    shop.act(late, Action::Confirm).await;
    assert_eq!(status(&shop, not_over).await, Status::Cancelled);
    shop.assert_sound().await;
}

/// Many wait behind many of another product, and most commands of the batch find nothing left.
#[tokio::test]
async fn all_that_has_expired_is_found_however_much_that_is() {
    const MANY: usize = 450;
    let shop = Shop::new().await;
    let (a, b) = (shop.product("A", 450).await.id, shop.product("B", 450).await.id);
    for id in [b, a] {
        let mut batch = Batch::default();
        for _ in 0..MANY {
            batch.add(shop.context(), waiting(MINUTE, new_order(None, &[(id, 1)])));
        }
        shop.decide(batch).await;
    }
    pass(&shop, MINUTE);
    let mut batch = Batch::default();
    let greedy = batch.add(shop.context(), new_order(None, &[(a, 451)]));
    let whole = batch.add(shop.context(), new_order(None, &[(a, 450)]));
    let none = batch.add(shop.context(), new_order(None, &[(a, 1)]));
    let other = batch.add(shop.context(), new_order(None, &[(b, 1)]));
    shop.decide(batch).await;
    assert!(greedy.get().is_err() && whole.get().is_ok() && none.get().is_err());
    assert!(other.get().is_ok());
    assert_eq!(shop.level(a).await, (450, 450));
    assert_eq!(shop.level(b).await, (450, 1));
    assert!(shop.store.expired_orders(i64::MAX, 10).await.unwrap().is_empty());
    shop.assert_sound().await;
}

/// The commands of a batch are of different moments; each counts as expired what is, at its own.
#[tokio::test]
async fn each_command_of_a_batch_has_its_own_time() {
    let shop = Shop::new().await;
    let a = shop.product("A", 1).await.id;
    let mut context = shop.context();
    context.now_us = 0;
    let mut batch = Batch::default();
    batch.add(context, waiting(10 * MINUTE, new_order(None, &[(a, 1)])));
    shop.decide(batch).await;
    let mut batch = Batch::default();
    let mut at = |now_us| {
        let context = Context { now_us, ..shop.context() };
        batch.add(context, new_order(None, &[(a, 1)]))
    };
    let tickets = [at(MINUTE), at(10 * MINUTE - 1), at(10 * MINUTE), at(20 * MINUTE)];
    shop.decide(batch).await;
    assert_eq!(tickets.map(|ticket| ticket.get().is_ok()), [false, false, true, false]);
    shop.assert_sound().await;
}

#[tokio::test]
async fn expired_orders_of_a_customer_do_not_count_against_their_limit() {
    let shop = Shop::new().await;
    let a = shop.product("A", 9).await.id;
    let (ann, bob) = (shop.user("Ann").await, shop.user("Bob").await);
    let one = || limited(2, waiting(MINUTE, new_order(None, &[(a, 1)])));
    for user in [&ann, &ann, &bob] {
        shop.run_as(actor(user), one()).await.unwrap();
    }
    assert_eq!(holds(&shop, &ann).await, [(2, 2)]);
    let refused = Rejection::TooManyOpenOrders { user_id: ann.id, limit: 2, open: 2 };
    assert_eq!(shop.run_as(actor(&ann), one()).await.unwrap_err(), refused);
    pass(&shop, MINUTE);
    let placed = shop.run_as(actor(&ann), one()).await.unwrap().order.id;
    assert_eq!(holds(&shop, &ann).await, [(1, 1)]);
    // Nobody needed what Bob's holds.
    assert_eq!(holds(&shop, &bob).await, [(1, 1)]);
    assert_eq!(shop.store.expired_orders(i64::MAX, 9).await.unwrap(), [OrderId(3), placed]);
    shop.assert_sound().await;
}

#[tokio::test]
async fn what_users_hold_is_kept_until_the_last_order_is_closed() {
    let shop = Shop::new().await;
    let a = shop.product("A", 50).await.id;
    let ann = shop.user("Ann").await;
    shop.place(None, &[(a, 1)]).await;
    assert!(shop.ints("SELECT COUNT(*) FROM customer_holds").await == [0], "nobody's orders are nobody's");
    let first = shop.place(Some(ann.id), &[(a, 2)]).await.id;
    let second = shop.place(Some(ann.id), &[(a, 3)]).await.id;
    shop.act(first, Action::Confirm).await;
    assert_eq!(holds(&shop, &ann).await, [(2, 5)]);
    shop.act(first, Action::Pay).await;
    assert_eq!(holds(&shop, &ann).await, [(1, 3)]);
    shop.act(second, Action::Cancel).await;
    assert!(holds(&shop, &ann).await.is_empty());
    // Within one batch: placed and paid, placed and kept, an older one closed.
    let third = shop.place(Some(ann.id), &[(a, 4)]).await.id;
    let mut batch = Batch::default();
    batch.add(shop.context(), new_order(Some(ann.id), &[(a, 5)]));
    batch.add(shop.context(), act(OrderId(third.0 + 1), Action::Pay));
    batch.add(shop.context(), new_order(Some(ann.id), &[(a, 6)]));
    batch.add(shop.context(), act(third, Action::Cancel));
    shop.decide(batch).await;
    assert_eq!(holds(&shop, &ann).await, [(1, 6)]);
    shop.assert_sound().await;
}

#[tokio::test]
async fn orders_from_before_are_counted_as_if_holds_had_always_been_kept() {
    let (shop, _) = random_shop().await;
    let sql = "SELECT h.user_id, h.orders, h.units FROM customer_holds h ORDER BY h.user_id";
    let kept = shop.query(sql).await;
    assert!(kept.len() > 3, "{}", kept.len());
    shop.sabotage("DELETE FROM customer_holds").await;
    assert_eq!(shop.verify().await.discrepancies.len(), kept.len());
    let script = include_str!("../../migrations/0009_holds_and_expiry.sql");
    let filling = script.split(';').map(str::trim).find(|sql| sql.starts_with("INSERT INTO customer_holds"));
    let mut transaction = shop.database.begin().await.unwrap();
    transaction.execute_dynamic(filling.unwrap(), &[]).await.unwrap();
    transaction.commit().await.unwrap();
    assert!(shop.query(sql).await == kept);
    shop.assert_sound().await;
}

/// A limit that believes what somebody saw earlier.
struct BelievesWhatWasSeen(PlaceOrder);

impl Command for BelievesWhatWasSeen {
    type Outcome = domain::OrderPlaced;

    fn word(&self) -> &'static str {
        "order.expire"
    }

    fn keys(&self, context: &Context) -> Keys {
        self.0.keys(context)
    }

    fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Decision<Self::Outcome>, Rejection> {
        let mut seen = snapshot.clone();
        seen.holds.values_mut().for_each(|holds| *holds = domain::Holds::default());
        self.0.decide(&seen, context)
    }
}

/// Several servers, each with orders of the same customer at once; how many were placed.
async fn hoard<C>(shop: &Shop, ann: &User, make: impl Fn() -> C) -> usize
where
    C: Command<Outcome = domain::OrderPlaced> + Send + 'static,
{
    let mut servers = JoinSet::new();
    for _ in 0..4 {
        let store = Store::new(shop.database.clone());
        let batches: Vec<_> = (0..6)
            .map(|_| {
                let mut batch = Batch::default();
                let tickets: Vec<_> =
                    (0..3).map(|_| batch.add(shop.context_of(actor(ann)), make())).collect();
                (batch, tickets)
            })
            .collect();
        servers.spawn(async move {
            let mut placed = 0;
            for (mut batch, tickets) in batches {
                let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
                let written = store.write(&mut batch.jobs, |_| (), deadline).await;
                assert!(
                    written.verdicts.iter().all(|verdict| matches!(verdict, Verdict::Decided)),
                    "{written:?}"
                );
                placed += tickets.iter().filter(|ticket| ticket.get().is_ok()).count();
            }
            placed
        });
    }
    servers.join_all().await.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_limit_is_exact_whoever_else_writes() {
    let shop = Shop::new().await;
    let a = shop.product("A", 1000).await.id;
    let ann = shop.user("Ann").await;
    let order = move || limited(10, new_order(None, &[(a, 2)]));
    assert_eq!(hoard(&shop, &ann, order).await, 10);
    assert_eq!(holds(&shop, &ann).await, [(10, 20)]);
    shop.assert_sound().await;
    // The same with a limit that looks too early would be noticed.
    let bob = shop.user("Bob").await;
    assert!(hoard(&shop, &bob, || BelievesWhatWasSeen(order())).await > 10);
}

/// A sweeper that saw the orders and never looks again.
struct ForgetsToLook(Vec<OrderId>);

impl Command for ForgetsToLook {
    type Outcome = Vec<OrderId>;

    fn word(&self) -> &'static str {
        "order.expire"
    }

    fn keys(&self, context: &Context) -> Keys {
        ExpireOrders { order_ids: self.0.clone() }.keys(context)
    }

    fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Decision<Vec<OrderId>>, Rejection> {
        let mut seen = snapshot.clone();
        for order in seen.orders.values_mut().flatten() {
            (order.state, order.payment, order.expires_at_us) =
                (domain::OrderState::Pending, domain::Payment::Unpaid, Some(0));
        }
        ExpireOrders { order_ids: self.0.clone() }.decide(&seen, context)
    }
}

/// What somebody was told of an order: that it was confirmed, cancelled, or has expired.
type Told = Vec<(OrderId, &'static str)>;

/// Writes what each of several servers does to the orders, all at the same time, and tells what came of it.
async fn contend<S>(shop: &Shop, ids: &[OrderId], sweep: impl Fn(Vec<OrderId>) -> S) -> Told
where
    S: Command<Outcome = Vec<OrderId>> + Send + 'static,
{
    let mut servers = JoinSet::new();
    for server in 0..6_u64 {
        let (mut random, store) = (Random::new(server + 1), Store::new(shop.database.clone()));
        let mut ids = ids.to_vec();
        for last in (1..ids.len()).rev() {
            let other = usize::try_from(random.below(i64::try_from(last + 1).unwrap())).unwrap();
            ids.swap(last, other);
        }
        let mut batches = Vec::new();
        for part in ids.chunks(5) {
            let (mut batch, mut changes, mut sweeps) = (Batch::default(), Vec::new(), Vec::new());
            // Half of the orders are over for the one, and not yet for the other: clocks differ.
            let early = Context { now_us: MINUTE / 2, ..shop.context() };
            let late = Context { now_us: 2 * MINUTE, ..shop.context() };
            match server % 3 {
                0 => sweeps.push(batch.add(late, sweep(part.to_vec()))),
                1 => changes.extend(
                    part.iter()
                        .map(|id| (*id, "confirmed", batch.add(early.clone(), act(*id, Action::Confirm)))),
                ),
                _ => changes.extend(
                    part.iter()
                        .map(|id| (*id, "cancelled", batch.add(late.clone(), act(*id, Action::Cancel)))),
                ),
            }
            batches.push((batch, changes, sweeps));
        }
        servers.spawn(async move {
            let mut told = Told::new();
            for (mut batch, changes, sweeps) in batches {
                let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
                let written = store.write(&mut batch.jobs, |_| (), deadline).await;
                if written.verdicts.iter().any(|verdict| matches!(verdict, Verdict::Failed(_))) {
                    // The second wall: the database refused what the rules should have.
                    told.push((OrderId(0), "failed"));
                    continue;
                }
                for (id, what, ticket) in changes {
                    told.extend(ticket.get().ok().filter(|changed| changed.changed).map(|_| (id, what)));
                }
                for sweep in sweeps {
                    told.extend(sweep.get().unwrap_or_default().into_iter().map(|id| (id, "expired")));
                }
            }
            told
        });
    }
    servers.join_all().await.into_iter().flatten().collect()
}

/// What is wrong after a contention over orders of one piece each.
async fn faults(shop: &Shop, ids: &[OrderId], told: &Told, product: ProductId) -> Vec<String> {
    let mut faults = Vec::new();
    let mut held = 0;
    for id in ids {
        let about: Vec<_> = told.iter().filter(|one| one.0 == *id).map(|one| one.1).collect();
        let order = order(shop, *id).await;
        let ended = about.iter().filter(|what| **what != "confirmed").count();
        // The owner may call off what was confirmed; nothing else may come twice, and time ends what waits alone.
        let is_told = match order.status() {
            Status::Pending => about.is_empty(),
            Status::Confirmed => about == ["confirmed"],
            Status::Cancelled => ended == 1 && !(about.contains(&"confirmed") && about.contains(&"expired")),
            _ => false,
        };
        if !is_told {
            faults.push(format!("order {} is {}, but {about:?} was told", id.0, order.status().word()));
        }
        held += order.items.iter().map(|item| item.allocated).sum::<i64>();
    }
    if shop.level(product).await.1 != held {
        faults.push(format!("orders hold {held} of {:?}", shop.level(product).await));
    }
    faults.extend(told.iter().filter(|one| one.1 == "failed").map(|_| "a batch failed".to_owned()));
    faults.extend(shop.verify().await.discrepancies.iter().map(|one| one.finding.clone()));
    faults
}

async fn shop_of_waiting_orders(count: i64) -> (Shop, ProductId, Vec<OrderId>) {
    let shop = Shop::new().await;
    let product = shop.product("A", count).await.id;
    let users = [Some(shop.user("Ann").await.id), Some(shop.user("Bob").await.id), None::<UserId>];
    let mut batch = Batch::default();
    let tickets: Vec<_> = (0_usize..)
        .zip(0..count)
        .map(|(at, _)| {
            let context = Context { now_us: 0, ..shop.context() };
            batch.add(context, waiting(MINUTE, new_order(users[at % 3], &[(product, 1)])))
        })
        .collect();
    shop.decide(batch).await;
    let ids = tickets.into_iter().map(|ticket| ticket.get().unwrap().order.id).collect();
    (shop, product, ids)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sweeping_confirming_and_cancelling_never_both_happen() {
    const ORDERS: i64 = 120;
    let (shop, product, ids) = shop_of_waiting_orders(ORDERS).await;
    let told = contend(&shop, &ids, |order_ids| ExpireOrders { order_ids }).await;
    assert_eq!(faults(&shop, &ids, &told, product).await, [""; 0]);
    for what in ["confirmed", "expired", "cancelled"] {
        assert!(told.iter().any(|one| one.1 == what), "nothing was {what}: {told:?}");
    }
    // A sweeper that does not look again is found out by the same.
    let (shop, product, ids) = shop_of_waiting_orders(ORDERS).await;
    let told = contend(&shop, &ids, ForgetsToLook).await;
    assert!(!faults(&shop, &ids, &told, product).await.is_empty());
}

/// Buyers of the last pieces, while the orders that hold them expire and are swept away.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_last_pieces_are_sold_once_while_orders_expire() {
    const PIECES: i64 = 90;
    let (shop, product, ids) = shop_of_waiting_orders(PIECES).await;
    let shop = Arc::new(shop);
    let mut servers = JoinSet::new();
    for server in 0..8_u64 {
        let (shop, ids) = (Arc::clone(&shop), ids.clone());
        servers.spawn(async move {
            let (store, mut bought) = (Store::new(shop.database.clone()), 0);
            for part in ids.chunks(10) {
                let mut batch = Batch::default();
                let late = Context { now_us: 2 * MINUTE, actor: Actor::SYSTEM, ..shop.context() };
                let sweep = ExpireOrders { order_ids: part.to_vec() };
                if server == 0 {
                    batch.add(late.clone(), sweep);
                }
                let one = || new_order(None, &[(product, 1)]);
                let tickets: Vec<_> = (0..3).map(|_| batch.add(late.clone(), one())).collect();
                let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
                let written = store.write(&mut batch.jobs, |_| (), deadline).await;
                assert!(
                    written.verdicts.iter().all(|verdict| matches!(verdict, Verdict::Decided)),
                    "{written:?}"
                );
                bought += tickets.iter().filter(|ticket| ticket.get().is_ok()).count();
            }
            bought
        });
    }
    let bought: usize = servers.join_all().await.into_iter().sum();
    assert_eq!(i64::try_from(bought).unwrap(), PIECES, "all that was held, and no more");
    assert_eq!(shop.level(product).await, (PIECES, PIECES));
    shop.assert_sound().await;
}
