//! Giving each of libpq's words its meaning.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::{
    BadOption, Deadlines, Host, Options, PasswordSource, PoolSizes, ReadsFrom, Server, Tls,
};
use crate::store::words::{self, Words};

/// Port of a server that names none.
const DEFAULT_PORT: u16 = 5432;

/// Where distributions put the server's socket; tried in turn, then loopback, where no host is
/// named. (libpq knows one of them, fixed when it was compiled.)
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// Environment variables of libpq that the store follows, and their words.
pub const VARIABLES: [(&str, &str); 15] = [
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGDATABASE", "dbname"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGPASSFILE", "passfile"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLCERT", "sslcert"),
    ("PGOPTIONS", "options"),
    ("PGAPPNAME", "application_name"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGSERVICE", "service"),
];

impl Options {
    /// Reads a connection string: `postgres://login@host/desk?sslmode=require`, or
    /// `host=/run/postgresql dbname=desk`.
    ///
    /// # Errors
    ///
    /// [`BadOption`] names the word and what it must be.
    ///
    /// ```
    /// use tmt::store::Options;
    /// let options = Options::parse("postgres://joe@db1,db2:5433/desk")?;
    /// assert_eq!(options.servers.len(), 2);
    /// # Ok::<(), tmt::store::BadOption>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, BadOption> {
        Self::read(Some(text), |_| None)
    }

    /// Reads a connection string, if there is one, on top of libpq's environment variables.
    /// `variable` gives the value of [`VARIABLES`], and of `HOME`, which holds `.pgpass`.
    ///
    /// # Errors
    ///
    /// As [`Options::parse`].
    pub fn read(
        text: Option<&str>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, BadOption> {
        let mut words: Words = VARIABLES
            .iter()
            .filter_map(|(name, word)| Some(((*word).to_owned(), variable(name)?)))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        if let Some(text) = text {
            words.extend(words::split(text)?);
        }
        let mut options = Self::from_words(words)?;
        if options.password.file.is_none() {
            options.password.file =
                variable("HOME").map(|home| PathBuf::from(home).join(".pgpass"));
        }
        Ok(options)
    }

    fn from_words(mut words: Words) -> Result<Self, BadOption> {
        let servers = servers(&mut words)?;
        let mut options = Self {
            servers,
            user: words.remove("user"),
            database: words.remove("dbname"),
            password: PasswordSource {
                command: Vec::new(),
                value: words.remove("password").map(SecretString::from),
                file: words.remove("passfile").map(PathBuf::from),
            },
            tls: words.remove("sslmode").map(|mode| tls(&mode)).transpose()?,
            root_certificates: words
                .remove("sslrootcert")
                .filter(|file| file != "system")
                .map(PathBuf::from),
            application_name: words
                .remove("application_name")
                .unwrap_or_else(|| env!("CARGO_PKG_NAME").to_owned()),
            server_options: words.remove("options"),
            reads_from: words
                .remove("target_session_attrs")
                .map_or(Ok(ReadsFrom::Any), |attrs| reads_from(&attrs))?,
            deadlines: Deadlines::default(),
            pools: PoolSizes::default(),
        };
        for (word, value) in words {
            options.set(&word, value)?;
        }
        Ok(options)
    }

    /// Takes a word that changes a number, or that this program can do without.
    fn set(&mut self, word: &str, value: String) -> Result<(), BadOption> {
        let waits = &mut self.deadlines;
        match word {
            "connect_timeout" => waits.handshake = seconds("connect_timeout", value)?,
            "keepalives_idle" => waits.keepalive_idle = seconds("keepalives_idle", value)?,
            "keepalives_interval" => {
                waits.keepalive_interval = seconds("keepalives_interval", value)?;
            }
            // Milliseconds, as libpq has it.
            "tcp_user_timeout" => {
                let number = number("tcp_user_timeout", value)?;
                waits.tcp_user = Duration::from_millis(number);
            }
            "sslcert" | "sslkey" | "sslcrl" => {
                return Err(BadOption::Unsupported {
                    word: "a client certificate or revocation list",
                    instead: "log in with a password",
                });
            }
            "requirepeer" | "channel_binding" | "gssencmode" | "krbsrvname" => {
                return Err(BadOption::Unsupported {
                    word: "requirepeer, channel_binding or Kerberos",
                    instead: "use sslmode=verify-full with a password",
                });
            }
            "service" => {
                return Err(BadOption::Unsupported {
                    word: "PGSERVICE",
                    instead: "write the service's words into DATABASE_URL",
                });
            }
            // Of no consequence here: text is always UTF-8, keepalives are always on.
            "client_encoding" | "fallback_application_name" | "keepalives" | "keepalives_count" => {
            }
            _ => return Err(BadOption::Unknown(word.chars().take(40).collect())),
        }
        Ok(())
    }
}

/// Joins the lists of hosts, addresses and ports.
fn servers(words: &mut Words) -> Result<Vec<Server>, BadOption> {
    let list = |words: &mut Words, word: &str| -> Vec<String> {
        words.remove(word).map(|s| s.split(',').map(str::to_owned).collect()).unwrap_or_default()
    };
    let (hosts, addresses) = (list(words, "host"), list(words, "hostaddr"));
    let ports = list(words, "port")
        .into_iter()
        .map(|port| if port.is_empty() { Ok(DEFAULT_PORT) } else { port_number(port) })
        .collect::<Result<Vec<u16>, _>>()?;
    let count = hosts.len().max(addresses.len());
    if !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len() {
        return Err(BadOption::Counts { word: "hostaddr", hosts: count, others: addresses.len() });
    }
    if ports.len() > 1 && ports.len() != count {
        return Err(BadOption::Counts { word: "port", hosts: count, others: ports.len() });
    }
    let port_of = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(DEFAULT_PORT);
    if count == 0 {
        let sockets = SOCKET_FOLDERS.iter().map(|folder| Host::Unix(PathBuf::from(folder)));
        let loopback = Host::Tcp { name: "localhost".to_owned(), address: None };
        return Ok(sockets
            .chain([loopback])
            .map(|host| Server { host, port: port_of(0) })
            .collect());
    }
    (0..count)
        .map(|at| {
            let host = host(hosts.get(at).map(String::as_str), addresses.get(at))?;
            Ok(Server { host, port: port_of(at) })
        })
        .collect()
}

fn host(name: Option<&str>, address: Option<&String>) -> Result<Host, BadOption> {
    let address = address
        .map(|text| {
            text.parse::<IpAddr>().map_err(|_| BadOption::Value {
                word: "hostaddr",
                value: text.clone(),
                must: "an IP address",
            })
        })
        .transpose()?;
    match (name, address) {
        (Some(folder), _) if folder.starts_with('/') => Ok(Host::Unix(PathBuf::from(folder))),
        (Some(name), address) if !name.is_empty() => {
            Ok(Host::Tcp { name: name.to_owned(), address })
        }
        (_, Some(address)) => Ok(Host::Tcp { name: address.to_string(), address: Some(address) }),
        (_, None) => Err(BadOption::Value {
            word: "host",
            value: String::new(),
            must: "a name, an address or the folder of a socket",
        }),
    }
}

fn port_number(value: String) -> Result<u16, BadOption> {
    match value.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(BadOption::Value { word: "port", value, must: "a number from 1 to 65535" }),
    }
}

fn number(word: &'static str, value: String) -> Result<u64, BadOption> {
    value.parse().ok().filter(|number| *number > 0).ok_or(BadOption::Value {
        word,
        value,
        must: "a whole number above zero",
    })
}

fn seconds(word: &'static str, value: String) -> Result<Duration, BadOption> {
    number(word, value).map(Duration::from_secs)
}

fn tls(mode: &str) -> Result<Tls, BadOption> {
    match mode {
        "disable" => Ok(Tls::Off),
        "allow" | "prefer" => Ok(Tls::IfOffered),
        "require" | "verify-ca" | "verify-full" | "true" => Ok(Tls::Verified),
        _ => Err(BadOption::Value {
            word: "sslmode",
            value: mode.to_owned(),
            must: "disable, prefer, require, verify-ca or verify-full",
        }),
    }
}

fn reads_from(attrs: &str) -> Result<ReadsFrom, BadOption> {
    match attrs {
        "any" | "prefer-standby" => Ok(ReadsFrom::Any),
        "read-write" | "primary" => Ok(ReadsFrom::Primary),
        "read-only" | "standby" => Ok(ReadsFrom::Standby),
        _ => Err(BadOption::Value {
            word: "target_session_attrs",
            value: attrs.to_owned(),
            must: "any, read-write, read-only, primary, standby or prefer-standby",
        }),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use secrecy::ExposeSecret as _;

    use super::*;

    fn environment(list: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        |name| list.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn the_address_counts_more_than_the_environment() {
        let variables = environment(&[
            ("PGHOST", "elsewhere"),
            ("PGUSER", "ann"),
            ("PGPASSWORD", "from the environment"),
            ("PGDATABASE", ""),
            ("HOME", "/home/ann"),
        ]);
        let options = Options::read(Some("postgres://joe@db1/desk"), variables).unwrap();
        assert_eq!(
            options.servers.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["db1:5432"]
        );
        assert_eq!(options.user.as_deref(), Some("joe"));
        assert_eq!(options.database.as_deref(), Some("desk"));
        assert_eq!(options.password.value.unwrap().expose_secret(), "from the environment");
        assert_eq!(options.password.file, Some(PathBuf::from("/home/ann/.pgpass")));
    }

    #[test]
    fn nothing_named_is_this_machine() {
        let options = Options::read(None, |_| None).unwrap();
        let servers: Vec<String> = options.servers.iter().map(ToString::to_string).collect();
        assert_eq!(
            servers,
            ["/var/run/postgresql/.s.PGSQL.5432", "/tmp/.s.PGSQL.5432", "localhost:5432"]
        );
        assert!(options.servers.iter().all(|server| options.protection(server) == Tls::Off));
    }

    #[rstest]
    #[case("postgres://db1/desk", Tls::Verified)]
    #[case("postgres://db1/desk?sslmode=require", Tls::Verified)]
    #[case("postgres://db1/desk?sslmode=verify-ca", Tls::Verified)]
    #[case("postgres://db1/desk?sslmode=prefer", Tls::IfOffered)]
    #[case("postgres://db1/desk?sslmode=disable", Tls::Off)]
    #[case("postgres://192.0.2.1/desk", Tls::Verified)]
    #[case("postgres://localhost/desk", Tls::Off)]
    #[case("postgres://127.0.0.1/desk", Tls::Off)]
    #[case("postgres://[::1]/desk", Tls::Off)]
    #[case("postgres://localhost/desk?sslmode=require", Tls::Verified)]
    #[case("host=db1 hostaddr=127.0.0.1 dbname=desk", Tls::Off)]
    #[case("host=/run/pg dbname=desk sslmode=require", Tls::Off)]
    fn encryption_is_required_unless_nobody_stands_between(#[case] text: &str, #[case] tls: Tls) {
        let options = Options::parse(text).unwrap();
        assert_eq!(options.protection(options.servers.first().unwrap()), tls);
    }

    #[test]
    fn lists_of_servers_share_one_port_or_have_their_own() {
        let ports = |text| {
            let options = Options::parse(text).unwrap();
            options.servers.iter().map(|server| server.port).collect::<Vec<_>>()
        };
        assert_eq!(ports("host=a,b,c port=6000"), [6000, 6000, 6000]);
        assert_eq!(ports("host=a,b,c port=6000,,6002"), [6000, 5432, 6002]);
        assert_eq!(ports("postgres://a:6000,b/desk"), [6000, 5432]);
    }

    #[rstest]
    #[case("host=a,b port=1,2,3", "2 hosts but 3 in port")]
    #[case("host=a hostaddr=1.2.3.4,5.6.7.8", "hostaddr")]
    #[case("host=a port=0", "from 1 to 65535")]
    #[case("host=a port=x", "from 1 to 65535")]
    #[case("host=, port=5432", "host")]
    #[case("host=a sslmode=maybe", "verify-full")]
    #[case("host=a target_session_attrs=x", "read-write")]
    #[case("host=a connect_timeout=soon", "above zero")]
    #[case("host=a sslcert=me.pem", "password")]
    #[case("service=desk", "DATABASE_URL")]
    #[case("host=a colour=red", "\"colour\"")]
    fn a_word_that_makes_no_sense_is_named_with_what_it_must_be(
        #[case] text: &str,
        #[case] says: &str,
    ) {
        let refused = Options::parse(text).unwrap_err().to_string();
        assert!(refused.contains(says), "{refused}");
    }

    #[test]
    fn milliseconds_are_not_seconds() {
        let options = Options::parse("host=a tcp_user_timeout=10000 connect_timeout=3").unwrap();
        assert_eq!(options.deadlines.tcp_user, Duration::from_secs(10));
        assert_eq!(options.deadlines.handshake, Duration::from_secs(3));
    }
}
