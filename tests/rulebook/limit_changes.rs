//! Limits created, changed and retired, and which accounts they would bind.

use tokio_postgres::Client;
use uuid::Uuid;

use crate::desk::{ALPHA, Desk, text};
use crate::limits::long;
use crate::verbs::{Limit, Verb as _, approve, buy, change, limit, retire, version};

#[tokio::test]
async fn an_invalid_limit_is_refused_with_its_code() {
    let (desk, _) = long().await;
    let ann = desk.officer("ann").await;
    let hours = limit("trading_hours", 1, "list").of_each_account();
    for (limit, code) in [
        (limit("max_bananas", 1, "USD"), "LIMIT_TYPE_UNKNOWN"),
        (limit("max_leverage", 1, "ratio"), "LIMIT_SCOPE_INVALID"),
        (limit("max_exposure", 1, "furlongs!"), "LIMIT_UNIT_UNKNOWN"),
        (limit("max_exposure", 0, "USD"), "LIMIT_VALUE_INVALID"),
        (limit("max_exposure", "NaN", "USD"), "LIMIT_VALUE_INVALID"),
        (limit("max_open_positions", "2.5", "count"), "LIMIT_VALUE_INVALID"),
        (limit("max_exposure", 1, "USD").of_portfolio("minors"), "LIMIT_TARGET_UNKNOWN"),
        (limit("max_exposure", 1, "USD").of(Uuid::new_v4()), "LIMIT_TARGET_UNKNOWN"),
        (limit("max_exposure", 1, "USD").warning(2), "WARNING_INVALID"),
        (limit("min_margin_level", 1, "ratio").of_each_account().warning("0.5"), "WARNING_INVALID"),
        (limit("max_exposure", 1, "USD").until("2001-01-01"), "LIMIT_UNTIL_PAST"),
        (hours.parameters(r#"{"hours": {"open": 1}}"#), "LIMIT_PARAMETERS_INVALID"),
    ] {
        limit.send(&ann).await.refused(code);
    }
}

#[tokio::test]
async fn creating_a_limit_is_immediate_and_retiring_it_needs_two_people() {
    let (desk, trader) = long().await;
    let (ann, bob) = (desk.officer("ann").await, desk.officer("bob").await);
    let mandate = limit("max_exposure", 12_000, "usd").of_portfolio("majors").because("mandate");
    let id = mandate.send(&ann).await.accepted().subject();
    let again = limit("max_exposure", 12_000, "USD").of_portfolio("majors").because("twice");
    again.send(&ann).await.refused("LIMIT_EXISTS");
    assert_eq!(buy(1000).assess(&trader).await.objections(), ["MAX_EXPOSURE"]);

    let seen = version(&ann, id).await;
    retire(id, &seen).because(" ").send(&ann).await.refused("REASON_REQUIRED");
    retire(id, "now").because("x").send(&ann).await.refused("LIMIT_CHANGED");
    let end = retire(id, &seen).because("mandate ended").send(&ann).await;
    let proposal = end.accepted_as("PENDING_APPROVAL").subject();
    let lines = buy(1000).assess(&trader).await;
    assert_eq!(lines.objections(), ["MAX_EXPOSURE"], "in force until it is approved");
    approve(proposal).send(&ann).await.refused("FOUR_EYES_SAME_PERSON");
    let approved = approve(proposal).send(&bob).await.accepted();
    assert!(approved.message.contains("no limit"), "{}", approved.message);
    assert_eq!(buy(1000).assess(&trader).await.objections(), [""; 0]);
    assert_eq!(desk.text("SELECT count(*) FROM risk_limits WHERE is_active").await, "0");
}

#[tokio::test]
async fn the_new_value_of_a_limit_suits_its_unit() {
    let desk = Desk::open().await;
    let ann = desk.officer("ann").await;
    let id = limit("max_open_positions", 5, "count").send(&ann).await.accepted().subject();
    let seen = version(&ann, id).await;
    for (value, sentence) in [
        ("2.5", "A count must be a whole number."),
        ("4.00001", "A count must be a whole number."),
        ("100000000000", "A limit must be below 100,000,000,000."),
        ("0.00001", "A limit must be above zero. To stop trading, use a halt."),
        ("-3", "A limit must be above zero. To stop trading, use a halt."),
        ("Infinity", "A limit must be a number."),
    ] {
        let change = change(id, &seen).value(value).because("why");
        let refused = change.send(&ann).await.refused("LIMIT_VALUE_INVALID");
        assert_eq!(refused.message, sentence, "{value}");
    }
}

#[tokio::test]
async fn a_proposal_is_void_once_its_limit_was_changed() {
    let (desk, _) = long().await;
    let (ann, bob) = (desk.officer("ann").await, desk.officer("bob").await);
    let limit = limit("max_exposure", 120_000, "USD").of_portfolio("majors");
    let id = limit.send(&ann).await.accepted().subject();
    let seen = version(&ann, id).await;
    let change = |value: u32| change(id, &seen).value(value).because("reason");
    let looser = change(150_000).send(&ann).await.accepted_as("PENDING_APPROVAL");

    change(100_000).send(&bob).await.accepted();

    approve(looser.subject()).send(&bob).await.refused("LIMIT_CHANGED");
    let told = "SELECT string_agg(event_type || ' ' || (resolution_time IS NULL), ', ' ORDER BY event_type) FROM risk_events
        WHERE dedup_key LIKE '%' || (SELECT limit_id::text FROM risk_limits WHERE limit_value = 150000)";
    assert_eq!(desk.text(told).await, "limit_changed false, limit_proposal_void true");
    let message = desk
        .text("SELECT event_data ->> 'message' FROM risk_events WHERE event_type = 'limit_proposal_void'")
        .await;
    assert!(message.contains("150,000.00 USD, was cancelled"), "{message}");
}

const IMPACT: &str = "coalesce(string_agg(concat_ws(' ', account_name, trim_scale(measured), trim_scale(allowed), unit, state), '; '
    ORDER BY account_name), '-')";

/// Whom another value of a limit would bind: subject, figure, limit, unit and standing.
async fn impact(client: &Client, limit: Uuid, value: Option<&str>) -> String {
    let sql = format!("SELECT {IMPACT} FROM desk.limit_impact($1, $2::text::numeric)");
    text(client, &sql, &[&limit, &value]).await
}

#[tokio::test]
async fn the_impact_of_a_value_names_who_would_be_in_breach() {
    let (desk, trader) = long().await;
    let every = limit("max_leverage", 3, "ratio").of_each_account().insert(&desk).await;
    let both = limit("max_exposure", 20_000, "USD").of_portfolio("majors").insert(&desk).await;
    let count = limit("max_open_positions", 5, "count").insert(&desk).await;
    let size = limit("max_position_size", 50_000, "units").of_each_account().insert(&desk).await;
    let order = limit("max_order_size", 5, "lots").insert(&desk).await;
    for (limit, value, wanted) in [
        (every, None, "alpha 0.11 3 ratio ok; bravo 0 3 ratio ok"),
        (every, Some("0.1"), "alpha 0.11 0.1 ratio breach; bravo 0 0.1 ratio ok"),
        (both, Some("12000"), "majors 11000 12000 USD warning"),
        // A limit checked only before a trade is measured as that trade would find it.
        (count, Some("0.5"), "system 1 0.5 count breach"),
        (size, Some("9000"), "alpha EUR_USD 10000 9000 units breach; bravo 0 9000 units ok"),
        // A limit on orders measures nothing between them.
        (order, Some("1"), "-"),
    ] {
        assert_eq!(impact(&trader, limit, value).await, wanted, "{value:?}");
    }
}

#[tokio::test]
async fn a_limit_that_could_never_bind_is_refused() {
    let (desk, trader) = long().await;
    let ann = desk.officer("ann").await;
    let list = |kind: &str, unit: &str, parameters: &str| {
        limit(kind, 1, unit).of_each_account().parameters(parameters)
    };
    let london = r#"{"hours": {"tz": "Europe/Londn", "open": [["mon 09:00", "fri 17:00"]]}}"#;
    let monday = r#"{"hours": {"open": [["monday 09:00", "fri 17:00"]]}}"#;
    for (limit, code) in [
        (limit("max_exposure", 50, "percent"), "LIMIT_UNIT_UNKNOWN"),
        (limit("max_daily_loss", 50, "pips").of_each_account(), "LIMIT_UNIT_UNKNOWN"),
        (limit("max_exposure", 50, "USD").scope(&"x".repeat(99)), "LIMIT_SCOPE_INVALID"),
        (
            list("restricted_instrument", "list", r#"{"instruments": ["EURO"]}"#),
            "LIMIT_PARAMETERS_INVALID",
        ),
        (
            list("max_correlated_exposure", "USD", r#"{"instruments": []}"#),
            "LIMIT_PARAMETERS_INVALID",
        ),
        (
            list("max_currency_exposure", "USD", r#"{"currency": "gold"}"#),
            "LIMIT_PARAMETERS_INVALID",
        ),
        (list("trading_hours", "list", london), "LIMIT_PARAMETERS_INVALID"),
        (list("trading_hours", "list", monday), "LIMIT_PARAMETERS_INVALID"),
        (limit("max_exposure", 1, "USD").parameters("[1]"), "LIMIT_PARAMETERS_INVALID"),
    ] {
        limit.send(&ann).await.refused(code);
    }
    // Any spelling of an instrument is that instrument.
    let made = list("restricted_instrument", "list", r#"{"instruments": ["eur/usd"]}"#);
    made.send(&ann).await.accepted();
    assert_eq!(buy(1000).assess(&trader).await.objections(), ["RESTRICTED_INSTRUMENT"]);
    desk.run(r#"UPDATE risk_limits SET parameters = '{"instruments": ["EURUSD"]}'"#).await;
    assert_eq!(buy(1000).assess(&trader).await.objections(), ["RESTRICTED_INSTRUMENT"]);
    assert_eq!(impact(&trader, Uuid::new_v4(), Some("5")).await, "-");
}

/// The ticket of a new limit shows what the limit will measure. A preview writes nothing.
#[tokio::test]
async fn the_preview_of_a_limit_equals_its_impact_and_leaves_nothing() {
    let (desk, trader) = long().await;
    let officer = desk.officer("officer").await;
    let rows = "coalesce(string_agg(concat_ws(' ', account_name, trim_scale(measured), trim_scale(allowed), unit, trim_scale(room), state), '; ' ORDER BY account_name), '-')";
    let traces = "SELECT concat_ws(' ', (SELECT count(*) FROM risk_limits), (SELECT count(*) FROM tmt.change_log),
        (SELECT count(*) FROM tmt.audit_log), (SELECT count(*) FROM risk_events))";
    let exposure = |value: u32| limit("max_exposure", value, "USD").of(ALPHA);
    for (limit, wanted) in [
        (
            limit("max_exposure", 10_000, "usd").of(ALPHA),
            Some("alpha 11000 10000 USD -1000 breach"),
        ),
        (exposure(12_000), Some("alpha 11000 12000 USD 1000 warning")),
        (exposure(12_000).warning(11_500), Some("alpha 11000 12000 USD 1000 ok")),
        (
            limit("max_leverage", "0.1", "ratio").of_each_account(),
            Some("alpha 0.11 0.1 ratio -0.01 breach; bravo 0 0.1 ratio 0.1 ok"),
        ),
        (limit("max_exposure", 12_000, "USD").of_portfolio("majors"), None),
        (limit("max_exposure", 5, "percentage").of_instrument("eurusd"), None),
        (limit("max_net_exposure", 5, "percentage"), None),
        (limit("max_daily_loss", "0.5", "fraction").of_each_account(), None),
        (limit("max_drawdown", 1, "percentage").of(ALPHA), None),
        (limit("min_margin_level", 5, "ratio").of_each_account(), None),
        (limit("max_open_risk", 10, "USD").of_each_account(), None),
        // A limit on orders measures nothing between them.
        (limit("max_order_size", 5, "lots"), Some("-")),
    ] {
        let before = desk.text(traces).await;
        let preview = limit.preview(rows, &officer).await.unwrap();
        let preview: String = preview.first().unwrap().try_get(0).unwrap();
        assert_eq!(desk.text(traces).await, before, "{limit:?}");
        if let Some(wanted) = wanted {
            assert_eq!(preview, wanted, "{limit:?}");
        }
        let id = limit.because("x").send(&officer).await.accepted().subject();
        let made = format!("SELECT {rows} FROM desk.limit_impact($1, NULL)");
        assert_eq!(text(&officer, &made, &[&id]).await, preview);
        desk.run("UPDATE risk_limits SET is_active = false").await;
    }
    let pips: Limit = limit("max_exposure", 5, "pips").of_each_account();
    let error = pips.preview("*", &officer).await.unwrap_err();
    let message = error.as_db_error().unwrap().message();
    assert!(message.starts_with("Invalid unit for max_exposure"), "{message}");
    let denied = pips.preview("*", &trader).await.unwrap_err();
    assert_eq!(denied.code().unwrap().code(), "42501");
}
