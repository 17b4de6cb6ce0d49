//! A shop of random products and orders, the same for every run.

use crate::shop::{Batch, Shop, act, new_user};
use domain::{
    Action, AllocateAt, CreateProduct, CreateUser, DeleteProduct, ExpireOrders, LimitWaits, OrderId,
    OrderLine, PlaceOrder, PlacingTerms, ProductId, ProductWithStock, Role, Status, User, UserId,
};
use store::OrderView;

pub(crate) const PRODUCTS: i64 = 60;
pub(crate) const ORDERS: i64 = 150;
/// In microseconds.
pub(crate) const DAY: i64 = 86_400_000_000;
const USERS: i64 = 9;

/// A small generator of random numbers (xorshift64), so that a failure can be repeated.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, limit: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from(self.0 >> 1).unwrap() % limit
    }

    pub(crate) fn chance(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(i64::try_from(all.len()).unwrap())).unwrap()]
    }
}

/// Everything there is, read row by row.
pub(crate) struct Truth {
    pub(crate) products: Vec<ProductWithStock>,
    pub(crate) orders: Vec<OrderView>,
    pub(crate) users: Vec<User>,
}

impl Truth {
    fn next_order(&self) -> i64 {
        i64::try_from(self.orders.len()).unwrap() + 1
    }
}

pub(crate) async fn random_shop() -> (Shop, Truth) {
    let shop = Shop::new().await;
    let mut random = Random::new(0x5eed);
    fill_users(&shop, &mut random).await;
    fill_products(&shop, &mut random).await;
    fill_orders(&shop, &mut random).await;
    shop.assert_sound().await;
    let mut truth = Truth { products: Vec::new(), orders: Vec::new(), users: Vec::new() };
    for id in 1..=PRODUCTS {
        truth.products.extend(shop.store.product(ProductId(id)).await.unwrap());
    }
    // The last batch may have placed a few more.
    while let Some(order) = shop.store.order(OrderId(truth.next_order())).await.unwrap() {
        truth.orders.push(order);
    }
    for id in 1..=USERS {
        truth.users.extend(shop.store.user(UserId(id)).await.unwrap());
    }
    assert!(truth.products.len() > 50 && truth.next_order() > ORDERS && truth.users.len() == 9);
    (shop, truth)
}

async fn fill_users(shop: &Shop, random: &mut Random) {
    let mut batch = Batch::default();
    for name in ["root", "Ann", "bob", "Cyd_1", "Dan%", "eve", "Flo", "Gus", "Hal"] {
        let full_name = random.chance(60).then(|| format!("{name} O'Neill"));
        let email = random.chance(70).then(|| format!("{}@example.com", name.to_lowercase()));
        let role = random.pick(&[Role::Customer, Role::Customer, Role::Staff]);
        batch.add(
            shop.context(),
            CreateUser {
                full_name,
                email,
                role: if name == "root" { None } else { Some(role) },
                ..new_user(name)
            },
        );
    }
    shop.decide(batch).await;
}

async fn fill_products(shop: &Shop, random: &mut Random) {
    let mut batch = Batch::default();
    for index in 0..PRODUCTS {
        let word =
            random.pick(&["Apple", "apple pie", "Ärmel", "50% Wolle", "a_b", "50x", "Zebra!", "zebra", "龍"]);
        let size = random.pick(&["", " S", " m", " XL"]);
        let sku = random
            .chance(80)
            .then(|| format!("{}-{:02}", random.pick(&["AB", "ab", "X_", "Y%"]), index * 7 % 60));
        let created = CreateProduct {
            sku,
            name: format!("{word}{size}"),
            description: "d".repeat(usize::try_from(random.below(3)).unwrap()),
            price_cents: random.below(6) * 50,
            is_active: random.chance(85),
            low_stock_threshold: random.below(8),
            auto_deactivate: random.chance(30),
            opening_stock: random.below(40),
            unique_name: false,
        };
        let mut context = shop.context();
        context.now_us = 1_000 + random.below(20);
        batch.add(context, created);
    }
    shop.decide(batch).await;
}

async fn fill_orders(shop: &Shop, random: &mut Random) {
    let mut placed = 0;
    while placed < ORDERS {
        let mut batch = Batch::default();
        let mut tickets = Vec::new();
        for _ in 0..25 {
            let lines = (0..=random.below(3)).map(|_| OrderLine {
                product_id: ProductId(1 + random.below(PRODUCTS)),
                quantity: 1 + random.below(3),
            });
            let lines = lines.collect();
            let order = PlaceOrder {
                lines,
                user_id: random.chance(85).then(|| UserId(1 + random.below(USERS))),
                allocate_at: random.pick(&[AllocateAt::Creation, AllocateAt::Confirmation]),
                status: random.pick(&[Status::Pending, Status::Pending, Status::Paid]),
                customs: domain::PlacingCustoms::default(),
                terms: PlacingTerms {
                    pending_life_us: random.chance(50).then(|| DAY * random.below(4)),
                    ..PlacingTerms::default()
                },
            };
            let mut context = shop.context();
            context.now_us = 2_000 + random.below(40) + DAY * random.below(4);
            tickets.push(batch.add(context, order));
        }
        for _ in 0..20 {
            let action = random.pick(Action::ALL);
            batch.add(shop.context(), act(OrderId(1 + random.below(placed + 10)), action));
        }
        let deleted = ProductId(1 + random.below(PRODUCTS));
        batch.add(shop.context(), DeleteProduct { product_id: deleted, if_version: None });
        let mut context = shop.context();
        context.now_us = 2_000 + DAY * random.below(4);
        let order_ids = (0..8).map(|_| OrderId(1 + random.below(placed + 10))).collect();
        batch.add(context.clone(), ExpireOrders { order_ids });
        // An end for some of those that were placed without one.
        let order_ids = (placed..placed + 4).map(OrderId).collect();
        batch.add(context, LimitWaits { order_ids, life_us: DAY });
        shop.decide(batch).await;
        placed += i64::try_from(tickets.iter().filter(|ticket| ticket.get().is_ok()).count()).unwrap();
    }
}
