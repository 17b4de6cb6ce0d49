//! The shops that the rows are tried in, and the things that they are about.

use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use domain::{
    Actor, AllocateAt, Context, OrderLine, PlaceOrder, PlacingCustoms, PlacingTerms, ProductId, Role, Status,
};
use serde_json::{Value, json};
use server::app::Answered;
use server::clock;
use server::settings::Settings;

use super::table::{COLUMNS, Case, Cell, Of, Principal, Row, SCOPES};
use crate::document::Operation;
use crate::harness::{Caller, TestApp};

/// A server where strangers have this role, and where nobody waits: a table asks for the same thing as many, one after the
/// other.
pub(super) async fn server(anonymous_role: Option<Role>, wrap: impl FnOnce(Router) -> Router) -> TestApp {
    let settings = Settings { anonymous_role, login_attempts_per_account: 0, ..Settings::default() };
    let settings = Settings { login_attempts_per_source: 0, ..settings };
    TestApp::start_wrapped(settings, wrap).await
}

/// A shop with everybody who has a column in it.
pub(super) struct Shop<'a> {
    app: &'a TestApp,
    pub(super) keeper: Caller<'a>,
    own: i64,
    other: i64,
    callers: Vec<(Principal, Caller<'a>)>,
}

impl<'a> Shop<'a> {
    /// Opens it, with those of the columns who belong to where strangers have this role.
    pub(super) async fn open(app: &'a TestApp, anonymous_role: Option<Role>) -> Self {
        let keeper = app.admin().await;
        let own = app.user(&keeper, "customer", "customer").await.id;
        let other = app.user(&keeper, "other", "customer").await.id;
        for role in ["staff", "admin", "deactivated", "loggedout"] {
            app.user(&keeper, role, if role == "staff" { role } else { "admin" }).await;
        }
        let mut shop = Self { app, keeper, own, other, callers: Vec::new() };
        for principal in COLUMNS {
            let is_here = match principal {
                Principal::Stranger(role) => role == anonymous_role,
                _ => anonymous_role.is_none(),
            };
            if is_here {
                let caller = shop.arrive(principal).await;
                shop.callers.push((principal, caller));
            }
        }
        shop
    }

    async fn arrive(&self, principal: Principal) -> Caller<'a> {
        match principal {
            Principal::Stranger(_) => self.app.stranger(),
            Principal::Person(role) => self.app.log_in(role.word()).await,
            Principal::Deactivated => {
                let caller = self.app.log_in("deactivated").await;
                let path = format!("/api/v1/users/{}", caller.id);
                self.keeper.patch(&path, json!({"is_active": false})).await.expect(200);
                caller
            }
            Principal::LoggedOut => {
                let caller = self.app.log_in("loggedout").await;
                caller.post("/api/v1/auth/logout-everywhere", json!({})).await.expect(204);
                caller
            }
            Principal::Machine(role, scope) => {
                let scopes = scope.map_or_else(|| SCOPES.to_vec(), |scope| vec![SCOPES[scope]]);
                self.machine(role, &scopes).await.0
            }
        }
    }

    /// A machine with a key for that, and the number of the key.
    pub(super) async fn machine(&self, role: Role, scopes: &[&str]) -> (Caller<'a>, i64) {
        let body = json!({"name": "till", "role": role.word(), "scopes": scopes});
        let made = self.keeper.post("/api/v1/api-keys", body).await.expect(201);
        let token = Some(made["key"].as_str().unwrap().to_owned());
        (Caller { token, ..self.app.stranger() }, made["id"].as_i64().unwrap())
    }

    /// Who is here.
    pub(super) fn principals(&self) -> Vec<Principal> {
        self.callers.iter().map(|(principal, _)| *principal).collect()
    }

    pub(super) fn caller(&self, principal: Principal) -> &Caller<'a> {
        &self.callers.iter().find(|(here, _)| *here == principal).unwrap().1
    }

    /// Gives the customer the role back, and the people tokens that are good.
    async fn restore(&mut self) {
        let path = format!("/api/v1/users/{}", self.own);
        self.keeper.patch(&path, json!({"role": "customer", "is_active": true})).await.expect(200);
        for at in 0..self.callers.len() {
            let (principal, caller) = &self.callers[at];
            if matches!(principal, Principal::Person(_)) && caller.get("/api/v1/auth/me").await.status == 401
            {
                self.callers[at].1 = self.arrive(self.callers[at].0).await;
            }
        }
    }

    /// What one of those who are here is answered.
    pub(super) async fn try_as(
        &mut self,
        principal: Principal,
        operation: &Operation<'_>,
        row: &Row,
        new: &str,
    ) -> Cell {
        let found = self.answer(operation, row, self.caller(principal), new).await;
        self.restore_after(row).await;
        found
    }

    /// Undoes what a row may have done to those who are here.
    pub(super) async fn restore_after(&mut self, row: &Row) {
        if ["logout_everywhere", "update_user"].contains(&row.operation.as_str()) {
            self.restore().await;
        }
    }

    /// What this caller is answered, about things made for that alone.
    pub(super) async fn answer(
        &self,
        operation: &Operation<'_>,
        row: &Row,
        caller: &Caller<'_>,
        new: &str,
    ) -> Cell {
        let Case { of, query, header, body, .. } = &row.case;
        let body = body.as_ref().map(Value::to_string).unwrap_or_default();
        let is_of_product = ![Of::Nothing, Of::OwnUser, Of::OtherUser, Of::ApiKey].contains(of);
        let product = if is_of_product || body.contains("$product") {
            self.app.product(&self.keeper, "Cup", 100, 10).await
        } else {
            0
        };
        let body = body
            .replace(r#""$own""#, &self.own.to_string())
            .replace(r#""$other""#, &self.other.to_string())
            .replace(r#""$product""#, &product.to_string())
            .replace("$new", new);
        let id = self.make(&row.case, product).await;
        let mut path = format!("{}{}", row.facade.map_or("", |facade| facade.prefix()), operation.path);
        if let (Some(id), Some((start, end))) = (id, path.find('{').zip(path.find('}'))) {
            path.replace_range(start..=end, &id.to_string());
        }
        assert!(!path.contains('{'), "{path}: say what it is of");
        path.push_str(query);
        let headers: Vec<_> = header.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let method: Method = operation.method.parse().unwrap();
        let answer = caller.send(method, &path, &headers, (!body.is_empty()).then_some(body)).await;
        let status = answer.status.as_u16();
        // A challenge tells clients to log in, and nobody else.
        assert_eq!(answer.header("www-authenticate").starts_with("Bearer"), status == 401, "{answer:?}");
        let Some(id) = id.filter(|_| status == 200 && operation.id() == "list_orders") else {
            return Cell { status, is_listed: None };
        };
        let mut page = answer.json();
        // Where the oldest come first, what was just made is on the last page.
        for number in 2.. {
            if lists(&page, id) || page["pagination"].is_null() || page["data"] == json!([]) {
                break;
            }
            page = caller.get(&format!("{path}?page={number}")).await.expect(200);
        }
        Cell { status, is_listed: Some(lists(&page, id)) }
    }

    async fn make(&self, case: &Case, product: i64) -> Option<i64> {
        let order = async |user, allocate_at, status| {
            let order = self.order(user, product, allocate_at, status).await;
            for verb in &case.before {
                self.keeper.post(&format!("/api/v1/orders/{order}/{verb}"), json!({})).await.expect(200);
            }
            order
        };
        Some(match case.of {
            Of::Nothing => return None,
            Of::Product => product,
            Of::ArchivedProduct => {
                // One that an order refers to is kept.
                order(self.other, "creation", "pending").await;
                self.keeper.delete(&format!("/api/v1/products/{product}")).await.expect(200);
                product
            }
            Of::OwnOrder => order(self.own, "creation", "pending").await,
            Of::OtherOrder => order(self.other, "creation", "pending").await,
            Of::OwnLateOrder => order(self.own, "confirmation", "pending").await,
            Of::OtherLateOrder => order(self.other, "confirmation", "pending").await,
            Of::OwnPaidOrder => order(self.own, "creation", "paid").await,
            Of::NobodysOrder => self.nobodys_order(product).await,
            Of::OwnUser => self.own,
            Of::OtherUser => self.other,
            Of::ApiKey => self.machine(Role::Staff, &["read"]).await.1,
        })
    }

    async fn order(&self, user: i64, product: i64, allocate_at: &str, status: &str) -> i64 {
        let body = json!({
            "user_id": user, "allocate_at": allocate_at, "status": status,
            "items": [{"product_id": product, "quantity": 1}],
        });
        self.keeper.post("/api/v1/orders", body).await.expect(201)["order_id"].as_i64().unwrap()
    }

    async fn nobodys_order(&self, product: i64) -> i64 {
        let command = PlaceOrder {
            user_id: None,
            lines: vec![OrderLine { product_id: ProductId(product), quantity: 1 }],
            allocate_at: AllocateAt::Creation,
            status: Status::Pending,
            customs: PlacingCustoms::default(),
            terms: PlacingTerms::default(),
        };
        let actor = Actor { user_id: None, role: Role::Customer, key: None };
        let context = Context { actor, now_us: clock::now_us(), request_id: Arc::from("r"), source: None };
        match self.app.app.execute(command, context, None).await {
            Ok(Answered::Decided(Ok(placed))) => placed.order.id.0,
            _ => panic!("no order"),
        }
    }
}

/// Whether a list tells of an order, in whatever words: something with this number and a status.
fn lists(answer: &Value, order: i64) -> bool {
    match answer {
        Value::Array(items) => items.iter().any(|item| lists(item, order)),
        Value::Object(members) => {
            let is_order = members.contains_key("status") || members.contains_key("quantity");
            let is_it = ["id", "order_id"].iter().any(|name| members.get(*name) == Some(&json!(order)));
            is_order && is_it || members.values().any(|member| lists(member, order))
        }
        _ => false,
    }
}
