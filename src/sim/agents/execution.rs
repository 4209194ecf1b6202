//! The agent that trades: it takes signals, and closes at stops, at targets, and after a time.
//!
//! It calls the same functions as a person, `desk.place_trade` and `desk.close_position`, under the
//! same rules. Like a broker it executes the stops and targets of every simulated account; it closes
//! a position that a person opened for no other reason.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::json;
use uuid::{NoContext, Timestamp, Uuid};

use super::pace;
use crate::domain::account::{Account, AccountStatus};
use crate::domain::agent::SystemSeverity;
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
use crate::sim::failures::FailureLog;
use crate::sim::instruments::{SPECS, Spec};
use crate::sim::rng::Rng;
use crate::sim::tables::{HeldPosition, WaitingSignal};
use crate::sim::tally::add;
use crate::store::StoreError;

/// The agent's name in `agents`.
const AGENT: &str = "execution-engine";

/// How often it polls.
const POLL_EVERY: Duration = Duration::from_secs(2);

/// Positions of its own: above `FEW` the oldest is closed after its time, at `MANY` none is opened.
const FEW: usize = 8;
const MANY: usize = 12;

/// Most positions of its own in one account.
const PER_ACCOUNT: usize = 3;

/// Most accounts that take one signal.
const FOLLOWERS: usize = 2;

/// Shortest holding time in seconds, and the range that is added to it by position.
const HOLD: (i64, u128) = (100, 300);

/// How long a refused close is put off: its cause rarely ends at once.
const PUT_OFF: TimeDelta = TimeDelta::seconds(30);

/// How long after it was generated a signal is taken.
const FRESH: TimeDelta = TimeDelta::seconds(150);

struct View {
    accounts: HashMap<AccountId, Account>,
    held: Vec<HeldPosition>,
    waiting: Vec<WaitingSignal>,
    book: Book,
}

/// Trades until the simulation stops.
pub(super) async fn work(context: Context) {
    let mut rng = pace::rng(&context, pace::EXECUTION);
    let mut failures = FailureLog::of("reading positions");
    let mut next_opening = context.now();
    let mut put_off = HashMap::new();
    while pace::wait(&context, context.agent_period(POLL_EVERY)).await.is_some() {
        let Some(view) = failures.check(look(&context).await) else { continue };
        close_what_is_due(&context, &mut rng, &view, &mut put_off).await;
        if context.now() >= next_opening && open_one(&context, &mut rng, &view).await {
            let pause = pace::pause(&context, &mut rng, 5, 20);
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
    rng: &mut Rng,
    view: &View,
    put_off: &mut HashMap<PositionId, DateTime<Utc>>,
) {
    put_off.retain(|_, until| *until > context.now());
    let own = view.held.iter().filter(|held| held.is_own).count();
    let mut can_spare = own > FEW;
    for held in view.held.iter().filter(|held| !put_off.contains_key(&held.id)).collect::<Vec<_>>()
    {
        let Some(price) = view.book.mark(&held.instrument, held.direction) else { continue };
        let reason = match reached_level(held, price) {
            Some(reason) => reason,
            // Ordered by opening: the oldest goes first, one per tick.
            None if can_spare && held.is_own && is_held_long_enough(context, held) => {
                can_spare = false;
                "time_exit"
            }
            None => continue,
        };
        if !close(context, rng, held, price, reason).await {
            put_off.insert(held.id, context.now() + PUT_OFF);
        }
    }
}

/// Returns which of stop and target a price has reached.
fn reached_level(held: &HeldPosition, price: Decimal) -> Option<&'static str> {
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

/// Whether a position was held for its time, which its key decides.
fn is_held_long_enough(context: &Context, held: &HeldPosition) -> bool {
    let more = i64::try_from(held.id.0.as_u128() % HOLD.1).unwrap_or(0);
    let hold = HOLD.0.saturating_add(more);
    let hold = Duration::from_secs(u64::try_from(hold).unwrap_or(0));
    (context.now() - held.opened_at).to_std().is_ok_and(|age| age > context.agent_period(hold))
}

/// Closes a whole position; returns whether it was accepted.
async fn close(
    context: &Context,
    rng: &mut Rng,
    held: &HeldPosition,
    price: Decimal,
    reason: &'static str,
) -> bool {
    let (what, reason_given) = (Closing::Position(held.id), Some(reason.to_owned()));
    let verb = Verb::Close { what, size: None, price, reason: reason_given };
    let (direction, size) = (held.direction, exact(held.size));
    let said = format!("{direction} {size} {} at {price}: {reason}", held.instrument);
    let is_done = perform(context, rng, verb, &said).await.is_some();
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
        context.bus.send(event(id, "trade.trade_closed", AGENT, context.now(), data));
    }
    is_done
}

/// Takes a signal in one account, if there is a fitting pair; returns whether it tried.
async fn open_one(context: &Context, rng: &mut Rng, view: &View) -> bool {
    if view.held.iter().filter(|held| held.is_own).count() >= MANY {
        return false;
    }
    let fresh = view.waiting.iter().filter(|signal| {
        signal.taken_by.len() < FOLLOWERS && context.now() - signal.generated_at < FRESH
    });
    let fresh: Vec<&WaitingSignal> = fresh.collect();
    let Some(signal) = rng.pick(&fresh) else { return false };
    let mut free: Vec<&Account> =
        view.accounts.values().filter(|account| is_free(view, signal, account)).collect();
    // A map has no order, and the seed alone must decide.
    free.sort_by_key(|account| account.id);
    let Some(account) = rng.pick(&free) else { return false };
    let Some(trade) = size_trade(rng, view, signal, account) else { return false };
    place(context, rng, trade, account).await;
    true
}

/// Whether an account may take a signal: active, not in that instrument, not too busy.
fn is_free(view: &View, signal: &WaitingSignal, account: &Account) -> bool {
    let held = || view.held.iter().filter(|held| held.account == account.id);
    account.status == AccountStatus::Active
        && !signal.taken_by.contains(&account.id)
        && held().all(|held| held.instrument != signal.instrument)
        && held().filter(|held| held.is_own).count() < PER_ACCOUNT
}

/// Sizes a trade on a signal at the present price; `None` if the price has moved too far.
fn size_trade(
    rng: &mut Rng,
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
    // Beyond the stop, beyond the target, or too little reward is left.
    if risk >= Decimal::ZERO || reward.checked_mul(Decimal::TWO)? < risk.abs() {
        return None;
    }
    let appetite = DEMO.accounts.iter().find(|plan| plan.id == account.id.0)?.appetite;
    let percent = appetite.saturating_mul(rng.between(40, 100)) / 100;
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
        reason: Some("signal taken".to_owned()),
    })
}

async fn place(context: &Context, rng: &mut Rng, trade: NewTrade, account: &Account) {
    let NewTrade { side, size, price, .. } = trade;
    let instrument = trade.instrument.clone();
    let name = &account.name;
    let said = format!("{side} {} {instrument} at {price} for {name}", exact(size));
    let signal = trade.signal.map(|signal| signal.0);
    if let Some(accepted) = perform(context, rng, Verb::Place(trade), &said).await {
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
        context.bus.send(event(id, "trade.trade_opened", AGENT, context.now(), data));
    }
}

/// Sends a write. An unknown outcome is queried once by key; the write is never resent.
async fn perform(context: &Context, rng: &mut Rng, verb: Verb, said: &str) -> Option<Accepted> {
    let request = Request { key: new_key(context), verb };
    let mut outcome = context.store.perform(&request).await;
    if let Outcome::Unknown(why) = &outcome {
        tracing::warn!(said, why, "simulation: outcome unknown, querying by key");
        outcome = context.store.resolve(&request).await;
    }
    let (severity, kind, message) = match &outcome {
        Outcome::Accepted(_) => (SystemSeverity::Info, "order_filled", said.to_owned()),
        Outcome::Refused(refusal) if refusal.code == Code::NotSent => return None,
        Outcome::Refused(refusal) => {
            add(&context.counters.refused, 1);
            (SystemSeverity::Warning, "order_refused", format!("{said}: {}", refusal.message))
        }
        Outcome::Unknown(_) => {
            (SystemSeverity::Error, "order_unknown", format!("{said}: no answer"))
        }
    };
    let noted = pace::system_event(context, rng, (kind, "execution"), severity, AGENT, message);
    if let Err(error) = context.store.note(&[noted]).await {
        tracing::debug!(%error, "simulation: system event not written");
    }
    match outcome {
        Outcome::Accepted(accepted) => Some(accepted),
        Outcome::Refused(_) | Outcome::Unknown(_) => None,
    }
}

/// A key that sorts by time. Not drawn from the seed: the database remembers keys, and a second run
/// of the same seed needs new ones.
fn new_key(context: &Context) -> ClientKey {
    let now = context.now();
    let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
    ClientKey(Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos())))
}
