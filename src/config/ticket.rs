//! `[ticket]`, and the part of `[screen]` that the model uses.

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;

use super::fault::Origin;
use super::raw::{Raw, Value};
use super::reader::Reader;
use crate::app::Options;
use crate::app::model::Preset;

/// With less, a key meant for another window could send.
const LEAST_ARMING: Duration = Duration::from_millis(100);

const PRESET: &str = "a table like { asset_class = \"fx\", size = 10000, stop_pips = 20, \
                      target_pips = 40 }, all but size optional and above zero";

/// Reads both, without the key table.
pub(super) fn read(reader: &mut Reader<'_>) -> Options {
    let mut options = Options::default();
    let must = "a share of equity above 0 and at most 1, like 0.01";
    options.risk_fraction =
        reader.checked("ticket.risk_fraction", options.risk_fraction, must, |share| {
            *share > Decimal::ZERO && *share <= Decimal::ONE
        });
    let must = "a time of at least \"100 ms\", so that a review can be read before it is confirmed";
    options.arm_after =
        reader.checked("ticket.arm_after", options.arm_after, must, |wait| *wait >= LEAST_ARMING);
    options.presets = presets(reader, options.presets);
    options.is_read_only = reader.value("screen.read_only", options.is_read_only);
    options.old_after = reader.positive("screen.old_after", options.old_after);
    options.too_old_after = reader.positive("screen.too_old_after", options.too_old_after);
    if options.old_after >= options.too_old_after {
        let text = format!(
            "is {}, but must be shorter than screen.too_old_after, which is {}",
            options.old_after.write(),
            options.too_old_after.write()
        );
        let origin = reader.either("screen.old_after", "screen.too_old_after");
        reader.fault(origin, "screen.old_after", text);
    }
    options
}

fn presets(reader: &mut Reader<'_>, shipped: Vec<Preset>) -> Vec<Preset> {
    const KEY: &str = "ticket.presets";
    let Some((raw, origin)) = reader.raw(KEY) else {
        reader.note(KEY, written(&shipped), Origin::Default);
        return shipped;
    };
    let Raw::List(entries) = &raw else {
        let text = format!("is {}, but must be a list of tables", raw.quoted());
        reader.fault(origin, KEY, text);
        return shipped;
    };
    let mut presets = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        if let Raw::Table(table) = entry
            && is_preset(table)
        {
            presets.extend(preset(table));
        } else {
            let text = format!("entry {} must be {PRESET}", at.saturating_add(1));
            reader.fault(origin.clone(), KEY, text);
        }
    }
    reader.note(KEY, written(&presets), origin);
    presets
}

fn is_preset(table: &BTreeMap<String, Raw>) -> bool {
    let known = ["asset_class", "size", "stop_pips", "target_pips"];
    table.keys().all(|key| known.contains(&key.as_str())) && preset(table).is_some()
}

/// Reads a preset; `None` if one of its values is invalid.
fn preset(table: &BTreeMap<String, Raw>) -> Option<Preset> {
    let number = |key: &str| -> Option<Option<Decimal>> {
        let Some(raw) = table.get(key) else { return Some(None) };
        Decimal::read(raw).filter(|number| *number > Decimal::ZERO).map(Some)
    };
    let asset_class = match table.get("asset_class") {
        None => None,
        Some(raw) => Some(String::read(raw)?),
    };
    Some(Preset {
        asset_class,
        size: number("size")??,
        stop_pips: number("stop_pips")?,
        target_pips: number("target_pips")?,
    })
}

fn written(presets: &[Preset]) -> String {
    let one = |preset: &Preset| {
        let words = [
            preset.asset_class.as_ref().map(|class| format!("asset_class = {}", class.write())),
            Some(format!("size = {}", preset.size.write())),
            preset.stop_pips.map(|pips| format!("stop_pips = {}", pips.write())),
            preset.target_pips.map(|pips| format!("target_pips = {}", pips.write())),
        ];
        format!("{{ {} }}", words.into_iter().flatten().collect::<Vec<_>>().join(", "))
    };
    format!("[{}]", presets.iter().map(one).collect::<Vec<_>>().join(", "))
}
