//! The configuration: the shipped file, the origin of values, and the report on a bad file.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be set up fails its test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use tmt::config::{self, Config, Origin, Sources};

/// A configuration file in a temporary folder, readable by its owner only.
struct ConfigFile {
    folder: TempDir,
}

impl ConfigFile {
    fn new(text: &str) -> Self {
        let written = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(written.path(), text).unwrap();
        written.mode(0o600);
        written
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("console.toml")
    }

    fn mode(&self, mode: u32) {
        fs::set_permissions(self.path(), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn sources(&self) -> Sources {
        Sources { file: Some(self.path()), ..Sources::default() }
    }

    /// Loads the file and returns the faults, one per line, without the folder.
    fn faults(&self) -> String {
        let faults = config::load(&self.sources()).unwrap_err().to_string();
        faults.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn setting<'a>(config: &'a Config, key: &str) -> (&'a str, &'a Origin) {
    let found = config.settings.iter().find(|setting| setting.key == key).unwrap();
    (&found.text, &found.origin)
}

#[test]
fn shipped_file_holds_every_key_at_its_default() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/console.toml");
    let of_file = config::load(&Sources { file: Some(shipped), ..Sources::default() }).unwrap();
    let defaults = config::load(&Sources::default()).unwrap();
    let values = |config: &Config| -> Vec<(String, String)> {
        let settings = config.settings.iter();
        settings.map(|setting| (setting.key.clone(), setting.text.clone())).collect()
    };
    assert_eq!(values(&of_file), values(&defaults));
    let missing: Vec<&str> = of_file
        .settings
        .iter()
        .filter(|setting| setting.origin == Origin::Default)
        .map(|setting| setting.key.as_str())
        .collect();
    assert_eq!(missing, [""; 0], "keys missing from config/console.toml");
}

#[test]
fn printed_configuration_loads_to_the_same_values() {
    let before = ConfigFile::new("[ticket]\narm_after = \"1 s\"\n[keys]\nzoom = [\"Z\", \"F9\"]\n");
    let before = config::load(&before.sources()).unwrap();
    let after = config::load(&ConfigFile::new(&before.to_toml()).sources()).unwrap();
    for (one, two) in before.settings.iter().zip(&after.settings) {
        assert_eq!((&one.key, &one.text), (&two.key, &two.text));
    }
}

#[test]
fn later_sources_beat_earlier_ones() {
    let file = ConfigFile::new("[screen]\nold_after = \"3 s\"\nframes_per_second = 20\n");
    let mut sources = file.sources();
    let config = config::load(&sources).unwrap();
    assert_eq!(config.app.old_after, Duration::from_secs(3));
    assert_eq!(
        setting(&config, "screen.old_after").1,
        &Origin::File { path: file.path(), line: 2 }
    );

    sources.variables = variables(&[("TMT_SCREEN_OLD_AFTER", "4 s")]);
    let config = config::load(&sources).unwrap();
    assert_eq!(config.app.old_after, Duration::from_secs(4));
    assert_eq!(config.screen.frame_every, Duration::from_millis(50));

    sources.settings = variables(&[("screen.old_after", "5 s")]);
    let config = config::load(&sources).unwrap();
    assert_eq!(config.app.old_after, Duration::from_secs(5));
    assert_eq!(setting(&config, "screen.old_after"), ("\"5 s\"", &Origin::Flag));
}

#[test]
fn file_is_found_in_home_and_by_its_variable() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".config/tmt");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("console.toml"), "[log]\nfilter = \"debug\"\n").unwrap();
    let named = ConfigFile::new("[log]\nfilter = \"warn\"\n");
    let home_variable = ("HOME", home.path().to_str().unwrap());

    let sources = Sources { variables: variables(&[home_variable]), ..Sources::default() };
    assert_eq!(config::load(&sources).unwrap().log.filter, "debug");

    let path = named.path();
    let both = variables(&[home_variable, ("TMT_CONFIG", path.to_str().unwrap())]);
    let sources = Sources { variables: both, ..Sources::default() };
    assert_eq!(config::load(&sources).unwrap().log.filter, "warn");
}

#[test]
fn all_faults_are_reported_at_once_with_line_and_fix() {
    let file = ConfigFile::new(
        "[ticket]\n\
         arm_after = 300\n\
         risk_fracton = 0.01\n\
         presets = [{ size = 0 }, { sizes = 5 }]\n\
         [feed]\n\
         url = \"http://localhost\"\n\
         commands_kept = \"many\"\n\
         retry_from = \"2 s\"\n\
         [database]\n\
         url = \"postgres://joe@db1/desk?sslmode=mostly\"\n\
         read = \"1 s\"\n\
         [screen]\n\
         colour = \"blue\"\n\
         frames_per_second = 1000\n\
         [keys]\n\
         zooom = \"Z\"\n\
         send = \"Enter\"\n\
         help = \"Ctrl\"\n\
         zoom = \"q\"\n\
         halt = 5\n",
    );
    insta::assert_snapshot!(file.faults(), @r#"
    console.toml:2: ticket.arm_after: is 300, but must be a time of at least "100 ms", so that a review can be read before it is confirmed
    console.toml:3: ticket.risk_fracton: unknown key; did you mean ticket.risk_fraction?
    console.toml:4: ticket.presets: entry 1 must be a table like { asset_class = "fx", size = 10000, stop_pips = 20, target_pips = 40 }, all but size optional and above zero
    console.toml:4: ticket.presets: entry 2 must be a table like { asset_class = "fx", size = 10000, stop_pips = 20, target_pips = 40 }, all but size optional and above zero
    console.toml:6: feed.url: must be like redis://127.0.0.1:6379, rediss://host:6379 (TLS) or redis+unix:///run/redis.sock
    console.toml:7: feed.commands_kept: is "many", but must be a whole number above zero
    console.toml:8: feed.retry_from: is "2 s", but must not be longer than feed.retry_up_to, which is "1 s"
    console.toml:10: database.url: sslmode is "mostly", but must be disable, prefer, require, verify-ca or verify-full
    console.toml:11: database.read_on_server: is "1500 ms", but must be shorter than database.read, which is "1 s"
    console.toml:13: screen.colour: is "blue", but must be one of "auto", "always", "never"
    console.toml:14: screen.frames_per_second: is 1000, but must be a whole number from 1 to 60
    console.toml:16: keys.zooom: unknown action; did you mean zoom?
    console.toml:17: keys.send: action send cannot be on Enter: Enter and Space never confirm
    console.toml:18: keys.help: "Ctrl" is not a key: write one character, Ctrl- and a character, or one of Enter, Esc, Tab, Shift-Tab, Up, Down, Left, Right, Home, End, PgUp, PgDn, Space, Del, Backspace, F1 to F12
    console.toml:19: keys.zoom: key q is bound to both zoom and quit in Everywhere; bind one of them to another key or to "none"
    console.toml:20: keys.halt: is 5, but must be a key like "F5", a list of them, or "none"
    "#);
}

#[test]
fn toml_errors_are_reported_with_their_line() {
    let file =
        ConfigFile::new("[feed]\nurl = \nping_every = \"1 s\"\nping_every = \"2 s\"\n[screen\n");
    insta::assert_snapshot!(file.faults(), @r"
    console.toml:2: invalid TOML: string values must be quoted, expected literal string
    console.toml:4: invalid TOML: duplicate key
    console.toml:5: invalid TOML: unclosed table, expected `]`
    ");
}

#[test]
fn unknown_sections_and_keys_outside_one_are_reported() {
    let file = ConfigFile::new("colour = \"never\"\n[screens]\ncolour = \"never\"\n");
    insta::assert_snapshot!(file.faults(), @r"
    console.toml:1: colour: unknown key; `tmt config` shows all of them
    console.toml:3: screens.colour: unknown key; did you mean screen.colour?
    ");
}

#[test]
fn missing_named_file_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.toml");
    let sources = Sources { file: Some(path.clone()), ..Sources::default() };
    let said = config::load(&sources).unwrap_err().to_string();
    assert!(
        said.starts_with(&path.display().to_string()) && said.contains("cannot be read"),
        "{said}"
    );
}

#[test]
fn a_password_in_a_file_that_others_can_read_is_refused() {
    for text in [
        "[database]\npassword = \"canary\"\n",
        "[database]\nurl = \"postgres://joe:canary@db1/desk\"\n",
        "[database]\nurl = \"host=db1 password=canary\"\n",
        "[feed]\nurl = \"redis://:canary@db1:6379\"\n",
    ] {
        let file = ConfigFile::new(text);
        assert!(config::load(&file.sources()).is_ok(), "{text}");
        for mode in [0o640, 0o604] {
            file.mode(mode);
            let said = file.faults();
            assert!(said.starts_with("console.toml:2: ") && said.contains("chmod 600"), "{said}");
            assert!(!said.contains("canary"), "{said}");
        }
    }
}

#[test]
fn a_password_on_the_command_line_is_refused() {
    for (key, value) in [
        ("database.password", "canary"),
        ("database.url", "postgres://joe:canary@db1/desk"),
        ("feed.url", "redis://:canary@db1"),
    ] {
        let sources = Sources { settings: variables(&[(key, value)]), ..Sources::default() };
        let said = config::load(&sources).unwrap_err().to_string();
        assert!(said.contains("PGPASSWORD") && !said.contains("canary"), "{said}");
    }
}

#[test]
fn no_secret_is_shown() {
    let sources = Sources {
        variables: variables(&[
            ("DATABASE_URL", "postgres://joe:canary1@db1/desk"),
            ("TMT_DATABASE_PASSWORD", "canary2"),
            ("REDIS_URL", "redis://:canary3@db1"),
            ("PGPASSWORD", "canary4"),
        ]),
        ..Sources::default()
    };
    let config = config::load(&sources).unwrap();
    let shown = format!("{}\n{config:?}", config.to_toml());
    assert!(!shown.contains("canary"), "{shown}");
    assert!(shown.contains("postgres://joe:***@db1/desk"), "{shown}");
    assert_eq!(config.store.password.value.unwrap().expose_secret(), "canary2");
    assert_eq!(config.feed.url.expose_secret(), "redis://:canary3@db1");
}

#[test]
fn libpq_variables_beat_the_file_and_fill_gaps_of_an_address() {
    let file = ConfigFile::new("[database]\nurl = \"postgres://joe@db1/desk\"\n");
    let mut sources = file.sources();
    sources.variables = variables(&[("PGUSER", "ann"), ("PGPASSWORD", "p@ss/w?rd")]);
    let store = config::load(&sources).unwrap().store;
    assert_eq!((store.user.as_deref(), store.database.as_deref()), (Some("ann"), Some("desk")));
    assert_eq!(store.password.value.unwrap().expose_secret(), "p@ss/w?rd");

    sources.variables.extend(variables(&[("DATABASE_URL", "postgres://bob@db2/paper")]));
    let store = config::load(&sources).unwrap().store;
    assert_eq!((store.user.as_deref(), store.database.as_deref()), (Some("bob"), Some("paper")));
    assert_eq!(store.password.value.unwrap().expose_secret(), "p@ss/w?rd");
}

#[test]
fn keys_can_be_moved_added_and_unbound() {
    let file = ConfigFile::new("[keys]\nhalt = \"none\"\nzoom = [\"Z\", \"F9\"]\nsend = \"s\"\n");
    let config = config::load(&file.sources()).unwrap();
    assert_eq!(setting(&config, "keys.halt").0, "\"none\"");
    let global = tmt::app::keymap::Context::Global;
    let zoom = config.app.keymap.of(global).find(|(binding, _)| binding.name == "zoom").unwrap();
    assert_eq!(zoom.1, "Z F9");
    assert!(config.app.keymap.of(global).all(|(binding, _)| binding.name != "halt"));
}

#[test]
fn variables_of_other_programs_are_ignored() {
    let sources = Sources {
        variables: variables(&[("TMT_ORCHESTRATOR_URL", "http://x"), ("TMT_SCREEN_OLD_AFTER", "")]),
        ..Sources::default()
    };
    assert!(config::load(&sources).is_ok());
}
