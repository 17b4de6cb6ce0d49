//! Who may do what: one table, [`table.txt`](table.txt), of every operation of the API's document and of each façade's, of
//! every principal, and of what is one's own and what is somebody else's. Nothing is left out: an operation without a row
//! and a row without one of its cells are errors.
//!
//! The control is a server that has forgotten, for one operation at a time, to ask whose a thing is: the same look at the
//! same rows finds it.

mod table;
mod things;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use domain::Role;
use server::compat::{self, Facade};
use server::router;

use self::table::{COLUMNS, Principal, Row, SCOPES, written_down};
use self::things::{Shop, server};
use crate::document::{Document, Operation};
use crate::harness::Caller;

/// Where the rows of a document come from: the API's own, then the façades'.
fn documents() -> BTreeMap<&'static str, (Option<Facade>, Document)> {
    let own = ("api", (None, Document::of(&router::openapi().unwrap())));
    let facades = Facade::ALL
        .iter()
        .map(|facade| (facade.word(), (Some(*facade), Document::of(&compat::document(*facade).unwrap()))));
    std::iter::once(own).chain(facades).collect()
}

type Operations<'a> = BTreeMap<(&'static str, String), Operation<'a>>;

fn word(facade: Option<Facade>) -> &'static str {
    facade.map_or("api", Facade::word)
}

fn operations<'a>(documents: &'a BTreeMap<&'static str, (Option<Facade>, Document)>) -> Operations<'a> {
    let mut all = BTreeMap::new();
    for (name, (_, document)) in documents {
        for operation in document.operations() {
            all.insert((*name, operation.id().to_owned()), operation);
        }
    }
    all
}

fn operation<'a, 'b>(operations: &'b Operations<'a>, row: &Row) -> &'b Operation<'a> {
    &operations[&(word(row.facade), row.operation.clone())]
}

/// What these principals get otherwise than these rows say, in the shops that they are in.
async fn differences(
    rows: &[&Row],
    shops: &mut [Shop<'_>],
    operations: &Operations<'_>,
    only: Option<Principal>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        for shop in &mut *shops {
            for principal in shop.principals() {
                if only.is_some_and(|only| principal != only) {
                    continue;
                }
                let column = COLUMNS.iter().position(|column| *column == principal).unwrap();
                let new = format!("new-{number}-{column}");
                let found = shop.try_as(principal, operation(operations, row), row, &new).await;
                let expected = row.cell(principal);
                if found != expected {
                    let Row { operation, name, .. } = row;
                    let facade = word(row.facade);
                    wrong.push(format!(
                        "{facade} {operation} {name} {principal:?}: {found:?}, not {expected:?}"
                    ));
                }
            }
        }
    }
    wrong
}

/// That the documents tell of the refusals that the table knows, and of no others.
fn undocumented(table: &[Row], operations: &Operations<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for ((document, id), operation) in operations {
        let rows = || table.iter().filter(|row| word(row.facade) == *document && row.operation == *id);
        let is_api = *document == "api";
        let kind = if is_api { "application/problem+json" } else { "application/json" };
        for status in [401, 403] {
            // The API's own document has 401 wherever a token may be sent.
            if is_api && status == 401 {
                continue;
            }
            // A list that anybody may see does not ask who that is.
            let happens = rows().any(|row| row.cells.iter().any(|cell| cell.status == status));
            let is_documented = operation.answer(status, kind).is_some();
            if is_documented != happens {
                wrong.push(format!(
                    "{document} {id}: it tells of {status}: {is_documented}; it happens: {happens}"
                ));
            }
        }
        let is_open = rows().any(|row| row.cell(Principal::Stranger(None)).status < 400);
        let tries = ["login", "refresh"].contains(&id.as_str());
        // Where there is no login, the document leaves tokens to the API's own.
        let tells = ["api", "mini-order", "leafcraft"].contains(document);
        if tells && operation.is_public() != (is_open || tries) {
            wrong.push(format!("{document} {id}: security in the document"));
        }
    }
    wrong
}

#[test]
fn every_operation_has_a_row_and_no_row_is_of_none() {
    let (table, documents) = (written_down(), documents());
    let known: BTreeSet<_> = operations(&documents).into_keys().collect();
    let written: BTreeSet<_> = table.iter().map(|row| (word(row.facade), row.operation.clone())).collect();
    assert_eq!(written, known);
    let names: BTreeSet<_> = table.iter().map(|row| (word(row.facade), &row.operation, &row.name)).collect();
    assert_eq!(names.len(), table.len(), "a row twice");
    // What is one's own and what is not are told apart wherever a path names an order or an account.
    let operations = operations(&documents);
    for ((document, id), operation) in &operations {
        let path = operation.path;
        if ["{order_id}", "{user_id}"].iter().any(|name| path.contains(name)) {
            let rows = || table.iter().filter(|row| word(row.facade) == *document && row.operation == *id);
            assert!(rows().any(|row| row.case.of.is_foreign()), "{document} {id}: whose?");
            assert!(rows().any(|row| !row.case.of.is_foreign()), "{document} {id}: whose?");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_what_the_table_says() {
    let (table, documents) = (written_down(), documents());
    let operations = operations(&documents);
    let roles = [None, Some(Role::Customer), Some(Role::Staff), Some(Role::Admin)];
    let mut apps = Vec::new();
    for role in roles {
        apps.push(server(role, |router| router).await);
    }
    let mut shops = Vec::new();
    for (app, role) in apps.iter().zip(roles) {
        shops.push(Shop::open(app, role).await);
    }
    let mut wrong = undocumented(&table, &operations);
    wrong.extend(differences(&table.iter().collect::<Vec<_>>(), &mut shops, &operations, None).await);
    wrong.extend(impostors(&table, &shops[3], &operations).await);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for app in &apps {
        app.verify().await;
    }
}

/// Whoever sends a token that is no good is nobody, even where nobody may do everything: as those whose token was good.
async fn impostors(table: &[Row], shop: &Shop<'_>, operations: &Operations<'_>) -> Vec<String> {
    let stranger = shop.caller(Principal::Stranger(Some(Role::Admin)));
    let impostor = Caller { token: Some("x".to_owned()), ..stranger.clone() };
    let mut wrong = Vec::new();
    for (number, row) in table.iter().enumerate() {
        let found = shop.answer(operation(operations, row), row, &impostor, &format!("bad-{number}")).await;
        let expected = row.cell(Principal::LoggedOut).status;
        if found.status != expected {
            wrong.push(format!("{} {} with a bad token: {found:?}", row.operation, row.name));
        }
    }
    wrong
}

/// What a machine's key must be good for is what the table says, no more and no less.
#[tokio::test(flavor = "multi_thread")]
async fn keys_need_exactly_what_the_table_says() {
    let (table, documents) = (written_down(), documents());
    let operations = operations(&documents);
    let app = server(None, |router| router).await;
    let mut shop = Shop::open(&app, None).await;
    let mut wrong = Vec::new();
    for (number, row) in table.iter().enumerate() {
        let whole = row.cell(Principal::Machine(Role::Admin, None)).status;
        for (at, scope) in SCOPES.iter().enumerate() {
            let alone = row.cell(Principal::Machine(Role::Admin, Some(at))).status;
            let is_enough = row.needs.iter().all(|need| need == scope);
            if alone != if is_enough { whole } else { 403 } {
                wrong.push(format!("{} {}: {scope} alone", row.operation, row.name));
            }
        }
        if row.needs.is_empty() || row.needs == ["person"] {
            continue;
        }
        // Without one of those that it needs all the others do not help.
        let mut keys = vec![(row.needs.iter().map(String::as_str).collect::<Vec<_>>(), whole)];
        for need in &row.needs {
            keys.push((SCOPES.into_iter().filter(|scope| scope != need).collect(), 403));
        }
        for (at, (scopes, expected)) in keys.into_iter().enumerate() {
            let machine = shop.machine(Role::Admin, &scopes).await.0;
            let new = format!("key-{number}-{at}");
            let found = shop.answer(operation(&operations, row), row, &machine, &new).await.status;
            shop.restore_after(row).await;
            if found != expected {
                wrong.push(format!("{} {} {scopes:?}: {found}, not {expected}", row.operation, row.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    app.verify().await;
}

/// A request for which the server does not ask whose the thing is: the customer's token does what the administrator's does.
#[derive(Default)]
struct Oblivion {
    method: String,
    /// The path, with braces where anything may stand.
    path: String,
    customer: String,
    admin: String,
}

async fn forget(State(oblivion): State<Arc<Mutex<Oblivion>>>, mut request: Request, next: Next) -> Response {
    {
        let oblivion = oblivion.lock().unwrap();
        let (asked, path) = (request.uri().path().split('/'), oblivion.path.split('/'));
        let is_it = asked.clone().count() == path.clone().count()
            && asked.zip(path).all(|(asked, part)| part.starts_with('{') || asked == part)
            && request.method().as_str() == oblivion.method;
        let token = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        if is_it && token == Some(oblivion.customer.as_str()) {
            request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_str(&oblivion.admin).unwrap());
        }
    }
    next.run(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forgets_whose_something_is_is_noticed() {
    const CUSTOMER: Principal = Principal::Person(Role::Customer);
    let (table, documents) = (written_down(), documents());
    let operations = operations(&documents);
    let oblivion = Arc::new(Mutex::new(Oblivion::default()));
    let wrap = |router: Router| router.layer(from_fn_with_state(Arc::clone(&oblivion), forget));
    let app = server(None, wrap).await;
    let mut shops = [Shop::open(&app, None).await];
    let mut clauses = 0;
    for ((document, id), operation) in &operations {
        let rows: Vec<_> =
            table.iter().filter(|row| word(row.facade) == *document && row.operation == *id).collect();
        let has = |is_foreign| {
            rows.iter()
                .find(|row| row.case.of.is_foreign() == is_foreign && row.case.of != table::Of::Nothing)
        };
        let (Some(own), Some(foreign)) = (has(false), has(true)) else { continue };
        if own.cell(CUSTOMER) == foreign.cell(CUSTOMER) {
            continue;
        }
        clauses += 1;
        let bearer =
            |role| format!("Bearer {}", shops[0].caller(Principal::Person(role)).token.as_ref().unwrap());
        let path = format!("{}{}", own.facade.map_or("", Facade::prefix), operation.path);
        *oblivion.lock().unwrap() = Oblivion {
            method: operation.method.clone(),
            path,
            customer: bearer(Role::Customer),
            admin: bearer(Role::Admin),
        };
        let foreign: Vec<_> = rows.iter().copied().filter(|row| row.case.of.is_foreign()).collect();
        let found = differences(&foreign, &mut shops, &operations, Some(CUSTOMER)).await;
        assert!(!found.is_empty(), "{document} {id}: nobody notices that it does not ask whose it is");
        *oblivion.lock().unwrap() = Oblivion::default();
        let found = differences(&foreign, &mut shops, &operations, Some(CUSTOMER)).await;
        assert_eq!(found, [""; 0], "{document} {id}");
    }
    assert!(clauses >= 12, "{clauses}");
}
