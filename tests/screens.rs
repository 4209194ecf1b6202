//! Every screen as text, at three sizes and in every state of the world; and what must hold on all
//! of them: nothing panics, nothing is drawn over the first lines, no frame is broken.
//!
//! `cargo nextest run --test screens ticket_review` runs all that is about one screen.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a fixture that cannot be set up fails its test"
)]

#[path = "support/console.rs"]
mod console;
#[path = "screens/desk.rs"]
mod desk;
#[path = "screens/frame.rs"]
mod frame;
#[path = "screens/market.rs"]
mod market;
#[path = "screens/panes.rs"]
mod panes;
#[path = "screens/risk.rs"]
mod risk;
#[path = "screens/rows.rs"]
mod rows;
#[path = "screens/scenes.rs"]
mod scenes;
#[path = "screens/tickets.rs"]
mod tickets;

use console::Console;
use frame::{LARGE, MEDIUM, SMALL, Size, draw, frame};
use ratatui::style::Color;
use rstest::{Context, rstest};
use rust_decimal::dec;
use scenes::each_scene;
use tmt::domain::account::{AccountStatus, Environment};
use tmt::domain::rows::Rows;
use tmt::domain::text::clean;
use tmt::ui::Theme;

each_scene! {
    fn screen_matches_its_snapshot(
        #[case] scene: fn() -> Console,
        #[values(SMALL, MEDIUM, LARGE)] size: Size,
        #[context] context: Context,
    ) {
        let name = context.description.unwrap();
        assert_matches_snapshot(name, size, &draw(&mut scene(), size).text());
    }
}

/// At the root of this program, whose name begins the names of its snapshots.
fn assert_matches_snapshot(scene: &str, (columns, rows): Size, text: &str) {
    insta::assert_snapshot!(format!("{scene}_{columns}x{rows}"), text);
}

each_scene! {
    fn no_frame_is_broken(#[case] scene: fn() -> Console) {
        let mut console = scene();
        for size in [SMALL, (97, 31), (119, 40), MEDIUM, (131, 44)] {
            draw(&mut console, size).assert_unbroken();
        }
        look(&mut console);
    }
}

/// Prints a screen at the size that `SIZE` names, to look at it:
/// `SIZE=97x31 cargo test --test screens no_frame_is_broken::case_02 -- --nocapture`.
#[expect(clippy::print_stdout, reason = "that is what it is for")]
fn look(console: &mut Console) {
    let Ok(size) = std::env::var("SIZE") else { return };
    let (columns, rows) = size.split_once('x').unwrap();
    let size = (columns.parse().unwrap(), rows.parse().unwrap());
    println!("{}", draw(console, size).text());
}

each_scene! {
    fn plain_theme_has_no_colour(#[case] scene: fn() -> Console) {
        let drawn = frame(&scene().model, Theme::Plain, MEDIUM);
        for cell in drawn.buffer.content() {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
        }
    }
}

each_scene! {
    fn colour_adds_no_information(#[case] scene: fn() -> Console) {
        let model = scene().model;
        let coloured = frame(&model, Theme::Colour, MEDIUM).text();
        assert_eq!(coloured, frame(&model, Theme::Plain, MEDIUM).text());
    }
}

each_scene! {
    /// A border of a pane right below that of a ticket reads as one that is drawn twice.
    fn no_ticket_ends_just_above_the_end_of_the_panes(#[case] scene: fn() -> Console) {
        let text = draw(&mut scene(), SMALL).text();
        let ends = |line: &str| line.matches('┗').count() + line.matches('┛').count();
        let full: Vec<usize> = text
            .lines()
            .enumerate()
            .filter(|(_, line)| line.chars().count() >= 80 && ends(line) == 2)
            .filter(|(_, line)| line.starts_with('┗') && line.ends_with('┛'))
            .map(|(at, _)| at)
            .collect();
        for pair in full.windows(2) {
            assert!(pair[1] - pair[0] > 2, "{text}");
        }
    }
}

#[rstest]
#[case::starting(scenes::starting)]
#[case::normal(scenes::normal)]
#[case::ticket_confirm(scenes::ticket_confirm)]
#[case::acknowledge(scenes::acknowledge)]
#[case::help(scenes::help)]
#[case::log(scenes::log)]
#[case::market(scenes::market)]
#[case::agents(scenes::agents)]
fn a_terminal_too_small_is_told_the_size_it_needs(#[case] scene: fn() -> Console) {
    let mut console = scene();
    for columns in [0, 1, 2, 39, 79, 80, 119, 120, 300] {
        for rows in [0, 1, 2, 23, 24, 39, 40, 100] {
            let text = draw(&mut console, (columns, rows)).text();
            if columns >= 27 && rows >= 1 && (columns < 80 || rows < 24) {
                let wanted = format!("Terminal too small: {columns}x{rows}, need 80x24");
                assert_eq!(text.trim(), wanted);
            }
        }
    }
}

/// Names of every sort that a database can hold, sums that no column was made for.
fn hostile() -> Console {
    let mut console = desk::normal();
    let names = [
        "日本語口座日本語口座日本語口座",
        "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
        "\u{202e}evil\u{2066}",
        "a\nb\tc\u{1b}[2J",
        "👩‍👩‍👧‍👦 family",
        "",
    ];
    let accounts = names.iter().zip(1..).map(|(name, number)| {
        let mut row = rows::account(number, &clean(name), dec!(123456789012345.67), dec!(1));
        row.status = AccountStatus::Active;
        if number % 2 == 0 {
            "EUR".clone_into(&mut row.base_currency);
            row.environment = Environment::Paper;
        }
        row
    });
    console.rows(Rows::Accounts(accounts.collect()));
    let mut positions = rows::positions();
    for row in &mut positions {
        row.size = dec!(9999999999.99);
    }
    console.rows(Rows::Positions(positions));
    console
}

#[test]
fn a_hostile_desk_fits_into_every_size() {
    let mut console = hostile();
    console.press("ggb");
    let narrow = (0..=130).map(|columns| (columns, 24));
    let tall = (0..=45).flat_map(|rows| [80, 120].map(|columns| (columns, rows)));
    for size in narrow.chain(tall) {
        draw(&mut console, size).assert_unbroken();
    }
    console.press("<Esc><Esc>");
    for size in [SMALL, (119, 40), MEDIUM, LARGE] {
        draw(&mut console, size).assert_unbroken();
    }
}

#[rstest]
#[case::ticket_review(scenes::ticket_review)]
#[case::acknowledge(scenes::acknowledge)]
#[case::limit_tighten(scenes::limit_tighten)]
#[case::halt(scenes::halt)]
#[case::help(scenes::help)]
#[case::log(scenes::log)]
#[case::detail(scenes::detail)]
fn nothing_covers_status_halts_and_alarm(
    #[case] scene: fn() -> Console,
    #[values(SMALL, MEDIUM, LARGE)] size: Size,
    #[context] context: Context,
) {
    let bare = draw(&mut desk::normal(), size);
    let drawn = draw(&mut scene(), size);
    assert!(drawn.line(0).starts_with("[ LIVE ] tmt"), "{}", drawn.text());
    // The log's desk has a write without an answer, which the line tells.
    if context.description != Some("log") {
        assert_eq!(drawn.line(1), bare.line(1));
    }
    // What comes behind the alarm is for the role.
    let alarm = |line: String| line.chars().take(60).collect::<String>();
    assert_eq!(alarm(drawn.line(2)), alarm(bare.line(2)));
}
