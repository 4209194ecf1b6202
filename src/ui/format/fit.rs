//! Text in a given number of columns of the terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::app::cell::Align;

/// Returns `text` in exactly `width` columns: cut with `…`, or filled with blanks.
pub fn pad(text: &str, width: usize, align: Align) -> String {
    let cut = fit(text, width);
    let blanks = " ".repeat(width.saturating_sub(cut.width()));
    match align {
        Align::Left => format!("{cut}{blanks}"),
        Align::Right => format!("{blanks}{cut}"),
    }
}

/// Returns `text`, cut with `…` where it is wider than `width` columns.
pub(in crate::ui) fn fit(text: &str, width: usize) -> String {
    // Text is cleaned where it enters the program. A control character that came all the same would
    // be dropped by ratatui, and the row would shift.
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let text: String = text.chars().map(shown).collect();
    if text.width() <= width {
        return text;
    }
    let Some(room) = width.checked_sub(1) else { return String::new() };
    let mut out = String::new();
    let mut used = 0;
    for character in text.chars() {
        let wide = character.width().unwrap_or(0);
        if used + wide > room {
            break;
        }
        used += wide;
        out.push(character);
    }
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_by_columns_not_by_characters() {
        assert_eq!(pad("日本語口座", 7, Align::Left), "日本語…");
        assert_eq!(pad("日本語口座", 6, Align::Left), "日本… ");
        assert_eq!(pad("alpha", 7, Align::Right), "  alpha");
        assert_eq!(fit("alpha", 0), "");
        assert_eq!(fit("a\tb", 3), "a\u{fffd}b");
    }
}
