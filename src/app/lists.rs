//! Moving through lists: selection, order, marks, other panes.

use super::cell::Tone;
use super::columns;
use super::effect::Effect;
use super::keymap::Action;
use super::model::{Model, Overlay};
use super::opening;
use super::pane::{Pane, RowId};

/// Lengths of bars that the market pane offers.
pub const TIMEFRAMES: [&str; 4] = ["M1", "M5", "M15", "H1"];

/// Moves the selection, or scrolls what is before the panes.
pub(super) fn moved(model: &mut Model, action: Action) -> Vec<Effect> {
    let page = model.pane(model.focus).height.max(2);
    let screen = usize::from(model.size.1);
    if let Overlay::Help(line) | Overlay::Log(line) = &mut model.overlay {
        *line = match action {
            Action::Down => line.saturating_add(1),
            Action::Up => line.saturating_sub(1),
            Action::HalfPageDown => line.saturating_add(screen.div_ceil(2)),
            Action::HalfPageUp => line.saturating_sub(screen.div_ceil(2)),
            Action::First => 0,
            _ => usize::MAX,
        };
        return vec![];
    }
    let rows = model.visible(model.focus);
    let last = rows.len().saturating_sub(1);
    let selected = model.pane(model.focus).selected.as_ref();
    let at = selected.and_then(|id| rows.iter().position(|row| row == id));
    let to = match (action, at) {
        (Action::First, _) => 0,
        (Action::Last, _) => last,
        // Nothing selected: the first press chooses where the eye is, and moves nothing.
        (_, None) => model.pane(model.focus).offset.min(last),
        (Action::Down, Some(at)) => at.saturating_add(1).min(last),
        (Action::Up, Some(at)) => at.saturating_sub(1),
        (Action::HalfPageDown, Some(at)) => at.saturating_add(page.div_ceil(2)).min(last),
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

/// Shows a pane.
pub(super) fn go(model: &mut Model, pane: Pane) -> Vec<Effect> {
    model.focus = pane;
    market_chosen(model)
}

/// Goes to the next or previous pane.
pub(super) fn turn(model: &mut Model, forward: bool) -> Vec<Effect> {
    let count = Pane::ALL.len();
    let at = Pane::ALL.iter().position(|pane| *pane == model.focus).unwrap_or(0);
    let next = if forward {
        at.saturating_add(1) % count
    } else {
        at.checked_sub(1).unwrap_or(count.saturating_sub(1))
    };
    Pane::ALL.get(next).map_or_else(Vec::new, |pane| go(model, *pane))
}

/// Orders by the next column, or the other way round.
pub(super) fn sort(model: &mut Model, action: Action) -> Vec<Effect> {
    let focus = model.focus;
    let heads = columns::heads(focus);
    let state = model.pane_mut(focus);
    state.sort = match (action, state.sort) {
        (Action::SortReverse, Some((column, is_downward))) => Some((column, !is_downward)),
        (Action::SortReverse, None) => Some((0, true)),
        (_, None) => Some((0, false)),
        // Behind the last column comes the pane's own order again.
        (_, Some((column, _))) => {
            let next = column.saturating_add(1);
            (next < heads.len()).then_some((next, false))
        }
    };
    let text =
        match model.pane(focus).sort.and_then(|(column, down)| Some((heads.get(column)?, down))) {
            Some((head, is_downward)) => {
                format!("sorted by {}{}", head.title, if is_downward { ", downward" } else { "" })
            }
            None => "in the pane's own order".to_owned(),
        };
    model.say(Tone::Quiet, text);
    scroll(model, focus);
    vec![]
}

/// Marks the selected row, or all that the pane shows on the screen now.
pub(super) fn mark(model: &mut Model, action: Action) -> Vec<Effect> {
    let focus = model.focus;
    let rows = model.visible(focus);
    if action == Action::MarkAll {
        let state = model.pane_mut(focus);
        // Only what the person can see: a mark on a hidden row would act on what nobody read.
        let seen: Vec<RowId> =
            rows.into_iter().skip(state.offset).take(state.height.max(1)).collect();
        let count = seen.len();
        state.marked.extend(seen);
        model.say(Tone::Quiet, format!("{count} rows marked"));
        return vec![];
    }
    let Some(id) = model.selected().cloned() else {
        model.say(Tone::Quiet, "nothing is selected: j and k choose a row");
        return vec![];
    };
    let state = model.pane_mut(focus);
    if !state.marked.remove(&id) {
        state.marked.insert(id);
    }
    moved(model, Action::Down)
}

/// Shows the rows of the selected row's instrument (or account, in risk events) in another pane.
pub(super) fn follow(model: &mut Model, pane: Pane) -> Vec<Effect> {
    let about = opening::subject(model);
    let filter = match pane {
        Pane::Events => about.account.map(|id| format!("account:{}", model.desk.account_name(id))),
        _ => about.instrument.map(|id| format!("instr:{id}")),
    };
    match filter {
        Some(filter) => {
            model.pane_mut(pane).filter = filter;
            go(model, pane)
        }
        None => {
            model.say(Tone::Quiet, "select a row first");
            vec![]
        }
    }
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
