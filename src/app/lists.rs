//! Moving through lists: selection, order, marks, other panes.

use super::cell::Tone;
use super::columns;
use super::effect::Effect;
use super::keymap::Motion;
use super::model::{Model, Overlay};
use super::pane::{Pane, RowId};
use super::selection;
use crate::domain::limit::{Limit, LimitState};

/// Lengths of bars that the market pane offers.
pub const TIMEFRAMES: [&str; 4] = ["M1", "M5", "M15", "H1"];

/// Moves the selection, or scrolls what is before the panes.
pub(super) fn move_selection(model: &mut Model, motion: Motion) -> Vec<Effect> {
    let page = model.pane(model.focus).height.max(2);
    let screen = usize::from(model.size.1);
    if let Overlay::Help(line) | Overlay::Log(line) = &mut model.overlay {
        *line = match motion {
            Motion::Down => line.saturating_add(1),
            Motion::Up => line.saturating_sub(1),
            Motion::HalfPageDown => line.saturating_add(screen.div_ceil(2)),
            Motion::HalfPageUp => line.saturating_sub(screen.div_ceil(2)),
            Motion::First => 0,
            Motion::Last => usize::MAX,
        };
        return vec![];
    }
    let rows = model.visible(model.focus);
    let last = rows.len().saturating_sub(1);
    let selected = model.pane(model.focus).selected.as_ref();
    let at = selected.and_then(|id| rows.iter().position(|row| row == id));
    let to = match (motion, at) {
        (Motion::First, _) => 0,
        (Motion::Last, _) => last,
        // Nothing selected: the first press selects the top visible row.
        (_, None) => model.pane(model.focus).offset.min(last),
        (Motion::Down, Some(at)) => at.saturating_add(1).min(last),
        (Motion::Up, Some(at)) => at.saturating_sub(1),
        (Motion::HalfPageDown, Some(at)) => at.saturating_add(page.div_ceil(2)).min(last),
        (_, Some(at)) => at.saturating_sub(page.div_ceil(2)),
    };
    let focus = model.focus;
    model.pane_mut(focus).selected = rows.get(to).cloned();
    scroll(model, focus);
    market_chosen(model)
}

/// Keeps the selected row of a pane on the screen.
pub(super) fn scroll(model: &mut Model, pane: Pane) {
    let rows = model.visible(pane);
    let state = model.pane_mut(pane);
    let height = state.height.max(1);
    let most = rows.len().saturating_sub(height);
    let at = state.selected.as_ref().and_then(|id| rows.iter().position(|row| row == id));
    if let Some(at) = at {
        let lowest = at.saturating_sub(height.saturating_sub(1));
        state.offset = state.offset.clamp(lowest, at);
    }
    state.offset = state.offset.min(most);
}

/// Returns the selected limit as it is now, before other rows of limits are taken.
pub(super) fn chosen_limit(model: &Model) -> Option<Limit> {
    match &model.pane(Pane::Limits).selected {
        Some(RowId::Limit(id)) => model.desk.limits.get(id).cloned(),
        _ => None,
    }
}

/// A changed limit is a new row. The selection moves to its successor: the row that names it, else
/// the only later row of the same type and scope.
pub(super) fn follow_successor(model: &mut Model, before: Option<Limit>) {
    let Some(before) = before else { return };
    let limits = &model.desk.limits;
    if limits.get(&before.id).is_some_and(|row| row.state != LimitState::Ended) {
        return;
    }
    let active = || limits.values().filter(|row| row.state == LimitState::Active);
    let named = active().find(|row| row.supersedes == Some(before.id));
    let key =
        |row: &Limit| (row.limit_type.clone(), row.scope, row.identifier.clone(), row.account);
    // Where a step between them was never seen: only a row that came after it can be in its place.
    let mut alike = active().filter(|row| {
        key(row) == key(&before)
            && row.supersedes.is_some()
            && row.effective_from > before.effective_from
    });
    let only = alike.next().filter(|_| alike.next().is_none());
    if let Some(successor) = named.or(only).map(|row| row.id) {
        model.pane_mut(Pane::Limits).selected = Some(RowId::Limit(successor));
    }
}

/// Shows a pane.
pub(super) fn show_pane(model: &mut Model, pane: Pane) -> Vec<Effect> {
    model.focus = pane;
    market_chosen(model)
}

/// Goes to the next or previous pane.
pub(super) fn cycle_pane(model: &mut Model, forward: bool) -> Vec<Effect> {
    let count = Pane::ALL.len();
    let at = Pane::ALL.iter().position(|pane| *pane == model.focus).unwrap_or(0);
    let next = if forward {
        at.saturating_add(1) % count
    } else {
        at.checked_sub(1).unwrap_or(count.saturating_sub(1))
    };
    Pane::ALL.get(next).map_or_else(Vec::new, |pane| show_pane(model, *pane))
}

/// Orders by the next column; behind the last one comes the pane's own order again.
pub(super) fn sort_next(model: &mut Model) -> Vec<Effect> {
    let count = columns::heads(model.focus).len();
    let next = match model.pane(model.focus).sort {
        None => Some(0),
        Some((column, _)) => Some(column.saturating_add(1)).filter(|next| *next < count),
    };
    sorted(model, next.map(|column| (column, false)))
}

/// Orders the other way round.
pub(super) fn sort_reverse(model: &mut Model) -> Vec<Effect> {
    let (column, is_downward) = model.pane(model.focus).sort.unwrap_or((0, false));
    sorted(model, Some((column, !is_downward)))
}

fn sorted(model: &mut Model, sort: Option<(usize, bool)>) -> Vec<Effect> {
    let focus = model.focus;
    model.pane_mut(focus).sort = sort;
    let heads = columns::heads(focus);
    let head = sort.and_then(|(column, is_downward)| Some((heads.get(column)?, is_downward)));
    let text = match head {
        Some((head, true)) => format!("sorted by {}, descending", head.title),
        Some((head, false)) => format!("sorted by {}", head.title),
        None => "default order".to_owned(),
    };
    model.reply(Tone::Quiet, text);
    scroll(model, focus);
    vec![]
}

/// Marks the visible rows only: an action must not touch rows that were not seen.
pub(super) fn mark_all(model: &mut Model) -> Vec<Effect> {
    let focus = model.focus;
    let rows = model.visible(focus);
    let state = model.pane_mut(focus);
    let seen: Vec<RowId> = rows.into_iter().skip(state.offset).take(state.height.max(1)).collect();
    let count = seen.len();
    state.marked.extend(seen);
    model.reply(Tone::Quiet, format!("{count} rows marked"));
    vec![]
}

/// Marks the selected row, or takes its mark away, and goes to the next one.
pub(super) fn mark(model: &mut Model) -> Vec<Effect> {
    let focus = model.focus;
    let Some(id) = model.selected().cloned() else {
        model.reply(Tone::Quiet, "no row selected: move with j and k");
        return vec![];
    };
    let state = model.pane_mut(focus);
    if !state.marked.remove(&id) {
        state.marked.insert(id);
    }
    move_selection(model, Motion::Down)
}

/// Shows the rows of the selected row's instrument (or account, in risk events) in another pane.
pub(super) fn follow(model: &mut Model, pane: Pane) -> Vec<Effect> {
    let about = selection::subject(model);
    let filter = match pane {
        Pane::Events => about.account.map(|id| format!("account:{}", model.desk.account_name(id))),
        Pane::Accounts
        | Pane::Positions
        | Pane::Trades
        | Pane::Signals
        | Pane::Limits
        | Pane::Market
        | Pane::Agents => about.instrument.map(|id| format!("instr:{id}")),
    };
    let Some(filter) = filter else {
        model.reply(Tone::Quiet, "select a row first");
        return vec![];
    };
    model.pane_mut(pane).filter = filter;
    show_pane(model, pane)
}

/// Longer or shorter bars.
pub(super) fn timeframe(model: &mut Model, longer: bool) -> Vec<Effect> {
    let at = TIMEFRAMES.iter().position(|frame| *frame == model.chart.timeframe).unwrap_or(0);
    let next = if longer { at.saturating_add(1) } else { at.saturating_sub(1) };
    if let Some(frame) = TIMEFRAMES.get(next) {
        (*frame).clone_into(&mut model.chart.timeframe);
    }
    read_bars(model)
}

/// Reads bars when the market pane shows another instrument.
pub(super) fn market_chosen(model: &mut Model) -> Vec<Effect> {
    if model.focus != Pane::Market {
        return vec![];
    }
    if model.pane(Pane::Market).selected.is_none() {
        let first = model.visible(Pane::Market).into_iter().next();
        model.pane_mut(Pane::Market).selected = first;
    }
    read_bars(model)
}

/// Reads the bars of the selected instrument.
pub(super) fn read_bars(model: &mut Model) -> Vec<Effect> {
    let Some(RowId::Instrument(instrument)) = model.pane(Pane::Market).selected.clone() else {
        return vec![];
    };
    if model.chart.instrument.as_ref() != Some(&instrument) {
        model.chart.bars.clear();
        model.chart.instrument = Some(instrument.clone());
    }
    vec![Effect::ReadBars { instrument, timeframe: model.chart.timeframe.clone() }]
}
