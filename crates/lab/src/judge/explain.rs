//! Arms as sums of floors: do the costs of its steps, measured separately, add up to the cost of an
//! arm? Pure.
//!
//! The parts come from other processes than the samples that they explain, so a sum may fail to add
//! up. docs/method.md has the parts and the rule.

use results::{Explanation, FloorPart, FloorSample, Sample};
use sample::source::Source;
use stats::{Interval, largest_rank, median, sign_interval, sorted};

use crate::judge::floors::ALPHA;
use crate::judge::point_run::{ArmRun, PointRun};

/// An interval that reaches further from 1 than this does not show that a sum adds up, even if it
/// contains 1.
const COARSEST: f64 = 0.10;
/// A lazy arm has one fault a page, give or take this share.
const FAULTS_TOLERANCE: f64 = 0.10;
/// The least share of small pages in a huge page arm that is a separate part.
const SMALL_PAGES_MIN: f64 = 0.001;

/// Explains the arms of `point` by the floors `counted`.
#[must_use]
pub fn explanations(point: &PointRun, counted: &[&FloorSample]) -> Vec<Explanation> {
    let recipes: Vec<(Recipe, &ArmRun)> = point
        .arms
        .iter()
        .filter(|arm| !arm.placebo)
        .filter_map(|arm| Some((Recipe::new(point, arm)?, arm)))
        .collect();
    let pairs = |recipe: &Recipe, arm: &ArmRun| -> Vec<Pair> {
        counted.iter().filter_map(|floor| recipe.pair(floor, arm.of_block(floor.block)?)).collect()
    };
    let explained: Vec<(&Recipe, &ArmRun, Vec<Pair>)> = recipes
        .iter()
        .map(|(recipe, arm)| (recipe, *arm, pairs(recipe, arm)))
        .filter(|(_, _, pairs)| !pairs.is_empty())
        .collect();
    let lazy = explained.iter().find(|(recipe, ..)| recipe.is_lazy());
    let explanation = |(recipe, arm, pairs): &(&Recipe, &ArmRun, Vec<Pair>)| {
        let beside = lazy.filter(|_| !recipe.is_lazy()).map_or(&[][..], |(_, _, pairs)| pairs);
        explain(arm.name, recipe, pairs, beside, point.margin)
    };
    explained.iter().map(explanation).collect()
}

/// The properties of an arm that do not depend on its samples.
#[derive(Debug, Clone, Copy)]
struct Recipe {
    source: Source,
    page_bytes: f64,
    size_bytes: u64,
    /// Bytes written in all blocks of memory of a sample.
    written_bytes: f64,
    /// Base pages of a sample.
    pages: f64,
    /// Base pages of one block of memory.
    block_pages: f64,
}

/// A sum and the cost that it should explain, both of one block and per base page.
#[derive(Debug, Clone)]
struct Pair {
    block: u64,
    parts: Vec<(&'static str, f64)>,
    sum_ns: f64,
    measured_ns: f64,
}

impl Recipe {
    /// `None` for arms without a known sum, and for blocks of memory smaller than a page.
    fn new(point: &PointRun, arm: &ArmRun) -> Option<Self> {
        let source = arm.plain_source?;
        let (size_bytes, page_bytes) = (point.size_bytes, point.page_bytes);
        if page_bytes == 0 || size_bytes < page_bytes {
            return None;
        }
        let written_bytes = size_bytes as f64 * point.operations as f64;
        // An allocator places its blocks contiguously; a mapping has whole pages.
        let block_pages = match source {
            Source::Malloc | Source::Calloc => size_bytes as f64 / page_bytes as f64,
            Source::Mmap | Source::MmapPopulate | Source::MmapHugePage => {
                size_bytes.div_ceil(page_bytes) as f64
            }
            _ => return None,
        };
        let pages = block_pages * point.operations as f64;
        Some(Recipe {
            source,
            page_bytes: page_bytes as f64,
            size_bytes,
            written_bytes,
            pages,
            block_pages,
        })
    }

    fn is_lazy(&self) -> bool {
        matches!(self.source, Source::Mmap | Source::Malloc | Source::Calloc)
    }

    fn metric(&self) -> &'static str {
        if self.source == Source::MmapPopulate { "total_ns" } else { "first_touch_ns" }
    }

    fn pair(&self, floor: &FloorSample, sample: &Sample) -> Option<Pair> {
        let measured = if self.source == Source::MmapPopulate {
            sample.total_ns
        } else {
            sample.first_touch_ns
        };
        let parts = match self.source {
            Source::Mmap | Source::Malloc | Source::Calloc => {
                let a_page = sample.first_touch_minor_faults as f64 / self.pages;
                if (a_page - 1.0).abs() > FAULTS_TOLERANCE {
                    // Served from existing pages, or by pages of another kind than these floors.
                    return None;
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
        let (sum_ns, measured_ns) =
            (parts.iter().map(|part| part.1).sum(), measured as f64 / self.pages);
        (sum_ns > 0.0 && measured_ns > 0.0).then_some(Pair {
            block: floor.block,
            parts,
            sum_ns,
            measured_ns,
        })
    }

    fn lazy_parts(&self, floor: &FloorSample) -> Option<Vec<(&'static str, f64)>> {
        let (read, write) = (floor.read_fault.unit_ns()?, floor.write_fault.unit_ns()?);
        let interruption =
            floor.interrupted_write.unit_ns()? - floor.uninterrupted_write.unit_ns()?;
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
        let mut parts =
            vec![("huge fault", in_huge * floor.huge_fault.unit_ns()?), ("write", in_huge * write)];
        if 1.0 - in_huge >= SMALL_PAGES_MIN {
            let small: f64 = self.lazy_parts(floor)?.iter().map(|part| part.1).sum();
            parts.push(("small pages", (1.0 - in_huge) * small));
        }
        Some(parts)
    }

    /// `full_page_ns` scaled to the part of a page that the arm writes, on average.
    fn written(&self, full_page_ns: f64) -> f64 {
        full_page_ns * self.written_bytes / (self.pages * self.page_bytes)
    }
}

/// `pairs` must not be empty; `beside` are those of the lazy arm that this one is compared with.
fn explain(
    arm: &str,
    recipe: &Recipe,
    pairs: &[Pair],
    beside: &[Pair],
    margin: f64,
) -> Explanation {
    let middle = |values: Vec<f64>| median(&values).expect("at least one block");
    let mut parts: Vec<FloorPart> = Vec::new();
    for (name, _) in pairs.iter().flat_map(|pair| &pair.parts) {
        if parts.iter().all(|part| part.name != *name) {
            let of_block = |pair: &Pair| {
                pair.parts.iter().find(|part| part.0 == *name).map_or(0.0, |part| part.1)
            };
            parts.push(FloorPart {
                name: (*name).to_owned(),
                ns_per_page: middle(pairs.iter().map(of_block).collect()),
            });
        }
    }
    let sum_ns: f64 = parts.iter().map(|part| part.ns_per_page).sum();
    let measured_ns = middle(pairs.iter().map(|pair| pair.measured_ns).collect());
    let logs =
        sorted(&pairs.iter().map(|pair| (pair.sum_ns / pair.measured_ns).ln()).collect::<Vec<_>>());
    let interval = sign_interval(&logs, largest_rank(logs.len(), ALPHA));
    let reached: Vec<f64> = pairs
        .iter()
        .filter_map(|pair| {
            Some(
                pair.measured_ns / beside.iter().find(|lazy| lazy.block == pair.block)?.measured_ns,
            )
        })
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

/// `true` if the interval of log ratios is within the margin, or contains 1 and is narrow enough to
/// exclude a sum that is off by a tenth; `false` if it excludes 1 and reaches beyond the margin;
/// otherwise the data leave it open.
fn adds_up(interval: Interval, margin: f64) -> Option<bool> {
    let within = |share: f64| interval.high.max(-interval.low) <= f64::ln_1p(share);
    match (within(margin), interval.contains(0.0)) {
        (true, _) => Some(true),
        (false, true) => within(COARSEST).then_some(true),
        (false, false) => Some(false),
    }
}
