//! What cannot be done with memory of a source, and why.

use crate::access_pattern::{AccessPattern, Between, Cache, PageOrder, Touch};
use crate::file_source::{FileSource, Place};
use crate::source::Source;

impl AccessPattern {
    /// Why this cannot be done with memory of `source`, if it cannot.
    #[must_use]
    pub fn unfit(self, source: Source) -> Option<String> {
        if source.counts_pairs() && self != AccessPattern::default() {
            return Some(format!(
                "{} has no touches and nothing between them: leave out touch, order, between and passes",
                source.name()
            ));
        }
        if self.touch == Touch::Timed && source.writes_while_obtaining() {
            let name = source.name();
            return Some(format!(
                "{name} is written while it grows: there is no first touch of its own to be timed"
            ));
        }
        if self.touch == Touch::Fill && self.order != PageOrder::Sequential {
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
        if self.between.shares() && matches!(source, Source::MmapHugetlb2M | Source::MmapHugetlb1G)
        {
            return Some(
                "copies of hugetlb pages come from the same pool, and kill who finds it empty"
                    .to_owned(),
            );
        }
        match source {
            Source::File(file) => {
                if let Some(reason) = file.unfit(self) {
                    return Some(reason);
                }
            }
            _ if self.touch == Touch::Sum => {
                return Some(format!(
                    "touch = \"sum\" adds up the bytes of a file, and {} is none",
                    source.name()
                ));
            }
            _ if self.cache == Cache::Cold => {
                return Some(format!(
                    "cache = \"cold\" is about files, and {} is none",
                    source.name()
                ));
            }
            _ => {}
        }
        let advice = matches!(self.between, Between::DontNeed | Between::Free);
        if advice && (source.is_of_the_heap() || source == Source::Brk) {
            let name = self.between.name();
            return Some(format!(
                "between = \"{name}\" is advice on a mapping, and {} is none",
                source.name()
            ));
        }
        if self.between == Between::Free && source == Source::MmapShared {
            return Some(
                "MADV_FREE is for private memory, and mmap+shared is not (madvise(2))".to_owned(),
            );
        }
        if self.between == Between::Trim && !source.is_of_the_heap() {
            return Some(format!(
                "between = \"trim\" calls malloc_trim, and {} is not of the heap",
                source.name()
            ));
        }
        None
    }
}

impl FileSource {
    /// Why `pattern` cannot be done with it, if it cannot.
    fn unfit(self, pattern: AccessPattern) -> Option<String> {
        let name = self.name();
        let writes =
            [pattern.touch.first(), pattern.touch.again()].iter().any(|access| access.writes());
        if self.copies() && writes {
            return Some(format!(
                "{name} only reads: give touch = \"sum\", which reads every byte{}",
                if self == FileSource::Read { "" } else { ", or \"read\", one byte of every page" }
            ));
        }
        if self == FileSource::Read
            && (pattern.touch != Touch::Sum || pattern.order != PageOrder::Sequential)
        {
            return Some(
                "read(2) takes one part after the other: give touch = \"sum\" and no order, or the source pread"
                    .to_owned(),
            );
        }
        if pattern.cache == Cache::Cold && self == FileSource::Pieces {
            return Some(format!(
                "{name} is about the pages of the cache as they were written: there is no cold cache of it"
            ));
        }
        if pattern.cache == Cache::Cold && self.place() != Some(Place::Directory) {
            return Some(format!(
                "{name} is in memory and nowhere else: there is no cold cache of it"
            ));
        }
        match pattern.between {
            Between::DontNeed if self.copies() => {
                Some(format!("between = \"dontneed\" is advice on a mapping, and {name} is none"))
            }
            Between::Free => Some(format!(
                "MADV_FREE is for private anonymous memory, and {name} is a file (madvise(2))"
            )),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::small::Workload;

    #[test]
    fn what_makes_no_sense_is_said() {
        let check = |pattern: AccessPattern, source, expect: &str| {
            assert!(pattern.unfit(source).unwrap_or_default().contains(expect), "{pattern:?}");
        };
        let plain = AccessPattern::default();
        assert_eq!(plain.unfit(Source::Malloc), None);
        check(
            AccessPattern { order: PageOrder::Random, ..plain },
            Source::Mmap,
            "touch = \"write\"",
        );
        check(
            AccessPattern { between: Between::DontNeed, ..plain },
            Source::Malloc,
            "advice on a mapping",
        );
        check(AccessPattern { between: Between::Free, ..plain }, Source::MmapShared, "private");
        check(AccessPattern { between: Between::Trim, ..plain }, Source::Mmap, "heap");
        check(AccessPattern { passes: 0, ..plain }, Source::Mmap, "at least 1");
        check(AccessPattern { touch: Touch::Timed, ..plain }, Source::Realloc, "no first touch");
        check(
            AccessPattern { passes: 1, ..plain },
            Source::Small(Workload::Mixed),
            "small-mixed has no touches",
        );
        check(AccessPattern { touch: Touch::Sum, ..plain }, Source::Mmap, "is none");
        check(AccessPattern { cache: Cache::Cold, ..plain }, Source::Malloc, "about files");
        check(
            AccessPattern { between: Between::ForkParent, passes: 1, ..plain },
            Source::Mmap,
            "second touch",
        );
        check(
            AccessPattern { between: Between::ForkChild, ..plain },
            Source::MmapHugetlb2M,
            "pool",
        );
        check(
            AccessPattern { touch: Touch::Read, ..plain },
            Source::File(FileSource::Read),
            "the source pread",
        );
        let trim = AccessPattern { between: Between::Trim, ..plain };
        check(trim, Source::File(FileSource::Shared), "heap");
    }

    #[test]
    fn what_cannot_be_done_with_a_file_is_said() {
        let check = |source: FileSource, pattern: AccessPattern, expect: &str| {
            let reason = source.unfit(pattern).unwrap_or_default();
            assert!(
                reason.contains(expect) && reason.is_empty() == expect.is_empty(),
                "{source:?}: {reason:?}"
            );
        };
        let touch = |touch| AccessPattern { touch, ..AccessPattern::default() };
        check(FileSource::Shared, touch(Touch::Fill), "");
        check(FileSource::Pread, touch(Touch::Read), "");
        check(FileSource::Read, touch(Touch::Sum), "");
        check(FileSource::Read, touch(Touch::Read), "the source pread");
        check(FileSource::Pread, touch(Touch::Fill), "or \"read\"");
        check(FileSource::Direct, touch(Touch::ReadThenWrite), "only reads");
        let cold = AccessPattern { cache: Cache::Cold, ..touch(Touch::Sum) };
        check(FileSource::Shared, cold, "");
        check(FileSource::Tmpfs, cold, "nowhere else");
        check(FileSource::Memfd, cold, "nowhere else");
        check(
            FileSource::Private,
            AccessPattern { between: Between::Free, ..touch(Touch::Fill) },
            "MADV_FREE",
        );
        check(
            FileSource::Pread,
            AccessPattern { between: Between::DontNeed, ..touch(Touch::Sum) },
            "advice",
        );
    }
}
