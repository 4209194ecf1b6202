//! The wait before the next attempt.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::feed::down::Cause;

/// Shortest first wait that can be configured: zero would be a reconnect storm.
const SHORTEST: Duration = Duration::from_millis(10);

/// Doubles from the first wait up to the longest. Each is shortened by up to half at random, so that
/// a hundred consoles do not reconnect in the same millisecond.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        let first = first.max(SHORTEST);
        Self { first, longest: longest.max(first), next: first }
    }

    /// Restarts from the first wait if the connection was up long enough. One that is cut as soon as it
    /// is up must not be retried at full speed.
    pub(super) fn was_up_for(&mut self, up: Duration) {
        if up >= self.longest {
            self.next = self.first;
        }
    }

    pub(super) fn next(&mut self, cause: Cause) -> Duration {
        // A right or a password is not restored within milliseconds.
        let wait = if cause.needs_a_person() { self.longest } else { self.next };
        self.next = self.next.saturating_mul(2).min(self.longest);
        if cause.needs_a_person() { wait } else { shortened(wait) }
    }
}

/// Shortens a wait by up to half.
fn shortened(wait: Duration) -> Duration {
    // A new hasher has random keys: enough to spread consoles.
    let random = RandomState::new().hash_one(()) % 512;
    let part = u32::try_from(random).unwrap_or_default();
    wait.saturating_sub(wait.saturating_mul(part) / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn waits_grow_to_the_longest() {
        let mut backoff = Backoff::new(MS(100), SECOND);
        for longest in [100, 200, 400, 800, 1000, 1000, 1000] {
            let wait = backoff.next(Cause::Unreachable);
            assert!(wait <= MS(longest) && wait + MS(1) > MS(longest) / 2, "{wait:?} of {longest}");
        }
    }

    #[test]
    fn a_configured_wait_of_zero_causes_no_storm() {
        let mut backoff = Backoff::new(Duration::ZERO, Duration::ZERO);
        assert!((0..9).all(|_| backoff.next(Cause::Unreachable) >= SHORTEST / 2));
    }

    #[test]
    fn after_a_long_connection_waits_restart_from_the_first() {
        let mut backoff = Backoff::new(MS(100), SECOND);
        assert!((0..5).all(|_| backoff.next(Cause::Lost) <= SECOND));
        backoff.was_up_for(MS(100));
        assert!(backoff.next(Cause::Lost) > MS(400));
        backoff.was_up_for(SECOND);
        assert!(backoff.next(Cause::Lost) <= MS(100));
    }

    #[test]
    fn what_needs_a_person_is_retried_once_a_second() {
        let mut backoff = Backoff::new(MS(100), SECOND);
        assert_eq!(backoff.next(Cause::NoPermission), SECOND);
    }
}
