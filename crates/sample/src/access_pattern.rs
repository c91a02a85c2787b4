//! What is done with the memory of an arm once it is there: how it is touched, in which order, and what happens
//! between the touches.

use serde::{Deserialize, Serialize};

use crate::source::Source;

/// The strided order visits every so manieth page, and comes back for those between.
pub const STRIDE_PAGES: usize = 16;

/// How the memory of an arm is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Handling {
    /// What a touch is.
    pub touch: Touch,
    /// Which page is touched when.
    pub order: Order,
    /// What happens between the first touch and the second.
    pub between: Between,
    /// Touches in all: the first, and what is timed as the second.
    pub passes: u32,
    /// Where a file's bytes are before.
    pub cache: Cache,
}

impl Default for Handling {
    fn default() -> Self {
        Handling {
            touch: Touch::default(),
            order: Order::default(),
            between: Between::default(),
            passes: 2,
            cache: Cache::default(),
        }
    }
}

/// What an experiment says of the handling of one arm, or of all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Wish {
    /// What a touch is.
    pub touch: Option<Touch>,
    /// Which page is touched when.
    pub order: Option<Order>,
    /// What happens between the first touch and the second.
    pub between: Option<Between>,
    /// Touches in all.
    pub passes: Option<u32>,
    /// Where a file's bytes are before.
    pub cache: Option<Cache>,
}

impl Wish {
    /// The handling where this wins over `common`.
    #[must_use]
    pub fn over(self, common: Handling) -> Handling {
        Handling {
            touch: self.touch.unwrap_or(common.touch),
            order: self.order.unwrap_or(common.order),
            between: self.between.unwrap_or(common.between),
            passes: self.passes.unwrap_or(common.passes),
            cache: self.cache.unwrap_or(common.cache),
        }
    }
}

/// What the arms of an experiment do unless they say otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Common {
    /// The byte to write.
    pub fill: u8,
    /// How memory is used.
    pub handling: Handling,
}

impl Common {
    /// The usual handling with this byte.
    #[must_use]
    pub fn of_fill(fill: u8) -> Self {
        Common { fill, handling: Handling::default() }
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
    /// One byte of every page is written, in the first touch with a reading of the clock around each.
    Timed,
    /// Every byte of a file is read, and added up.
    Sum,
}

/// What one touch does to a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Writes every byte.
    Fill,
    /// Writes one.
    Write,
    /// Reads one.
    Read,
    /// Reads every byte.
    Sum,
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
    pub fn first(self) -> Access {
        match self {
            Touch::Fill => Access::Fill,
            Touch::Write | Touch::Timed => Access::Write,
            Touch::Read | Touch::ReadThenWrite => Access::Read,
            Touch::Sum => Access::Sum,
        }
    }

    /// What the others do.
    #[must_use]
    pub fn again(self) -> Access {
        match self {
            Touch::Fill => Access::Fill,
            Touch::Write | Touch::ReadThenWrite | Touch::Timed => Access::Write,
            Touch::Read => Access::Read,
            Touch::Sum => Access::Sum,
        }
    }
}

/// Which page is touched when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// By address.
    #[default]
    Sequential,
    /// Drawn anew for every process.
    Random,
    /// Every sixteenth page, then those behind them, and so on.
    Strided,
}

impl Order {
    /// As in an experiment.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Order::Sequential => "sequential",
            Order::Random => "random",
            Order::Strided => "strided",
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
    /// The same of a child that borrows the memory instead of copying its page tables (`CLONE_VM | CLONE_VFORK`).
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

impl Handling {
    /// Whether the second touch is what the first was, once, on the same memory.
    #[must_use]
    pub fn touches_alike(self) -> bool {
        self.passes == 2
            && self.between == Between::Nothing
            && self.touch.first() == self.touch.again()
            && self.touch != Touch::Timed
    }

    /// Why this cannot be done with memory of `source`, if it cannot.
    #[must_use]
    pub fn unfit(self, source: Source) -> Option<String> {
        if source.counts_pairs() && self != Handling::default() {
            return Some(format!(
                "{} has no touches and nothing between them: leave out touch, order, between and passes",
                source.name()
            ));
        }
        if self.touch == Touch::Timed && source.writes_while_obtaining() {
            let name = source.name();
            return Some(format!("{name} is written while it grows: there is no first touch of its own to be timed"));
        }
        if self.touch == Touch::Fill && self.order != Order::Sequential {
            return Some(
                "an order is one of pages: give touch = \"write\" or \"read\" with it, or \"sum\" of a file".to_owned(),
            );
        }
        if self.passes == 0 {
            return Some("passes counts the touches in all: at least 1".to_owned());
        }
        if self.between.shares() && self.passes == 1 {
            return Some(format!(
                "between = \"{}\" is about the second touch: passes is 2 at least",
                self.between.name()
            ));
        }
        if self.between.shares() && matches!(source, Source::MmapHugetlb2M | Source::MmapHugetlb1G) {
            return Some("copies of hugetlb pages come from the same pool, and kill who finds it empty".to_owned());
        }
        match source {
            Source::File(file) => {
                if let Some(reason) = file.unfit(self) {
                    return Some(reason);
                }
            }
            _ if self.touch == Touch::Sum => {
                return Some(format!("touch = \"sum\" adds up the bytes of a file, and {} is none", source.name()));
            }
            _ if self.cache == Cache::Cold => {
                return Some(format!("cache = \"cold\" is about files, and {} is none", source.name()));
            }
            _ => {}
        }
        let advice = matches!(self.between, Between::DontNeed | Between::Free);
        if advice && (source.is_of_the_heap() || source == Source::Brk) {
            let name = self.between.name();
            return Some(format!("between = \"{name}\" is advice on a mapping, and {} is none", source.name()));
        }
        if self.between == Between::Free && source == Source::MmapShared {
            return Some("MADV_FREE is for private memory, and mmap+shared is not (madvise(2))".to_owned());
        }
        if self.between == Between::Trim && !source.is_of_the_heap() {
            return Some(format!("between = \"trim\" calls malloc_trim, and {} is not of the heap", source.name()));
        }
        None
    }
}

/// The order in which `pages` pages are touched, by index; `None`: by address. `draw(n)` gives a number below n.
#[must_use]
pub fn page_order(order: Order, pages: usize, mut draw: impl FnMut(u64) -> u64) -> Option<Vec<u32>> {
    let all = 0..u32::try_from(pages).unwrap_or(u32::MAX);
    match order {
        Order::Sequential => None,
        Order::Strided => Some(
            (0..STRIDE_PAGES).flat_map(|first| all.clone().skip(first).step_by(STRIDE_PAGES)).collect::<Vec<u32>>(),
        ),
        Order::Random => {
            let mut order: Vec<u32> = all.collect();
            // Fisher and Yates, from the back.
            for last in (1..order.len()).rev() {
                let other = usize::try_from(draw(last as u64 + 1)).unwrap_or(last);
                order.swap(last, other);
            }
            Some(order)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file_source::FileSource;
    use crate::small::Workload;

    #[test]
    fn every_order_visits_every_page_once() {
        for pages in [0, 1, 15, 16, 17, 1000] {
            for order in [Order::Random, Order::Strided] {
                let mut visited = page_order(order, pages, |n| n * 7 / 10).unwrap();
                visited.sort_unstable();
                let expected: Vec<u32> = (0..u32::try_from(pages).unwrap()).collect();
                assert_eq!(visited, expected, "{order:?}, {pages} pages");
            }
        }
        assert_eq!(page_order(Order::Strided, 40, |_| 0).unwrap()[..4], [0, 16, 32, 1]);
        assert_eq!(page_order(Order::Sequential, 40, |_| 0), None);
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let check = |handling: Handling, source, expect: &str| {
            assert!(handling.unfit(source).unwrap_or_default().contains(expect), "{handling:?}");
        };
        let plain = Handling::default();
        assert_eq!(plain.unfit(Source::Malloc), None);
        check(Handling { order: Order::Random, ..plain }, Source::Mmap, "touch = \"write\"");
        check(Handling { between: Between::DontNeed, ..plain }, Source::Malloc, "advice on a mapping");
        check(Handling { between: Between::Free, ..plain }, Source::MmapShared, "private");
        check(Handling { between: Between::Trim, ..plain }, Source::Mmap, "heap");
        check(Handling { passes: 0, ..plain }, Source::Mmap, "at least 1");
        check(Handling { touch: Touch::Timed, ..plain }, Source::Realloc, "no first touch");
        check(Handling { passes: 1, ..plain }, Source::Small(Workload::Mixed), "small-mixed has no touches");
        check(Handling { touch: Touch::Sum, ..plain }, Source::Mmap, "is none");
        check(Handling { cache: Cache::Cold, ..plain }, Source::Malloc, "about files");
        check(Handling { between: Between::ForkParent, passes: 1, ..plain }, Source::Mmap, "second touch");
        check(Handling { between: Between::ForkChild, ..plain }, Source::MmapHugetlb2M, "pool");
        check(Handling { touch: Touch::Read, ..plain }, Source::File(FileSource::Read), "the source pread");
        let trim = Handling { between: Between::Trim, ..plain };
        check(trim, Source::File(FileSource::Shared), "heap");
    }
}
