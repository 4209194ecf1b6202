//! The table itself: one line for each key.

use super::action::{Action, Context, Danger, Motion, Opening, Step, View};
use crate::app::pane::Pane;
use crate::domain::session::Right;

/// One line of the key table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    pub context: Context,
    /// Which keys, each a sequence as [`sequence`](crate::app::chord::sequence) reads it.
    pub keys: &'static [&'static str],
    pub action: Action,
    /// Its name in the configuration.
    pub name: &'static str,
    pub label: &'static str,
    pub danger: Danger,
    pub right: Right,
    /// Place in the footer, small first; `None` stays out of it.
    pub footer: Option<u8>,
}

use Action as A;
use Context as C;
use Danger::{Confirmed, Harmless, Reversible, Typed};
use Right::{Halt as MayHalt, Open, Read, Risk, Trade};

macro_rules! keys {
    ($($context:ident $keys:tt => $action:expr, $name:literal, $label:literal, $danger:ident, $right:ident, $footer:expr;)+) => {
        &[$(Binding {
            context: C::$context, keys: &$keys, action: $action, name: $name, label: $label,
            danger: $danger, right: $right, footer: $footer,
        }),+]
    };
}

/// The key table.
pub const BINDINGS: &[Binding] = keys! {
    Positions ["x"] => A::Open(Opening::Close), "close", "close", Confirmed, Trade, Some(3);
    Positions ["m"] => A::Open(Opening::Amend), "amend", "amend", Confirmed, Trade, Some(4);
    Positions ["e"] => A::Open(Opening::Breakeven), "breakeven", "stop to entry price", Confirmed, Trade, None;
    Trades ["x"] => A::Open(Opening::Close), "close-trade", "close", Confirmed, Trade, Some(3);
    Trades ["m"] => A::Open(Opening::Amend), "amend-trade", "amend", Confirmed, Trade, Some(4);
    Signals ["t"] => A::Open(Opening::Take), "take", "take signal", Confirmed, Open, Some(1);
    Events ["a"] => A::Open(Opening::Acknowledge), "acknowledge", "acknowledge", Reversible, Risk, Some(1);
    Events ["U"] => A::Open(Opening::Unacknowledge), "unacknowledge", "unacknowledge", Reversible, Risk, Some(2);
    Events ["H"] => A::View(View::ShowAcknowledged), "show-acknowledged", "show or hide acknowledged", Harmless, Read, Some(3);
    Limits ["e"] => A::Open(Opening::EditLimit), "edit-limit", "edit limit", Confirmed, Risk, Some(1);
    Limits ["n"] => A::Open(Opening::NewLimit), "new-limit", "new limit", Confirmed, Risk, Some(4);
    Limits ["D"] => A::Open(Opening::RetireLimit), "retire-limit", "retire limit", Confirmed, Risk, None;
    Limits ["+"] => A::Open(Opening::Approve), "approve-limit", "approve", Confirmed, Risk, Some(2);
    Limits ["-"] => A::Open(Opening::Reject), "reject-limit", "reject", Confirmed, Risk, Some(3);
    Market ["."] => A::View(View::NextTimeframe), "next-timeframe", "longer bars", Harmless, Read, Some(3);
    Market [","] => A::View(View::PreviousTimeframe), "previous-timeframe", "shorter bars", Harmless, Read, Some(4);

    Accounts ["b"] => A::Open(Opening::Buy), "buy-in-account", "buy", Confirmed, Open, Some(1);
    Accounts ["s"] => A::Open(Opening::Sell), "sell-in-account", "sell", Confirmed, Open, Some(2);
    Positions ["b"] => A::Open(Opening::Buy), "buy", "buy", Confirmed, Open, Some(1);
    Positions ["s"] => A::Open(Opening::Sell), "sell", "sell", Confirmed, Open, Some(2);
    Trades ["b"] => A::Open(Opening::Buy), "buy-like-trade", "buy", Confirmed, Open, Some(1);
    Trades ["s"] => A::Open(Opening::Sell), "sell-like-trade", "sell", Confirmed, Open, Some(2);
    Signals ["b"] => A::Open(Opening::Buy), "buy-signal", "buy", Confirmed, Open, Some(2);
    Signals ["s"] => A::Open(Opening::Sell), "sell-signal", "sell", Confirmed, Open, Some(3);
    Market ["b"] => A::Open(Opening::Buy), "buy-market", "buy", Confirmed, Open, Some(1);
    Market ["s"] => A::Open(Opening::Sell), "sell-market", "sell", Confirmed, Open, Some(2);

    List ["j", "Down"] => A::Move(Motion::Down), "down", "down", Harmless, Read, None;
    List ["k", "Up"] => A::Move(Motion::Up), "up", "up", Harmless, Read, None;
    List ["g g", "Home"] => A::Move(Motion::First), "first", "first row", Harmless, Read, None;
    List ["G", "End"] => A::Move(Motion::Last), "last", "last row", Harmless, Read, None;
    List ["Ctrl-d", "PgDn"] => A::Move(Motion::HalfPageDown), "page-down", "half page down", Harmless, Read, None;
    List ["Ctrl-u", "PgUp"] => A::Move(Motion::HalfPageUp), "page-up", "half page up", Harmless, Read, None;
    List ["Enter"] => A::View(View::Detail), "detail", "detail", Harmless, Read, Some(20);
    List ["/"] => A::View(View::Filter), "filter", "filter", Harmless, Read, Some(21);
    List ["o"] => A::View(View::SortNext), "sort", "sort", Harmless, Read, Some(22);
    List ["O"] => A::View(View::SortReverse), "sort-reverse", "reverse sort", Harmless, Read, None;
    List ["Space"] => A::View(View::Mark), "mark", "mark row", Harmless, Read, None;
    List ["*"] => A::View(View::MarkAll), "mark-all", "mark all visible rows", Harmless, Read, None;
    List ["g p"] => A::Follow(Pane::Positions), "go-positions", "same instrument in positions", Harmless, Read, None;
    List ["g t"] => A::Follow(Pane::Trades), "go-trades", "same instrument in trades", Harmless, Read, None;
    List ["g s"] => A::Follow(Pane::Signals), "go-signals", "same instrument in signals", Harmless, Read, None;
    List ["g r"] => A::Follow(Pane::Events), "go-events", "same account in risk events", Harmless, Read, None;
    List ["y y"] => A::View(View::CopyRow), "copy-row", "copy row", Harmless, Read, None;

    Global ["1"] => A::Show(Pane::Accounts), "accounts", "accounts", Harmless, Read, None;
    Global ["2"] => A::Show(Pane::Positions), "positions", "positions", Harmless, Read, None;
    Global ["3"] => A::Show(Pane::Trades), "trades", "trades", Harmless, Read, None;
    Global ["4"] => A::Show(Pane::Signals), "signals", "signals", Harmless, Read, None;
    Global ["5"] => A::Show(Pane::Events), "events", "risk events", Harmless, Read, None;
    Global ["6"] => A::Show(Pane::Limits), "limits", "limits", Harmless, Read, None;
    Global ["7"] => A::Show(Pane::Market), "market", "market", Harmless, Read, None;
    Global ["8"] => A::Show(Pane::Agents), "agents", "agents and system events", Harmless, Read, None;
    Global ["Tab"] => A::View(View::NextPane), "next-pane", "next pane", Harmless, Read, Some(30);
    Global ["Shift-Tab"] => A::View(View::PreviousPane), "previous-pane", "previous pane", Harmless, Read, None;
    Global ["z"] => A::View(View::Zoom), "zoom", "zoom", Harmless, Read, Some(31);
    Global ["! h"] => A::Open(Opening::Halt), "halt", "halt: no new orders", Confirmed, MayHalt, Some(40);
    Global ["! r"] => A::Open(Opening::ReduceOnly), "reduce-only", "reduce only", Confirmed, MayHalt, None;
    Global ["! f"] => A::Open(Opening::Flatten), "flatten", "flatten account", Typed, Trade, None;
    Global ["! u"] => A::Open(Opening::Resume), "resume", "resume trading", Confirmed, Risk, None;
    Global ["! a"] => A::View(View::SilenceAlarm), "silence-alarm", "silence alarm", Harmless, Read, None;
    Global ["R", "F5"] => A::View(View::Reload), "reload", "reload all panes", Harmless, Read, None;
    Global [":"] => A::View(View::Command), "command", "command", Harmless, Read, Some(50);
    Global ["L"] => A::View(View::Log), "log", "action log", Harmless, Read, None;
    Global ["?"] => A::View(View::Help), "help", "help", Harmless, Read, Some(51);
    Global ["Ctrl-l"] => A::View(View::Redraw), "redraw", "redraw screen", Harmless, Read, None;
    Global ["Esc"] => A::Back, "back", "back", Harmless, Read, None;
    Global ["q"] => A::Quit, "quit", "back or quit", Harmless, Read, Some(52);

    Ticket ["Tab", "Down"] => A::Ticket(Step::NextField), "next-field", "next field", Harmless, Read, Some(2);
    Ticket ["Shift-Tab", "Up"] => A::Ticket(Step::PreviousField), "previous-field", "previous field", Harmless, Read, None;
    Ticket ["Enter"] => A::Ticket(Step::ToReview), "review", "review", Harmless, Read, Some(1);
    Ticket ["r"] => A::Ticket(Step::RiskSize), "risk-size", "size by risk", Harmless, Read, Some(3);
    Ticket ["="] => A::Ticket(Step::Reprice), "reprice", "current price", Harmless, Read, Some(4);
    Ticket [">"] => A::Ticket(Step::TickUp), "tick-up", "one tick up", Harmless, Read, None;
    Ticket ["<"] => A::Ticket(Step::TickDown), "tick-down", "one tick down", Harmless, Read, None;
    Ticket ["PgDn"] => A::Ticket(Step::ScrollDown), "more-checks", "scroll checks down", Harmless, Read, None;
    Ticket ["PgUp"] => A::Ticket(Step::ScrollUp), "first-checks", "scroll checks up", Harmless, Read, None;
    Ticket ["Esc"] => A::Back, "leave-ticket", "cancel", Harmless, Read, Some(5);

    Review ["y"] => A::Ticket(Step::Send), "send", "send", Confirmed, Read, Some(1);
    Review ["Y"] => A::Ticket(Step::GiveReason), "reason", "add reason", Harmless, Read, Some(2);
    Review ["Tab"] => A::Ticket(Step::WidenScope), "widen-scope", "widen or narrow scope", Harmless, Read, None;
    Review ["PgDn"] => A::Ticket(Step::ScrollDown), "more-checks-review", "scroll checks down", Harmless, Read, None;
    Review ["PgUp"] => A::Ticket(Step::ScrollUp), "first-checks-review", "scroll checks up", Harmless, Read, None;
    Review ["n", "Esc"] => A::Ticket(Step::BackToEdit), "back-to-edit", "back", Harmless, Read, Some(3);

    Reader ["j", "Down"] => A::Move(Motion::Down), "scroll-down", "down", Harmless, Read, Some(1);
    Reader ["k", "Up"] => A::Move(Motion::Up), "scroll-up", "up", Harmless, Read, Some(2);
    Reader ["Ctrl-d", "PgDn", "Space"] => A::Move(Motion::HalfPageDown), "scroll-page-down", "page down", Harmless, Read, None;
    Reader ["Ctrl-u", "PgUp"] => A::Move(Motion::HalfPageUp), "scroll-page-up", "page up", Harmless, Read, None;
    Reader ["g g", "Home"] => A::Move(Motion::First), "scroll-first", "top", Harmless, Read, None;
    Reader ["G", "End"] => A::Move(Motion::Last), "scroll-last", "bottom", Harmless, Read, None;
    Reader ["Esc", "q", "?", "L", "Enter"] => A::Back, "leave-reader", "back", Harmless, Read, Some(3);
};
