//! What tells one state of a shop from every other, without looking at each row.

use super::tables::TABLES;
use crate::StoreError;
use crate::driver::Reader;

const SCHEMA: &str = "SELECT m.version FROM schema_migrations m ORDER BY m.version DESC LIMIT 1";
const FIRST_EVENT: &str = "SELECT e.at_us FROM events e ORDER BY e.id LIMIT 1";
const LAST_EVENT: &str = "SELECT e.at_us FROM events e ORDER BY e.id DESC LIMIT 1";
const OLDEST_ANSWER: &str = "SELECT k.created_at_us FROM idempotency_keys k ORDER BY k.created_at_us LIMIT 1";
const NEWEST_ANSWER: &str =
    "SELECT k.created_at_us FROM idempotency_keys k ORDER BY k.created_at_us DESC LIMIT 1";
const LAST_KEY_USE: &str = "SELECT k.last_used_at_us FROM api_keys k WHERE k.last_used_at_us IS NOT NULL \
     ORDER BY k.last_used_at_us DESC LIMIT 1";
const COUNTERS: &str = "SELECT c.name, c.next FROM counters c ORDER BY c.name";
const META: &str = "SELECT m.name, m.value FROM meta m WHERE m.name <> 'copy_progress' ORDER BY m.name";

/// A shop at one moment: how many rows each table has, the counters, the facts about it as a whole, the first and the last
/// event.
///
/// Two states that look alike are the same one, as far as the shop has been changed by its commands alone: each of
/// them takes a number from a counter, except for facts about the shop, the last use of keys, and kept answers, whose number
/// and ages are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// Rows of each of [`TABLES`], in that order. The record of a copy's progress is not counted.
    pub(super) rows: Vec<i64>,
    /// Names and values of everything, the rows among it.
    facts: Vec<(String, String)>,
}

impl State {
    /// Looks at everything through a reader, which should see one snapshot.
    pub(super) async fn read(reader: &mut Reader) -> Result<Self, StoreError> {
        let (mut facts, mut rows) = (Vec::new(), Vec::with_capacity(TABLES.len()));
        for table in TABLES {
            let name = table.table;
            let rest = if name == "meta" { " WHERE t.name <> 'copy_progress'" } else { "" };
            let sql = format!("SELECT COUNT(*) FROM {name} t{rest}");
            let found = reader.query_dynamic_long(&sql, &[]).await?;
            let count = found.first().map_or(Ok(0), |row| row.int(0))?;
            facts.push((format!("rows of the table {name}"), count.to_string()));
            rows.push(count);
        }
        for row in reader.query_long(COUNTERS, &[]).await? {
            facts.push((format!("counter {}", row.as_text(0)?), row.int(1)?.to_string()));
        }
        for row in reader.query_long(META, &[]).await? {
            facts.push((format!("meta {}", row.as_text(0)?), row.as_text(1)?.to_owned()));
        }
        for (name, sql) in [
            ("version of the schema", SCHEMA),
            ("time of the first event", FIRST_EVENT),
            ("time of the last event", LAST_EVENT),
            ("time of the oldest answer kept", OLDEST_ANSWER),
            ("time of the newest answer kept", NEWEST_ANSWER),
            ("time of the last use of a key", LAST_KEY_USE),
        ] {
            let found = reader.query_long(sql, &[]).await?;
            let value = found.first().map(|row| row.int(0)).transpose()?;
            facts.push((name.to_owned(), value.map_or_else(|| "none".to_owned(), |value| value.to_string())));
        }
        Ok(Self { rows, facts })
    }

    /// One text that is the same for the same state.
    pub(super) fn fingerprint(&self) -> String {
        let facts: Vec<_> = self.facts.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        facts.join("; ")
    }

    /// The first fact in which two states differ: its name, and its value here and there.
    pub(super) fn difference(&self, other: &Self) -> Option<(String, String, String)> {
        let value_in = |facts: &[(String, String)], wanted: &str| {
            let found = facts.iter().find(|(name, _)| name == wanted);
            found.map_or_else(|| "nothing".to_owned(), |(_, value)| value.clone())
        };
        let names = self.facts.iter().chain(&other.facts).map(|(name, _)| name);
        names
            .map(|name| (name.clone(), value_in(&self.facts, name), value_in(&other.facts, name)))
            .find(|(_, here, there)| here != there)
    }

    /// Rows of all tables together.
    pub(super) fn total(&self) -> i64 {
        self.rows.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::Planner;

    #[tokio::test]
    async fn first_and_last_are_found_by_key() {
        let planner = Planner::new().await;
        for (sql, step) in [
            (FIRST_EVENT, "SCAN e"),
            (LAST_EVENT, "SCAN e"),
            (OLDEST_ANSWER, "SCAN k USING COVERING INDEX idempotency_keys_by_age"),
            (NEWEST_ANSWER, "SCAN k USING COVERING INDEX idempotency_keys_by_age"),
        ] {
            // A walk along the key that ends with the first row: no sorting.
            assert_eq!(planner.plan(sql).await, [step]);
        }
    }

    #[test]
    fn two_states_differ_by_the_first_fact_that_does() {
        let state = |facts: &[(&str, &str)]| State {
            rows: Vec::new(),
            facts: facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        };
        let one = state(&[("a", "1"), ("b", "2")]);
        let found = |other: &State| one.difference(other).map(|(name, here, there)| [name, here, there]);
        assert_eq!(found(&one), None);
        assert_eq!(found(&state(&[("b", "3"), ("a", "1")])), Some(["b", "2", "3"].map(str::to_owned)));
        assert_eq!(found(&state(&[("a", "1")])), Some(["b", "2", "nothing"].map(str::to_owned)));
        let more = state(&[("a", "1"), ("b", "2"), ("c", "0")]);
        assert_eq!(found(&more), Some(["c", "nothing", "0"].map(str::to_owned)));
        assert_ne!(one.fingerprint(), more.fingerprint());
    }
}
