//! Sample data for a first look: a small shop with a few months behind it. All of it goes through the same
//! commands as real orders do, only with the clock turned back.

mod catalogue;
mod stocks;
mod trade;

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use domain::{Actor, Command, CreateUser, ProductId, Rejection, Role};
use futures_util::future::join_all;
use server::app::{Answered, App};
pub(crate) use stocks::AddSampleStocks;

/// Where the password of the sample accounts is kept, in the data directory.
pub(crate) const PASSWORD_FILE: &str = "demo-password";
/// How the name of that file begins until the shop is filled: where it is found, somebody pulled the plug in between.
const UNFINISHED_FILE: &str = "demo-password.unfinished";

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

/// Fills a shop that nobody has used yet with what led up to `now_us` (microseconds since 1970 UTC), and returns the
/// password of the sample accounts; `None` when another server on the same database was faster.
pub(crate) async fn fill(app: &App, data_dir: &Path, now_us: i64) -> anyhow::Result<Option<String>> {
    let password = new_password()?;
    write_password(&unfinished_file(data_dir), &password)?;
    let sample = Sample { app, start_us: (now_us / DAY_US - DAYS) * DAY_US, now_us };
    let Some((staff, customers)) = sample.add_users(&password).await? else {
        std::fs::remove_file(unfinished_file(data_dir)).context("cannot remove the demo password")?;
        return Ok(None);
    };
    let goods = sample.add_products(staff).await?;
    let orders = sample.trade(staff, &customers, &goods).await?;
    std::fs::rename(unfinished_file(data_dir), data_dir.join(PASSWORD_FILE))
        .context("cannot keep the demo password")?;
    tracing::info!(products = goods.len(), orders, "added sample data");
    Ok(Some(password))
}

/// The password of the sample accounts, if there are any.
///
/// # Errors
/// When they were never finished, for half a demo shows nobody anything.
pub(crate) fn kept_password(data_dir: &Path) -> anyhow::Result<Option<String>> {
    let mut files = std::fs::read_dir(data_dir).context("cannot look into the data directory")?;
    let is_unfinished = |name: &OsStr| name.to_string_lossy().starts_with(UNFINISHED_FILE);
    if files.any(|entry| entry.is_ok_and(|entry| is_unfinished(&entry.file_name()))) {
        anyhow::bail!(
            "an earlier start with --demo was interrupted and left half of the sample data; remove {} (and \
             empty the database, if that is elsewhere) to start over, or start without --demo",
            data_dir.display()
        );
    }
    let path = data_dir.join(PASSWORD_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Several servers may begin at once, and share the directory: each has a file of its own until one has won.
fn unfinished_file(data_dir: &Path) -> PathBuf {
    data_dir.join(format!("{UNFINISHED_FILE}.{}", std::process::id()))
}

/// A random password, so that a demo on an open port is no open door.
pub(crate) fn new_password() -> anyhow::Result<String> {
    let mut bytes = [0; 6];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Writes the password where only the operator can read it.
fn write_password(path: &Path, password: &str) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).with_context(|| format!("cannot make {}", path.display()))?;
    writeln!(file, "{password}").and_then(|()| file.sync_all()).context("cannot write the demo password")
}

/// Keeps the password of sample accounts that are complete.
pub(crate) fn keep_password(data_dir: &Path, password: &str) -> anyhow::Result<()> {
    let path = unfinished_file(data_dir);
    write_password(&path, password)?;
    std::fs::rename(path, data_dir.join(PASSWORD_FILE)).context("cannot keep the demo password")
}

/// A sample product that has been added.
struct Good {
    id: ProductId,
    /// Pieces at the opening.
    opening: i64,
    /// Whether new ones come in.
    is_delivered: bool,
}

/// The shop while it is being filled.
struct Sample<'a> {
    app: &'a App,
    /// The midnight with which its history begins.
    start_us: i64,
    /// Where its history ends.
    now_us: i64,
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
        let context = domain::Context { actor, now_us: at_us, request_id: Arc::from("demo"), source: None };
        match self.app.execute(command, context, None).await? {
            Answered::Decided(decided) => Ok(decided),
            Answered::Kept { .. } => Err(anyhow::anyhow!("an answer was kept for a command without a key")),
        }
    }

    /// Does work in this order, in as few transactions as the queue has room for.
    async fn in_order<F: Future>(&self, work: impl IntoIterator<Item = F>) -> Vec<F::Output> {
        let room = self.app.settings().queue_limit.max(1);
        let mut work = work.into_iter().peekable();
        let mut done = Vec::new();
        while work.peek().is_some() {
            // Each is queued when it is first polled, and that happens one after the other.
            done.extend(join_all(work.by_ref().take(room)).await);
        }
        done
    }

    /// The one who keeps the stock, and the customers; `None` when somebody else has the first account already. Of two
    /// servers that begin at once, one gets it and goes on alone.
    async fn add_users(&self, password: &str) -> anyhow::Result<Option<(Actor, Vec<Actor>)>> {
        let office = [("admin", "Ada Administrator", Role::Admin), ("staff", "Sam Staff", Role::Staff)];
        let customers = CUSTOMERS.map(|(name, full_name)| (name, full_name, Role::Customer));
        let people = || office.into_iter().chain(customers);
        let hashes = join_all(people().map(|_| self.app.passwords().hash(password))).await;
        let mut actors = Vec::new();
        for ((username, full_name, role), password_hash) in people().zip(hashes) {
            let command = CreateUser {
                username: username.to_owned(),
                email: Some(format!("{username}@example.com")),
                full_name: Some(full_name.to_owned()),
                role: Some(role),
                founding: domain::Founding::Nothing,
                by_invitation: false,
                password_hash: password_hash?,
            };
            let added = self.at(Actor::SYSTEM, self.start_us, command).await?;
            if actors.is_empty() && matches!(added, Err(Rejection::UsernameTaken(_))) {
                return Ok(None);
            }
            let user = granted(added)?;
            actors.push(Actor { user_id: Some(user.id), role, key: None });
        }
        let customers = actors.split_off(office.len());
        let staff = actors.pop().unwrap_or(Actor::SYSTEM);
        Ok(Some((staff, customers)))
    }

    async fn add_products(&self, staff: Actor) -> anyhow::Result<Vec<Good>> {
        let added = catalogue::items().into_iter().map(async |item| {
            let added = granted(self.at(staff, self.start_us + HOUR_US, item.command).await?)?;
            Ok(Good { id: added.product.id, opening: item.opening, is_delivered: item.is_delivered })
        });
        self.in_order(added).await.into_iter().collect()
    }
}

/// What the sample history needs cannot be refused, unless that history is wrong.
fn granted<T>(decided: Result<T, Rejection>) -> anyhow::Result<T> {
    decided.map_err(|rejection| anyhow::anyhow!("the sample data was refused: {rejection:?}"))
}
