//! A trade to open: its fields, what it costs and risks, and what would be held after it.

use rust_decimal::Decimal;

use super::checks;
use super::sheet::{Item, Sheet, fact_that_fits, first_that_fits, right_width, split};
use crate::app::form::kind::{chosen_account, chosen_instrument};
use crate::app::model::Model;
use crate::app::ticket::{FieldName, Ticket, Trade};
use crate::domain::instrument::Instrument;
use crate::domain::levels;
use crate::domain::money::{exact, typed};
use crate::domain::sizing;
use crate::domain::trade::Side;
use crate::ui::format;
use crate::ui::theme::Theme;

/// The figures of a trade at the values that are typed; each `None` where something is missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Figures {
    notional: Option<Decimal>,
    risk: Option<Decimal>,
    share: Option<Decimal>,
    reward: Option<Decimal>,
    multiple: Option<Decimal>,
}

/// Returns the sheet of a trade.
pub(super) fn sheet(
    model: &Model,
    ticket: &Ticket,
    &Trade { side, signal }: &Trade,
    theme: Theme,
    width: usize,
) -> Sheet {
    let figures = figures(model, ticket, side).unwrap_or_default();
    let account = chosen_account(model, ticket).and_then(|id| model.desk.accounts.get(&id));
    let currency = account.map_or("", |row| row.base_currency.as_str());
    let mut left = vec![
        Item::Field(FieldName::Account, equity(model, ticket)),
        Item::Field(FieldName::Instrument, spread(model, ticket)),
        Item::Field(FieldName::Size, "r: size by risk".to_owned()),
        Item::Field(FieldName::Price, drift(model, ticket, side)),
        Item::Field(FieldName::Stop, distance(model, ticket, FieldName::Stop, side)),
        Item::Field(FieldName::Target, distance(model, ticket, FieldName::Target, side)),
        Item::Field(FieldName::Reason, String::new()),
    ];
    if let Some(row) = signal.and_then(|id| model.desk.signals.get(&id)) {
        let confidence = format::number(row.confidence, 2);
        let texts = [
            format!("{} confidence {confidence}", row.agent),
            format!("{confidence} {}", row.agent),
        ];
        left.push(Item::Fact(first_that_fits("Signal", &texts, split(width), theme)));
    }
    left.push(Item::Blank);
    let share = figures.share.map(|share| format!(" {}", format::percent(share, 2)));
    let multiple = figures.multiple.map(|multiple| format!(" {}R", format::number(multiple, 2)));
    let money = |label: &str, amount: Option<Decimal>, more: Option<String>| {
        let amount = format::maybe_money(amount);
        let notes = [format!("{currency}{}", more.unwrap_or_default()), currency.to_owned()];
        fact_that_fits(label, &amount, &notes, split(width), theme)
    };
    left.push(money("Notional", figures.notional, None));
    left.push(money("Risk", figures.risk, share));
    left.push(money("Reward", figures.reward, multiple));
    let texts = held_after(model, ticket, side);
    left.push(Item::Fact(first_that_fits("Position", &texts, split(width), theme)));
    let right = checks::lines(model, ticket, theme, right_width(width));
    let result = checks::result(model, ticket, theme, right_width(width));
    Sheet { left, right, heading: 1, result, split: split(width) }
}

fn number(ticket: &Ticket, name: FieldName) -> Option<Decimal> {
    typed(ticket.text(name)?).ok()
}

fn figures(model: &Model, ticket: &Ticket, side: Side) -> Option<Figures> {
    let account = model.desk.accounts.get(&chosen_account(model, ticket)?)?;
    let instrument = chosen_instrument(model, ticket)?;
    let currency = account.base_currency.as_str();
    let (size, price) = (number(ticket, FieldName::Size)?, number(ticket, FieldName::Price)?);
    // What is refused has no figures: a stop on the wrong side does not risk nothing.
    if size <= Decimal::ZERO {
        return None;
    }
    let stop = number(ticket, FieldName::Stop)
        .filter(|stop| levels::check(side, price, Some(*stop), None).is_ok());
    let target = number(ticket, FieldName::Target)
        .filter(|target| levels::check(side, price, None, Some(*target)).is_ok());
    let rate = model.book.rate(&instrument.quote_currency, currency);
    let risk = stop
        .zip(rate)
        .and_then(|(stop, rate)| sizing::risk_amount(side, price, stop, size, instrument, rate));
    let equity = model.marks.accounts.get(&account.id).and_then(|mark| mark.equity);
    let multiple = stop.zip(target).and_then(|(stop, target)| {
        let (reward, risk) = (target.checked_sub(price)?.abs(), price.checked_sub(stop)?.abs());
        levels::reward_to_risk(reward, risk, Decimal::ZERO)
    });
    // The reward equals the loss at a stop as far on the other side.
    let reward = target.zip(rate).and_then(|(target, rate)| {
        let mirrored = price.checked_add(price)?.checked_sub(target)?;
        sizing::risk_amount(side, price, mirrored, size, instrument, rate)
    });
    Some(Figures {
        notional: model.book.notional(&instrument.id, size, price, currency),
        risk,
        share: risk.zip(equity).and_then(|(risk, equity)| risk.checked_div(equity)),
        reward,
        multiple,
    })
}

fn equity(model: &Model, ticket: &Ticket) -> String {
    let Some(row) = chosen_account(model, ticket).and_then(|id| model.desk.accounts.get(&id))
    else {
        return "◂ ▸ choose".to_owned();
    };
    let equity = model.marks.accounts.get(&row.id).and_then(|mark| mark.equity);
    format!("eq {}", format::maybe_money(equity))
}

fn spread(model: &Model, ticket: &Ticket) -> String {
    let Some(row) = chosen_instrument(model, ticket) else { return "◂ ▸ choose".to_owned() };
    let spread = model
        .book
        .quote(&row.id)
        .and_then(|quote| quote.ask.checked_sub(quote.bid)?.checked_div(row.pip_size));
    spread.map_or_else(
        || "no price yet".to_owned(),
        |pips| format!("spread {}", format::number(pips, 1)),
    )
}

/// Returns how far the typed price is from the current one.
fn drift(model: &Model, ticket: &Ticket, side: Side) -> String {
    let of = |row: &Instrument| {
        let quote = model.book.quote(&row.id)?;
        let now = match side {
            Side::Buy => quote.ask,
            Side::Sell => quote.bid,
        };
        let Some(typed) = number(ticket, FieldName::Price) else {
            return Some(format!("= {}", format::price(now, row.price_places())));
        };
        let pips = now.checked_sub(typed)?.checked_div(row.pip_size)?;
        if pips.is_zero() {
            Some("current".to_owned())
        } else {
            Some(format!("= now {}", format::signed(pips, 1)))
        }
    };
    chosen_instrument(model, ticket).and_then(of).unwrap_or_default()
}

/// Returns the distance of a stop or target from the price in pips: negative on the losing side.
fn distance(model: &Model, ticket: &Ticket, name: FieldName, side: Side) -> String {
    let of = || {
        let row = chosen_instrument(model, ticket)?;
        let (price, level) = (number(ticket, FieldName::Price)?, number(ticket, name)?);
        model.book.pips(&row.id, side.direction(), price, level)
    };
    of().map_or_else(String::new, |pips| format!("{} pips", format::signed(pips, 1)))
}

/// Returns what the account holds of the instrument now, and what after the trade: in full, and
/// shorter.
fn held_after(model: &Model, ticket: &Ticket, side: Side) -> Vec<String> {
    let Some((account, row)) = chosen_account(model, ticket).zip(chosen_instrument(model, ticket))
    else {
        return vec![format::ABSENT.to_owned()];
    };
    let held = model
        .desk
        .positions
        .values()
        .filter(|held| held.account == account && held.instrument == row.id)
        .try_fold(Decimal::ZERO, |sum, held| {
            sum.checked_add(held.size.checked_mul(held.direction.sign())?)
        });
    let Some(held) = held else { return vec![format::ABSENT.to_owned()] };
    let after = number(ticket, FieldName::Size)
        .and_then(|size| held.checked_add(size.checked_mul(side.sign())?));
    let Some(after) = after else { return vec![net(held)] };
    let is_same_way = held.is_sign_negative() == after.is_sign_negative();
    let shorter = if is_same_way && !held.is_zero() && !after.is_zero() {
        format!("{} → {}", net(held), exact(after.abs()))
    } else {
        format!("→ {}", net(after))
    };
    vec![format!("{} → {}", net(held), net(after)), shorter, format!("→ {}", net(after))]
}

fn net(size: Decimal) -> String {
    match size.cmp(&Decimal::ZERO) {
        std::cmp::Ordering::Greater => format!("LONG {}", exact(size)),
        std::cmp::Ordering::Less => format!("SHORT {}", exact(size.abs())),
        std::cmp::Ordering::Equal => "flat".to_owned(),
    }
}
