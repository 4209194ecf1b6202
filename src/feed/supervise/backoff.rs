//! How long to wait before the next attempt.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::feed::down::Cause;

/// Shortest first wait that a configuration can ask for: none at all would be a storm.
const SHORTEST: Duration = Duration::from_millis(10);

/// Doubles from a first wait up to a longest one, each shortened by up to a half at random, so that
/// a hundred consoles do not come back to a restarted server in the same millisecond.
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

    /// Begins again from the first wait, if the connection was up long enough to have been good. One
    /// that is cut again and again as soon as it stands must not be tried at full speed.
    pub(super) fn was_up_for(&mut self, up: Duration) {
        if up >= self.longest {
            self.next = self.first;
        }
    }

    /// Returns the next wait.
    pub(super) fn next(&mut self, cause: Cause) -> Duration {
        // A right or a password is not given back within milliseconds.
        let wait = if cause.needs_a_person() { self.longest } else { self.next };
        self.next = self.next.saturating_mul(2).min(self.longest);
        if cause.needs_a_person() { wait } else { shortened(wait) }
    }
}

/// Takes off up to a half.
fn shortened(wait: Duration) -> Duration {
    // The keys of a new hasher are random: enough to spread consoles, and no generator to seed.
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
    fn waits_grow_to_the_longest_and_no_further() {
        let mut backoff = Backoff::new(MS(100), SECOND);
        for longest in [100, 200, 400, 800, 1000, 1000, 1000] {
            let wait = backoff.next(Cause::Unreachable);
            assert!(wait <= MS(longest) && wait + MS(1) > MS(longest) / 2, "{wait:?} of {longest}");
        }
    }

    #[test]
    fn a_configuration_without_waits_is_no_storm() {
        let mut backoff = Backoff::new(Duration::ZERO, Duration::ZERO);
        assert!((0..9).all(|_| backoff.next(Cause::Unreachable) >= SHORTEST / 2));
    }

    #[test]
    fn a_connection_that_was_good_starts_from_the_first_wait() {
        let mut backoff = Backoff::new(MS(100), SECOND);
        assert!((0..5).all(|_| backoff.next(Cause::Lost) <= SECOND));
        backoff.was_up_for(MS(100));
        assert!(backoff.next(Cause::Lost) > MS(400));
        backoff.was_up_for(SECOND);
        assert!(backoff.next(Cause::Lost) <= MS(100));
    }

    #[test]
    fn what_a_person_must_repair_is_tried_once_a_second() {
        let mut backoff = Backoff::new(MS(100), SECOND);
        assert_eq!(backoff.next(Cause::NoPermission), SECOND);
    }
}
