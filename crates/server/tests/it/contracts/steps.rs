//! Random requests as plain data: small spaces of products, orders and numbers, so that conflicts are frequent.

use domain::Action;

use crate::random_requests::Dice;

/// Whose tongue a request speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Contract {
    Canonical,
    Orderflow,
    MiniOrder,
    Leafcraft,
    Inventory,
}

impl Contract {
    pub(super) const ALL: [Self; 5] =
        [Self::Canonical, Self::Orderflow, Self::MiniOrder, Self::Leafcraft, Self::Inventory];

    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Canonical => "/api/v1",
            Self::Orderflow => "/compat/orderflow",
            Self::MiniOrder => "/compat/mini-order",
            Self::Leafcraft => "/compat/leafcraft",
            Self::Inventory => "/compat/inventory",
        }
    }
}

/// Who calls; the accounts in the order in which they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Stranger,
    Admin,
    Staff,
    Ann,
    Bob,
}

impl Who {
    pub(super) const ALL: [Self; 5] = [Self::Stranger, Self::Admin, Self::Staff, Self::Ann, Self::Bob];

    /// The number of the account; 0 for the stranger.
    pub(super) const fn id(self) -> i64 {
        self as i64
    }
}

/// What is asked. Products and orders are counted back from the newest, 0 being one that is not there yet.
#[derive(Debug, Clone)]
pub(super) enum What {
    Create {
        name: &'static str,
        price: i64,
        stock: i64,
        low: i64,
        active: bool,
        auto: bool,
    },
    Edit {
        product: i64,
        edit: Edit,
    },
    Toggle(i64),
    Delete(i64),
    Restore(i64),
    Increment(i64, i64),
    Decrement(i64, i64),
    Count(i64, i64),
    Place {
        lines: Vec<(i64, i64)>,
        owner: Option<Who>,
        late: Option<bool>,
        start: &'static str,
    },
    Act(Action, i64),
    ReadProduct(i64),
    ReadOrder(i64),
    ListProducts,
    ListLow,
    ListOrders,
    /// The same once more as some request before that had a key.
    Again(usize),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Edit {
    pub(super) name: Option<&'static str>,
    pub(super) price: Option<i64>,
    pub(super) stock: Option<i64>,
    pub(super) low: Option<i64>,
    pub(super) active: Option<bool>,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) contract: Contract,
    pub(super) who: Who,
    pub(super) what: What,
    /// With an `Idempotency-Key`.
    pub(super) keyed: bool,
    /// With a slash at the end of the path, if it has none otherwise, and without it where it has one.
    pub(super) slash: bool,
    /// Which method, where an operation answers to several.
    pub(super) verb: usize,
}

const NAMES: [&str; 12] =
    ["apple", "Apple", "äpple", "a'pple", "pear", "fig", "quince", "plum", "kiwi", "lime", "date", "sloe"];

const STARTS: [&str; 6] = ["pending", "pending", "pending", "pending", "confirmed", "paid"];

fn product(dice: &mut Dice) -> i64 {
    if dice.percent(4) { 0 } else { 1 + dice.number(6) }
}

fn order(dice: &mut Dice) -> i64 {
    if dice.percent(10) { 0 } else { 1 + dice.number(6) }
}

fn name(dice: &mut Dice) -> &'static str {
    if dice.percent(4) { "" } else { NAMES[dice.below(NAMES.len())] }
}

fn price(dice: &mut Dice) -> i64 {
    if dice.percent(30) { 100 * dice.number(90) } else { dice.number(9_000) }
}

/// Pieces, rarely an impossible number of them.
fn pieces(dice: &mut Dice, usual: usize) -> i64 {
    if dice.percent(5) { -1 } else { dice.number(usual) }
}

fn maybe<T>(dice: &mut Dice, percent: usize, make: impl FnOnce(&mut Dice) -> T) -> Option<T> {
    dice.percent(percent).then(|| make(dice))
}

fn place(dice: &mut Dice, contract: Contract) -> What {
    let most = if contract == Contract::Orderflow { 1 } else { *dice.pick(&[1, 1, 2, 3, 4]) };
    let count = if most > 1 && dice.percent(4) { 0 } else { most };
    let line = |dice: &mut Dice| (product(dice), if dice.percent(3) { 0 } else { 1 + dice.number(4) });
    let lines = (0..count).map(|_| line(dice)).collect();
    if contract != Contract::Canonical {
        return What::Place { lines, owner: None, late: None, start: "pending" };
    }
    What::Place {
        lines,
        owner: maybe(dice, 20, |dice| Who::ALL[1 + dice.below(4)]),
        late: maybe(dice, 40, |dice| dice.percent(50)),
        start: STARTS[dice.below(STARTS.len())],
    }
}

fn edit(dice: &mut Dice) -> What {
    let edit = Edit {
        name: maybe(dice, 25, name),
        price: maybe(dice, 30, price),
        stock: maybe(dice, 45, |dice| pieces(dice, 12)),
        low: maybe(dice, 20, |dice| dice.number(5)),
        active: maybe(dice, 40, |dice| dice.percent(80)),
    };
    What::Edit { product: product(dice), edit }
}

fn create(dice: &mut Dice) -> What {
    What::Create {
        name: name(dice),
        price: price(dice),
        stock: pieces(dice, 20),
        low: dice.number(5),
        active: dice.percent(90),
        auto: dice.percent(30),
    }
}

/// What one contract or another can be asked; each is tried until one fits.
fn what(dice: &mut Dice, contract: Contract) -> What {
    use Contract as C;
    loop {
        let (known, what): (&[C], What) = match dice.below(100) {
            0..3 => (&C::ALL, create(dice)),
            3..15 => (&[C::Canonical, C::Orderflow, C::MiniOrder, C::Inventory], edit(dice)),
            15..18 => (&[C::Canonical, C::Orderflow], What::Toggle(product(dice))),
            18..20 => (&[C::Canonical, C::Inventory], What::Delete(product(dice))),
            20..22 => (&[C::Canonical], What::Restore(product(dice))),
            22..31 => (&[C::Canonical, C::Inventory], What::Increment(product(dice), pieces(dice, 9))),
            31..36 => (&[C::Canonical, C::Inventory], What::Decrement(product(dice), pieces(dice, 5))),
            36..38 => (&[C::Canonical], What::Count(product(dice), dice.number(15))),
            38..70 => (&[C::Canonical, C::Orderflow, C::MiniOrder, C::Leafcraft], place(dice, contract)),
            70..73 => (&[C::Canonical, C::MiniOrder, C::Leafcraft], What::Act(Action::Cancel, order(dice))),
            73..77 => (&[C::Canonical, C::MiniOrder, C::Leafcraft], What::Act(Action::Confirm, order(dice))),
            77..80 => {
                let action = *dice.pick(&[Action::Pay, Action::Ship, Action::Deliver]);
                (&[C::Canonical], What::Act(action, order(dice)))
            }
            80..83 => (&[C::Canonical, C::Orderflow, C::Inventory], What::ReadProduct(product(dice))),
            83..86 => (&[C::Canonical, C::Orderflow], What::ReadOrder(order(dice))),
            86..89 => (&C::ALL, What::ListProducts),
            89 => (&[C::Canonical, C::Inventory], What::ListLow),
            90..93 => (&[C::Canonical, C::Orderflow, C::MiniOrder, C::Leafcraft], What::ListOrders),
            93..95 => (&[C::Leafcraft], create(dice)),
            _ => (&C::ALL, What::Again(dice.below(1_000))),
        };
        if known.contains(&contract) {
            return what;
        }
    }
}

/// What somebody does about the order that has just been placed, or about one that they take for it.
fn follow_up(dice: &mut Dice, placed: &Step) -> Step {
    use Contract as C;
    let contract = match placed.contract {
        C::Orderflow | C::Inventory => *dice.pick(&[C::Canonical, C::MiniOrder, C::Leafcraft]),
        own if dice.percent(70) => own,
        _ => *dice.pick(&[C::Canonical, C::MiniOrder, C::Leafcraft]),
    };
    let who = if dice.percent(50) { placed.who } else { *dice.pick(&Who::ALL) };
    let action = match contract {
        C::Canonical => *dice.pick(Action::ALL),
        _ => *dice.pick(&[Action::Confirm, Action::Confirm, Action::Cancel]),
    };
    let which = if dice.percent(20) { order(dice) } else { 1 + dice.number(2) };
    let what = What::Act(action, which);
    Step { contract, who, what, keyed: dice.percent(20), slash: false, verb: dice.below(3) }
}

/// A play of so many requests, a pure function of the seed.
pub(super) fn steps(seed: u64, count: usize) -> Vec<Step> {
    let mut dice = Dice(seed);
    let mut steps: Vec<Step> = Vec::new();
    while steps.len() < count {
        if let Some(placed) = steps.last()
            && matches!(placed.what, What::Place { .. } | What::Act(..))
            && dice.percent(40)
        {
            let next = follow_up(&mut dice, placed);
            steps.push(next);
            continue;
        }
        // Only one of them sells all the way to the door.
        let contract = if dice.percent(15) { Contract::Canonical } else { *dice.pick(&Contract::ALL) };
        let mut who = *dice.pick(&[Who::Stranger, Who::Admin, Who::Admin, Who::Staff, Who::Ann, Who::Bob]);
        let mut what = what(&mut dice, contract);
        if steps.len() < 6 {
            // Nothing comes of an empty shop.
            (who, what) = (Who::Admin, create(&mut dice));
        }
        let (keyed, slash) = (dice.percent(20), dice.percent(20));
        steps.push(Step { contract, who, what, keyed, slash, verb: dice.below(3) });
    }
    steps
}
