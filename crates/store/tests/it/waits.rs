//! Orders that might wait for ever get an end when the shop sets one: each once, whoever else gives it or changes the order.

use crate::shop::{Batch, Shop, act, new_order};
use domain::{
    Action, Command, Context, Decision, Keys, LimitWaits, Order, OrderId, OrderState, PlaceOrder,
    PlacingTerms, Rejection, Snapshot, Status,
};
use std::collections::BTreeMap;
use store::{Store, Waiting};
use tokio::task::JoinSet;

const MINUTE: i64 = 60_000_000;

/// Pending orders of one piece each, that may wait for ever.
async fn endless_orders(shop: &Shop, count: i64) -> Vec<OrderId> {
    let product = shop.product("A", count).await.id;
    let mut batch = Batch::default();
    let order = || new_order(None, &[(product, 1)]);
    let tickets: Vec<_> = (0..count).map(|_| batch.add(shop.context(), order())).collect();
    shop.decide(batch).await;
    tickets.into_iter().map(|ticket| ticket.get().unwrap().order.id).collect()
}

async fn order(shop: &Shop, id: OrderId) -> Order {
    shop.store.order(id).await.unwrap().unwrap().order
}

#[tokio::test]
async fn those_that_wait_are_looked_at_in_portions() {
    let shop = Shop::new().await;
    let ids = endless_orders(&shop, 7).await;
    shop.act(ids[1], Action::Confirm).await;
    shop.act(ids[6], Action::Cancel).await;
    let product = shop.product("B", 1).await.id;
    let terms = PlacingTerms { pending_life_us: Some(MINUTE), ..PlacingTerms::default() };
    let ended = PlaceOrder { terms, ..new_order(None, &[(product, 1)]) };
    let ended = shop.run(ended).await.unwrap().order.id;
    let look = |after: i64| shop.store.pending_orders(OrderId(after), 3);
    let waiting = |endless: &[OrderId], last| Waiting { endless: endless.to_vec(), last };
    assert_eq!(look(0).await.unwrap(), waiting(&[ids[0], ids[2], ids[3]], Some(ids[3])));
    assert_eq!(look(ids[3].0).await.unwrap(), waiting(&[ids[4], ids[5]], Some(ended)));
    assert_eq!(look(ended.0).await.unwrap(), waiting(&[], None));
    let limit = LimitWaits { order_ids: ids.clone(), life_us: MINUTE };
    assert_eq!(shop.run(limit).await.unwrap(), [ids[0], ids[2], ids[3], ids[4], ids[5]]);
    assert_eq!(look(0).await.unwrap(), waiting(&[], Some(ids[3])));
    let given = order(&shop, ids[0]).await;
    assert_eq!((given.version, given.expires_at_us.is_some()), (2, true));
    // What others kept of it is out of date.
    let last = shop.store.changes(None).await.unwrap().last;
    let touched = shop.store.changes(Some(last - 5)).await.unwrap().touched;
    assert!(
        touched.orders.iter().map(|(id, _)| *id).eq([ids[0], ids[2], ids[3], ids[4], ids[5]]),
        "{touched:?}"
    );
    shop.assert_sound().await;
}

/// Gives an end to whatever had none when somebody looked.
struct ForgetsToLook(LimitWaits);

impl Command for ForgetsToLook {
    type Outcome = Vec<OrderId>;

    fn word(&self) -> &'static str {
        self.0.word()
    }

    fn keys(&self, context: &Context) -> Keys {
        self.0.keys(context)
    }

    fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Decision<Vec<OrderId>>, Rejection> {
        let mut seen = snapshot.clone();
        for order in seen.orders.values_mut().flatten() {
            (order.state, order.expires_at_us) = (OrderState::Pending, None);
        }
        self.0.decide(&seen, context)
    }
}

/// Several servers find the same orders, each by its own clock, while others confirm and cancel some of them. Tells who gave
/// which end.
async fn contend<S>(shop: &Shop, ids: &[OrderId], limit: impl Fn(LimitWaits) -> S) -> Vec<(OrderId, i64)>
where
    S: Command<Outcome = Vec<OrderId>> + Send + 'static,
{
    let mut servers = JoinSet::new();
    for server in 0..5 {
        let store = Store::new(shop.database.clone());
        let mut batches = Vec::new();
        for part in ids.chunks(6) {
            let (mut batch, mut limits) = (Batch::default(), Vec::new());
            let context = Context { now_us: MINUTE + server, ..shop.context() };
            if server < 3 {
                let order_ids = part.to_vec();
                limits.push(batch.add(context, limit(LimitWaits { order_ids, life_us: MINUTE })));
            } else {
                let action = if server == 3 { Action::Confirm } else { Action::Cancel };
                for id in part.iter().filter(|id| id.0 % 5 == server) {
                    drop(batch.add(context.clone(), act(*id, action)));
                }
            }
            batches.push((batch, limits));
        }
        servers.spawn(async move {
            let mut given = Vec::new();
            for (mut batch, limits) in batches {
                let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
                store.write(&mut batch.jobs, |_| (), deadline).await;
                let ids = limits.into_iter().flat_map(|limit| limit.get().unwrap_or_default());
                given.extend(ids.map(|id| (id, 2 * MINUTE + server)));
            }
            given
        });
    }
    servers.join_all().await.into_iter().flatten().collect()
}

/// What is wrong afterwards.
async fn faults(shop: &Shop, ids: &[OrderId], told: &[(OrderId, i64)]) -> Vec<String> {
    let mut ends = BTreeMap::<_, Vec<_>>::new();
    for (id, end) in told {
        ends.entry(*id).or_default().push(*end);
    }
    let mut faults = Vec::new();
    for id in ids {
        let (order, given) = (order(shop, *id).await, ends.remove(id).unwrap_or_default());
        let is_right = match (order.status(), given.as_slice()) {
            (Status::Pending, [end]) => order.expires_at_us == Some(*end) && order.version == 2,
            (Status::Confirmed | Status::Cancelled, [] | [_]) => {
                order.expires_at_us.is_none() && order.version == 2 + i64::try_from(given.len()).unwrap()
            }
            _ => false,
        };
        if !is_right {
            faults.push(format!("{given:?} was told of {order:?}"));
        }
    }
    faults.extend(shop.verify().await.discrepancies.iter().map(|one| one.finding.clone()));
    faults
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_order_gets_one_end_whoever_finds_it() {
    let shop = Shop::new().await;
    let ids = endless_orders(&shop, 90).await;
    let told = contend(&shop, &ids, |limit| limit).await;
    assert_eq!(faults(&shop, &ids, &told).await, [""; 0]);
    shop.assert_sound().await;
    // Whoever does not look again is found out by the same.
    let shop = Shop::new().await;
    let ids = endless_orders(&shop, 90).await;
    let told = contend(&shop, &ids, ForgetsToLook).await;
    assert!(!faults(&shop, &ids, &told).await.is_empty());
}
