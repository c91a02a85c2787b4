//! Where records go: units of the shared memory, one at a time for each thread.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU64, Ordering};

use wire::sampling::ThreadRandom;
use wire::unit::{self, state};
use wire::{CallRecord, header, record};

use crate::stack::Memory;
use crate::start;
use crate::thread::{Guard, Thread};

/// A recorder that gives no sign of life for so long is gone.
const PATIENCE_MS: u64 = 3000;
/// So many units come into use at a time.
const UNITS_MORE: usize = 16;
/// Units that other threads keep are not waited for longer.
const CROWDED_MS: u64 = 50;

/// The shared memory.
#[derive(Clone, Copy)]
pub(crate) struct Region {
    words: *const AtomicU64,
    units: usize,
}

// SAFETY: it is a mapping that lives as long as the process, accessed by atomic words alone.
unsafe impl Sync for Region {}

impl Region {
    /// The memory of this geometry that begins at `words`.
    pub(crate) const fn new(words: *const AtomicU64, units: usize) -> Region {
        Region { words, units }
    }

    /// A word. `word` is below the length of the memory: the constants of `wire`, or a unit's own.
    #[inline]
    pub(crate) fn word(&self, word: usize) -> &AtomicU64 {
        // SAFETY: the caller's words are inside, and the mapping lives as long as the process.
        unsafe { &*self.words.add(word) }
    }

    #[inline]
    pub(crate) fn load(&self, word: usize) -> u64 {
        self.word(word).load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn add(&self, word: usize, count: u64) {
        self.word(word).fetch_add(count, Ordering::Relaxed);
    }

    fn address_of(&self, word: usize) -> usize {
        self.word(word) as *const AtomicU64 as usize
    }
}

/// A word of a unit that begins at `unit`.
#[inline]
fn word_of(unit: usize, word: usize) -> &'static AtomicU64 {
    // SAFETY: a thread's unit lies in the shared memory, which is never unmapped, and `word` is
    // below its length.
    unsafe { &*(unit as *const AtomicU64).add(word) }
}

/// The thread's first call in this process: it gets a number and its units.
#[cold]
#[inline(never)]
pub(crate) fn begin(guard: &mut Guard, region: &Region) {
    start::keeping_errno(|| take_units(guard.thread(), region));
}

/// Gets the thread its number, if it has none in this process, and its units.
fn take_units(thread: &mut Thread, region: &Region) {
    let instance = start::instance_or_new(region, thread.tid);
    if thread.instance != instance {
        thread.start_anew(instance);
        thread.number = region.word(header::THREADS).fetch_add(1, Ordering::Relaxed) as u32 + 1;
        thread.tid = start::thread_id();
        thread.random = ThreadRandom::new(seed(thread));
        let mean_bytes = region.load(header::SAMPLED_BYTES);
        if mean_bytes > 0 {
            thread.unsampled_left = thread.random.next_distance(mean_bytes);
        }
    }
    if thread.memory.is_null() {
        let unit = take(region, thread, state::PRIVATE);
        if unit != 0 {
            thread.memory = (unit + OWN_BYTES) as *mut Memory;
            // SAFETY: the unit is this thread's alone, and long enough; every value is valid.
            unsafe { (*thread.memory).clear() };
        }
    }
    next_unit(region, thread);
    start::ask_for_end(thread);
}

/// What no other thread begins with: neither its fork, nor the same thread of the next run.
fn seed(thread: &Thread) -> u64 {
    start::ticks() ^ u64::from(thread.tid) << 32 ^ u64::from(thread.number).rotate_right(8)
}

/// The bytes of a unit that are not its contents.
const OWN_BYTES: usize = unit::FIRST * 8;

/// Closes the thread's unit and takes another.
#[cold]
#[inline(never)]
fn next_unit(region: &Region, thread: &mut Thread) {
    close(thread, state::FULL);
    thread.unit = take(region, thread, state::ACTIVE);
    if thread.unit != 0 {
        thread.cursor = unit::FIRST;
        thread.sequence += 1;
    }
}

/// Nothing more will come into the thread's unit.
fn close(thread: &mut Thread, kind: u64) {
    if thread.unit != 0 {
        let closed = state::of(kind, thread.number);
        word_of(thread.unit, unit::STATE).store(closed, Ordering::Release);
        thread.unit = 0;
    }
}

/// The thread ends: its units are the recorder's.
pub(crate) fn end(thread: &mut Thread) {
    close(thread, state::LAST);
    if !thread.memory.is_null() {
        let free = state::of(state::FREE, 0);
        word_of(thread.memory as usize - OWN_BYTES, unit::STATE).store(free, Ordering::Release);
        thread.memory = core::ptr::null_mut();
    }
}

/// Takes a unit and returns its address; 0: there is none.
fn take(region: &Region, thread: &Thread, kind: u64) -> usize {
    let mut hint = thread.number as usize;
    let mut waiting: Option<Waiting> = None;
    loop {
        let in_use = (region.load(header::UNITS_IN_USE) as usize).clamp(1, region.units);
        let (mut at, mut draining) = (hint % in_use, 0);
        for _ in 0..in_use {
            let first = unit::word(at);
            let word = region.word(first);
            let (state, _) = state::parts(word.load(Ordering::Relaxed));
            draining += usize::from(state == state::FULL || state == state::LAST);
            let taken = state::of(state::TAKEN, thread.number);
            if state == state::FREE
                && word.compare_exchange(0, taken, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                if let Some(waiting) = waiting {
                    region.add(header::WAITED_TICKS, start::ticks() - waiting.since);
                }
                return ready(region, thread, kind, first);
            }
            at = if at + 1 == in_use { 0 } else { at + 1 };
        }
        // Most of them are kept by threads, and do not come back soon.
        if in_use < region.units && (draining < in_use / 2 || kind == state::PRIVATE) {
            let more = (in_use + UNITS_MORE).min(region.units) as u64;
            region.word(header::UNITS_IN_USE).fetch_max(more, Ordering::Relaxed);
            continue;
        }
        hint = hint.wrapping_add(1);
        let waiting = waiting.get_or_insert_with(|| Waiting::new(region));
        if kind == state::PRIVATE || !waiting.goes_on(region, draining > 0) {
            return 0;
        }
    }
}

/// Makes a unit that was taken the thread's.
fn ready(region: &Region, thread: &Thread, kind: u64, first: usize) -> usize {
    let process = u64::from(start::process_id());
    let owner = process | u64::from(thread.tid) << 32;
    region.word(first + unit::OWNER).store(owner, Ordering::Relaxed);
    region.word(first + unit::COMMITTED).store(unit::FIRST as u64, Ordering::Relaxed);
    region.word(first + unit::SEQUENCE).store(thread.sequence, Ordering::Relaxed);
    let guess = if start::id_is_guess() { unit::IS_GUESS } else { 0 };
    region.word(first + unit::INSTANCE).store(thread.instance | guess, Ordering::Relaxed);
    let state = state::of(kind, thread.number);
    region.word(first + unit::STATE).store(state, Ordering::Release);
    region.address_of(first)
}

/// A thread that waits for the recorder.
struct Waiting {
    since: u64,
    heartbeat: u64,
    heard: u64,
}

impl Waiting {
    fn new(region: &Region) -> Waiting {
        let now = start::ticks();
        Waiting { since: now, heartbeat: region.load(header::HEARTBEAT), heard: now }
    }

    /// Waits a moment. `false`: the recorder is gone, or no unit is on its way.
    fn goes_on(&mut self, region: &Region, draining: bool) -> bool {
        for _ in 0..64 {
            spin_loop();
        }
        let (now, per_ms) = (start::ticks(), region.load(header::TICKS_PER_MS));
        let heartbeat = region.load(header::HEARTBEAT);
        if heartbeat != self.heartbeat {
            (self.heartbeat, self.heard) = (heartbeat, now);
        } else if now.wrapping_sub(self.heard) > PATIENCE_MS * per_ms {
            start::give_up(region);
            return false;
        }
        draining || now.wrapping_sub(self.since) < CROWDED_MS * per_ms
    }
}

impl Guard {
    /// Writes the records of a call, together.
    #[inline]
    pub(crate) fn write<const N: usize>(&mut self, region: &Region, records: [CallRecord; N]) {
        let thread = self.thread();
        if thread.unit == 0 || thread.cursor + N * record::WORDS > unit::WORDS {
            next_unit(region, thread);
            if thread.unit == 0 {
                region.add(header::LOST, 1);
                return;
            }
        }
        let (unit, mut at) = (thread.unit, thread.cursor);
        for record in records {
            for word in record.to_words() {
                word_of(unit, at).store(word, Ordering::Relaxed);
                at += 1;
            }
        }
        thread.cursor = at;
        word_of(unit, unit::COMMITTED).store(at as u64, Ordering::Release);
    }
}
