//! Colours and their stand-ins: the only place that names them.

/// Which colours are used. No colour ever says something alone: sign, arrow, word or position says
/// it too, so that the plain theme loses nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Theme {
    /// The terminal's own sixteen colours.
    #[default]
    Colour,
    /// None, as `NO_COLOR` asks: bold, dim and reversed remain.
    Plain,
}
