//! Finds the instrument of a file.

use std::path::Path;

use crate::domain::ids::InstrumentId;
use crate::sim::instruments;

/// Returns the instrument at the start of a file name: `EUR_USD-2014…`, `EURUSD_2014…`.
pub(super) fn instrument_of(path: &Path) -> Option<InstrumentId> {
    let name = path.file_name()?.to_str()?;
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let word: String = name.chars().take_while(|c| is_part(*c)).collect();
    let mut parts = word.split('_');
    let (first, second) = (parts.next()?, parts.next());
    let pair = second.map(|second| format!("{first}_{second}"));
    canonical(&word).or_else(|| canonical(pair.as_deref()?)).or_else(|| canonical(first)).or_else(
        || {
            pair.filter(|_| is_currency(first) && second.is_some_and(is_currency))
                .map(|pair| InstrumentId::new(&pair.to_ascii_uppercase()))
        },
    )
}

fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Returns the instrument of the simulated desk with this name or alias.
pub(super) fn canonical(name: &str) -> Option<InstrumentId> {
    let spec = instruments::SPECS.get(instruments::find(name)?)?;
    Some(InstrumentId::new(&spec.name))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("EUR_USD-2014-05-02.csv.gz", Some("EUR_USD"))]
    #[case("USD_JPY-2013-01-01.csv", Some("USD_JPY"))]
    #[case("EURUSD_2014.csv", Some("EUR_USD"))]
    #[case("eurusd.csv", Some("EUR_USD"))]
    #[case("gold-ticks.csv", Some("XAU_USD"))]
    #[case("nok_sek-2014.csv", Some("NOK_SEK"))]
    #[case("ticks-2014.csv", None)]
    #[case("2014-05-02.csv", None)]
    fn the_instrument_stands_at_the_start_of_the_file_name(
        #[case] name: &str,
        #[case] instrument: Option<&str>,
    ) {
        let found = instrument_of(&Path::new("/some/where").join(name));
        assert_eq!(found.as_ref().map(InstrumentId::as_str), instrument);
    }
}
