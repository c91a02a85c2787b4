//! The facts that probes find, as plain data. [`crate::judge`] turns them into claims; tests use
//! facts of other machines.

use serde::{Deserialize, Serialize};

/// The allocator and C library of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The file that malloc came from (dladdr(3)).
    pub malloc: Option<String>,
    /// The C library: `glibc 2.36`; `None` if it has no version call.
    pub libc: Option<String>,
    /// The policy for transparent huge pages.
    pub thp: Option<String>,
    /// Size of a base page.
    pub page_bytes: usize,
}

impl Identity {
    /// The name of malloc: `glibc 2.36`, or the file name of another allocator.
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

/// The number of resident pages of a range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResidentFacts {
    /// By mincore(2); for a file, pages in the page cache.
    pub in_core: u64,
    /// By `/proc/self/pagemap`: pages in this process's page tables. `None` if it cannot be read.
    pub mapped: Option<u64>,
}

/// A range before and after it was touched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paging {
    /// Whole pages in the range.
    pub pages: u64,
    /// Before any touch.
    pub before: ResidentFacts,
    /// Pages touched first, evenly spread.
    pub some: u64,
    /// Resident after that.
    pub after_some: ResidentFacts,
    /// Resident after all pages were touched.
    pub after_all: ResidentFacts,
    /// Growth of the resident set over all of it, by `smaps_rollup`.
    pub rss_growth_bytes: Option<u64>,
    /// Of that growth, in huge pages.
    pub huge_bytes: Option<u64>,
    /// Huge pages of the process before the touch.
    pub huge_before_bytes: Option<u64>,
}

/// A malloc block before and after it was touched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lazy {
    /// Its size.
    pub bytes: usize,
    /// Whether it lies in the heap of the program break.
    pub in_break: Option<bool>,
    /// Its pages.
    pub paging: Paging,
    /// After the block was freed: resident pages of the next block of that size, before it was
    /// touched.
    pub again: u64,
}

/// Bytes read from fresh memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zeroes {
    /// Bytes read from memory never written, which the kernel backs with its zero page.
    pub read_bytes: u64,
    /// Of them, bytes that are not zero.
    pub read_nonzero: u64,
    /// Bytes read from pages in which one byte was written, so that each has its own page.
    pub beside_bytes: u64,
    /// Of them, bytes that are not zero.
    pub beside_nonzero: u64,
}

/// Where malloc got a block from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// Its size.
    pub bytes: usize,
    /// Movement of the program break in the call.
    pub break_growth_bytes: u64,
    /// Growth of the address space in the call, without the program break.
    pub mapped_growth_bytes: Option<u64>,
    /// Whether it lies in the heap of the program break; `None` where `/proc/self/maps` cannot be
    /// read.
    pub in_break: Option<bool>,
    /// `malloc_usable_size(3)`.
    pub usable_bytes: usize,
}

/// Movements of the program break.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakMoves {
    /// Movement after brk(2) up.
    pub up_bytes: i64,
    /// Movement after brk(2) down.
    pub down_bytes: i64,
    /// Whether \[heap\] ended at the break at every check; `None` without `/proc`.
    pub heap_follows: Option<bool>,
    /// Movement while malloc served small blocks.
    pub allocating_bytes: i64,
    /// Total size of these blocks.
    pub allocated_bytes: u64,
    /// Movement while all but the last of them were freed.
    pub freeing_below_bytes: i64,
    /// Movement when the last was freed.
    pub freeing_last_bytes: i64,
    /// Blocks freed from the top down, one by one: free memory at the top when the break moved
    /// down.
    pub trimmed_at_bytes: Option<u64>,
    /// Free memory at the top one block earlier.
    pub kept_at_bytes: Option<u64>,
}

/// Where the blocks of threads lie.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arenas {
    /// Whether the first thread's block lies in the heap of the program break; `None` without
    /// `/proc`.
    pub main_in_break: Option<bool>,
    /// Movement of the program break while the other threads allocated.
    pub break_growth_bytes: u64,
    /// The other threads.
    pub threads: Vec<Arena>,
}

/// Where the blocks of one thread lie.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arena {
    /// Whether its blocks lie in the heap of the program break.
    pub in_break: bool,
    /// Start of the writable mapping with its first block.
    pub start: usize,
    /// Length of the mapping then.
    pub first_bytes: u64,
    /// Length after the thread allocated more.
    pub later_bytes: u64,
    /// Reserved, inaccessible memory behind it then.
    pub reserved_bytes: u64,
}

/// The layout of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayoutFacts {
    /// Whether the program is position independent.
    pub pie: bool,
    /// The end of its bss, rounded up to a page.
    pub program_end: usize,
    /// \[heap\]; `None` without `/proc`.
    pub heap: Option<(usize, usize)>,
    /// \[stack\].
    pub stack: Option<(usize, usize)>,
    /// The address of a new mapping that the kernel placed.
    pub fresh: usize,
    /// All mappings except those of the program and those that the kernel names.
    pub mappings: Vec<(usize, usize)>,
}

/// Which writes were visible after a fork.
#[expect(clippy::struct_excessive_bools, reason = "four independent observations")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharingFacts {
    /// The parent saw the child's write to shared memory.
    pub shared_up: bool,
    /// The child saw the parent's write to shared memory.
    pub shared_down: bool,
    /// The parent saw the child's write to private memory.
    pub private_up: bool,
    /// The child saw the parent's write to private memory.
    pub private_down: bool,
}

/// A time and the faults in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timed {
    /// The time.
    pub time_ns: u64,
    /// Faults served without I/O.
    pub minor_faults: u64,
    /// Faults that waited for I/O.
    pub major_faults: u64,
}

/// Pages of a mapped file in the page cache and in the page tables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileWindows {
    /// Its pages.
    pub pages: u64,
    /// After the page cache was asked to drop the file; nothing mapped.
    pub forgotten: ResidentFacts,
    /// After mapping, before a touch.
    pub untouched: ResidentFacts,
    /// A touch of one page in the middle.
    pub one: Touched,
    /// The number of pages touched in order from the start.
    pub first_pages: u64,
    /// The result of these touches.
    pub first: Touched,
    /// A touch of one page in the middle, with `MADV_RANDOM`.
    pub unordered: Touched,
    /// With the whole file cached and mapped again: a touch of one page in the middle.
    pub warm: Touched,
}

/// The result of a touch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// Pages in the page cache before.
    pub cached_before: u64,
    /// Resident pages after.
    pub resident: ResidentFacts,
    /// Faults served without I/O.
    pub minor_faults: u64,
    /// Faults that waited for I/O.
    pub major_faults: u64,
}

impl Touched {
    /// Pages that the touch brought into the page cache.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.resident.in_core.saturating_sub(self.cached_before)
    }
}

/// What malloc and free did, step by step, observed inside the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallFacts {
    /// The steps, in the order of the marks.
    pub steps: Vec<BreakStep>,
}

/// A memory syscall in a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenCall {
    /// Its name.
    pub name: String,
    /// The first two arguments, if they are an address and a number of bytes.
    pub block: Option<(u64, u64)>,
}

impl SeenCall {
    /// The number of the mark, if the call is one of [`sys::residency::mark`] with pages of
    /// `page_bytes`.
    #[must_use]
    pub fn mark(&self, page_bytes: usize) -> Option<usize> {
        let (address, _) = self.block.filter(|(_, bytes)| self.name == "mincore" && *bytes == 0)?;
        Some(usize::try_from(address).ok()? / page_bytes)
    }
}

/// One step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakStep {
    /// The operation.
    pub name: String,
    /// Movement of the program break.
    pub break_bytes: i64,
    /// Change of the address space, without the program break; `None` without `/proc`.
    pub mapped_bytes: Option<i64>,
}
