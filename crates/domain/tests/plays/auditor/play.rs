//! Random commands: small spaces of ids, names and numbers, so that conflicts are frequent.

use std::sync::Arc;

use domain::{
    Action, Actor, AdjustStock, AllocateAt, BeginSession, ChangeOrder, Context, CreateProduct, CreateUser,
    Customs, DeleteProduct, ExpireOrders, ForgetAnswers, Founding, Goal, LimitWaits, MAX_PRICE_CENTS,
    MAX_QUANTITY, MAX_STOCK, NextIds, NoteSecret, OpenShop, OrderId, OrderLine, PlaceOrder, PlacingCustoms,
    PlacingTerms, ProductId, RestoreProduct, RevokeSessions, Role, SetPassword, Status, StockChange,
    StockLine, ToggleProduct, UpdateProduct, UpdateUser, UserId,
};

use crate::any::Any;

/// SplitMix64: eight lines, the same on every machine.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..sides`.
    fn below(&mut self, sides: i64) -> i64 {
        i64::try_from(self.roll() >> 1).map_or(0, |roll| roll % sides)
    }

    /// True `percent` times out of a hundred.
    fn chance(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Clone>(&mut self, options: &[T]) -> T {
        let last = options.len() - 1;
        options[usize::try_from(self.below(1 << 30)).map_or(last, |roll| roll % options.len())].clone()
    }

    fn maybe<T>(&mut self, percent: i64, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.chance(percent).then(|| make(self))
    }
}

/// One random command with its surroundings, a pure function of the seed and the numbers in use.
pub(crate) fn play(seed: u64, next: NextIds) -> (Any, Context) {
    let mut dice = Dice(seed);
    let role = dice.pick(&[Role::Admin, Role::Admin, Role::Staff, Role::Staff, Role::Customer]);
    let user_id = dice.maybe(85, |dice| user(dice, next));
    let now_us = 1_700_000_000_000_000 + dice.below(1_000_000_000);
    let request_id = Arc::from(format!("r-{}", dice.below(1000)));
    let context = Context { actor: Actor { user_id, role, key: None }, now_us, request_id, source: None };
    let command = match dice.below(100) {
        0..30 => place(&mut dice, next),
        30..60 => change(&mut dice, next),
        60..63 => expire(&mut dice, next),
        63..76 => adjust(&mut dice, next),
        76..80 => create_product(&mut dice),
        80..86 => update_product(&mut dice, next),
        86 => {
            let if_version = version(&mut dice);
            ToggleProduct { product_id: product(&mut dice, next), if_version }.into()
        }
        87 => {
            let if_version = version(&mut dice);
            DeleteProduct { product_id: product(&mut dice, next), if_version }.into()
        }
        88..91 => {
            let if_version = version(&mut dice);
            RestoreProduct { product_id: product(&mut dice, next), if_version }.into()
        }
        _ => person(&mut dice, next, user_id),
    };
    (command, context)
}

/// Products come and go, so the window slides; its upper edge is the first number that is still free.
fn product(dice: &mut Dice, next: NextIds) -> ProductId {
    ProductId((next.product - i64::from(dice.chance(96)) - dice.below(6)).max(0))
}

fn user(dice: &mut Dice, next: NextIds) -> UserId {
    let known = 1 + dice.below((next.user - 1).clamp(1, 5));
    UserId(if dice.chance(5) { dice.below(9) } else { known })
}

fn order(dice: &mut Dice, next: NextIds) -> OrderId {
    OrderId((next.order - i64::from(dice.chance(96)) - dice.below(9)).max(0))
}

fn version(dice: &mut Dice) -> Option<i64> {
    dice.maybe(25, |dice| 1 + dice.below(3))
}

fn place(dice: &mut Dice, next: NextIds) -> Any {
    let count = dice.pick(&[1, 1, 1, 2, 2, 3, 4, 6]);
    let count = if dice.chance(1) { dice.pick(&[0, 0, 201]) } else { count };
    let mut lines = Vec::new();
    for _ in 0..count {
        let quantity = 1 + dice.below(4);
        let odd = [0, -1, MAX_QUANTITY, MAX_QUANTITY + 1, 60];
        let quantity = if dice.chance(1) { dice.pick(&odd) } else { quantity };
        lines.push(OrderLine { product_id: product(dice, next), quantity });
    }
    let status = if dice.chance(85) { Status::Pending } else { dice.pick(Status::ALL) };
    let user_id = dice.maybe(20, |dice| user(dice, next));
    let customs = PlacingCustoms { hides_archived: dice.chance(20), deactivates_sold_out: dice.chance(20) };
    let terms = PlacingTerms {
        pending_life_us: dice.maybe(50, |dice| dice.below(2_000_000_000)),
        max_open_orders: dice.maybe(20, |dice| 1 + dice.below(6)),
        max_units_held: dice.maybe(20, |dice| 1 + dice.below(20)),
    };
    PlaceOrder { user_id, lines, allocate_at: dice.pick(AllocateAt::ALL), status, customs, terms }.into()
}

fn change(dice: &mut Dice, next: NextIds) -> Any {
    use {Action as A, Status as S};
    // Every action and every status, but more of those that lead on.
    let actions =
        [A::Confirm, A::Confirm, A::Pay, A::Pay, A::Ship, A::Ship, A::Deliver, A::Deliver, A::Cancel];
    let statuses = [S::Pending, S::Confirmed, S::Paid, S::Shipped, S::Shipped, S::Delivered, S::Cancelled];
    let goal =
        if dice.chance(60) { Goal::Act(dice.pick(&actions)) } else { Goal::Reach(dice.pick(&statuses)) };
    let customs = Customs { owner_confirms: dice.chance(20), admits_foreign: dice.chance(20) };
    ChangeOrder { order_id: order(dice, next), goal, if_version: version(dice), customs }.into()
}

fn expire(dice: &mut Dice, next: NextIds) -> Any {
    let count = dice.below(5);
    let order_ids = (0..count).map(|_| order(dice, next)).collect();
    if dice.chance(30) {
        return LimitWaits { order_ids, life_us: dice.below(2_000_000_000) }.into();
    }
    ExpireOrders { order_ids }.into()
}

fn adjust(dice: &mut Dice, next: NextIds) -> Any {
    let count = dice.pick(&[1, 1, 1, 2, 2, 3]);
    let count = if dice.chance(1) { dice.pick(&[0, 0, 501]) } else { count };
    let mut lines = Vec::new();
    for _ in 0..count {
        let small = dice.below(12);
        let number = if dice.chance(4) { dice.pick(&[0, -3, MAX_STOCK, MAX_STOCK + 1]) } else { small };
        let change = match dice.below(6) {
            0..3 => StockChange::Increment(number),
            3..5 => StockChange::Decrement(number),
            _ => StockChange::Set { on_hand: number, expected: dice.maybe(30, |dice| dice.below(12)) },
        };
        let reason = dice.maybe(30, |_| "count".to_owned());
        lines.push(StockLine { product_id: product(dice, next), change, reason, note: None });
    }
    AdjustStock { lines }.into()
}

fn sku(dice: &mut Dice) -> String {
    dice.pick(&["A", "B", "C", "D", "SKU-2", "SKU-7", "SKU-x"]).to_owned()
}

fn name(dice: &mut Dice) -> String {
    dice.pick(&["apple", "Apple", "apple ", "pear", "fig", "quince"]).to_owned()
}

/// A number of a range, rarely one just outside it.
fn ranged(dice: &mut Dice, usual: i64, max: i64) -> i64 {
    if dice.chance(4) { dice.pick(&[max, max + 1, -1]) } else { dice.below(usual) }
}

fn create_product(dice: &mut Dice) -> Any {
    let sku = dice.maybe(60, sku);
    CreateProduct {
        sku,
        name: name(dice),
        description: String::new(),
        price_cents: ranged(dice, 500, MAX_PRICE_CENTS),
        is_active: dice.chance(90),
        low_stock_threshold: ranged(dice, 5, MAX_STOCK),
        auto_deactivate: dice.chance(20),
        opening_stock: ranged(dice, 30, MAX_STOCK),
        unique_name: dice.chance(20),
    }
    .into()
}

fn update_product(dice: &mut Dice, next: NextIds) -> Any {
    UpdateProduct {
        product_id: product(dice, next),
        if_version: version(dice),
        sku: dice.maybe(20, sku),
        name: dice.maybe(20, name),
        description: dice.maybe(10, |dice| dice.pick(&["", "ripe"]).to_owned()),
        price_cents: dice.maybe(20, |dice| ranged(dice, 500, MAX_PRICE_CENTS)),
        is_active: dice.maybe(40, |dice| dice.chance(85)),
        low_stock_threshold: dice.maybe(20, |dice| ranged(dice, 5, MAX_STOCK)),
        auto_deactivate: dice.maybe(20, |dice| dice.chance(20)),
        available: dice.maybe(15, |dice| ranged(dice, 12, MAX_STOCK)),
    }
    .into()
}

fn email(dice: &mut Dice) -> String {
    dice.pick(&["a@x", "b@x", "c@x"]).to_owned()
}

fn person(dice: &mut Dice, next: NextIds, caller: Option<UserId>) -> Any {
    let user_id = user(dice, next);
    let password_hash = format!("hash-{}", dice.below(3));
    match dice.below(11) {
        0..2 => CreateUser {
            username: dice.pick(&["ada", "Ada", "bo", "cy", "di", "ed", "flo", "gus"]).to_owned(),
            email: dice.maybe(50, email),
            full_name: dice.maybe(50, |_| "Somebody".to_owned()),
            role: dice.maybe(40, |dice| dice.pick(Role::ALL)),
            founding: dice.pick(&[Founding::Nothing, Founding::FirstAccount, Founding::Code]),
            by_invitation: dice.maybe(20, |_| ()).is_some(),
            password_hash,
        }
        .into(),
        2..6 => UpdateUser {
            user_id,
            if_version: version(dice),
            email: dice.maybe(30, |dice| dice.maybe(80, email)),
            full_name: dice.maybe(30, |dice| dice.maybe(80, |_| "Else".to_owned())),
            role: dice.maybe(40, |dice| dice.pick(Role::ALL)),
            is_active: dice.maybe(30, |dice| dice.chance(80)),
        }
        .into(),
        6 => {
            SetPassword { user_id, seen_generation: dice.maybe(50, |dice| 1 + dice.below(3)), password_hash }
                .into()
        }
        7 if dice.chance(60) => BeginSession {
            user_id: caller.filter(|_| dice.chance(80)).unwrap_or(user_id),
            seen_generation: 1 + dice.below(4),
        }
        .into(),
        7 => RevokeSessions { user_id }.into(),
        8 => NoteSecret { mark: dice.pick(&["a", "b"]).to_owned() }.into(),
        9 => OpenShop { currency: dice.pick(&["EUR", "EUR", "USD"]).to_owned() }.into(),
        _ => ForgetAnswers { before_us: dice.below(10) }.into(),
    }
}
