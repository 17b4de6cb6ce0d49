//! How MariaDB is set up and spoken to, and MySQL where it differs.

use std::path::Path;
use std::process::Command;

use crate::programs::{Product, Programs};

/// Users that may run the server, best first.
pub(crate) const USERS: [&str; 2] = ["mysql", "nobody"];

/// Makes an empty data directory with a `root` who needs no password from this machine.
pub(crate) fn initialise(command: &mut Command, programs: &Programs, data: &Path) {
    command.arg("--no-defaults").arg(format!("--datadir={}", data.display()));
    if programs.product == Product::MySql {
        command.args(["--initialize-insecure", "--secure-file-priv=NULL"]);
        return;
    }
    // The script looks for the parts that it needs below this directory.
    if let Some(base) = programs.server.parent().and_then(Path::parent) {
        command.arg(format!("--basedir={}", base.display()));
    }
    command.args(["--auth-root-authentication-method=normal", "--skip-test-db"]).args(quick());
}

/// The server's options. Whatever is not said here is the database's own default. `loose-` stands before those that
/// not every version knows.
pub(crate) fn options(programs: &Programs, data: &Path, port: u16, durable: bool) -> Vec<String> {
    let mut options = vec![
        "--no-defaults".to_owned(),
        format!("--datadir={}", data.display()),
        format!("--port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        // Relative to the data directory: the path of a socket may have no more than 107 bytes.
        "--socket=mysqld.sock".to_owned(),
        "--pid-file=mysqld.pid".to_owned(),
        "--max-connections=300".to_owned(),
    ];
    if programs.product == Product::MySql {
        options.extend(["--secure-file-priv=NULL", "--loose-mysqlx=OFF"].map(str::to_owned));
    }
    if !durable {
        options.extend(quick().map(str::to_owned));
    }
    options
}

/// Options that give durability and memory away for speed.
fn quick() -> [&'static str; 8] {
    [
        "--innodb-flush-log-at-trx-commit=0",
        "--loose-innodb-flush-method=nosync",
        "--innodb-doublewrite=0",
        "--loose-innodb-log-file-size=16M",
        "--innodb-buffer-pool-size=64M",
        "--performance-schema=OFF",
        "--skip-log-bin",
        "--sync-binlog=0",
    ]
}

/// Sends a statement; an empty name is no database.
pub(crate) fn ask(client: &mut Command, port: u16, database: &str, sql: &str) {
    client
        .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--user=root", "--connect-timeout=5"])
        .args(["--batch", "--raw", "--skip-column-names"])
        .args([&format!("--port={port}"), &format!("--database={database}"), &format!("--execute={sql}")]);
}
