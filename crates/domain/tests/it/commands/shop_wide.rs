//! [`OpenShop`] and [`ForgetAnswers`].

use domain::{Actor, ForgetAnswers, OpenShop, Rejection};

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
fn forgets_answers() {
    check(&shop(), Actor::SYSTEM, ForgetAnswers { before_us: 7 }, Ok("forget answers before 7"));
}
