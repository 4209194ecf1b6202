//! The agent that trades: it follows signals, and closes at stops, at targets, and after a while.
//!
//! It calls the same functions as a person, `desk.place_trade` and `desk.close_position`, and is
//! refused by the same rules. As the broker would, it executes the stops and targets of every
//! simulated account; what a person opened it closes for no other reason.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::json;
use uuid::{NoContext, Timestamp, Uuid};

use super::pace;
use crate::domain::account::{Account, AccountStatus};
use crate::domain::change::Kind;
use crate::domain::code::Code;
use crate::domain::ids::{AccountId, ClientKey, PositionId};
use crate::domain::marking::Book;
use crate::domain::money::{Size, exact};
use crate::domain::outcome::{Accepted, Outcome};
use crate::domain::position::Direction;
use crate::domain::request::{Closing, NewTrade, Request, Verb};
use crate::domain::rows::Rows;
use crate::domain::trade::Side;
use crate::sim::bus::event;
use crate::sim::context::Context;
use crate::sim::demo::DEMO;
use crate::sim::dice::Dice;
use crate::sim::instruments::{SPECS, Spec};
use crate::sim::tables::{HeldPosition, WaitingSignal};
use crate::sim::tally::add;
use crate::sim::trouble::Trouble;
use crate::store::StoreError;

/// The agent's name in `agents`.
const AGENT: &str = "execution-engine";

/// How often it looks.
const BEAT: Duration = Duration::from_secs(2);

/// Positions that it opened and keeps: above the first number the oldest is closed after its time,
/// at the second nothing is opened.
const FEW: usize = 8;
const MANY: usize = 12;

/// Positions of its own in one account.
const PER_ACCOUNT: usize = 3;

/// How many accounts follow one signal.
const FOLLOWERS: usize = 2;

/// How long a position is held at least before its time can be over, and how much longer.
const HOLD: (i64, u128) = (100, 300);

/// How long a close that was refused is put off: what was wrong with it is seldom gone at once.
const PUT_OFF: TimeDelta = TimeDelta::seconds(30);

/// How long a signal is followed after it was made.
const FRESH: TimeDelta = TimeDelta::seconds(150);

/// What it sees when it looks.
struct View {
    accounts: HashMap<AccountId, Account>,
    held: Vec<HeldPosition>,
    waiting: Vec<WaitingSignal>,
    book: Book,
}

/// Trades until the simulation stops.
pub(super) async fn work(context: Context) {
    let mut dice = pace::dice(&context, pace::EXECUTION);
    let mut trouble = Trouble::of("looking at positions");
    let mut next_opening = context.now();
    let mut put_off = HashMap::new();
    while pace::wait(&context, context.agents(BEAT)).await.is_some() {
        let Some(view) = trouble.take(look(&context).await) else { continue };
        close_what_is_due(&context, &mut dice, &view, &mut put_off).await;
        if context.now() >= next_opening && open_one(&context, &mut dice, &view).await {
            let pause = pace::pause(&context, &mut dice, 5, 20);
            next_opening = context.now() + TimeDelta::from_std(pause).unwrap_or_default();
        }
    }
}

async fn look(context: &Context) -> Result<View, StoreError> {
    let Rows::Accounts(accounts) = context.store.read(Kind::Accounts, None).await?.rows else {
        return Err(StoreError::SchemaMissing { missing: vec!["accounts".to_owned()] });
    };
    let mut book = Book::default();
    book.set_instruments(SPECS.iter().map(Spec::row));
    for quote in context.prices.all() {
        book.take(quote);
    }
    let ours = |account: &Account| DEMO.accounts.iter().any(|plan| plan.id == account.id.0);
    Ok(View {
        accounts: accounts.into_iter().filter(ours).map(|account| (account.id, account)).collect(),
        held: context.store.held_positions().await?,
        waiting: context.store.waiting_signals().await?,
        book,
    })
}

async fn close_what_is_due(
    context: &Context,
    dice: &mut Dice,
    view: &View,
    put_off: &mut HashMap<PositionId, DateTime<Utc>>,
) {
    put_off.retain(|_, until| *until > context.now());
    let own = view.held.iter().filter(|held| held.is_own).count();
    let mut can_spare = own > FEW;
    for held in view.held.iter().filter(|held| !put_off.contains_key(&held.id)).collect::<Vec<_>>()
    {
        let Some(price) = view.book.mark(&held.instrument, held.direction) else { continue };
        let reason = match due(held, price) {
            Some(reason) => reason,
            // They come in the order of opening: the oldest goes first, one at a time.
            None if can_spare && held.is_own && is_over(context, held) => {
                can_spare = false;
                "time_exit"
            }
            None => continue,
        };
        if !close(context, dice, held, price, reason).await {
            put_off.insert(held.id, context.now() + PUT_OFF);
        }
    }
}

/// Tells whether a price has reached the stop or the target.
fn due(held: &HeldPosition, price: Decimal) -> Option<&'static str> {
    let reached = |level: Decimal, better: bool| match (held.direction, better) {
        (Direction::Long, true) | (Direction::Short, false) => price >= level,
        (Direction::Long, false) | (Direction::Short, true) => price <= level,
    };
    if held.stop.is_some_and(|stop| reached(stop, false)) {
        Some("stop_loss")
    } else if held.target.is_some_and(|target| reached(target, true)) {
        Some("take_profit")
    } else {
        None
    }
}

/// Tells whether a position has been held for its time, which its key decides.
fn is_over(context: &Context, held: &HeldPosition) -> bool {
    let more = i64::try_from(held.id.0.as_u128() % HOLD.1).unwrap_or(0);
    let hold = HOLD.0.saturating_add(more);
    let hold = Duration::from_secs(u64::try_from(hold).unwrap_or(0));
    (context.now() - held.opened_at).to_std().is_ok_and(|age| age > context.agents(hold))
}

/// Closes all of a position; tells whether the desk did it.
async fn close(
    context: &Context,
    dice: &mut Dice,
    held: &HeldPosition,
    price: Decimal,
    reason: &'static str,
) -> bool {
    let (what, reason_given) = (Closing::Position(held.id), Some(reason.to_owned()));
    let verb = Verb::Close { what, size: None, price, reason: reason_given };
    let (direction, size) = (held.direction, exact(held.size));
    let said = format!("{direction} {size} {} at {price}: {reason}", held.instrument);
    let is_done = perform(context, dice, verb, &said).await.is_some();
    if is_done {
        add(&context.counters.closed, 1);
        let data = json!({
            "position_id": held.id.0,
            "account_id": held.account.0,
            "instrument": held.instrument.as_str(),
            "price": price,
            "close_reason": reason,
        });
        let id = format!("trade_closed_{}", held.id);
        context.bus.tell(event(id, "trade.trade_closed", AGENT, context.now(), data));
    }
    is_done
}

/// Follows a signal with one account, if there is one of both that fit; tells whether it tried.
async fn open_one(context: &Context, dice: &mut Dice, view: &View) -> bool {
    if view.held.iter().filter(|held| held.is_own).count() >= MANY {
        return false;
    }
    let fresh = view.waiting.iter().filter(|signal| {
        signal.taken_by.len() < FOLLOWERS && context.now() - signal.generated_at < FRESH
    });
    let fresh: Vec<&WaitingSignal> = fresh.collect();
    let Some(signal) = dice.pick(&fresh) else { return false };
    let mut free: Vec<&Account> =
        view.accounts.values().filter(|account| is_free(view, signal, account)).collect();
    // A map has no order, and chance is to decide by the seed alone.
    free.sort_by_key(|account| account.id);
    let Some(account) = dice.pick(&free) else { return false };
    let Some(trade) = plan(dice, view, signal, account) else { return false };
    place(context, dice, trade, account).await;
    true
}

/// Tells whether an account may follow a signal: active, not in that instrument, not too busy.
fn is_free(view: &View, signal: &WaitingSignal, account: &Account) -> bool {
    let held = || view.held.iter().filter(|held| held.account == account.id);
    account.status == AccountStatus::Active
        && !signal.taken_by.contains(&account.id)
        && held().all(|held| held.instrument != signal.instrument)
        && held().filter(|held| held.is_own).count() < PER_ACCOUNT
}

/// Sizes a trade on a signal at the present price; `None` if the price has run away from it.
fn plan(
    dice: &mut Dice,
    view: &View,
    signal: &WaitingSignal,
    account: &Account,
) -> Option<NewTrade> {
    let quote = view.book.quote(&signal.instrument)?;
    let row = view.book.instrument(signal.instrument.as_str())?;
    let price = match signal.side {
        Side::Buy => quote.ask,
        Side::Sell => quote.bid,
    };
    let room = |level: Decimal| level.checked_sub(price)?.checked_mul(signal.side.sign());
    let (risk, reward) = (room(signal.stop)?, room(signal.target)?);
    // Beyond the stop, beyond the target, or so far along that little is left to win.
    if risk >= Decimal::ZERO || reward.checked_mul(Decimal::TWO)? < risk.abs() {
        return None;
    }
    let appetite = DEMO.accounts.iter().find(|plan| plan.id == account.id.0)?.appetite;
    let percent = appetite.saturating_mul(dice.between(40, 100)) / 100;
    let notional = account.equity.checked_mul(Decimal::new(percent, 2))?;
    let base = view.book.rate(&row.base_currency, &account.base_currency)?;
    Some(NewTrade {
        account: account.id,
        instrument: signal.instrument.clone(),
        side: signal.side,
        size: Size::computed(notional.checked_div(base)?, row)?.get().normalize(),
        price,
        stop: Some(signal.stop),
        target: Some(signal.target),
        signal: Some(signal.id),
        reason: Some("signal followed".to_owned()),
    })
}

async fn place(context: &Context, dice: &mut Dice, trade: NewTrade, account: &Account) {
    let NewTrade { side, size, price, .. } = trade;
    let instrument = trade.instrument.clone();
    let name = &account.name;
    let said = format!("{side} {} {instrument} at {price} for {name}", exact(size));
    let signal = trade.signal.map(|signal| signal.0);
    if let Some(accepted) = perform(context, dice, Verb::Place(trade), &said).await {
        add(&context.counters.opened, 1);
        let data = json!({
            "trade_id": accepted.subject,
            "account_id": account.id.0,
            "signal_id": signal,
            "trade_data": {
                "instrument": instrument.as_str(),
                "side": side.as_str(),
                "size": size,
                "price": price,
            },
        });
        let id = format!("trade_{}", accepted.subject.unwrap_or_default());
        context.bus.tell(event(id, "trade.trade_opened", AGENT, context.now(), data));
    }
}

/// Sends a write. One whose answer was lost is looked up once, by its key, and never sent again.
async fn perform(context: &Context, dice: &mut Dice, verb: Verb, said: &str) -> Option<Accepted> {
    let request = Request { key: new_key(context), verb };
    let mut outcome = context.store.perform(&request).await;
    if let Outcome::Unknown(why) = &outcome {
        tracing::warn!(said, why, "simulation: an order's answer was lost");
        outcome = context.store.resolve(&request).await;
    }
    let (severity, kind, message) = match &outcome {
        Outcome::Accepted(_) => ("info", "order_filled", said.to_owned()),
        Outcome::Refused(refusal) if refusal.code == Code::NotSent => return None,
        Outcome::Refused(refusal) => {
            add(&context.counters.refused, 1);
            ("warning", "order_refused", format!("{said}: {}", refusal.message))
        }
        Outcome::Unknown(_) => ("error", "order_unknown", format!("{said}: no answer")),
    };
    let noted = pace::system_event(context, dice, (kind, "execution"), severity, AGENT, message);
    if let Err(error) = context.store.note(&[noted]).await {
        tracing::debug!(%error, "simulation: not noted");
    }
    match outcome {
        Outcome::Accepted(accepted) => Some(accepted),
        Outcome::Refused(_) | Outcome::Unknown(_) => None,
    }
}

/// A key that sorts by time. Its chance is not the seed's: the desk remembers keys for ever, and a
/// second run of the same seed is another run.
fn new_key(context: &Context) -> ClientKey {
    let now = context.now();
    let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
    ClientKey(Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos())))
}
