//! What somebody may have meant.

/// Returns the name that differs least from `wanted`, if it differs little.
pub(super) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = wanted.chars().count() / 3;
    let judged = names.map(|name| (distance(wanted, name), name));
    judged.filter(|(distance, _)| *distance <= most).min().map(|(_, name)| name)
}

/// Returns how many characters must be inserted, removed or replaced to make one of the other
/// (Levenshtein's distance).
fn distance(one: &str, two: &str) -> usize {
    let mut above: Vec<usize> = (0..=two.chars().count()).collect();
    for (row, left) in one.chars().enumerate() {
        let mut here = vec![row.saturating_add(1)];
        let diagonals = above.iter().zip(above.iter().skip(1)).zip(two.chars());
        for ((diagonal, up), right) in diagonals {
            let replaced = diagonal.saturating_add(usize::from(left != right));
            let before = here.last().copied().unwrap_or_default();
            here.push(replaced.min(up.saturating_add(1)).min(before.saturating_add(1)));
        }
        above = here;
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let names = ["feed.ping_every", "feed.events", "ticket.arm_after"];
        let found = |wanted| nearest(wanted, names.into_iter());
        assert_eq!(found("feed.ping_evry"), Some("feed.ping_every"));
        assert_eq!(found("ticket.arm-after"), Some("ticket.arm_after"));
        assert_eq!(found("colour"), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
