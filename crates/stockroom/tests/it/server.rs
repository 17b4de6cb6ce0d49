//! A server under test: the real binary on a port of its own.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::http::Client;
use crate::program::Place;

/// How long a start or an end may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    child: Child,
    greeting: PathBuf,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a server in the place, with these flags of `serve`, and waits for its greeting. Its log goes on in the
    /// file [`Server::LOG`] there.
    #[track_caller]
    pub(crate) fn start(place: &Place, flags: &[&str]) -> Self {
        Self::start_by(place, place.command(&Self::arguments(flags))).unwrap_or_else(|said| panic!("{said}"))
    }

    /// The arguments of a server with these flags on a port that is free.
    pub(crate) fn arguments<'a>(flags: &[&'a str]) -> Vec<&'a str> {
        [&["serve", "--listen", "127.0.0.1:0"], flags].concat()
    }

    /// Starts a server by this command, which may come from [`Place::command`] by way of another program. One that ends
    /// before its greeting is no server: its status and the log of the place instead.
    #[track_caller]
    pub(crate) fn start_by(place: &Place, mut command: Command) -> Result<Self, String> {
        let greeting = place.path().join("greeting");
        let log = File::options().create(true).append(true).open(place.path().join(Self::LOG)).unwrap();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(File::create(&greeting).unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let patience = Instant::now() + PATIENCE;
        loop {
            let text = std::fs::read_to_string(&greeting).unwrap();
            // Complete lines only: the file may be read while it is being written.
            if let Some((address, _)) = text.split_once("http://").and_then(|(_, rest)| rest.split_once('\n'))
            {
                return Ok(Self { child, greeting, address: address.parse().unwrap() });
            }
            if let Some(status) = child.try_wait().unwrap() {
                return Err(format!("the server ended with {status}: {}", place.read(Self::LOG)));
            }
            assert!(Instant::now() < patience, "the server does not start");
            sleep(Duration::from_millis(2));
        }
    }

    /// The name of the file that the log goes to.
    pub(crate) const LOG: &str = "log";

    /// What it printed.
    pub(crate) fn greeting(&self) -> String {
        // It answers when it has printed everything.
        self.client().get("/healthz");
        std::fs::read_to_string(&self.greeting).unwrap()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A caller without a token.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// A caller who has logged in.
    #[track_caller]
    pub(crate) fn logged_in(&self, username: &str, password: &str) -> Client {
        self.client().with_token(&self.token(username, password))
    }

    /// The access token of a fresh login.
    #[track_caller]
    pub(crate) fn token(&self, username: &str, password: &str) -> String {
        let body = json!({"username": username, "password": password});
        let answer = self.client().call("POST", "/api/v1/auth/login", Some(&body));
        answer.expect(200)["access_token"].as_str().unwrap().to_owned()
    }

    /// Ends it as a crash would: at once, with nothing done about it.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it a signal, by its name without SIG.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.pid());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits for its end and returns the exit code.
    #[track_caller]
    pub(crate) fn wait(mut self) -> i32 {
        let patience = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap();
            }
            assert!(Instant::now() < patience, "the server does not end");
            sleep(Duration::from_millis(2));
        }
    }

    /// Asks it to end and waits until it has.
    #[track_caller]
    pub(crate) fn stop(self) -> i32 {
        self.signal("TERM");
        self.wait()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
