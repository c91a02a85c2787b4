//! Where memory can come from: the mechanisms that an arm may measure.

use serde::{Deserialize, Serialize};

/// A way of getting memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// mmap(2), anonymous and private.
    #[serde(rename = "mmap")]
    Mmap,
    /// malloc(3).
    #[serde(rename = "malloc")]
    Malloc,
    /// calloc(3).
    #[serde(rename = "calloc")]
    Calloc,
    /// mmap(2) with `MAP_POPULATE`.
    #[serde(rename = "mmap+populate")]
    MmapPopulate,
    /// mmap(2), then madvise(2) with `MADV_HUGEPAGE`.
    #[serde(rename = "mmap+hugepage")]
    MmapHugePage,
}

impl Source {
    /// All of them.
    pub const ALL: [Source; 5] =
        [Source::Mmap, Source::Malloc, Source::Calloc, Source::MmapPopulate, Source::MmapHugePage];

    /// The name of the arm that measures it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Source::Mmap => "mmap",
            Source::Malloc => "malloc",
            Source::Calloc => "calloc",
            Source::MmapPopulate => "mmap+populate",
            Source::MmapHugePage => "mmap+hugepage",
        }
    }
}
