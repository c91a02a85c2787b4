//! Threads that map, touch, move, discard and unmap memory at the same time, in a model of the
//! kernel: each call takes effect at one moment between its beginning and its end, in an order that
//! only the kernel knows, and an address is free again from that moment on. The events are those
//! that a collector delivers: in the order of their beginnings, overdue ones late, and some calls
//! without their time. Whatever the interleaving, each fault must get its true cause.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::num::NonZeroU64;

use events::{
    Call, Cause, Event, EventKind, Fault, MappingKind, MappingReport, Name, Sees, Span, Syscall,
    ThpPolicy, Thread,
};
use proptest::prelude::*;
use results::trace::LineKind;

use crate::script::{ANONYMOUS, PAGE, PRIVATE, SEES, Script, WRITE};

const AT: u64 = 0x7f00_0000_0000;
/// Few addresses, so that they are used again at once.
const PAGES: u64 = 40;
const THREADS: u32 = 6;
const STEPS: usize = 300;
/// How long the collector waits for an event that is not complete.
const PATIENCE_NS: u64 = 200_000;
/// The longest time from a trap to the sample that says whether the page is present. Another thread
/// may map the page in between.
const SAMPLED_NS: u64 = 1500;

/// A page table entry of a mapped page.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Entry {
    Absent,
    ReadOnly,
    Writable,
}

/// Memory that threads may use: one that unmaps or moves it takes it out of the pool first, as a
/// program without data races does.
#[derive(Debug, Clone, Copy)]
struct Block {
    first: u64,
    pages: u64,
    /// Faults under way.
    busy: u32,
}

#[derive(Debug, Clone, Copy)]
enum Operation {
    Map {
        pages: u64,
    },
    Unmap {
        first: u64,
        pages: u64,
    },
    Discard {
        block: Block,
    },
    Move {
        block: Block,
    },
    /// To the start of another block, which it replaces there (`MREMAP_FIXED`).
    MoveOnto {
        block: Block,
        onto: Block,
    },
    Touch {
        page: u64,
        is_write: bool,
    },
}

/// What happens at a moment.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// A thread begins its next operation.
    Next,
    /// The kernel looks whether the page of a fault is present.
    Sample(Operation),
    /// The kernel performs an operation.
    Effect(Operation),
    /// The operation is over; a call returned `result`.
    End(Operation, u64),
}

/// An event, its end, and the true cause if it is a fault.
struct Made {
    event: Event,
    end_ns: u64,
    cause: Option<Cause>,
}

struct Kernel {
    random: u64,
    entries: BTreeMap<u64, Entry>,
    blocks: Vec<Block>,
    agenda: BinaryHeap<Reverse<(u64, usize)>>,
    acts: Vec<(u32, Act)>,
    /// Since when each thread is in its operation.
    began_ns: Vec<u64>,
    /// The true cause of its fault, and whether the kernel found the page.
    faults: Vec<Option<(Cause, bool)>>,
    made: Vec<Made>,
    script: Script,
    with_presence: bool,
}

impl Kernel {
    fn new(seed: u64, with_presence: bool) -> Kernel {
        Kernel {
            random: seed,
            entries: BTreeMap::new(),
            blocks: Vec::new(),
            agenda: BinaryHeap::new(),
            acts: Vec::new(),
            began_ns: vec![0; THREADS as usize],
            faults: vec![None; THREADS as usize],
            made: Vec::new(),
            script: Script::seeing(ThpPolicy::Never, Sees { page_sizes: with_presence, ..SEES }),
            with_presence,
        }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(0x1405_7b7e_f767_814f);
        (self.random >> 33) % limit
    }

    /// A short time, or now and then one that is longer than the collector waits.
    fn while_ns(&mut self) -> u64 {
        let most = if self.below(12) == 0 { 2 * PATIENCE_NS } else { 8000 };
        100 + self.below(most)
    }

    fn at(&mut self, time_ns: u64, thread: u32, act: Act) {
        self.agenda.push(Reverse((time_ns, self.acts.len())));
        self.acts.push((thread, act));
    }

    fn run(&mut self) {
        for thread in 0..THREADS {
            let start = 1000 + self.below(20_000);
            self.at(start, thread, Act::Next);
        }
        while let Some(Reverse((time_ns, number))) = self.agenda.pop() {
            match self.acts[number] {
                (thread, Act::Next) if number < STEPS * 3 => self.next(thread, time_ns),
                (_, Act::Next) => {}
                (thread, Act::Sample(operation)) => self.sample(thread, time_ns, operation),
                (thread, Act::Effect(operation)) => self.effect(thread, time_ns, operation),
                (thread, Act::End(operation, result)) => {
                    self.end(thread, time_ns, operation, result);
                }
            }
        }
    }

    fn next(&mut self, thread: u32, now_ns: u64) {
        let operation = self.operation();
        self.began_ns[thread as usize] = now_ns;
        if let Some(Operation::Touch { page, is_write }) = operation {
            let cause = match (self.entries[&page], is_write) {
                (Entry::Absent, _) => Cause::FirstTouch,
                (Entry::ReadOnly, true) => Cause::CopyOnWrite,
                (Entry::ReadOnly, false) | (Entry::Writable, _) => {
                    self.block_of(page).busy -= 1;
                    return self.at(now_ns + 1000, thread, Act::Next);
                }
            };
            self.faults[thread as usize] = Some((cause, false));
            let delay_ns = if self.with_presence { self.below(SAMPLED_NS) } else { 0 };
            let sample_ns = now_ns + delay_ns;
            return self.at(sample_ns, thread, Act::Sample(Operation::Touch { page, is_write }));
        }
        let effect_ns = now_ns + self.while_ns();
        match operation {
            Some(operation) => self.at(effect_ns, thread, Act::Effect(operation)),
            None => self.at(effect_ns, thread, Act::Next),
        }
    }

    /// The time of a fault is that of its sample.
    fn sample(&mut self, thread: u32, now_ns: u64, operation: Operation) {
        self.began_ns[thread as usize] = now_ns;
        if let (Operation::Touch { page, .. }, Some((_, present))) =
            (operation, &mut self.faults[thread as usize])
        {
            *present = self.entries[&page] != Entry::Absent;
        }
        let effect_ns = now_ns + self.while_ns();
        self.at(effect_ns, thread, Act::Effect(operation));
    }

    fn operation(&mut self) -> Option<Operation> {
        let choice = self.below(14);
        if choice < 3 || self.blocks.is_empty() {
            return Some(Operation::Map { pages: 1 + self.below(4) });
        }
        let at = usize::try_from(self.below(self.blocks.len() as u64)).expect("few blocks");
        let Block { first, pages, busy } = self.blocks[at];
        if choice < 9 {
            // Without presence it cannot be known whether a thread that faults on the page of
            // another's fault waits for it, or writes to the zero page that the other has read.
            let is_write = busy > 0 || !self.with_presence || self.below(2) == 0;
            self.blocks[at].busy += 1;
            return Some(Operation::Touch { page: first + self.below(pages), is_write });
        }
        if busy > 0 {
            return None;
        }
        let block = self.blocks.swap_remove(at);
        Some(match choice {
            9..=10 if pages > 1 => {
                // Unmaps the first pages; the others stay in use.
                let gone = 1 + self.below(pages - 1);
                self.blocks.push(Block { first: first + gone, pages: pages - gone, busy });
                Operation::Unmap { first, pages: gone }
            }
            9..=11 => Operation::Unmap { first, pages },
            12 => Operation::Discard { block },
            _ => self.moved(block),
        })
    }

    /// A move of `block`, if possible onto another one that is not in use.
    fn moved(&mut self, block: Block) -> Operation {
        let mut blocks = self.blocks.iter();
        let onto = blocks.position(|other| other.busy == 0 && other.pages >= block.pages);
        match onto {
            Some(at) if self.random & 1 << 40 == 0 => {
                Operation::MoveOnto { block, onto: self.blocks.swap_remove(at) }
            }
            _ => Operation::Move { block },
        }
    }

    fn block_of(&mut self, page: u64) -> &mut Block {
        let mut blocks = self.blocks.iter_mut();
        blocks
            .find(|block| (block.first..block.first + block.pages).contains(&page))
            .expect("a block in use stays in the pool")
    }

    /// The lowest free addresses for `pages`.
    fn free(&self, pages: u64) -> Option<u64> {
        (0..PAGES - pages).find(|&first| self.entries.range(first..first + pages).next().is_none())
    }

    fn effect(&mut self, thread: u32, now_ns: u64, operation: Operation) {
        let mut result = 0;
        match operation {
            Operation::Map { pages } => {
                let Some(first) = self.free(pages) else {
                    return self.at(now_ns + 1000, thread, Act::Next);
                };
                self.entries.extend((first..first + pages).map(|page| (page, Entry::Absent)));
                self.report(thread, now_ns, first);
                result = address(first);
            }
            Operation::Unmap { first, pages } => {
                self.entries.retain(|page, _| !(first..first + pages).contains(page));
            }
            Operation::Discard { block: Block { first, pages, .. } } => {
                self.entries.extend((first..first + pages).map(|page| (page, Entry::Absent)));
            }
            Operation::Move { block } => {
                let Some(to) = self.free(block.pages) else {
                    self.blocks.push(block);
                    return self.at(now_ns + 1000, thread, Act::Next);
                };
                result = self.relocate(block, to);
            }
            Operation::MoveOnto { block, onto } => result = self.relocate(block, onto.first),
            Operation::Touch { page, is_write } => {
                let entry = self.entries.get_mut(&page).expect("mapped");
                if is_write {
                    *entry = Entry::Writable;
                } else if *entry == Entry::Absent {
                    *entry = Entry::ReadOnly;
                }
            }
        }
        let end_ns = match operation {
            // The fault handler returns at once when the page is mapped.
            Operation::Touch { .. } => now_ns + 1 + self.below(99),
            _ => now_ns + self.while_ns(),
        };
        self.at(end_ns, thread, Act::End(operation, result));
    }

    /// Moves the pages of `block`, and returns the new address.
    fn relocate(&mut self, block: Block, to: u64) -> u64 {
        for page in 0..block.pages {
            let entry = self.entries.remove(&(block.first + page)).expect("mapped");
            self.entries.insert(to + page, entry);
        }
        address(to)
    }

    /// The kernel's report from inside mmap(2): the new mapping, and what it was joined with.
    fn report(&mut self, thread: u32, time_ns: u64, page: u64) {
        let (mut first, mut end) = (page, page + 1);
        while first > 0 && self.entries.contains_key(&(first - 1)) {
            first -= 1;
        }
        while self.entries.contains_key(&end) {
            end += 1;
        }
        let (start, end, protection) = (address(first), address(end), 3);
        let report =
            MappingReport { start, end, protection, name: "//anon", ..MappingReport::default() };
        let mapping = report.intern(&mut self.script.interner);
        self.make(thread, (time_ns, time_ns), EventKind::Mapping(mapping), None);
    }

    fn make(
        &mut self,
        thread: u32,
        (time_ns, end_ns): (u64, u64),
        kind: EventKind,
        cause: Option<Cause>,
    ) {
        let event = Event { time_ns, thread: Thread { pid: 7, tid: 7 + thread }, kind };
        self.made.push(Made { event, end_ns, cause });
    }

    fn end(&mut self, thread: u32, end_ns: u64, operation: Operation, result: u64) {
        let began_ns = self.began_ns[thread as usize];
        let latency_ns = NonZeroU64::new(end_ns - began_ns);
        let place = |block: Block| (address(block.first), block.pages * PAGE);
        let (call, arguments) = match operation {
            Operation::Touch { page, .. } => {
                self.block_of(page).busy -= 1;
                let (cause, present) = self.faults[thread as usize].take().expect("a fault");
                let fault = Fault {
                    address: address(page),
                    ip: 0,
                    span: Span { latency_ns, on_cpu_ns: None },
                    page_bytes: None,
                    major: false,
                    in_kernel: false,
                    present: self.with_presence.then_some(present),
                };
                self.make(thread, (began_ns, end_ns), EventKind::Fault(fault), Some(cause));
                return self.at(end_ns + 500, thread, Act::Next);
            }
            Operation::Map { pages } => {
                let first = (result - AT) / PAGE;
                self.blocks.push(Block { first, pages, busy: 0 });
                let no_fd = u64::MAX;
                (Call::Mmap, [0, pages * PAGE, WRITE, PRIVATE | ANONYMOUS, no_fd, 0])
            }
            Operation::Unmap { first, pages } => {
                (Call::Munmap, [address(first), pages * PAGE, 0, 0, 0, 0])
            }
            Operation::Discard { block } => {
                self.blocks.push(block);
                let (start, bytes) = place(block);
                (Call::Madvise, [start, bytes, 4, 0, 0, 0])
            }
            Operation::Move { block } => {
                self.blocks.push(Block { first: (result - AT) / PAGE, ..block });
                let (start, bytes) = place(block);
                (Call::Mremap, [start, bytes, bytes, 1, 0, 0])
            }
            Operation::MoveOnto { block, onto } => {
                self.blocks.push(onto);
                let (start, bytes) = place(block);
                (Call::Mremap, [start, bytes, bytes, 3, result, 0])
            }
        };
        // A call has no time if its thread was not seen to get a processor, so it did not wait. Of
        // a move there is no report, so without its time it is known only later.
        let is_timed = matches!(operation, Operation::Move { .. } | Operation::MoveOnto { .. })
            || end_ns - began_ns > PATIENCE_NS / 4
            || self.below(8) > 0;
        let span = Span { latency_ns: latency_ns.filter(|_| is_timed), on_cpu_ns: None };
        let result = Some(result.cast_signed());
        let call =
            Syscall { call, text: Name::NONE, arguments, arguments_known: true, result, span };
        self.make(thread, (began_ns, end_ns), EventKind::Syscall(call), None);
        self.at(end_ns + 500, thread, Act::Next);
    }

    /// The events in the order in which the collector passes them on, by their numbers.
    fn passed_on(&self) -> Vec<usize> {
        let mut moments: Vec<(u64, bool, usize)> = Vec::new();
        for (number, made) in self.made.iter().enumerate() {
            moments.push((made.event.time_ns, false, number));
            moments.push((made.end_ns, true, number));
        }
        moments.sort_unstable();
        let (mut order, mut queue) = (Vec::new(), VecDeque::new());
        let (mut complete, mut overdue) =
            (vec![false; self.made.len()], vec![false; self.made.len()]);
        for (now_ns, is_end, number) in moments {
            if is_end {
                complete[number] = true;
                if overdue[number] {
                    order.push(number);
                }
            } else {
                queue.push_back(number);
            }
            while let Some(&front) = queue.front() {
                if complete[front] {
                    order.push(front);
                } else if now_ns - self.made[front].event.time_ns < PATIENCE_NS {
                    break;
                } else {
                    overdue[front] = true;
                }
                queue.pop_front();
            }
        }
        order
    }

    /// Whether another fault on the page of `number` was not complete when that one began, or had
    /// only just become so.
    fn meets_another(&self, number: usize) -> bool {
        let page = |event: &Event| match event.kind {
            EventKind::Fault(fault) => Some(fault.address),
            _ => None,
        };
        let own = &self.made[number].event;
        self.made.iter().any(|other| {
            let is_under_way =
                other.event.time_ns <= own.time_ns && own.time_ns < other.end_ns + 2000;
            other.event.thread != own.thread && is_under_way && page(&other.event) == page(own)
        })
    }

    /// Checks the cause of each fault, and returns how many there were, and how many of them are
    /// unknown.
    fn check(&mut self) -> (usize, usize) {
        let (mut faults, mut unknown) = (0, 0);
        for number in self.passed_on() {
            let (event, cause) = (self.made[number].event, self.made[number].cause);
            self.script.lines.clear();
            let Script { builder, interner, lines, .. } = &mut self.script;
            builder.take(&event, interner.table(), &mut |line| lines.push(line));
            let Some(truth) = cause else { continue };
            let [line] = &self.script.lines[..] else { panic!("{:?}", self.script.lines) };
            let LineKind::Fault(fault) = &line.kind else { panic!("{line:?}") };
            faults += 1;
            assert!(fault.mapping.is_some(), "fault {number} is nowhere: {event:?}");
            let made_late = self.made[number].end_ns - event.time_ns >= PATIENCE_NS;
            // A move that was overdue, and whose old addresses were given out again before.
            let kind = fault.mapping.as_ref().map(|mapping| mapping.kind);
            let may_be_unknown =
                self.meets_another(number) || kind == Some(MappingKind::Other) || made_late;
            assert!(
                fault.cause == truth || fault.cause == Cause::Unknown && may_be_unknown,
                "fault {number} at {} is {:?}, not {truth:?}",
                event.time_ns,
                fault.cause
            );
            unknown += usize::from(fault.cause == Cause::Unknown);
        }
        (faults, unknown)
    }
}

fn address(page: u64) -> u64 {
    AT + page * PAGE
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn causes_are_true_whatever_the_order(seed in any::<u64>(), with_presence in any::<bool>()) {
        let mut kernel = Kernel::new(seed, with_presence);
        kernel.run();
        let (faults, unknown) = kernel.check();
        prop_assert!(faults > 20, "{faults} faults");
        prop_assert!(unknown * 3 < faults, "{unknown} of {faults} are unknown");
    }
}
