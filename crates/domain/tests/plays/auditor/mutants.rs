//! Rules that are wrong on purpose. Each must be caught, or the auditor would be a decoration.

use domain::{
    Change, ChangeOrder, Context, CreateProduct, CreateUser, Customs, Effects, Event, Founding, Goal,
    MAX_ORDER_LINES, MovementKind, OrderState, PlaceOrder, Rejection, Role, Snapshot, UpdateProduct,
};

use super::{Rules, run};
use crate::any::{Any, Shown, Verdict};

/// Declares wrong rules that spoil the effects of right ones.
macro_rules! spoil {
    ($($name:ident: |$effects:ident, $snapshot:ident| $spoil:block)+) => {$(
        fn $name(command: &Any, $snapshot: &Snapshot, context: &Context) -> Result<Verdict, Rejection> {
            let mut verdict = command.decide($snapshot, context)?;
            let $effects = &mut verdict.effects;
            $spoil
            Ok(verdict)
        }
    )+};
}

fn drop_movement(effects: &mut Effects, kind: MovementKind) {
    effects.movements.retain(|movement| movement.kind != kind);
}

spoil! {
    received_goods_leave_no_ledger_line: |effects, _snapshot| { drop_movement(effects, MovementKind::Received); }
    erased_stock_leaves_no_ledger_line: |effects, _snapshot| { drop_movement(effects, MovementKind::Erased); }
    cancelling_releases_twice: |effects, _snapshot| {
        for movement in effects.movements.iter_mut().filter(|it| it.kind == MovementKind::Released) {
            let again = movement.allocated_after.min(-movement.allocated_delta);
            movement.allocated_delta -= again;
            movement.allocated_after -= again;
            for change in &mut effects.changes {
                if let Change::PutLevel(level) = change && level.product_id == movement.product_id {
                    level.allocated -= again;
                }
            }
        }
    }
    cancelled_orders_keep_their_hold: |effects, snapshot| {
        for change in &mut effects.changes {
            let Change::PutOrder(order) = change else { continue };
            if order.state == OrderState::Cancelled && let Some(before) = snapshot.order(order.id) {
                order.items.clone_from(&before.items);
            }
        }
    }
    roles_change_and_sessions_stay: |effects, snapshot| {
        for change in &mut effects.changes {
            let Change::PutUser(user) = change else { continue };
            // A new one has no sessions yet.
            if user.version == 1 {
                continue;
            }
            if let Some(before) = snapshot.user(user.id) && before.role != user.role {
                user.token_generation = before.token_generation;
            }
        }
    }
    shipping_leaves_the_goods_on_hand: |effects, _snapshot| {
        let shipped = effects.movements.iter_mut().filter(|it| it.kind == MovementKind::Shipped);
        let mut back = 0;
        for movement in shipped {
            back = -movement.on_hand_delta;
            movement.on_hand_delta = 0;
            movement.on_hand_after += back;
        }
        for change in &mut effects.changes {
            if let Change::PutLevel(level) = change { level.on_hand += back; }
        }
    }
    ledger_line_ends_elsewhere: |effects, _snapshot| {
        if let Some(movement) = effects.movements.last_mut() { movement.on_hand_after += 1; }
    }
    order_numbers_have_gaps: |effects, snapshot| {
        for change in &mut effects.changes {
            if let Change::PutOrder(order) = change && order.id.0 == snapshot.next.order { order.id.0 += 1; }
        }
    }
    versions_stand_still: |effects, _snapshot| {
        for change in &mut effects.changes {
            if let Change::PutOrder(order) = change { order.version = 1; }
        }
    }
    low_stock_goes_unnoticed: |effects, _snapshot| {
        effects.events.retain(|it| !matches!(it.event, Event::StockRanLow { .. }));
    }
    last_piece_deactivates_nothing: |effects, _snapshot| {
        let is_automatic = |event: &Event| matches!(event, Event::ProductDeactivated { automatic: true, .. });
        if effects.events.iter().any(|it| is_automatic(&it.event)) {
            effects.events.retain(|it| !is_automatic(&it.event));
            effects.changes.retain(|change| !matches!(change, Change::PutProduct(_)));
        }
    }
    events_are_signed_by_nobody: |effects, _snapshot| {
        effects.events.iter_mut().for_each(|it| it.actor_id = None);
    }
}

/// Lines of one product stay apart.
fn lines_are_not_merged(command: &Any, snapshot: &Snapshot, context: &Context) -> Result<Verdict, Rejection> {
    let mut verdict = command.decide(snapshot, context)?;
    let Any::PlaceOrder(PlaceOrder { lines, .. }) = command else { return Ok(verdict) };
    for change in &mut verdict.effects.changes {
        let Change::PutOrder(order) = change else { continue };
        let merged = std::mem::take(&mut order.items);
        for (line, id) in lines.iter().zip(snapshot.next.item..) {
            let Some(item) = merged.iter().find(|item| item.product_id == line.product_id) else { continue };
            let mut item = item.clone();
            (item.id.0, item.quantity) = (id, line.quantity);
            item.allocated = item.allocated.min(line.quantity);
            order.items.push(item);
        }
        verdict.shown = vec![Shown::Order { order: order.clone(), user_name: name(&verdict.shown) }];
    }
    Ok(verdict)
}

fn name(shown: &[Shown]) -> Option<String> {
    shown.iter().find_map(|row| match row {
        Shown::Order { user_name, .. } => user_name.clone(),
        _ => None,
    })
}

/// Each line is checked against the stock alone, as if lines of one product had nothing to do with one another.
fn only_the_first_line_counts(
    command: &Any,
    snapshot: &Snapshot,
    context: &Context,
) -> Result<Verdict, Rejection> {
    let Any::PlaceOrder(order) = command else { return command.decide(snapshot, context) };
    let mut order = order.clone();
    if order.lines.len() <= MAX_ORDER_LINES {
        order.lines.truncate(1);
    }
    Any::from(order).decide(snapshot, context)
}

/// One more piece is sold than there is.
fn stock_is_oversold(command: &Any, snapshot: &Snapshot, context: &Context) -> Result<Verdict, Rejection> {
    let mut snapshot = snapshot.clone();
    if matches!(command, Any::PlaceOrder(_)) {
        snapshot.levels.values_mut().flatten().for_each(|level| level.on_hand += 1);
    }
    command.decide(&snapshot, context)
}

/// A name is as good as any other.
fn names_are_not_compared(
    command: &Any,
    snapshot: &Snapshot,
    context: &Context,
) -> Result<Verdict, Rejection> {
    let Any::CreateProduct(create) = command else { return command.decide(snapshot, context) };
    Any::from(CreateProduct { unique_name: false, ..create.clone() }).decide(snapshot, context)
}

/// What is available is taken for what is on hand.
fn counts_forget_what_orders_hold(
    command: &Any,
    snapshot: &Snapshot,
    context: &Context,
) -> Result<Verdict, Rejection> {
    let Any::UpdateProduct(update) = command else { return command.decide(snapshot, context) };
    let held = snapshot.level(update.product_id).map_or(0, |level| level.allocated);
    let available = update.available.map(|available| (available - held).max(0));
    Any::from(UpdateProduct { available, ..update.clone() }).decide(snapshot, context)
}

/// What one contract allows, all do.
fn customs_are_everybodys(
    command: &Any,
    snapshot: &Snapshot,
    context: &Context,
) -> Result<Verdict, Rejection> {
    let Any::ChangeOrder(change) = command else { return command.decide(snapshot, context) };
    let customs = Customs { owner_confirms: true, ..change.customs };
    Any::from(ChangeOrder { customs, ..change.clone() }).decide(snapshot, context)
}

/// What is over can still be confirmed and paid, as long as nobody has swept it away.
fn time_stands_still(command: &Any, snapshot: &Snapshot, context: &Context) -> Result<Verdict, Rejection> {
    let mut snapshot = snapshot.clone();
    if matches!(command, Any::ChangeOrder(ChangeOrder { goal: Goal::Act(_), .. })) {
        snapshot.orders.values_mut().flatten().for_each(|order| order.expires_at_us = None);
    }
    command.decide(&snapshot, context)
}

/// Whatever is named has expired, as long as it is pending.
fn sweeping_ignores_the_time(
    command: &Any,
    snapshot: &Snapshot,
    context: &Context,
) -> Result<Verdict, Rejection> {
    let mut snapshot = snapshot.clone();
    if matches!(command, Any::ExpireOrders(_)) {
        snapshot.orders.values_mut().flatten().for_each(|order| order.expires_at_us = Some(0));
    }
    command.decide(&snapshot, context)
}

/// Whatever is named has expired, for it had when somebody looked.
fn sweeping_ignores_the_state(
    command: &Any,
    snapshot: &Snapshot,
    context: &Context,
) -> Result<Verdict, Rejection> {
    let mut snapshot = snapshot.clone();
    if matches!(command, Any::ExpireOrders(_)) {
        for order in snapshot.orders.values_mut().flatten() {
            (order.state, order.expires_at_us) = (OrderState::Pending, Some(0));
        }
    }
    command.decide(&snapshot, context)
}

/// Whatever is named gets an end, for it had none when somebody looked.
fn ends_are_given_unseen(
    command: &Any,
    snapshot: &Snapshot,
    context: &Context,
) -> Result<Verdict, Rejection> {
    let mut snapshot = snapshot.clone();
    if matches!(command, Any::LimitWaits(_)) {
        for order in snapshot.orders.values_mut().flatten() {
            (order.state, order.expires_at_us) = (OrderState::Pending, None);
        }
    }
    command.decide(&snapshot, context)
}

/// The time counts from when the order was placed: whoever has waited for long is out at once.
fn ends_count_from_the_beginning(
    command: &Any,
    snapshot: &Snapshot,
    context: &Context,
) -> Result<Verdict, Rejection> {
    let mut verdict = command.decide(snapshot, context)?;
    if let Any::LimitWaits(limit) = command {
        for change in &mut verdict.effects.changes {
            let Change::PutOrder(order) = change else { continue };
            order.expires_at_us = Some(order.placed_at_us + limit.life_us);
        }
    }
    Ok(verdict)
}

/// One order more than the shop allows.
fn the_order_itself_is_not_counted(
    command: &Any,
    snapshot: &Snapshot,
    context: &Context,
) -> Result<Verdict, Rejection> {
    let Any::PlaceOrder(order) = command else { return command.decide(snapshot, context) };
    let mut order = order.clone();
    order.terms.max_open_orders = order.terms.max_open_orders.map(|most| most + 1);
    Any::from(order).decide(snapshot, context)
}

/// The limits bind whoever places the order.
fn staff_are_limited(command: &Any, snapshot: &Snapshot, context: &Context) -> Result<Verdict, Rejection> {
    if let Any::PlaceOrder(order) = command
        && order.terms.max_open_orders == Some(1)
        && context.actor.is_staff()
    {
        return Err(Rejection::TooManyOpenOrders { user_id: domain::UserId(1), limit: 1, open: 1 });
    }
    command.decide(snapshot, context)
}

/// Customers do what staff do.
fn customers_are_staff(command: &Any, snapshot: &Snapshot, context: &Context) -> Result<Verdict, Rejection> {
    let mut context = context.clone();
    if context.actor.role == Role::Customer {
        context.actor.role = Role::Staff;
    }
    command.decide(snapshot, &context)
}

/// The first account is in charge of the shop, whoever makes it.
fn whoever_comes_first_is_in_charge(
    command: &Any,
    snapshot: &Snapshot,
    context: &Context,
) -> Result<Verdict, Rejection> {
    let Any::CreateUser(create) = command else { return command.decide(snapshot, context) };
    let founding = match create.founding {
        Founding::Nothing if snapshot.census().users == 0 => Founding::FirstAccount,
        shown => shown,
    };
    Any::from(CreateUser { founding, ..create.clone() }).decide(snapshot, context)
}

/// The code makes administrators without end.
fn the_code_is_good_for_ever(
    command: &Any,
    snapshot: &Snapshot,
    context: &Context,
) -> Result<Verdict, Rejection> {
    let mut context = context.clone();
    if matches!(command, Any::CreateUser(create) if create.founding == Founding::Code) {
        context.actor.role = Role::Admin;
    }
    command.decide(snapshot, &context)
}

/// A closed shop takes anybody.
fn closed_shops_are_open(
    command: &Any,
    snapshot: &Snapshot,
    context: &Context,
) -> Result<Verdict, Rejection> {
    let Any::CreateUser(create) = command else { return command.decide(snapshot, context) };
    Any::from(CreateUser { by_invitation: false, ..create.clone() }).decide(snapshot, context)
}

/// Whoever knew the password once begins a session, though somebody has ended that.
fn sessions_begin_unseen(
    command: &Any,
    snapshot: &Snapshot,
    context: &Context,
) -> Result<Verdict, Rejection> {
    let mut snapshot = snapshot.clone();
    if let Any::BeginSession(begin) = command {
        for user in snapshot.users.values_mut().flatten() {
            (user.is_active, user.token_generation) = (true, begin.seen_generation);
        }
    }
    command.decide(&snapshot, context)
}

/// Refuses for the wrong reason.
fn orders_are_confused_with_users(
    command: &Any,
    snapshot: &Snapshot,
    context: &Context,
) -> Result<Verdict, Rejection> {
    command.decide(snapshot, context).map_err(|rejection| match rejection {
        Rejection::OrderNotFound(id) => Rejection::UserNotFound(domain::UserId(id.0)),
        other => other,
    })
}

/// The answer shows something that is not stored.
fn answers_lie(command: &Any, snapshot: &Snapshot, context: &Context) -> Result<Verdict, Rejection> {
    let mut verdict = command.decide(snapshot, context)?;
    for row in &mut verdict.shown {
        if let Shown::Product(product) = row {
            product.level.on_hand += 1;
        }
    }
    Ok(verdict)
}

/// Commands look at what they did not ask for, in the one way that works: the batch happens to have loaded it.
fn neighbours_in_the_batch_matter(
    command: &Any,
    snapshot: &Snapshot,
    context: &Context,
) -> Result<Verdict, Rejection> {
    if matches!(command, Any::PlaceOrder(_)) && snapshot.orders.len() > 1 {
        return Err(Rejection::NoLines);
    }
    command.decide(snapshot, context)
}

#[test]
fn wrong_rules_are_caught() {
    let mutants: &[(Rules, &str)] = &[
        (received_goods_leave_no_ledger_line, "no ledger line"),
        (erased_stock_leaves_no_ledger_line, "no ledger line"),
        (cancelling_releases_twice, "orders hold"),
        (cancelled_orders_keep_their_hold, "stored"),
        (shipping_leaves_the_goods_on_hand, "held and"),
        (ledger_line_ends_elsewhere, "does not end at"),
        (order_numbers_have_gaps, "is next"),
        (versions_stand_still, "version 1"),
        (low_stock_goes_unnoticed, "the model expects"),
        (last_piece_deactivates_nothing, "the model expects"),
        (events_are_signed_by_nobody, "wrongly signed"),
        (lines_are_not_merged, "appears twice"),
        (only_the_first_line_counts, "the model"),
        (stock_is_oversold, "does not"),
        (names_are_not_compared, "the model says"),
        (counts_forget_what_orders_hold, "held and"),
        (customs_are_everybodys, "the model says"),
        (time_stands_still, "the model"),
        (sweeping_ignores_the_time, "the model expects"),
        (sweeping_ignores_the_state, "the model expects"),
        (ends_are_given_unseen, "the model expects"),
        (ends_count_from_the_beginning, "or Deal"),
        (the_order_itself_is_not_counted, "the model says"),
        (staff_are_limited, "the model says"),
        (customers_are_staff, "the model says"),
        (whoever_comes_first_is_in_charge, "role: Customer"),
        (the_code_is_good_for_ever, "the model"),
        (closed_shops_are_open, "the model says"),
        (roles_change_and_sessions_stay, "stored"),
        (sessions_begin_unseen, "the model says"),
        (orders_are_confused_with_users, "the model says"),
        (answers_lie, "stored"),
        (neighbours_in_the_batch_matter, "in the batch"),
    ];
    for (position, (rules, reason)) in mutants.iter().enumerate() {
        match (0..8).find_map(|seed| run(*rules, seed, 2_000).err()) {
            None => panic!("wrong rules {position} ({reason}) were not caught"),
            Some(fault) => assert!(fault.contains(reason), "mutant {position}, expected {reason:?}: {fault}"),
        }
    }
}
