//! Combinations of access pattern and source that are impossible, and why.

use crate::access_pattern::{AccessPattern, Between, Cache, PageOrder, Touch};
use crate::file_source::{FileSource, Place};
use crate::source::Source;

impl AccessPattern {
    /// Why this cannot be done with memory of `source`, if it cannot.
    #[must_use]
    pub fn unfit(self, source: Source) -> Option<String> {
        self.unfit_touches(source)
            .or_else(|| match source {
                Source::File(file) => file.unfit(self),
                _ => self.unfit_without_file(source),
            })
            .or_else(|| self.unfit_between(source))
    }

    /// The touches and their order.
    fn unfit_touches(self, source: Source) -> Option<String> {
        if source.counts_pairs() && self != AccessPattern::default() {
            return Some(format!(
                "{} has no touches: leave out touch, order, between and passes",
                source.name()
            ));
        }
        if self.touch == Touch::Timed && source.writes_while_obtaining() {
            let name = source.name();
            return Some(format!(
                "{name} is written while it grows, so it has no first touch that could be timed"
            ));
        }
        if self.touch == Touch::Fill && self.order != PageOrder::Sequential {
            return Some(
                "order applies to pages: add touch = \"write\" or \"read\", or \"sum\" for a file"
                    .to_owned(),
            );
        }
        if self.passes == 0 {
            return Some("passes counts all touches and must be at least 1".to_owned());
        }
        None
    }

    /// Settings that only files have.
    fn unfit_without_file(self, source: Source) -> Option<String> {
        let name = source.name();
        if self.touch == Touch::Sum {
            return Some(format!(
                "touch = \"sum\" reads the bytes of a file, but {name} is not a file"
            ));
        }
        (self.cache == Cache::Cold)
            .then(|| format!("cache = \"cold\" is about files, but {name} is not a file"))
    }

    /// The step between the touches.
    fn unfit_between(self, source: Source) -> Option<String> {
        let (between, name) = (self.between.name(), source.name());
        if self.between.shares() && self.passes == 1 {
            return Some(format!(
                "between = \"{between}\" needs a second touch: set passes to at least 2"
            ));
        }
        if self.between.shares() && matches!(source, Source::MmapHugetlb2M | Source::MmapHugetlb1G)
        {
            return Some(
                "copies of hugetlb pages come from the same pool, and the kernel kills a process \
                 that finds it empty"
                    .to_owned(),
            );
        }
        let advice = matches!(self.between, Between::DontNeed | Between::Free);
        if advice && (source.is_of_the_heap() || source == Source::Brk) {
            return Some(format!(
                "between = \"{between}\" is advice on a mapping, but {name} is not a mapping"
            ));
        }
        if self.between == Between::Free && source == Source::MmapShared {
            return Some(
                "MADV_FREE needs private memory, but mmap+shared is shared (madvise(2))".to_owned(),
            );
        }
        (self.between == Between::Trim && !source.is_of_the_heap()).then(|| {
            format!("between = \"trim\" calls malloc_trim(3), but {name} does not use the heap")
        })
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
                "read(2) reads a file from start to end: give touch = \"sum\" and no order, or use \
                 the source pread"
                    .to_owned(),
            );
        }
        if pattern.cache == Cache::Cold && self == FileSource::Pieces {
            return Some(format!(
                "{name} measures cached pages as they were written, so its cache cannot be cold"
            ));
        }
        if pattern.cache == Cache::Cold && self.place() != Some(Place::Directory) {
            return Some(format!("{name} exists only in memory, so its cache cannot be cold"));
        }
        match pattern.between {
            Between::DontNeed if self.copies() => Some(format!(
                "between = \"dontneed\" is advice on a mapping, but {name} is not mapped"
            )),
            Between::Free => Some(format!(
                "MADV_FREE needs private anonymous memory, but {name} is a file (madvise(2))"
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
    fn senseless_combinations_are_refused() {
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
        check(AccessPattern { touch: Touch::Sum, ..plain }, Source::Mmap, "is not a file");
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
    fn impossible_uses_of_files_are_refused() {
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
        check(FileSource::Tmpfs, cold, "only in memory");
        check(FileSource::Memfd, cold, "only in memory");
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
