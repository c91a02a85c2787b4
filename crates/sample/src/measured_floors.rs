//! The floors that a child measured.

use serde::{Deserialize, Serialize};

use crate::protocol::FloorGroup;

/// The floors of one group; a floor that could not be measured is marked invalid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasuredFloors {
    /// The memory on which each floor of pages was measured.
    pub size_bytes: u64,
    /// The floors.
    pub floors: GroupFloors,
}

/// The floors of a [`FloorGroup`]. docs/method.md says what each contains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupFloors {
    /// Calls, faults of small pages, and writing.
    Faults(Box<FaultFloors>),
    /// The call that populates.
    Populate {
        /// mmap(2) with `MAP_POPULATE`.
        populate: MeasuredFloor,
    },
    /// Faults of huge pages, and writing to them.
    Huge {
        /// Writing a byte to each 2 MiB page of a mapping with `MADV_HUGEPAGE`; per base page.
        huge_fault: MeasuredFloor,
        /// Writing all bytes of a 2 MiB page right after its fault; per base page.
        write_after_huge_fault: MeasuredFloor,
    },
    /// Writing to resident memory.
    Stores {
        /// Writing all bytes of memory that was written to before, by `rep stosb`.
        store: MeasuredFloor,
        /// The same by stores that bypass the caches.
        store_past_caches: MeasuredFloor,
        /// Writing zeros, page by page, by `rep stosb` to memory that was flushed from all caches.
        clear_cold: MeasuredFloor,
    },
    /// Copying, and reading a file.
    Copies {
        /// Copying memory piece by piece into one buffer.
        memcpy: MeasuredFloor,
        /// read(2) of the same number of bytes of a file in the page cache, into the same buffer in
        /// pieces of the same length. The file is an unnamed one in the temporary directory.
        read: MeasuredFloor,
        /// The same with a file in memory alone (`memfd_create`).
        read_memfd: MeasuredFloor,
    },
}

impl FloorGroup {
    /// The group with no floor measured.
    #[must_use]
    pub fn unmeasured(self) -> GroupFloors {
        let none = MeasuredFloor::default;
        match self {
            FloorGroup::Faults => GroupFloors::Faults(Box::default()),
            FloorGroup::Populate => GroupFloors::Populate { populate: none() },
            FloorGroup::Huge => {
                GroupFloors::Huge { huge_fault: none(), write_after_huge_fault: none() }
            }
            FloorGroup::Stores => {
                GroupFloors::Stores { store: none(), store_past_caches: none(), clear_cold: none() }
            }
            FloorGroup::Copies => {
                GroupFloors::Copies { memcpy: none(), read: none(), read_memfd: none() }
            }
        }
    }
}

/// The floors of [`FloorGroup::Faults`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultFloors {
    /// Reading the clock; per reading.
    pub timer: MeasuredFloor,
    /// getppid(2); per call.
    pub syscall: MeasuredFloor,
    /// mmap(2) of a block of memory, untouched; per call.
    pub map: MeasuredFloor,
    /// munmap(2) of the same, untouched; per call.
    pub unmap: MeasuredFloor,
    /// Reading a byte of each page of a new mapping.
    pub read_fault: MeasuredFloor,
    /// Writing a byte to each page of another new mapping.
    pub write_fault: MeasuredFloor,
    /// Writing all bytes of a page right after its write fault.
    pub write_after_fault: MeasuredFloor,
    /// Write faults on pages that exist and need no clearing, and writing all of their bytes in
    /// pieces as long as a block of memory: each fault interrupts a write.
    pub interrupted_write: MeasuredFloor,
    /// The same, but each page is faulted by a byte and then filled on its own: no fault interrupts
    /// a write.
    pub uninterrupted_write: MeasuredFloor,
    /// Writing all bytes of the mapping after all of its write faults.
    pub write_after_pass: MeasuredFloor,
    /// Writing all bytes once more.
    pub rewrite: MeasuredFloor,
    /// munmap(2) of memory that was written to.
    pub release: MeasuredFloor,
}

/// One floor, measured once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasuredFloor {
    /// Time of all `units` together.
    pub time_ns: u64,
    /// The number of units: pages, calls or readings of the clock.
    pub units: u64,
    /// Minor faults during that time (`ru_minflt` of the thread).
    pub minor_faults: u64,
    /// Why the time is not that of the named step: the faults are not the expected ones, or a call
    /// failed.
    pub invalid: Option<String>,
}
