//! Trades of the last hours, closed and open.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::json;

use super::draw::{self, Deal, book, gross};
use super::past::Past;
use crate::domain::money::round;
use crate::domain::sizing;
use crate::domain::trade::Side;
use crate::sim::demo::{AGENTS, DEMO};
use crate::sim::instruments::{SPECS, Spec, find};
use crate::sim::rng::Rng;
use crate::sim::sessions;
use crate::sim::signals::{compose, key, money};
use crate::sim::tables::{FillRow, PositionRow, SignalRow, TradeRow};

/// Random stream of the history.
const STREAM: u64 = 2_000;

/// Closed trades that are tried; some find their account in that instrument already.
const CLOSED: usize = 46;

/// Trades, with their signals, positions and fills.
#[derive(Default)]
pub(super) struct Blotter {
    pub(super) signals: Vec<SignalRow>,
    pub(super) positions: Vec<PositionRow>,
    pub(super) trades: Vec<TradeRow>,
    pub(super) fills: Vec<FillRow>,
    /// Per account, after its closed trades.
    pub(super) balances: Vec<Decimal>,
    /// Account, instrument, first and last minute: an account holds one position per instrument.
    held: Vec<(usize, usize, i64, i64)>,
}

impl Blotter {
    /// Places trades on the past.
    pub(super) fn write(seed: u64, past: &Past) -> Self {
        let mut rng = Rng::new(seed, STREAM);
        let mut blotter = Self {
            balances: DEMO.accounts.iter().map(|plan| plan.balance).collect(),
            ..Self::default()
        };
        for (account, instrument) in &DEMO.open {
            if let (Some(account), Some(index)) = (DEMO.find(account), find(instrument))
                && let Some(deal) = draw::open(&mut rng, past, account, index)
            {
                blotter.book(&mut rng, past, &deal);
            }
        }
        for loss in &DEMO.losses {
            for _ in 0..20 {
                if let Some(deal) = draw::lost(&mut rng, past, *loss)
                    && blotter.is_free(&deal)
                {
                    blotter.book(&mut rng, past, &deal);
                    break;
                }
            }
        }
        for _ in 0..CLOSED {
            if let Some(deal) = draw::closed(&mut rng, past)
                && blotter.is_free(&deal)
            {
                blotter.book(&mut rng, past, &deal);
            }
        }
        blotter.untaken(&mut rng, past);
        blotter
    }

    fn is_free(&self, deal: &Deal) -> bool {
        let until = deal.exit.as_ref().map_or(i64::MAX, |exit| exit.minute);
        !self.held.iter().any(|(account, index, from, to)| {
            (*account, *index) == (deal.account, deal.index)
                && *from <= until
                && deal.entered <= *to
        })
    }

    /// Adds signals that were not taken: expired, withdrawn, and some still pending.
    fn untaken(&mut self, rng: &mut Rng, past: &Past) {
        let minutes = past.minutes();
        for number in 0..15_i64 {
            let index = rng.index(SPECS.len());
            let is_fresh = number < 4;
            let age = if is_fresh { rng.between(0, 3) } else { rng.between(20, minutes - 5) };
            let side = if rng.percent(50) { Side::Buy } else { Side::Sell };
            let Some(mid) = past.mid(index, minutes.saturating_sub(age)) else { continue };
            let made = past.now - TimeDelta::minutes(age) - TimeDelta::seconds(rng.between(5, 50));
            let Some(mut signal) = compose(rng, index, side, mid, made) else { continue };
            if is_fresh {
                signal.valid_until = past.now + TimeDelta::minutes(rng.between(6, 40));
            } else {
                signal.valid_until = signal.valid_until.min(past.now - TimeDelta::minutes(1));
                signal.status = if rng.percent(25) { "cancelled" } else { "expired" };
            }
            self.signals.push(signal);
        }
    }

    /// Adds the rows of a deal.
    fn book(&mut self, rng: &mut Rng, past: &Past, deal: &Deal) -> Option<()> {
        let (plan, spec) = (DEMO.accounts.get(deal.account)?, SPECS.get(deal.index)?);
        let row = spec.row();
        let entered = past.time(deal.entered) + TimeDelta::seconds(rng.between(1, 50));
        let exited = deal.exit.as_ref().map(|exit| past.time(exit.minute));
        let exited =
            exited.map(|time| (time + TimeDelta::seconds(rng.between(51, 59))).min(past.now));
        let entry_rate = book(past, deal.entered).rate(&row.quote_currency, &plan.currency)?;
        let entry = spec.price(deal.entry);
        let gross =
            deal.exit.as_ref().and_then(|exit| gross(deal, exit, past, &row, &plan.currency));
        let gross = gross.map(|(amount, _)| amount);
        let signal = taken(rng, deal, spec, entered)?;
        let ids = Ids { trade: key(rng, entered), position: key(rng, entered) };

        self.positions.push(position(deal, &ids, plan.id, spec, entered, exited, gross));
        let risk = sizing::risk_amount(
            deal.side,
            entry,
            spec.price(deal.stop),
            deal.size,
            &row,
            entry_rate,
        )?;
        self.trades.push(TradeRow {
            trade_id: ids.trade,
            account_id: plan.id,
            signal_id: signal.signal_id,
            position_id: ids.position,
            instrument: spec.name.clone(),
            trade_type: deal.side.as_str(),
            position_size: deal.size,
            closed_size: if exited.is_some() { deal.size } else { Decimal::ZERO },
            entry_price: entry,
            exit_price: deal.exit.as_ref().map(|exit| spec.price(exit.price)),
            stop_loss: spec.price(deal.stop),
            take_profit: spec.price(deal.target),
            risk_amount: money(risk),
            risk_percentage: round(risk.checked_div(plan.balance)?, 4),
            gross_pnl: gross,
            net_pnl: gross,
            signal_time: signal.generated_at,
            entry_time: entered,
            exit_time: exited,
            duration_seconds: exited.map(|exited| (exited - entered).num_seconds()),
            status: if exited.is_some() { "closed" } else { "open" },
            close_reason: deal.exit.as_ref().map(|exit| exit.reason),
            trade_session: sessions::name(entered),
            execution_venue: "simulated",
        });
        self.fill(rng, &ids, plan.id, deal, past, &plan.currency, (entered, exited));
        if let (Some(amount), Some(balance)) = (gross, self.balances.get_mut(deal.account)) {
            *balance = balance.checked_add(amount)?;
        }
        let last = deal.exit.as_ref().map_or(i64::MAX, |exit| exit.minute);
        self.held.push((deal.account, deal.index, deal.entered, last));
        self.signals.push(signal);
        Some(())
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of two fills, used in one place")]
    fn fill(
        &mut self,
        rng: &mut Rng,
        ids: &Ids,
        account: uuid::Uuid,
        deal: &Deal,
        past: &Past,
        currency: &str,
        (entered, exited): (DateTime<Utc>, Option<DateTime<Utc>>),
    ) -> Option<()> {
        let spec = SPECS.get(deal.index)?;
        let row = spec.row();
        let other = if deal.side == Side::Buy { Side::Sell } else { Side::Buy };
        let opened = FillRow {
            fill_id: key(rng, entered),
            account_id: account,
            trade_id: ids.trade,
            position_id: ids.position,
            instrument: spec.name.clone(),
            side: deal.side.as_str(),
            effect: "open",
            size: deal.size,
            price: spec.price(deal.entry),
            fx_rate: book(past, deal.entered).rate(&row.quote_currency, currency)?,
            gross_pnl: None,
            allocation: json!([]),
            client_key: ids.trade.to_string(),
            actor: AGENTS,
            filled_at: entered,
        };
        if let (Some(exit), Some(exited)) = (&deal.exit, exited) {
            let (gross, rate) = gross(deal, exit, past, &row, currency)?;
            let fill_id = key(rng, exited);
            self.fills.push(FillRow {
                fill_id,
                side: other.as_str(),
                effect: "close",
                price: spec.price(exit.price),
                fx_rate: rate,
                gross_pnl: Some(gross),
                allocation: json!([{"trade_id": ids.trade, "size": deal.size}]),
                client_key: fill_id.to_string(),
                filled_at: exited,
                instrument: spec.name.clone(),
                ..opened
            });
        }
        self.fills.push(opened);
        Some(())
    }
}

struct Ids {
    trade: uuid::Uuid,
    position: uuid::Uuid,
}

/// The signal of a deal, generated shortly before it.
fn taken(rng: &mut Rng, deal: &Deal, spec: &Spec, entered: DateTime<Utc>) -> Option<SignalRow> {
    let made = entered - TimeDelta::seconds(rng.between(15, 80));
    let mut signal = compose(rng, deal.index, deal.side, deal.entry, made)?;
    let reward = deal.target.saturating_sub(deal.entry).saturating_abs();
    let risk = deal.stop.saturating_sub(deal.entry).saturating_abs();
    let ratio = Decimal::from(reward).checked_div(Decimal::from(risk))?;
    signal.stop_loss = spec.price(deal.stop);
    signal.take_profit = spec.price(deal.target);
    signal.risk_reward_ratio = ratio.trunc_with_scale(2).max(Decimal::ONE);
    signal.status = "executed";
    signal.execution_count = 1;
    signal.total_executed_size = deal.size;
    Some(signal)
}

fn position(
    deal: &Deal,
    ids: &Ids,
    account: uuid::Uuid,
    spec: &Spec,
    entered: DateTime<Utc>,
    exited: Option<DateTime<Utc>>,
    gross: Option<Decimal>,
) -> PositionRow {
    let entry = spec.price(deal.entry);
    PositionRow {
        position_id: ids.position,
        account_id: account,
        instrument: spec.name.clone(),
        position_type: deal.side.direction().as_str(),
        total_size: deal.size,
        average_entry_price: entry,
        cost: entry.saturating_mul(deal.size),
        stop_loss: spec.price(deal.stop),
        take_profit: spec.price(deal.target),
        realized_pnl: gross.unwrap_or_default(),
        opened_at: entered,
        closed_at: exited,
        status: if exited.is_some() { "closed" } else { "open" },
    }
}
