//! What the database answered, in the desk's own words.

use crate::domain::unit::Unit;
use crate::domain::unit::UnitChoice;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::domain::code::Code;
use crate::domain::halt::Scope;
use crate::domain::ids::LimitId;
use crate::domain::limit::LimitType;
use crate::domain::outcome::{
    Accepted, Check, Finding, Impact, Item, ItemEnd, Outcome, OutcomeKind, Refusal,
};
use crate::domain::text::clean;
use crate::store::rows::{Bad, Cells};

/// Makes a refusal of a server's error. The exposure check puts its numbers into the detail,
/// as JSON.
pub(super) fn refusal(code: Code, message: String, detail: Option<&str>) -> Refusal {
    let mut refusal = Refusal::plain(code, message);
    let detail: Option<serde_json::Value> = detail.and_then(|text| serde_json::from_str(text).ok());
    if let Some(detail) = detail {
        let number = |name: &str| {
            let value = detail.get(name)?;
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.parse().ok()
        };
        (refusal.measured, refusal.allowed) = (number("measured"), number("allowed"));
        let unit = detail.get("unit").or_else(|| detail.get("currency"));
        refusal.unit = unit.and_then(serde_json::Value::as_str).map(|word| clean(word).into());
    }
    refusal
}

/// Reads the one row of a verb. A row that nobody here can read is still an answer to a write: it
/// may stand.
pub(super) fn verdict(rows: &[Row]) -> Outcome {
    let read = match rows {
        [row] => outcome(&Cells(row)).map_err(|bad| bad.to_string()),
        _ => Err(format!("{} rows", rows.len())),
    };
    read.unwrap_or_else(|why| {
        Outcome::Unknown(format!("the answer cannot be read ({why}); it may have been executed"))
    })
}

fn outcome(cells: &Cells<'_>) -> Result<Outcome, Bad> {
    let code = cells.text_if_any("code")?.map(Code::from);
    let message = cells.text_if_any("message")?;
    match cells.word("outcome", OutcomeKind::from_word)? {
        OutcomeKind::Accepted => {
            // An accepted write stands, whatever its detail looks like.
            let detail = cells.json_if_any("detail").unwrap_or_default().unwrap_or_default();
            Ok(Outcome::Accepted(Accepted {
                subject: cells.id_if_any("subject")?,
                code,
                message: message.unwrap_or_else(|| "done".to_owned()),
                done: ids(detail.get("acknowledged")),
                taken: taken(detail.get("taken")),
                items: items(&detail),
            }))
        }
        OutcomeKind::Refused => Ok(Outcome::Refused(Refusal {
            code: code.unwrap_or(Code::Refused),
            message: message.unwrap_or_else(|| "refused".to_owned()),
            // Numbers that cannot be held make the refusal no less certain.
            measured: cells.number_if_any("measured").unwrap_or_default(),
            allowed: cells.number_if_any("allowed").unwrap_or_default(),
            unit: cells.text_if_any("unit")?.map(Unit::from),
        })),
        OutcomeKind::Unknown => Ok(Outcome::Unknown(message.unwrap_or_default())),
    }
}

/// Reads a list of keys.
fn ids(list: Option<&serde_json::Value>) -> Vec<Uuid> {
    let entries = list.and_then(serde_json::Value::as_array).into_iter().flatten();
    entries.filter_map(|id| id.as_str()?.parse().ok()).collect()
}

/// Reads who had done it before.
fn taken(list: Option<&serde_json::Value>) -> Vec<(Uuid, String)> {
    let entries = list.and_then(serde_json::Value::as_array).into_iter().flatten();
    entries
        .filter_map(|entry| {
            let id = entry.get("event_id")?.as_str()?.parse().ok()?;
            Some((id, clean(entry.get("by")?.as_str()?)))
        })
        .collect()
}

/// Reads what became of each position that was to be closed: those that are, then those that stay.
fn items(detail: &serde_json::Value) -> Vec<Item> {
    let list =
        |name: &str| detail.get(name).and_then(serde_json::Value::as_array).into_iter().flatten();
    let text = |entry: &serde_json::Value, name: &str| {
        entry.get(name).and_then(serde_json::Value::as_str).map(clean)
    };
    let number = |entry: &serde_json::Value, name: &str| {
        let value = entry.get(name)?;
        value.as_str().map_or_else(|| value.to_string(), str::to_owned).parse().ok()
    };
    let item = |entry: &serde_json::Value, end| {
        Some(Item {
            position: text(entry, "position_id")?.parse().ok()?,
            instrument: text(entry, "instrument").unwrap_or_default(),
            end,
        })
    };
    let closed = list("closed").filter_map(|entry| {
        let (size, price) = (number(entry, "size"), number(entry, "price"));
        item(entry, ItemEnd::Closed { size, price, pnl: number(entry, "gross_pnl") })
    });
    let kept = list("kept").filter_map(|entry| {
        let code = text(entry, "code").unwrap_or_default().into();
        let message = text(entry, "message").unwrap_or_default();
        item(entry, ItemEnd::Kept { code, message })
    });
    closed.chain(kept).collect()
}

pub(super) fn impact(cells: &Cells<'_>) -> Result<Impact, Bad> {
    Ok(Impact {
        account: cells.text_if_any("account_name")?,
        measured: cells.number_if_any("measured")?,
        allowed: cells.number_if_any("allowed")?,
        unit: cells.text_if_any("unit")?.map(Unit::from),
        room: cells.number_if_any("room")?,
        state: cells.text("state")?.into(),
    })
}

pub(super) fn limit_type(cells: &Cells<'_>) -> Result<LimitType, Bad> {
    Ok(LimitType {
        name: cells.text("limit_type")?.into(),
        description: cells.text("description")?,
        units: cells.texts("units")?.iter().map(|word| UnitChoice::read(word)).collect(),
        scopes: cells.words("scopes", Scope::from_word)?,
        is_enforced: cells.flag("enforced")?,
    })
}

pub(super) fn check(cells: &Cells<'_>) -> Result<Check, Bad> {
    Ok(Check {
        code: cells.text("code")?.into(),
        finding: cells.word("severity", Finding::from_word)?,
        before: cells.number_if_any("before")?,
        measured: cells.number_if_any("measured")?,
        allowed: cells.number_if_any("allowed")?,
        unit: cells.text_if_any("unit")?.map(Unit::from),
        room: cells.number_if_any("room")?,
        limit: cells.id_if_any("limit_id")?.map(LimitId),
        message: cells.text_if_any("message")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_position_of_a_flatten_has_its_end() {
        let detail = serde_json::json!({
            "closed": [{"position_id": "00000000-0000-0000-0000-000000000007",
                        "instrument": "EUR_USD", "size": "100", "price": 1.08, "gross_pnl": "-3.5"}],
            "kept": [{"position_id": "00000000-0000-0000-0000-000000000008",
                      "instrument": "XAU_USD", "code": "PRICE_UNKNOWN", "message": "no price"}],
        });
        let dec = |value| Some(value);
        assert_eq!(
            items(&detail),
            [
                Item {
                    position: Uuid::from_u128(7),
                    instrument: "EUR_USD".to_owned(),
                    end: ItemEnd::Closed {
                        size: dec(rust_decimal::dec!(100)),
                        price: dec(rust_decimal::dec!(1.08)),
                        pnl: dec(rust_decimal::dec!(-3.5)),
                    },
                },
                Item {
                    position: Uuid::from_u128(8),
                    instrument: "XAU_USD".to_owned(),
                    end: ItemEnd::Kept { code: Code::PriceUnknown, message: "no price".to_owned() },
                },
            ]
        );
        assert_eq!(items(&serde_json::Value::Null), []);
    }

    #[test]
    fn numbers_of_the_exposure_check_reach_the_refusal() {
        let detail = r#"{"measured": 220001.50, "allowed": "150000", "currency": "USD"}"#;
        let refusal = refusal(Code::Rule, "too much".to_owned(), Some(detail));
        assert_eq!(refusal.measured, Some(rust_decimal::dec!(220001.50)));
        assert_eq!(refusal.allowed, Some(rust_decimal::dec!(150000)));
        assert_eq!(refusal.unit, Some(Unit::read("USD")));
        let plain = super::refusal(Code::Rule, "no".to_owned(), Some("not json"));
        assert_eq!((plain.measured, plain.unit), (None, None));
    }
}
