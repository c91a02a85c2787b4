//! Random events: nothing panics, and the model agrees with one that stores every page separately.

use std::collections::BTreeMap;

use events::{
    Call, Cause, Ending, Event, EventKind, Fault, Interner, Life, Lost, MappingKind, MappingReport,
    Name, Span, Syscall, ThpPolicy, Thread,
};
use proptest::prelude::*;

use crate::script::{ANONYMOUS, PAGE, PRIVATE, SHARED, Script};

/// The start of the test range: not a multiple of 2 MiB, so a border lies inside.
const AT: u64 = 0x7f00_0000_0000 + 400 * PAGE;
const PAGES: u64 = 200;

/// The kernel's state of a page.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Page {
    kind: MappingKind,
    protection: u64,
    touched: bool,
}

#[derive(Debug, Clone)]
enum Step {
    Mmap { first: u64, count: u64, protection: u64, shared: bool },
    Munmap { first: u64, count: u64 },
    Mprotect { first: u64, count: u64, protection: u64 },
    DontNeed { first: u64, count: u64 },
    Mremap { first: u64, old: u64, new: u64, to: u64 },
    Brk { pages: u64 },
    Touch { page: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let range =
        || (0..PAGES, 1..40u64).prop_map(|(first, count)| (first, count.min(PAGES - first)));
    let protection = || prop_oneof![Just(0u64), Just(1), Just(3)];
    let step = prop_oneof![
        3 => (range(), protection(), any::<bool>()).prop_map(
            |((first, count), protection, shared)| Step::Mmap { first, count, protection, shared }
        ),
        2 => range().prop_map(|(first, count)| Step::Munmap { first, count }),
        2 => (range(), protection())
            .prop_map(|((first, count), protection)| Step::Mprotect { first, count, protection }),
        1 => range().prop_map(|(first, count)| Step::DontNeed { first, count }),
        2 => (0..PAGES - 40, 1..20u64, 1..20u64, 0..PAGES - 40)
            .prop_map(|(first, old, new, to)| Step::Mremap { first, old, new, to }),
        1 => (0..60u64).prop_map(|pages| Step::Brk { pages }),
        8 => (0..PAGES + 60).prop_map(|page| Step::Touch { page }),
    ];
    prop::collection::vec(step, 1..120)
}

/// Stores every page separately. The heap lies behind the test range.
#[derive(Default)]
struct Naive {
    pages: BTreeMap<u64, Page>,
    heap_pages: u64,
    /// Whether another process may have its pages.
    shares: bool,
}

impl Naive {
    fn all_mapped(&self, first: u64, count: u64) -> bool {
        (first..first + count).all(|page| self.pages.contains_key(&page))
    }

    fn one_kind(&self, first: u64, count: u64) -> bool {
        let kind = |page| self.pages.get(&page).map(|page: &Page| (page.kind, page.protection));
        (first..first + count).all(|page| kind(page) == kind(first) && kind(page).is_some())
    }

    fn unmap(&mut self, first: u64, count: u64) {
        for page in first..first + count {
            self.pages.remove(&page);
        }
    }

    fn touch(&mut self, page: u64) -> (Cause, Option<MappingKind>) {
        let Some(known) = self.pages.get_mut(&page) else { return (Cause::Unknown, None) };
        let cause = match (known.protection, known.kind, known.touched) {
            (0, _, _) | (_, MappingKind::SharedAnonymous, true) | (1, _, true) => Cause::Unknown,
            (_, _, false) => Cause::FirstTouch,
            (_, _, true) => Cause::CopyOnWrite,
        };
        known.touched |= known.protection != 0;
        (cause, Some(known.kind))
    }
}

/// Does a step in both models, if the kernel would allow it.
fn step(step: &Step, naive: &mut Naive, script: &mut Script) {
    let at = |page: u64| AT + page * PAGE;
    match *step {
        Step::Mmap { first, count, protection, shared } => {
            naive.unmap(first, count);
            let kind = if shared { MappingKind::SharedAnonymous } else { MappingKind::Anonymous };
            naive.pages.extend(
                (first..first + count)
                    .map(|page| (page, Page { kind, protection, touched: false })),
            );
            script.mmap(
                at(first),
                count,
                protection,
                ANONYMOUS | if shared { SHARED } else { PRIVATE },
            );
        }
        Step::Munmap { first, count } => {
            naive.unmap(first, count);
            script.munmap(at(first), count);
        }
        Step::Mprotect { first, count, protection } if naive.all_mapped(first, count) => {
            naive
                .pages
                .range_mut(first..first + count)
                .for_each(|(_, page)| page.protection = protection);
            script.call(Call::Mprotect, &[at(first), count * PAGE, protection], 0);
        }
        Step::DontNeed { first, count } if naive.all_mapped(first, count) => {
            // Shared pages stay for the other processes.
            let own = naive.pages.range_mut(first..first + count).map(|(_, page)| page);
            own.filter(|page| page.kind != MappingKind::SharedAnonymous)
                .for_each(|page| page.touched = false);
            script.madvise(at(first), count, 4);
        }
        Step::Mremap { first, old, new, to }
            if naive.one_kind(first, old) && first.abs_diff(to) >= old.max(new) =>
        {
            let moved: Vec<Page> = (first..first + old).map(|page| naive.pages[&page]).collect();
            naive.unmap(first, old);
            naive.unmap(to, new);
            let fresh = Page { touched: false, ..moved[0] };
            let pages = moved.into_iter().chain(std::iter::repeat(fresh));
            naive.pages.extend((to..to + new).zip(pages));
            script.call(Call::Mremap, &[at(first), old * PAGE, new * PAGE, 3, at(to)], at(to));
        }
        Step::Brk { pages } => {
            if pages < naive.heap_pages {
                naive.unmap(PAGES + pages, naive.heap_pages - pages);
            }
            let fresh = Page { kind: MappingKind::Heap, protection: 3, touched: false };
            naive.pages.extend((naive.heap_pages..pages).map(|page| (PAGES + page, fresh)));
            naive.heap_pages = pages;
            script.call(Call::Brk, &[at(PAGES + pages)], at(PAGES + pages));
        }
        Step::Touch { page } => check(page, naive, script),
        Step::Mprotect { .. } | Step::DontNeed { .. } | Step::Mremap { .. } => {}
    }
}

fn check(page: u64, naive: &mut Naive, script: &mut Script) {
    // Each fault has its own instruction, so none counts as a repetition.
    let fault = script.fault_as(AT + page * PAGE, script.now_ns, false);
    let kind = fault.mapping.map(|mapping| mapping.kind);
    let (cause, expected_kind) = naive.touch(page);
    // Who else has a page, and whether that is known of a moved one, `reuse` tests.
    let is_written = naive.shares && cause == Cause::CopyOnWrite;
    let is_it = is_written && matches!(fault.cause, Cause::Reuse | Cause::Unknown);
    assert_eq!(kind, expected_kind, "page {page}");
    assert!(is_it || fault.cause == cause, "page {page}: {:?}, not {cause:?}", fault.cause);
}

fn any_event() -> impl Strategy<Value = Event> {
    let word = || prop_oneof![0..64u64, any::<u64>(), (0..64u64).prop_map(|page| AT + page * PAGE)];
    let calls = prop::sample::select(Call::ALL.to_vec());
    let length = prop_oneof![0..64u64, any::<u32>().prop_map(u64::from), 0..u64::MAX];
    let flags = prop_oneof![Just(PRIVATE | ANONYMOUS), Just(SHARED), Just(PRIVATE), 0..64u64];
    let syscall = (
        calls,
        (word(), length, word(), flags, word(), word()),
        prop_oneof![word().prop_map(u64::cast_signed), Just(-12)],
    )
        .prop_map(|(call, (first, second, third, fourth, fifth, sixth), result)| {
            let arguments = [first, second, third, fourth, fifth, sixth];
            let (result, span) = (Some(result), Span::default());
            EventKind::Syscall(Syscall {
                call,
                text: Name::NONE,
                arguments,
                arguments_known: true,
                result,
                span,
            })
        });
    let fault = (word(), any::<bool>()).prop_map(|(address, major)| {
        EventKind::Fault(Fault {
            address,
            ip: 0,
            span: Span::default(),
            page_bytes: None,
            major,
            in_kernel: false,
            present: None,
        })
    });
    let mapping = (word(), word(), word(), 0..8u32, any::<bool>()).prop_map(
        |(start, end, offset_bytes, protection, shared)| {
            let report = MappingReport {
                start,
                end,
                offset_bytes,
                protection,
                shared,
                ..MappingReport::default()
            };
            EventKind::Mapping(report.intern(&mut Interner::default()))
        },
    );
    let by = (0..4u32, 0..4u32).prop_map(|(pid, tid)| Thread { pid, tid });
    let life = prop_oneof![
        by.prop_map(|by| Life::Started { by }),
        Just(Life::Executed { name: Name::NONE }),
        Just(Life::Attached),
        Just(Life::Compat32),
        Just(Life::Ended { ending: Ending::Unknown }),
        Just(Life::Ended { ending: Ending::Killed(9) }),
    ];
    let what = prop_oneof![
        3 => syscall,
        3 => fault,
        2 => mapping,
        1 => life.prop_map(EventKind::Life),
        1 => any::<u64>().prop_map(|records| EventKind::Lost(Lost { records: records >> 32 })),
    ];
    (any::<u64>(), 0..4u32, 0..4u32, what).prop_map(|(time_ns, pid, tid, what)| Event {
        time_ns,
        thread: Thread { pid, tid },
        kind: what,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn it_agrees_with_a_model_of_single_pages(steps in steps()) {
        let (mut naive, mut script) = (Naive::default(), Script::new());
        script.call(Call::Brk, &[0], AT + PAGES * PAGE);
        for one in &steps {
            step(one, &mut naive, &mut script);
        }
        for page in 0..PAGES + 60 {
            check(page, &mut naive, &mut script);
        }
    }

    #[test]
    fn a_child_starts_with_the_pages_of_its_parent(before in steps(), after in steps()) {
        let (mut naive, mut script) = (Naive::default(), Script::new());
        script.call(Call::Brk, &[0], AT + PAGES * PAGE);
        for one in &before {
            step(one, &mut naive, &mut script);
        }
        script.fork(8);
        naive.shares = true;
        let mut child =
            Naive { pages: naive.pages.clone(), heap_pages: naive.heap_pages, shares: true };
        // A child faults shared pages in again.
        for page in child.pages.values_mut() {
            page.touched &= page.kind != MappingKind::SharedAnonymous;
        }
        for one in &after {
            step(one, &mut naive, &mut script);
        }
        script.be(8, 8);
        for page in 0..PAGES + 60 {
            check(page, &mut child, &mut script);
        }
        script.be(7, 7);
        for page in 0..PAGES + 60 {
            check(page, &mut naive, &mut script);
        }
    }

    #[test]
    fn no_event_makes_it_panic(events in prop::collection::vec(any_event(), 1..200)) {
        let mut script = Script::with(ThpPolicy::Always);
        let mut tally = analysis::trace::Tally::default();
        let summary = analysis::trace::FaultLines::Summary;
        let mut folder = analysis::trace::FaultBursts::new(summary, PAGE);
        let mut out = String::new();
        for event in &events {
            script.builder.take(event, script.interner.table(), &mut |line| {
                tally.take(&line);
                results::trace::write_line(&line, &mut out);
                folder.take(line, &mut |_| {});
            });
        }
        let table = tally.table(Vec::new(), script.builder.summary(0));
        assert_eq!(table.rows.is_empty(), table.total.is_none());
        for line in out.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }
}
