//! The panes and the lines around them: figures, ages, totals, selection, footer.

use std::time::Duration;

use ratatui::layout::Position;
use ratatui::style::Color;
use rstest::rstest;
use tmt::app::Msg;
use tmt::app::pane::Pane;
use tmt::domain::account::Environment;
use tmt::domain::ids::PositionId;
use tmt::domain::rows::Rows;
use tmt::ui::{Shown, Theme};

use crate::frame::{LARGE, MEDIUM, SMALL, Size, draw, frame, press_and_draw};
use crate::{desk, rows, scenes};

#[rstest]
#[case::live(Environment::Live, "[ LIVE ]", (Color::White, Color::Red))]
#[case::paper(Environment::Paper, "[ PAPER ]", (Color::Black, Color::Cyan))]
#[case::demo(Environment::Demo, "[ DEMO ]", (Color::White, Color::Blue))]
fn each_environment_has_its_badge(
    #[case] environment: Environment,
    #[case] text: &str,
    #[case] colours: (Color, Color),
) {
    let mut console = desk::normal();
    let mut accounts = rows::accounts();
    for row in &mut accounts {
        row.environment = environment;
    }
    console.rows(Rows::Accounts(accounts));
    assert_eq!(draw(&mut console, MEDIUM).colours_of(text), colours);
}

#[test]
fn figures_of_a_stale_pane_are_dimmed() {
    let drawn = draw(&mut scenes::database_down(), MEDIUM);
    assert_eq!(drawn.colours_of("+145.00").0, Color::White, "the selected row, on its own ground");
    assert_eq!(drawn.colours_of("+42.61").0, Color::DarkGray);
    assert_eq!(drawn.colours_of("STALE").0, Color::LightRed);
    assert_eq!(draw(&mut desk::normal(), MEDIUM).colours_of("+42.61").0, Color::Green);
}

#[test]
fn ages_turn_yellow_and_then_red() {
    let mut console = desk::normal();
    assert_eq!(draw(&mut console, MEDIUM).colours_of("live").0, Color::Green);
    console.wait(Duration::from_secs(3));
    assert_eq!(draw(&mut console, MEDIUM).colours_of("live").0, Color::Yellow);
    assert_eq!(draw(&mut console, MEDIUM).colours_of("3.8s").0, Color::Yellow);
    assert_eq!(draw(&mut console, MEDIUM).colours_of("17s").0, Color::LightRed);
}

#[test]
fn totals_never_mix_environments_or_currencies() {
    let mut console = desk::normal();
    let mut accounts = rows::accounts();
    accounts[0].environment = Environment::Demo;
    accounts[1].base_currency = "EUR".to_owned();
    console.rows(Rows::Accounts(accounts));
    let text = draw(&mut console, MEDIUM).text();
    let totals: Vec<&str> = text.lines().filter(|line| line.contains("TOTAL")).collect();
    assert_eq!(totals.len(), 2, "{text}");
    assert!(totals[0].contains("live EUR") && totals[0].contains("live USD"), "{}", totals[0]);
    assert!(totals[0].contains("demo USD ▲ +260.11"), "{}", totals[0]);
}

#[test]
fn heights_are_reported_for_visible_panes_only() {
    let mut console = desk::normal();
    let shown = draw(&mut console, MEDIUM).shown.heights;
    assert!(shown[..5].iter().all(|height| *height > 0), "{shown:?}");
    assert_eq!(shown[5..], [0, 0, 0]);
    console.press("z");
    let shown = draw(&mut console, MEDIUM).shown.heights;
    assert_eq!(shown.iter().filter(|height| **height > 0).count(), 1);
    assert!(shown[Pane::Positions.number() - 1] > 25, "{shown:?}");
    assert_eq!(draw(&mut console, (79, 40)).shown, Shown::default());
}

#[test]
fn the_selected_row_of_a_long_list_is_on_the_screen() {
    let mut console = desk::normal();
    let many = (0..500).map(|number| {
        let mut row = rows::positions().remove(0);
        row.id = PositionId(desk::id(2, 1_000 + number));
        row.size = number.into();
        row
    });
    console.rows(Rows::Positions(many.collect()));
    console.tell(Msg::Resized(MEDIUM.0, MEDIUM.1));
    for keys in ["G", "kkkkkkkk", "<Ctrl-u><Ctrl-u><Ctrl-u>", "gg", "<Ctrl-d>"] {
        let drawn = frame(&console.model, Theme::Colour, MEDIUM);
        console.tell(drawn.shown(console.model.elapsed));
        console.press(keys);
        let text = frame(&console.model, Theme::Colour, MEDIUM).text();
        assert!(text.contains("┃> "), "after {keys}:\n{text}");
    }
}

#[test]
fn help_scrolls_back_at_once_from_beyond_its_end() {
    let mut console = scenes::help();
    let top = ["G", "k", "gg", "j"]
        .map(|keys| press_and_draw(&mut console, keys, SMALL).shown.scrolled.unwrap());
    assert!(top[0] > 50, "{top:?}");
    assert_eq!(top[1..], [top[0] - 1, 0, 1]);
}

#[rstest]
#[case(MEDIUM, Position { x: 11, y: 38 })]
#[case(SMALL, Position { x: 11, y: 22 })]
fn the_cursor_is_where_text_is_typed(#[case] size: Size, #[case] cursor: Position) {
    assert_eq!(draw(&mut scenes::filter(), size).cursor, cursor);
}

#[test]
fn keys_that_would_do_nothing_are_grey() {
    assert_eq!(draw(&mut scenes::viewer(), MEDIUM).colours_of("b buy").0, Color::DarkGray);
    assert_eq!(draw(&mut desk::normal(), MEDIUM).colours_of("b buy").0, Color::Cyan);
}

/// The box and the footer say the same about Enter.
#[rstest]
fn an_acknowledgement_says_that_enter_sends_it(#[values(SMALL, MEDIUM, LARGE)] size: Size) {
    let drawn = draw(&mut scenes::acknowledge(), size);
    assert!(drawn.text().contains("Enter send "));
    assert!(drawn.text().contains("type one, or press 1 to 6"), "{}", drawn.text());
    let footer = drawn.line(size.1 - 1);
    assert!(footer.starts_with("Enter send "), "{footer}");
}

#[test]
fn the_footer_of_an_edited_ticket_says_that_enter_reviews_it() {
    let footer = draw(&mut scenes::ticket_editing(), SMALL).line(23);
    assert!(footer.starts_with("Enter review "), "{footer}");
}

/// The dashboard has a second line for a notice, as long as nothing is typed there.
#[test]
fn a_long_notice_goes_on_in_the_next_line() {
    let mut console = scenes::flattened();
    console.press("<Esc>");
    let drawn = draw(&mut console, MEDIUM);
    assert!(drawn.line(37).contains("Accepted  bravo: 1 of 2 closed."), "{}", drawn.text());
    console.press(":");
    assert_eq!(draw(&mut console, MEDIUM).line(38).trim_end(), ":");
}
