//! The measurements of `make bench`: one line of JSON each, with a baseline measured in the same run.
//!
//! Absolute values depend on the machine and its load; compare the ratio to the baseline.
//! `cargo bench -- feed` runs only the measurements with `feed` in their name.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    reason = "measures, and prints what it measured"
)]

#[path = "../tests/support/database.rs"]
mod database;
#[path = "../tests/support/desk.rs"]
mod desk;
#[path = "figures/draw.rs"]
mod draw;
#[path = "figures/feed.rs"]
mod feed;
#[path = "figures/migrate.rs"]
mod migrate;
#[path = "figures/program.rs"]
mod program;
#[path = "../tests/support/pty.rs"]
mod pty;
#[path = "figures/write.rs"]
mod write;

use std::time::Duration;

/// Prints a measured value and its baseline.
fn figure(name: &str, unit: &str, value: f64, baseline: &str, baseline_value: f64) {
    let line = serde_json::json!({
        "figure": name,
        "unit": unit,
        "value": rounded(value),
        "baseline": baseline,
        "baseline_value": rounded(baseline_value),
        "ratio": rounded(value / baseline_value),
    });
    println!("{line}");
}

/// Prints counts and bounds that must hold, without a baseline.
fn fact(name: &str, facts: &serde_json::Value) {
    println!("{}", serde_json::json!({ "figure": name, "facts": facts }));
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Returns a quantile of the samples, in milliseconds; `share` is from 0 to 1.
fn quantile(samples: &mut [Duration], share: f64) -> f64 {
    samples.sort_unstable();
    let last = samples.len().saturating_sub(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=last")]
    let at = (last as f64 * share).round() as usize;
    samples.get(at).map_or(f64::NAN, |sample| sample.as_secs_f64() * 1000.0)
}

fn main() {
    // cargo passes `--bench`; the other arguments are names.
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| name.contains(word));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if is_wanted("draw") {
        draw::measure();
    }
    runtime.block_on(async {
        if is_wanted("feed") {
            feed::measure().await;
        }
        if is_wanted("write") {
            write::measure().await;
        }
        if is_wanted("migrate") {
            migrate::measure().await;
        }
        if is_wanted("program") {
            program::measure().await;
        }
    });
}
