//! The audit log.

use domain::{ApiKeyId, Role, UserId};

use super::display_name;
use super::filter::{Order, Select};
use super::listing;
use crate::driver::Row;
use crate::rows::word;
use crate::{AuditQuery, AuditView, Listing, Store, StoreError};

const AUDIT: &str = "SELECT a.id, a.at_us, a.action, a.kind, a.thing_id, a.actor_id, a.key_id, a.role, a.was, a.became, \
     a.request_id, a.source, u.full_name, u.username, k.name \
     FROM audit a LEFT JOIN users u ON u.id = a.actor_id LEFT JOIN api_keys k ON k.id = a.key_id";

impl Store {
    /// A page of the audit log, the latest line first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn audit(&self, query: &AuditQuery) -> Result<Listing<AuditView>, StoreError> {
        let select = select(query)?;
        let (sql, params) = select.parts();
        let found = self.database().long_reader().await?.query_dynamic_long(sql, params).await?;
        listing(found, &query.page, entry)
    }
}

/// Sorted by time: so a range of times is a stretch of each index, and whoever asks for last year walks past nothing.
fn select(query: &AuditQuery) -> Result<Select, StoreError> {
    let mut select = Select::new(AUDIT);
    select.filter_some("a.actor_id = ?", query.actor_id.map(|id| id.0.into()));
    select.filter_some("a.key_id = ?", query.key_id.map(|id| id.0.into()));
    select.filter_some("a.action = ?", query.action.as_deref().map(Into::into));
    if let Some((kind, id)) = &query.thing {
        select.filter("a.kind = ? AND a.thing_id = ?", [kind.as_str().into(), (*id).into()]);
    }
    select.filter_some("a.at_us >= ?", query.from_us.map(Into::into));
    select.filter_some("a.at_us < ?", query.before_us.map(Into::into));
    let order = Order { by: Some("a.at_us"), textual: false, id: "a.id", descending: true };
    select.page(order, &query.page)?;
    Ok(select)
}

fn entry(mut row: Row) -> Result<AuditView, StoreError> {
    Ok(AuditView {
        id: row.int(0)?,
        at_us: row.int(1)?,
        action: row.text(2)?,
        kind: row.text(3)?,
        thing_id: row.int(4)?,
        actor_id: row.opt_int(5)?.map(UserId),
        actor_name: display_name(&mut row, 12)?,
        key_id: row.opt_int(6)?.map(ApiKeyId),
        key_name: row.opt_text(14)?,
        role: word(&row, 7, Role::from_word)?,
        was: row.text(8)?,
        became: row.text(9)?,
        request_id: row.text(10)?,
        source: row.opt_text(11)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::Planner;
    use crate::{Page, SortValue, Start};

    #[tokio::test]
    async fn each_filter_has_its_index_in_the_order_of_the_list() {
        let start = Start::After { value: SortValue::Int(9), id: 9 };
        let all = AuditQuery::all(Page { limit: 5, start });
        let planner = Planner::new().await;
        for (query, index) in [
            (all.clone(), "audit_by_time ("),
            (AuditQuery { actor_id: Some(UserId(1)), ..all.clone() }, "audit_by_actor (actor_id=? AND "),
            (AuditQuery { key_id: Some(ApiKeyId(1)), ..all.clone() }, "audit_by_key (key_id=? AND "),
            (AuditQuery { action: Some("x".to_owned()), ..all.clone() }, "audit_by_action (action=? AND "),
            (
                AuditQuery { thing: Some(("order".to_owned(), 1)), ..all },
                "audit_by_thing (kind=? AND thing_id=? AND ",
            ),
        ] {
            let dated = AuditQuery { from_us: Some(1), before_us: Some(9), ..query.clone() };
            for query in [query, dated] {
                let plan = planner.plan(select(&query).unwrap().parts().0).await;
                let step = format!("SEARCH a USING INDEX {index}");
                assert!(plan.iter().any(|line| line.starts_with(&step)), "{query:?} {plan:#?}");
                let fault = |line: &&String| line.starts_with("SCAN") || line.contains("TEMP B-TREE");
                assert_eq!(plan.iter().find(fault), None, "{query:?}");
            }
        }
    }
}
