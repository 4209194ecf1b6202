//! Logs a failure once, and its end.

/// Logs the first failure of a task as a warning, repeats for debugging, and its recovery.
#[derive(Debug)]
pub(super) struct FailureLog {
    what: &'static str,
    is_failing: bool,
}

impl FailureLog {
    pub(super) fn of(what: &'static str) -> Self {
        Self { what, is_failing: false }
    }

    /// Whether the last attempt failed.
    pub(super) fn is_failing(&self) -> bool {
        self.is_failing
    }

    /// Logs the result of an attempt; returns its value, if it has one.
    pub(super) fn check<T, E: std::fmt::Display>(&mut self, result: Result<T, E>) -> Option<T> {
        let what = self.what;
        match result {
            Ok(value) => {
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!(what, "simulation: recovered");
                }
                Some(value)
            }
            Err(error) => {
                if std::mem::replace(&mut self.is_failing, true) {
                    tracing::debug!(what, %error, "simulation: still failing");
                } else {
                    tracing::warn!(what, %error, "simulation: failed, will retry");
                }
                None
            }
        }
    }
}
