//! What every kind of server does alike.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use testbed::{Kind, Server};

/// Set for the process that owns a server and is killed.
const OWNER: &str = "STOCKROOM_TEST_OWNER";

const SOON: Duration = Duration::from_secs(20);

/// A running server.
pub(crate) fn server(kind: Kind, durable: bool) -> Server {
    Server::start(kind, durable).unwrap_or_else(|failure| panic!("{failure}"))
}

/// Where a server keeps its data.
pub(crate) fn data(server: &Server) -> PathBuf {
    let place = match server.kind() {
        Kind::Postgres => server.query("stockroom", "SHOW data_directory"),
        Kind::MariaDb => server.query("stockroom", "SELECT @@datadir"),
    };
    PathBuf::from(place.expect("an answer").trim())
}

/// The processes that run in a data directory.
fn processes(data: &Path) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("processes").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(data)))
        .collect()
}

fn signal(name: &str, pid: u32) {
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status();
    assert!(status.expect("a shell").success());
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < SOON, "not in time: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Makes a table with one row; [`rows`] counts them.
fn write(server: &Server) {
    server.query("stockroom", "CREATE TABLE kept (id INT PRIMARY KEY)").expect("a table");
    server.query("stockroom", "INSERT INTO kept VALUES (1)").expect("a row");
}

fn rows(server: &Server) -> String {
    server.query("stockroom", "SELECT count(*) FROM kept").expect("an answer").trim().to_owned()
}

/// A statement that takes one second.
fn slow(server: &Server) {
    let sql = match server.kind() {
        Kind::Postgres => "SELECT pg_sleep(1)",
        Kind::MariaDb => "SELECT sleep(1)",
    };
    server.query("stockroom", sql).expect("an answer");
}

pub(crate) fn two_servers_are_strangers(kind: Kind) {
    let (first, second) = (server(kind, false), server(kind, false));
    assert_ne!(first.port(), second.port());
    assert_ne!(first.pid(), second.pid());
    write(&first);
    assert_eq!(rows(&first), "1");
    second.query("stockroom", "SELECT count(*) FROM kept").expect_err("the other has no such table");
}

pub(crate) fn a_stopped_server_starts_again_with_its_data(kind: Kind) {
    let mut server = server(kind, false);
    write(&server);
    let (port, data) = (server.port(), data(&server));
    server.start_again().expect_err("it runs");
    server.stop().expect("its end");
    assert_eq!(server.pid(), None);
    assert_eq!(processes(&data), [0_u32; 0]);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    server.stop().expect("nothing to do");
    server.start_again().expect("the same server");
    assert_eq!(server.port(), port);
    assert_eq!(rows(&server), "1");
}

pub(crate) fn a_killed_server_starts_again_at_once_with_what_it_committed(kind: Kind) {
    let mut server = server(kind, true);
    write(&server);
    let data = data(&server);
    for _ in 0..3 {
        thread::scope(|scope| {
            let address = ("127.0.0.1", server.port());
            // A connection that is in the middle of something.
            scope.spawn(move || TcpStream::connect(address).map(drop));
            server.kill().expect("its end");
        });
        assert_eq!(processes(&data), [0_u32; 0]);
        server.start_again().expect("the same server");
        assert_eq!(rows(&server), "1");
    }
    // The first process alone, by somebody else.
    signal("KILL", server.pid().expect("a process"));
    wait_until("its end was noticed", || server.start_again().is_ok());
    assert_eq!(rows(&server), "1");
}

pub(crate) fn a_paused_server_holds_every_answer_back(kind: Kind) {
    let server = server(kind, false);
    thread::scope(|scope| {
        let running = scope.spawn(|| slow(&server));
        thread::sleep(Duration::from_millis(300));
        server.pause().expect("a pause");
        let waiting = scope.spawn(|| server.query("stockroom", "SELECT 1"));
        thread::sleep(Duration::from_millis(1_500));
        assert!(!running.is_finished() && !waiting.is_finished(), "an answer during the pause");
        server.resume().expect("its end");
        running.join().expect("an answer");
        assert_eq!(waiting.join().expect("a thread").expect("an answer").trim(), "1");
    });
}

pub(crate) fn a_paused_server_can_be_stopped_and_dropped(kind: Kind) {
    let mut server = server(kind, false);
    server.pause().expect("a pause");
    server.stop().expect("its end");
    server.start_again().expect("the same server");
    let data = data(&server);
    server.pause().expect("a pause");
    drop(server);
    assert_eq!(processes(&data), [0_u32; 0]);
    assert!(!data.exists());
}

pub(crate) fn a_dropped_server_leaves_nothing_behind(kind: Kind) {
    for killed in [false, true] {
        let mut server = server(kind, false);
        let data = data(&server);
        let segment = segment(&data);
        if killed {
            server.kill().expect("its end");
        }
        drop(server);
        assert_eq!(processes(&data), [0_u32; 0]);
        assert!(!data.parent().expect("its directory").exists());
        if let Some(segment) = segment {
            let all = fs::read_to_string("/proc/sysvipc/shm").expect("the segments");
            let left = all.lines().any(|line| line.split_whitespace().nth(1) == Some(&segment));
            assert!(!left, "shared memory is left: {segment}, killed: {killed}");
        }
    }
}

/// The shared memory that PostgreSQL notes in line 7 of its lock file.
fn segment(data: &Path) -> Option<String> {
    let lock = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    Some(lock.lines().nth(6)?.split_whitespace().nth(1)?.to_owned())
}

/// Runs the test of this name a second time, as a process that starts a server and is killed.
pub(crate) fn a_server_ends_with_its_owner(kind: Kind, test: &str) {
    if std::env::var_os(OWNER).is_some() {
        let server = server(kind, false);
        println!("\nserver {} {}", server.pid().expect("a process"), data(&server).display());
        thread::sleep(SOON);
        return;
    }
    let mut owner = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", test, "--nocapture"])
        .env(OWNER, "1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("a second process");
    let said = BufReader::new(owner.stdout.take().expect("its output"));
    let line = said.lines().map_while(Result::ok).find(|line| line.starts_with("server ")).expect("a server");
    let mut words = line.split(' ').skip(1);
    let pid: u32 = words.next().expect("a number").parse().expect("a process");
    let data = PathBuf::from(words.next().expect("a directory"));
    assert!(processes(&data).contains(&pid));

    signal("KILL", owner.id());
    owner.wait().expect("its end");
    wait_until("its server is gone", || processes(&data).is_empty() && !data.parent().unwrap().exists());
}

pub(crate) fn a_directory_that_is_not_there_is_named(kind: Kind) {
    let failure = Server::start_in(Path::new("/no/such/directory"), kind, false).expect_err("no directory");
    assert!(failure.contains("/no/such/directory"), "{failure}");
}
