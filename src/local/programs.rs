//! Finds the server programs, or how to install them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::LocalError;

/// Major versions of PostgreSQL that `tmt` is tested on, best first. A newer one is used if none of
/// these is installed, an older one never.
const TESTED: [u32; 3] = [17, 16, 15];
const OLDEST: &str = "15";

/// Where PostgreSQL's server programs are, apart from `PATH`: Debian, the PostgreSQL project's
/// packages for Red Hat, Homebrew on both kinds of Mac, Postgres.app. `*` matches any name.
const POSTGRES_FOLDERS: [&str; 5] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
];

/// Where Redis may be, apart from `PATH`.
const REDIS_FOLDERS: [&str; 4] =
    ["/opt/homebrew/bin", "/usr/local/bin", "/opt/homebrew/opt/redis/bin", "/usr/sbin"];

/// The folder with PostgreSQL's server programs, and their major version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PostgresPrograms {
    pub(super) folder: PathBuf,
    pub(super) major: u32,
}

impl PostgresPrograms {
    /// Finds PostgreSQL in `given`, or else the best version that is installed.
    ///
    /// With `major`, finds only that version, which created the data folder.
    pub(super) fn find(
        given: Option<&Path>,
        major: Option<u32>,
    ) -> Result<Option<Self>, LocalError> {
        let folders = given.map_or_else(postgres_folders, |folder| vec![folder.to_owned()]);
        let mut found: Vec<Self> = folders.into_iter().filter_map(Self::in_folder).collect();
        found.sort_by_key(|programs| rank(programs.major));
        let Some(best) = found.first() else {
            let hint = match given {
                Some(folder) => format!("no postgres and initdb in {}", folder.display()),
                None => install_hint(Product::Postgres),
            };
            return Err(LocalError::ProgramMissing { program: "PostgreSQL", hint });
        };
        if major.is_none() && rank(best.major) == Rank::TooOld {
            return Err(LocalError::ProgramTooOld {
                program: "PostgreSQL",
                found: best.major.to_string(),
                path: best.folder.clone(),
                needed: OLDEST,
                hint: install_hint(Product::Postgres),
            });
        }
        Ok(found.into_iter().find(|programs| major.is_none_or(|major| programs.major == major)))
    }

    fn in_folder(folder: PathBuf) -> Option<Self> {
        folder.join("initdb").is_file().then_some(())?;
        let said = version_line(&folder.join("postgres"))?;
        // "postgres (PostgreSQL) 17.2 (Debian 17.2-1)", "postgres (PostgreSQL) 18beta1"
        let version = said.split_once("(PostgreSQL) ")?.1;
        let digits = version.find(|letter: char| !letter.is_ascii_digit());
        let major = version.get(..digits.unwrap_or(version.len()))?.parse().ok()?;
        Some(Self { folder, major })
    }
}

/// Preference of a major version; the derived order puts the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Tested(usize),
    Newer(u32),
    TooOld,
}

fn rank(major: u32) -> Rank {
    match TESTED.iter().position(|tested| *tested == major) {
        Some(place) => Rank::Tested(place),
        None if TESTED.iter().all(|tested| major > *tested) => Rank::Newer(major),
        None => Rank::TooOld,
    }
}

/// Finds `redis-server`, or its replacement in some distributions, `valkey-server`.
pub(super) fn redis_server() -> Result<PathBuf, LocalError> {
    let folders: Vec<PathBuf> =
        path_folders().into_iter().chain(REDIS_FOLDERS.map(PathBuf::from)).collect();
    ["redis-server", "valkey-server"]
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|program| program.is_file())
        .ok_or_else(|| LocalError::ProgramMissing {
            program: "Redis",
            hint: install_hint(Product::Redis),
        })
}

fn postgres_folders() -> Vec<PathBuf> {
    let known = POSTGRES_FOLDERS.iter().flat_map(|pattern| expand(pattern));
    path_folders().into_iter().chain(known).collect()
}

fn path_folders() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// Expands a pattern with one `*`, which matches the rest of a name.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else { return vec![pattern.into()] };
    let Some((parent, prefix)) = before.rsplit_once('/') else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix)))
        .map(|entry| entry.path().join(after.trim_start_matches('/')))
        .collect()
}

fn version_line(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Product {
    Postgres,
    Redis,
}

/// Package managers: the program that identifies each, and its names of the two packages.
const MANAGERS: [(&str, &str, &str, &str); 6] = [
    ("apt-get", "sudo apt-get install", "postgresql", "redis-server"),
    ("dnf", "sudo dnf install", "postgresql-server postgresql-contrib", "redis"),
    ("pacman", "sudo pacman -S", "postgresql", "redis"),
    ("zypper", "sudo zypper install", "postgresql-server", "redis"),
    ("apk", "sudo apk add", "postgresql", "redis"),
    ("brew", "brew install", "postgresql@17", "redis"),
];

fn install_hint(product: Product) -> String {
    let folders = path_folders();
    let is_here = |program: &str| folders.iter().any(|folder| folder.join(program).is_file());
    hint_for(product, MANAGERS.iter().position(|(program, ..)| is_here(program)))
}

fn hint_for(product: Product, manager: Option<usize>) -> String {
    if let Some((_, install, postgres, redis)) = manager.and_then(|place| MANAGERS.get(place)) {
        let package = match product {
            Product::Postgres => postgres,
            Product::Redis => redis,
        };
        return format!("`{install} {package}`");
    }
    match product {
        Product::Postgres => format!(
            "install PostgreSQL {OLDEST} or newer, or name the folder of its programs in TMT_PG_BIN"
        ),
        Product::Redis => "install Redis 6 or newer, and put it on the PATH".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tested_version_is_preferred_to_a_newer_and_an_old_one_comes_last() {
        let mut versions = [14, 15, 19, 17, 18, 16];
        versions.sort_by_key(|major| rank(*major));
        assert_eq!(versions, [17, 16, 15, 18, 19, 14]);
    }

    #[test]
    fn the_hint_is_the_command_of_the_package_manager_that_is_here() {
        assert_eq!(hint_for(Product::Redis, Some(0)), "`sudo apt-get install redis-server`");
        assert_eq!(hint_for(Product::Postgres, Some(5)), "`brew install postgresql@17`");
        assert!(hint_for(Product::Postgres, None).contains("TMT_PG_BIN"));
    }
}
