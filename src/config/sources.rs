//! Sources of values, and effective settings.

use std::path::PathBuf;

use super::fault::Origin;

/// Sources of values, apart from the defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file given by `--config`; if `None`, `$TMT_CONFIG`, else `~/.config/tmt/console.toml` if it
    /// exists.
    pub file: Option<PathBuf>,
    /// The environment. Key `section.name` is `TMT_SECTION_NAME`; the database's address is also
    /// `DATABASE_URL` and libpq's `PG…`, that of Redis `REDIS_URL`.
    pub variables: Vec<(String, String)>,
    /// Keys set by flags, by `section.name`.
    pub settings: Vec<(String, String)>,
}

impl Sources {
    /// The environment of this process, without variables that are not UTF-8.
    pub fn of_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { file: None, variables, settings: Vec::new() }
    }

    /// Returns a variable that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        let found = self.variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    }
}

/// The effective value of a key and its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// `section.name`
    pub key: String,
    /// The value as TOML; secrets are masked.
    pub text: String,
    pub origin: Origin,
}
