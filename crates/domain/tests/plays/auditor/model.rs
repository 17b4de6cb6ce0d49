//! The rules a second time, naively: goods lie on a shelf or in the hands of an order, an order has one word.
//! Nothing here asks the rules under test; codes and limits are spelled out.

use std::collections::BTreeMap;

use domain::{
    AdjustStock, AllocateAt, ChangeOrder, Context, CreateProduct, DeleteProduct, Goal, PlaceOrder, ProductId,
    Role, Status, StockChange, StockLine, UpdateProduct,
};

use super::people::People;
use crate::any::Any;

const TRILLION: i64 = 1_000_000_000_000;

/// A product; what orders hold is not on the shelf.
#[derive(Debug, Clone)]
pub(super) struct Good {
    pub(super) sku: String,
    pub(super) texts: [String; 2],
    pub(super) price: i64,
    pub(super) active: bool,
    pub(super) archived: bool,
    pub(super) low: i64,
    pub(super) auto: bool,
    pub(super) version: i64,
    pub(super) shelf: i64,
}

/// An order.
#[derive(Debug)]
pub(super) struct Deal {
    pub(super) owner: Option<i64>,
    pub(super) late: bool,
    pub(super) word: &'static str,
    pub(super) paid: bool,
    pub(super) wants: Vec<(i64, i64)>,
    /// Names and prices of what it wants, as they were.
    pub(super) frozen: Vec<(String, i64)>,
    pub(super) holds: Vec<(i64, i64)>,
    pub(super) amount: i64,
    pub(super) version: i64,
    /// When a pending one is over.
    pub(super) until: Option<i64>,
}

/// Names of events with the number of the row they are about.
pub(super) type News = Vec<(&'static str, i64)>;

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(super) goods: BTreeMap<i64, Good>,
    pub(super) deals: BTreeMap<i64, Deal>,
    pub(super) people: People,
    pub(super) currency: Option<String>,
    pub(super) secret_mark: Option<String>,
    /// Products ever made; numbers are not used twice.
    made: i64,
}

fn staff(context: &Context) -> Result<(), &'static str> {
    if context.actor.role == Role::Customer { Err("FORBIDDEN") } else { Ok(()) }
}

pub(super) fn seen(expected: Option<i64>, version: i64) -> Result<(), &'static str> {
    if expected.is_none_or(|expected| expected == version) { Ok(()) } else { Err("PRECONDITION_FAILED") }
}

fn within(number: i64, least: i64, most: i64) -> Result<(), &'static str> {
    if number < least || number > most { Err("VALIDATION_ERROR") } else { Ok(()) }
}

impl Model {
    /// Plays a command: what is announced, or the code of the refusal.
    pub(crate) fn play(&mut self, command: &Any, context: &Context) -> Result<News, &'static str> {
        match command {
            Any::PlaceOrder(command) => self.place(command, context),
            Any::ChangeOrder(command) => self.change(command, context),
            Any::AdjustStock(command) => self.adjust(command, context),
            Any::CreateProduct(command) => self.create(command, context),
            Any::UpdateProduct(command) => self.update(command, context),
            Any::ToggleProduct(command) => {
                let id = command.product_id.0;
                let good = self.editable(id, command.if_version, context)?;
                good.active = !good.active;
                good.version += 1;
                let name = if good.active { "product_activated" } else { "product_deactivated" };
                Ok(vec![(name, id)])
            }
            Any::DeleteProduct(command) => self.delete(command, context),
            Any::RestoreProduct(command) => {
                staff(context)?;
                let id = command.product_id.0;
                let good = self.goods.get_mut(&id).ok_or("PRODUCT_NOT_FOUND")?;
                seen(command.if_version, good.version)?;
                if !good.archived {
                    return Ok(Vec::new());
                }
                good.archived = false;
                good.version += 1;
                Ok(vec![("product_restored", id)])
            }
            Any::OpenShop(command) => {
                if self.currency.as_ref().is_some_and(|currency| *currency != command.currency) {
                    return Err("CURRENCY_MISMATCH");
                }
                self.currency = Some(command.currency.clone());
                Ok(Vec::new())
            }
            Any::NoteSecret(command) => {
                self.secret_mark = Some(command.mark.clone());
                Ok(Vec::new())
            }
            Any::ExpireOrders(command) => {
                let mut news = Vec::new();
                for (id, deal) in &mut self.deals {
                    let is_named = command.order_ids.iter().any(|named| named.0 == *id);
                    if is_named && deal.is_over(context.now_us) {
                        news.push(("order_cancelled", *id));
                        deal.put_back(&mut self.goods);
                        (deal.word, deal.until) = ("cancelled", None);
                        deal.version += 1;
                    }
                }
                Ok(news)
            }
            Any::LimitWaits(command) => {
                let mut news = Vec::new();
                for (id, deal) in &mut self.deals {
                    let is_named = command.order_ids.iter().any(|named| named.0 == *id);
                    if is_named && deal.word == "pending" && deal.until.is_none() {
                        news.push(("order_wait_limited", *id));
                        deal.until = Some(context.now_us + command.life_us);
                        deal.version += 1;
                    }
                }
                Ok(news)
            }
            Any::ForgetAnswers(_) => Ok(Vec::new()),
            other => self.people.play(other, context),
        }
    }

    fn editable(
        &mut self,
        id: i64,
        if_version: Option<i64>,
        context: &Context,
    ) -> Result<&mut Good, &'static str> {
        staff(context)?;
        let good = self.goods.get_mut(&id).ok_or("PRODUCT_NOT_FOUND")?;
        seen(if_version, good.version)?;
        if good.archived { Err("PRODUCT_ARCHIVED") } else { Ok(good) }
    }

    fn free_sku(&self, sku: &str) -> Result<(), &'static str> {
        if self.goods.values().any(|good| good.sku == sku) {
            return Err("SKU_TAKEN");
        }
        match sku.strip_prefix("SKU-") {
            Some(rest) if rest.parse::<u64>().is_ok() => Err("VALIDATION_ERROR"),
            _ => Ok(()),
        }
    }

    fn create(&mut self, command: &CreateProduct, context: &Context) -> Result<News, &'static str> {
        staff(context)?;
        within(command.price_cents, 0, TRILLION)?;
        within(command.low_stock_threshold, 0, TRILLION)?;
        within(command.opening_stock, 0, TRILLION)?;
        let called = |good: &Good| !good.archived && good.texts[0] == command.name;
        if command.unique_name && self.goods.values().any(called) {
            return Err("NAME_TAKEN");
        }
        if let Some(sku) = &command.sku {
            self.free_sku(sku)?;
        }
        self.made += 1;
        let good = Good {
            sku: command.sku.clone().unwrap_or(format!("SKU-{}", self.made)),
            texts: [command.name.clone(), command.description.clone()],
            price: command.price_cents,
            active: command.is_active,
            archived: false,
            low: command.low_stock_threshold,
            auto: command.auto_deactivate,
            version: 1,
            shelf: command.opening_stock,
        };
        self.goods.insert(self.made, good);
        Ok(vec![("product_created", self.made)])
    }

    fn update(&mut self, command: &UpdateProduct, context: &Context) -> Result<News, &'static str> {
        let id = command.product_id.0;
        let old = self.editable(id, command.if_version, context)?.clone();
        let new_sku = command.sku.as_ref().filter(|sku| **sku != old.sku);
        if let Some(sku) = new_sku {
            self.free_sku(sku)?;
        }
        within(command.price_cents.unwrap_or(0), 0, TRILLION)?;
        within(command.low_stock_threshold.unwrap_or(0), 0, TRILLION)?;
        within(command.available.unwrap_or(0), 0, TRILLION - self.held(id))?;
        let Some(good) = self.goods.get_mut(&id) else { return Err("PRODUCT_NOT_FOUND") };
        let mut edited = false;
        macro_rules! edit {
            ($($field:expr => $value:expr),+) => {$(
                if let Some(value) = &$value { edited |= $field != *value; $field = value.clone(); }
            )+};
        }
        edit!(
            good.sku => command.sku, good.texts[0] => command.name, good.texts[1] => command.description,
            good.price => command.price_cents, good.low => command.low_stock_threshold,
            good.auto => command.auto_deactivate
        );
        good.active = command.is_active.unwrap_or(good.active);
        let mut news = Vec::new();
        if edited {
            news.push(("product_updated", id));
        }
        match (old.active, good.active) {
            (false, true) => news.push(("product_activated", id)),
            (true, false) => news.push(("product_deactivated", id)),
            _ => {}
        }
        let last = command.available.unwrap_or(good.shelf);
        if old.low < good.shelf && good.shelf <= good.low && last <= good.low {
            news.push(("stock_ran_low", id));
        }
        good.version += i64::from(!news.is_empty());
        if last != good.shelf {
            news.push(("stock_adjusted", id));
            good.leave_on_shelf(id, last, &mut news);
        }
        Ok(news)
    }

    fn delete(&mut self, command: &DeleteProduct, context: &Context) -> Result<News, &'static str> {
        staff(context)?;
        let id = command.product_id.0;
        let wanted = self.deals.values().any(|deal| deal.wants.iter().any(|want| want.0 == id));
        let good = self.goods.get_mut(&id).ok_or("PRODUCT_NOT_FOUND")?;
        seen(command.if_version, good.version)?;
        if !wanted {
            self.goods.remove(&id);
            return Ok(vec![("product_erased", id)]);
        }
        if good.archived {
            return Ok(Vec::new());
        }
        good.archived = true;
        good.version += 1;
        Ok(vec![("product_archived", id)])
    }

    /// Pieces that orders hold of a product.
    pub(super) fn held(&self, id: i64) -> i64 {
        self.deals.values().flat_map(|deal| &deal.holds).filter(|hold| hold.0 == id).map(|hold| hold.1).sum()
    }

    fn adjust(&mut self, command: &AdjustStock, context: &Context) -> Result<News, &'static str> {
        staff(context)?;
        if command.lines.is_empty() || command.lines.len() > 500 {
            return Err("VALIDATION_ERROR");
        }
        let known = |line: &StockLine| self.goods.contains_key(&line.product_id.0);
        if !command.lines.iter().all(known) {
            return Err("PRODUCT_NOT_FOUND");
        }
        if command.lines.iter().any(|line| self.goods[&line.product_id.0].archived) {
            return Err("PRODUCT_ARCHIVED");
        }
        let mut goods = self.goods.clone();
        let mut news = Vec::new();
        let mut short = false;
        for StockLine { product_id: ProductId(id), change, .. } in &command.lines {
            let Some(good) = goods.get_mut(id) else { continue };
            let held = self.held(*id);
            let wanted = match change {
                StockChange::Increment(number) => {
                    within(*number, 1, TRILLION)?;
                    good.shelf + number
                }
                StockChange::Decrement(number) => {
                    within(*number, 1, TRILLION)?;
                    good.shelf - number
                }
                StockChange::Set { on_hand, expected } => {
                    within(*on_hand, 0, TRILLION)?;
                    if expected.is_some_and(|expected| expected != good.shelf + held) {
                        return Err("STOCK_CHANGED");
                    }
                    if *on_hand < held {
                        return Err("STOCK_ALLOCATED");
                    }
                    on_hand - held
                }
            };
            if wanted < 0 {
                short = true;
                continue;
            }
            within(wanted + held, 0, TRILLION)?;
            if wanted != good.shelf {
                news.push(("stock_adjusted", *id));
            }
            good.leave_on_shelf(*id, wanted, &mut news);
        }
        if short {
            return Err("INSUFFICIENT_STOCK");
        }
        self.goods = goods;
        Ok(news)
    }

    fn place(&mut self, command: &PlaceOrder, context: &Context) -> Result<News, &'static str> {
        let lines = &command.lines;
        if lines.is_empty() || lines.len() > 200 {
            return Err("VALIDATION_ERROR");
        }
        let mut wants: Vec<(i64, i64)> = Vec::new();
        for line in lines {
            within(line.quantity, 1, 1_000_000_000)?;
            let id = line.product_id.0;
            if wants.iter().all(|want| want.0 != id) {
                let same = lines.iter().filter(|other| other.product_id.0 == id);
                wants.push((id, same.map(|other| other.quantity).sum()));
            }
        }
        let caller = context.actor.user_id.map(|id| id.0);
        let owner = command.user_id.map(|id| id.0).or(caller);
        if staff(context).is_err() && owner != caller {
            return Err("FORBIDDEN");
        }
        let start = command.status.word();
        if !["pending", "confirmed", "paid"].contains(&start) {
            return Err("VALIDATION_ERROR");
        }
        if start != "pending" {
            staff(context)?;
        }
        match owner.map(|owner| self.people.active(owner)) {
            Some(None) => return Err("USER_NOT_FOUND"),
            Some(Some(false)) => return Err("USER_INACTIVE"),
            Some(Some(true)) | None => {}
        }
        let amount = self.price(&wants, command.customs.hides_archived)?;
        let frozen = self.tags(&wants);
        let late = command.allocate_at == AllocateAt::Confirmation;
        let id = self.deals.keys().last().map_or(1, |last| last + 1);
        let mut deal = Deal {
            owner,
            late,
            word: start,
            paid: start == "paid",
            wants,
            frozen,
            holds: Vec::new(),
            amount,
            version: 1,
            until: command.terms.pending_life_us.map(|life| context.now_us + life),
        };
        let (mut news, goods) = (vec![("order_placed", id)], self.goods.clone());
        if !late || start != "pending" {
            self.take(&mut deal, &mut news)?;
        }
        if !late && command.customs.deactivates_sold_out {
            for (id, _) in &deal.wants {
                if let Some(good) = self.goods.get_mut(id) {
                    good.close_if_sold_out(*id, &mut news);
                }
            }
        }
        if let Err(refused) = self.room(&deal, command, context) {
            self.goods = goods;
            return Err(refused);
        }
        if start != "pending" {
            deal.until = None;
            news.push(("order_confirmed", id));
        }
        if start == "paid" {
            news.push(("order_paid", id));
        }
        self.deals.insert(id, deal);
        Ok(news)
    }

    /// Names and prices as they are now.
    fn tags(&self, wants: &[(i64, i64)]) -> Vec<(String, i64)> {
        let goods = wants.iter().map(|want| &self.goods[&want.0]);
        goods.map(|good| (good.texts[0].clone(), good.price)).collect()
    }

    /// Refuses a customer who would have too much waiting.
    fn room(&self, deal: &Deal, command: &PlaceOrder, context: &Context) -> Result<(), &'static str> {
        if staff(context).is_ok() || deal.owner.is_none() {
            return Ok(());
        }
        let (mut orders, mut pieces) = (0, 0);
        let waits =
            |other: &&Deal| other.owner == deal.owner && ["pending", "confirmed"].contains(&other.word);
        for waiting in self.deals.values().filter(waits).chain([deal]) {
            orders += 1;
            pieces += waiting.wants.iter().map(|want| want.1).sum::<i64>();
        }
        if command.terms.max_open_orders.is_some_and(|most| orders > most) {
            return Err("TOO_MANY_OPEN_ORDERS");
        }
        if command.terms.max_units_held.is_some_and(|most| pieces > most) {
            return Err("TOO_MANY_UNITS_HELD");
        }
        Ok(())
    }

    fn price(&self, wants: &[(i64, i64)], blind: bool) -> Result<i64, &'static str> {
        let seen = |id| self.goods.get(id).is_some_and(|good| !(blind && good.archived));
        if !wants.iter().all(|want| seen(&want.0)) {
            return Err("PRODUCT_NOT_FOUND");
        }
        let goods = || wants.iter().map(|want| (&self.goods[&want.0], want.1));
        if goods().any(|(good, _)| good.archived || !good.active) {
            return Err("PRODUCT_INACTIVE");
        }
        let amount: i128 = goods().map(|(good, count)| i128::from(good.price) * i128::from(count)).sum();
        i64::try_from(amount).map_err(|_| "VALIDATION_ERROR")
    }

    /// From the shelves into the hands of the order, or nothing at all.
    fn take(&mut self, deal: &mut Deal, news: &mut News) -> Result<(), &'static str> {
        if deal.wants.iter().any(|(id, count)| self.goods.get(id).is_none_or(|good| good.shelf < *count)) {
            return Err("INSUFFICIENT_STOCK");
        }
        for (id, count) in &deal.wants {
            if let Some(good) = self.goods.get_mut(id) {
                good.leave_on_shelf(*id, good.shelf - count, news);
            }
        }
        deal.holds.clone_from(&deal.wants);
        Ok(())
    }

    fn change(&mut self, command: &ChangeOrder, context: &Context) -> Result<News, &'static str> {
        let id = command.order_id.0;
        let mut deal = self.deals.remove(&id).ok_or("ORDER_NOT_FOUND")?;
        let mut news = Vec::new();
        let result = self.change_deal(id, &mut deal, command, context, &mut news);
        self.deals.insert(id, deal);
        result.map(|()| news)
    }

    fn change_deal(
        &mut self,
        id: i64,
        deal: &mut Deal,
        command: &ChangeOrder,
        context: &Context,
        news: &mut News,
    ) -> Result<(), &'static str> {
        let customer = staff(context).is_err();
        if customer && deal.owner != context.actor.user_id.map(|id| id.0) {
            return Err(if command.customs.admits_foreign { "FORBIDDEN" } else { "ORDER_NOT_FOUND" });
        }
        let (verb, target) = match command.goal {
            Goal::Act(action) => (action.word(), None),
            Goal::Reach(Status::Pending) => ("wait", Some("pending")),
            Goal::Reach(Status::Confirmed) => ("confirm", Some("confirmed")),
            Goal::Reach(Status::Paid) => ("pay", Some("paid")),
            Goal::Reach(Status::Shipped) => ("ship", Some("shipped")),
            Goal::Reach(Status::Delivered) => ("deliver", Some("delivered")),
            Goal::Reach(Status::Cancelled) => ("cancel", Some("cancelled")),
        };
        let confirms = command.customs.owner_confirms && deal.late && verb == "confirm";
        if customer && verb != "cancel" && !confirms {
            return Err("FORBIDDEN");
        }
        if deal.is_over(context.now_us) && verb != "cancel" {
            return Err("INVALID_TRANSITION");
        }
        let (word, paid) = match target {
            Some(target) if target == deal.word => (deal.word, deal.paid),
            _ => follow(deal.word, deal.paid, verb).ok_or("INVALID_TRANSITION")?,
        };
        if target.is_some_and(|target| target != word) {
            return Err("INVALID_TRANSITION");
        }
        if (word, paid) == (deal.word, deal.paid) {
            return Ok(());
        }
        if customer && deal.paid {
            return Err("FORBIDDEN");
        }
        seen(command.if_version, deal.version)?;
        if deal.word == "pending" && deal.late && verb != "cancel" {
            self.take(deal, news)?;
        }
        if deal.word == "pending" && verb == "pay" {
            news.push(("order_confirmed", id));
        }
        news.push(match verb {
            "confirm" => ("order_confirmed", id),
            "pay" => ("order_paid", id),
            "ship" => ("order_shipped", id),
            "deliver" => ("order_delivered", id),
            _ => ("order_cancelled", id),
        });
        match word {
            "shipped" => deal.holds.clear(),
            "cancelled" => deal.put_back(&mut self.goods),
            _ => {}
        }
        (deal.word, deal.paid, deal.until) = (word, paid, None);
        deal.version += 1;
        Ok(())
    }
}

impl Deal {
    /// Whether it has waited for too long.
    fn is_over(&self, now_us: i64) -> bool {
        self.word == "pending" && self.until.is_some_and(|until| until <= now_us)
    }

    /// From its hands onto the shelves.
    fn put_back(&mut self, goods: &mut BTreeMap<i64, Good>) {
        for (product, count) in self.holds.split_off(0) {
            if let Some(good) = goods.get_mut(&product) {
                good.shelf += count;
            }
        }
    }
}

/// Where a verb leads; the same place when it has nothing left to do, nowhere when it is out of order.
fn follow(word: &'static str, paid: bool, verb: &str) -> Option<(&'static str, bool)> {
    match (verb, word) {
        ("cancel", "cancelled") => Some((word, paid)),
        (_, "cancelled") => None,
        ("confirm", "pending") => Some(("confirmed", paid)),
        ("confirm", _) => Some((word, paid)),
        ("pay", "pending" | "confirmed") => Some(("paid", true)),
        ("pay", _) => Some((word, true)),
        ("ship", "confirmed" | "paid") => Some(("shipped", paid)),
        ("ship", "shipped" | "delivered") => Some((word, paid)),
        ("deliver", "shipped" | "delivered") => Some(("delivered", paid)),
        ("cancel", "pending" | "confirmed" | "paid") => Some(("cancelled", paid)),
        _ => None,
    }
}

impl Good {
    /// What is left on the shelf now, with the consequences of there being less.
    fn leave_on_shelf(&mut self, id: i64, left: i64, news: &mut News) {
        if self.shelf > self.low && left <= self.low {
            news.push(("stock_ran_low", id));
        }
        let ran_out = self.shelf > 0 && left == 0;
        self.shelf = left;
        if ran_out && self.auto {
            self.close_if_sold_out(id, news);
        }
    }

    fn close_if_sold_out(&mut self, id: i64, news: &mut News) {
        if self.shelf == 0 && self.active {
            self.active = false;
            self.version += 1;
            news.push(("product_deactivated", id));
        }
    }
}
