//! What the kernel reports as mapped. A report may be of more than has just been mapped, since a mapping that continues
//! another becomes one with it; and one comes after mprotect(2) and when the stack grows, where nothing is new.

use std::sync::Arc;

use events::{Mapping, Name, Names, Thread};
use results::trace::Kind;

use super::Space;
use super::regions::Region;

impl Space {
    /// Applies the kernel's report of `mapping`, which came while `thread` was in the kernel.
    pub(crate) fn map(&mut self, mapping: &Mapping, names: &Names, thread: Thread, time_ns: u64) {
        let told = told(mapping, names.text(mapping.name), self.is_met, time_ns);
        if told.start >= told.end {
            return;
        }
        self.settle(time_ns);
        self.settle_between(told.start, told.end, thread.tid);
        if told.kind == Kind::Heap && self.break_at.is_none() {
            self.break_at = Some(told.end);
        }
        // Where no syscalls are seen, a report of what is there already, to the letter, is of a new mapping in its place.
        let again = !self.hears_calls && !matches!(told.kind, Kind::Heap | Kind::Stack);
        let known = self.regions.parts(told.start, told.end);
        let whole = self.regions.at(told.start).copied();
        if again && whole == Some(Region { born_ns: whole.map_or(0, |whole| whole.born_ns), ..told }) {
            self.forget(&known);
        }
        let mut at = told.start;
        for part in &known {
            self.put_if_any(told.part(at, part.start), time_ns);
            let piece = told.part(part.start, part.end);
            match refined(part, &piece) {
                Some(better) if better == *part => {}
                Some(better) => {
                    Arc::make_mut(&mut self.regions).put(better, time_ns);
                }
                None => self.put(piece, time_ns),
            }
            at = part.end;
        }
        self.put_if_any(told.part(at, told.end), time_ns);
    }

    fn put_if_any(&mut self, region: Region, time_ns: u64) {
        if region.start < region.end {
            self.put(region, time_ns);
        }
    }
}

/// The mapping as a region.
fn told(mapping: &Mapping, name: &str, met: bool, time_ns: u64) -> Region {
    let kind = kind(name, mapping.shared);
    // The kernel's own names for memory without a file say nothing that the kind does not.
    let unnamed = name.starts_with("//anon") || kind == Kind::SharedAnonymous && name.starts_with('/');
    let keeps_name = !matches!(kind, Kind::Heap | Kind::Stack) && !unnamed;
    let region = Region::new(mapping.start, mapping.end, kind, mapping.protection & 7);
    Region {
        name: if keeps_name { mapping.name } else { Name::NONE },
        offset_bytes: if region.is_file() { mapping.offset_bytes } else { 0 },
        hugetlb_bytes: if name.starts_with("/anon_hugepage") { 2 << 20 } else { 0 },
        met,
        born_ns: time_ns,
        ..region
    }
}

/// What a name says, as `/proc/PID/maps` and perf's records have them (`show_map_vma` of `fs/proc/task_mmu.c`,
/// `perf_event_mmap_event` of kernel/events/core.c).
fn kind(name: &str, shared: bool) -> Kind {
    let anonymous = if shared { Kind::SharedAnonymous } else { Kind::Anonymous };
    match name {
        "" => anonymous,
        "[heap]" => Kind::Heap,
        "[stack]" => Kind::Stack,
        _ if ["[vdso]", "[vvar", "[vsyscall]", "[uprobes]"].iter().any(|own| name.starts_with(own)) => Kind::Kernel,
        // Named by prctl(PR_SET_VMA_ANON_NAME).
        _ if name.starts_with("[anon_shmem:") => Kind::SharedAnonymous,
        _ if name.starts_with("//anon") || name.starts_with("[anon:") => anonymous,
        // A thread's stack in kernels before 4.5.
        _ if name.starts_with("[stack:") => Kind::ThreadStack,
        // What backs shared anonymous memory, memory of shmget(2), and huge pages without a file.
        _ if ["/dev/zero", "/SYSV", "/anon_hugepage"].iter().any(|own| name.starts_with(own)) => anonymous,
        _ if name.starts_with('/') && shared => Kind::SharedFile,
        _ if name.starts_with('/') => Kind::PrivateFile,
        _ => Kind::Other,
    }
}

/// What `known` is, now that the kernel has told `piece` of the same addresses; `None` if that is something else.
fn refined(known: &Region, piece: &Region) -> Option<Region> {
    let same = Region { protection: piece.protection, ..*known };
    let name = if piece.name.is_some() { piece.name } else { known.name };
    let is_own = |kind| matches!(kind, Kind::Heap | Kind::Anonymous | Kind::ThreadStack | Kind::Stack);
    match (known.kind, piece.kind) {
        // What a syscall said is more exact than that there is no file.
        (own, Kind::Anonymous) if is_own(own) => Some(Region { name, ..same }),
        (own, Kind::Heap | Kind::Stack) if is_own(own) => Some(Region { kind: piece.kind, name, ..same }),
        (Kind::SharedAnonymous, Kind::SharedAnonymous) => Some(Region { name, ..same }),
        (Kind::PrivateFile, Kind::PrivateFile) | (Kind::SharedFile, Kind::SharedFile) => {
            let continues = known.offset_bytes == piece.offset_bytes;
            (continues && (!known.name.is_some() || known.name == piece.name)).then_some(Region { name, ..same })
        }
        // A descriptor of what is no file in the end: /dev/zero, a device, a ring of perf or io_uring.
        (Kind::PrivateFile, Kind::Anonymous)
        | (Kind::SharedFile, Kind::SharedAnonymous)
        | (Kind::PrivateFile | Kind::SharedFile, Kind::Other)
            if !known.name.is_some() && piece.name.is_some() =>
        {
            Some(Region { kind: piece.kind, name, offset_bytes: 0, ..same })
        }
        (Kind::Kernel, Kind::Kernel) | (Kind::Other, Kind::Other) if known.name == piece.name => Some(same),
        _ => None,
    }
}
