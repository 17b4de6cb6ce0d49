//! Starts the program under test.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::place::Place as Database;

/// A working directory and an environment for the program; nothing of the test's own surroundings leaks in.
pub(crate) struct Place {
    directory: TempDir,
    environment: Vec<(String, String)>,
    /// The database, if it is not the file that the program makes by itself. Dropped last.
    database: Option<Database>,
}

/// What a run of the program left behind.
pub(crate) struct Ran {
    /// The exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) answer: String,
    /// Standard error.
    pub(crate) errors: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::new().unwrap(), environment: Vec::new(), database: None }
    }

    /// A place whose program uses the kind of database that is being tested.
    pub(crate) fn with_shop() -> Self {
        let Some(database) = Database::elsewhere() else { return Self::new() };
        // Servers for tests are quick, and forgetful.
        let place = Self::new()
            .variable("STOCKROOM_DATABASE_URL", database.url())
            .variable("STOCKROOM_ALLOW_UNSAFE_DATABASE", "true");
        Self { database: Some(database), ..place }
    }

    /// Whether the program uses the file that it makes by itself.
    pub(crate) fn is_embedded(&self) -> bool {
        self.database.is_none()
    }

    /// Where the program's rows are, once it has made them.
    pub(crate) fn database_url(&self) -> String {
        let file = self.path().join("data/stockroom.sqlite");
        let elsewhere = self.database.as_ref().map(|database| database.url().to_owned());
        elsewhere.unwrap_or_else(|| format!("sqlite:{}", file.display()))
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file in the working directory.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.path().join(name), text).unwrap();
        self
    }

    /// Sets an environment variable of the program.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The text of a file in the working directory.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// The program with these arguments, about to be started here.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PathBuf::from(env!("CARGO_BIN_EXE_stockroom")));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Creates a user from the command line.
    #[track_caller]
    pub(crate) fn add_user(&self, username: &str, role: &str, password: &str) -> Ran {
        let email = format!("{username}@shop.example");
        let add =
            ["user", "add", "--username", username, "--email", &email, "--role", role, "--password-stdin"];
        self.run_with(&add, password.as_bytes())
    }

    /// Runs the program with nothing on its standard input.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, b"")
    }

    /// Runs the program with these bytes on its standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The program may end without reading its input, which is no failure of the test.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            answer: String::from_utf8(output.stdout).unwrap(),
            errors: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// The value and the origin that `stockroom config` shows for a setting.
    #[track_caller]
    pub(crate) fn shown(&self, key: &str) -> (String, String) {
        assert_eq!(self.code, 0, "{}", self.errors);
        let row = self.answer.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix("  "));
        let (value, origin) =
            row.unwrap_or_else(|| panic!("no {key} in\n{}", self.answer)).trim().split_once("  ").unwrap();
        (value.to_owned(), origin.trim().to_owned())
    }

    /// That it succeeded, and what it answered.
    #[track_caller]
    pub(crate) fn succeeded(&self) -> &str {
        assert_eq!(self.code, 0, "{}{}", self.answer, self.errors);
        &self.answer
    }

    /// That it failed with this code, and what it said about that.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32) -> &str {
        assert_eq!((self.code, self.answer.as_str()), (code, ""), "{}", self.errors);
        &self.errors
    }

    /// That the configuration was refused with exactly these lines, in any order.
    #[track_caller]
    pub(crate) fn refused(&self, lines: &[&str]) {
        let mut found: Vec<&str> = self.errors.lines().collect();
        let mut wanted: Vec<String> = lines.iter().map(|line| format!("error: {line}")).collect();
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted);
        assert_eq!(self.code, 2);
        assert_eq!(self.answer, "");
    }
}
