//! [`OpenShop`], [`NoteSecret`] and [`ForgetAnswers`].

use domain::{Actor, Command, Context, ForgetAnswers, NoteSecret, OpenShop, Rejection};

use super::{check, shop};

#[test]
fn opens_once_in_one_currency() {
    let open = |currency: &str| OpenShop { currency: currency.to_owned() };
    let opened = check(&shop(), Actor::SYSTEM, open("EUR"), Ok("open shop in EUR"));
    check(&opened, Actor::SYSTEM, open("EUR"), Ok(""));
    let mismatch = Rejection::CurrencyMismatch { shop: "EUR".to_owned() };
    check(&opened, Actor::SYSTEM, open("JPY"), Err(mismatch));
}

#[test]
fn notes_the_secret_and_tells_of_another() {
    let note = |mark: &str| NoteSecret { mark: mark.to_owned() };
    let noted = check(&shop(), Actor::SYSTEM, note("a"), Ok("note secret a"));
    check(&noted, Actor::SYSTEM, note("a"), Ok(""));
    let other = check(&noted, Actor::SYSTEM, note("b"), Ok("note secret b"));
    for (shop, mark, was_another) in [(&shop(), "a", false), (&noted, "a", false), (&other, "a", true)] {
        let context = Context { actor: Actor::SYSTEM, now_us: 0, request_id: "r".into(), source: None };
        let command = note(mark);
        let snapshot = shop.load(&command.keys(&context));
        assert_eq!(command.decide(&snapshot, &context).unwrap().outcome, was_another);
    }
}

#[test]
fn forgets_answers() {
    check(&shop(), Actor::SYSTEM, ForgetAnswers { before_us: 7 }, Ok("forget answers before 7"));
}
