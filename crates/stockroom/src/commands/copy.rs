//! `stockroom copy`

mod progress;

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use server::clock;
use store::Discrepancy;
use store::copy::{Copied, CopyError, CopySource, PortionLimit};
use store::driver::{Database, Options};

use self::progress::Watcher;
pub(super) use self::progress::grouped;
use super::{shop, verify};
use crate::cli::CopyArgs;
use crate::config::{Config, DatabaseUrl};
use crate::failure::UsageError;
use crate::lock::{self, ServerLock, Use};
use crate::output;

/// How long the database may take for one answer. Counting and adding up a large shop takes longer than a server would
/// wait for a list.
const LONGEST_STATEMENT: Duration = Duration::from_secs(60 * 60);

/// Moves a shop into an empty database and says what has arrived.
pub(crate) async fn run(arguments: CopyArgs, config: &Config) -> anyhow::Result<()> {
    let (from, to) = judge(arguments)?;
    let copied = copy(&from, &to, config).await.with_context(|| format!("cannot copy {from} to {to}"))?;
    output::print(&summary(&copied, &from, &to))
}

/// The two databases, different ones.
fn judge(arguments: CopyArgs) -> Result<(DatabaseUrl, DatabaseUrl), UsageError> {
    let hint = |flag: &str, hint: &str| format!("{flag}: {hint}");
    match (arguments.from, arguments.to) {
        (Ok(from), Ok(to)) if are_same(&from, &to) => {
            Err(UsageError::one(format!("--from and --to are the same database, {from}: name another one")))
        }
        (Ok(from), Ok(to)) => Ok((from, to)),
        (from, to) => {
            let wrong = [from.err().map(|it| hint("--from", &it)), to.err().map(|it| hint("--to", &it))];
            Err(UsageError { lines: wrong.into_iter().flatten().collect() })
        }
    }
}

/// Whether two URLs lead to one database. What this does not see, like a host with two names, the store does: there,
/// the target is not empty.
fn are_same(from: &DatabaseUrl, to: &DatabaseUrl) -> bool {
    match (from.file(), to.file()) {
        (Some(from), Some(to)) => lock::real_path(from) == lock::real_path(to),
        (None, None) => from.place() == to.place(),
        _ => false,
    }
}

async fn copy(from: &DatabaseUrl, to: &DatabaseUrl, config: &Config) -> anyhow::Result<Copied> {
    // Opening would make it, and an empty shop is quickly copied.
    shop::require_file(from)?;
    let source_lock = lock_file(from)?;
    let source = CopySource::open(open(from, config).await?).await?;
    // A source that is none leaves no trace where the target would be.
    let target_lock = lock_file(to)?;
    let mut watcher = Watcher::new();
    watcher.says("looking whether the source adds up");
    let findings = source.verify().await?;
    if !findings.is_empty() {
        return Err(unsound(&findings, "the source does not add up"));
    }
    let target = open(to, config).await?;
    let told = &mut |progress| watcher.sees(progress);
    let copied = source.copy_to(&target, PortionLimit::default(), clock::now_us(), told).await;
    let copied = copied.map_err(|error| match error {
        CopyError::Unsound { findings } => unsound(&findings, "the target does not add up"),
        error => error.into(),
    })?;
    target.checkpoint().await.context("cannot checkpoint the target")?;
    drop((source_lock, target_lock));
    Ok(copied)
}

/// Keeps servers away from an embedded database, and notices one that is there.
fn lock_file(url: &DatabaseUrl) -> anyhow::Result<Option<ServerLock>> {
    let take = |file: &Path| lock::take(file, Use::Copying);
    url.file().map(take).transpose()
}

async fn open(url: &DatabaseUrl, config: &Config) -> anyhow::Result<Database> {
    let options = Options { statement_timeout: LONGEST_STATEMENT, ..config.database_options() };
    Database::open(url.expose(), options).await.with_context(|| format!("cannot open the database {url}"))
}

/// Prints the findings, as `verify` does.
fn unsound(findings: &[Discrepancy], what: &str) -> anyhow::Error {
    let error = anyhow::anyhow!("{what}, differences found: {}", findings.len());
    let lines: Vec<_> = findings.iter().map(verify::line).collect();
    output::print(&lines.join("\n")).err().unwrap_or(error)
}

fn summary(copied: &Copied, from: &DatabaseUrl, to: &DatabaseUrl) -> String {
    let total: i64 = copied.tables.iter().map(|(_, rows)| rows).sum();
    let mut text = format!("copied {} rows from {from} to {to}\n", grouped(total));
    for (table, rows) in &copied.tables {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "  {table:16} {:>14}", grouped(*rows));
    }
    text.push_str(
        "All counts agree, and the copy adds up.\n\
         Sessions and idempotency keys go on only if its server has the same secret (STOCKROOM_SECRET, or secret.key \
         in the data directory), which lies in no database and was not copied.",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> DatabaseUrl {
        DatabaseUrl::read(text).unwrap()
    }

    #[test]
    fn one_database_has_many_urls() {
        for (one, other, wanted) in [
            ("sqlite:a.sqlite", "sqlite://./a.sqlite", true),
            ("sqlite:a.sqlite", "sqlite:b.sqlite", false),
            ("sqlite:a.sqlite", "postgres://a/sqlite", false),
            ("postgres://h/a", "postgresql://ann:x@h/a?sslmode=require", true),
            ("postgres://h/a", "postgres://h/b", false),
            ("postgres://h/a", "mysql://h/a", false),
            ("postgres://h/a?schema=one", "postgres://h/a?schema=two", false),
            ("mariadb://a:b@h/a", "mysql://c:d@h/a", true),
        ] {
            assert_eq!(are_same(&url(one), &url(other)), wanted, "{one} {other}");
        }
    }
}
