//! Arms as sums of floors: does what its steps take on their own add up to what an arm took? Pure.
//!
//! Parts come from other processes than the samples that they explain, so a sum may fail, and says so. docs/method.md has
//! the parts and the rule.

use results::{Arm, Explanation, Floor, FloorSample, FloorSummary, Floors, InvalidFloor, LabResult, Part, Sample};
use stats::{Interval, largest_rank, median, sign_interval, sorted};

use crate::inside::source::Source;

/// Each explanation's own; they are not confirmatory and share no allowance.
pub(crate) const ALPHA: f64 = 0.05;
/// An interval that reaches further from 1 than this does not say that a sum adds up, even if it holds 1.
const COARSEST: f64 = 0.10;
/// A lazy arm has one fault a page, give or take this share.
const FAULTS_TOLERANCE: f64 = 0.10;
/// A share of small pages in a huge page arm that is worth a part of its own.
const SMALL_PAGES_MIN: f64 = 0.001;

/// Every floor with its key.
pub(crate) type Field = (&'static str, fn(&FloorSample) -> &Floor);
pub(crate) const FIELDS: [Field; 21] = [
    ("timer", |s| &s.timer),
    ("syscall", |s| &s.syscall),
    ("map", |s| &s.map),
    ("unmap", |s| &s.unmap),
    ("read_fault", |s| &s.read_fault),
    ("write_fault", |s| &s.write_fault),
    ("write_after_fault", |s| &s.write_after_fault),
    ("interrupted_write", |s| &s.interrupted_write),
    ("uninterrupted_write", |s| &s.uninterrupted_write),
    ("write_after_pass", |s| &s.write_after_pass),
    ("rewrite", |s| &s.rewrite),
    ("release", |s| &s.release),
    ("populate", |s| &s.populate),
    ("huge_fault", |s| &s.huge_fault),
    ("write_after_huge_fault", |s| &s.write_after_huge_fault),
    ("store", |s| &s.store),
    ("store_past_caches", |s| &s.store_past_caches),
    ("clear_cold", |s| &s.clear_cold),
    ("memcpy", |s| &s.memcpy),
    ("read", |s| &s.read),
    ("read_memfd", |s| &s.read_memfd),
];

/// Adds what was taken beside the blocks, samples and perhaps the reason why there are no more, and what follows from it.
pub fn attach(result: &mut LabResult, (samples, failed): (Vec<FloorSample>, Option<String>)) {
    if samples.is_empty() && failed.is_none() {
        return;
    }
    let counted = counted(result, &samples);
    result.explanations = explanations(result, &counted);
    let (summary, invalid) = (summary(&counted), invalid(&counted));
    result.floors = Some(Floors { summary, invalid, samples, failed, estimates: Vec::new(), sources: Vec::new() });
}

/// Those of `samples` whose blocks were not dropped.
pub(crate) fn counted<'a>(result: &LabResult, samples: &'a [FloorSample]) -> Vec<&'a FloorSample> {
    let counts = |sample: &&FloorSample| !result.dropped.iter().any(|dropped| dropped.block == sample.block);
    samples.iter().filter(counts).collect()
}

fn summary(samples: &[&FloorSample]) -> FloorSummary {
    let of = |floor: fn(&FloorSample) -> &Floor| {
        median(&samples.iter().filter_map(|sample| floor(sample).unit_ns()).collect::<Vec<_>>())
    };
    FloorSummary {
        timer_ns: of(|s| &s.timer),
        syscall_ns: of(|s| &s.syscall),
        map_ns: of(|s| &s.map),
        unmap_ns: of(|s| &s.unmap),
        read_fault_ns: of(|s| &s.read_fault),
        write_fault_ns: of(|s| &s.write_fault),
        write_after_fault_ns: of(|s| &s.write_after_fault),
        interrupted_write_ns: of(|s| &s.interrupted_write),
        uninterrupted_write_ns: of(|s| &s.uninterrupted_write),
        write_after_pass_ns: of(|s| &s.write_after_pass),
        rewrite_ns: of(|s| &s.rewrite),
        release_ns: of(|s| &s.release),
        populate_ns: of(|s| &s.populate),
        huge_fault_ns: of(|s| &s.huge_fault),
        write_after_huge_fault_ns: of(|s| &s.write_after_huge_fault),
    }
}

fn invalid(samples: &[&FloorSample]) -> Vec<InvalidFloor> {
    let reason = |(name, floor): &Field| {
        let held = samples.iter().any(|sample| floor(sample).invalid.is_none());
        let reason = samples.iter().find_map(|sample| floor(sample).invalid.clone()).filter(|_| !held)?;
        Some(InvalidFloor { floor: (*name).to_owned(), reason })
    };
    FIELDS.iter().filter_map(reason).collect()
}

fn explanations(result: &LabResult, floors: &[&FloorSample]) -> Vec<Explanation> {
    let recipes: Vec<(Recipe, &Arm)> = result
        .arms
        .iter()
        .filter(|arm| !arm.placebo)
        .filter_map(|arm| Some((Recipe::new(result, arm)?, arm)))
        .collect();
    let pairs = |recipe: &Recipe, arm: &Arm| -> Vec<Pair> {
        floors.iter().filter_map(|floor| recipe.pair(floor, of_block(arm, floor.block)?)).collect()
    };
    let explained: Vec<(&Recipe, &Arm, Vec<Pair>)> = recipes
        .iter()
        .map(|(recipe, arm)| (recipe, *arm, pairs(recipe, arm)))
        .filter(|(_, _, pairs)| !pairs.is_empty())
        .collect();
    let lazy = explained.iter().find(|(recipe, ..)| recipe.is_lazy());
    let explanation = |(recipe, arm, pairs): &(&Recipe, &Arm, Vec<Pair>)| {
        let beside = lazy.filter(|_| !recipe.is_lazy()).map_or(&[][..], |(_, _, pairs)| pairs);
        explain(&arm.name, recipe, pairs, beside, result.experiment.margin)
    };
    explained.iter().map(explanation).collect()
}

pub(crate) fn of_block(arm: &Arm, block: u64) -> Option<&Sample> {
    arm.samples.iter().find(|sample| sample.block == block)
}

/// What is known of an arm before its samples are looked at.
#[derive(Debug, Clone, Copy)]
struct Recipe {
    source: Source,
    page_bytes: f64,
    size_bytes: u64,
    /// Of all blocks of memory of a sample.
    written_bytes: f64,
    /// Base pages of a sample.
    pages: f64,
    /// Base pages of one block of memory.
    block_pages: f64,
}

/// A sum and what it is to explain, both of one block and per base page.
#[derive(Debug, Clone)]
struct Pair {
    block: u64,
    parts: Vec<(&'static str, f64)>,
    sum_ns: f64,
    measured_ns: f64,
}

impl Recipe {
    /// `None` of arms that no sum is known for, and of blocks of memory smaller than a page.
    fn new(result: &LabResult, arm: &Arm) -> Option<Self> {
        let source = Source::named(&arm.work.as_ref().filter(|work| work.is_plain())?.source)?;
        let (size_bytes, page_bytes) = (result.experiment.size_bytes, result.machine.page_bytes);
        if page_bytes == 0 || size_bytes < page_bytes {
            return None;
        }
        let written_bytes = size_bytes as f64 * result.experiment.operations as f64;
        // An allocator lays its blocks end to end; a mapping is whole pages.
        let block_pages = match source {
            Source::Malloc | Source::Calloc => size_bytes as f64 / page_bytes as f64,
            Source::Mmap | Source::MmapPopulate | Source::MmapHugePage => size_bytes.div_ceil(page_bytes) as f64,
            _ => return None,
        };
        let pages = block_pages * result.experiment.operations as f64;
        Some(Recipe { source, page_bytes: page_bytes as f64, size_bytes, written_bytes, pages, block_pages })
    }

    fn is_lazy(&self) -> bool {
        matches!(self.source, Source::Mmap | Source::Malloc | Source::Calloc)
    }

    fn metric(&self) -> &'static str {
        if self.source == Source::MmapPopulate { "total_ns" } else { "first_touch_ns" }
    }

    fn pair(&self, floor: &FloorSample, sample: &Sample) -> Option<Pair> {
        let measured = if self.source == Source::MmapPopulate { sample.total_ns } else { sample.first_touch_ns };
        let parts = match self.source {
            Source::Mmap | Source::Malloc | Source::Calloc => {
                let a_page = sample.first_touch_minor_faults as f64 / self.pages;
                if (a_page - 1.0).abs() > FAULTS_TOLERANCE {
                    return None; // served from pages that were there, or by other pages than these floors are about
                }
                self.lazy_parts(floor)?
            }
            Source::MmapPopulate => vec![
                ("call", floor.map.unit_ns()? / self.block_pages),
                ("populate", floor.populate.unit_ns()?),
                ("write", self.written(floor.write_after_pass.unit_ns()?)),
            ],
            Source::MmapHugePage => self.huge_parts(floor, sample)?,
            _ => return None,
        };
        let (sum_ns, measured_ns) = (parts.iter().map(|part| part.1).sum(), measured as f64 / self.pages);
        (sum_ns > 0.0 && measured_ns > 0.0).then_some(Pair { block: floor.block, parts, sum_ns, measured_ns })
    }

    fn lazy_parts(&self, floor: &FloorSample) -> Option<Vec<(&'static str, f64)>> {
        let (read, write) = (floor.read_fault.unit_ns()?, floor.write_fault.unit_ns()?);
        let interruption = floor.interrupted_write.unit_ns()? - floor.uninterrupted_write.unit_ns()?;
        Some(vec![
            ("trap and zero page", read),
            ("allocate and clear", write - read),
            ("write", self.written(floor.write_after_fault.unit_ns()?)),
            ("interruption", interruption),
        ])
    }

    fn huge_parts(&self, floor: &FloorSample, sample: &Sample) -> Option<Vec<(&'static str, f64)>> {
        let in_huge = (sample.huge_bytes? as f64 / (self.pages * self.page_bytes)).min(1.0);
        let write = self.written(floor.write_after_huge_fault.unit_ns()?);
        let mut parts = vec![("huge fault", in_huge * floor.huge_fault.unit_ns()?), ("write", in_huge * write)];
        if 1.0 - in_huge >= SMALL_PAGES_MIN {
            let small: f64 = self.lazy_parts(floor)?.iter().map(|part| part.1).sum();
            parts.push(("small pages", (1.0 - in_huge) * small));
        }
        Some(parts)
    }

    /// `full_page_ns` for as much of a page as the arm writes to, on average.
    fn written(&self, full_page_ns: f64) -> f64 {
        full_page_ns * self.written_bytes / (self.pages * self.page_bytes)
    }
}

/// `pairs` is not empty; `beside` are those of the lazy arm that this one is held against.
fn explain(arm: &str, recipe: &Recipe, pairs: &[Pair], beside: &[Pair], margin: f64) -> Explanation {
    let middle = |values: Vec<f64>| median(&values).expect("at least one block");
    let mut parts: Vec<Part> = Vec::new();
    for (name, _) in pairs.iter().flat_map(|pair| &pair.parts) {
        if parts.iter().all(|part| part.name != *name) {
            let of_block = |pair: &Pair| pair.parts.iter().find(|part| part.0 == *name).map_or(0.0, |part| part.1);
            parts.push(Part { name: (*name).to_owned(), ns_per_page: middle(pairs.iter().map(of_block).collect()) });
        }
    }
    let sum_ns: f64 = parts.iter().map(|part| part.ns_per_page).sum();
    let measured_ns = middle(pairs.iter().map(|pair| pair.measured_ns).collect());
    let logs = sorted(&pairs.iter().map(|pair| (pair.sum_ns / pair.measured_ns).ln()).collect::<Vec<_>>());
    let interval = sign_interval(&logs, largest_rank(logs.len(), ALPHA));
    let reached: Vec<f64> = pairs
        .iter()
        .filter_map(|pair| Some(pair.measured_ns / beside.iter().find(|lazy| lazy.block == pair.block)?.measured_ns))
        .collect();
    Explanation {
        arm: arm.to_owned(),
        metric: recipe.metric().to_owned(),
        size_bytes: recipe.size_bytes,
        parts,
        sum_ns,
        measured_ns,
        unexplained_ns: middle(pairs.iter().map(|pair| pair.measured_ns - pair.sum_ns).collect()),
        ratio: middle(logs).exp(),
        low: interval.map(|i| i.low.exp()),
        high: interval.map(|i| i.high.exp()),
        confidence: 1.0 - ALPHA,
        blocks: pairs.len() as u64,
        adds_up: interval.and_then(|interval| adds_up(interval, margin)),
        reaches: median(&reached),
    }
}

/// Yes if the interval of log ratios lies within the margin, or holds 1 and is fine enough to have excluded a sum that
/// misses by a tenth; no if it excludes 1 and reaches beyond the margin; otherwise the data do not say.
fn adds_up(interval: Interval, margin: f64) -> Option<bool> {
    let within = |share: f64| interval.high.max(-interval.low) <= f64::ln_1p(share);
    match (within(margin), interval.contains(0.0)) {
        (true, _) => Some(true),
        (false, true) => within(COARSEST).then_some(true),
        (false, false) => Some(false),
    }
}
