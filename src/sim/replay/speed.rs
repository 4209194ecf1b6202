//! How fast a recording is played.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// How fast recorded quotes are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// A multiple of the recorded pace, 1 or more.
    Times(u32),
    /// As fast as Redis confirms them.
    Max,
}

impl Default for Speed {
    fn default() -> Self {
        Self::Times(1)
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Times(times) => write!(f, "{times}x"),
            Self::Max => f.write_str("max"),
        }
    }
}

/// Neither `max` nor a whole number followed by `x`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "invalid speed {0:?}: expected max, or a whole number up to 100000 followed by x, as in 60x"
)]
pub struct NotASpeed(String);

impl FromStr for Speed {
    type Err = NotASpeed;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let times = text.strip_suffix('x').filter(|digits| !digits.starts_with('+'));
        let times = times.and_then(|digits| digits.parse().ok());
        times
            .filter(|times| (1..=100_000).contains(times))
            .map(Self::Times)
            .ok_or_else(|| NotASpeed(text.chars().take(20).collect()))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1x", Some(Speed::Times(1)))]
    #[case("60x", Some(Speed::Times(60)))]
    #[case("max", Some(Speed::Max))]
    #[case("0x", None)]
    #[case("60", None)]
    #[case("+5x", None)]
    #[case("1.5x", None)]
    #[case("fast", None)]
    fn a_speed_is_max_or_a_number_with_an_x(#[case] text: &str, #[case] speed: Option<Speed>) {
        assert_eq!(text.parse().ok(), speed);
        if let Some(speed) = speed {
            assert_eq!(speed.to_string(), text);
        }
    }
}
