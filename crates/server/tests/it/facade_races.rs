//! Many clients of all contracts at once race for the last pieces: exactly all are sold, and whoever gets none is told
//! so in the words of their contract.

use std::sync::Arc;

use axum::http::Method;
use domain::Role;
use serde_json::{Value, json};
use server::settings::Settings;

use crate::harness::{Caller, TestApp};
use crate::races::{CLIENTS, Racer, level, order, race};

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Canonical,
    Orderflow,
    MiniOrder,
    Leafcraft,
    Inventory,
}

const WAYS: [Way; 5] = [Way::Canonical, Way::Orderflow, Way::MiniOrder, Way::Leafcraft, Way::Inventory];

/// Pieces that were sold or refused, through which contract.
#[derive(Debug, Clone)]
struct Deal {
    way: Way,
    /// Products and pieces.
    lines: Vec<(i64, i64)>,
    sold: bool,
}

/// What each contract says when there is too little; the others when a stock has been deactivated.
fn is_refusal(way: Way, status: u16, body: &Value) -> bool {
    let detail = &body["detail"];
    match way {
        Way::Canonical => {
            status == 409
                && ["INSUFFICIENT_STOCK", "PRODUCT_INACTIVE"].iter().any(|code| body["code"] == *code)
        }
        Way::Orderflow => status == 400 && (detail == "Insufficient stock" || detail == "Stock is inactive"),
        Way::MiniOrder => status == 400 && (detail == "Insufficient stock" || detail == "Inactive product"),
        Way::Leafcraft => {
            let inactive = detail.as_str().is_some_and(|text| text.ends_with(" is not active"));
            status == 400 && (inactive || detail == "Insufficient stock for one or more products")
        }
        Way::Inventory => status == 400 && detail == "Insufficient Stock!",
    }
}

/// What a client asks for and was told.
struct Buyer {
    racer: Racer,
    way: Way,
    deals: Vec<Deal>,
}

impl Buyer {
    fn new(mut racer: Racer) -> Self {
        let way = WAYS[racer.number % WAYS.len()];
        if [Way::Orderflow, Way::Inventory].contains(&way) {
            // These know no login.
            racer.token = None;
        }
        Self { racer, way, deals: Vec::new() }
    }

    /// Sends something that is done or refused for lack of stock; anything else is a failure.
    async fn send(&self, method: Method, path: &str, done: u16, body: &Value) -> Option<Value> {
        let told = self.racer.try_send(method, path, &[], body).await.unwrap();
        let answer = told.json();
        if told.status == done {
            return Some(answer);
        }
        assert!(
            is_refusal(self.way, told.status, &answer),
            "{:?} {path}: {} {answer}",
            self.way,
            told.status
        );
        None
    }

    /// Tries to get these pieces: true when they were sold. Contracts that sell one thing at a time take the first.
    async fn buy(&mut self, lines: &[(i64, i64)]) -> bool {
        let (id, pieces) = lines[0];
        let one = &lines[..1];
        let (lines, told) = match self.way {
            Way::Canonical => {
                (lines, self.send(Method::POST, "/api/v1/orders", 201, &order(lines)).await.is_some())
            }
            Way::MiniOrder => {
                let path = "/compat/mini-order/orders";
                (lines, self.send(Method::POST, path, 201, &order(lines)).await.is_some())
            }
            Way::Orderflow => {
                let body = json!({"stock_id": id, "quantity": pieces});
                (one, self.send(Method::POST, "/compat/orderflow/orders", 201, &body).await.is_some())
            }
            Way::Inventory => {
                let path = format!("/compat/inventory/products/decrement/{id}");
                (one, self.send(Method::PATCH, &path, 200, &json!({"change": pieces})).await.is_some())
            }
            Way::Leafcraft => {
                let path = "/compat/leafcraft/orders/create_order";
                let placed = self.send(Method::POST, path, 201, &order(lines)).await;
                let sold = match placed {
                    None => false,
                    Some(placed) => {
                        let path = format!("/compat/leafcraft/orders/{}/confirm", placed["id"]);
                        self.send(Method::PATCH, &path, 200, &json!({})).await.is_some()
                    }
                };
                (lines, sold)
            }
        };
        self.deals.push(Deal { way: self.way, lines: lines.to_vec(), sold: told });
        told
    }
}

/// Whether what the clients were told adds up to what there was, and to what there is now.
async fn check(app: &TestApp, stocks: &[(i64, i64)], deals: &[Deal]) -> Result<(), String> {
    for (product, stock) in stocks {
        let sum = |counts: &dyn Fn(&Deal) -> bool| -> i64 {
            let sold = deals.iter().filter(|deal| deal.sold && counts(deal));
            sold.flat_map(|deal| &deal.lines).filter(|line| line.0 == *product).map(|line| line.1).sum()
        };
        let (ordered, removed) =
            (sum(&|deal| deal.way != Way::Inventory), sum(&|deal| deal.way == Way::Inventory));
        if ordered + removed != *stock {
            return Err(format!("product {product}: {ordered} + {removed} of {stock} were sold"));
        }
        // What orders hold is in the house still.
        let level = level(app, *product).await;
        if level != (ordered, ordered) {
            return Err(format!("product {product}: the level is {level:?}, {ordered} were ordered"));
        }
    }
    Ok(())
}

/// Pieces that orders ask for of each product, apart from those that hold none.
async fn held(root: &Caller<'_>, product: i64) -> i64 {
    let mut sum = 0;
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/orders?product_id={product}&limit=100{cursor}");
        let page = root.get(&path).await.expect(200);
        for item in
            page["orders"].as_array().unwrap().iter().flat_map(|order| order["items"].as_array().unwrap())
        {
            if item["product_id"] == product {
                sum += item["allocated"].as_i64().unwrap();
            }
        }
        let Some(next) = page["next_cursor"].as_str() else { return sum };
        cursor = format!("&cursor={next}");
    }
}

/// A shop that lets strangers do everything, for two of the contracts know no login.
async fn open() -> TestApp {
    TestApp::start_with(Settings { anonymous_role: Some(Role::Staff), ..Settings::default() }).await
}

/// Sells all of these out, and checks that it was all, and no more.
async fn sell_out(app: &TestApp, root: &Caller<'_>, stocks: Vec<(i64, i64)>, bundles: usize) {
    let shelf: Arc<[(i64, i64)]> = stocks.clone().into();
    let deals = race(root, CLIENTS, move |racer| {
        let shelf = Arc::clone(&shelf);
        async move {
            let mut buyer = Buyer::new(racer);
            let number = buyer.racer.number;
            // Several products of unequal number, named in all orders.
            for attempt in 0..bundles {
                let mut lines: Vec<_> =
                    (0..3).map(|at| shelf[(number + attempt + 2 * at) % shelf.len()].0).collect();
                if number % 2 == 1 {
                    lines.reverse();
                }
                let lines: Vec<_> = lines.into_iter().zip(1..).collect();
                buyer.buy(&lines).await;
            }
            // Then piece by piece until there is none, so that every client is refused in the end.
            for at in 0..shelf.len() {
                let (product, _) = shelf[(number + at) % shelf.len()];
                while buyer.buy(&[(product, 1)]).await {}
            }
            buyer.deals
        }
    });
    let mut deals: Vec<Deal> = deals.await.into_iter().flatten().collect();
    assert_eq!(check(app, &stocks, &deals).await, Ok(()));
    for (product, _) in &stocks {
        assert_eq!(held(root, *product).await, level(app, *product).await.1);
    }
    for way in WAYS {
        assert!(deals.iter().any(|deal| deal.way == way && !deal.sold), "{way:?}");
    }
    app.verify().await;
    // The check is not asleep: one answer more counted as sold, or less, and it fails.
    for sold in [true, false] {
        let at = deals.iter().position(|deal| deal.sold != sold).unwrap();
        deals[at].sold = sold;
        assert!(check(app, &stocks, &deals).await.is_err());
        deals[at].sold = !sold;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_pieces_of_one_product_are_sold_once_through_all_contracts() {
    let app = open().await;
    let root = app.admin().await;
    let product = app.product(&root, "Hot", 100, 150).await;
    sell_out(&app, &root, vec![(product, 150)], 0).await;
    let shown = app.stranger().get(&format!("/compat/inventory/products/{product}")).await.expect(200);
    assert_eq!(shown["stock_quantity"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_pieces_of_a_stock_are_sold_once_and_deactivate_it() {
    let app = open().await;
    let root = app.admin().await;
    let body = json!({"stock_name": "Hot", "stock_price": 1, "stock_quantity": 150});
    let stock = app.stranger().post("/compat/orderflow/stocks", body).await.expect(201)["stock_id"].clone();
    let stock = stock.as_i64().unwrap();
    sell_out(&app, &root, vec![(stock, 150)], 0).await;
    let shown = app.stranger().get(&format!("/compat/orderflow/stocks/{stock}")).await.expect(200);
    assert_eq!((&shown["stock_quantity"], &shown["is_active"]), (&json!(0), &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_pieces_of_many_products_are_sold_once_through_all_contracts() {
    let app = open().await;
    let root = app.admin().await;
    let mut stocks = Vec::new();
    for number in 0..8 {
        let pieces = 40 + 3 * number;
        stocks.push((app.product(&root, &format!("Hot {number}"), 100, pieces).await, pieces));
    }
    sell_out(&app, &root, stocks, 2).await;
}
