//! A picture of a process's address space at one time: not an event, but as plain.

use alloc::string::String;
use alloc::vec::Vec;

/// What a process had mapped when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// The process.
    pub pid: u32,
    /// The file that it runs (`/proc/PID/exe`); empty if it cannot be read.
    pub program: String,
    /// Size of a base page.
    pub page_bytes: u64,
    /// It was told to lay out its memory always alike (`ADDR_NO_RANDOMIZE` of personality(2));
    /// `None` if that cannot be seen.
    pub fixed_addresses: Option<bool>,
    /// The most that was ever resident since its last exec, as the kernel's counters have it
    /// (`VmHWM`); `None` if it does not say.
    pub peak_resident_bytes: Option<u64>,
    /// What is mapped, by ascending address.
    pub ranges: Vec<MappedRange>,
    /// The programs and libraries among it, as their files describe them; the program itself first,
    /// if it could be read.
    pub images: Vec<Image>,
    /// The address at which the program begins to run; unknown without `/proc/PID/auxv`.
    pub entry: Option<u64>,
    /// Stack pointers of its threads, without that of the first.
    pub stack_pointers: Vec<u64>,
    /// Threads besides the first whose stack pointer could not be learnt.
    pub threads_unseen: u64,
}

/// One mapping.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MappedRange {
    /// The first address.
    pub start: u64,
    /// The address behind the last.
    pub end: u64,
    /// `rwxp` or `rwxs`, with a hyphen for what is not allowed.
    pub permissions: String,
    /// Where in its file it begins.
    pub offset_bytes: u64,
    /// Its file; no two have the same number. 0 of none.
    pub file: u32,
    /// The name of its file, a name in brackets such as `[heap]`, or nothing.
    pub name: String,
    /// So much is resident.
    pub resident_bytes: u64,
    /// So much is mapped by huge pages.
    pub huge_bytes: u64,
    /// The ranges of addresses that are resident; `None` if that was not asked for or cannot be
    /// seen.
    pub resident: Option<Vec<(u64, u64)>>,
}

/// What the file of a program or library says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Image {
    /// Its number in [`MappedRange::file`].
    pub file: u32,
    /// 32 or 64.
    pub bits: u8,
    /// Its addresses are those that it was linked for (`ET_EXEC`).
    pub fixed: bool,
    /// It asks for a dynamic linker.
    pub interpreted: bool,
    /// Where it begins to run, as linked.
    pub entry: u64,
    /// What of it is mapped, as linked.
    pub segments: Vec<Segment>,
}

/// A part of a file that is mapped, with the bss behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Segment {
    /// The first address, as linked.
    pub address: u64,
    /// Where in the file it begins.
    pub offset_bytes: u64,
    /// So much of it comes from the file.
    pub file_bytes: u64,
    /// So much memory it takes.
    pub memory_bytes: u64,
    /// It is code.
    pub executable: bool,
    /// It can be written to.
    pub writable: bool,
}
