//! Every word reads back as what it was written from, and statuses follow from facts.

use domain::{
    Action, AdjustStock, AllocateAt, ApiKeyId, BeginSession, ChangeOrder, DeleteProduct, ExpireOrders,
    ForgetAnswers, Fulfilment, Goal, LimitWaits, MovementKind, NoteApiKeyUse, NoteSecret, OpenShop, OrderId,
    OrderState, Payment, RestoreProduct, RevokeApiKey, RevokeSessions, Role, SetPassword, Status,
    ToggleProduct, UserId, action_towards,
};

use crate::any::Any;
use crate::commands::api_keys::new_key;
use crate::commands::{APPLE, account, act, amend, edit, order, product};

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

/// The audit log keeps them, so they stay as they are.
#[test]
fn every_command_has_its_word() {
    let (product_id, if_version, user_id, id) = (APPLE, None, UserId(1), ApiKeyId(1));
    let (password_hash, seen_generation) = ("hash".to_owned(), None);
    let commands: [(Any, &str); 20] = [
        (AdjustStock { lines: Vec::new() }.into(), "stock.adjust"),
        (new_key().into(), "api_key.create"),
        (RevokeApiKey { id }.into(), "api_key.revoke"),
        (NoteApiKeyUse { id, at_us: 0 }.into(), "api_key.note_use"),
        (ExpireOrders { order_ids: vec![OrderId(1)] }.into(), "order.expire"),
        (LimitWaits { order_ids: Vec::new(), life_us: 1 }.into(), "order.limit_wait"),
        (OpenShop { currency: "USD".to_owned() }.into(), "shop.open"),
        (NoteSecret { mark: "m".to_owned() }.into(), "shop.note_secret"),
        (ForgetAnswers { before_us: 0 }.into(), "shop.forget_answers"),
        (order(&[]).into(), "order.place"),
        (account("eve", None).into(), "user.create"),
        (amend(1).into(), "user.update"),
        (SetPassword { user_id, seen_generation, password_hash }.into(), "user.set_password"),
        (BeginSession { user_id, seen_generation: 1 }.into(), "user.begin_session"),
        (RevokeSessions { user_id }.into(), "user.end_sessions"),
        (product("FIG", 1, 1).into(), "product.create"),
        (edit(APPLE).into(), "product.update"),
        (ToggleProduct { product_id, if_version }.into(), "product.toggle"),
        (DeleteProduct { product_id, if_version }.into(), "product.delete"),
        (RestoreProduct { product_id, if_version }.into(), "product.restore"),
    ];
    for (command, word) in commands {
        assert_eq!(command.word(), word, "{}", command.name());
    }
    for action in Action::ALL {
        assert_eq!(Any::from(act(1, *action)).word(), format!("order.{}", action.word()));
    }
    let reach = |status| ChangeOrder { goal: Goal::Reach(status), ..act(1, Action::Pay) };
    assert_eq!(Any::from(reach(Status::Shipped)).word(), "order.ship");
    assert_eq!(Any::from(reach(Status::Pending)).word(), "order.change");
}
