//! The memory that one process and its forks write to, from the reader's side.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

use events::{Allocation, AllocationFunction, Frame, Interner, StackId, Thread};
use sys::shared_words::SharedWords;
use wire::unit::state;
use wire::{CallRecord, header, node, record};

use super::clock::TickClock;
use super::listener::Guest;
use super::units::{FoundUnit, Owner, Units};
use super::{CallSink, CallTaker, ShimCounts, ThreadNumber};

/// Stacks are not deeper than this: a longer way outwards is a circle.
const DEPTH_MAX: usize = 4096;
/// The memory, and what has been read of it.
#[derive(Debug)]
pub(super) struct Region {
    memory: SharedWords,
    guest: Guest,
    /// The number of the program among all that said hello.
    program: u32,
    units: Units,
    found: Vec<FoundUnit>,
    /// The stack of each node, once it is known.
    stacks: Vec<StackId>,
    threads: HashMap<u32, KnownThread>,
    /// The number of units that were in use when those of the dead were freed last.
    settled_units: usize,
    is_left: bool,
}

#[derive(Debug, Clone, Copy)]
struct KnownThread {
    number: ThreadNumber,
    /// What a reallocation gave back, whose second record has not been read yet.
    released: u64,
}

impl Region {
    pub(super) fn new(memory: SharedWords, guest: Guest, program: u32) -> Region {
        let units = memory.words()[header::UNITS].load(Ordering::Relaxed);
        let units = Units::new(usize::try_from(units).unwrap_or(0));
        let units_in_use = units.in_use(memory.words());
        Region {
            guest,
            program,
            units,
            found: Vec::new(),
            stacks: Vec::new(),
            threads: HashMap::new(),
            settled_units: units_in_use,
            is_left: false,
            memory,
        }
    }

    /// Reads everything that is new. Returns the number of calls.
    pub(super) fn drain(
        &mut self,
        clock: &TickClock,
        frames: &mut Interner,
        writers: &mut u32,
        sink: &mut impl CallSink,
    ) -> u64 {
        let Region { memory, guest, program, units, found, stacks, threads, .. } = self;
        let words = memory.words();
        beat(words);
        units.with_records(words, found);
        let mut calls = 0;
        for unit in &*found {
            let thread = threads.entry(unit.thread).or_insert_with(|| {
                *writers += 1;
                let owner = Units::owner(words, unit.place);
                let known = KnownThread { number: ThreadNumber(*writers), released: 0 };
                sink.begins(known.number, guest.thread(owner), *program);
                known
            });
            let Some(taker) = sink.taker(thread.number) else { continue };
            // Reading all of them may take long where many threads wait.
            beat(words);
            units.read(words, unit.place, |record| {
                if record.function == record::RELEASED_BY_REALLOC {
                    thread.released = record.address;
                    return;
                }
                let stack = stack(words, stacks, frames, record.node);
                let released = std::mem::take(&mut thread.released);
                let Some(call) = call(&record, released, stack, clock) else { return };
                taker.call(clock.ns(record.begin_ticks), &call);
                calls += 1;
            });
            if unit.is_full {
                units.free(words, unit.place);
            }
            if unit.is_last
                && let Some(thread) = threads.remove(&unit.thread)
            {
                sink.ends(thread.number);
            }
        }
        calls
    }

    /// Frees the units of threads that are gone and did not say so.
    pub(super) fn free_units(&mut self) {
        let words = self.memory.words();
        self.settled_units = self.units.in_use(words);
        for place in 0..self.settled_units {
            let is_kept = matches!(Units::state(words, place).0, state::PRIVATE | state::ACTIVE);
            if is_kept && !self.guest.may_write(Units::owner(words, place)) {
                self.units.take_from(words, place);
            }
        }
    }

    /// Whether more units are in use than when those of the dead were freed last.
    pub(super) fn is_crowded(&self) -> bool {
        self.units.in_use(self.memory.words()) > self.settled_units
    }

    /// The process that said hello has executed another program, if it is this one.
    pub(super) fn is_greeted_by(&mut self, guest: Guest) {
        self.is_left |= self.guest.pid == guest.pid;
    }

    /// Whether the process that said hello has ended, or has left the memory. Its forks may still
    /// write.
    pub(super) fn has_lost_its_guest(&self) -> bool {
        self.is_left || !sys::process::exists(self.guest.pid)
    }

    /// Takes the memory from the processes that it was shared with, if none of them can write to it
    /// any more: then one more [`Self::drain`] reads the rest.
    ///
    /// # Errors
    /// The region, which a process can still write to.
    pub(super) fn retire(self) -> Result<Box<Region>, Box<Region>> {
        match self.memory.retire() {
            Ok(memory) => Ok(Box::new(Region { memory, ..self })),
            Err(memory) => Err(Box::new(Region { memory, ..self })),
        }
    }

    /// All threads have ended.
    pub(super) fn end(self, sink: &mut impl CallSink) {
        for thread in self.threads.values() {
            sink.ends(thread.number);
        }
    }

    /// Tells the process that its calls are read, if not at this moment.
    pub(super) fn beat(&self) {
        beat(self.memory.words());
    }

    /// Tells the process to record nothing, or to record.
    pub(super) fn set_quiet(&self, is_quiet: bool) {
        let flags = &self.memory.words()[header::FLAGS];
        if is_quiet {
            flags.fetch_or(header::flags::QUIET, Ordering::Relaxed);
        } else {
            flags.fetch_and(!header::flags::QUIET, Ordering::Relaxed);
        }
    }

    /// What the process says of its recording.
    pub(super) fn counts(&self, clock: &TickClock) -> ShimCounts {
        let word = |word: usize| self.memory.words()[word].load(Ordering::Relaxed);
        ShimCounts {
            processes: word(header::INSTANCES),
            threads: word(header::THREADS),
            lost: word(header::LOST),
            waited_ns: clock.duration_ns(word(header::WAITED_TICKS)),
            nested: word(header::NESTED),
            cut_stacks: word(header::CUT_STACKS),
            unknown_stacks: word(header::UNKNOWN_STACKS),
            checked_stacks: word(header::CHECKED_STACKS),
            wrong_stacks: word(header::WRONG_STACKS),
            own_allocators: word(header::HAS_OWN_ALLOCATOR),
            deep_libraries: word(header::DEEP_LIBRARIES),
            gave_up: word(header::GAVE_UP),
            clock_error_ns: 0,
        }
    }
}

/// Gives a sign of life.
fn beat(words: &[AtomicU64]) {
    words[header::HEARTBEAT].fetch_add(1, Ordering::Relaxed);
}

impl Guest {
    /// Whether it and we number processes alike.
    fn is_of_our_namespace(self) -> bool {
        self.pid == self.own_pid
    }

    /// A thread, by our numbers as far as they are known. Forks in another namespace count as the
    /// process that said hello, which has the same code at the same addresses.
    fn thread(self, owner: Owner) -> Thread {
        if self.is_of_our_namespace() {
            return Thread { pid: owner.pid, tid: owner.tid };
        }
        let is_first = owner.tid == self.own_pid;
        Thread { pid: self.pid, tid: if is_first { self.pid } else { owner.tid } }
    }

    /// Whether a thread may still write.
    fn may_write(self, owner: Owner) -> bool {
        let is_known = self.is_of_our_namespace() && !owner.is_guess;
        !is_known || sys::process::has_thread(owner.pid, owner.tid)
    }
}

/// A call from its record.
#[inline]
fn call(
    record: &CallRecord,
    released: u64,
    stack: StackId,
    clock: &TickClock,
) -> Option<Allocation> {
    let function = AllocationFunction::from_number(record.function)?;
    let gives_back = function.only_releases();
    let latency_ns = match record.latency_ticks {
        record::UNTIMED => None,
        ticks => NonZeroU64::new(clock.latency_ns(u64::from(ticks)).max(1)),
    };
    Some(Allocation {
        address: if gives_back { 0 } else { record.address },
        released: if gives_back { record.address } else { released },
        size_bytes: if record.size_bytes == record::SIZE_MAX {
            u64::MAX
        } else {
            record.size_bytes
        },
        latency_ns,
        stack,
        function,
        alignment_log2: record.alignment_log2,
    })
}

/// The stack of a node.
#[inline]
fn stack(
    words: &[AtomicU64],
    stacks: &mut Vec<StackId>,
    frames: &mut Interner,
    number: u32,
) -> StackId {
    match stacks.get(number as usize) {
        Some(&known) if known != StackId::NONE => known,
        _ if number == 0 => StackId::NONE,
        _ if number == record::NOT_TAKEN => StackId::NOT_TAKEN,
        _ => new_stack(words, stacks, frames, number),
    }
}

/// The stack of a node that is new, and of those outside it.
#[cold]
fn new_stack(
    words: &[AtomicU64],
    stacks: &mut Vec<StackId>,
    frames: &mut Interner,
    number: u32,
) -> StackId {
    let (mut chain, mut outer) = (Vec::new(), number);
    while outer != 0 && chain.len() < DEPTH_MAX && (outer as usize) < node::NODES {
        if stacks.get(outer as usize).is_some_and(|known| *known != StackId::NONE) {
            break;
        }
        let word = |word: usize| words[word].load(Ordering::Acquire);
        let Some(caller) = node::caller(word(node::word(outer as usize) + 1)) else { break };
        chain.push((outer, word(node::word(outer as usize))));
        outer = caller;
    }
    let mut stack = stacks.get(outer as usize).copied().unwrap_or(StackId::NONE);
    for (number, address) in chain.into_iter().rev() {
        stack = frames.frame(Frame { caller: stack, address });
        let place = number as usize;
        if stacks.len() <= place {
            stacks.resize(place + 1, StackId::NONE);
        }
        stacks[place] = stack;
    }
    stack
}

#[cfg(test)]
mod tests {
    use wire::function;

    use super::*;

    #[test]
    fn records_and_events_number_functions_alike() {
        let numbers = [
            function::MALLOC,
            function::CALLOC,
            function::REALLOC,
            function::REALLOCARRAY,
            function::FREE,
            function::POSIX_MEMALIGN,
            function::ALIGNED_ALLOC,
            function::MEMALIGN,
            function::VALLOC,
            function::PVALLOC,
            function::NEW,
            function::DELETE,
            function::MMAP,
            function::MREMAP,
            function::MUNMAP,
        ];
        assert_eq!(numbers, AllocationFunction::ALL.map(|function| function as u8));
    }
}
