//! Exact numbers from their digits.

use rust_decimal::Decimal;

/// Longest number that is read, in bytes: twice 28 digits, sign, point and exponent.
const LONGEST: usize = 64;

/// Exponents beyond which a `Decimal` (96 bits, scale 28) cannot hold any number.
const LARGEST_EXPONENT: i32 = 56;

/// Reads a number exactly: digits, at most one point with digits on both sides, a minus sign, and
/// an exponent, because Python writes `0.00001` as `1e-05`. What a `Decimal` cannot hold exactly is
/// refused, never rounded: `1e400`, `1e-30`, 40 digits.
pub(super) fn exact(text: &str) -> Option<Decimal> {
    if text.len() > LONGEST {
        return None;
    }
    let (is_negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (number, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((number, power)) => (number, exponent(power)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (number, ""),
    };
    if whole.is_empty() {
        return None;
    }
    let digits = append(append(0, whole)?, fraction)?;
    let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    let (digits, scale) = fitted(digits, scale)?;
    let signed = if is_negative { digits.checked_neg()? } else { digits };
    Decimal::try_from_i128_with_scale(signed, scale).ok()
}

fn exponent(text: &str) -> Option<i32> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_plain = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let power: i32 = if is_plain { text.parse().ok()? } else { return None };
    (power.abs() <= LARGEST_EXPONENT).then_some(power)
}

fn append(start: i128, digits: &str) -> Option<i128> {
    digits.bytes().try_fold(start, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| i128::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// Moves the point to where a `Decimal` can have it, without changing the value.
fn fitted(mut digits: i128, mut scale: i32) -> Option<(i128, u32)> {
    while scale < 0 {
        digits = digits.checked_mul(10)?;
        scale += 1;
    }
    while scale > 28 {
        if digits % 10 != 0 {
            return None;
        }
        digits /= 10;
        scale -= 1;
    }
    Some((digits, u32::try_from(scale).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use rust_decimal::dec;

    #[rstest]
    #[case("1.08431", dec!(1.08431))]
    #[case("2.50", dec!(2.50))]
    #[case("0", dec!(0))]
    #[case("-0.5", dec!(-0.5))]
    #[case("1e-05", dec!(0.00001))]
    #[case("1.2E+3", dec!(1200))]
    #[case("79228162514264337593543950335", Decimal::MAX)]
    #[case("0.0000000000000000000000000001", Decimal::new(1, 28))]
    #[case("1.00000000000000000000000000000000", dec!(1))]
    fn numbers_are_read_exactly(#[case] text: &str, #[case] number: Decimal) {
        assert_eq!(exact(text), Some(number));
    }

    #[test]
    fn trailing_zeros_are_kept() {
        assert_eq!(exact("1.08430").map(|price| price.to_string()).as_deref(), Some("1.08430"));
    }

    #[rstest]
    fn invalid_and_inexact_numbers_are_refused(
        #[values(
            "",
            ".",
            "-",
            "1.",
            ".5",
            "+1",
            "1_000",
            " 1",
            "1 ",
            "1,5",
            "0x10",
            "NaN",
            "Infinity",
            "-Infinity",
            "1e400",
            "1e-400",
            "1e",
            "1e+",
            "1e--1",
            "1e1.5",
            "1.2.3",
            "1e5e5",
            "79228162514264337593543950336",
            "0.00000000000000000000000000001",
            "\u{ff11}.5",
            "1e99999999999",
            "99999999999999999999999999999999999999999999999999999999999999999999999999"
        )]
        text: &str,
    ) {
        assert_eq!(exact(text), None);
    }
}
