//! What a verb says before and after it writes.

use crate::desk::Desk;
use crate::shell::shell;

#[tokio::test]
async fn the_environment_that_is_said_is_that_of_the_account() {
    let desk = Desk::open().await;
    let live = "UPDATE accounts SET account_type = 'live' WHERE account_name = 'alpha'";
    desk.admin.batch_execute(live).await.unwrap();
    let admin = shell(&desk, "admin", "tmt_admin").await;
    for (line, badge) in [
        ("buy EUR_USD 10k price=1.0851 sl=1.0801 @alpha", "[LIVE]"),
        ("buy EUR_USD 10k price=1.0851 sl=1.0801 @bravo", "[DEMO]"),
        ("halt @bravo", "[DEMO]"),
        ("halt @alpha", "[LIVE]"),
        ("limit new max_open_positions 3 @bravo", "[DEMO]"),
        ("limit set 000000b1 20k", "[LIVE]"),
        // Over several accounts the most serious one counts.
        ("limit new max_open_positions 3", "[LIVE]"),
        ("halt", "[LIVE]"),
    ] {
        let ran = admin.run(&format!("{line} --dry-run"));
        let first = ran.out.lines().next().unwrap_or_default();
        assert!(first.ends_with(badge), "{line}: {ran:?}");
    }
}
