//! How the memory of an arm is used once it is obtained: how it is touched, in which order, and
//! what happens between the touches.

use serde::{Deserialize, Serialize};

/// How the memory of an arm is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccessPattern {
    /// What one touch does.
    pub touch: Touch,
    /// The order in which pages are touched.
    pub order: PageOrder,
    /// What happens between the first touch and the second.
    pub between: Between,
    /// Number of touches: the first, and those that are timed together as the second.
    pub passes: u32,
    /// Whether a file is in the page cache before the first touch.
    pub cache: Cache,
}

impl Default for AccessPattern {
    fn default() -> Self {
        AccessPattern {
            touch: Touch::default(),
            order: PageOrder::default(),
            between: Between::default(),
            passes: 2,
            cache: Cache::default(),
        }
    }
}

/// What one touch does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Touch {
    /// Every byte is written.
    #[default]
    Fill,
    /// One byte of every page is written.
    Write,
    /// One byte of every page is read.
    Read,
    /// The first touch reads, the others write.
    ReadThenWrite,
    /// One byte of every page is written; in the first touch each write is timed on its own.
    Timed,
    /// Every byte of a file is read and summed up.
    Sum,
}

/// The access of one touch to a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageAccess {
    /// Writes every byte.
    Fill,
    /// Writes one byte.
    Write,
    /// Reads one byte.
    Read,
    /// Reads every byte.
    Sum,
}

impl PageAccess {
    /// Whether it changes memory.
    #[must_use]
    pub fn writes(self) -> bool {
        matches!(self, PageAccess::Fill | PageAccess::Write)
    }
}

impl Touch {
    /// Its name in experiment files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Touch::Fill => "fill",
            Touch::Write => "write",
            Touch::Read => "read",
            Touch::ReadThenWrite => "read-then-write",
            Touch::Timed => "timed",
            Touch::Sum => "sum",
        }
    }

    /// The access of the first touch.
    #[must_use]
    pub fn first(self) -> PageAccess {
        match self {
            Touch::Fill => PageAccess::Fill,
            Touch::Write | Touch::Timed => PageAccess::Write,
            Touch::Read | Touch::ReadThenWrite => PageAccess::Read,
            Touch::Sum => PageAccess::Sum,
        }
    }

    /// The access of the later touches.
    #[must_use]
    pub fn again(self) -> PageAccess {
        match self {
            Touch::Fill => PageAccess::Fill,
            Touch::Write | Touch::ReadThenWrite | Touch::Timed => PageAccess::Write,
            Touch::Read => PageAccess::Read,
            Touch::Sum => PageAccess::Sum,
        }
    }
}

/// The order in which pages are touched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageOrder {
    /// In the order of addresses.
    #[default]
    Sequential,
    /// At random, drawn separately for every process.
    Random,
    /// Every sixteenth page, then the pages after those, and so on.
    Strided,
}

impl PageOrder {
    /// Its name in experiment files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            PageOrder::Sequential => "sequential",
            PageOrder::Random => "random",
            PageOrder::Strided => "strided",
        }
    }
}

/// Whether a file is in the page cache before it is touched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cache {
    /// All of it is in the page cache.
    #[default]
    Warm,
    /// None of it is in the page cache.
    Cold,
}

impl Cache {
    /// Its name in experiment files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Cache::Warm => "warm",
            Cache::Cold => "cold",
        }
    }
}

/// What happens between the first touch and the second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Between {
    /// Nothing.
    #[default]
    Nothing,
    /// `MADV_DONTNEED`: the kernel frees the pages at once.
    #[serde(rename = "dontneed")]
    DontNeed,
    /// `MADV_FREE`: the kernel may reclaim the pages when it needs memory.
    Free,
    /// All blocks are released and obtained again.
    Anew,
    /// As `Anew`, with `malloc_trim(3)` in between.
    Trim,
    /// fork(2) of a child that exits at once, and waiting for it.
    Fork,
    /// The same with a child that borrows the memory instead of copying its page tables (`CLONE_VM
    /// | CLONE_VFORK`).
    Vfork,
    /// fork(2) of a child that sleeps while its parent does the second touch.
    ForkParent,
    /// fork(2) of a child that does the second touch.
    ForkChild,
}

impl Between {
    /// Its name in experiment files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Between::Nothing => "nothing",
            Between::DontNeed => "dontneed",
            Between::Free => "free",
            Between::Anew => "anew",
            Between::Trim => "trim",
            Between::Fork => "fork",
            Between::Vfork => "vfork",
            Between::ForkParent => "fork-parent",
            Between::ForkChild => "fork-child",
        }
    }
}

impl Between {
    /// Whether a child is forked.
    #[must_use]
    pub fn forks(self) -> bool {
        matches!(self, Between::Fork | Between::Vfork | Between::ForkParent | Between::ForkChild)
    }

    /// Whether two processes have the memory during the second touch.
    #[must_use]
    pub fn shares(self) -> bool {
        matches!(self, Between::ForkParent | Between::ForkChild)
    }
}

impl AccessPattern {
    /// Whether the second touch repeats the first once, on the same memory.
    #[must_use]
    pub fn touches_alike(self) -> bool {
        self.passes == 2
            && self.between == Between::Nothing
            && self.touch.first() == self.touch.again()
            && self.touch != Touch::Timed
    }
}
