//! Text that came from outside, made safe to show.
//!
//! Rows, payloads, configuration, pasted text and error messages can hold anything: escape
//! sequences that repaint the screen, line breaks that ratatui silently drops (`"BUY\n1000"` would
//! read `BUY1000`), marks that turn the reading direction round. Each such string passes
//! [`clean`] once, where it enters the program; what it changes stays visible.

use unicode_width::UnicodeWidthChar;

/// Most characters that a single cleaned string keeps. Longer text ends in `…`.
pub const LONGEST: usize = 512;

/// Most combining marks kept on one base character; more would pile up over other rows.
const MOST_MARKS: usize = 2;

/// Returns `raw` with everything that could act on a terminal, or deceive a reader, replaced by a
/// visible sign, and cut at [`LONGEST`] characters.
///
/// Escape becomes `␛`, line feed `␤`, carriage return `␍`, tab `␉`; every other control,
/// direction mark, invisible or unassigned character becomes U+FFFD.
///
/// ```
/// use tmt::domain::text::clean;
/// assert_eq!(clean("BUY\n1000"), "BUY␤1000");
/// assert_eq!(clean("\u{1b}[2J"), "␛[2J");
/// assert_eq!(clean("\u{202e}1.5"), "\u{fffd}1.5");
/// ```
pub fn clean(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len().min(LONGEST));
    let mut marks = 0;
    let mut kept = 0;
    for character in raw.chars() {
        if kept == LONGEST {
            out.push('…');
            break;
        }
        let shown = visible(character);
        if shown.width() == Some(0) {
            marks += 1;
            // A mark with nothing to stand on would join the border of the pane.
            if marks > MOST_MARKS || out.is_empty() {
                continue;
            }
        } else {
            marks = 0;
        }
        out.push(shown);
        kept += 1;
    }
    out
}

/// Returns what is shown for one character.
fn visible(character: char) -> char {
    match character {
        '\u{1b}' => '␛',
        '\n' => '␤',
        '\r' => '␍',
        '\t' => '␉',
        hidden if hidden.is_control() || deceives(hidden) => char::REPLACEMENT_CHARACTER,
        other => other,
    }
}

/// Characters that are drawn as nothing, or that reorder or join what stands around them.
fn deceives(character: char) -> bool {
    matches!(character,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' | '\u{e000}'..='\u{f8ff}'
        | '\u{f0000}'..='\u{ffffd}' | '\u{100000}'..='\u{10fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_scalar_value_reaches_the_terminal_as_a_command() {
        for character in (0..=0x0010_ffff_u32).filter_map(char::from_u32) {
            let shown = clean(&format!("a{character}b"));
            assert!(
                shown.chars().all(|c| !c.is_control() && !deceives(c)),
                "U+{:04X} passes",
                u32::from(character)
            );
        }
    }

    #[test]
    fn marks_do_not_pile_up() {
        let tower = format!("e{}", "\u{301}".repeat(200));
        assert_eq!(clean(&tower), "e\u{301}\u{301}");
        assert_eq!(clean("\u{301}x"), "x");
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        let cut = clean(&"x".repeat(LONGEST + 1));
        assert_eq!(cut.chars().count(), LONGEST + 1);
        assert!(cut.ends_with('…'));
    }
}
