//! What a machine's key must be good for to get so far. A person's token is good for everything that their role permits.

use domain::Scope;

/// A set of scopes, all of which are needed. Part of an extractor's type, so that none goes without.
pub type Need = u8;

/// To look at products, stock, orders and events.
pub const READ: Need = 1;
/// To place orders and move them along.
pub const ORDERS: Need = 1 << 1;
/// To change stock levels.
pub const STOCK: Need = 1 << 2;
/// To edit products.
pub const CATALOGUE: Need = 1 << 3;
/// To look at and edit accounts, and to look at the audit log.
pub const USERS: Need = 1 << 4;
/// What no key is good for: keys, passwords and sessions are managed by people.
pub const PERSON: Need = 1 << 7;

/// What a token of a person is good for.
pub(super) const EVERYTHING: Need = Need::MAX;

/// What a key with these scopes is good for.
pub(super) fn of_key(scopes: &[Scope]) -> Need {
    scopes.iter().fold(0, |all, scope| all | bit(*scope))
}

const fn bit(scope: Scope) -> Need {
    match scope {
        Scope::Read => READ,
        Scope::Orders => ORDERS,
        Scope::Stock => STOCK,
        Scope::Catalogue => CATALOGUE,
        Scope::Users => USERS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_is_one_bit_and_none_makes_a_person() {
        assert_eq!(Scope::ALL.iter().fold(0, |all, scope| all + bit(*scope)), of_key(Scope::ALL));
        assert!(Scope::ALL.iter().all(|scope| bit(*scope).is_power_of_two()));
        assert_eq!((of_key(Scope::ALL) & PERSON, of_key(&[]), EVERYTHING & PERSON), (0, 0, PERSON));
    }
}
