//! `stockroom generate`

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use server::clock;
use store::driver::Options;
use store::{Filling, Store, Verdict};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::copy::grouped;
use super::shop::Shop;
use crate::cli::GenerateArgs;
use crate::config::Config;
use crate::generate::{Batch, Extremes, History, Size};
use crate::lock::{self, Use};
use crate::{demo, output};

/// How long a batch may take, with all attempts. Databases that are away for longer are not worth waiting for.
const LONGEST_BATCH: Duration = Duration::from_secs(5 * 60);

/// The products, users and grams that batches touch stay in memory, and so much is sorted there at once in the end. More
/// than a server may have, which is not there meanwhile.
const WRITER_CACHE_KIB: u32 = 256 * 1024;

/// Batches of orders that share a transaction on SQLite, so that what they have in common is loaded and written once. More
/// of them take more memory and hardly less time, as almost everything else is appended. See docs/PERFORMANCE.md.
const BATCHES_TOGETHER: usize = 2;

/// Fills an empty database and says what has been made.
pub(crate) async fn run(arguments: &GenerateArgs, config: &Config) -> anyhow::Result<()> {
    super::shop::make_data_dir(config)?;
    let lock = config.database_url.file().map(|file| lock::take(file, Use::Filling)).transpose()?;
    let options =
        Options { writer_cache_kib: WRITER_CACHE_KIB, sort_in_files: true, ..config.database_options() };
    let shop = Shop::open_with(config, options).await?;
    let begun = shop.store().begin_filling().await.context("cannot look into the database")?;
    let Some(mut filling) = begun else {
        anyhow::bail!("{} was used already: generate fills empty databases alone", config.database_url);
    };
    shop.settle_currency().await?;
    let password = demo::new_password()?;
    let password_hash = shop.app.passwords().hash(&password).await?;
    let size = Size {
        products: usize::try_from(arguments.products)?,
        users: usize::try_from(arguments.users)?,
        orders: i64::from(arguments.orders),
    };
    let together = if config.database_url.file().is_some() { BATCHES_TOGETHER } else { 1 };
    let history = History::new(size, arguments.seed, clock::now_us(), password_hash);
    let filled = fill(&mut filling, history, arguments.orders, together)
        .await
        .with_context(|| format!("cannot fill {}; empty it before you try again", config.database_url))?;
    demo::keep_password(&config.data_dir, &password)?;
    filling.end().await.context("cannot note that the shop is complete")?;
    shop.close().await?;
    drop(lock);
    output::print(&summary(arguments, &filled, &password, config))
}

/// What has been made, and how long that took.
struct Filled {
    extremes: Extremes,
    /// Users and products that were there before the first order.
    foundation: Duration,
    orders: Duration,
}

/// Plans and writes the history: each batch is planned while the one before it is written. Then puts the database in
/// order, which counts as time for orders: whatever is put off, is put off for their sake.
async fn fill(
    filling: &mut Filling,
    mut history: History,
    orders: u32,
    together: usize,
) -> anyhow::Result<Filled> {
    let started = clock::monotonic();
    let mut first_order = started;
    let (sender, mut batches) = mpsc::channel::<Batch>(together);
    let planner = tokio::task::spawn_blocking(move || {
        for batch in history.by_ref() {
            // Nobody takes it: writing has failed.
            if sender.blocking_send(batch).is_err() {
                break;
            }
        }
        history.extremes()
    });
    let watcher = Watcher::new(u64::from(orders));
    let mut placed = 0;
    while let Some(mut batch) = batches.recv().await {
        if placed == 0 && batch.orders > 0 {
            first_order = clock::monotonic();
        }
        let more = if batch.orders > 0 { together - 1 } else { 0 };
        for _ in 0..more {
            let Some(next) = batches.recv().await else { break };
            batch.orders += next.orders;
            batch.work.extend(next.work);
        }
        placed += batch.orders;
        write(filling.store(), batch).await?;
        watcher.sees(placed);
    }
    watcher.settles();
    filling.settle().await?;
    // Without an order everything is foundation.
    let finished = clock::monotonic();
    let first_order = if placed == 0 { finished } else { first_order };
    Ok(Filled { extremes: planner.await?, foundation: first_order - started, orders: finished - first_order })
}

/// Writes one batch, all of which must be granted.
async fn write(store: &Store, batch: Batch) -> anyhow::Result<()> {
    let mut work = batch.work.into_iter().map(Box::new).collect();
    let written = store.write(&mut work, |_| {}, Instant::now() + LONGEST_BATCH).await;
    for verdict in written.verdicts {
        if let Verdict::Failed(error) = verdict {
            return Err(anyhow::Error::new(error).context("the database failed"));
        }
    }
    match work.iter().find_map(|work| work.refusal.as_ref()) {
        // The rules refuse what they have not seen coming: another server, say.
        Some(refusal) => {
            Err(anyhow::anyhow!("a command was refused ({refusal}): does somebody else use the database?"))
        }
        None => Ok(()),
    }
}

fn summary(arguments: &GenerateArgs, filled: &Filled, password: &str, config: &Config) -> String {
    let GenerateArgs { products, users, orders, seed } = arguments;
    let number = |count: u32| grouped(i64::from(count));
    let rate = f64::from(*orders) / filled.orders.as_secs_f64().max(1e-6);
    let mut text = format!(
        "made {} products, {} users and {} orders in {:.1} s, by seed {seed}\n",
        number(*products),
        number(*users),
        number(*orders),
        (filled.foundation + filled.orders).as_secs_f64(),
    );
    // Writing into a String cannot fail.
    let _ = writeln!(text, "  orders         {rate:.0} a second, in {:.1} s", filled.orders.as_secs_f64());
    let Extremes { popular, rare, busiest } = filled.extremes;
    for (what, (id, count)) in
        [("popular product", popular), ("rare product", rare), ("busiest user", busiest)]
    {
        let _ = writeln!(text, "  {what:14} {id}, with {} orders", number(count));
    }
    let _ = write!(
        text,
        "  log in         admin, staff or alice, each with the password {password}\n\
         \x20                (kept in {})",
        config.data_dir.join(demo::PASSWORD_FILE).display()
    );
    text
}

/// How far it has come, on standard error, for whoever watches a terminal.
struct Watcher(Option<ProgressBar>);

impl Watcher {
    fn new(orders: u64) -> Self {
        if !std::io::stderr().is_terminal() {
            // There is nowhere to report that standard error is closed.
            let _ = writeln!(std::io::stderr().lock(), "generating {orders} orders");
            return Self(None);
        }
        let style = "{msg:16} [{bar:30}] {human_pos} of {human_len} orders, {per_sec}, {eta} left";
        let bar = ProgressBar::new(orders).with_message("users, products");
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.tick();
        Self(Some(bar))
    }

    fn sees(&self, placed: i64) {
        let Self(Some(bar)) = self else { return };
        let placed = placed.unsigned_abs();
        if placed > 0 && bar.position() == 0 {
            bar.set_message("orders");
            // What came before them says nothing about their speed.
            bar.reset_eta();
        }
        bar.set_position(placed);
    }

    fn settles(&self) {
        if let Self(Some(bar)) = self {
            bar.set_message("tables, indexes");
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Self(Some(bar)) = self {
            // What comes next stands on its place.
            bar.finish_and_clear();
        }
    }
}
