//! Where values come from, and what each key came to be.

use std::path::PathBuf;

use super::fault::Origin;

/// Where values come from, beside the defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// A file that was named; without one, `$TMT_CONFIG`, else `~/.config/tmt/console.toml` if it
    /// is there.
    pub file: Option<PathBuf>,
    /// The environment. A key `section.name` has the variable `TMT_SECTION_NAME`; the database's
    /// address is also `DATABASE_URL` and libpq's `PG…`, and that of Redis `REDIS_URL`.
    pub variables: Vec<(String, String)>,
    /// Keys set by flags, by `section.name`.
    pub settings: Vec<(String, String)>,
}

impl Sources {
    /// Returns what this process was started with. Variables that are not UTF-8 are not read.
    pub fn of_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { file: None, variables, settings: Vec::new() }
    }

    /// Returns a variable that is there and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        let found = self.variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    }
}

/// A key, what it came to be, and where that came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// `section.name`
    pub key: String,
    /// Its value as TOML; secrets are masked.
    pub text: String,
    pub origin: Origin,
}
