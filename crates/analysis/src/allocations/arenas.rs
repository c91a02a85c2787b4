//! Where the allocator of the C library (glibc) has its blocks: the heap of brk(2), heaps of
//! threads, mappings of their own. The stream does not say; the addresses and the syscalls inside
//! calls do (`new_heap`, `sysmalloc` and `munmap_chunk` of glibc's malloc).

mod thresholds;

use events::{Call, MappingKind, Syscall, Thread};

pub(super) use thresholds::Tracker;
pub use thresholds::{MmapThresholds, ThresholdMove};

use super::number_map::NumberMap;
use crate::address_space::MappedRegion;

/// `HEAP_MAX_SIZE` of malloc/arena.c in 64-bit programs: a heap of a thread is aligned to it.
const HEAP_BYTES: u64 = 64 << 20;
/// A block of a mapping of its own begins so close to the mapping's start, unless it is aligned.
const HEADER_BYTES: u64 = 64;
/// Where a mapping was looked for so often in vain, it is not known.
const LOOKS: u32 = 64;
/// Arenas that are kept; the others are a sum.
const KEPT: usize = 1000;

/// The kind of memory that blocks come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum ArenaKind {
    /// The heap that brk(2) grows.
    Main,
    /// A heap of 64 MiB that mprotect(2) makes accessible, of an arena for threads.
    Thread,
    /// A mapping of its own for each block.
    Mapped,
    /// Other mappings, or not known.
    #[default]
    Other,
}

/// An arena, or what is like one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ArenaAccount {
    /// The process; 0 of a sum over several.
    pub pid: u32,
    /// What it is.
    pub kind: ArenaKind,
    /// The start of a thread's heap; else 0.
    pub start: u64,
    /// The thread that was the first to get a block there; 0 of a sum.
    pub first_tid: u32,
    /// Calls that were given blocks there.
    pub calls: u64,
    /// The sizes of those, in bytes.
    pub bytes: u64,
    /// Syscalls that made it larger or smaller, or that mapped and unmapped blocks.
    pub resizes: u64,
    /// Their time, in nanoseconds.
    pub resize_ns: u64,
}

/// Where blocks come from, and the thresholds that decide it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllArenas {
    /// The arenas of all processes, by processes and addresses: those with most calls.
    pub arenas: Vec<ArenaAccount>,
    /// The others, and how many they are.
    pub others: Option<(u64, ArenaAccount)>,
    /// The thresholds of each process in which a block had a mapping of its own.
    pub thresholds: Vec<MmapThresholds>,
}

/// The same while the stream is read.
#[derive(Debug, Default)]
pub(super) struct Arenas {
    /// By process and by 64 MiB of addresses.
    slots: Vec<Slot>,
    places: NumberMap<u64, usize>,
    /// The slot of the last call: most are in the same one as the call before.
    last: Option<(u64, usize)>,
    by_pid: NumberMap<u32, ProcessArenas>,
    ended: AllArenas,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    key: u64,
    arena: ArenaAccount,
    is_known: bool,
    /// How often it was looked for in vain.
    looks: u32,
}

/// What a process has beside its slots.
#[derive(Debug, Default)]
struct ProcessArenas {
    mapped: ArenaAccount,
    main: (u64, u64),
    thresholds: Tracker,
}

fn key_of(pid: u32, address: u64) -> u64 {
    (u64::from(pid) << 32) | ((address / HEAP_BYTES) & u64::from(u32::MAX))
}

impl Arenas {
    /// A call gives a block of so many bytes at `address`. Returns whether it is not known what is
    /// there.
    #[inline]
    pub(super) fn give(&mut self, thread: Thread, address: u64, bytes: u64) -> bool {
        let key = key_of(thread.pid, address);
        let place = match self.last {
            Some((last, place)) if last == key => place,
            _ => self.find(key, thread, address),
        };
        let slot = &mut self.slots[place];
        slot.arena.calls += 1;
        slot.arena.bytes = slot.arena.bytes.saturating_add(bytes);
        !slot.is_known
    }

    fn find(&mut self, key: u64, thread: Thread, address: u64) -> usize {
        let next = self.slots.len();
        let place = *self.places.entry(key).or_insert(next);
        if place == next {
            let arena = ArenaAccount {
                pid: thread.pid,
                first_tid: thread.tid,
                start: address - address % HEAP_BYTES,
                ..ArenaAccount::default()
            };
            self.slots.push(Slot { key, arena, is_known: false, looks: 0 });
        }
        self.last = Some((key, place));
        place
    }

    /// The block at `address` is in what `at` says of addresses, if that is known by now.
    pub(super) fn look(
        &mut self,
        pid: u32,
        address: u64,
        mut at: impl FnMut(u64) -> Option<MappedRegion>,
    ) {
        let Some(&place) = self.places.get(&key_of(pid, address)) else { return };
        let slot = &mut self.slots[place];
        slot.looks += 1;
        let kind = at(address).map(|region| kind_of(&region, &mut at));
        slot.is_known = kind.is_some() || slot.looks >= LOOKS;
        slot.arena.kind = kind.unwrap_or_default();
    }

    /// A large block is given back, or a syscall that may be about one is made.
    pub(super) fn thresholds(&mut self, pid: u32) -> &mut Tracker {
        &mut self.by_pid.entry(pid).or_default().thresholds
    }

    /// A syscall inside a call that gives the block of so many bytes at `address`. Returns whether
    /// it maps the block.
    pub(super) fn map(
        &mut self,
        thread: Thread,
        syscall: &Syscall,
        address: u64,
        bytes: u64,
    ) -> bool {
        let maps = matches!(syscall.call, Call::Mmap | Call::Mremap);
        let start = syscall.succeeded_with().filter(|_| maps);
        if start.is_none_or(|start| address.wrapping_sub(start) > HEADER_BYTES) {
            return false;
        }
        let key = key_of(thread.pid, address);
        if let Some(&place) = self.places.get(&key) {
            let arena = &mut self.slots[place].arena;
            arena.calls = arena.calls.saturating_sub(1);
            arena.bytes = arena.bytes.saturating_sub(bytes);
        }
        let process = self.by_pid.entry(thread.pid).or_default();
        process.mapped.calls += 1;
        process.mapped.bytes = process.mapped.bytes.saturating_add(bytes);
        if process.mapped.first_tid == 0 {
            process.mapped.first_tid = thread.tid;
        }
        process.thresholds.map(address, bytes);
        true
    }

    /// A syscall of a process, of which `is_of_block` holds if it maps or unmaps a block.
    pub(super) fn resize(&mut self, pid: u32, syscall: &Syscall, is_of_block: bool) {
        let ns = syscall.span.latency_ns.map_or(0, std::num::NonZeroU64::get);
        let add = |count: &mut u64, sum_ns: &mut u64| {
            *count += 1;
            *sum_ns = sum_ns.saturating_add(ns);
        };
        match syscall.call {
            Call::Brk => {
                let process = self.by_pid.entry(pid).or_default();
                add(&mut process.main.0, &mut process.main.1);
            }
            Call::Mprotect | Call::Madvise if syscall.arguments_known => {
                let key = key_of(pid, syscall.arguments[0]);
                if let Some(&place) = self.places.get(&key) {
                    let arena = &mut self.slots[place].arena;
                    add(&mut arena.resizes, &mut arena.resize_ns);
                }
            }
            Call::Mmap | Call::Mremap | Call::Munmap if is_of_block => {
                let mapped = &mut self.by_pid.entry(pid).or_default().mapped;
                add(&mut mapped.resizes, &mut mapped.resize_ns);
            }
            Call::Munmap if syscall.arguments_known && syscall.arguments[1] >= HEAP_BYTES / 2 => {
                // Another heap, or other memory, may be there next.
                let (from, bytes) = (syscall.arguments[0], syscall.arguments[1]);
                for slot in &mut self.slots {
                    let inside = slot.arena.start.wrapping_sub(from) < bytes;
                    slot.is_known &= slot.arena.pid != pid || !inside;
                }
            }
            _ => {}
        }
    }

    /// The process is over, or executes another program.
    pub(super) fn end(&mut self, pid: u32) {
        let process = self.by_pid.remove(&pid).unwrap_or_default();
        let mut own: Vec<ArenaAccount> = Vec::new();
        let mut kept = Vec::new();
        for slot in self.slots.drain(..) {
            if slot.arena.pid == pid { own.push(slot.arena) } else { kept.push(slot) }
        }
        self.slots = kept;
        self.last = None;
        self.places =
            self.slots.iter().enumerate().map(|(place, slot)| (slot.key, place)).collect();
        let (main, main_ns) = process.main;
        for kind in [ArenaKind::Main, ArenaKind::Mapped, ArenaKind::Other] {
            let empty = ArenaAccount { pid, kind, ..ArenaAccount::default() };
            let of_kind = own.iter().filter(|arena| arena.kind == kind);
            let mut all = of_kind.fold(empty, joined);
            match kind {
                ArenaKind::Main => (all.resizes, all.resize_ns) = (main, main_ns),
                ArenaKind::Mapped => all = joined(all, &process.mapped),
                _ => {}
            }
            if all.calls > 0 {
                self.keep(all);
            }
        }
        own.retain(|arena| arena.kind == ArenaKind::Thread && arena.calls > 0);
        for arena in own {
            self.keep(arena);
        }
        let thresholds = process.thresholds.finish(pid);
        if thresholds.smallest_mapped_bytes.is_some() && self.ended.thresholds.len() < KEPT {
            self.ended.thresholds.push(thresholds);
        }
    }

    fn keep(&mut self, arena: ArenaAccount) {
        self.ended.arenas.push(arena);
        if self.ended.arenas.len() == 2 * KEPT {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        self.ended.arenas.sort_by_key(|arena| std::cmp::Reverse(arena.calls));
        let gone = self.ended.arenas.split_off(KEPT);
        let (count, sum) = self.ended.others.unwrap_or_default();
        let sum = gone.iter().fold(sum, joined);
        self.ended.others = Some((count + gone.len() as u64, sum));
    }

    /// All of them, at the end of the stream.
    pub(super) fn finish(mut self) -> AllArenas {
        let mut pids: Vec<u32> = self.slots.iter().map(|slot| slot.arena.pid).collect();
        pids.extend(self.by_pid.keys());
        pids.sort_unstable();
        pids.dedup();
        for pid in pids {
            self.end(pid);
        }
        if self.ended.arenas.len() > KEPT {
            self.shrink();
        }
        self.ended.arenas.sort_by_key(|arena| (arena.pid, arena.kind, arena.start));
        self.ended.thresholds.sort_by_key(|thresholds| thresholds.pid);
        self.ended
    }
}

/// The sum of both, of which the first says what it is.
fn joined(one: ArenaAccount, other: &ArenaAccount) -> ArenaAccount {
    ArenaAccount {
        first_tid: if one.first_tid == 0 { other.first_tid } else { one.first_tid },
        calls: one.calls.saturating_add(other.calls),
        bytes: one.bytes.saturating_add(other.bytes),
        resizes: one.resizes.saturating_add(other.resizes),
        resize_ns: one.resize_ns.saturating_add(other.resize_ns),
        ..one
    }
}

/// What a block in `region` comes from. A thread's heap begins at a multiple of its size, and its
/// last part is not accessible, unless it is full; mappings below may have joined it.
fn kind_of(region: &MappedRegion, mut at: impl FnMut(u64) -> Option<MappedRegion>) -> ArenaKind {
    if region.kind == MappingKind::Heap {
        return ArenaKind::Main;
    }
    let first = (region.end - 1) / HEAP_BYTES * HEAP_BYTES;
    let is_open = region.kind == MappingKind::Anonymous && region.start <= first;
    let closed = at(first + (HEAP_BYTES - 1));
    let is_closed = |closed: &MappedRegion| {
        closed.kind == MappingKind::Anonymous
            && closed.protection == 0
            && closed.start == region.end
    };
    if is_open && closed.as_ref().is_some_and(is_closed) {
        ArenaKind::Thread
    } else {
        ArenaKind::Other
    }
}

#[cfg(test)]
mod tests;
