//! Masks passwords in addresses.

/// Shown instead of a secret.
pub const MASK: &str = "***";

/// Parameters of an address that are secret.
const SECRET_WORDS: [&str; 4] = ["password", "pass", "passwd", "sslpassword"];

/// Returns an address with every password in it replaced by [`MASK`].
///
/// ```
/// use tmt::config::masked;
/// assert_eq!(masked("postgres://joe:secret@db1/desk"), "postgres://joe:***@db1/desk");
/// assert_eq!(masked("redis://db1:6379"), "redis://db1:6379");
/// ```
pub fn masked(address: &str) -> String {
    match address.split_once("://") {
        Some((scheme, rest)) => {
            let (front, query) = match rest.split_once('?') {
                Some((front, query)) => (front, Some(query)),
                None => (rest, None),
            };
            let front = masked_login(front);
            let query = query.map(|query| format!("?{}", masked_query(query)));
            format!("{scheme}://{front}{}", query.unwrap_or_default())
        }
        None => masked_pairs(address),
    }
}

/// Whether an address contains a password.
pub fn holds_password(address: &str) -> bool {
    masked(address) != address
}

/// `login:password@host`; a password may contain an unencoded `@`, a host cannot.
fn masked_login(front: &str) -> String {
    let Some((login, host)) = front.rsplit_once('@') else { return front.to_owned() };
    match login.split_once(':') {
        Some((user, password)) if !password.is_empty() => format!("{user}:{MASK}@{host}"),
        _ => front.to_owned(),
    }
}

/// `word=value&word=value`
fn masked_query(query: &str) -> String {
    let shown = query.split('&').map(|pair| match pair.split_once('=') {
        Some((word, _)) if SECRET_WORDS.contains(&word) => format!("{word}={MASK}"),
        _ => pair.to_owned(),
    });
    shown.collect::<Vec<_>>().join("&")
}

/// `word=value word='another value'`. Masks everything after a secret, whose end depends on quotes and
/// backslashes.
fn masked_pairs(pairs: &str) -> String {
    let secret = SECRET_WORDS.iter().filter_map(|word| {
        let mut found = pairs.match_indices(word);
        found.find_map(|(at, _)| {
            let is_word = pairs.get(..at)?.chars().next_back().is_none_or(char::is_whitespace);
            let behind = pairs.get(at.checked_add(word.len())?..)?;
            (is_word && behind.trim_start().starts_with('=')).then_some((at, *word))
        })
    });
    match secret.min() {
        Some((at, word)) => format!("{}{word}={MASK}", pairs.get(..at).unwrap_or_default()),
        None => pairs.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked_in_every_form_of_address() {
        for address in [
            "postgres://joe:hunter2@db1/desk",
            "postgres://joe:hun@ter2@db1/desk",
            "postgres://db1/desk?user=joe&password=hunter2",
            "host=db1 password=hunter2 dbname=desk",
            "host=db1 password='hunter2 with spaces' dbname=desk",
            "host=db1 password = hunter2",
            "redis://:hunter2@db1:6379/0",
            "redis+unix:///run/redis.sock?pass=hunter2&db=0",
        ] {
            assert!(holds_password(address), "{address}");
            assert!(!masked(address).contains("ter2"), "{}", masked(address));
        }
        assert!(!holds_password("postgres://joe@db1/desk?sslmode=require"));
    }
}
