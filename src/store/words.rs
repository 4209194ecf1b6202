//! Connection strings, read into libpq's words.
//!
//! tokio-postgres has a reader of its own, but it refuses most of libpq's words and takes
//! `tcp_user_timeout` for seconds where libpq means milliseconds. So a URL
//! (`postgres://login:secret@host1,host2:5433/desk?sslmode=require`) and the older form
//! (`host=/run/postgresql dbname=desk`) are both split here, and [`super::options`] gives each
//! word its meaning.
//! (<https://www.postgresql.org/docs/15/libpq-connect.html#LIBPQ-CONNSTRING>)

use std::collections::BTreeMap;

use super::options::BadOption;

/// Words and their values; a later one replaces an earlier one.
pub(super) type Words = BTreeMap<String, String>;

/// Splits a connection string of either form.
///
/// # Errors
///
/// [`BadOption`] says where the text stops making sense. It never quotes the text: a password may
/// stand anywhere in it.
pub(super) fn split(text: &str) -> Result<Words, BadOption> {
    let text = text.trim();
    match text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://")) {
        Some(rest) => url(rest),
        None => pairs(text),
    }
}

/// Splits what follows the scheme of a URL.
fn url(text: &str) -> Result<Words, BadOption> {
    let mut words = Words::new();
    let (front, query) = text.split_once('?').unwrap_or((text, ""));
    // A password may hold a slash or an at sign that nobody encoded; a host cannot.
    let (login, rest) = match front.rsplit_once('@') {
        Some((login, rest)) => (Some(login), rest),
        None => (None, front),
    };
    if let Some(login) = login {
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (login, None),
        };
        put(&mut words, "user", user)?;
        if let Some(password) = password {
            put(&mut words, "password", password)?;
        }
    }
    let (servers, database) = rest.split_once('/').unwrap_or((rest, ""));
    put(&mut words, "dbname", database)?;
    let (hosts, ports): (Vec<&str>, Vec<&str>) = servers.split(',').map(host_and_port).unzip();
    put(&mut words, "host", &hosts.join(","))?;
    if ports.iter().any(|port| !port.is_empty()) {
        put(&mut words, "port", &ports.join(","))?;
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((word, value)) = pair.split_once('=') else {
            return Err(BadOption::Malformed("a word after the ? has no value"));
        };
        let word = decoded(word)?;
        words.insert(if word == "ssl" { "sslmode".to_owned() } else { word }, decoded(value)?);
    }
    Ok(words)
}

/// Splits `host:port`, where the host may be an IPv6 address in brackets.
fn host_and_port(server: &str) -> (&str, &str) {
    if let Some((address, rest)) = server.strip_prefix('[').and_then(|s| s.split_once(']')) {
        return (address, rest.strip_prefix(':').unwrap_or(rest));
    }
    server.split_once(':').unwrap_or((server, ""))
}

/// Keeps a word of a URL, unless it is empty: an empty part of a URL is a part left out.
fn put(words: &mut Words, word: &str, value: &str) -> Result<(), BadOption> {
    if !value.is_empty() {
        words.insert(word.to_owned(), decoded(value)?);
    }
    Ok(())
}

/// Undoes percent encoding.
fn decoded(text: &str) -> Result<String, BadOption> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let pair = rest.next().and_then(hex).zip(rest.next().and_then(hex));
            let Some((high, low)) = pair else {
                return Err(BadOption::Malformed(
                    "a % is not followed by two hexadecimal digits; write a plain % as %25",
                ));
            };
            bytes.push(high << 4 | low);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| BadOption::Malformed("it is not UTF-8"))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Splits `word = value` pairs; a value with spaces stands in single quotes, and a backslash takes
/// the next character as it is.
fn pairs(text: &str) -> Result<Words, BadOption> {
    let mut words = Words::new();
    let mut rest = text.chars().peekable();
    loop {
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        if rest.peek().is_none() {
            return Ok(words);
        }
        let mut word = String::new();
        while let Some(character) = rest.next_if(|c| *c != '=' && !c.is_whitespace()) {
            word.push(character);
        }
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        if rest.next() != Some('=') {
            return Err(BadOption::Malformed(
                "it is neither a postgres:// address nor a list of word=value",
            ));
        }
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        let quoted = rest.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        loop {
            match rest.next() {
                Some('\'') if quoted => break,
                Some('\\') => value.extend(rest.next()),
                Some(character) if !quoted && character.is_whitespace() => break,
                Some(character) => value.push(character),
                None if quoted => {
                    return Err(BadOption::Malformed("a quoted value has no closing quote"));
                }
                None => break,
            }
        }
        words.insert(word, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[(&str, &str)]) -> Words {
        list.iter().map(|(word, value)| ((*word).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_url_names_every_part() {
        assert_eq!(
            split("postgres://joe:p%40ss%25@db1:5433,[::1],db3:6000/desk?sslmode=require"),
            Ok(words(&[
                ("user", "joe"),
                ("password", "p@ss%"),
                ("host", "db1,::1,db3"),
                ("port", "5433,,6000"),
                ("dbname", "desk"),
                ("sslmode", "require"),
            ]))
        );
    }

    #[test]
    fn parts_of_a_url_may_be_left_out() {
        assert_eq!(split("postgresql://"), Ok(Words::new()));
        assert_eq!(
            split("postgresql:///desk?host=/run/postgresql"),
            Ok(words(&[("dbname", "desk"), ("host", "/run/postgresql")]))
        );
        assert_eq!(
            split("postgres://%2Frun%2Fpostgresql/desk"),
            Ok(words(&[("dbname", "desk"), ("host", "/run/postgresql")]))
        );
    }

    #[test]
    fn the_older_form_takes_quotes_and_backslashes() {
        assert_eq!(
            split(r"host = /run/pg  password='it\'s a secret' dbname=desk"),
            Ok(words(&[("host", "/run/pg"), ("password", "it's a secret"), ("dbname", "desk")]))
        );
    }

    #[test]
    fn nonsense_is_refused_without_quoting_it() {
        for text in
            ["hunter2", "password='hunter2", "postgres://joe:hunter2%zz@h", "postgres://h?x"]
        {
            let refused = split(text).expect_err(text).to_string();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }
}
