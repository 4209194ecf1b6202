//! Events about limits (`spec/wire.md`, section 1).

use crate::domain::unit::Unit;
use std::collections::BTreeSet;

use crate::domain::limit::Standing;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use crate::domain::money::{exact, round};
use crate::domain::standing::LimitStanding;
use crate::feed::wire::Outgoing;

/// Returns the events of changed limits: one per loss that halts an account, and one per other limit
/// in warning or breach. A limit that is ok again has none; consoles find it at their next poll.
///
/// Limits that report the same loss of one account are one event, as in the database: that of the
/// worst.
pub(super) fn rings(news: &[LimitStanding]) -> Vec<Outgoing> {
    let mut said = BTreeSet::new();
    let breaches: Vec<&LimitStanding> =
        news.iter().filter(|limit| limit.state == Standing::Breach).collect();
    let warnings: Vec<&LimitStanding> =
        news.iter().filter(|limit| limit.state == Standing::Warning).collect();
    let unjudged: Vec<&LimitStanding> =
        news.iter().filter(|limit| limit.state == Standing::Unmeasured).collect();
    let mut rings: Vec<Outgoing> = breaches
        .into_iter()
        .chain(warnings)
        .filter(|limit| said.insert((limit.limit_type.as_str(), whom(limit))))
        .map(event)
        .collect();
    // Each of these needs a person.
    rings.extend(unjudged.into_iter().map(event));
    rings
}

fn whom(limit: &LimitStanding) -> String {
    limit.account.map_or_else(|| limit.subject.clone(), |id| id.to_string())
}

fn event(limit: &LimitStanding) -> Outgoing {
    let account = limit.account.map(|id| id.to_string());
    let trips = limit.halts && limit.state == Standing::Breach;
    let (event_type, data) = if trips {
        let data = json!({
            "breaker_type": limit.limit_type,
            "account_id": account,
            "reason": reason(limit),
        });
        ("circuit_breaker_triggered", data)
    } else {
        let data = json!({
            "metric": limit.limit_type,
            "value": figure(limit.measured),
            "threshold": figure(limit.allowed),
            "unit": limit.unit,
            "account_id": account,
            "scope": limit.subject,
            "state": limit.state,
        });
        ("performance_alert", data)
    };
    let mut data = if let Value::Object(data) = data { data } else { Map::new() };
    data.retain(|_, value| !value.is_null());
    let whom = whom(limit);
    let at = limit.since.timestamp_micros();
    Outgoing {
        // The same change has the same id, whichever sentinel publishes it.
        event_id: format!("sentinel_{}_{whom}_{}_{at}", limit.limit_type, limit.state),
        event_type: event_type.to_owned(),
        timestamp: limit.since,
        source: "sentinel".to_owned(),
        data,
        correlation_id: None,
    }
}

/// Returns `max_daily_loss of alpha: 5,010 of 5,000 USD`.
fn reason(limit: &LimitStanding) -> String {
    let unit = limit.unit.as_ref().map_or("", Unit::as_str);
    let text = |value: Option<Decimal>| {
        value.map_or_else(|| "?".to_owned(), |value| exact(round(value, 4)))
    };
    let (measured, allowed) = (text(limit.measured), text(limit.allowed));
    format!("{} of {}: {measured} of {allowed} {unit}", limit.limit_type, limit.subject)
}

/// Returns a figure with its digits, at most four of them behind the point.
fn figure(value: Option<Decimal>) -> Option<String> {
    value.map(|value| round(value, 4).normalize().to_string())
}
