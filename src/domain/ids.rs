//! Keys of rows. One type per table, so that a trade's key can never be passed for an account's.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use uuid::Uuid;

macro_rules! row_key {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize,
        )]
        pub struct $name(pub Uuid);

        impl $name {
            /// Returns the last eight hexadecimal digits: what a person reads out over the phone.
            /// (The first ones of a time-ordered key are the same for everything made this hour.)
            pub fn short(self) -> String {
                let text = self.0.simple().to_string();
                text.chars().skip(24).collect()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

row_key! {
    /// Key of `accounts`.
    AccountId,
    /// Key of `trades`, unique over all months.
    TradeId,
    /// Key of `positions`.
    PositionId,
    /// Key of `signals`.
    SignalId,
    /// Key of `risk_events`.
    EventId,
    /// Key of `risk_limits`.
    LimitId,
    /// Key of `trading_halts`.
    HaltId,
    /// Key of one write, made by the console when its form opened. The database remembers it for
    /// ever: the same key never writes twice.
    ClientKey,
}

/// Canonical name of an instrument, as `instruments.instrument` has it: `EUR_USD`.
///
/// Cheap to clone: it travels with every quote.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(from = "String", into = "String")]
pub struct InstrumentId(Arc<str>);

impl InstrumentId {
    /// Wraps a name as the database or the bus wrote it.
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for InstrumentId {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<InstrumentId> for String {
    fn from(id: InstrumentId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for InstrumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl std::borrow::Borrow<str> for InstrumentId {
    fn borrow(&self) -> &str {
        &self.0
    }
}
