//! Compares the model of ranges with a reference that stores every page separately, on random
//! calls.

use std::num::NonZeroU64;

use events::{
    Call, Cause, Clock, Fault, Interner, MappingReport, Name, Sees, Span, Syscall, ThpPolicy,
    Thread,
};

use super::sharing::Sharers;
use super::*;

const PAGE: u64 = 4096;
/// The number of pages. Calls map below `BREAK`, the heap is above.
const PAGES: usize = 320;
const BREAK: usize = 256;
const RW: u32 = 3;
const SELF: Thread = Thread { pid: 1, tid: 1 };

/// The state of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Plain {
    kind: MappingKind,
    protection: u32,
    offset_bytes: u64,
    touched: bool,
}

/// The reference: one entry per page, and the program break.
struct Reference {
    pages: [Option<Plain>; PAGES],
    break_at: usize,
}

impl Reference {
    fn map(&mut self, first: usize, end: usize, page: impl Fn(usize) -> Plain) {
        (first..end).for_each(|at| self.pages[at] = Some(page(at)));
    }

    /// The pages around `at` that are one mapping in the kernel.
    fn mapping(&self, at: usize) -> Option<(usize, usize, Plain)> {
        let own = self.pages[at]?;
        let continues = |before: Option<Plain>, next: Option<Plain>| {
            let (Some(before), Some(next)) = (before, next) else { return false };
            let offset_bytes = before.offset_bytes + if has_offset(before.kind) { PAGE } else { 0 };
            (before.kind, before.protection, offset_bytes)
                == (next.kind, next.protection, next.offset_bytes)
        };
        let first =
            (1..=at).rev().take_while(|&at| continues(self.pages[at - 1], self.pages[at])).last();
        let last =
            (at + 1..PAGES).take_while(|&at| continues(self.pages[at - 1], self.pages[at])).last();
        Some((first.map_or(at, |first| first - 1), last.map_or(at, |last| last) + 1, own))
    }
}

fn has_offset(kind: MappingKind) -> bool {
    matches!(
        kind,
        MappingKind::PrivateFile | MappingKind::SharedFile | MappingKind::SharedAnonymous
    )
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    /// A range of pages below the heap.
    fn range(&mut self) -> (usize, usize) {
        let first = self.below(BREAK);
        (first, first + 1 + self.below((BREAK - first).min(40)))
    }
}

/// Both models and the random events for them.
struct Both {
    space: AddressSpace,
    plain: Reference,
    interner: Interner,
    random: Random,
    time_ns: u64,
}

impl Both {
    fn new(seed: u64) -> Both {
        let space = AddressSpace::new(Header {
            clock: Clock::Monotonic,
            began_ns: 0,
            page_bytes: PAGE,
            huge_pages: ThpPolicy::Never,
            can_swap: false,
            sees: Sees { calls: true, ..Sees::default() },
        });
        let plain = Reference { pages: [None; PAGES], break_at: BREAK };
        let interner = Interner::default();
        let mut both = Both { space, plain, random: Random(seed), interner, time_ns: 0 };
        both.call(Call::Brk, [0; 6], BREAK);
        both
    }

    fn call(&mut self, call: Call, arguments: [u64; 6], result: usize) {
        self.time_ns += 100;
        let span = Span { latency_ns: NonZeroU64::new(50), on_cpu_ns: None };
        let result = Some((address(result)).cast_signed());
        self.space.call(
            &Syscall { call, text: Name::NONE, arguments, arguments_known: true, result, span },
            (SELF, None),
            self.time_ns,
        );
    }

    fn act(&mut self) {
        match self.random.below(11) {
            8 => self.move_all(),
            0 | 1 => self.mmap(),
            2 => {
                let (first, end) = self.random.range();
                self.call(Call::Munmap, [address(first), address(end - first), 0, 0, 0, 0], 0);
                self.plain.pages[first..end].fill(None);
            }
            3 => self.mprotect(),
            4 => self.mremap(),
            5 => self.brk(),
            6 => {
                let (first, end) = self.random.range();
                self.call(Call::Madvise, [address(first), address(end - first), 4, 0, 0, 0], 0);
                let parts = self.plain.pages[first..end].iter_mut().flatten();
                parts
                    .filter(|page| page.kind != MappingKind::SharedAnonymous)
                    .for_each(|page| page.touched = false);
            }
            7 => {
                let (first, end) = self.random.range();
                self.call(Call::Mlock, [address(first), address(end - first), 0, 0, 0, 0], 0);
                let parts = self.plain.pages[first..end].iter_mut().flatten();
                parts.filter(|page| page.protection != 0).for_each(|page| page.touched = true);
            }
            _ => {
                let first = self.random.below(PAGES);
                (first..PAGES.min(first + 8)).for_each(|at| self.touch(at));
            }
        }
    }

    fn mmap(&mut self) {
        let ((first, end), offset) = (self.random.range(), self.random.below(8));
        let protection = [RW, RW, 1, 0][self.random.below(4)];
        let (kind, flags) = [
            (MappingKind::Anonymous, 0x22),
            (MappingKind::Anonymous, 0x22),
            (MappingKind::SharedAnonymous, 0x21),
            (MappingKind::PrivateFile, 2),
            (MappingKind::SharedFile, 1),
        ][self.random.below(5)];
        let arguments = [
            address(first),
            address(end - first),
            protection.into(),
            flags,
            3,
            if flags & 0x20 == 0 { address(offset) } else { 0 },
        ];
        self.call(Call::Mmap, arguments, first);
        self.plain.map(first, end, |at| {
            let base = if kind == MappingKind::SharedAnonymous { 0 } else { offset };
            let offset_bytes = if has_offset(kind) { address(base + at - first) } else { 0 };
            Plain { kind, protection, offset_bytes, touched: false }
        });
        self.report(first);
    }

    fn mprotect(&mut self) {
        let ((first, end), protection) = (self.random.range(), [RW, 1, 0][self.random.below(3)]);
        self.call(
            Call::Mprotect,
            [address(first), address(end - first), protection.into(), 0, 0, 0],
            0,
        );
        self.plain.pages[first..end]
            .iter_mut()
            .flatten()
            .for_each(|page| page.protection = protection);
        self.report(first);
    }

    /// Moves, grows or shrinks a part of one mapping, as mremap(2) requires.
    fn mremap(&mut self) {
        let (from, wanted) = self.random.range();
        let Some((_, end, _)) = self.plain.mapping(from) else { return };
        let old = end.min(wanted).min(BREAK) - from;
        let new = 1 + self.random.below(40);
        let to = if self.random.below(2) == 0 { from } else { self.random.below(BREAK) };
        let is_free =
            |range: std::ops::Range<usize>| self.plain.pages[range].iter().all(Option::is_none);
        let fits = to + new <= BREAK
            && if to == from {
                is_free(from + old..(from + new).max(from + old))
            } else {
                to + new <= from || from + old <= to
            };
        if old == 0 || !fits {
            return;
        }
        self.call(Call::Mremap, [address(from), address(old), address(new), 3, address(to), 0], to);
        let moved: Vec<Option<Plain>> = self.plain.pages[from..from + old.min(new)].to_vec();
        let last = self.plain.pages[from + old - 1].unwrap();
        self.plain.pages[from..from + old].fill(None);
        self.plain.map(to, to + new, |at| {
            let beyond =
                if has_offset(last.kind) { address((at + 1).saturating_sub(to + old)) } else { 0 };
            Plain { offset_bytes: last.offset_bytes + beyond, touched: false, ..last }
        });
        self.plain.pages[to..to + moved.len()].copy_from_slice(&moved);
    }

    /// Moves all mappings of a range to a fixed address (since Linux 6.17). What lies opposite a
    /// hole stays.
    fn move_all(&mut self) {
        let ((from, end), to) = (self.random.range(), self.random.below(BREAK));
        let count = end - from;
        let overlaps = from < to + count && to < end;
        if overlaps || to + count > BREAK || self.plain.pages[from].is_none() {
            return;
        }
        let bytes = address(count);
        let arguments = [address(from), bytes, bytes, 3, address(to), 0];
        self.call(Call::Mremap, arguments, to);
        for at in 0..count {
            if let Some(page) = self.plain.pages[from + at].take() {
                self.plain.pages[to + at] = Some(page);
            }
        }
    }

    fn brk(&mut self) {
        let to = BREAK + self.random.below(PAGES - BREAK);
        self.call(Call::Brk, [address(to), 0, 0, 0, 0, 0], to);
        let heap =
            Plain { kind: MappingKind::Heap, protection: RW, offset_bytes: 0, touched: false };
        self.plain.map(self.plain.break_at, to, |_| heap);
        self.plain.pages[to.max(BREAK)..].fill(None);
        self.plain.break_at = to;
        if to > BREAK {
            self.report(to - 1);
        }
    }

    /// The kernel's report from inside the call: the mapping of a page, including joined
    /// neighbours. The kernel sends it for some calls only.
    fn report(&mut self, at: usize) {
        let Some((first, end, page)) = self.plain.mapping(at) else { return };
        let name = match page.kind {
            MappingKind::Heap => "[heap]",
            MappingKind::PrivateFile | MappingKind::SharedFile => "/file",
            MappingKind::SharedAnonymous => "/dev/zero (deleted)",
            _ => "",
        };
        let shared = matches!(page.kind, MappingKind::SharedAnonymous | MappingKind::SharedFile);
        let offset_bytes = self.plain.pages[first].unwrap().offset_bytes;
        let (start, end, protection) = (address(first), address(end), page.protection);
        let report = MappingReport {
            start,
            end,
            offset_bytes,
            protection,
            shared,
            name,
            ..MappingReport::default()
        };
        let mapping = report.intern(&mut self.interner);
        self.space.map(&mapping, SELF, self.time_ns + 20);
    }

    /// A fault on a page, unless the page does not fault.
    fn touch(&mut self, at: usize) {
        self.time_ns += 100;
        let span = Span { latency_ns: NonZeroU64::new(20), on_cpu_ns: None };
        let fault = Fault {
            address: address(at) + 5,
            ip: at as u64,
            span,
            page_bytes: None,
            major: false,
            in_kernel: false,
            present: None,
        };
        let seen = self.space.fault(&fault, (SELF, Sharers::default()), self.time_ns);
        let page = &mut self.plain.pages[at];
        assert_eq!(seen.region.map(|region| region.kind), page.map(|page| page.kind), "page {at}");
        let Some(page) = page else { return };
        let expect = match (page.kind, page.protection, page.touched) {
            (_, 0, _) => Some(Cause::Unknown),
            (
                MappingKind::Anonymous | MappingKind::Heap | MappingKind::SharedAnonymous,
                _,
                false,
            ) => Some(Cause::FirstTouch),
            (MappingKind::Anonymous | MappingKind::Heap, RW, true) => Some(Cause::CopyOnWrite),
            (MappingKind::SharedAnonymous, _, true) | (_, 1, true) => Some(Cause::Unknown),
            (MappingKind::SharedFile, ..) | (MappingKind::PrivateFile, 1, false) => {
                Some(Cause::File)
            }
            (MappingKind::PrivateFile, _, true) => Some(Cause::CopyOnWrite),
            // The surrounding pages decide.
            _ => None,
        };
        assert!(expect.is_none_or(|cause| cause == seen.cause), "page {at} {page:?}: {seen:?}");
        page.touched |= page.protection != 0;
    }

    fn compare(&mut self) {
        // Every call has returned.
        self.space.settle(self.time_ns + 99);
        for (at, page) in self.plain.pages.iter().enumerate() {
            let region = self.space.at(address(at));
            let number = at as u64;
            let touched =
                self.space.inherited_on_fork.has(number) || self.space.not_inherited.has(number);
            let found = region.map(|region| {
                let MappedRegion { kind, protection, offset_bytes, .. } =
                    region.part(address(at), address(at + 1));
                Plain { kind, protection, offset_bytes, touched }
            });
            assert_eq!(found, *page, "page {at}");
            assert!(page.is_some() || !touched, "page {at} is touched and not mapped");
            assert!(
                touched || !self.space.new_since_fork.has(number),
                "page {at} came and was not touched"
            );
        }
        let all: Vec<&MappedRegion> = self.space.regions.iter().collect();
        assert!(all.windows(2).all(|pair| pair[0].end <= pair[1].start), "regions overlap");
    }
}

fn address(page: usize) -> u64 {
    page as u64 * PAGE
}

#[test]
fn ranges_agree_with_single_pages() {
    for seed in 0..150 {
        let mut both = Both::new(seed);
        for _ in 0..200 {
            both.act();
            both.compare();
        }
    }
}

/// Until the kernel performs an munmap(2), it reports neighbours joined with what is to go.
#[test]
fn a_report_beside_memory_that_leaves_does_not_bring_it_back() {
    let mut both = Both::new(0);
    let mut now_ns = 0;
    let mut act = |tid, latency_ns, call, (first, end), reported, expected| {
        now_ns += 100;
        let (start, bytes, thread) = (address(first), address(end - first), Thread { tid, ..SELF });
        let arguments = [start, bytes, RW.into(), 0x22, 0, 0];
        let result = Some(if call == Call::Mmap { start.cast_signed() } else { 0 });
        let span = Span { latency_ns: NonZeroU64::new(latency_ns), on_cpu_ns: None };
        let call =
            Syscall { call, text: Name::NONE, arguments, arguments_known: true, result, span };
        both.space.call(&call, (thread, None), now_ns);
        let (start, end, protection) = reported;
        let (start, end) = (address(start), address(end));
        let report = MappingReport { start, end, protection, ..MappingReport::default() };
        both.space.map(&report.intern(&mut both.interner), thread, now_ns + 20);
        both.space.settle(now_ns + 50);
        let is_mapped = |at| both.space.at(address(at)).is_some();
        let map: String = (4..14).map(|at| if is_mapped(at) { '#' } else { '.' }).collect();
        assert_eq!(map, expected, "{now_ns}");
    };
    let nothing = (0, 0);
    act(1, 50, Call::Mmap, (4, 12), (4, 12, RW), "########..");
    act(2, 350, Call::Munmap, (6, 10), (0, 0, 0), "##....##..");
    act(1, 50, Call::Mmap, (12, 14), (4, 14, RW), "##....####");
    // It has gone: others have these addresses, even without a call of ours.
    act(3, 50, Call::Mlock, nothing, (7, 8, 1), "##.#..####");
    act(3, 50, Call::Mmap, (8, 9), (8, 9, RW), "##.##.####");
    // The munmap has returned.
    act(3, 50, Call::Mlock, nothing, (4, 14, RW), "##########");
}
