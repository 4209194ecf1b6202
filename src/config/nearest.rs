//! The name that a mistyped one may have meant.

/// Returns the name with the smallest edit distance from `wanted`, if that is at most a third of its
/// length.
pub(super) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = wanted.chars().count() / 3;
    let judged = names.map(|name| (strsim::levenshtein(wanted, name), name));
    judged.filter(|(distance, _)| *distance <= most).min().map(|(_, name)| name)
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
        assert_eq!(found(""), None);
    }
}
