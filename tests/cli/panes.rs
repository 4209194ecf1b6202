//! Panes as tables.

use crate::desk::Desk;
use crate::shell::shell;
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::Duration;

#[tokio::test]
async fn panes_are_printed_as_text_json_and_csv() {
    let desk = Desk::with_records().await;
    let shell = shell(&desk, "viewer", "tmt_viewer").await;

    let human = shell.run("accounts");
    assert_eq!((human.code, human.err.as_str()), (0, ""));
    let mut lines = human.out.lines();
    assert!(lines.next().unwrap().starts_with("ACCOUNT"), "{}", human.out);
    let alpha = lines.next().unwrap();
    assert!(alpha.starts_with("alpha") && alpha.contains("100,000.00"), "{alpha}");

    let json = shell.run("accounts --json").json();
    assert_eq!(json[0]["id"], "00000000-0000-0000-0000-0000000000a1");
    assert_eq!((&json[0]["account"], &json[0]["balance"]), (&"alpha".into(), &"100000".into()));
    assert_eq!(json[1]["prop firm"], Value::Null, "absent is absent");

    let csv = shell.run("limits --csv").out;
    let mut records = csv.split("\r\n");
    assert!(records.next().unwrap().starts_with("id,limit,scope,applies_to,value,"), "{csv}");
    let row = records.next().unwrap();
    assert!(
        row.starts_with("00000000-0000-0000-0000-0000000000b1,max_exposure,account,alpha,150000,")
    );

    for pane in ["positions", "trades", "signals", "events", "agents"] {
        assert_eq!(shell.run(pane).code, 0, "{pane}");
        assert!(shell.run(&format!("{pane} --json")).json().is_array(), "{pane}");
    }
}

#[tokio::test]
async fn csv_escapes_formulas() {
    let desk = Desk::with_records().await;
    let sql = "UPDATE accounts SET account_name = '=cmd|calc!A1', broker = 'a\"b,c' WHERE account_name = 'alpha'";
    desk.admin.batch_execute(sql).await.unwrap();
    let csv = shell(&desk, "viewer", "tmt_viewer").await.run("accounts --csv").out;
    assert!(csv.contains(",'=cmd|calc!A1,") && csv.contains("\"a\"\"b,c\""), "{csv}");
}

#[tokio::test]
async fn a_closed_pipe_is_quiet() {
    let desk = Desk::with_records().await;
    let login = desk.database.login("viewer", "tmt_viewer").await;
    let mut child = Command::new(env!("CARGO_BIN_EXE_tmt"))
        .args(["events", "--json"])
        .env_clear()
        .env("DATABASE_URL", desk.database.url_as(&login))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn a_watched_pane_is_printed_again_when_it_changes() {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let desk = Desk::with_records().await;
    let login = desk.database.login("viewer", "tmt_viewer").await;
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_tmt"))
        .args(["accounts", "--json", "--watch"])
        .env_clear()
        .env("DATABASE_URL", desk.database.url_as(&login))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = async || -> Value {
        let line = tokio::time::timeout(Duration::from_secs(20), lines.next_line()).await;
        serde_json::from_str(&line.unwrap().unwrap().unwrap()).unwrap()
    };
    assert_eq!(next().await[0]["status"], "active");
    desk.admin.batch_execute("UPDATE accounts SET status = 'suspended'").await.unwrap();
    assert_eq!(next().await[0]["status"], "suspended");
    let pid = rustix::process::Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(child.wait().await.unwrap().success());
}
