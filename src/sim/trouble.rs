//! Tells of a trouble once, and of its end.

/// Tells of a trouble once, and of its end; what is repeated meanwhile is for debugging.
#[derive(Debug)]
pub(super) struct Trouble {
    what: &'static str,
    is_on: bool,
}

impl Trouble {
    pub(super) fn of(what: &'static str) -> Self {
        Self { what, is_on: false }
    }

    /// Tells whether the last attempt failed.
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Takes the result of an attempt; returns its value, if it has one.
    pub(super) fn take<T, E: std::fmt::Display>(&mut self, result: Result<T, E>) -> Option<T> {
        let what = self.what;
        match result {
            Ok(value) => {
                if std::mem::take(&mut self.is_on) {
                    tracing::info!(what, "simulation: works again");
                }
                Some(value)
            }
            Err(error) => {
                if std::mem::replace(&mut self.is_on, true) {
                    tracing::debug!(what, %error, "simulation: still in trouble");
                } else {
                    tracing::warn!(what, %error, "simulation: goes on without");
                }
                None
            }
        }
    }
}
