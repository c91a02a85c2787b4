//! The sources of memory that an arm can measure.

use serde::{Deserialize, Serialize};

use crate::file_source::FileSource;
use crate::small::Workload;

/// A way of getting memory. Files and answers contain its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Source {
    /// mmap(2), anonymous and private.
    Mmap,
    /// malloc(3).
    Malloc,
    /// calloc(3).
    Calloc,
    /// mmap(2) with `MAP_POPULATE`.
    MmapPopulate,
    /// mmap(2), then madvise(2) with `MADV_HUGEPAGE`.
    MmapHugePage,
    /// mmap(2), anonymous and shared.
    MmapShared,
    /// mmap(2), then madvise(2) with `MADV_POPULATE_WRITE`.
    MmapPopulateWrite,
    /// mmap(2), then madvise(2) with `MADV_NOHUGEPAGE`.
    MmapNoHugePage,
    /// mmap(2), every page populated, then madvise(2) with `MADV_COLLAPSE`.
    MmapCollapse,
    /// mmap(2), then `MADV_HUGEPAGE`, with the kernel set to pages of this many KiB.
    MmapMidPages(u32),
    /// mmap(2) with `MAP_HUGETLB` and pages of 2 MiB.
    MmapHugetlb2M,
    /// mmap(2) with `MAP_HUGETLB` and pages of 1 GiB.
    MmapHugetlb1G,
    /// malloc(3) of a page, then realloc(3) to twice the size until it is large enough, writing the
    /// added bytes each time.
    Realloc,
    /// As `Realloc`, in steps of 1 MiB.
    ReallocSteps,
    /// mmap(2) of a page, then mremap(2) to twice the size until it is large enough, writing the
    /// added bytes each time.
    Mremap,
    /// `aligned_alloc(3)` at 2 MiB, or at the size if that is smaller.
    AlignedAlloc,
    /// sbrk(2).
    Brk,
    /// Pairs of malloc(3) and free(3) of many small objects, without a separate touch.
    Small(Workload),
    /// A file, mapped or read.
    File(FileSource),
}

/// Multi-size huge pages, in KiB: the sizes that kernels have between the base page and 2 MiB.
const MID_PAGES_KIB: [(u32, &str); 8] = [
    (8, "mmap+8KiB"),
    (16, "mmap+16KiB"),
    (32, "mmap+32KiB"),
    (64, "mmap+64KiB"),
    (128, "mmap+128KiB"),
    (256, "mmap+256KiB"),
    (512, "mmap+512KiB"),
    (1024, "mmap+1024KiB"),
];

impl Source {
    /// The sources without a parameter.
    const PLAIN: [Source; 20] = [
        Source::Mmap,
        Source::Malloc,
        Source::Calloc,
        Source::MmapPopulate,
        Source::MmapHugePage,
        Source::MmapShared,
        Source::MmapPopulateWrite,
        Source::MmapNoHugePage,
        Source::MmapCollapse,
        Source::MmapHugetlb2M,
        Source::MmapHugetlb1G,
        Source::Realloc,
        Source::ReallocSteps,
        Source::Mremap,
        Source::AlignedAlloc,
        Source::Brk,
        Source::Small(Workload::Fixed),
        Source::Small(Workload::Mixed),
        Source::Small(Workload::Larson),
        Source::Small(Workload::Exchange),
    ];

    /// All sources.
    pub fn all() -> impl Iterator<Item = Source> {
        let sized = MID_PAGES_KIB.map(|(kib, _)| Source::MmapMidPages(kib));
        Self::PLAIN.into_iter().chain(sized).chain(FileSource::ALL.map(Source::File))
    }

    /// The name of the arm that measures it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Source::Mmap => "mmap",
            Source::Malloc => "malloc",
            Source::Calloc => "calloc",
            Source::MmapPopulate => "mmap+populate",
            Source::MmapHugePage => "mmap+hugepage",
            Source::MmapShared => "mmap+shared",
            Source::MmapPopulateWrite => "mmap+populate-write",
            Source::MmapNoHugePage => "mmap+nohugepage",
            Source::MmapCollapse => "mmap+collapse",
            Source::MmapMidPages(kib) => MID_PAGES_KIB
                .iter()
                .find(|(size, _)| *size == kib)
                .map_or("mmap+pages", |(_, name)| name),
            Source::MmapHugetlb2M => "mmap+hugetlb-2MiB",
            Source::MmapHugetlb1G => "mmap+hugetlb-1GiB",
            Source::Realloc => "realloc",
            Source::ReallocSteps => "realloc+steps",
            Source::Mremap => "mremap",
            Source::AlignedAlloc => "aligned-alloc",
            Source::Brk => "brk",
            Source::Small(workload) => workload.name(),
            Source::File(file) => file.name(),
        }
    }

    /// The source called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Source> {
        Source::all().find(|source| source.name() == name)
    }

    /// Whether the memory comes from the process's allocator, so that another allocator can make a
    /// difference.
    #[must_use]
    pub fn is_of_the_heap(self) -> bool {
        self.counts_pairs()
            || matches!(
                self,
                Source::Malloc
                    | Source::Calloc
                    | Source::Realloc
                    | Source::ReallocSteps
                    | Source::AlignedAlloc
            )
    }

    /// Whether it is a workload of small objects: its operations are pairs of malloc and free, not
    /// blocks of memory.
    #[must_use]
    pub fn counts_pairs(self) -> bool {
        matches!(self, Source::Small(_))
    }

    /// The threads that do the work if `asked` are requested.
    #[must_use]
    pub fn threads(self, asked: u64) -> u64 {
        match self {
            Source::Small(workload) => workload.threads(asked),
            _ => asked,
        }
    }

    /// Whether processes that share the memory see each other's writes.
    #[must_use]
    pub fn is_shared(self) -> bool {
        match self {
            Source::MmapShared => true,
            Source::File(file) => file != FileSource::Private,
            _ => false,
        }
    }

    /// Whether the memory has been written to once it is obtained, so that there is no separate
    /// first touch.
    #[must_use]
    pub fn writes_while_obtaining(self) -> bool {
        matches!(self, Source::Realloc | Source::ReallocSteps | Source::Mremap)
    }
}

impl From<Source> for String {
    fn from(source: Source) -> String {
        source.name().to_owned()
    }
}

impl TryFrom<String> for Source {
    type Error = String;

    fn try_from(name: String) -> Result<Source, String> {
        Source::named(&name).ok_or_else(|| format!("unknown source {name:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = Source::all().map(Source::name).collect();
        assert!(Source::all().all(|source| Source::named(source.name()) == Some(source)));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Source::all().count());
    }
}
