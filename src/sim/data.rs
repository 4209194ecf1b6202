//! Reads the files of `config/demo`, which are embedded in the program.

/// Returns what was parsed from an embedded file.
///
/// # Panics
///
/// If it could not be parsed, with the line and key. A test parses every file, so a tested build
/// does not.
#[expect(clippy::panic, reason = "the file is embedded, and a test parses it")]
pub(super) fn embedded<T>(file: &str, read: Result<T, toml::de::Error>) -> T {
    read.unwrap_or_else(|error| panic!("config/demo/{file}: {error}"))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::domain::event::Severity;
    use crate::sim::demo::DEMO;
    use crate::sim::events::EVENTS;
    use crate::sim::{demo, instruments, signals};

    #[test]
    fn every_file_parses_and_the_names_in_it_exist() {
        let is_agent = |name: &str| DEMO.agents.iter().any(|agent| agent.id == name);
        for (account, instrument) in &DEMO.open {
            assert!(DEMO.find(account).is_some(), "{account}");
            assert!(instruments::find(instrument).is_some(), "{instrument}");
        }
        assert!(DEMO.halted().is_some());
        for agent in ["execution-engine", "risk-monitor"].into_iter().chain(signals::makers()) {
            assert!(is_agent(agent), "{agent}");
        }
        for event in &EVENTS.risk {
            assert!(is_agent(&event.source), "{}", event.source);
            assert!(event.account.as_deref().is_none_or(|name| DEMO.find(name).is_some()));
        }
        for severity in Severity::ALL {
            assert!(EVENTS.incidents.iter().any(|incident| incident.severity == severity));
        }
        let limits = demo::limits(chrono::DateTime::UNIX_EPOCH);
        let of_account = limits.iter().filter(|limit| limit.limit_scope == "account");
        assert!(of_account.clone().count() > 10 && limits.len() == 27);
        assert!(of_account.into_iter().all(|limit| limit.account_id.is_some()));
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Small {
        _number: u32,
    }

    #[test]
    #[should_panic(expected = "config/demo/small.toml: TOML parse error at line 2, column 1")]
    fn a_parse_error_names_file_and_line() {
        embedded::<Small>("small.toml", toml::from_str("_number = 3\nnumbre = 4\n"));
    }
}
