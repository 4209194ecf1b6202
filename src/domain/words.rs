//! Enums that stand for words of the database. Each is one table, variant to word: what reads a
//! word, what writes it, the docs and serde all come from it.

/// An enum for a column with a `CHECK`: a word that is not in the table is an error of the row.
macro_rules! words {
    (
        $(#[$about:meta])*
        pub enum $name:ident {
            $($(#[$note:meta])* $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$about])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize,
        )]
        pub enum $name {
            $(
                #[doc = concat!("`", $word, "`")]
                #[doc = ""]
                $(#[$note])*
                #[serde(rename = $word)]
                $variant,
            )+
        }

        impl $name {
            /// Every variant, in the order of the table.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// Reads the database's word; `None` where it has no such word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// Returns the database's word.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

/// An enum for words that may become more: one that this version does not know is kept as it was
/// written, in `Unknown`, and steers nothing.
macro_rules! open_words {
    (
        $(#[$about:meta])*
        pub enum $name:ident {
            $($(#[$note:meta])* $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$about])*
        #[derive(
            Debug, Clone, PartialEq, Eq, Hash,
            serde::Serialize, serde::Deserialize,
        )]
        #[serde(from = "String", into = "String")]
        pub enum $name {
            $(
                #[doc = concat!("`", $word, "`")]
                #[doc = ""]
                $(#[$note])*
                $variant,
            )+
            /// A word that this version does not know. Read with [`Self::read`], it is never one
            /// of the others.
            Unknown(String),
        }

        impl $name {
            /// Every variant but `Unknown`, in the order of the table.
            pub const KNOWN: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// Reads a word of the database.
            pub fn read(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)+
                    other => Self::Unknown(other.to_owned()),
                }
            }

            /// Returns the database's word.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Unknown(word) => word,
                }
            }
        }

        /// By the words.
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.as_str().cmp(other.as_str())
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                Self::read(&word)
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.as_str().to_owned()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
