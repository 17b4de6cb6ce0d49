//! The table of `table.txt`, as it is written down.

use std::collections::BTreeMap;

use domain::Role;
use serde::Deserialize;
use serde_json::Value;
use server::compat::Facade;

/// What a key can be good for, in the order of the columns; the last column is that of all of them.
pub(super) const SCOPES: [&str; 5] = ["read", "orders", "stock", "catalogue", "users"];

/// Somebody who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Principal {
    /// Nobody, where strangers have this role, if any.
    Stranger(Option<Role>),
    Person(Role),
    Deactivated,
    LoggedOut,
    /// With a key of this role for so many scopes: the one of this number, or all.
    Machine(Role, Option<usize>),
}

use Principal::{Deactivated, LoggedOut, Machine, Person, Stranger};

/// Who the columns are.
pub(super) const COLUMNS: [Principal; 21] = {
    use Role::{Admin, Customer, Staff};
    [
        Stranger(None),
        Stranger(Some(Customer)),
        Stranger(Some(Staff)),
        Stranger(Some(Admin)),
        Person(Customer),
        Person(Staff),
        Person(Admin),
        Deactivated,
        LoggedOut,
        Machine(Staff, Some(0)),
        Machine(Staff, Some(1)),
        Machine(Staff, Some(2)),
        Machine(Staff, Some(3)),
        Machine(Staff, Some(4)),
        Machine(Staff, None),
        Machine(Admin, Some(0)),
        Machine(Admin, Some(1)),
        Machine(Admin, Some(2)),
        Machine(Admin, Some(3)),
        Machine(Admin, Some(4)),
        Machine(Admin, None),
    ]
};

/// What a request is about and what goes along.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Case {
    pub(super) of: Of,
    /// What the administrator does to the order before.
    pub(super) before: Vec<String>,
    pub(super) query: String,
    pub(super) header: Option<(String, String)>,
    pub(super) body: Option<Value>,
}

/// What the path names, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Of {
    #[default]
    Nothing,
    Product,
    ArchivedProduct,
    OwnOrder,
    OtherOrder,
    /// One that was placed without an account.
    NobodysOrder,
    /// Of those that take their stock at confirmation.
    OwnLateOrder,
    OtherLateOrder,
    OwnPaidOrder,
    OwnUser,
    OtherUser,
    ApiKey,
}

impl Of {
    pub(super) fn is_foreign(self) -> bool {
        matches!(self, Self::OtherOrder | Self::OtherLateOrder | Self::NobodysOrder | Self::OtherUser)
    }
}

/// What a principal is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) status: u16,
    /// Whether the thing is in the list that is the answer; nothing where that is no question.
    pub(super) is_listed: Option<bool>,
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    /// `None`: the API's own document.
    pub(super) facade: Option<Facade>,
    pub(super) operation: String,
    pub(super) name: String,
    pub(super) case: Case,
    /// What a machine's key must be good for.
    pub(super) needs: Vec<String>,
    pub(super) cells: Vec<Cell>,
}

impl Row {
    /// The answer for one of the columns.
    pub(super) fn cell(&self, principal: Principal) -> Cell {
        self.cells[COLUMNS.iter().position(|column| *column == principal).unwrap()]
    }
}

/// The table in the repository.
pub(super) fn written_down() -> Vec<Row> {
    read(include_str!("table.txt")).unwrap_or_else(|why| panic!("{why}"))
}

/// Reads a table.
///
/// # Errors
/// The first line that is not as it should be: a cell too few or too many above all.
pub(super) fn read(text: &str) -> Result<Vec<Row>, String> {
    let mut cases = BTreeMap::from([("-".to_owned(), Case::default())]);
    let (mut document, mut rows) = (None, Vec::new());
    for (number, line) in text.lines().enumerate() {
        let wrong = |what: &str| format!("line {}: {what}: {line}", number + 1);
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
        } else if let Some(name) = line.strip_prefix("= ") {
            let facade = Facade::ALL.iter().copied().find(|facade| facade.word() == name);
            if facade.is_none() && name != "api" {
                return Err(wrong("no document"));
            }
            document = Some(facade);
        } else if let Some(case) = line.strip_prefix("case ") {
            let (name, json) = case.split_once(' ').ok_or_else(|| wrong("no case"))?;
            let case = serde_json::from_str(json).map_err(|error| wrong(&error.to_string()))?;
            if cases.insert(name.to_owned(), case).is_some() {
                return Err(wrong("a second case of this name"));
            }
        } else {
            let facade = document.ok_or_else(|| wrong("of which document"))?;
            rows.push(row(facade, line, &cases).map_err(|what| wrong(&what))?);
        }
    }
    Ok(rows)
}

fn row(facade: Option<Facade>, line: &str, cases: &BTreeMap<String, Case>) -> Result<Row, String> {
    let mut words = line.split_whitespace();
    let mut word = || words.next().ok_or("too short");
    let (operation, name, needs) = (word()?.to_owned(), word()?.to_owned(), word()?);
    let case = cases.get(&name).ok_or("no such case")?.clone();
    let needs = if needs == "-" { Vec::new() } else { needs.split('+').map(str::to_owned).collect() };
    let cells: Vec<_> = words.filter(|word| *word != "|").map(cell).collect::<Result<_, _>>()?;
    if cells.len() != COLUMNS.len() {
        return Err(format!("{} cells instead of {}", cells.len(), COLUMNS.len()));
    }
    Ok(Row { facade, operation, name, case, needs, cells })
}

fn cell(word: &str) -> Result<Cell, String> {
    let is_listed = match word.as_bytes().last() {
        Some(b'+') => Some(true),
        Some(b'-') => Some(false),
        _ => None,
    };
    let status = word.trim_end_matches(['+', '-']).parse().map_err(|_| format!("{word} is no cell"))?;
    Ok(Cell { status, is_listed })
}

#[test]
fn a_table_with_a_hole_is_none() {
    let whole = include_str!("table.txt");
    assert!(read(whole).is_ok());
    for (line, broken) in [
        ("me ", "me - person | 401"),
        ("healthz ", "healthz"),
        ("list_events ", "list_events unheard-of read | 401"),
        ("case tea ", "case tea {\"off\": \"product\"}"),
        ("= orderflow", "= overflow"),
    ] {
        let of = |text: &str| {
            let lines = text.lines().map(|it| if it.starts_with(line) { broken } else { it });
            lines.collect::<Vec<_>>().join("\n")
        };
        assert_ne!(of(whole), whole.trim_end(), "{line}");
        assert!(read(&of(whole)).is_err(), "{broken}");
    }
}
