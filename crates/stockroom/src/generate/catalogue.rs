//! Products and people of a generated shop, each made of the seed and its number alone.

use domain::{CreateProduct, CreateUser, Role};

use super::words::{FAMILY_NAMES, GIVEN_NAMES, MAKERS, REMARKS, THINGS, TRAITS};
use crate::random::Random;

/// A generator for one thing of many: neighbours have nothing in common.
fn own(seed: u64, kind: u64, index: usize) -> Random {
    let index = u64::try_from(index).unwrap_or_default();
    let mut random = Random::new(seed ^ kind.rotate_left(32) ^ index.wrapping_mul(0xd134_2543_de82_ef95));
    random.below(2);
    random
}

/// The product with this index, from 0.
pub(super) fn product(seed: u64, index: usize, opening_stock: i64, threshold: i64) -> CreateProduct {
    let mut random = own(seed, 1, index);
    let number = index + 1;
    let (thing, usual_cents) = THINGS[random.below_index(THINGS.len())];
    let maker = random.pick(&MAKERS, |(_, weight)| *weight).map_or("", |(maker, _)| *maker);
    let peculiarity = TRAITS[random.below_index(TRAITS.len())];
    let remark = REMARKS[random.below_index(REMARKS.len())];
    // From half to twice of what is usual, just below a round number.
    let price_cents = usual_cents * (50 + random.below(150)) / 100 / 100 * 100 + 90;
    CreateProduct {
        sku: Some(format!("{}-{}-{number:06}", initials(thing), initials(peculiarity))),
        name: format!("{maker} {thing}, {peculiarity}"),
        description: format!("{thing} by {maker}, {peculiarity}. {remark}"),
        price_cents,
        low_stock_threshold: threshold,
        opening_stock,
        ..CreateProduct::plain()
    }
}

/// The first three letters that need no folding.
fn initials(words: &str) -> String {
    words
        .chars()
        .filter(char::is_ascii_alphabetic)
        .take(3)
        .map(|letter| letter.to_ascii_uppercase())
        .collect()
}

/// The office comes first: two accounts, called as in the shop that `--demo` makes.
pub(super) const OFFICE: [(&str, &str, Role); 2] =
    [("admin", "Ada Administrator", Role::Admin), ("staff", "Sam Staff", Role::Staff)];

/// The account with this index, from 0.
pub(super) fn account(seed: u64, index: usize, password_hash: &str) -> CreateUser {
    let (username, full_name, role) = match OFFICE.get(index) {
        Some((name, full_name, role)) => ((*name).to_owned(), (*full_name).to_owned(), *role),
        // Somebody whose name can be guessed by who wants to look around.
        None if index == OFFICE.len() => ("alice".to_owned(), "Alice Moreau".to_owned(), Role::Customer),
        None => {
            let mut random = own(seed, 2, index);
            let (given, given_ascii) = GIVEN_NAMES[random.below_index(GIVEN_NAMES.len())];
            let (family, family_ascii) = FAMILY_NAMES[random.below_index(FAMILY_NAMES.len())];
            let username = format!("{given_ascii}.{family_ascii}{}", index + 1);
            (username, format!("{given} {family}"), Role::Customer)
        }
    };
    CreateUser {
        email: Some(format!("{username}@example.com")),
        username,
        full_name: Some(full_name),
        role: Some(role),
        founding: domain::Founding::Nothing,
        by_invitation: false,
        password_hash: password_hash.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use server::wire::values::{Email, FullName, Sku, Username};

    #[test]
    fn everything_made_is_what_the_api_would_take() {
        for index in 0..3_000 {
            let made = product(7, index, 5, 1);
            assert!(Sku::new(made.sku.as_deref().unwrap()).is_ok(), "{:?}", made.sku);
            assert!(
                made.price_cents >= 90 && made.name.len() < 200 && made.name.contains(", "),
                "{}",
                made.name
            );
            let account = account(7, index, "hash");
            assert!(Username::new(&account.username).is_ok(), "{}", account.username);
            assert!(Email::new(account.email.as_deref().unwrap()).is_ok(), "{:?}", account.email);
            assert!(FullName::new(account.full_name.as_deref().unwrap()).is_ok(), "{:?}", account.full_name);
        }
    }
}
