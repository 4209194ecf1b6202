//! The last lines of the screen: notice, input line, footer.

use std::borrow::Cow;

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::Clear;
use tui_input::Input;
use unicode_width::UnicodeWidthStr;

use super::theme::{Class, Theme};
use super::{format, popup};
use crate::app::keymap::{Action, Binding, Step, View};
use crate::app::model::{Model, Overlay};
use crate::app::prompt::Prompt;
use crate::app::ticket::{FieldName, Form, Stage};
use crate::app::{chord, command};

/// Draws the newest notice, and tells whether it took more than the first line of `area`. Its last
/// line is cut: the whole stands in the log.
pub(super) fn toast(model: &Model, theme: Theme, frame: &mut Frame<'_>, area: Rect) -> bool {
    let Some(notice) = model.toast() else { return false };
    let at = format!("{} ", format::time(notice.at, model.now));
    let lead = at.width();
    let width = usize::from(area.width).saturating_sub(lead);
    let hint = "  L = action log";
    let tone = theme.tone(notice.tone);
    let quiet = theme.style(Class::Quiet);
    let wrapped = popup::wrap(&notice.text, width);
    let lines = usize::from(area.height).min(wrapped.len());
    for (number, (part, row)) in wrapped.iter().zip(area.rows()).enumerate() {
        let is_last = number.saturating_add(1) >= lines;
        let text = if is_last {
            // From here on as much as there is room for.
            format::fit(&wrapped.get(number..).unwrap_or_default().join(" "), width)
        } else {
            part.clone()
        };
        let before = if number == 0 { at.clone() } else { " ".repeat(lead) };
        let blank = width.checked_sub(text.width().saturating_add(hint.width()));
        let mut spans = vec![Span::styled(before, quiet), Span::styled(text, tone)];
        if let Some(blank) = blank.filter(|_| is_last) {
            spans.push(Span::styled(format!("{}{hint}", " ".repeat(blank)), quiet));
        }
        frame.render_widget(Line::from(spans), row);
    }
    lines > 1
}

/// Tells whether a line is being typed at the bottom, or a key waits for its second half.
pub(super) fn is_typing(model: &Model) -> bool {
    !model.pressed.is_empty() || matches!(model.overlay, Overlay::Command(_) | Overlay::Filter(..))
}

/// Draws what is wrong with the `:` line at the end of `area`, and tells whether anything is.
pub(super) fn fault(model: &Model, theme: Theme, frame: &mut Frame<'_>, area: Rect) -> bool {
    let Overlay::Command(Prompt { fault: Some(why), .. }) = &model.overlay else { return false };
    let lines = popup::paragraph(why, usize::from(area.width), theme.style(Class::Warning));
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(area.height);
    let below = Rect { y: area.bottom().saturating_sub(height), height, ..area };
    frame.render_widget(Clear, below);
    frame.render_widget(Text::from(lines), below);
    true
}

/// Draws the `:` or `/` line, or what the keys that were pressed may become.
pub(super) fn prompt(model: &Model, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    match &model.overlay {
        Overlay::Command(prompt) => typed(":", &prompt.input, theme, frame, area),
        Overlay::Filter(input, _) => typed("/", input, theme, frame, area),
        Overlay::None
        | Overlay::Help(_)
        | Overlay::Log(_)
        | Overlay::Detail(..)
        | Overlay::Ticket(_)
            if !model.pressed.is_empty() =>
        {
            continuations(model, theme, frame, area);
        }
        Overlay::None
        | Overlay::Help(_)
        | Overlay::Log(_)
        | Overlay::Detail(..)
        | Overlay::Ticket(_) => {
            frame.render_widget(Span::styled(":", theme.style(Class::Quiet)), area);
        }
    }
}

fn typed(sign: &'static str, input: &Input, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let [before, field] = {
        let width = area.width.min(1);
        let rest = Rect {
            x: area.x.saturating_add(width),
            width: area.width.saturating_sub(width),
            ..area
        };
        [Rect { width, ..area }, rest]
    };
    frame.render_widget(Span::styled(sign, theme.style(Class::Key)), before);
    edit(input, Style::new(), frame, field);
}

/// Draws a line of text that is being typed, scrolled so that its cursor is on the screen.
pub(super) fn edit(input: &Input, style: Style, frame: &mut Frame<'_>, area: Rect) {
    if area.is_empty() {
        return;
    }
    let width = usize::from(area.width);
    let scroll = input.visual_scroll(width.saturating_sub(1));
    let mut skipped = 0;
    let shown: String = input
        .value()
        .chars()
        .skip_while(|c| {
            let is_before = skipped < scroll;
            skipped += unicode_width::UnicodeWidthChar::width(*c).unwrap_or(0);
            is_before
        })
        .collect();
    let text = format::pad(&shown, width, crate::app::cell::Align::Left);
    frame.render_widget(Span::styled(text, style), area);
    let at = input.visual_cursor().saturating_sub(scroll).min(width.saturating_sub(1));
    let x = area.x.saturating_add(u16::try_from(at).unwrap_or(0));
    frame.set_cursor_position(Position { x, y: area.y });
}

/// Shows what the pressed keys may become: `g…  gg first row  gp same instrument in positions`.
fn continuations(model: &Model, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let pressed = chord::spell(&model.pressed);
    let mut spans = vec![Span::styled(format!("{pressed}…"), theme.style(Class::Key))];
    for context in model.contexts() {
        for (binding, keys) in model.options.keymap.of(context) {
            let longer: Vec<&str> = keys
                .split(' ')
                .filter(|key| key.starts_with(&pressed) && key.len() > pressed.len())
                .collect();
            if longer.is_empty() {
                continue;
            }
            spans.push(Span::raw("   "));
            spans.extend(hint(model, binding, &longer.join(" "), theme));
        }
    }
    popup::line(Line::from(spans), frame, area);
}

/// Returns a key and what it does; grey where it cannot be done now.
fn hint(model: &Model, binding: &Binding, keys: &str, theme: Theme) -> [Span<'static>; 2] {
    let obstacle = if binding.action == Action::Ticket(Step::Send) {
        model.send_obstacle()
    } else {
        model.obstacle(binding.action)
    };
    let is_off = obstacle.is_some();
    let (key, class) =
        if is_off { (Class::Quiet, Class::Quiet) } else { (Class::Key, Class::Plain) };
    [
        Span::styled(keys.to_owned(), theme.style(key)),
        Span::styled(format!(" {}", label(model, binding)), theme.style(class)),
    ]
}

/// Returns what a key does now: what can be taken back is not reviewed.
fn label(model: &Model, binding: &Binding) -> &'static str {
    let is_sent = model.ticket().is_some_and(|ticket| ticket.form.kind().is_reversible());
    if is_sent && binding.action == Action::Ticket(Step::ToReview) { "send" } else { binding.label }
}

/// Draws the keys that count now, as many as fit. `?` always does: it shows the rest.
pub(super) fn footer(model: &Model, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let contexts = model.contexts();
    if contexts.is_empty() {
        let text = format::fit(&without_keys(model), usize::from(area.width));
        frame.render_widget(Span::styled(text, theme.style(Class::Quiet)), area);
        return;
    }
    let mut bound: Vec<(usize, &Binding, String)> = Vec::new();
    for (at, context) in contexts.into_iter().enumerate() {
        for (binding, keys) in model.options.keymap.of(context) {
            if binding.footer.is_some() && has_meaning(model, binding.action) {
                let first = keys.split(' ').next().unwrap_or_default().to_owned();
                bound.push((at, binding, first));
            }
        }
    }
    bound.sort_by_key(|(at, binding, _)| (*at, binding.footer));
    let width = |binding: &Binding, keys: &str| keys.width() + 1 + label(model, binding).width();
    let last = bound
        .iter()
        .position(|(_, binding, _)| binding.action == Action::View(View::Help))
        .map(|at| bound.remove(at));
    let kept = last.as_ref().map_or(0, |(_, binding, keys)| width(binding, keys).saturating_add(3));
    let room = usize::from(area.width).saturating_sub(kept);
    let mut spans: Vec<Span<'static>> = Vec::new();
    let mut used = 0;
    let mut group = None;
    for (at, binding, keys) in &bound {
        let gap = match group {
            None => "",
            Some(before) if before == *at => "  ",
            Some(_) => " │ ",
        };
        let wide = width(binding, keys).saturating_add(gap.width());
        if used + wide > room {
            continue;
        }
        used += wide;
        group = Some(*at);
        spans.push(Span::styled(gap, theme.style(Class::Quiet)));
        spans.extend(hint(model, binding, keys, theme));
    }
    if let Some((_, binding, keys)) = &last {
        spans.push(Span::raw("  "));
        spans.extend(hint(model, binding, keys, theme));
    }
    frame.render_widget(Line::from(spans), area);
}

/// Tells whether a key of the ticket means anything for the form that is open.
fn has_meaning(model: &Model, action: Action) -> bool {
    let Some(ticket) = model.ticket() else { return true };
    let Action::Ticket(step) = action else { return true };
    match step {
        Step::RiskSize => matches!(ticket.form, Form::Trade(_)),
        Step::Reprice => ticket.field(FieldName::Price).is_some(),
        Step::TickUp | Step::TickDown => {
            ticket.field(FieldName::Price).is_some() || ticket.field(FieldName::Stop).is_some()
        }
        Step::GiveReason => ticket.field(FieldName::Reason).is_some(),
        Step::WidenScope => matches!(ticket.form, Form::Halt(_)),
        Step::NextField
        | Step::PreviousField
        | Step::ScrollDown
        | Step::ScrollUp
        | Step::ToReview
        | Step::Send
        | Step::BackToEdit => true,
    }
}

/// Returns hints for states without entries in the key table.
fn without_keys(model: &Model) -> Cow<'static, str> {
    let text = match &model.overlay {
        Overlay::Command(prompt) => {
            let words = command::completions(model, prompt);
            if !words.is_empty() && !prompt.input.value().is_empty() {
                return format!("Tab complete   {}", words.join("  ")).into();
            }
            "Enter run  Tab complete  Up history  Esc cancel  e.g. buy EUR_USD 10k"
        }
        Overlay::Filter(..) => {
            "Enter keep   Esc restore   word   !not   column:word   upnl<-500   size>10k"
        }
        Overlay::Ticket(ticket) if ticket.stage == Stage::Sending => "sent; awaiting response",
        Overlay::Ticket(_) => "Esc close; querying by key goes on, nothing is resent",
        Overlay::None | Overlay::Help(_) | Overlay::Log(_) | Overlay::Detail(..) => "",
    };
    text.into()
}
