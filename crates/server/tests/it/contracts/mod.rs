//! Random requests through all five contracts at once, judged by the naive model that judges the rules.
//!
//! Every answer must be the one that the model expects, in the words of the contract that was asked; now and then, and
//! at the end, every list of every contract shows the same shop, and the books add up. A play that fails is made as
//! short as it gets before it is told.

mod asks;
mod lists;
#[path = "../../../../domain/tests/plays/auditor/model.rs"]
mod model;
#[path = "../../../../domain/tests/plays/auditor/people.rs"]
mod people;
mod referee;
mod shows;
mod steps;
mod words;

use std::fmt::Write as _;

use domain::{AllocateAt, CreateProduct, PlaceOrder, Role, UpdateProduct};
use server::settings::Settings;

use self::asks::Ask;
use self::model::Model;
use self::referee::{Referee, Tally};
use self::steps::{Contract, Step, steps};
use crate::any::Any;
use crate::harness::TestApp;

/// Requests of a play.
const STEPS: usize = 1_000;

/// After so many of them everything is compared.
const LISTED_EVERY: usize = 250;

/// Most plays that are tried to make one that failed shorter.
const TRIALS: usize = 100;

/// A model that is wrong on purpose. Each must be caught, or this would be a decoration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    ArchivedAreShown,
    CancelGivesTooMuch,
    CountsAreOnHand,
    ForeignOrdersAreHidden,
    LeafcraftTakesAtCreation,
    MoneyOff,
    NamesAreFree,
    NothingIsDeactivated,
    OwnersConfirmNothing,
    RepetitionsCount,
    SoldOutStays,
}

impl Wrong {
    const ALL: [Self; 11] = [
        Self::ArchivedAreShown,
        Self::CancelGivesTooMuch,
        Self::CountsAreOnHand,
        Self::ForeignOrdersAreHidden,
        Self::LeafcraftTakesAtCreation,
        Self::MoneyOff,
        Self::NamesAreFree,
        Self::NothingIsDeactivated,
        Self::OwnersConfirmNothing,
        Self::RepetitionsCount,
        Self::SoldOutStays,
    ];

    /// Has the model play something else than what was asked.
    fn spoil(self, ask: &Ask, command: &mut Any, model: &mut Model) {
        match (self, command) {
            (Self::CountsAreOnHand, Any::UpdateProduct(UpdateProduct { available, product_id, .. })) => {
                let held = model.held(product_id.0);
                *available = available.map(|count| (count - held).max(0));
            }
            (Self::ForeignOrdersAreHidden, Any::ChangeOrder(change)) => change.customs.admits_foreign = false,
            (Self::LeafcraftTakesAtCreation, Any::PlaceOrder(PlaceOrder { allocate_at, .. }))
                if ask.contract == Contract::Leafcraft =>
            {
                *allocate_at = AllocateAt::Creation;
            }
            (Self::ArchivedAreShown, Any::PlaceOrder(order)) => order.customs.hides_archived = false,
            (Self::SoldOutStays, Any::PlaceOrder(order)) => order.customs.deactivates_sold_out = false,
            (Self::NamesAreFree, Any::CreateProduct(CreateProduct { unique_name, .. })) => {
                *unique_name = false;
            }
            (Self::NothingIsDeactivated, Any::CreateProduct(create)) => create.auto_deactivate = false,
            (Self::OwnersConfirmNothing, Any::ChangeOrder(change)) => change.customs.owner_confirms = false,
            _ => {}
        }
    }
}

/// Plays the steps in a shop of their own: how often what was answered, or after how many steps what was wrong.
async fn play(settings: &Settings, steps: &[Step], wrong: Option<Wrong>) -> Result<Tally, (usize, String)> {
    let app = TestApp::start_with(settings.clone()).await;
    let mut referee = Referee::new(&app, wrong).await;
    for (played, step) in (1..).zip(steps) {
        referee.step(step).await.map_err(|fault| (played, fault))?;
        if played % LISTED_EVERY == 0 {
            referee.all_lists().await.map_err(|fault| (played, fault))?;
        }
    }
    referee.all_lists().await.map_err(|fault| (steps.len(), fault))?;
    Ok(referee.tally)
}

/// Leaves out whatever is not needed for the play to fail, in ever smaller pieces.
async fn shortest(
    settings: &Settings,
    mut steps: Vec<Step>,
    mut fault: String,
    wrong: Option<Wrong>,
) -> (Vec<Step>, String) {
    let mut piece = steps.len().div_ceil(2);
    let mut trials = 0;
    while piece > 0 && trials < TRIALS {
        let mut start = 0;
        let mut shorter = false;
        while start < steps.len() && trials < TRIALS {
            let end = (start + piece).min(steps.len());
            let trial = [&steps[..start], &steps[end..]].concat();
            trials += 1;
            match play(settings, &trial, wrong).await {
                Ok(_) => start = end,
                Err((played, told)) => {
                    (steps, fault, shorter) = (trial, told, true);
                    steps.truncate(played);
                }
            }
        }
        piece = if shorter { piece.min(steps.len()) } else { piece / 2 };
    }
    (steps, fault)
}

/// The shops that are played in: who a stranger is, when orders take their stock, and in which currency.
fn shops() -> [(u64, Settings); 4] {
    let shop = |anonymous_role, allocate_at, currency: &str| Settings {
        anonymous_role,
        allocate_at,
        currency: currency.to_owned(),
        ..Settings::default()
    };
    [
        (1, shop(None, AllocateAt::Creation, "USD")),
        (2, shop(Some(Role::Customer), AllocateAt::Creation, "USD")),
        (3, shop(Some(Role::Staff), AllocateAt::Confirmation, "JPY")),
        (4, shop(Some(Role::Admin), AllocateAt::Creation, "BHD")),
    ]
}

/// What a play must have met in each contract, or it proves nothing about that.
#[rustfmt::skip]
const REACHED: &[(Contract, &str, &[u16])] = &[
    (Contract::Canonical, "place", &[201, 400, 403, 404, 409]),
    (Contract::Canonical, "confirm", &[200, 403, 409]),
    (Contract::Canonical, "cancel", &[200, 404]),
    (Contract::Canonical, "ship", &[200, 409]),
    (Contract::Canonical, "restore", &[200, 403]),
    (Contract::Canonical, "delete", &[200, 403]),
    (Contract::Canonical, "increment", &[200, 409]),
    (Contract::Orderflow, "create", &[201, 403]),
    (Contract::Orderflow, "edit", &[200, 404, 422]),
    (Contract::Orderflow, "toggle", &[200, 404]),
    (Contract::Orderflow, "place", &[201, 400, 404, 422]),
    (Contract::Orderflow, "read order", &[200, 404]),
    (Contract::MiniOrder, "create", &[201, 403]),
    (Contract::MiniOrder, "edit", &[200, 404]),
    (Contract::MiniOrder, "place", &[201, 400, 404, 422]),
    (Contract::MiniOrder, "confirm", &[200, 400, 403]),
    (Contract::MiniOrder, "cancel", &[200, 400, 403, 404]),
    (Contract::Leafcraft, "create", &[201, 400, 403]),
    (Contract::Leafcraft, "place", &[201, 400, 422]),
    (Contract::Leafcraft, "confirm", &[200, 400, 403]),
    (Contract::Leafcraft, "cancel", &[200, 400]),
    (Contract::Inventory, "create", &[200, 403]),
    (Contract::Inventory, "edit", &[200, 404]),
    (Contract::Inventory, "delete", &[204, 404]),
    (Contract::Inventory, "increment", &[200, 400, 404]),
    (Contract::Inventory, "decrement", &[200, 400, 404]),
];

#[tokio::test(flavor = "multi_thread")]
async fn all_contracts_show_the_shop_of_the_model() {
    let mut tally = Tally::new();
    for (seed, settings) in shops() {
        let mut steps = steps(seed, STEPS);
        match play(&settings, &steps, None).await {
            Ok(met) => met.into_iter().for_each(|(key, count)| *tally.entry(key).or_default() += count),
            Err((played, fault)) => {
                steps.truncate(played);
                let (steps, fault) = shortest(&settings, steps, fault, None).await;
                let told = steps.iter().fold(String::new(), |mut told, step| {
                    writeln!(told, "  {step:?}").unwrap();
                    told
                });
                panic!("seed {seed}: {fault}\nafter\n{told}");
            }
        }
    }
    println!("{tally:?}");
    for contract in Contract::ALL {
        assert!(tally.contains_key(&(contract, "again", 422)), "{contract:?}: nothing was repeated");
    }
    for (contract, kind, statuses) in REACHED {
        for status in *statuses {
            let reached = tally.contains_key(&(*contract, *kind, *status));
            assert!(reached, "never reached: {contract:?} {kind} {status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_models_are_caught() {
    for wrong in Wrong::ALL {
        let mut caught = false;
        for (seed, settings) in shops() {
            if let Err((played, fault)) = play(&settings, &steps(seed, STEPS), Some(wrong)).await {
                println!(
                    "{wrong:?}, step {played} of play {seed}: {}",
                    fault.lines().next().unwrap_or_default()
                );
                caught = true;
                break;
            }
        }
        assert!(caught, "{wrong:?} was not caught");
    }
}

/// The play that is told of has nothing in it that is not needed.
#[tokio::test(flavor = "multi_thread")]
async fn a_play_that_fails_is_made_short() {
    let [(seed, settings), ..] = shops();
    let steps = steps(seed, STEPS);
    let wrong = Some(Wrong::MoneyOff);
    let (played, fault) = play(&settings, &steps, wrong).await.unwrap_err();
    let (short, _) = shortest(&settings, steps[..played].to_vec(), fault, wrong).await;
    // A stock with a price, and nothing else.
    assert_eq!(short.len(), 1, "{short:#?}");
    assert_eq!(short[0].contract, Contract::Orderflow);
}
