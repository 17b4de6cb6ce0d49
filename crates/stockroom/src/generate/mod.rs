//! A shop of any size with a year or two behind it, for measurements and for a look at large numbers. It is planned here,
//! by a seed alone, as commands with the clock turned back; the rules decide them and the store's writer writes them.
//!
//! The whole life of an order is planned into one batch, whatever its length: so the order is written once, as it is in
//! the end. Within a batch everything happens in order of time; the last days of one batch overlap the first ones of
//! the next.

mod catalogue;
mod popularity;
mod trade;
mod words;
mod work;

use std::sync::Arc;

use domain::{Actor, Context, DeleteProduct, ProductId, Role, ToggleProduct, UpdateProduct, UserId};

use self::popularity::Popularity;
use self::work::Deed;
pub(crate) use self::work::Work;
use crate::random::Random;

const DAY_US: i64 = 24 * HOUR_US;
const HOUR_US: i64 = 60 * MINUTE_US;
const MINUTE_US: i64 = 60 * 1_000_000;

/// How many rows a batch holds that are made before the first order: users, or products.
const ROWS_A_BATCH: usize = 5_000;
/// Orders of a batch, where there are so many: MySQL takes the rows of some thousand orders as one text (16 MiB unless it is
/// told otherwise).
const ORDERS_A_BATCH: i64 = 5_000;
/// A small shop has so many batches all the same, for people and products come and go between them.
const LEAST_BATCHES: i64 = 24;
/// Of a hundred users and products, so many are there before the first order; the others come in the course of time.
const THERE_AT_FIRST: usize = 60;

/// How large the shop is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) products: usize,
    /// The two of the office included.
    pub(crate) users: usize,
    pub(crate) orders: i64,
}

/// The history of a shop, batch after batch.
pub(crate) struct History {
    size: Size,
    seed: u64,
    random: Random,
    password_hash: String,
    request_id: Arc<str>,
    /// From midnight to midnight, UTC, so that a seed means the same shop all day long.
    start_us: i64,
    end_us: i64,
    /// How many have been planned so far.
    users: usize,
    products: usize,
    orders: i64,
    goods: Vec<Good>,
    customers: Popularity,
    demand: Popularity,
    /// Who leaves the catalogue when, the last one first.
    farewells: Vec<(i64, usize)>,
    /// How many orders there were for each product and of each user, to tell in the end.
    counts: Counts,
    /// What cancelled orders of this batch give back: products and pieces.
    released: Vec<(usize, i64)>,
}

/// What the plan knows about a product.
#[derive(Debug, Clone, Copy, Default)]
struct Good {
    /// Pieces of which it is certain that they can be sold.
    available: i64,
    /// How many come in at once.
    delivery: i64,
    is_sold: bool,
    is_gone: bool,
}

/// Orders by what they are searched by.
#[derive(Debug, Default)]
struct Counts {
    by_product: Vec<u32>,
    by_user: Vec<u32>,
}

/// Commands that belong into one transaction; several batches in a row may share one.
pub(crate) struct Batch {
    pub(crate) work: Vec<Work>,
    /// How many of them place orders.
    pub(crate) orders: i64,
}

/// Who and what is asked for most and least; numbers as they stand in the database.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Extremes {
    /// The product of most orders, and their number.
    pub(crate) popular: (usize, u32),
    /// The product of fewest orders, but of one at least.
    pub(crate) rare: (usize, u32),
    /// The customer with most orders.
    pub(crate) busiest: (usize, u32),
}

impl History {
    /// The history of a shop that ends with the day before `now_us` (microseconds since 1970 UTC).
    pub(crate) fn new(size: Size, seed: u64, now_us: i64, password_hash: String) -> Self {
        let mut random = Random::new(seed);
        let days = (size.orders / 25).clamp(60, 600);
        let end_us = now_us.div_euclid(DAY_US) * DAY_US;
        let customers = size.users.saturating_sub(catalogue::OFFICE.len());
        let customers = Popularity::new(customers, 50, &mut random);
        let demand = Popularity::new(size.products, 10, &mut random);
        let mut history = Self {
            size,
            seed,
            random,
            password_hash,
            request_id: Arc::from("generate"),
            start_us: end_us - days * DAY_US,
            end_us,
            users: 0,
            products: 0,
            orders: 0,
            goods: Vec::new(),
            customers,
            demand,
            farewells: Vec::new(),
            counts: Counts { by_product: vec![0; size.products], by_user: vec![0; size.users] },
            released: Vec::new(),
        };
        history.goods = history.stocks();
        history.farewells = history.plan_farewells();
        history
    }

    /// Who and what is asked for most and least so far.
    pub(crate) fn extremes(&self) -> Extremes {
        let numbered = |counts: &[u32]| -> Vec<(usize, u32)> { (1..).zip(counts.iter().copied()).collect() };
        let products = numbered(&self.counts.by_product);
        let most = |counts: Vec<(usize, u32)>| counts.into_iter().max_by_key(|(_, count)| *count);
        let rare = products.iter().filter(|(_, count)| *count > 0).min_by_key(|(_, count)| *count);
        Extremes {
            rare: rare.copied().unwrap_or_default(),
            popular: most(products).unwrap_or_default(),
            busiest: most(numbered(&self.counts.by_user)).unwrap_or_default(),
        }
    }

    /// Stock to begin with and deliveries, by what will be asked for: a delivery lasts for about a month.
    fn stocks(&mut self) -> Vec<Good> {
        let months = (self.end_us - self.start_us) / DAY_US / 30 + 1;
        // Two lines an order and one or two pieces a line, on average.
        let pieces = u64::try_from(self.size.orders).unwrap_or_default().saturating_mul(3);
        let good = |expected: i64| {
            let delivery = 4 + self.random.below(16) + expected / months;
            Good { available: delivery + self.random.below(delivery), delivery, ..Good::default() }
        };
        self.demand.expected(pieces).into_iter().map(good).collect()
    }

    /// One product in twenty-five leaves the catalogue in the second half of the history.
    fn plan_farewells(&mut self) -> Vec<(i64, usize)> {
        let half_us = (self.end_us - self.start_us) / 2;
        let mut farewells = Vec::new();
        // A shop with a handful of products keeps them.
        if self.size.products >= 20 {
            for index in 0..self.size.products * THERE_AT_FIRST / 100 {
                if self.random.once_in(15) {
                    farewells.push((self.end_us - self.random.below(half_us), index));
                }
            }
        }
        farewells.sort_unstable_by(|one, other| other.cmp(one));
        farewells
    }

    fn work(&self, actor: Actor, at_us: i64, deed: Deed, id: Option<i64>) -> Work {
        let context =
            Context { actor, now_us: at_us, request_id: Arc::clone(&self.request_id), source: None };
        Work { deed, context, id, refusal: None }
    }

    /// The one who does what is done in the office.
    fn staff(&self) -> Actor {
        Actor { user_id: Some(UserId(2)), role: Role::Staff, key: None }
    }

    /// Accounts up to this number, made evenly between two times.
    fn join(&mut self, until: usize, (from_us, to_us): (i64, i64)) -> Vec<Work> {
        let first = self.users;
        self.users = until.max(first);
        let join = |index: usize| {
            let at_us = between(from_us, to_us, index - first, self.users - first);
            let deed = Deed::Join(catalogue::account(self.seed, index, &self.password_hash));
            self.work(Actor::SYSTEM, at_us, deed, Some(number(index)))
        };
        (first..self.users).map(join).collect()
    }

    /// Products up to this number, likewise.
    fn add(&mut self, until: usize, (from_us, to_us): (i64, i64)) -> Vec<Work> {
        let first = self.products;
        self.products = until.max(first);
        let add = |index: usize| {
            let at_us = between(from_us, to_us, index - first, self.products - first);
            let good = self.goods.get(index).copied().unwrap_or_default();
            let deed = Deed::Add(catalogue::product(self.seed, index, good.available, good.delivery / 5));
            self.work(self.staff(), at_us, deed, Some(number(index)))
        };
        (first..self.products).map(add).collect()
    }

    /// Products that leave the catalogue between two times: archived if anybody ever ordered them, otherwise only
    /// out of sale, so that there are as many products as were asked for.
    fn say_farewell(&mut self, (from_us, to_us): (i64, i64)) -> Vec<Work> {
        let mut work = Vec::new();
        while let Some((_, index)) = self.farewells.pop_if(|(at_us, _)| *at_us < to_us) {
            let product_id = ProductId(number(index));
            let Some(good) = self.goods.get_mut(index) else { continue };
            good.is_gone = true;
            let deed = if good.is_sold && self.random.once_in(2) {
                Deed::Retire(DeleteProduct { product_id, if_version: None })
            } else {
                Deed::Toggle(ToggleProduct { product_id, if_version: None })
            };
            work.push(self.work(self.staff(), from_us, deed, None));
        }
        work
    }

    /// Some prices change with each batch, one in ten products over the whole history.
    fn reprice(&mut self, at_us: i64, share: i64) -> Vec<Work> {
        let count = number(self.products) / 10 / share.max(1);
        let mut work = Vec::new();
        for _ in 0..count {
            let index = self.random.below_index(self.products);
            if self.goods.get(index).is_none_or(|good| good.is_gone) {
                continue;
            }
            let price_cents = Some(100 * (5 + self.random.below(300)) + 90);
            let update = UpdateProduct { price_cents, ..UpdateProduct::nothing(ProductId(number(index))) };
            work.push(self.work(self.staff(), at_us, Deed::Edit(update), None));
        }
        work
    }

    /// What there is before the first order, a month before it.
    fn foundation(&mut self) -> Option<Batch> {
        let at_first = |all: usize| (all * THERE_AT_FIRST / 100).max(all.min(3));
        let (users, products) = (at_first(self.size.users), at_first(self.size.products));
        let opened_us = self.start_us - 30 * DAY_US;
        let part = |nth: usize, all: usize| between(opened_us, self.start_us, nth, all);
        let work = if self.users < users {
            let until = users.min(self.users + ROWS_A_BATCH);
            self.join(until, (part(self.users, users), part(until, users)))
        } else if self.products < products {
            let until = products.min(self.products + ROWS_A_BATCH);
            self.add(until, (part(self.products, products), part(until, products)))
        } else {
            return None;
        };
        Some(Batch { work, orders: 0 })
    }

    /// The next orders with all that becomes of them, and what else happens meanwhile.
    fn trade(&mut self) -> Option<Batch> {
        let orders = ORDERS_A_BATCH.min(self.size.orders / LEAST_BATCHES).max(1);
        let orders = orders.min(self.size.orders - self.orders);
        if orders < 1 {
            return None;
        }
        let span = (self.time_of(self.orders), self.time_of(self.orders + orders));
        let batches = self.size.orders / orders;
        let mut work = self.say_farewell(span);
        work.extend(self.reprice(span.0, batches));
        // Who comes in this batch orders in the next one.
        let known = (self.users, self.products);
        for _ in 0..orders {
            self.order(known, &mut work);
        }
        let due = |all: usize, of_orders: i64| {
            let at_first = all * THERE_AT_FIRST / 100;
            let share = u128::try_from(of_orders).unwrap_or_default() * (all - at_first) as u128;
            at_first + usize::try_from(share / self.size.orders.unsigned_abs() as u128).unwrap_or_default()
        };
        let (users, products) = (due(self.size.users, self.orders), due(self.size.products, self.orders));
        work.extend(self.join(users, span));
        work.extend(self.add(products, span));
        // What was given back can be sold again, by the next batch at the latest.
        for (index, quantity) in std::mem::take(&mut self.released) {
            if let Some(good) = self.goods.get_mut(index) {
                good.available += quantity;
            }
        }
        // By a sort that is stable: a delivery stays ahead of the order that needs it.
        work.sort_by_cached_key(|work| work.context.now_us);
        Some(Batch { work, orders })
    }
}

impl Iterator for History {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        self.foundation().or_else(|| self.trade())
    }
}

/// The number that the thing with this index gets: they count from 1.
fn number(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX - 1) + 1
}

/// The time of the nth of so many that are spread evenly.
fn between(from_us: i64, to_us: i64, nth: usize, all: usize) -> i64 {
    from_us + (to_us - from_us) / number(all) * number(nth)
}
