//! Takes a snapshot of a process's address space from `/proc` and the files that it has mapped.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

use events::snapshot::{Image, MappedRange, Segment, Snapshot, SpaceTotals};
use sys::Errno;
use sys::elf::{Headers, Type};
use sys::limits::page_bytes;
use sys::proc::TaskFolder;
use sys::proc::task::{
    has_process_ended, is_kernel_thread, live_threads_of, memory_totals, threads_of,
};

use super::residency::{Accounted, Seen, look};

/// Why the address space of a process cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unseen {
    /// There is no such process.
    Gone(u32),
    /// It has no address space: a kernel thread, or a process of which all threads have ended and
    /// that is not reaped.
    Empty(u32),
    /// It belongs to another user, or is not dumpable.
    Refused(u32),
    /// The error of reading it.
    Failed(u32, String),
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unseen::Gone(pid) => write!(
                f,
                "there is no process {pid}; it may have ended (ps -e lists running processes)"
            ),
            Unseen::Empty(pid) => {
                write!(f, "process {pid} has no address space: it is a kernel thread, or has ended")
            }
            Unseen::Refused(pid) => write!(
                f,
                "this user may not read the address space of process {pid}: the process belongs to \
                 another user, has more privileges, or its file is not readable; try sudo"
            ),
            Unseen::Failed(pid, why) => {
                write!(f, "cannot read the address space of process {pid}: {why}")
            }
        }
    }
}

/// Threads that are about to exit, with their stack pointers.
pub(super) type Leaving = HashMap<u32, Option<u64>>;

/// The address space of the running process `pid` now.
///
/// # Errors
/// [`Unseen`] says why it cannot be read.
pub fn picture(pid: u32, accounted: Accounted) -> Result<Snapshot, Unseen> {
    /// During execve(2) the address space changes hands, and threads end while one looks.
    const LOOKS: u32 = 50;
    let mut looks = 0;
    loop {
        looks += 1;
        let live = live_threads_of(pid).map_err(|error| unseen(pid, &error))?;
        // The first thread has no address space once it has ended; the others still have it.
        let tid = live.first().copied().unwrap_or(pid);
        match take(pid, tid, &Leaving::new(), accounted) {
            Err(Unseen::Gone(_) | Unseen::Empty(_))
                if looks < LOOKS && !has_process_ended(pid) && !is_kernel_thread(pid) =>
            {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            done => return done,
        }
    }
}

/// As [`picture`], read through one of its threads, which must still exist.
pub(super) fn take(
    pid: u32,
    tid: u32,
    leaving: &Leaving,
    accounted: Accounted,
) -> Result<Snapshot, Unseen> {
    let folder = TaskFolder::new(pid, tid);
    let (mapped, accounted_bytes) =
        look(&folder, accounted).map_err(|error| unseen(pid, &error))?;
    if mapped.is_empty() {
        return Err(Unseen::Empty(pid));
    }
    let totals = memory_totals(tid);
    let mut space = Snapshot {
        pid,
        program: folder.program().unwrap_or_default().to_string_lossy().into_owned(),
        page_bytes: page_bytes(),
        fixed_addresses: folder.has_fixed_addresses(),
        peak_resident_bytes: totals.peak_resident_bytes,
        totals: SpaceTotals {
            page_tables_bytes: totals.page_tables_bytes,
            accounted_bytes,
            mappings_max: sys::proc::sysctl::max_map_count(),
            address_space_bytes: totals.address_space_bytes,
            address_space_max_bytes: folder.address_space_max_bytes(),
            commit_left_bytes: sys::proc::commit_left_bytes(),
        },
        ..Snapshot::default()
    };
    let mut files = Files::default();
    for one in mapped {
        let range = range(one, &mut files, &folder, &mut space.images);
        space.ranges.push(range);
    }
    own_image(&mut space, &folder);
    stacks(&mut space, leaving);
    Ok(space)
}

fn unseen(pid: u32, error: &io::Error) -> Unseen {
    match error.kind() {
        io::ErrorKind::NotFound => Unseen::Gone(pid),
        io::ErrorKind::PermissionDenied => Unseen::Refused(pid),
        _ if Errno::of(error) == Some(Errno::NO_PROCESS) => Unseen::Gone(pid),
        _ => Unseen::Failed(pid, error.to_string()),
    }
}

/// Numbers the files, by device and inode.
#[derive(Default)]
struct Files(HashMap<((u32, u32), u64), u32>);

impl Files {
    fn number(&mut self, key: ((u32, u32), u64)) -> u32 {
        let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX).saturating_add(1);
        *self.0.entry(key).or_insert(next)
    }
}

/// Puts the program's own image first. Its file is that of the mapping with the entry address: its
/// path may lead to another file by now, and `/proc` may report another device (btrfs, overlayfs).
fn own_image(space: &mut Snapshot, folder: &TaskFolder) {
    let Some(headers) = headers_of(folder.open_program(), None) else { return };
    space.entry = folder.entry_address(headers.bits);
    let entry = space.entry.unwrap_or_default();
    let begins =
        |range: &&MappedRange| range.file != 0 && (range.start..range.end).contains(&entry);
    let named = |range: &&MappedRange| range.file != 0 && range.name == space.program;
    let found = space.ranges.iter().find(begins).or_else(|| space.ranges.iter().find(named));
    let Some(file) = found.map(|range| range.file) else { return };
    space.images.retain(|image| image.file != file);
    space.images.insert(0, image(file, &headers));
}

/// One range. For the first range of a file, its headers are read too.
fn range(
    seen: Seen,
    files: &mut Files,
    folder: &TaskFolder,
    images: &mut Vec<Image>,
) -> MappedRange {
    let region = seen.region;
    let file = match region.inode {
        0 => 0,
        inode => {
            let key = (region.device, inode);
            let is_new = !files.0.contains_key(&key);
            let file = files.number(key);
            // The path is resolved as the process sees it; a file that was replaced or deleted
            // since has another inode.
            let opened = || folder.open_in_root(&region.name);
            if let Some(headers) = is_new.then(|| headers_of(opened(), Some(inode))).flatten() {
                images.push(image(file, &headers));
            }
            file
        }
    };
    MappedRange {
        start: region.start as u64,
        end: region.end as u64,
        permissions: region.permissions,
        offset_bytes: region.offset_bytes,
        file,
        name: region.name,
        resident_bytes: seen.resident_bytes,
        huge_bytes: seen.huge_bytes,
        resident: seen.resident,
    }
}

/// The headers of a file, if it is ELF and has `inode`, if that is given.
fn headers_of(opened: io::Result<File>, inode: Option<u64>) -> Option<Headers> {
    let file = opened.ok()?;
    let metadata = file.metadata().ok()?;
    if !metadata.is_file() || inode.is_some_and(|inode| metadata.ino() != inode) {
        return None;
    }
    let mut head = Vec::new();
    file.take(64 << 10).read_to_end(&mut head).ok()?;
    sys::elf::parse(&head).ok()
}

fn image(file: u32, headers: &Headers) -> Image {
    let segments = headers.segments.iter().map(|segment| Segment {
        address: segment.address,
        offset_bytes: segment.offset_bytes,
        file_bytes: segment.file_bytes,
        memory_bytes: segment.memory_bytes,
        executable: segment.is_executable(),
        writable: segment.is_writable(),
    });
    Image {
        file,
        bits: headers.bits,
        fixed: headers.kind == Type::Fixed,
        interpreted: headers.interpreted,
        entry: headers.entry,
        segments: segments.collect(),
    }
}

/// Whether `tid` is one of the threads of `pid`.
pub(super) fn is_thread(pid: u32, tid: u32) -> bool {
    TaskFolder::new(pid, tid).exists()
}

/// The syscall and stack pointer of a thread, unless it is running.
pub(super) fn syscall_state(pid: u32, tid: u32) -> Option<sys::proc::SyscallState> {
    TaskFolder::new(pid, tid).syscall_state()
}

/// Stack pointers of all threads but the first.
fn stacks(space: &mut Snapshot, leaving: &Leaving) {
    /// A running thread does not show its stack pointer: it is read again a millisecond later.
    const LOOKS: usize = 20;
    space.stack_pointers.extend(leaving.values().flatten());
    let mut left = threads_of(space.pid).unwrap_or_default();
    left.retain(|tid| *tid != space.pid && !leaving.contains_key(tid));
    for look in 0..LOOKS {
        left.retain(|tid| match syscall_state(space.pid, *tid) {
            Some(state) => {
                space.stack_pointers.push(state.stack_pointer);
                false
            }
            None => is_thread(space.pid, *tid),
        });
        if left.is_empty() {
            break;
        }
        if look + 1 < LOOKS {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
    space.threads_unseen = left.len() as u64;
    space.stack_pointers.sort_unstable();
}
