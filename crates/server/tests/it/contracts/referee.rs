//! Sends requests, plays the same commands on the model, and compares every answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{Action, Actor, AllocateAt, Context, CreateUser, Role, UserId};
use serde_json::{Value, json};
use server::auth::tokens::TokenKind;
use server::clock;
use server::settings::Settings;

use super::Wrong;
use super::asks::{Ask, command, major, resolved};
use super::model::Model;
use super::shows::{Depth, Print, timeless};
use super::steps::{Contract, Step, What, Who};
use super::words::{Body, Expected, done_before, flawed, refused, role, shown, turned_away};
use crate::any::Any;
use crate::harness::{Answer, Caller, TestApp};
use crate::shop::ensure;

/// How often each contract gave each answer to each kind of request.
pub(super) type Tally = BTreeMap<(Contract, &'static str, u16), u64>;

/// A shop under audit.
pub(super) struct Referee<'a> {
    pub(super) app: &'a TestApp,
    /// In the order of [`Who::ALL`].
    pub(super) callers: Vec<Caller<'a>>,
    pub(super) model: Model,
    pub(super) anonymous: Option<Role>,
    /// When each product and order was made, as the first contract said that showed it.
    pub(super) times: BTreeMap<(bool, i64), String>,
    pub(super) tally: Tally,
    settings: Settings,
    wrong: Option<Wrong>,
    /// What was answered under a key, that being the position.
    kept: Vec<(Ask, Answer)>,
}

impl<'a> Referee<'a> {
    /// Makes the accounts, in the shop and in the model. Nobody logs in here, so the hashes are of nothing.
    pub(super) async fn new(app: &'a TestApp, wrong: Option<Wrong>) -> Self {
        let settings = app.app.settings().clone();
        let mut model = Model::default();
        let mut callers = vec![app.stranger()];
        for who in &Who::ALL[1..] {
            let context = Context {
                actor: Actor { user_id: None, role: Role::Admin, key: None },
                now_us: clock::now_us(),
                request_id: Arc::from("r"),
                source: None,
            };
            let command = CreateUser {
                username: format!("{who:?}"),
                email: None,
                full_name: (*who == Who::Ann).then(|| "Ann Example".to_owned()),
                role: role(*who, None),
                founding: domain::Founding::Nothing,
                by_invitation: false,
                password_hash: "none".to_owned(),
            };
            model.play(&Any::from(command.clone()), &context).unwrap();
            assert!(app.app.execute(command, context, None).await.is_ok());
            let now = clock::now_us();
            let token =
                app.app.tokens().issue(TokenKind::Access, who.id(), 1, now, Duration::from_secs(3600));
            callers.push(Caller { token: Some(token.unwrap()), id: who.id(), ..app.stranger() });
        }
        let anonymous = settings.anonymous_role;
        let (times, tally) = (BTreeMap::new(), Tally::new());
        Self { app, callers, model, anonymous, times, tally, settings, wrong, kept: Vec::new() }
    }

    pub(super) fn print(&self) -> Print<'_> {
        Print { currency: &self.settings.currency, digits: self.settings.currency_digits() }
    }

    /// Plays one step.
    pub(super) async fn step(&mut self, step: &Step) -> Result<(), String> {
        let newest = |last: Option<&i64>| last.copied().unwrap_or(0);
        let (product, order) =
            (newest(self.model.goods.keys().last()), newest(self.model.deals.keys().last()));
        let what = resolved(&step.what, product, order);
        match what {
            What::ListProducts | What::ListLow | What::ListOrders => {
                if self.has(step.contract, step.who, &what) {
                    self.list(step.contract, step.who, &what).await?;
                }
                return Ok(());
            }
            What::Again(back) => return self.again(back).await,
            _ => {}
        }
        let ask = Ask::new(step, what, self.settings.currency_digits());
        let key = step.keyed.then(|| format!("key-{}", self.kept.len()));
        let answer = self.send(&ask, key.as_deref(), ask.body.clone()).await;
        let told = |fault| format!("{fault}\n  {ask:?}\n  {answer:?}");
        let runs = self.judge(&ask, &answer).map_err(told)?;
        if step.keyed && runs {
            self.kept.push((ask, answer));
        }
        Ok(())
    }

    async fn send(&self, ask: &Ask, key: Option<&str>, body: Option<String>) -> Answer {
        let header = key.map(|key| [("idempotency-key", key)]);
        let headers = header.as_ref().map_or(&[][..], |header| header);
        self.callers[ask.who as usize].send(ask.method.clone(), &ask.path, headers, body).await
    }

    /// The same request with the same key: the same answer, and nothing happens. Another body with that key: refused.
    async fn again(&mut self, back: usize) -> Result<(), String> {
        let Some(at) = back.checked_rem(self.kept.len()) else { return Ok(()) };
        let (mut ask, before) = self.kept[at].clone();
        let key = format!("key-{at}");
        if ask.contract != Contract::Canonical && back.is_multiple_of(3) {
            // A slash at the end makes no other request.
            ask.path = ask.path.strip_suffix('/').map_or_else(|| format!("{}/", ask.path), str::to_owned);
        }
        let answer = self.send(&ask, Some(&key), ask.body.clone()).await;
        let told = |fault: &str| format!("{fault}\n  {ask:?}\n  {before:?}\n  {answer:?}");
        ensure!((answer.status, &answer.text) == (before.status, &before.text), "{}", told("another answer"));
        ensure!(answer.header("idempotency-replayed") == "true", "{}", told("not marked as repeated"));
        if self.wrong == Some(Wrong::RepetitionsCount) && answer.status.is_success() {
            let _ = self.play(&ask);
        }
        let other = ask.body.as_ref().map_or_else(|| "{}".to_owned(), |body| format!("{body} "));
        let answer = self.send(&ask, Some(&key), Some(other)).await;
        let told = |fault: &str| format!("{fault}\n  {ask:?}\n  {answer:?}");
        ensure!(answer.status == 422, "{}", told("the key of another request was taken"));
        let body = answer.json();
        let detail = "This Idempotency-Key belongs to a different request.";
        ensure!(body["detail"] == detail, "{}", told("other words"));
        let bare = ask.contract == Contract::Canonical || body == json!({"detail": detail});
        ensure!(bare, "{}", told("more than a detail"));
        *self.tally.entry((ask.contract, "again", 422)).or_default() += 1;
        Ok(())
    }

    /// Compares an answer with what the model says; true if it was a command that got as far as the rules.
    fn judge(&mut self, ask: &Ask, answer: &Answer) -> Result<bool, String> {
        let early = turned_away(ask, self.anonymous).or_else(|| flawed(ask)).or_else(|| self.choosy(ask));
        let runs = early.is_none() && command(ask.contract, &ask.what, self.settings.allocate_at).is_some();
        let mut expected = match early {
            Some(early) => early,
            None if runs => self.outcome(ask),
            None => self.read(ask),
        };
        if self.wrong == Some(Wrong::MoneyOff) && ask.contract == Contract::Orderflow {
            spoil_money(&mut expected);
        }
        *self.tally.entry((ask.contract, kind(&ask.what), expected.status)).or_default() += 1;
        ensure!(answer.status.as_u16() == expected.status, "the model says {expected:?}");
        ensure!(answer.header("idempotency-replayed").is_empty(), "marked as repeated");
        let facade = ask.contract != Contract::Canonical;
        let failed = expected.status >= 400;
        let media = match (&expected.body, failed && !facade) {
            (Body::Nothing, _) => "",
            (_, true) => "application/problem+json",
            (_, false) => "application/json",
        };
        ensure!(answer.header("content-type") == media, "not {media}");
        let challenge = answer.header("www-authenticate").starts_with("Bearer");
        ensure!(challenge == (expected.status == 401), "a challenge: {challenge}");
        if facade {
            shortest_decimals(&answer.text, self.settings.currency_digits())?;
        }
        compare(&expected.body, answer)?;
        Ok(runs)
    }

    /// Customers do not choose when their orders take stock. Said before the rules are asked.
    fn choosy(&self, ask: &Ask) -> Option<Expected> {
        let What::Place { late: Some(late), .. } = ask.what else { return None };
        let customer = role(ask.who, self.anonymous) == Some(Role::Customer);
        let unusual = late != (self.settings.allocate_at == AllocateAt::Confirmation);
        (customer && unusual).then(|| Expected { status: 403, body: Body::Problem("FORBIDDEN", json!({})) })
    }

    /// Who asks, as the rules see them.
    fn context(&self, ask: &Ask) -> Context {
        let mut role = role(ask.who, self.anonymous).unwrap_or(Role::Customer);
        if ask.contract == Contract::MiniOrder && role == Role::Staff {
            role = Role::Customer;
        }
        let user_id = (ask.who != Who::Stranger).then(|| UserId(ask.who.id()));
        Context {
            actor: Actor { user_id, role, key: None },
            now_us: 0,
            request_id: Arc::from("r"),
            source: None,
        }
    }

    /// Plays a command on the model: whether anything changed, or the code of the refusal.
    fn play(&mut self, ask: &Ask) -> Result<bool, &'static str> {
        let Some(mut command) = command(ask.contract, &ask.what, self.settings.allocate_at) else {
            return Ok(false);
        };
        let context = self.context(ask);
        if let Some(wrong) = self.wrong {
            wrong.spoil(ask, &mut command, &mut self.model);
        }
        let played = self.model.play(&command, &context).map(|news| !news.is_empty());
        if let (Some(Wrong::CancelGivesTooMuch), What::Act(Action::Cancel, id), Ok(true)) =
            (self.wrong, &ask.what, &played)
        {
            // Whatever the order wanted, whether it held that or not.
            let wants = self.model.deals[id].wants.clone();
            for (product, _) in wants {
                self.model.goods.entry(product).and_modify(|good| good.shelf += 1);
            }
        }
        played
    }

    fn outcome(&mut self, ask: &Ask) -> Expected {
        let products = self.model.goods.keys().last().copied();
        match self.play(ask) {
            Err(code) => refused(ask, code, &self.model),
            Ok(false) => done_before(ask).unwrap_or_else(|| self.success(ask, products)),
            Ok(true) => self.success(ask, products),
        }
    }

    /// What a contract shows of a success.
    fn success(&self, ask: &Ask, before: Option<i64>) -> Expected {
        let contract = ask.contract;
        let product = |id: &i64, depth| self.print().product(contract, &self.model, *id, depth);
        let newest = |last: Option<&i64>| last.copied().unwrap_or(0);
        let wrapped = |message: &str, data: Value| match contract {
            Contract::MiniOrder => json!({"status": true, "message": message, "data": data}),
            _ => data,
        };
        let created = if contract == Contract::Inventory { 200 } else { 201 };
        match &ask.what {
            What::Create { .. } => {
                let id = newest(self.model.goods.keys().last());
                assert!(before < Some(id), "{before:?} {id}");
                shown(created, wrapped("Product created successfully", product(&id, Depth::Made)))
            }
            What::Edit { product: id, .. } => {
                shown(200, wrapped("Product updated successfully", product(id, Depth::Changed)))
            }
            What::Delete(id) if contract == Contract::Canonical && self.model.goods.contains_key(id) => {
                shown(200, product(id, Depth::Changed))
            }
            What::Delete(_) => Expected { status: 204, body: Body::Nothing },
            What::Toggle(id)
            | What::Restore(id)
            | What::Increment(id, _)
            | What::Decrement(id, _)
            | What::Count(id, _) => shown(200, product(id, Depth::Changed)),
            What::Place { .. } => {
                let id = newest(self.model.deals.keys().last());
                let order = self.print().order(contract, &self.model, id);
                shown(201, wrapped("Order placed successfully", order))
            }
            What::Act(action, id) => {
                let done = match (contract, action) {
                    (Contract::Leafcraft, Action::Confirm) => {
                        json!({"message": "Order Confirmed successfully"})
                    }
                    (Contract::Leafcraft, _) => json!({"message": "Order cancelled"}),
                    (Contract::MiniOrder, _) => {
                        json!({"order_id": id, "status": self.model.deals[id].word.to_uppercase()})
                    }
                    _ => self.print().order(contract, &self.model, *id),
                };
                let message = match action {
                    Action::Confirm => "Order confirmed successfully",
                    _ => "Order cancelled successfully",
                };
                shown(200, wrapped(message, done))
            }
            other => panic!("{other:?} changes nothing"),
        }
    }

    /// What a contract shows of one product or order.
    fn read(&self, ask: &Ask) -> Expected {
        let role = role(ask.who, self.anonymous);
        let staff = role != Some(Role::Customer);
        match ask.what {
            What::ReadProduct(id) => {
                let shows_archived = staff && ask.contract == Contract::Canonical;
                let good = self.model.goods.get(&id).filter(|good| shows_archived || !good.archived);
                match good {
                    Some(_) => {
                        shown(200, self.print().product(ask.contract, &self.model, id, Depth::Changed))
                    }
                    None => refused(ask, "PRODUCT_NOT_FOUND", &self.model),
                }
            }
            What::ReadOrder(id) => {
                let own = (ask.who != Who::Stranger).then(|| ask.who.id());
                match self.model.deals.get(&id).filter(|deal| staff || deal.owner == own) {
                    Some(_) => shown(200, self.print().order(ask.contract, &self.model, id)),
                    None => refused(ask, "ORDER_NOT_FOUND", &self.model),
                }
            }
            _ => panic!("{ask:?} reads nothing"),
        }
    }
}

fn compare(expected: &Body, answer: &Answer) -> Result<(), String> {
    if matches!(expected, Body::Nothing) {
        ensure!(answer.text.is_empty(), "not empty");
        return Ok(());
    }
    let mut body = answer.json();
    timeless(&mut body);
    match expected {
        Body::Json(expected) => ensure!(body == *expected, "the model says {expected}"),
        Body::Detail(detail) => {
            ensure!(body == json!({"detail": detail}), "the model says {detail}");
        }
        Body::Problem(code, more) => {
            ensure!(body["code"] == *code, "the model says {code}");
            for (name, member) in more.as_object().into_iter().flatten() {
                ensure!(body[name] == *member, "the model says {name}: {member}");
            }
        }
        Body::Flaw(loc) => {
            let flaws = body["detail"].as_array().cloned().unwrap_or_default();
            let complete =
                |flaw: &Value| ["type", "loc", "msg", "input"].iter().all(|name| flaw.get(name).is_some());
            ensure!(flaws.iter().all(complete), "a flaw without its members");
            ensure!(flaws.iter().any(|flaw| flaw["loc"] == *loc), "the flaw is at {loc}");
        }
        Body::Nothing => {}
    }
    Ok(())
}

/// Each amount in the text has no digit too many.
fn shortest_decimals(text: &str, digits: u32) -> Result<(), String> {
    for name in ["price", "stock_price", "total_amount", "price_at_purchase"] {
        for part in text.split(&format!("\"{name}\":")).skip(1) {
            let number = part.split([',', '}']).next().unwrap_or_default();
            let (whole, rest) = number.split_once('.').unwrap_or((number, ""));
            let width = usize::try_from(digits).unwrap();
            let Ok(minor) = format!("{whole}{rest:0<width$}").parse() else { continue };
            ensure!(major(minor, digits) == number, "{name} could be shorter than {number}");
        }
    }
    Ok(())
}

fn spoil_money(expected: &mut Expected) {
    if let Body::Json(body) = &mut expected.body
        && let Some(price) = body.get("stock_price").and_then(Value::as_f64).filter(|price| *price > 0.0)
    {
        body["stock_price"] = json!(price * 10.0);
    }
}

fn kind(what: &What) -> &'static str {
    match what {
        What::Create { .. } => "create",
        What::Edit { .. } => "edit",
        What::Toggle(_) => "toggle",
        What::Delete(_) => "delete",
        What::Restore(_) => "restore",
        What::Increment(..) => "increment",
        What::Decrement(..) => "decrement",
        What::Count(..) => "count",
        What::Place { .. } => "place",
        What::Act(action, _) => action.word(),
        What::ReadProduct(_) => "read product",
        What::ReadOrder(_) => "read order",
        What::ListProducts | What::ListLow | What::ListOrders => "list",
        What::Again(_) => "again",
    }
}
