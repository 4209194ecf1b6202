//! Every screen as text, at three sizes and in every state of the world; and what must hold on all
//! of them: nothing panics, nothing is drawn over the first lines, no frame is broken.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a fixture that cannot be set up fails its test"
)]

#[path = "screens/desk.rs"]
mod desk;
#[path = "screens/market.rs"]
mod market;
#[path = "screens/risk.rs"]
mod risk;
#[path = "screens/rows.rs"]
mod rows;
#[path = "screens/scenes.rs"]
mod scenes;

use std::time::Duration;

use desk::Desk;
use ratatui::Terminal;
use ratatui::backend::{Backend, TestBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Position;
use ratatui::style::Color;
use rust_decimal::dec;
use scenes::SCENES;
use tmt::app::pane::Pane;
use tmt::app::{Model, Msg, update};
use tmt::domain::account::Environment;
use tmt::domain::outcome::Finding;
use tmt::domain::rows::Rows;
use tmt::domain::text::clean;
use tmt::ui::{self, Shown, Theme};

/// Sizes of the snapshots: the smallest, the smallest with a dashboard, a large one.
const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

/// One frame, and where it left the cursor.
struct Frame {
    buffer: Buffer,
    shown: Shown,
    cursor: Position,
}

impl Frame {
    /// Returns what the loop says when the frame is on the screen.
    fn shown(&self, elapsed: Duration) -> Msg {
        let Shown { heights, scrolled } = self.shown;
        Msg::FrameShown { elapsed, heights, scrolled }
    }

    fn line(&self, y: u16) -> String {
        (0..self.buffer.area.width).map(|x| self.buffer[(x, y)].symbol()).collect()
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for y in 0..self.buffer.area.height {
            text.push_str(self.line(y).trim_end());
            text.push('\n');
        }
        text
    }

    /// Returns the colours of the first place where `text` stands.
    fn colours_of(&self, text: &str) -> (Color, Color) {
        let area = self.buffer.area;
        for y in 0..area.height {
            for x in 0..area.width {
                let found = text.chars().enumerate().all(|(at, wanted)| {
                    let place = (x.saturating_add(u16::try_from(at).unwrap()), y);
                    let cell = self.buffer.cell(place);
                    cell.is_some_and(|cell| cell.symbol() == wanted.to_string())
                });
                if found {
                    return (self.buffer[(x, y)].fg, self.buffer[(x, y)].bg);
                }
            }
        }
        panic!("{text:?} is not on the screen:\n{}", self.text());
    }
}

fn frame(model: &Model, theme: Theme, (columns, rows): (u16, u16)) -> Frame {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    let mut shown = Shown::default();
    terminal.draw(|frame| shown = ui::view(model, theme, frame)).unwrap();
    let cursor = terminal.backend_mut().get_cursor_position().unwrap();
    Frame { buffer: terminal.backend().buffer().clone(), shown, cursor }
}

/// Draws twice, as the loop does: the second frame knows how many rows fitted into the first.
fn draw(desk: &mut Desk, size: (u16, u16)) -> Frame {
    desk.tell(Msg::Resized(size.0, size.1));
    let first = frame(&desk.model, Theme::Colour, size);
    // On a copy: a frame that is shown also arms the confirmation, which is what some screens are
    // about.
    let mut model = desk.model.clone();
    let elapsed = model.elapsed;
    let effects = update(&mut model, first.shown(elapsed));
    assert!(effects.is_empty(), "a frame asks for nothing");
    frame(&model, Theme::Colour, size)
}

#[test]
fn every_screen_looks_as_it_did() {
    for (name, make) in SCENES {
        for (columns, rows) in SIZES {
            let text = draw(&mut make(), (columns, rows)).text();
            insta::assert_snapshot!(format!("{name}_{columns}x{rows}"), text);
        }
    }
}

/// Returns the scene of that name.
fn scene(name: &str) -> Desk {
    let (_, make) =
        SCENES.iter().find(|(known, _)| *known == name).expect("there is no such scene");
    make()
}

#[test]
fn no_size_makes_it_panic_and_below_the_smallest_it_says_so() {
    for name in ["starting", "normal", "ticket_soft", "ack_note", "help", "log", "market", "agents"]
    {
        let mut desk = scene(name);
        for columns in [0, 1, 2, 39, 79, 80, 119, 120, 300] {
            for rows in [0, 1, 2, 23, 24, 39, 40, 100] {
                let text = draw(&mut desk, (columns, rows)).text();
                if columns >= 27 && rows >= 1 && (columns < 80 || rows < 24) {
                    let wanted = format!("Too small: {columns}x{rows}, need 80x24");
                    assert_eq!(text.trim(), wanted);
                }
            }
        }
    }
}

#[test]
fn a_hostile_desk_fits_into_every_size() {
    let mut desk = hostile();
    desk.press("g g b");
    let narrow = (0..=130).map(|columns| (columns, 24));
    let tall = (0..=45).flat_map(|rows| [80, 120].map(|columns| (columns, rows)));
    for size in narrow.chain(tall) {
        assert_frames_hold(&draw(&mut desk, size), "hostile");
    }
    desk.press("Esc Esc");
    for size in [(80, 24), (119, 40), (120, 40), (200, 60)] {
        assert_frames_hold(&draw(&mut desk, size), "hostile");
    }
}

/// Names of every sort that a database can hold, sums that no column was made for.
fn hostile() -> Desk {
    let mut desk = Desk::normal();
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
        row.status = tmt::domain::account::AccountStatus::Active;
        if number % 2 == 0 {
            "EUR".clone_into(&mut row.base_currency);
            row.environment = Environment::Paper;
        }
        row
    });
    desk.rows(Rows::Accounts(accounts.collect()));
    let mut positions = rows::positions();
    for row in &mut positions {
        row.size = dec!(9999999999.99);
    }
    desk.rows(Rows::Positions(positions));
    desk
}

/// Every line that begins with a frame ends with one: nothing was pushed over it.
fn assert_frames_hold(drawn: &Frame, name: &str) {
    for y in 0..drawn.buffer.area.height {
        let line = drawn.line(y);
        let begins = line.starts_with(['│', '┃', '┌', '┏', '└', '┗', '┠']);
        let ends = line.trim_end().ends_with(['│', '┃', '█', '┐', '┓', '┘', '┛', '┨']);
        assert!(!begins || ends, "{name}, line {y}:\n{}", drawn.text());
    }
}

#[test]
fn no_frame_is_broken_on_any_screen() {
    for (name, make) in SCENES {
        let mut desk = make();
        for size in [(80, 24), (97, 31), (119, 40), (120, 40), (131, 44)] {
            assert_frames_hold(&draw(&mut desk, size), name);
        }
    }
}

#[test]
fn nothing_covers_status_halts_and_alarm() {
    let mut bare = Desk::normal();
    for size in SIZES {
        let expected: Vec<String> = {
            let drawn = draw(&mut bare, size);
            [1, 2].map(|y| drawn.line(y)).to_vec()
        };
        for name in ["ticket_review", "ack_note", "limit_edit", "halt", "help", "log", "detail"] {
            let drawn = draw(&mut scene(name), size);
            assert!(drawn.line(0).starts_with("[ LIVE ] tmt"), "{name}");
            // The log's desk has a write without an answer, which the line tells.
            if name != "log" {
                assert_eq!(drawn.line(1), expected[0], "{name}");
            }
            // What comes behind the alarm is for the role.
            let alarm = |line: &str| line.chars().take(60).collect::<String>();
            assert_eq!(alarm(&drawn.line(2)), alarm(&expected[1]), "{name}");
        }
    }
}

#[test]
fn the_plain_theme_uses_no_colour() {
    for (name, make) in SCENES {
        let drawn = frame(&make().model, Theme::Plain, (120, 40));
        for cell in drawn.buffer.content() {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{name}");
        }
    }
}

#[test]
fn colour_says_nothing_that_the_signs_do_not_say() {
    for (name, make) in SCENES {
        let model = make().model;
        let coloured = frame(&model, Theme::Colour, (120, 40)).text();
        assert_eq!(coloured, frame(&model, Theme::Plain, (120, 40)).text(), "{name}");
    }
}

#[test]
fn each_environment_has_its_badge() {
    for (environment, text, colours) in [
        (Environment::Live, "[ LIVE ]", (Color::White, Color::Red)),
        (Environment::Paper, "[ PAPER ]", (Color::Black, Color::Cyan)),
        (Environment::Demo, "[ DEMO ]", (Color::White, Color::Blue)),
    ] {
        let mut desk = Desk::normal();
        let mut accounts = rows::accounts();
        for row in &mut accounts {
            row.environment = environment;
        }
        desk.rows(Rows::Accounts(accounts));
        assert_eq!(draw(&mut desk, (120, 40)).colours_of(text), colours);
    }
}

#[test]
fn an_old_pane_has_no_bright_figure() {
    let drawn = draw(&mut scene("database_down"), (120, 40));
    assert_eq!(drawn.colours_of("+145.00").0, Color::White, "the selected row, on its own ground");
    assert_eq!(drawn.colours_of("+42.61").0, Color::DarkGray);
    assert_eq!(drawn.colours_of("STALE").0, Color::LightRed);
    assert_eq!(draw(&mut Desk::normal(), (120, 40)).colours_of("+42.61").0, Color::Green);
}

#[test]
fn ages_turn_amber_and_then_red() {
    let mut desk = Desk::normal();
    assert_eq!(draw(&mut desk, (120, 40)).colours_of("live").0, Color::Green);
    desk.wait(Duration::from_secs(3));
    assert_eq!(draw(&mut desk, (120, 40)).colours_of("live").0, Color::Yellow);
    assert_eq!(draw(&mut desk, (120, 40)).colours_of("3.8s").0, Color::Yellow);
    assert_eq!(draw(&mut desk, (120, 40)).colours_of("17s").0, Color::LightRed);
}

#[test]
fn totals_never_mix_environments_or_currencies() {
    let mut desk = Desk::normal();
    let mut accounts = rows::accounts();
    accounts[0].environment = Environment::Demo;
    accounts[1].base_currency = "EUR".to_owned();
    desk.rows(Rows::Accounts(accounts));
    let text = draw(&mut desk, (120, 40)).text();
    let totals: Vec<&str> = text.lines().filter(|line| line.contains("TOTAL")).collect();
    assert_eq!(totals.len(), 2, "{text}");
    assert!(totals[0].contains("live EUR") && totals[0].contains("live USD"), "{}", totals[0]);
    assert!(totals[0].contains("demo USD ▲ +260.11"), "{}", totals[0]);
}

#[test]
fn rows_that_fit_are_reported_for_the_panes_on_the_screen_only() {
    let mut desk = Desk::normal();
    let shown = draw(&mut desk, (120, 40)).shown.heights;
    assert!(shown[..5].iter().all(|height| *height > 0), "{shown:?}");
    assert_eq!(shown[5..], [0, 0, 0]);
    desk.press("z");
    let shown = draw(&mut desk, (120, 40)).shown.heights;
    assert_eq!(shown.iter().filter(|height| **height > 0).count(), 1);
    assert!(shown[Pane::Positions.number() - 1] > 25, "{shown:?}");
    assert_eq!(draw(&mut desk, (79, 40)).shown, Shown::default());
}

#[test]
fn the_selected_row_is_on_the_screen_however_long_the_list() {
    let mut desk = Desk::normal();
    let many = (0..500).map(|number| {
        let mut row = rows::positions().remove(0);
        row.id = tmt::domain::ids::PositionId(desk::id(2, 1_000 + number));
        row.size = number.into();
        row
    });
    desk.rows(Rows::Positions(many.collect()));
    let size = (120, 40);
    desk.tell(Msg::Resized(size.0, size.1));
    for keys in ["G", "k k k k k k k k", "Ctrl-u Ctrl-u Ctrl-u", "g g", "Ctrl-d"] {
        let drawn = frame(&desk.model, Theme::Colour, size);
        desk.tell(drawn.shown(desk.model.elapsed));
        desk.press(keys);
        let text = frame(&desk.model, Theme::Colour, size).text();
        assert!(text.contains("┃> "), "after {keys}:\n{text}");
    }
}

#[test]
fn whoever_scrolled_beyond_the_end_of_the_help_comes_back_at_once() {
    let mut desk = scene("help");
    let size = (80, 24);
    let mut top = Vec::new();
    for keys in ["G", "k", "g g", "j"] {
        desk.press(keys);
        let elapsed = desk.model.elapsed;
        let drawn = frame(&desk.model, Theme::Colour, size);
        desk.tell(drawn.shown(elapsed));
        top.push(drawn.shown.scrolled.unwrap());
    }
    assert!(top[0] > 50, "{top:?}");
    assert_eq!(top[1..], [top[0] - 1, 0, 1]);
}

#[test]
fn the_cursor_stands_where_text_is_typed() {
    let mut desk = scene("filter");
    assert_eq!(draw(&mut desk, (120, 40)).cursor, Position { x: 11, y: 38 });
    assert_eq!(draw(&mut desk, (80, 24)).cursor, Position { x: 11, y: 22 });
}

#[test]
fn what_cannot_be_done_is_grey() {
    assert_eq!(draw(&mut scene("viewer"), (120, 40)).colours_of("b buy").0, Color::DarkGray);
    assert_eq!(draw(&mut Desk::normal(), (120, 40)).colours_of("b buy").0, Color::Cyan);
}

#[test]
fn a_sentence_that_was_not_read_yet_says_that_y_is_off() {
    let mut desk = Desk::normal();
    desk.press("g g x");
    assert!(draw(&mut desk, (120, 40)).text().contains("y is off: read it first"));
    desk.read_it();
    assert!(!draw(&mut desk, (120, 40)).text().contains("y is off"));
}

/// One truth about Enter: the box and the footer say the same.
#[test]
fn an_acknowledgement_is_sent_by_enter_and_every_line_says_so() {
    for size in SIZES {
        let drawn = draw(&mut scene("ack_note"), size);
        assert!(drawn.text().contains("Enter sends it"));
        assert!(drawn.text().contains("type one, or press 1 to 6"), "{}", drawn.text());
        let footer = drawn.line(size.1 - 1);
        assert!(footer.starts_with("Enter send "), "{footer}");
    }
    let footer = draw(&mut scene("ticket_editing"), (80, 24)).line(23);
    assert!(footer.starts_with("Enter review "), "{footer}");
}

/// A tick and a step are no ceilings: a share of them says nothing.
#[test]
fn only_what_has_a_ceiling_has_a_share() {
    let mut desk = Desk::normal();
    desk.press("g g j j b");
    let some = |number| Some(number);
    let line = |code: &str, measured, allowed, unit: &str| {
        let figures = [None, some(measured), some(allowed), None];
        risk::check(code, Finding::Reject, figures, unit, "not a multiple")
    };
    desk.assessed(vec![
        line("PRICE_NOT_A_TICK", dec!(1.086551), dec!(0.00001), "price"),
        line("SIZE_NOT_A_STEP", dec!(10000.5), dec!(1), "units"),
        line("STOP_WRONG_SIDE", dec!(1.09), dec!(1.08655), "price"),
        line("DUPLICATE_ORDER", dec!(3), dec!(5), "seconds"),
        line("MAX_EXPOSURE", dec!(150), dec!(100), "USD"),
    ]);
    let text = draw(&mut desk, (120, 40)).text();
    for line in text.lines().filter(|line| line.contains("HARD ")) {
        let has_share = line.contains('%');
        assert_eq!(has_share, line.contains("MAX EXPOSURE"), "{line}");
    }
    assert!(text.contains("Binds first: MAX_EXPOSURE at 150.0%"), "{text}");
}

/// Whoever confirms a limit reads who is in breach from then on, at every size.
#[test]
fn the_review_of_a_limit_names_who_is_in_breach_at_once() {
    for name in ["limit_edit", "limit_new_review", "approve"] {
        for size in SIZES {
            let text = draw(&mut scene(name), size).text();
            let said = text.replace(['┃', '\n', '│'], " ");
            let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
            let wanted = "IN BREACH AT ONCE: bravo (146,797.00 of 130,000.00 USD)";
            assert!(said.contains(wanted), "{name}:\n{text}");
        }
    }
}

/// A limit and the account's own column can be about the same loss: which is which is on every screen.
#[test]
fn every_check_of_a_limit_says_whose_it_is() {
    for size in SIZES {
        let mut desk = scene("ticket_editing");
        let mut seen = draw(&mut desk, size).text();
        desk.press("PgDn PgDn");
        seen.push_str(&draw(&mut desk, size).text());
        let (own, account, system) = if size.0 < 100 {
            ("own daily loss", "acc daily loss", "sys exposure")
        } else {
            ("own rule  daily loss", "account   daily loss", "system    exposure")
        };
        for wanted in [own, account, system] {
            assert!(seen.contains(wanted), "{wanted}:\n{seen}");
        }
    }
    let mut desk = scene("ticket_editing");
    let own = risk::check(
        "MAX_DRAWDOWN",
        Finding::Reject,
        [None, Some(dec!(120)), Some(dec!(100)), Some(dec!(-20))],
        "USD",
        "Drawdown is 120.00 of 100.00 USD: the limit is reached.",
    );
    desk.tell(Msg::TimePassed {
        now: desk.model.now,
        elapsed: desk.model.elapsed + Duration::from_secs(1),
    });
    desk.assessed(vec![own]);
    let text = draw(&mut desk, (120, 40)).text();
    assert!(text.contains("HARD MAX_DRAWDOWN (account's own): Drawdown is 120.00"), "{text}");
    assert!(text.contains("Binds first: MAX_DRAWDOWN (account's own) at 120.0%"), "{text}");
}

/// Words of the sheet on the right, without the frame.
fn said(text: &str) -> String {
    let right = text.lines().filter_map(|line| line.split('│').nth(1));
    let words = right.map(|line| line.replace('┃', " ")).collect::<Vec<_>>().join(" ");
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A sentence about what passes goes on below; the keys of the ticket are never cut.
#[test]
fn no_sentence_of_a_ticket_is_cut() {
    let text = "This account is halted, reduce only: this trade reduces.";
    for size in [SIZES[0], SIZES[1]] {
        let mut desk = Desk::normal();
        desk.press("g g j j b");
        desk.assessed(vec![risk::check("TRADING_HALT", Finding::Passes, [None; 4], "", text)]);
        let drawn = draw(&mut desk, size).text();
        assert!(said(&drawn).contains(text), "{drawn}");
        assert!(drawn.contains("Esc leaves ") && !drawn.contains("Esc leaves …"), "{drawn}");
    }
}

/// A stop and a target on the wrong side risk and bring nothing that could be named.
#[test]
fn what_is_on_the_wrong_side_has_no_figure() {
    let mut desk = Desk::normal();
    desk.press("g g j j b Tab Tab");
    desk.clear_field();
    desk.type_text("1.2");
    desk.press("Tab");
    desk.clear_field();
    desk.type_text("1.0");
    for size in SIZES {
        let text = draw(&mut desk, size).text();
        for name in ["┃  Risk  ", "┃  Reward  "] {
            let line = text.lines().find(|line| line.contains(name)).unwrap();
            assert!(line.contains("— USD  "), "{line}");
        }
    }
}

/// Of an amount that leaves no room, what stands behind it is left out rather than cut.
#[test]
fn a_huge_size_cuts_no_figure() {
    let mut desk = Desk::normal();
    desk.press("g g j j b");
    desk.clear_field();
    desk.type_text("99999999999");
    let text = draw(&mut desk, (80, 24)).text();
    for name in ["┃  Notional  ", "┃  Risk  ", "┃  Reward  "] {
        let line = text.lines().find(|line| line.contains(name)).unwrap();
        assert!(!line.split('│').next().unwrap().contains('…'), "{line}");
    }
}

/// Whoever ends a halt reads whose limits are still in breach, the account's own rules among them.
#[test]
fn a_resumption_names_whose_limits_are_in_breach() {
    let mut desk = Desk::normal();
    let mut accounts = rows::accounts();
    accounts[2].max_daily_loss = dec!(0.02);
    desk.rows(Rows::Accounts(accounts));
    desk.press("! u");
    for size in [SIZES[0], SIZES[1]] {
        let text = said(&draw(&mut desk, size).text());
        for wanted in [
            "max_daily_loss of carry: 1,002.50 of 1,000.00 USD",
            "max_daily_loss of carry (account's own): 1,002.50 of 500.00 USD",
        ] {
            assert!(text.contains(wanted), "{text}");
        }
    }
}

/// The bar of a limit gives way to where its warning begins.
#[test]
fn the_warning_of_a_limit_is_read_at_every_size() {
    for name in ["limit_edit", "limit_retire", "approve"] {
        for size in SIZES {
            let text = draw(&mut scene(name), size).text();
            assert!(text.contains("warns at 80%"), "{name}:\n{text}");
        }
    }
}

/// What is refused by its sign is no change: nothing else is said of it.
#[test]
fn a_limit_that_is_not_above_zero_says_that_alone() {
    for value in ["-5", "0"] {
        for size in SIZES {
            let mut desk = scene("limit_edit");
            desk.press("Esc Ctrl-u");
            desk.type_text(value);
            let text = draw(&mut desk, size).text();
            assert!(text.contains("must be above zero"), "{text}");
            for contradiction in ["Tightens", "In breach", "Then", "Change  ", "Loosens"] {
                assert!(!text.contains(contradiction), "{value}: {contradiction}\n{text}");
            }
        }
    }
}

/// A border of a pane right below that of a ticket reads as one that is drawn twice.
#[test]
fn no_ticket_ends_just_above_the_end_of_the_panes() {
    for (name, make) in SCENES {
        let text = draw(&mut make(), (80, 24)).text();
        let ends = |line: &str| line.matches('┗').count() + line.matches('┛').count();
        let full: Vec<usize> = text
            .lines()
            .enumerate()
            .filter(|(_, line)| line.chars().count() >= 80 && ends(line) == 2)
            .filter(|(_, line)| line.starts_with('┗') && line.ends_with('┛'))
            .map(|(at, _)| at)
            .collect();
        for pair in full.windows(2) {
            assert!(pair[1] - pair[0] > 2, "{name}:\n{text}");
        }
    }
}

/// A low screen ends the table of checks with a sign, not with the frame; what binds first stays.
#[test]
fn a_table_of_checks_that_does_not_fit_says_so_and_scrolls() {
    let mut desk = scene("ticket_hard");
    let size = (80, 24);
    let scrolled = |desk: &mut Desk, keys: &str| {
        desk.press(keys);
        let drawn = frame(&desk.model, Theme::Colour, size);
        desk.tell(drawn.shown(desk.model.elapsed));
        let text = frame(&desk.model, Theme::Colour, size).text();
        for always in ["Binds first: MAX_EXPOSURE", "0 soft, 1 hard, 10 passed", "CHECK", "REVIEW"]
        {
            assert!(text.contains(always), "{always}:\n{text}");
        }
        text
    };
    desk.tell(Msg::Resized(size.0, size.1));
    let top = scrolled(&mut desk, "PgUp");
    assert!(
        top.contains("more: PgDn") && top.contains("HARD") && !top.contains("trades/day"),
        "{top}"
    );
    let end = scrolled(&mut desk, "PgDn PgDn PgDn");
    assert!(end.contains("above: PgUp") && end.contains("trades/day"), "{end}");
    let back = scrolled(&mut desk, "PgUp PgUp PgUp");
    assert_eq!(back, top);
}

/// The dashboard has a second line for a notice, as long as nothing is typed there.
#[test]
fn a_long_notice_goes_on_in_the_next_line() {
    let mut desk = scene("flattened");
    desk.press("Esc");
    let drawn = draw(&mut desk, (120, 40));
    assert!(drawn.line(37).contains("Accepted  bravo: 1 of 2 closed."), "{}", drawn.text());
    desk.press(":");
    assert_eq!(draw(&mut desk, (120, 40)).line(38).trim_end(), ":");
}

#[test]
#[ignore = "prints the screens named in SCENE at SIZE, to look at them"]
#[expect(clippy::print_stdout, reason = "that is what it is for")]
fn look() {
    let wanted = std::env::var("SCENE").unwrap_or_default();
    let size = std::env::var("SIZE").unwrap_or_else(|_| "120x40".to_owned());
    let (columns, rows) = size.split_once('x').unwrap();
    for (name, make) in SCENES.iter().filter(|(name, _)| wanted.split(',').any(|w| w == *name)) {
        let size = (columns.parse().unwrap(), rows.parse().unwrap());
        println!("{name}\n{}", draw(&mut make(), size).text());
    }
}

/// A halt of everything stops live accounts, whichever row was selected.
#[test]
fn a_wide_halt_carries_the_badge_of_the_most_serious_account() {
    let mut desk = Desk::normal();
    let mut accounts = rows::accounts();
    accounts[0].environment = Environment::Paper;
    desk.rows(Rows::Accounts(accounts));
    desk.press("1 g g ! h");
    let title = |desk: &mut Desk| {
        let text = draw(desk, (120, 40)).text();
        text.lines().find(|line| line.contains("┏ HALT")).unwrap_or_default().to_owned()
    };
    assert!(title(&mut desk).contains("[ PAPER ]"), "{}", title(&mut desk));
    desk.press("Tab");
    assert!(title(&mut desk).contains("[ LIVE ]"), "{}", title(&mut desk));
}
