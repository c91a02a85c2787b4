//! What is done with the memory of an arm once it is there: how it is touched, in which order, and
//! what happens between the touches.

use serde::{Deserialize, Serialize};

/// How the memory of an arm is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccessPattern {
    /// What a touch is.
    pub touch: Touch,
    /// Which page is touched when.
    pub order: PageOrder,
    /// What happens between the first touch and the second.
    pub between: Between,
    /// Touches in all: the first, and what is timed as the second.
    pub passes: u32,
    /// Where a file's bytes are before.
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

/// What a touch is.
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
    /// One byte of every page is written, in the first touch with a reading of the clock around
    /// each.
    Timed,
    /// Every byte of a file is read, and added up.
    Sum,
}

/// What one touch does to a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageAccess {
    /// Writes every byte.
    Fill,
    /// Writes one.
    Write,
    /// Reads one.
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
    /// As in an experiment.
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

    /// What the first touch does.
    #[must_use]
    pub fn first(self) -> PageAccess {
        match self {
            Touch::Fill => PageAccess::Fill,
            Touch::Write | Touch::Timed => PageAccess::Write,
            Touch::Read | Touch::ReadThenWrite => PageAccess::Read,
            Touch::Sum => PageAccess::Sum,
        }
    }

    /// What the others do.
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

/// Which page is touched when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageOrder {
    /// By address.
    #[default]
    Sequential,
    /// Drawn anew for every process.
    Random,
    /// Every sixteenth page, then those behind them, and so on.
    Strided,
}

impl PageOrder {
    /// As in an experiment.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            PageOrder::Sequential => "sequential",
            PageOrder::Random => "random",
            PageOrder::Strided => "strided",
        }
    }
}

/// Where a file's bytes are before they are touched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cache {
    /// All in the page cache.
    #[default]
    Warm,
    /// None in the page cache.
    Cold,
}

impl Cache {
    /// As in an experiment.
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
    /// `MADV_DONTNEED`: the pages go back at once.
    #[serde(rename = "dontneed")]
    DontNeed,
    /// `MADV_FREE`: the kernel may take the pages when it needs some.
    Free,
    /// All blocks are released and obtained again.
    Anew,
    /// Likewise, with `malloc_trim(3)` between.
    Trim,
    /// fork(2) of a child that ends at once, and its end.
    Fork,
    /// The same of a child that borrows the memory instead of copying its page tables (`CLONE_VM |
    /// CLONE_VFORK`).
    Vfork,
    /// fork(2) of a child that sleeps while its parent does the second touch.
    ForkParent,
    /// fork(2) of a child that does the second touch.
    ForkChild,
}

impl Between {
    /// As in an experiment.
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
    /// Whether a child is made.
    #[must_use]
    pub fn forks(self) -> bool {
        matches!(self, Between::Fork | Between::Vfork | Between::ForkParent | Between::ForkChild)
    }

    /// Whether memory belongs to two processes during the second touch.
    #[must_use]
    pub fn shares(self) -> bool {
        matches!(self, Between::ForkParent | Between::ForkChild)
    }
}

impl AccessPattern {
    /// Whether the second touch is what the first was, once, on the same memory.
    #[must_use]
    pub fn touches_alike(self) -> bool {
        self.passes == 2
            && self.between == Between::Nothing
            && self.touch.first() == self.touch.again()
            && self.touch != Touch::Timed
    }
}
