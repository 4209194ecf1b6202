//! Ending a halt: its scope, and what is still in breach.

use ratatui::text::Line;
use rust_decimal::Decimal;

use super::sheet::{Item, Sheet, right_width, split, words};
use crate::app::model::Model;
use crate::app::ticket::{FieldName, Resume};
use crate::domain::account::Account;
use crate::domain::drawdown::DailyLossColumn;
use crate::domain::halt::{Halt, HaltMode, Scope};
use crate::domain::limit::{LimitState, Standing};
use crate::ui::theme::{Class, Theme};
use crate::ui::{format, popup};

/// Most limits in breach that are listed.
const LISTED: usize = 6;

/// Names the scope of a halt.
fn whom(model: &Model, halt: &Halt) -> String {
    let name = model.desk.halted(halt);
    match halt.scope {
        Scope::Account => format!("account {name}"),
        Scope::Instrument => format!("{name} in every account"),
        Scope::Portfolio => name,
        Scope::System => "all accounts, all clients".to_owned(),
    }
}

/// Names the accounts that a halt covers and whose own daily loss or drawdown is reached: those are
/// columns of the account, and no limits of the desk.
fn own_rules(model: &Model, halt: &Halt) -> Vec<String> {
    let covers = |account: &&Account| match halt.scope {
        Scope::System => true,
        Scope::Account => halt.account == Some(account.id),
        Scope::Portfolio => account.portfolio.is_some() && account.portfolio == halt.identifier,
        Scope::Instrument => false,
    };
    let mut found = Vec::new();
    for account in model.desk.accounts.values().filter(covers) {
        let Some(mark) = model.marks.accounts.get(&account.id) else { continue };
        let day = mark.day_pnl.and_then(|gain| Decimal::ZERO.checked_sub(gain));
        let daily = day.zip(account.daily_loss_limit().map(DailyLossColumn::amount));
        let lost = mark.equity.and_then(|equity| account.initial_balance.checked_sub(equity));
        let total = lost.zip(account.drawdown_limit());
        for (name, figures) in [("max_daily_loss", daily), ("max_drawdown", total)] {
            let Some((lost, most)) = figures.filter(|(lost, most)| lost >= most) else { continue };
            found.push(format!(
                "{name} of {} (account's own): {} of {} {}",
                account.name,
                format::money(lost),
                format::money(most),
                account.base_currency
            ));
        }
    }
    found
}

/// Returns what a halt covers and is still in breach, as far as this console measures it.
fn breached(model: &Model, row: &Halt) -> Vec<String> {
    let limits = model
        .desk
        .limits
        .values()
        .filter(|limit| limit.state == LimitState::Active)
        .filter(|limit| {
            row.account.is_none() || limit.account.is_none_or(|id| row.account == Some(id))
        })
        .filter_map(|limit| {
            let now = model.measure(limit)?;
            (limit.standing(now) == Some(Standing::Breach)).then(|| {
                let subject = model.limit_subject(limit);
                let text = format!(
                    "{} of {subject}: {} of {} {}",
                    limit.limit_type,
                    format::measured(now, Some(&limit.unit)),
                    format::measured(limit.value, Some(&limit.unit)),
                    limit.unit.suffix(),
                );
                text.trim_end().to_owned()
            })
        });
    limits.chain(own_rules(model, row)).collect()
}

/// Returns the sheet of a resumption.
pub(super) fn sheet(model: &Model, form: &Resume, theme: Theme, width: usize) -> Sheet {
    let left = vec![
        Item::Field(FieldName::Halt, String::new()),
        Item::Field(FieldName::Reason, String::new()),
    ];
    let room = right_width(width);
    let Some(row) = model.desk.halts.get(&form.halt) else {
        let text = "the halt is no longer in force";
        let right = popup::paragraph(text, room, theme.style(Class::Warning));
        return Sheet { left, right, split: split(width), ..Sheet::default() };
    };
    let mut right = words("Resumes", &whom(model, row), room, theme);
    let mode = match row.mode {
        HaltMode::ReduceOnly => "reduce-only",
        HaltMode::NoNewOrders => "no new orders",
        HaltMode::Flatten => "flatten",
    };
    right.extend(words("Mode", mode, room, theme));
    let since = format!("{} since {}", row.set_by, format::time(row.set_at, model.now));
    right.extend(words("Set by", &since, room, theme));
    right.extend(words("Reason", &row.reason, room, theme));
    let account = row.account.filter(|_| row.scope == Scope::Account);
    let others = model.desk.halts_on(account, None).len().saturating_sub(1);
    if account.is_some() && others > 0 {
        let text = format!("Remains halted by other halts: {others}.");
        right.extend(popup::paragraph(&text, room, theme.style(Class::Warning)));
    }
    right.push(Line::raw(""));
    let breached = breached(model, row);
    if breached.is_empty() {
        let text = "No limits in breach.";
        right.extend(popup::paragraph(text, room, theme.style(Class::Good)));
    } else {
        let text = format!("Limits still in breach: {}", breached.len());
        right.extend(popup::paragraph(&text, room, theme.style(Class::Critical)));
        for line in breached.iter().take(LISTED) {
            right.extend(popup::paragraph(line, room, theme.style(Class::Critical)));
        }
    }
    Sheet { left, right, split: split(width), ..Sheet::default() }
}
