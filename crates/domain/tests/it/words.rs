//! Every word reads back as what it was written from, and statuses follow from facts.

use domain::{
    Action, AllocateAt, Fulfilment, MovementKind, OrderState, Payment, Role, Status, action_towards,
};

#[test]
fn words_read_back() {
    macro_rules! check {
        ($($set:ident: $words:expr),+ $(,)?) => {$(
            let words: Vec<_> = $set::ALL.iter().map(|word| word.word()).collect();
            assert_eq!(words, $words);
            for word in $set::ALL {
                assert_eq!($set::from_word(word.word()), Some(*word));
                assert_eq!($set::from_word(&word.word().to_uppercase()), None);
            }
            assert_eq!($set::from_word(""), None);
        )+};
    }
    check! {
        Role: ["customer", "staff", "admin"],
        AllocateAt: ["creation", "confirmation"],
        OrderState: ["pending", "confirmed", "completed", "cancelled"],
        Payment: ["unpaid", "paid"],
        Fulfilment: ["unfulfilled", "shipped", "delivered"],
        Status: ["pending", "confirmed", "paid", "shipped", "delivered", "cancelled"],
        Action: ["confirm", "pay", "ship", "deliver", "cancel"],
        MovementKind:
            ["opening", "received", "removed", "counted", "allocated", "released", "shipped", "erased"],
    }
}

/// All 24 combinations of facts, also those that no order reaches.
#[test]
fn the_status_follows_from_the_facts() {
    for state in OrderState::ALL {
        for payment in Payment::ALL {
            for fulfilment in Fulfilment::ALL {
                let expected = match (state.word(), fulfilment.word(), payment.word()) {
                    ("cancelled", _, _) => "cancelled",
                    (_, "delivered", _) => "delivered",
                    (_, "shipped", _) => "shipped",
                    (_, _, "paid") => "paid",
                    ("pending", ..) => "pending",
                    _ => "confirmed",
                };
                assert_eq!(Status::of(*state, *payment, *fulfilment).word(), expected);
            }
        }
    }
}

#[test]
fn every_status_but_the_first_has_its_action() {
    let actions = Status::ALL.iter().map(|status| action_towards(*status));
    let expected = [None, Some("confirm"), Some("pay"), Some("ship"), Some("deliver"), Some("cancel")];
    assert!(actions.map(|action| action.map(Action::word)).eq(expected));
}
