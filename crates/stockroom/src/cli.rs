//! The command line. Flags that are settings come from the one table of settings (see [`crate::flags`]).

use std::path::PathBuf;

use clap::builder::TypedValueParser as _;
use clap::{Args, Parser, Subcommand};
use domain::Role;

use crate::config::{DatabaseUrl, Given};
use crate::flags::{EverywhereFlags, ServeFlags};

/// Orders and inventory that cannot oversell.
///
/// Settings come from, in this order: flags, STOCKROOM_* environment variables, the file `.env` in the working
/// directory, a TOML file, defaults. `stockroom config` prints what is in force and where it came from.
#[derive(Debug, Parser)]
#[command(name = "stockroom", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    flags: EverywhereFlags,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// Every setting that was given as a flag.
    pub(crate) fn given(&self) -> Vec<Given> {
        let mut given = self.flags.0.clone();
        if let Command::Serve(flags) | Command::Config(flags) = &self.command {
            given.extend(flags.0.iter().cloned());
        }
        given
    }
}

/// What the program is asked to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the API until a signal asks to stop
    Serve(ServeFlags),
    /// Bring the database up to this version
    Migrate,
    /// Create users and set their passwords
    #[command(subcommand)]
    User(UserCommand),
    /// Prove that the ledger adds up to the stock and the allocations to the open orders
    ///
    /// Reports what it finds, one line each, and repairs nothing. Exits with 1 when something does not add up.
    Verify,
    /// Move a shop into another, empty database, of the same kind or another
    ///
    /// Stop its servers first; nobody may write to either database meanwhile. A copy that was interrupted goes on where
    /// it stopped when the same command is given again, and is served by nobody before it is complete. In the end the
    /// copy is compared with the original and verified. The original stays as it is. Shows progress on standard error.
    Copy(CopyArgs),
    /// Copy the database file into FILE while it is served, as it is at one moment
    ///
    /// FILE must not exist. It appears when the copy is complete, on the disk, whole, and adds up; whatever goes wrong before
    /// that leaves no FILE. At most half of the time goes into copying, so that the server keeps its speed. The secret
    /// (secret.key in the data directory) is not part of it. Other databases than a file have tools of their own: pg_dump or
    /// pg_basebackup for PostgreSQL, mariadb-dump or mariadb-backup for MariaDB, mysqldump for MySQL.
    Backup(BackupArgs),
    /// Put a backup in the place of the database file
    ///
    /// Stop the server first. The backup is copied, migrated, looked through and verified before it takes the place. A
    /// database that is there is replaced only if told so, and kept beside it under another name.
    Restore(RestoreArgs),
    /// Fill an empty database with a made-up shop of any size, to measure and to look at
    ///
    /// Products, accounts and one to two years of orders that end with the last midnight (UTC), all through the rules that real
    /// orders obey, with the clock turned back. The same numbers and the same seed make the same shop. Stop its server
    /// first. A database that was ever used is refused; one that was left half filled is served by nobody. Shows progress
    /// on standard error, and prints the password of the accounts in the end.
    Generate(GenerateArgs),
    /// Print the OpenAPI document
    Openapi,
    /// Print the settings in force and where each came from, secrets hidden
    ///
    /// Takes the flags of `serve`, so that a configuration can be tried without starting it.
    Config(ServeFlags),
}

/// From where to where.
#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    /// The database to copy: sqlite:PATH, postgres://USER:PASSWORD@HOST/NAME or mysql://USER:PASSWORD@HOST/NAME
    #[arg(long, value_name = "URL", value_parser = read_url)]
    pub(crate) from: JudgedUrl,
    /// The database to copy it into, written likewise; it must be empty
    #[arg(long, value_name = "URL", value_parser = read_url)]
    pub(crate) to: JudgedUrl,
}

/// Where to.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The file to make; it must not exist
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// From where.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup; it stays as it is
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Replace the database that is there; it is kept beside the new one, as NAME.before-restore-1 or the next number
    #[arg(long)]
    pub(crate) replace: bool,
}

/// How large a shop.
#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    /// How many products
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = count(1))]
    pub(crate) products: u32,
    /// How many accounts: an administrator (admin), one of the staff (staff), and customers
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = count(3))]
    pub(crate) users: u32,
    /// How many orders
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = count(0))]
    pub(crate) orders: u32,
    /// What everything is drawn by
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
}

/// A number of rows. Beyond a hundred million, time and disk would end before the program does.
fn count(least: i64) -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(least..=100_000_000)
}

/// A database, or what to write instead. Judged later than the command line: its complaint would repeat the URL, with the
/// password that may be in it.
pub(crate) type JudgedUrl = Result<DatabaseUrl, String>;

fn read_url(raw: &str) -> Result<JudgedUrl, std::convert::Infallible> {
    Ok(DatabaseUrl::read(raw))
}

/// Work on one user.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Create a user
    Add(UserAdd),
    /// Set a user's password and end all of their sessions
    Passwd(UserPasswd),
}

/// The facts of a new user.
#[derive(Debug, Args)]
pub(crate) struct UserAdd {
    /// The name to log in with
    #[arg(long, value_name = "NAME")]
    pub(crate) username: String,
    /// The e-mail address, also good to log in with
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) email: String,
    /// What the user may do
    #[arg(long, value_parser = role_parser())]
    pub(crate) role: Role,
    /// The name to show; the user name when absent
    #[arg(long, value_name = "NAME")]
    pub(crate) full_name: Option<String>,
    #[command(flatten)]
    pub(crate) password: PasswordStdin,
}

/// Whose password to set.
#[derive(Debug, Args)]
pub(crate) struct UserPasswd {
    /// The name the user logs in with
    #[arg(long, value_name = "NAME")]
    pub(crate) username: String,
    #[command(flatten)]
    pub(crate) password: PasswordStdin,
}

/// Passwords come through a pipe alone: a flag would show them to every user of the machine.
#[derive(Debug, Args)]
pub(crate) struct PasswordStdin {
    /// Read the password from the first line of standard input (the only way to give one)
    #[arg(long, required = true)]
    pub(crate) password_stdin: bool,
}

fn role_parser() -> impl clap::builder::TypedValueParser<Value = Role> {
    let words = Role::ALL.iter().map(|role| role.word());
    clap::builder::PossibleValuesParser::new(words)
        .try_map(|word| Role::from_word(&word).ok_or("must be one of the roles"))
}
