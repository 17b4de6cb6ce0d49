//! Sample data for a first look: a small shop with a few months behind it. All of it goes through the same
//! commands as real orders do, only with the clock turned back.

mod catalogue;
mod random;

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use domain::{
    Action, Actor, AdjustStock, AllocateAt, ChangeOrder, Command, CreateUser, Goal, OrderId, OrderLine,
    PlaceOrder, ProductId, Rejection, Role, Status, StockChange, StockLine, UserId,
};
use futures_util::future::join_all;
use server::app::views::{Page, Start, UserQuery};
use server::app::{Answered, App};
use server::clock;

use self::random::Random;

/// Where the password of the sample accounts is kept, in the data directory.
pub(crate) const PASSWORD_FILE: &str = "demo-password";

const DAY_US: i64 = 24 * HOUR_US;
const HOUR_US: i64 = 60 * MINUTE_US;
const MINUTE_US: i64 = 60 * 1_000_000;
/// How far back the sample orders go.
const DAYS: i64 = 120;

const CUSTOMERS: [(&str, &str); 6] = [
    ("alice", "Alice Moreau"),
    ("bob", "Bob Okafor"),
    ("carol", "Carol Lindqvist"),
    ("dave", "Dave Tanaka"),
    ("erin", "Erin Kowalska"),
    ("frank", "Frank Silva"),
];

/// Fills an empty shop, leaves any other as it is, and returns the password of the sample accounts.
pub(crate) async fn fill(app: &App, data_dir: &Path) -> anyhow::Result<String> {
    let password = password(data_dir)?;
    let page = Page { limit: 1, start: Start::Offset(0) };
    let anybody = UserQuery { text: None, role: None, active: None, page };
    if !app.reads().users(&anybody).await?.rows.is_empty() {
        tracing::info!("the shop has users already; no sample data was added");
        return Ok(password);
    }
    let shop = Sample { app, start_us: clock::now_us().saturating_sub(DAYS * DAY_US) };
    let (staff, customers) = shop.add_users(&password).await?;
    let products = shop.add_products(staff).await?;
    let orders = shop.trade(staff, &customers, &products).await?;
    tracing::info!(products = products.len(), orders, "added sample data");
    Ok(password)
}

/// The password of the sample accounts: random, so that a demo on an open port is no open door.
fn password(data_dir: &Path) -> anyhow::Result<String> {
    let path = data_dir.join(PASSWORD_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => return Ok(text.trim().to_owned()),
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot read {}", path.display()));
        }
        Err(_) => {}
    }
    let mut bytes = [0; 6];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path).with_context(|| format!("cannot make {}", path.display()))?;
    writeln!(file, "{digits}")?;
    file.sync_all()?;
    Ok(digits)
}

/// A customer order on its way through the sample months.
struct Open {
    id: OrderId,
    /// What still happens to it, the next step last.
    steps: Vec<(i64, Action)>,
}

/// The shop while it is being filled.
struct Sample<'a> {
    app: &'a App,
    start_us: i64,
}

impl Sample<'_> {
    /// Carries a command out at a time in the past.
    async fn at<C>(
        &self,
        actor: Actor,
        at_us: i64,
        command: C,
    ) -> anyhow::Result<Result<C::Outcome, Rejection>>
    where
        C: Command + Send + 'static,
        C::Outcome: Send + 'static,
    {
        let context = domain::Context { actor, now_us: at_us, request_id: Arc::from("demo") };
        match self.app.execute(command, context, None).await? {
            Answered::Decided(decided) => Ok(decided),
            Answered::Kept { .. } => Err(anyhow::anyhow!("an answer was kept for a command without a key")),
        }
    }

    async fn add_users(&self, password: &str) -> anyhow::Result<(Actor, Vec<Actor>)> {
        let office = [("admin", "Ada Administrator", Role::Admin), ("staff", "Sam Staff", Role::Staff)];
        let customers = CUSTOMERS.map(|(name, full_name)| (name, full_name, Role::Customer));
        let mut actors = Vec::new();
        for (username, full_name, role) in office.into_iter().chain(customers) {
            let command = CreateUser {
                username: username.to_owned(),
                email: Some(format!("{username}@example.com")),
                full_name: Some(full_name.to_owned()),
                role: Some(role),
                password_hash: self.app.passwords().hash(password).await?,
            };
            let user = self.at(Actor::SYSTEM, self.start_us, command).await?.map_err(refused)?;
            actors.push(Actor { user_id: Some(user.id), role });
        }
        let customers = actors.split_off(office.len());
        let staff = actors.pop().unwrap_or(Actor::SYSTEM);
        Ok((staff, customers))
    }

    async fn add_products(&self, staff: Actor) -> anyhow::Result<Vec<ProductId>> {
        let commands = catalogue::products();
        let added = commands.into_iter().map(|command| self.at(staff, self.start_us + HOUR_US, command));
        let mut ids = Vec::new();
        for product in join_all(added).await {
            ids.push(product?.map_err(refused)?.product.id);
        }
        Ok(ids)
    }

    /// Day after day: customers order, staff work through what is open, goods come in once a week.
    async fn trade(
        &self,
        staff: Actor,
        customers: &[Actor],
        products: &[ProductId],
    ) -> anyhow::Result<usize> {
        let mut random = Random::new(2026);
        let mut open: Vec<Open> = Vec::new();
        let mut placed = 0;
        for day in 1..DAYS {
            let morning_us = self.start_us + day * DAY_US;
            if day % 7 == 1 {
                let command = delivery(products, &mut random);
                self.at(staff, morning_us, command).await?.map_err(refused)?;
            }
            let count = 1 + random.below(5);
            // Queued in order of time, so that ids and times agree.
            let orders = (0..count).map(|nth| {
                let customer = customers[random.index(customers.len())];
                let at_us = morning_us + HOUR_US * (1 + 2 * nth) + MINUTE_US * random.below(100);
                self.at(customer, at_us, order(customer.user_id, products, &mut random))
            });
            let orders: Vec<_> = orders.collect();
            for order in join_all(orders).await {
                // Out of stock: customers leave, as they do.
                let Ok(order) = order? else { continue };
                placed += 1;
                let steps = future_of(order.order.placed_at_us, DAYS - day, &mut random);
                open.push(Open { id: order.order.id, steps });
            }
            self.advance(staff, &mut open, morning_us + DAY_US).await?;
        }
        Ok(placed)
    }

    /// Carries out what is due before `until_us`.
    async fn advance(&self, staff: Actor, open: &mut Vec<Open>, until_us: i64) -> anyhow::Result<()> {
        let mut due: Vec<(i64, OrderId, Action)> = Vec::new();
        for order in open.iter_mut() {
            while let Some((at_us, action)) = order.steps.pop_if(|(at_us, _)| *at_us < until_us) {
                due.push((at_us, order.id, action));
            }
        }
        open.retain(|order| !order.steps.is_empty());
        due.sort_unstable();
        let changes = due.into_iter().map(|(at_us, order_id, action)| {
            let command = ChangeOrder { order_id, goal: Goal::Act(action), if_version: None };
            self.at(staff, at_us, command)
        });
        for change in join_all(changes).await {
            change?.map_err(refused)?;
        }
        Ok(())
    }
}

fn refused(rejection: Rejection) -> anyhow::Error {
    anyhow::anyhow!("the sample data was refused: {rejection:?}")
}

/// A weekly delivery of whatever the supplier had.
fn delivery(products: &[ProductId], random: &mut Random) -> AdjustStock {
    let lines = products.iter().filter_map(|product_id| {
        let quantity = random.below(12);
        (quantity > 3).then(|| StockLine {
            product_id: *product_id,
            change: StockChange::Increment(quantity),
            reason: Some("delivery".to_owned()),
            note: None,
        })
    });
    let first = StockLine {
        product_id: products[0],
        change: StockChange::Increment(5),
        reason: Some("delivery".to_owned()),
        note: Some("standing order".to_owned()),
    };
    AdjustStock { lines: std::iter::once(first).chain(lines.skip(1)).collect() }
}

fn order(user_id: Option<UserId>, products: &[ProductId], random: &mut Random) -> PlaceOrder {
    let lines = (0..=random.below(3)).map(|_| OrderLine {
        product_id: products[random.index(products.len())],
        quantity: 1 + random.below(3),
    });
    PlaceOrder { user_id, lines: lines.collect(), allocate_at: AllocateAt::Creation, status: Status::Pending }
}

/// What becomes of an order: one in ten is cancelled, the others move on; the younger they are, the less far.
fn future_of(placed_at_us: i64, days_left: i64, random: &mut Random) -> Vec<(i64, Action)> {
    if random.below(10) == 0 {
        return vec![(placed_at_us + HOUR_US * (2 + random.below(20)), Action::Cancel)];
    }
    let mut at_us = placed_at_us;
    let mut steps: Vec<_> = [Action::Confirm, Action::Pay, Action::Ship, Action::Deliver]
        .into_iter()
        .map(|action| {
            at_us += HOUR_US * (2 + random.below(30));
            (at_us, action)
        })
        .collect();
    // What would happen after today has not happened yet.
    steps.retain(|(at_us, _)| *at_us < placed_at_us + (days_left - 1) * DAY_US);
    steps.reverse();
    steps
}
