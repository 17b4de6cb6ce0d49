//! A request with a key is carried out once.

use crate::shop::{Batch, Shop, new_order, new_product};
use domain::{ForgetAnswers, OrderId, ProductId};
use std::sync::atomic::Ordering;
use store::{ANSWER_LIFE_US, IdempotencyKey, Verdict};

fn key(principal: i64, key: &str, fingerprint: &str, now_us: i64) -> Option<IdempotencyKey> {
    let (key, fingerprint) = (key.to_owned(), fingerprint.to_owned());
    Some(IdempotencyKey { principal, key, fingerprint, earliest_us: now_us, latest_us: now_us })
}

async fn shop() -> Shop {
    let shop = Shop::new().await;
    shop.product("A", 100).await;
    shop
}

/// Places an order of one piece under a key; what became of it, and how many orders there are now.
async fn place(shop: &Shop, key: Option<IdempotencyKey>) -> (Verdict, usize) {
    let mut batch = Batch::default();
    let ticket = batch.add_keyed(shop.context(), key, new_order(None, &[(ProductId(1), 1)]));
    let verdict = shop.write(&mut batch).await.remove(0);
    assert_eq!(ticket.is_untouched(), !matches!(verdict, Verdict::Decided));
    (verdict, shop.ints("SELECT id FROM orders").await.len())
}

fn replayed(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Replayed(answer) => {
            assert_eq!((answer.status, answer.etag.as_deref()), (201, Some("\"1\"")));
            assert_eq!(answer.location, None);
            Some(&answer.body)
        }
        _ => None,
    }
}

#[tokio::test]
async fn a_repetition_is_answered_and_not_carried_out() {
    let shop = shop().await;
    let (first, count) = place(&shop, key(7, "k", "same", 0)).await;
    assert!(matches!(first, Verdict::Decided) && count == 1);
    let (second, count) = place(&shop, key(7, "k", "same", 1)).await;
    let body = replayed(&second).unwrap().to_owned();
    assert!(body.contains("request-") && count == 1);
    let shop = shop.reopened().await;
    let (third, count) = place(&shop, key(7, "k", "same", 2)).await;
    assert_eq!((replayed(&third), count), (Some(&*body), 1));
    shop.assert_sound().await;
}

#[tokio::test]
async fn repetitions_may_meet_in_one_batch() {
    let shop = shop().await;
    let mut batch = Batch::default();
    let order = || new_order(None, &[(ProductId(1), 1)]);
    let first = batch.add_keyed(shop.context(), key(7, "k", "same", 5), order());
    let second = batch.add_keyed(shop.context(), key(7, "k", "same", 5), order());
    batch.add_keyed(shop.context(), key(7, "k", "different", 5), order());
    let other = batch.add_keyed(shop.context(), key(8, "k", "different", 5), order());
    let verdicts = shop.write(&mut batch).await;
    assert!(matches!(
        verdicts[..],
        [Verdict::Decided, Verdict::Replayed(_), Verdict::KeyReused, Verdict::Decided]
    ));
    assert!(second.is_untouched());
    assert_eq!(first.get().unwrap().order.id, OrderId(1));
    assert_eq!(other.get().unwrap().order.id, OrderId(2));
    shop.assert_sound().await;
}

#[tokio::test]
async fn a_key_belongs_to_one_request_and_one_principal() {
    let shop = shop().await;
    place(&shop, key(7, "k", "same", 0)).await;
    assert!(matches!(place(&shop, key(7, "k", "different", 0)).await, (Verdict::KeyReused, 1)));
    assert!(matches!(place(&shop, key(7, "K", "same", 0)).await, (Verdict::Decided, 2)));
    assert!(matches!(place(&shop, key(0, "k", "different", 0)).await, (Verdict::Decided, 3)));
    assert!(matches!(place(&shop, None).await, (Verdict::Decided, 4)));
}

#[tokio::test]
async fn an_answer_is_kept_for_a_day() {
    let shop = shop().await;
    place(&shop, key(7, "k", "same", 1000)).await;
    let last = place(&shop, key(7, "k", "same", 999 + ANSWER_LIFE_US)).await;
    assert!(matches!(last, (Verdict::Replayed(_), 1)));
    let expired = place(&shop, key(7, "k", "different", 1000 + ANSWER_LIFE_US)).await;
    assert!(matches!(expired, (Verdict::Decided, 2)));
    let anew = place(&shop, key(7, "k", "different", 1001 + ANSWER_LIFE_US)).await;
    assert!(matches!(anew, (Verdict::Replayed(_), 2)));
    shop.run(ForgetAnswers { before_us: 1000 + ANSWER_LIFE_US }).await.unwrap();
    assert_eq!(shop.ints("SELECT status FROM idempotency_keys").await, [201]);
    shop.run(ForgetAnswers { before_us: 1001 + ANSWER_LIFE_US }).await.unwrap();
    assert!(shop.ints("SELECT status FROM idempotency_keys").await.is_empty());
}

/// All other commands wait while answers are forgotten, so it must not be for seconds after a busy day.
#[tokio::test]
async fn old_answers_are_forgotten_in_portions() {
    let shop = shop().await;
    let mut batch = Batch::default();
    for number in 0..1200 {
        // The last 300 of them share one microsecond.
        let key = key(7, &format!("k{number}"), "same", i64::from(number.min(900)));
        batch.add_keyed(shop.context(), key, new_order(None, &[(ProductId(1), 1000)]));
    }
    shop.write(&mut batch).await;
    assert_eq!(shop.store.oldest_answer_us().await.unwrap(), Some(0));
    for (before_us, left) in [(1_000, 700), (600, 600), (1_000, 0), (1_000, 0)] {
        shop.run(ForgetAnswers { before_us }).await.unwrap();
        assert_eq!(shop.ints("SELECT status FROM idempotency_keys").await.len(), left, "{before_us}");
    }
    assert_eq!(shop.store.oldest_answer_us().await.unwrap(), None);
}

#[tokio::test]
async fn one_key_may_expire_within_a_batch() {
    let shop = shop().await;
    let mut batch = Batch::default();
    for (fingerprint, now_us) in [("a", 0), ("b", ANSWER_LIFE_US), ("b", ANSWER_LIFE_US + 1)] {
        let order = new_order(None, &[(ProductId(1), 1)]);
        batch.add_keyed(shop.context(), key(7, "k", fingerprint, now_us), order);
    }
    let verdicts = shop.write(&mut batch).await;
    assert!(matches!(verdicts[..], [Verdict::Decided, Verdict::Decided, Verdict::Replayed(_)]));
    assert_eq!(shop.ints("SELECT created_at_us FROM idempotency_keys").await, [ANSWER_LIFE_US]);
}

/// Set forwards, the clock makes no answer older than it may be, and set backwards and right again neither.
#[tokio::test]
async fn a_clock_that_is_set_makes_no_key_expire() {
    let shop = shop().await;
    let at = |name: &str, earliest_us, latest_us| {
        key(7, name, "same", 0).map(|key| IdempotencyKey { earliest_us, latest_us, ..key })
    };
    let (now, later) = (1, 1 + ANSWER_LIFE_US);
    let (mut first, mut again) = (Batch::default(), Batch::default());
    for (name, given, asked) in [
        ("forwards", (now, now), (now, later)),
        ("backwards and right again", (now, later), (later, later)),
        ("not at all, and a day has passed", (now, now), (later, later)),
    ] {
        let order = || new_order(None, &[(ProductId(1), 1)]);
        first.add_keyed(shop.context(), at(name, given.0, given.1), order());
        again.add_keyed(shop.context(), at(name, asked.0, asked.1), order());
    }
    shop.write(&mut first).await;
    let verdicts = shop.write(&mut again).await;
    assert!(matches!(verdicts[..], [Verdict::Replayed(_), Verdict::Replayed(_), Verdict::Decided]));
}

#[tokio::test]
async fn a_refusal_is_kept_like_any_answer() {
    let shop = shop().await;
    let many = || new_order(None, &[(ProductId(1), 1000)]);
    let mut batch = Batch::default();
    let refused = batch.add_keyed(shop.context(), key(7, "k", "same", 0), many());
    let repeated = batch.add_keyed(shop.context(), key(7, "k", "same", 0), many());
    let verdicts = shop.write(&mut batch).await;
    assert!(refused.get().is_err() && repeated.is_untouched());
    assert!(matches!(&verdicts[1], Verdict::Replayed(answer) if answer.status == 409));
    assert!(shop.ints("SELECT id FROM orders").await.is_empty());
}

#[tokio::test]
async fn an_answer_is_kept_only_with_its_effect() {
    let shop = shop().await;
    let one_name = format!("CREATE UNIQUE INDEX one_name ON products ({})", shop.place.indexed("name"));
    shop.sabotage(&one_name).await;
    let same_name = |sku: &str| domain::CreateProduct { name: "Same".to_owned(), ..new_product(sku, 0) };
    shop.run(same_name("B")).await.unwrap();
    let mut batch = Batch::default();
    batch.add_keyed(shop.context(), key(7, "k", "same", 0), same_name("C"));
    batch.add_keyed(shop.context(), key(7, "l", "same", 0), new_product("D", 0));
    let verdicts = shop.write(&mut batch).await;
    assert!(matches!(verdicts[..], [Verdict::Failed(_), Verdict::Decided]));
    let kept = shop.query("SELECT idem_key FROM idempotency_keys").await;
    assert_eq!(kept.iter().map(|row| row.as_text(0).unwrap()).collect::<Vec<_>>(), ["l"]);
    assert!(shop.now_us.load(Ordering::Relaxed) > 0);
}
