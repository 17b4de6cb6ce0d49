//! What staff, administrators and machines change is in the audit log, and what customers do is not.

use std::collections::BTreeSet;

use domain::{
    Action, Actor, AdjustStock, ApiKeyId, BeginSession, CreateApiKey, CreateUser, DeleteProduct, OpenShop,
    ProductId, Rejection, RestoreProduct, RevokeApiKey, RevokeSessions, Role, Scope, SetPassword,
    StockChange, StockLine, ToggleProduct, UpdateProduct, UpdateUser, UserId,
};
use serde_json::Value;
use store::{AuditQuery, AuditView, Page, SortValue, Start};

use crate::shop::{Batch, Shop, act, actor, new_order, new_product, new_user};

const HOME: &str = "192.0.2.7";

fn page(limit: u32) -> Page {
    Page { limit, start: Start::Offset(0) }
}

/// The whole log, earliest first.
async fn log(shop: &Shop) -> Vec<AuditView> {
    let mut rows = shop.store.audit(&AuditQuery::all(page(100_000))).await.unwrap().rows;
    rows.reverse();
    rows
}

/// `product.update product 1: {…} -> {…}`
fn line(entry: &AuditView) -> String {
    let AuditView { action, kind, thing_id, was, became, .. } = entry;
    let [was, became] = [was, became].map(|text| serde_json::from_str::<Value>(text).unwrap());
    format!("{action} {kind} {thing_id}: {was} -> {became}")
}

fn admin() -> Actor {
    Actor { user_id: Some(UserId(1)), role: Role::Admin, key: None }
}

fn machine() -> Actor {
    Actor { user_id: None, role: Role::Staff, key: Some(ApiKeyId(1)) }
}

pub(crate) fn new_key() -> CreateApiKey {
    let scopes = vec![Scope::Stock, Scope::Read];
    CreateApiKey { name: "till".to_owned(), digest: "ab".repeat(32), role: Role::Staff, scopes, life_days: 9 }
}

/// Of everything a little, by an administrator who is the first user, and by a machine: after which the log has lines.
pub(crate) async fn be_busy(shop: &Shop) {
    let boss = shop.run(CreateUser { role: Some(Role::Admin), ..new_user("boss") }).await.unwrap();
    shop.run_from(actor(&boss), HOME, new_key()).await.unwrap();
    let note = domain::NoteApiKeyUse { id: ApiKeyId(1), at_us: 77 };
    shop.run(note).await.unwrap();
    let product = shop.run_from(actor(&boss), HOME, new_product("AUDITED", 5)).await.unwrap().product;
    let change = StockChange::Increment(3);
    let lines = vec![StockLine { product_id: product.id, change, reason: None, note: None }];
    shop.run_from(machine(), "2001:db8::1", AdjustStock { lines }).await.unwrap();
}

#[tokio::test]
async fn each_change_is_told_as_it_was_and_as_it_became() {
    let shop = Shop::new().await;
    shop.run(CreateUser { role: Some(Role::Admin), ..new_user("root") }).await.unwrap();
    assert_eq!(log(&shop).await, [], "what the shop itself does is not told");
    let does = async |command| shop.run_from(admin(), HOME, command).await.unwrap();
    does(new_product("TEA", 5)).await;
    let adjust = |change| AdjustStock {
        lines: vec![StockLine { product_id: ProductId(1), change, reason: None, note: None }],
    };
    let price = UpdateProduct { price_cents: Some(300), ..UpdateProduct::nothing(ProductId(1)) };
    shop.run_from(admin(), HOME, price.clone()).await.unwrap();
    // Nothing changes, and nothing is told.
    shop.run_from(admin(), HOME, price).await.unwrap();
    shop.run_from(admin(), HOME, adjust(StockChange::Set { on_hand: 5, expected: None })).await.unwrap();
    shop.run_from(machine(), HOME, adjust(StockChange::Increment(3))).await.unwrap();
    shop.run_from(admin(), HOME, new_user("ann")).await.unwrap();
    let password =
        SetPassword { user_id: UserId(2), seen_generation: None, password_hash: "$other".to_owned() };
    shop.run_from(admin(), HOME, password).await.unwrap();
    shop.run_from(admin(), HOME, new_order(Some(UserId(2)), &[(ProductId(1), 2)])).await.unwrap();
    shop.run_from(admin(), HOME, act(domain::OrderId(1), Action::Ship)).await.unwrap_err();
    shop.run_from(admin(), HOME, act(domain::OrderId(1), Action::Pay)).await.unwrap();
    shop.run_from(admin(), HOME, act(domain::OrderId(1), Action::Ship)).await.unwrap();
    shop.run_from(admin(), HOME, new_key()).await.unwrap();
    shop.run_from(admin(), HOME, RevokeApiKey { id: ApiKeyId(1) }).await.unwrap();
    let told: Vec<_> = log(&shop).await.iter().map(line).collect();
    let expected = [
        r#"product.create product 1: {} -> {"archived_at_us":null,"auto_deactivate":false,"description":"","is_active":true,"low_stock_threshold":0,"name":"Name of TEA","on_hand":5,"price_cents":250,"sku":"TEA"}"#,
        r#"product.update product 1: {"price_cents":250} -> {"price_cents":300}"#,
        r#"stock.adjust product 1: {"on_hand":5} -> {"on_hand":8}"#,
        r#"user.create user 2: {} -> {"email":"ann@example.com","full_name":null,"is_active":true,"password":"***","role":"customer","username":"ann"}"#,
        r#"user.set_password user 2: {"password":"***"} -> {"password":"***"}"#,
        r#"order.place order 1: {} -> {"allocate_at":"creation","expires_at_us":null,"fulfilment":"unfulfilled","items":[{"price_cents_at_purchase":300,"product_id":1,"quantity":2}],"payment":"unpaid","state":"pending","status":"pending","total_amount_cents":600,"total_quantity":2,"user_id":2}"#,
        r#"order.pay order 1: {"payment":"unpaid","state":"pending","status":"pending"} -> {"payment":"paid","state":"confirmed","status":"paid"}"#,
        r#"order.ship product 1: {"on_hand":8} -> {"on_hand":6}"#,
        r#"order.ship order 1: {"fulfilment":"unfulfilled","status":"paid"} -> {"fulfilment":"shipped","status":"shipped"}"#,
    ];
    assert_eq!(told[..expected.len()], expected);
    let [made, revoked] = &told[expected.len()..] else { panic!("{told:#?}") };
    assert!(made.starts_with("api_key.create api_key 1: {} -> {"), "{made}");
    assert!(!made.contains("abab"), "{made}");
    let since = r#"api_key.revoke api_key 1: {"revoked_at_us":null} -> {"revoked_at_us":1"#;
    assert!(revoked.starts_with(since), "{revoked}");
    let entries = log(&shop).await;
    let by_machine = entries.iter().find(|entry| entry.action == "stock.adjust").unwrap();
    assert_eq!((by_machine.key_id, by_machine.actor_id), (Some(ApiKeyId(1)), None));
    assert_eq!(by_machine.key_name.as_deref(), Some("till"));
    for (number, entry) in (1..).zip(&entries) {
        assert_eq!((entry.id, entry.source.as_deref()), (number, Some(HOME)));
        assert!(entry.request_id.starts_with("request-"), "{entry:?}");
        let by_admin = (Some(UserId(1)), Some("root"), Role::Admin);
        let by = (entry.actor_id, entry.actor_name.as_deref(), entry.role);
        assert!(entry.key_id.is_some() || by == by_admin, "{entry:?}");
    }
    shop.assert_sound().await;
}

#[tokio::test]
async fn customers_are_not_told_of() {
    let shop = Shop::new().await;
    shop.user("root").await;
    let ann = shop.user("ann").await;
    let tea = shop.product("TEA", 5).await;
    let order = shop.run_from(actor(&ann), HOME, new_order(None, &[(tea.id, 1)])).await.unwrap().order;
    shop.run_from(actor(&ann), HOME, act(order.id, Action::Cancel)).await.unwrap();
    shop.run_from(actor(&ann), HOME, RevokeSessions { user_id: ann.id }).await.unwrap();
    let anonymous = Actor { user_id: None, role: Role::Customer, key: None };
    shop.run_from(anonymous, HOME, new_order(None, &[(tea.id, 1)])).await.unwrap();
    // Housekeeping.
    shop.run(OpenShop { currency: "EUR".to_owned() }).await.unwrap();
    assert_eq!(log(&shop).await, []);
    assert_eq!(shop.ints("SELECT c.next FROM counters c WHERE c.name = 'audit'").await, [1]);
}

/// A login changes nothing and is told all the same; and so is the end of sessions, which changes nothing that is told.
#[tokio::test]
async fn sessions_of_those_who_work_here_are_told() {
    let shop = Shop::new().await;
    shop.run(CreateUser { role: Some(Role::Admin), ..new_user("root") }).await.unwrap();
    let ann = shop.user("ann").await;
    let before = shop.store.changes(None).await.unwrap().last;
    let begin = |user_id, seen_generation| BeginSession { user_id, seen_generation };
    shop.run_from(admin(), HOME, begin(UserId(1), 1)).await.unwrap();
    shop.run_from(actor(&ann), HOME, begin(ann.id, 1)).await.unwrap();
    assert_eq!(shop.store.changes(None).await.unwrap().last, before, "nothing happened");
    shop.run_from(admin(), HOME, RevokeSessions { user_id: UserId(1) }).await.unwrap();
    // Tokens of that generation are worth nothing, so nobody begins with them.
    let refused = shop.run_from(admin(), HOME, begin(UserId(1), 1)).await;
    assert_eq!(refused, Err(Rejection::CredentialsChanged));
    let told: Vec<_> = log(&shop).await.iter().map(line).collect();
    assert_eq!(told, ["user.begin_session user 1: {} -> {}", "user.end_sessions user 1: {} -> {}"]);
    shop.assert_sound().await;
}

/// Requests that left an event, by somebody who works here, and no line in the log.
async fn untold(shop: &Shop, audited: &BTreeSet<String>) -> Vec<String> {
    let mut events = shop.query("SELECT DISTINCT e.request_id FROM events e").await;
    let told = log(shop).await;
    let requests = events.iter_mut().map(|row| row.text(0).unwrap());
    let is_untold = |request: &String| told.iter().all(|entry| entry.request_id != *request);
    requests.filter(|request| audited.contains(request)).filter(is_untold).collect()
}

/// One batch with every kind of change, each of its own request; told and untold authors by turns.
async fn one_of_each(shop: &Shop) -> BTreeSet<String> {
    shop.run(CreateUser { role: Some(Role::Admin), ..new_user("root") }).await.unwrap();
    shop.run(CreateUser { role: Some(Role::Staff), ..new_user("sam") }).await.unwrap();
    let (tea, ann) = (shop.product("TEA", 50).await, shop.user("ann").await);
    let order = shop.place(Some(ann.id), &[(tea.id, 1)]).await;
    let (mut batch, mut audited) = (Batch::default(), BTreeSet::new());
    macro_rules! does {
        ($command:expr) => {{
            let context = shop.context_from(admin(), HOME);
            audited.insert(context.request_id.as_ref().to_owned());
            batch.add(context, $command);
            let customer = Actor { user_id: Some(ann.id), role: Role::Customer, key: None };
            batch.add(shop.context_from(customer, HOME), new_order(None, &[(tea.id, 1)]));
        }};
    }
    does!(new_product("CUP", 5));
    does!(UpdateProduct { name: Some("Mug".to_owned()), ..UpdateProduct::nothing(ProductId(2)) });
    does!(ToggleProduct { product_id: ProductId(2), if_version: None });
    does!(DeleteProduct { product_id: tea.id, if_version: None });
    does!(RestoreProduct { product_id: tea.id, if_version: None });
    let line = StockLine { product_id: tea.id, change: StockChange::Increment(1), reason: None, note: None };
    does!(AdjustStock { lines: vec![line] });
    does!(act(order.id, Action::Confirm));
    does!(act(order.id, Action::Pay));
    does!(act(order.id, Action::Ship));
    does!(act(order.id, Action::Deliver));
    does!(new_order(None, &[(ProductId(1), 1)]));
    does!(new_user("eve"));
    let nothing = UpdateUser {
        user_id: UserId(2),
        if_version: None,
        email: None,
        full_name: None,
        role: None,
        is_active: None,
    };
    does!(UpdateUser { is_active: Some(false), ..nothing });
    does!(SetPassword { user_id: UserId(2), seen_generation: None, password_hash: "x".to_owned() });
    does!(RevokeSessions { user_id: UserId(2) });
    does!(new_key());
    does!(RevokeApiKey { id: ApiKeyId(1) });
    shop.decide(batch).await;
    audited
}

#[tokio::test]
async fn nothing_that_staff_do_is_forgotten() {
    let shop = Shop::new().await;
    let audited = one_of_each(&shop).await;
    assert_eq!(untold(&shop, &audited).await, Vec::<String>::new());
    let told: BTreeSet<_> = log(&shop).await.into_iter().map(|entry| entry.request_id).collect();
    assert_eq!(told, audited, "all of theirs, and nothing of the customers'");
    // The control: a log that misses the lines of one request, whichever it is, is noticed.
    for request in &audited {
        shop.sabotage(&format!("UPDATE audit SET request_id = '-' WHERE request_id = '{request}'")).await;
        assert_eq!(untold(&shop, &audited).await, std::slice::from_ref(request));
        shop.sabotage(&format!("UPDATE audit SET request_id = '{request}' WHERE request_id = '-'")).await;
    }
}

#[tokio::test]
async fn the_log_is_filtered_and_paged() {
    let shop = Shop::new().await;
    one_of_each(&shop).await;
    shop.run_from(machine(), HOME, new_product("BY-MACHINE", 1)).await.unwrap();
    let all = log(&shop).await;
    assert!(all.len() > 15, "{}", all.len());
    let (early, late) = (all[4].at_us, all[12].at_us);
    let query = || AuditQuery::all(page(5));
    let thing = ("order".to_owned(), 1);
    type Keeps<'a> = &'a dyn Fn(&AuditView) -> bool;
    let by_admin: Keeps<'_> = &|entry| entry.actor_id == Some(UserId(1));
    let cases: [(AuditQuery, Keeps<'_>); 7] = [
        (query(), &|_| true),
        (AuditQuery { actor_id: Some(UserId(1)), ..query() }, by_admin),
        (AuditQuery { key_id: Some(ApiKeyId(1)), ..query() }, &|entry| entry.key_id.is_some()),
        (AuditQuery { action: Some("order.pay".to_owned()), ..query() }, &|entry| {
            entry.action == "order.pay"
        }),
        (AuditQuery { thing: Some(thing.clone()), ..query() }, &|it| it.kind == "order" && it.thing_id == 1),
        (AuditQuery { from_us: Some(early), before_us: Some(late), ..query() }, &|entry| {
            (early..late).contains(&entry.at_us)
        }),
        (AuditQuery { thing: Some(thing), actor_id: Some(UserId(9)), ..query() }, &|_| false),
    ];
    for (query, keeps) in cases {
        let mut expected: Vec<_> = all.iter().filter(|entry| keeps(entry)).cloned().collect();
        expected.sort_by_key(|entry| (entry.at_us, entry.id));
        expected.reverse();
        let (mut found, mut start) = (Vec::new(), Start::Offset(0));
        loop {
            let query = AuditQuery { page: Page { limit: 5, start }, ..query.clone() };
            let part = shop.store.audit(&query).await.unwrap();
            found.extend(part.rows);
            let Some(last) = found.last().filter(|_| part.more) else { break };
            start = Start::After { value: SortValue::Int(last.at_us), id: last.id };
        }
        assert_eq!(found, expected, "{query:?}");
    }
    assert_eq!(all[0].action, "product.create");
}
