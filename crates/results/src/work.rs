//! What an arm does, in the words of the experiment file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What each sample of an arm does. docs/experiments.md has the words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmWork {
    /// Where the memory comes from.
    pub source: String,
    /// The byte that is written.
    pub fill: u8,
    /// The kind of touch.
    pub touch: String,
    /// The order of the touched pages.
    pub order: String,
    /// What happens between the first touch and the second.
    pub between: String,
    /// Number of touches.
    pub passes: u64,
    /// Where the bytes of a file are before they are touched: `warm` (in the page cache) or `cold`.
    #[serde(default = "warm")]
    pub cache: String,
    /// The threads share one mapping.
    pub one_mapping: bool,
    /// The requested allocator; `null`: the default allocator of the process.
    pub allocator: Option<String>,
    /// Environment variables of the arm.
    pub environment: BTreeMap<String, String>,
}

fn warm() -> String {
    "warm".to_owned()
}

impl ArmWork {
    /// Every byte written twice to memory of `source`, and nothing else.
    #[must_use]
    pub fn plain(source: &str, fill: u8) -> Self {
        ArmWork {
            source: source.to_owned(),
            fill,
            touch: "fill".to_owned(),
            order: "sequential".to_owned(),
            between: "nothing".to_owned(),
            passes: 2,
            cache: warm(),
            one_mapping: false,
            allocator: None,
            environment: BTreeMap::new(),
        }
    }

    /// Whether its operations are pairs of malloc and free of small objects, not blocks of memory.
    #[must_use]
    pub fn counts_pairs(&self) -> bool {
        self.source.starts_with("small-")
    }

    /// Whether the work equals [`ArmWork::plain`].
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == ArmWork::plain(&self.source, self.fill)
    }
}
