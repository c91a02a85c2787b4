//! What probes find out, as plain data. [`crate::judge`] makes claims of it, and its tests make
//! facts of machines that nobody has here.

use serde::{Deserialize, Serialize};

/// Who a process is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The file that malloc came from (dladdr(3)).
    pub malloc: Option<String>,
    /// The C library: `glibc 2.36`; `None` of one that does not say.
    pub libc: Option<String>,
    /// The policy for transparent huge pages.
    pub thp: Option<String>,
    /// Size of a base page.
    pub page_bytes: usize,
}

impl Identity {
    /// What malloc is called: `glibc 2.36`, or the name of another allocator's file.
    #[must_use]
    pub fn allocator(&self) -> String {
        let file = self.malloc.as_deref().map(|path| path.rsplit('/').next().unwrap_or(path));
        match (file, &self.libc) {
            (Some(file), Some(libc))
                if file.starts_with("libc.so") || file.starts_with("libc-2") =>
            {
                libc.clone()
            }
            (Some(file), _) => file.to_owned(),
            (None, Some(libc)) => libc.clone(),
            (None, None) => "an unknown allocator".to_owned(),
        }
    }

    /// Whether malloc is glibc's.
    #[must_use]
    pub fn is_glibc(&self) -> bool {
        self.allocator().starts_with("glibc")
    }
}

/// How many pages of a range are there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResidentFacts {
    /// By mincore(2); of a file, those in the page cache.
    pub in_core: u64,
    /// By `/proc/self/pagemap`: in this process's page tables. `None` where it cannot be read.
    pub mapped: Option<u64>,
}

/// A range before and after it was touched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paging {
    /// Whole pages in the range.
    pub pages: u64,
    /// Nothing touched yet.
    pub before: ResidentFacts,
    /// Pages touched first, evenly spread.
    pub some: u64,
    /// What was there then.
    pub after_some: ResidentFacts,
    /// All touched.
    pub after_all: ResidentFacts,
    /// Growth of the resident set over all of it, by `smaps_rollup`.
    pub rss_growth_bytes: Option<u64>,
    /// Of it, in huge pages.
    pub huge_bytes: Option<u64>,
    /// Huge pages that the process had before.
    pub huge_before_bytes: Option<u64>,
}

/// A block of malloc's before and after it was touched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lazy {
    /// Its size.
    pub bytes: usize,
    /// Whether it lies in the heap of the program break.
    pub in_break: Option<bool>,
    /// Its pages.
    pub paging: Paging,
    /// Pages of the next block of that size that were there before it was touched, after the first
    /// had been freed.
    pub again: u64,
}

/// What was read back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zeroes {
    /// Bytes read of memory never written to, which the kernel's page of zeros stands in for.
    pub read_bytes: u64,
    /// Of them, not zero.
    pub read_nonzero: u64,
    /// Bytes read next to one that was written, in pages of their own.
    pub beside_bytes: u64,
    /// Of them, not zero.
    pub beside_nonzero: u64,
}

/// Where malloc got a block from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// Its size.
    pub bytes: usize,
    /// Movement of the program break in the call.
    pub break_growth_bytes: u64,
    /// Growth of the address space in the call, without the break's.
    pub mapped_growth_bytes: Option<u64>,
    /// Whether it lies in the heap of the program break; `None` where `/proc/self/maps` cannot be
    /// read.
    pub in_break: Option<bool>,
    /// `malloc_usable_size(3)`.
    pub usable_bytes: usize,
}

/// The program break on its way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakMoves {
    /// Moved up by hand, by how much it went.
    pub up_bytes: i64,
    /// Moved down by hand.
    pub down_bytes: i64,
    /// Whether \[heap\] ended at it each time that was looked; `None` without `/proc`.
    pub heap_follows: Option<bool>,
    /// Movement while malloc handed out small blocks.
    pub allocating_bytes: i64,
    /// How much that was.
    pub allocated_bytes: u64,
    /// Movement while all but the last of them were freed.
    pub freeing_below_bytes: i64,
    /// Movement when the last was freed.
    pub freeing_last_bytes: i64,
    /// Freed from the top down, block by block: free memory at the top when the break fell.
    pub trimmed_at_bytes: Option<u64>,
    /// The same before the block that made it fall.
    pub kept_at_bytes: Option<u64>,
}

/// Where threads get their memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arenas {
    /// Whether the first thread's block lies in the heap of the program break; `None` without
    /// `/proc`.
    pub main_in_break: Option<bool>,
    /// Movement of the program break while the others allocated.
    pub break_growth_bytes: u64,
    /// The other threads.
    pub threads: Vec<Arena>,
}

/// Where one other thread's memory lies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arena {
    /// Whether its blocks lie in the heap of the program break.
    pub in_break: bool,
    /// The writable mapping that its first block lies in.
    pub start: usize,
    /// Its length then.
    pub first_bytes: u64,
    /// Its length after the thread had asked for more.
    pub later_bytes: u64,
    /// Reserved behind it then, not accessible.
    pub reserved_bytes: u64,
}

/// Where the parts of a process lie.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayoutFacts {
    /// Position independent.
    pub pie: bool,
    /// The end of its bss, rounded up to a page.
    pub program_end: usize,
    /// \[heap\]; `None` without `/proc`.
    pub heap: Option<(usize, usize)>,
    /// \[stack\].
    pub stack: Option<(usize, usize)>,
    /// What mmap handed out just now.
    pub fresh: usize,
    /// All mappings that are neither the program's own nor the kernel's by name.
    pub mappings: Vec<(usize, usize)>,
}

/// Who saw what after a fork.
#[expect(clippy::struct_excessive_bools, reason = "four independent observations")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharingFacts {
    /// The child's write to shared memory, by the parent.
    pub shared_up: bool,
    /// The parent's write to shared memory, by the child.
    pub shared_down: bool,
    /// The child's write to private memory, by the parent.
    pub private_up: bool,
    /// The parent's write to private memory, by the child.
    pub private_down: bool,
}

/// A time, and what came with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timed {
    /// How long it took.
    pub time_ns: u64,
    /// Faults served without I/O.
    pub minor_faults: u64,
    /// Faults that waited for I/O.
    pub major_faults: u64,
}

/// A mapped file on its way into memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileWindows {
    /// Its pages.
    pub pages: u64,
    /// Forgotten by the page cache, as far as it would; nothing mapped.
    pub forgotten: ResidentFacts,
    /// Mapped and not touched.
    pub untouched: ResidentFacts,
    /// One page in the middle touched.
    pub one: Touched,
    /// From the beginning, so many pages, one after the other.
    pub first_pages: u64,
    /// What that did.
    pub first: Touched,
    /// One page in the middle, with `MADV_RANDOM`.
    pub unordered: Touched,
    /// All of it in the page cache, mapped anew, one page in the middle touched.
    pub warm: Touched,
}

/// What a touch did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// In the page cache before.
    pub cached_before: u64,
    /// What is there then.
    pub resident: ResidentFacts,
    /// Faults served without I/O.
    pub minor_faults: u64,
    /// Faults that waited for I/O.
    pub major_faults: u64,
}

impl Touched {
    /// Pages that it brought into the page cache.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.resident.in_core.saturating_sub(self.cached_before)
    }
}

/// What malloc and free did, step by step, seen from within.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallFacts {
    /// In the order of the marks.
    pub steps: Vec<BreakStep>,
}

/// A memory syscall that a trace of another process shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenCall {
    /// Its name.
    pub name: String,
    /// Its first two arguments, where they are an address and a number of bytes.
    pub block: Option<(u64, u64)>,
}

impl SeenCall {
    /// The number of the mark, if the call is one that [`sys::residency::mark`] makes on a machine
    /// with pages of `page_bytes`.
    #[must_use]
    pub fn mark(&self, page_bytes: usize) -> Option<usize> {
        let (address, _) = self.block.filter(|(_, bytes)| self.name == "mincore" && *bytes == 0)?;
        Some(usize::try_from(address).ok()? / page_bytes)
    }
}

/// One step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakStep {
    /// What was asked of the allocator.
    pub name: String,
    /// Movement of the program break.
    pub break_bytes: i64,
    /// Change of the address space, without the break's; `None` without `/proc`.
    pub mapped_bytes: Option<i64>,
}
