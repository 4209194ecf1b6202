//! Where the password comes from: a program, the configuration, or libpq's password file.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::error::Unreachable;
use super::options::{Host, PasswordSource, Server};

/// A password manager that asks a person for a touch needs a while; one that hangs must not hold
/// the console for ever.
const COMMAND_DEADLINE: Duration = Duration::from_secs(10);

/// Longest output of the program, and longest password file.
const LONGEST: u64 = 64 * 1024;

/// Bits of a file's mode that let others at it.
const OTHERS: u32 = 0o077;

impl PasswordSource {
    /// Returns the password for one server, or `None` if nobody has one. The server may not ask.
    ///
    /// # Errors
    ///
    /// [`Unreachable::Secret`] if the program fails or the file is open to others. It never holds
    /// what the program printed.
    pub(super) async fn password(
        &self,
        server: &Server,
        user: &str,
        database: &str,
    ) -> Result<Option<SecretString>, Unreachable> {
        if let Some((program, arguments)) = self.command.split_first() {
            return asked(program, arguments).await.map(Some);
        }
        if let Some(value) = &self.value {
            return Ok(Some(value.clone()));
        }
        match &self.file {
            Some(file) => looked_up(file, server, user, database).await,
            None => Ok(None),
        }
    }
}

/// Runs the program and takes the first line that it prints. Its standard error is not read: it
/// may hold what must not be logged.
async fn asked(program: &str, arguments: &[String]) -> Result<SecretString, Unreachable> {
    let failed = |why: &str| Unreachable::Secret(format!("password_command {program:?} {why}"));
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(&format!("cannot be started: {error}")))?;
    let output = child.stdout.take().ok_or_else(|| failed("has no output"))?;
    let mut printed = Vec::new();
    let run = async {
        let read = output.take(LONGEST).read_to_end(&mut printed).await;
        (read, child.wait().await)
    };
    match tokio::time::timeout(COMMAND_DEADLINE, run).await {
        Err(_) => Err(failed("did not finish within 10 s")),
        Ok((Ok(_), Ok(status))) if status.success() => {
            let text = String::from_utf8(printed).map_err(|_| failed("did not print UTF-8"))?;
            match text.lines().next() {
                Some(line) if !line.is_empty() => Ok(SecretString::from(line.to_owned())),
                _ => Err(failed("printed nothing")),
            }
        }
        Ok((_, Ok(status))) => Err(failed(&format!("ended with {status}"))),
        Ok((_, Err(error))) => Err(failed(&format!("cannot be waited for: {error}"))),
    }
}

/// Looks into a file of `host:port:database:login:password` lines. A file that is not there is no
/// error: the default one is optional.
async fn looked_up(
    file: &Path,
    server: &Server,
    user: &str,
    database: &str,
) -> Result<Option<SecretString>, Unreachable> {
    let Ok(about) = tokio::fs::metadata(file).await else {
        return Ok(None);
    };
    if about.permissions().mode() & OTHERS != 0 {
        return Err(Unreachable::Secret(format!(
            "others may read the password file {}; run `chmod 600` on it",
            file.display()
        )));
    }
    if !about.is_file() || about.len() > LONGEST {
        return Ok(None);
    }
    let text = tokio::fs::read_to_string(file).await.map_err(|error| {
        Unreachable::Secret(format!("the password file {}: {error}", file.display()))
    })?;
    Ok(text.lines().find_map(|line| matching(line, server, user, database)).map(SecretString::from))
}

/// Returns the password of a line that is about this server, login and database.
fn matching(line: &str, server: &Server, user: &str, database: &str) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        // Everything after the fourth colon is the password, but backslashes count in it too.
        if character == ':' && fields.len() < 5 {
            fields.push(String::new());
        } else if let Some(field) = fields.last_mut() {
            field.extend(if character == '\\' { characters.next() } else { Some(character) });
        }
    }
    let [host, port, name, login, password] = fields.as_slice() else {
        return None;
    };
    let is = |field: &String, value: &str| field == "*" || field == value;
    let here = match &server.host {
        Host::Tcp { name, address } => {
            is(host, name) || address.is_some_and(|address| is(host, &address.to_string()))
        }
        Host::Unix(folder) => is(host, "localhost") || folder.to_str().is_some_and(|f| host == f),
    };
    (here && is(port, &server.port.to_string()) && is(name, database) && is(login, user))
        .then(|| password.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn db1() -> Server {
        Server { host: Host::Tcp { name: "db1".to_owned(), address: None }, port: 5432 }
    }

    #[test]
    fn a_line_counts_only_for_its_server_and_login() {
        let given = |line| matching(line, &db1(), "joe", "desk");
        assert_eq!(given("db1:5432:desk:joe:secret"), Some("secret".to_owned()));
        assert_eq!(
            given(r"*:*:*:*:with\:colon\\and:more"),
            Some(r"with:colon\and:more".to_owned())
        );
        assert_eq!(given("db2:5432:desk:joe:secret"), None);
        assert_eq!(given("db1:5432:desk:ann:secret"), None);
        assert_eq!(given("#db1:5432:desk:joe:secret"), None);
        assert_eq!(given("db1:5432:desk:joe"), None);
    }

    #[tokio::test]
    async fn a_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pgpass");
        std::fs::write(&file, "*:*:*:*:secret\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let refused = looked_up(&file, &db1(), "joe", "desk").await.unwrap_err().to_string();
        assert!(refused.contains("chmod 600") && !refused.contains("secret"), "{refused}");
    }

    #[tokio::test]
    async fn a_program_gives_its_first_line() {
        use secrecy::ExposeSecret as _;
        let source = PasswordSource {
            command: ["printf", r"from program\nsecond\n"].map(str::to_owned).to_vec(),
            ..PasswordSource::default()
        };
        let given = source.password(&db1(), "joe", "desk").await.unwrap().unwrap();
        assert_eq!(given.expose_secret(), "from program");
        let failing = PasswordSource { command: vec!["false".to_owned()], ..source };
        assert!(failing.password(&db1(), "joe", "desk").await.is_err());
    }
}
