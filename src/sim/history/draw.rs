//! Draws past trades from the bars: entry, size, stop, target, exit.

use rust_decimal::Decimal;

use super::past::Past;
use crate::domain::ids::InstrumentId;
use crate::domain::instrument::Instrument;
use crate::domain::marking::Book;
use crate::domain::money::Size;
use crate::domain::quote::Quote;
use crate::domain::trade::Side;
use crate::sim::demo::DEMO;
use crate::sim::instruments::{SPECS, Spec};
use crate::sim::rng::Rng;
use crate::sim::signals::{fill, levels, money};

pub(super) struct Deal {
    pub(super) account: usize,
    pub(super) index: usize,
    pub(super) side: Side,
    pub(super) size: Decimal,
    pub(super) entered: i64,
    pub(super) entry: i64,
    pub(super) stop: i64,
    pub(super) target: i64,
    pub(super) exit: Option<Exit>,
}

pub(super) struct Exit {
    pub(super) minute: i64,
    pub(super) price: i64,
    pub(super) reason: &'static str,
}

/// Draws a trade of the halted account that was stopped out with about this loss.
pub(super) fn lost(rng: &mut Rng, past: &Past, loss: i64) -> Option<Deal> {
    let mut deal = closed(rng, past)?;
    let halted = DEMO.halted()?;
    let (plan, spec) = (DEMO.accounts.get(halted)?, SPECS.get(deal.index)?);
    let exit = deal.exit.as_ref().filter(|exit| exit.reason == "stop_loss")?;
    let distance = spec.price(exit.price.saturating_sub(deal.entry).saturating_abs());
    let row = spec.row();
    let rate = book(past, exit.minute).rate(&row.quote_currency, &plan.currency)?;
    let wanted = Decimal::from(loss).checked_div(distance.checked_mul(rate)?)?;
    deal.size = Size::computed(wanted, &row)?.get().normalize();
    deal.account = halted;
    Some(deal)
}

/// Returns the P&L of a closed deal in the account's currency, and the conversion rate.
pub(super) fn gross(
    deal: &Deal,
    exit: &Exit,
    past: &Past,
    row: &Instrument,
    currency: &str,
) -> Option<(Decimal, Decimal)> {
    let rate = book(past, exit.minute).rate(&row.quote_currency, currency)?;
    let spec = SPECS.get(deal.index)?;
    let moved = spec.price(exit.price.saturating_sub(deal.entry));
    let amount = moved.checked_mul(deal.side.sign())?.checked_mul(deal.size)?;
    Some((money(amount.checked_mul(rate)?), rate))
}

/// Draws a closed trade of any account but the halted one.
pub(super) fn closed(rng: &mut Rng, past: &Past) -> Option<Deal> {
    let halted = DEMO.halted();
    let trading: Vec<usize> = (0..DEMO.accounts.len()).filter(|at| Some(*at) != halted).collect();
    let account = *rng.pick(&trading)?;
    let index = rng.index(SPECS.len());
    let entered = rng.between(2, past.minutes() - 14);
    let until = entered.saturating_add(rng.between(6, 45)).min(past.minutes() - 2);
    let spec = SPECS.get(index)?;
    // Right somewhat more often than wrong: a desk that always loses would have been closed.
    let (first, last) = (past.mid(index, entered)?, past.mid(index, until)?);
    let is_right = rng.percent(61);
    let side = if (last > first) == is_right { Side::Buy } else { Side::Sell };
    let entry = fill(spec, side, first);
    let stop_distance = spec.spread.saturating_mul(rng.between(12, 24));
    let reward = rng.between(110, 260);
    let (stop, target) =
        levels(side, entry, stop_distance, stop_distance.saturating_mul(reward) / 100);
    let exit = self::exit(past, index, side, (entered, until), stop, target)?;
    let size = size(rng, past, account, index, entered)?;
    Some(Deal { account, index, side, size, entered, entry, stop, target, exit: Some(exit) })
}

/// Draws an open trade, whose stop and target were not reached.
pub(super) fn open(rng: &mut Rng, past: &Past, account: usize, index: usize) -> Option<Deal> {
    let spec = SPECS.get(index)?;
    let now = past.minutes();
    let entered = now.saturating_sub(rng.between(6, 95));
    let (first, last) = (past.mid(index, entered)?, past.mid(index, now)?);
    let is_right = rng.percent(60);
    let side = if (last > first) == is_right { Side::Buy } else { Side::Sell };
    let entry = fill(spec, side, first);
    let (low, high) = past.range(index, entered, now)?;
    let (against, along) = match side {
        Side::Buy => (entry.saturating_sub(low), high.saturating_sub(entry)),
        Side::Sell => (high.saturating_sub(entry), entry.saturating_sub(low)),
    };
    let room = spec.spread.saturating_mul(rng.between(8, 14));
    let stop_distance = against.max(0).saturating_add(room).max(spec.spread.saturating_mul(18));
    let target_distance =
        along.max(0).saturating_add(room).max(stop_distance.saturating_mul(3) / 2);
    let (stop, target) = levels(side, entry, stop_distance, target_distance);
    let size = size(rng, past, account, index, entered)?;
    Some(Deal { account, index, side, size, entered, entry, stop, target, exit: None })
}

/// Finds where a trade reached its stop, its target, or the end of its time.
fn exit(
    past: &Past,
    index: usize,
    side: Side,
    (entered, until): (i64, i64),
    stop: i64,
    target: i64,
) -> Option<Exit> {
    let spec = SPECS.get(index)?;
    for minute in entered.saturating_add(1)..=until {
        let Some((low, high)) = past.range(index, minute.saturating_sub(1), minute) else {
            continue;
        };
        let (is_stopped, is_won) = match side {
            Side::Buy => (low <= stop, high >= target),
            Side::Sell => (high >= stop, low <= target),
        };
        // Both within one minute: assume the stop.
        if is_stopped {
            return Some(Exit { minute, price: stop, reason: "stop_loss" });
        }
        if is_won {
            return Some(Exit { minute, price: target, reason: "take_profit" });
        }
    }
    let other = if side == Side::Buy { Side::Sell } else { Side::Buy };
    let price = fill(spec, other, past.mid(index, until)?);
    Some(Exit { minute: until, price, reason: "time_exit" })
}

/// Draws a size whose notional is a part of the account's balance.
fn size(rng: &mut Rng, past: &Past, account: usize, index: usize, minute: i64) -> Option<Decimal> {
    let (plan, row) = (DEMO.accounts.get(account)?, SPECS.get(index)?.row());
    let percent = plan.appetite.saturating_mul(rng.between(45, 100)) / 100;
    let notional = plan.balance.checked_mul(Decimal::new(percent, 2))?;
    let price = book(past, minute).rate(&row.base_currency, &plan.currency)?;
    Some(Size::computed(notional.checked_div(price)?, &row)?.get().normalize())
}

/// The prices at the end of a minute.
pub(super) fn book(past: &Past, minute: i64) -> Book {
    let mut book = Book::default();
    book.set_instruments(SPECS.iter().map(Spec::row));
    for (index, spec) in SPECS.iter().enumerate() {
        if let Some(mid) = past.mid(index, minute).map(|ticks| spec.price(ticks))
            && let Ok(quote) =
                Quote::new(InstrumentId::new(&spec.name), mid, mid, past.time(minute), None)
        {
            book.take(quote);
        }
    }
    book
}
