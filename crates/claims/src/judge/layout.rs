//! Positions of heap, mappings and stack, over many processes.

use std::collections::BTreeSet;

use results::claims::{Claim, ClaimVerdict};

use super::holds;
use crate::catalogue::{cannot, claim};
use crate::facts::{Identity, LayoutFacts};
use crate::wording::{about, count};

/// Layouts of many processes of one program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layouts {
    /// With ASLR, if the kernel has it on.
    pub random: Vec<LayoutFacts>,
    /// Without ASLR, or why this is not possible here.
    pub fixed: Result<Vec<LayoutFacts>, String>,
}

impl Default for Layouts {
    fn default() -> Self {
        Layouts { random: Vec::new(), fixed: Ok(Vec::new()) }
    }
}

/// The kernel's setting, and the range in its source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelRange {
    /// `kernel.randomize_va_space`: 0 off, 1 all but the heap, 2 all.
    pub randomize: Option<u8>,
    /// The range of the heap start in the kernel's source, if known.
    pub range_bytes: Option<u64>,
    /// Size of a base page.
    pub page_bytes: usize,
}

impl KernelRange {
    /// The range of the heap start in the kernel's source: `arch_randomize_brk` of
    /// `arch/x86/kernel/process.c` (32 MiB, since Linux 6.9 1 GiB) and of `mm/util.c` (1 GiB for 64
    /// bits: arm64, riscv).
    #[must_use]
    pub fn range_of(release: &str, architecture: &str) -> Option<u64> {
        let mut numbers =
            release.split(|c: char| !c.is_ascii_digit()).map_while(|word| word.parse::<u32>().ok());
        let version = (numbers.next()?, numbers.next()?);
        match architecture {
            "x86_64" if version < (6, 9) => Some(32 << 20),
            "x86_64" | "aarch64" | "riscv64" => Some(1 << 30),
            _ => None,
        }
    }
}

/// Gaps of one program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Gaps {
    sorted: Vec<u64>,
}

impl Gaps {
    /// Gaps between the page-rounded end of bss and the heap. Without a gap, the kernel may show
    /// both as one mapping. `None` if in some process the heap does not follow bss.
    fn of(layouts: &[LayoutFacts]) -> Option<Self> {
        let gap = |layout: &LayoutFacts| {
            let (start, end) = layout.heap?;
            (end > layout.program_end).then(|| start.saturating_sub(layout.program_end) as u64)
        };
        let mut sorted: Vec<u64> = layouts.iter().map(gap).collect::<Option<_>>()?;
        sorted.sort_unstable();
        (!sorted.is_empty()).then_some(Gaps { sorted })
    }

    fn range(&self) -> (u64, u64, u64) {
        (self.sorted[0], self.sorted[self.sorted.len() / 2], self.sorted[self.sorted.len() - 1])
    }

    fn distinct(&self) -> usize {
        self.sorted.iter().collect::<BTreeSet<_>>().len()
    }

    /// Bits that differ between any two gaps.
    fn varying_bits(&self) -> u32 {
        self.sorted.iter().fold(0, |bits, gap| bits | (gap ^ self.sorted[0])).count_ones()
    }
}

/// The gap between bss and heap, in this program and, if one could be built, in a program of the
/// other kind (PIE or not).
#[must_use]
pub fn aslr_gap(own: &Layouts, other: Result<&Layouts, &str>, kernel: &KernelRange) -> Claim {
    const ID: &str = "aslr-gap";
    let fixed = match &own.fixed {
        Ok(fixed) => fixed,
        Err(why) => return cannot(ID, format!("no processes without ASLR: {why}")),
    };
    let (Some(on), Some(off)) = (Gaps::of(&own.random), Gaps::of(fixed)) else {
        return cannot(ID, "/proc/self/maps does not show [heap] behind the program's bss");
    };
    let word = if own.random[0].pie { "PIE" } else { "non-PIE" };
    let others = other.and_then(|layouts| {
        let fixed = layouts.fixed.as_ref().map_err(String::as_str)?;
        let gaps = Gaps::of(&layouts.random).zip(Gaps::of(fixed)).ok_or("its heap is not shown")?;
        Ok((if layouts.random[0].pie { "PIE" } else { "non-PIE" }, gaps))
    });
    let both: Vec<(&Gaps, &Gaps)> =
        others.iter().map(|(_, (on, off))| (on, off)).chain([(&on, &off)]).collect();
    let off_alike = both.iter().all(|(_, off)| off.range().2 < kernel.page_bytes as u64);
    let on_varies = both.iter().all(|(on, _)| on.distinct() > 1);
    let (low, median, high) = on.range();
    let evidence = format!(
        "ASLR off: {}; on: {} to {}, {} values in {} runs",
        if off.range().2 == 0 {
            "no gap".to_owned()
        } else {
            format!("at most {} bytes", count(off.range().2))
        },
        about(low),
        about(high),
        count(on.distinct() as u64),
        on.sorted.len()
    );
    let verdict = match kernel.randomize {
        Some(0 | 1) if off_alike && !on_varies => ClaimVerdict::CannotTest,
        _ => holds(off_alike && on_varies),
    };
    let evidence = match verdict {
        ClaimVerdict::CannotTest => format!(
            "kernel.randomize_va_space is {}: the heap start is not random ({evidence})",
            kernel.randomize.unwrap_or_default()
        ),
        _ => evidence,
    };
    let gaps = others.as_ref().map(|(word, (on, off))| (*word, on, off));
    let claim = claim(ID, verdict, evidence, gap_explained(word, (&on, &off), gaps, kernel))
        .figure("program", word)
        .figure("off_runs", off.sorted.len())
        .figure("off_max_gap_bytes", off.range().2)
        .figure("on_runs", on.sorted.len())
        .figure("on_min_gap_bytes", low)
        .figure("on_median_gap_bytes", median)
        .figure("on_max_gap_bytes", high)
        .figure("on_distinct", on.distinct())
        .figure("varying_bits", on.varying_bits())
        .figure("kernel_range_bytes", kernel.range_bytes)
        .figure("randomize_va_space", kernel.randomize);
    match &others {
        Ok((word, (on, off))) => claim
            .figure("other_program", *word)
            .figure("other_off_max_gap_bytes", off.range().2)
            .figure("other_on_min_gap_bytes", on.range().0)
            .figure("other_on_max_gap_bytes", on.range().2)
            .figure("other_on_distinct", on.distinct())
            .figure("other_varying_bits", on.varying_bits()),
        Err(why) => claim.figure("other_program_untested", *why),
    }
}

fn gap_explained(
    word: &str,
    (on, off): (&Gaps, &Gaps),
    other: Result<(&str, &Gaps, &Gaps), &&str>,
    kernel: &KernelRange,
) -> String {
    let range =
        kernel.range_bytes.map_or("the range of this kernel is unknown".to_owned(), |bytes| {
            let pages = bytes / kernel.page_bytes as u64;
            format!("the kernel's source allows {} ({} bits)", about(bytes), pages.ilog2())
        });
    let other = match other {
        Ok((word, on, off)) => {
            let (low, _, high) = on.range();
            let off = if off.range().2 < kernel.page_bytes as u64 { "no gap" } else { "a gap too" };
            format!("a {word}: {off} without ASLR, {} to {} with it", about(low), about(high))
        }
        Err(why) => format!("only this {word} was tested: {why}"),
    };
    format!(
        "In this {word}, {} bits of the gap varied; {range}; {} runs without ASLR; {other}.",
        on.varying_bits(),
        off.sorted.len()
    )
}

/// Mappings between heap and stack.
#[must_use]
pub fn mmap_between(layouts: &Layouts, who: &Identity) -> Claim {
    const ID: &str = "mmap-between";
    let fixed = layouts.fixed.as_deref().unwrap_or_default();
    let all: Vec<&LayoutFacts> = layouts.random.iter().chain(fixed).collect();
    let placed: Vec<(&LayoutFacts, usize, usize)> =
        all.iter().filter_map(|layout| Some((*layout, layout.heap?.1, layout.stack?.0))).collect();
    if placed.is_empty() || placed.len() < all.len() {
        return cannot(ID, "/proc/self/maps does not show heap and stack");
    }
    let between =
        |&&(start, end): &&(usize, usize), heap: usize, stack: usize| start >= heap && end <= stack;
    let mappings: usize = placed.iter().map(|(layout, _, _)| layout.mappings.len()).sum();
    let inside: usize = placed
        .iter()
        .map(|(layout, heap, stack)| {
            layout.mappings.iter().filter(|mapping| between(mapping, *heap, *stack)).count()
        })
        .sum();
    let fresh = placed
        .iter()
        .filter(|(layout, heap, stack)| (*heap..*stack).contains(&layout.fresh))
        .count();
    let distance = |value: fn(&(&LayoutFacts, usize, usize)) -> usize| {
        let mut all: Vec<usize> = placed.iter().map(value).collect();
        all.sort_unstable();
        all[all.len() / 2] as u64
    };
    let above_heap = distance(|(layout, heap, _)| layout.fresh.saturating_sub(*heap));
    let below_stack = distance(|(layout, _, stack)| stack.saturating_sub(layout.fresh));
    let evidence = format!(
        "{} of {} mappings between [heap] and [stack]",
        count(inside as u64),
        count(mappings as u64)
    );
    let processes =
        format!("{} processes, {} of them with ASLR", placed.len(), layouts.random.len());
    let explanation = if fresh == placed.len() {
        let outside = if inside == mappings {
            String::new()
        } else {
            format!(" {} chose the addresses of the mappings outside.", who.allocator())
        };
        format!(
            "A new mapping placed by the kernel lay {} above the heap and {} below the stack \
            (medians; {processes}).{outside}",
            about(above_heap),
            about(below_stack)
        )
    } else {
        format!(
            "A new mapping placed by the kernel lay between them in {fresh} of {processes}: an \
            unlimited stack (ulimit -s) or setarch -L starts the mmap area lower (mmap_is_legacy \
            in the kernel's mm/util.c)."
        )
    };
    claim(ID, holds(inside == mappings && fresh == placed.len()), evidence, explanation)
        .figure("processes", placed.len())
        .figure("mappings", mappings)
        .figure("between", inside)
        .figure("fresh_between", fresh)
        .figure("median_above_heap_bytes", above_heap)
        .figure("median_below_stack_bytes", below_stack)
}
