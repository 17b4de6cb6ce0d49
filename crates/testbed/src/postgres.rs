//! How PostgreSQL is set up and spoken to.

use std::path::Path;
use std::process::Command;

/// Users that may run the server, best first.
pub(crate) const USERS: [&str; 2] = ["postgres", "nobody"];

/// The superuser of every server here.
pub(crate) const USER: &str = "stockroom";

/// Makes an empty data directory. Its users are trusted, because only this machine can reach the server.
pub(crate) fn initialise(command: &mut Command, data: &Path) {
    command.arg("-D").arg(data).args([
        "-U",
        USER,
        "--auth=trust",
        "--no-sync",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
    ]);
}

/// The server's options. Whatever is not said here is PostgreSQL's own default.
pub(crate) fn options(data: &Path, port: u16, durable: bool) -> Vec<String> {
    let mut settings = vec![
        format!("port={port}"),
        "listen_addresses=127.0.0.1".to_owned(),
        "unix_socket_directories=".to_owned(),
        "max_connections=300".to_owned(),
        // In the data directory and not in /dev/shm, which is small in containers and keeps what a killed server
        // had there.
        "dynamic_shared_memory_type=mmap".to_owned(),
    ];
    if !durable {
        let quick = [
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "wal_level=minimal",
            "max_wal_senders=0",
            "shared_buffers=64MB",
        ];
        settings.extend(quick.map(str::to_owned));
    }
    let mut options = vec!["-D".to_owned(), data.display().to_string()];
    options.extend(settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]));
    options
}

/// Sends a statement.
pub(crate) fn ask(client: &mut Command, port: u16, database: &str, sql: &str) {
    client
        .env("PGCONNECT_TIMEOUT", "5")
        .env("PGSSLMODE", "disable")
        .args(["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", USER])
        .args(["-p", &port.to_string(), "-d", database, "-c", sql]);
}
