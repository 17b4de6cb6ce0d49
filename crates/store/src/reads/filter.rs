//! SQL of lists, put together at run time.
//!
//! Text is `&'static str` throughout, so what comes from outside can only become a parameter.

use crate::driver::Value;
use crate::{Page, SortValue, Start, StoreError};

/// The longest text that is searched for, in bytes; no stored name is as long, even folded, and the databases have limits
/// of their own for patterns.
pub(super) const MAX_SEARCH_BYTES: usize = 8192;

/// A query in the making.
#[derive(Debug, Clone)]
pub(super) struct Select {
    text: String,
    params: Vec<Value>,
    filtered: bool,
}

/// What the rows of a list are sorted by; ties are broken by id in the same direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    /// The expression that is sorted by; `None` to sort by id alone.
    pub(super) by: Option<&'static str>,
    /// Whether the expression is a text.
    pub(super) textual: bool,
    /// The column of the id.
    pub(super) id: &'static str,
    /// Largest first.
    pub(super) descending: bool,
}

impl Select {
    /// Begins with everything up to, and without, WHERE.
    pub(super) fn new(text: &'static str) -> Self {
        Self { text: text.to_owned(), params: Vec::new(), filtered: false }
    }

    /// Adds a parameter of what the rows come from, before any condition.
    pub(super) fn param(&mut self, param: Value) {
        self.params.push(param);
    }

    /// Adds what the rows come from, before any condition.
    pub(super) fn source(&mut self, text: &'static str) {
        self.text.push_str(text);
    }

    /// Adds a condition that every row must meet, with its parameters.
    pub(super) fn filter<const COUNT: usize>(&mut self, condition: &'static str, params: [Value; COUNT]) {
        self.condition(&[condition], params);
    }

    /// Adds a condition if there is something to compare with.
    pub(super) fn filter_some(&mut self, condition: &'static str, param: Option<Value>) {
        if let Some(param) = param {
            self.filter(condition, [param]);
        }
    }

    /// Keeps the rows in which one of the columns contains the text. Columns and text are folded already.
    pub(super) fn filter_text(&mut self, columns: &[&'static str], text: &str) {
        let Some(pattern) = containing(text) else {
            self.filter("1 = 0", []);
            return;
        };
        self.and("(");
        for (index, column) in columns.iter().enumerate() {
            self.text.push_str(if index == 0 { "" } else { " OR " });
            self.text.push_str(column);
            self.text.push_str(" LIKE ? ESCAPE '!'");
            self.params.push(Value::Text(pattern.clone()));
        }
        self.text.push(')');
    }

    /// Sorts, and cuts the page out with one row more, which tells whether there are any after it.
    pub(super) fn page(&mut self, order: Order, page: &Page) -> Result<(), StoreError> {
        let offset = self.start(order, page)?;
        self.cut(order, i64::from(page.limit) + 1, offset);
        Ok(())
    }

    /// Sorts, and keeps the one row that comes so many rows after the first, or after the row where
    /// the page starts.
    pub(super) fn row_after(&mut self, order: Order, page: &Page, rows: i64) -> Result<(), StoreError> {
        self.start(order, page)?;
        self.cut(order, 1, rows);
        Ok(())
    }

    /// The offset of a page, unless it starts after a row; then only rows after that one are kept.
    fn start(&mut self, order: Order, page: &Page) -> Result<i64, StoreError> {
        match &page.start {
            Start::Offset(offset) => Ok((*offset).max(0)),
            Start::After { value, id } => self.after(order, value, *id).map(|()| 0),
        }
    }

    fn cut(&mut self, order: Order, limit: i64, offset: i64) {
        let direction = if order.descending { " DESC" } else { "" };
        self.text.push_str(" ORDER BY ");
        for column in order.by.into_iter().map(|by| [by, direction, ", "]) {
            column.iter().for_each(|part| self.text.push_str(part));
        }
        [order.id, direction, " LIMIT ?"].iter().for_each(|part| self.text.push_str(part));
        self.params.push(Value::Int(limit));
        if offset > 0 {
            self.text.push_str(" OFFSET ?");
            self.params.push(Value::Int(offset));
        }
    }

    /// The SQL and its parameters.
    pub(super) fn parts(&self) -> (&str, &[Value]) {
        (&self.text, &self.params)
    }

    /// Keeps the rows after the one with this value and id.
    pub(super) fn after(&mut self, order: Order, value: &SortValue, id: i64) -> Result<(), StoreError> {
        let sign = if order.descending { "<" } else { ">" };
        let Some(by) = order.by else {
            self.condition(&[order.id, " ", sign, " ?"], [id.into()]);
            return Ok(());
        };
        let value = match (value, order.textual) {
            (SortValue::Int(value), false) => Value::Int(*value),
            (SortValue::Text(text), true) => Value::Text(text.clone()),
            _ => return Err(StoreError::misuse("the page starts at a value of another type than its sort")),
        };
        // The same twice: SQLite and PostgreSQL see a stretch of an index in the first half, MySQL in the second.
        let pair = ["(", by, ", ", order.id, ") ", sign, " (?, ?{as text})"];
        self.condition(&pair, [value.clone(), id.into()]);
        let each = ["(", by, " ", sign, " ? OR (", by, " = ? AND ", order.id, " ", sign, " ?))"];
        self.condition(&each, [value.clone(), value, id.into()]);
        Ok(())
    }

    fn condition<const COUNT: usize>(&mut self, parts: &[&'static str], params: [Value; COUNT]) {
        self.and("");
        parts.iter().for_each(|part| self.text.push_str(part));
        self.params.extend(params);
    }

    fn and(&mut self, then: &'static str) {
        self.text.push_str(if self.filtered { " AND " } else { " WHERE " });
        self.text.push_str(then);
        self.filtered = true;
    }
}

/// The pattern for LIKE that finds a text anywhere; `None` when nothing stored can contain it.
fn containing(text: &str) -> Option<String> {
    if text.len() > MAX_SEARCH_BYTES || text.contains('\0') {
        return None;
    }
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for character in text.chars() {
        if matches!(character, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(character);
    }
    pattern.push('%');
    Some(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_put_together_of_filters_sort_and_page() {
        let mut select = Select::new("SELECT t.id FROM t");
        select.filter("t.a = ?", [1.into()]);
        select.filter_some("t.b = ?", None);
        select.filter_text(&["t.c", "t.d"], "50%_!");
        let order = Order { by: Some("t.name"), textual: true, id: "t.id", descending: true };
        let start = Start::After { value: SortValue::Text("x".to_owned()), id: 7 };
        select.page(order, &Page { limit: 20, start }).unwrap();
        let (sql, params) = select.parts();
        assert_eq!(
            sql,
            "SELECT t.id FROM t WHERE t.a = ? AND (t.c LIKE ? ESCAPE '!' OR t.d LIKE ? ESCAPE '!') \
             AND (t.name, t.id) < (?, ?{as text}) AND (t.name < ? OR (t.name = ? AND t.id < ?)) ORDER BY t.name DESC, t.id DESC LIMIT ?"
        );
        let pattern: Value = "%50!%!_!!%".into();
        let x: Value = "x".into();
        let after = [x.clone(), 7.into(), x.clone(), x, 7.into()];
        let expected: Vec<_> =
            [1.into(), pattern.clone(), pattern].into_iter().chain(after).chain([Value::Int(21)]).collect();
        assert_eq!(params, expected);
    }

    #[test]
    fn a_page_may_start_at_an_offset_or_an_id() {
        let order = Order { by: None, textual: false, id: "t.id", descending: false };
        for (start, sql, count) in [
            (Start::Offset(0), "t ORDER BY t.id LIMIT ?", 1),
            (Start::Offset(-5), "t ORDER BY t.id LIMIT ?", 1),
            (Start::Offset(5), "t ORDER BY t.id LIMIT ? OFFSET ?", 2),
            (Start::After { value: SortValue::Int(3), id: 3 }, "t WHERE t.id > ? ORDER BY t.id LIMIT ?", 2),
        ] {
            let mut select = Select::new("t");
            select.page(order, &Page { limit: 1, start }).unwrap();
            assert_eq!((select.parts().0, select.parts().1.len()), (sql, count));
        }
    }

    #[test]
    fn a_start_of_the_wrong_type_is_told() {
        let order = Order { by: Some("t.n"), textual: false, id: "t.id", descending: false };
        let start = Start::After { value: SortValue::Text("x".to_owned()), id: 7 };
        let told = Select::new("t").page(order, &Page { limit: 1, start });
        assert!(matches!(told, Err(StoreError::Misuse { .. })));
    }

    #[test]
    fn what_cannot_be_stored_is_not_looked_for() {
        for text in ["a\0b".to_owned(), "x".repeat(MAX_SEARCH_BYTES + 1)] {
            let mut select = Select::new("t");
            select.filter_text(&["t.c"], &text);
            assert_eq!(select.parts(), ("t WHERE 1 = 0", [].as_slice()));
        }
    }
}
