//! A snapshot of a process's address space: not an event, but also plain data.

use alloc::string::String;
use alloc::vec::Vec;

/// The address space of a process at one time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// The process.
    pub pid: u32,
    /// The file of its program (`/proc/PID/exe`); empty if it cannot be read.
    pub program: String,
    /// The size of a base page.
    pub page_bytes: u64,
    /// Whether address space randomisation is off for it (`ADDR_NO_RANDOMIZE` of personality(2));
    /// `None` if that cannot be read.
    pub fixed_addresses: Option<bool>,
    /// Its peak resident memory since its last exec, by the kernel's counters (`VmHWM`); `None` if
    /// unknown.
    pub peak_resident_bytes: Option<u64>,
    /// What the mappings take besides resident memory, and their limits.
    pub totals: SpaceTotals,
    /// The mappings, by ascending address.
    pub ranges: Vec<MappedRange>,
    /// The programs and libraries among them, as described by their files; the program itself
    /// first, if it could be read.
    pub images: Vec<Image>,
    /// The entry address of the program; unknown without `/proc/PID/auxv`.
    pub entry: Option<u64>,
    /// The stack pointers of its threads, except the first.
    pub stack_pointers: Vec<u64>,
    /// The number of threads, except the first, whose stack pointer could not be read.
    pub threads_unseen: u64,
}

/// What mappings take besides resident memory, and their limits. The number of mappings is that of
/// [`Snapshot::ranges`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpaceTotals {
    /// Page tables (`VmPTE`); `None` if unknown.
    pub page_tables_bytes: Option<u64>,
    /// Mappings that the kernel has committed memory for; `None` if that was not read.
    pub accounted_bytes: Option<u64>,
    /// The limit of the number of mappings (`vm.max_map_count`); `None` if unknown.
    pub mappings_max: Option<u64>,
    /// The size of all mappings (`VmSize`); `None` if unknown.
    pub address_space_bytes: Option<u64>,
    /// Its limit (`RLIMIT_AS`); `None` if there is none.
    pub address_space_max_bytes: Option<u64>,
    /// Memory that can still be committed on this machine; `None` where that has no limit.
    pub commit_left_bytes: Option<u64>,
}

/// One mapping.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MappedRange {
    /// The first address.
    pub start: u64,
    /// The first address after it.
    pub end: u64,
    /// `rwxp` or `rwxs`, with a hyphen for what is not allowed.
    pub permissions: String,
    /// Its offset in its file.
    pub offset_bytes: u64,
    /// The number of its file, unique in this snapshot; 0 without a file.
    pub file: u32,
    /// The path of its file, a name in brackets such as `[heap]`, or empty.
    pub name: String,
    /// Resident bytes.
    pub resident_bytes: u64,
    /// Bytes mapped by huge pages.
    pub huge_bytes: u64,
    /// The resident ranges of addresses; `None` if they were not requested or cannot be read.
    pub resident: Option<Vec<(u64, u64)>>,
}

/// The headers of the file of a program or library.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Image {
    /// Its number in [`MappedRange::file`].
    pub file: u32,
    /// 32 or 64.
    pub bits: u8,
    /// Whether its addresses are fixed when it is linked (`ET_EXEC`).
    pub fixed: bool,
    /// Whether it needs a dynamic linker.
    pub interpreted: bool,
    /// The entry point, as linked.
    pub entry: u64,
    /// The segments that are mapped, as linked.
    pub segments: Vec<Segment>,
}

/// A mapped part of a file, with the bss after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Segment {
    /// The first address, as linked.
    pub address: u64,
    /// Its offset in the file.
    pub offset_bytes: u64,
    /// Bytes that come from the file.
    pub file_bytes: u64,
    /// Bytes that it takes in memory.
    pub memory_bytes: u64,
    /// Whether it is code.
    pub executable: bool,
    /// Whether it is writable.
    pub writable: bool,
}
