//! Several runs of one program: the addresses of regions, and which address bits differ between
//! runs.

use std::collections::BTreeSet;

use results::layout::{Address, Bits, Gaps, LayoutRun, LayoutSummary, Region, RegionKind, Spans};

/// The summary of `runs`, independent of their order. The bits that varied are a lower bound of the
/// random bits.
#[must_use]
pub fn summary(runs: &[&LayoutRun]) -> LayoutSummary {
    let over = |anchor: fn(&LayoutRun) -> Option<u64>| {
        Spread::of(runs.iter().filter_map(|run| anchor(run)))
    };
    let (text, heap, mmap, stack, vdso) =
        (over(text), over(heap), over(mmap), over(stack), over(vdso));
    let gaps: Vec<u64> = runs.iter().filter_map(|run| run.heap_gap_bytes).collect();
    let bits = |spread: &Option<Spread>| spread.as_ref().map(|spread| spread.bits);
    let span = |spread: &Option<Spread>| {
        spread.as_ref().map(|spread| (Address(spread.low), Address(spread.high)))
    };
    LayoutSummary {
        runs: runs.len() as u64,
        varying_bits: Bits {
            text: bits(&text),
            heap: bits(&heap),
            mmap: bits(&mmap),
            stack: bits(&stack),
            vdso: bits(&vdso),
            heap_gap: bits(&Spread::of(gaps.iter().copied())),
        },
        spans: Spans {
            text: span(&text),
            heap: span(&heap),
            mmap: span(&mmap),
            stack: span(&stack),
            vdso: span(&vdso),
        },
        heap_gap_bytes: gaps_of(gaps),
    }
}

fn gaps_of(mut gaps: Vec<u64>) -> Gaps {
    gaps.sort_unstable();
    Gaps {
        min: gaps.first().copied(),
        median: gaps.get(gaps.len() / 2).copied(),
        max: gaps.last().copied(),
        distinct: gaps.iter().collect::<BTreeSet<_>>().len() as u64,
    }
}

/// The same number in several runs.
struct Spread {
    low: u64,
    high: u64,
    bits: u32,
}

impl Spread {
    fn of(numbers: impl Iterator<Item = u64>) -> Option<Self> {
        let numbers: Vec<u64> = numbers.collect();
        let (low, high) = (*numbers.iter().min()?, *numbers.iter().max()?);
        // A bit that differs between any two runs differs between the first and one of them.
        let varying = numbers.iter().fold(0, |varying, number| varying | (number ^ numbers[0]));
        // The kernel adds a random number to a base that is not round, and a carry changes bits
        // above the random ones. It does not widen the range of the numbers.
        let steps = (high - low) >> varying.trailing_zeros().min(63);
        Some(Spread {
            low,
            high,
            bits: varying.count_ones().min(u64::BITS - steps.leading_zeros()),
        })
    }
}

fn first(run: &LayoutRun, kind: RegionKind) -> Option<&Region> {
    run.regions.iter().find(|region| region.kind == kind)
}

fn text(run: &LayoutRun) -> Option<u64> {
    first(run, RegionKind::Text).map(|region| region.start.0)
}

fn heap(run: &LayoutRun) -> Option<u64> {
    first(run, RegionKind::Heap).map(|region| region.start.0)
}

fn stack(run: &LayoutRun) -> Option<u64> {
    first(run, RegionKind::Stack).map(|region| region.end.0)
}

fn vdso(run: &LayoutRun) -> Option<u64> {
    first(run, RegionKind::Vdso).map(|region| region.start.0)
}

/// The kernel puts the first mapping at the top (`mmap_base` in mm/util.c) and the others below, so
/// the highest end has the random base, unless the program, whose parts have other kinds, lies
/// above.
fn mmap(run: &LayoutRun) -> Option<u64> {
    let stack = first(run, RegionKind::Stack)?.start;
    let own = |kind| {
        matches!(
            kind,
            RegionKind::Mmap | RegionKind::File | RegionKind::Arena | RegionKind::ThreadStack
        )
    };
    run.regions
        .iter()
        .rfind(|region| own(region.kind) && region.end <= stack)
        .map(|region| region.end.0)
}
