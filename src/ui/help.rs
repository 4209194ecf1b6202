//! The keys, made from the key table: what each does, what it must pass, who may, and why not now.

use std::collections::BTreeSet;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::theme::{Class, Theme};
use super::{format, popup};
use crate::app::cell::Align;
use crate::app::keymap::{Binding, Context, Danger};
use crate::app::model::Model;
use crate::domain::session::Right;

/// Columns of the keys, of what they do, and of what that needs.
const KEYS: usize = 14;
const LABEL: usize = 29;
const NEEDS: usize = 13;

/// Narrowest width of one column of help.
const COLUMN: u16 = 56;

/// Draws the help, scrolled down by `line`, and returns by how many lines it really is.
pub(super) fn view(
    model: &Model,
    line: usize,
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) -> usize {
    let title = Line::styled(" Keys ", theme.style(Class::Focus).patch(theme.style(Class::Strong)));
    let inner = popup::open(title, "j k scroll │ Esc back", theme, frame, area);
    let count = (inner.width / COLUMN).clamp(1, 3);
    let gap = 2_u16;
    let width = inner.width.saturating_sub(gap.saturating_mul(count.saturating_sub(1))) / count;
    let all = lines(model, theme, usize::from(width));
    let height = usize::from(inner.height);
    // Columns are filled one after the other, from the first line that is scrolled to.
    let room = height.saturating_mul(usize::from(count));
    let skip = line.min(all.len().saturating_sub(room));
    let mut rest = all.into_iter().skip(skip);
    for column in 0..count {
        let x = inner.x.saturating_add(column.saturating_mul(width.saturating_add(gap)));
        let place = Rect { x, width, ..inner }.intersection(inner);
        popup::lines(rest.by_ref().take(height).collect(), 0, frame, place);
    }
    skip
}

/// Returns the contexts, that of the focused pane first.
fn contexts(model: &Model) -> Vec<Context> {
    let mut first = vec![
        Context::of(model.focus),
        Context::List,
        Context::Global,
        Context::Ticket,
        Context::Review,
    ];
    let others = Context::ALL.into_iter().filter(|context| !first.contains(context));
    let others: Vec<Context> = others.collect();
    first.extend(others);
    first
}

fn lines(model: &Model, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for context in contexts(model) {
        let bound: Vec<(&Binding, String)> = model.options.keymap.of(context).collect();
        if bound.is_empty() {
            continue;
        }
        if !lines.is_empty() {
            lines.push(Line::raw(""));
        }
        lines.push(Line::styled(context.title(), theme.style(Class::Strong)));
        // One reason usually holds for several keys: it is shown once.
        let reasons: BTreeSet<String> =
            bound.iter().filter_map(|(binding, _)| model.obstacle(binding.action)).collect();
        for why in reasons {
            let text = format!("grey keys: {why}");
            lines.extend(popup::paragraph(&text, width, theme.style(Class::Warning)));
        }
        for (binding, keys) in bound {
            lines.push(entry(model, binding, &keys, theme));
        }
        if context == Context::Ticket {
            let text = "Typing replaces a prefilled value. Ctrl-u clears a \
                        field; Left and Right choose from a list. 10k is 10000, 1.5m is 1500000.";
            lines.extend(popup::paragraph(text, width, theme.style(Class::Quiet)));
        }
    }
    lines
}

fn entry(model: &Model, binding: &Binding, keys: &str, theme: Theme) -> Line<'static> {
    let is_off = model.obstacle(binding.action).is_some();
    let (key, label) =
        if is_off { (Class::Quiet, Class::Quiet) } else { (Class::Key, Class::Plain) };
    let needs = if is_off { format!("{} (off)", needs(binding)) } else { needs(binding) };
    Line::from(vec![
        Span::styled(format::pad(keys, KEYS, Align::Left), theme.style(key)),
        Span::styled(format::pad(binding.label, LABEL, Align::Left), theme.style(label)),
        Span::styled(format::pad(&needs, NEEDS, Align::Left), theme.style(Class::Quiet)),
    ])
}

/// Returns what a key must pass and who may press it.
fn needs(binding: &Binding) -> String {
    let who = match binding.right {
        Right::Read => "",
        Right::Open | Right::Trade | Right::Halt => "trader",
        Right::Risk => "risk",
    };
    match (binding.danger, who) {
        (Danger::Confirmed, "") => "sends".to_owned(),
        (Danger::Confirmed, who) => format!("y, {who}"),
        (Danger::Typed, "") => "typed".to_owned(),
        (Danger::Typed, who) => format!("typed, {who}"),
        (Danger::Reversible, "") => "immediate".to_owned(),
        (Danger::Reversible, who) => who.to_owned(),
        (Danger::Harmless, _) => String::new(),
    }
}
