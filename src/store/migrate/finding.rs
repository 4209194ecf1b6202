//! What stands in the way of a migration, and where.

use std::fmt::{self, Display};

use super::files::File;

/// What kind of thing a [`Finding`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// A table of TMT is a view, or is missing a column, or has one of another type.
    Shape,
    /// Rows that a new unique key would refuse.
    Rows,
    /// A function, schema or table of somebody else has a name that the console needs.
    NameTaken,
    /// Somebody else's object that would go with the rulebook's schema.
    Foreign,
    /// Files that are still to run. Not in the way of anything.
    Pending,
    /// A file was edited after it had run.
    Altered,
}

/// One thing found, with the rows it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub kind: Obstacle,
    /// The table, function or file.
    pub subject: String,
    /// What is wrong with it and what to do.
    pub message: String,
    /// The rows: ids where the table has them, else their key. At most twenty.
    pub rows: Vec<String>,
    /// How many rows there are in all.
    pub row_count: i64,
}

impl Finding {
    pub(super) fn new(
        kind: Obstacle,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let (subject, message) = (subject.into(), message.into());
        Self { kind, subject, message, rows: Vec::new(), row_count: 0 }
    }

    pub(super) fn pending<'a>(files: impl Iterator<Item = &'a File>) -> Self {
        let names: Vec<&str> = files.map(|file| file.name.as_ref()).collect();
        let message = format!("{} to run; run `tmt migrate`", names.len());
        Self::new(Obstacle::Pending, names.join(", "), message)
    }

    pub(super) fn another_rulebook() -> Self {
        let message = "is another than this program's; run `tmt migrate`";
        Self::new(Obstacle::Pending, "rulebook", message)
    }

    pub(super) fn altered(file: &File) -> Self {
        let message = "was modified after it ran";
        Self::new(Obstacle::Altered, file.name.clone(), message)
    }

    /// Whether a database with this cannot be migrated.
    pub fn is_obstacle(&self) -> bool {
        match self.kind {
            Obstacle::Shape
            | Obstacle::Rows
            | Obstacle::NameTaken
            | Obstacle::Altered
            | Obstacle::Foreign => true,
            Obstacle::Pending => false,
        }
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.message)?;
        if !self.rows.is_empty() {
            write!(f, ": {}", self.rows.join("; "))?;
        }
        let named = i64::try_from(self.rows.len()).unwrap_or(i64::MAX);
        if self.row_count > named {
            write!(f, " and {} more", self.row_count.saturating_sub(named))?;
        }
        Ok(())
    }
}
