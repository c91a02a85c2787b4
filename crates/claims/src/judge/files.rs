//! Mapped files: when they are read, and their cost compared with copying.

use std::fmt::Write;

use results::claims::{Claim, ClaimVerdict};
use serde_json::json;
use stats::{Estimate, compare, largest_rank};

use crate::catalogue::{cannot, claim};
use crate::facts::FileWindows;
use crate::wording::{bytes, count, list, pages, ratio};

/// Error probability of all intervals together.
const ALPHA: f64 = 0.05;
/// At most this many cases are named.
const NAMED: usize = 3;
/// A difference smaller than this share does not matter.
const MARGIN: f64 = 0.05;

/// A mapped file before and after it is accessed.
#[must_use]
pub fn file_demand_paging(file: &FileWindows) -> Claim {
    const ID: &str = "file-demand-paging";
    let of = count(file.pages);
    // A few pages that the kernel keeps do not matter.
    if file.forgotten.in_core * 20 > file.pages {
        return cannot(
            ID,
            format!(
                "{} of {of} pages stay in the page cache (tmpfs?); choose a folder on a disk with \
                --dir",
                count(file.forgotten.in_core)
            ),
        );
    }
    let read_by_mapping =
        file.untouched.in_core > file.forgotten.in_core || file.untouched.mapped.unwrap_or(0) > 0;
    let read_by_touch = file.one.read() > 0 && file.one.major_faults > 0;
    let verdict = match (read_by_mapping, read_by_touch) {
        (false, true) => ClaimVerdict::Holds,
        (true, _) => ClaimVerdict::DoesNotHold,
        (false, false) => ClaimVerdict::Inconclusive,
    };
    let evidence = format!(
        "{} of {of} pages cached after mmap; one touch read {}",
        count(file.untouched.in_core),
        count(file.one.read())
    );
    claim(ID, verdict, evidence, neighbours(file))
        .figure("pages", file.pages)
        .figure("cached_when_forgotten", file.forgotten.in_core)
        .figure("cached_when_mapped", file.untouched.in_core)
        .figure("mapped_when_mapped", file.untouched.mapped)
        .figure("one_touch_read", file.one.read())
        .figure("one_touch_mapped", file.one.resident.mapped)
        .figure("one_touch_major_faults", file.one.major_faults)
        .figure("in_order_pages", file.first_pages)
        .figure("in_order_read", file.first.read())
        .figure("in_order_major_faults", file.first.major_faults)
        .figure("in_order_minor_faults", file.first.minor_faults)
        .figure("random_touch_read", file.unordered.read())
        .figure("random_touch_mapped", file.unordered.resident.mapped)
        .figure("warm_touch_mapped", file.warm.resident.mapped)
        .figure("warm_touch_minor_faults", file.warm.minor_faults)
        .figure("warm_touch_major_faults", file.warm.major_faults)
}

/// The pages that come with a touched page.
fn neighbours(file: &FileWindows) -> String {
    let around = |mapped: Option<u64>| mapped.map_or("an unknown number".to_owned(), pages);
    format!(
        "A touch brings in neighbours: in {} major fault{}, readahead read {}, and {} entered the \
        page tables (fault-around; {} if all are cached); {} in order took {} major and {} minor \
        faults; with MADV_RANDOM a touch read {}.",
        file.one.major_faults,
        if file.one.major_faults == 1 { "" } else { "s" },
        pages(file.one.read()),
        around(file.one.resident.mapped),
        around(file.warm.resident.mapped),
        pages(file.first_pages),
        count(file.first.major_faults),
        count(file.first.minor_faults),
        pages(file.unordered.read()),
    )
}

/// One case: a part of a file, read by mapping and by copying.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Size of the part.
    pub bytes: usize,
    /// In random order.
    pub random: bool,
    /// Not in the page cache.
    pub cold: bool,
    /// Number of passes.
    pub passes: u32,
    /// Per block, the logarithm of the time by mapping over the time by reading.
    pub log_ratios: Vec<f64>,
    /// Median time by mapping.
    pub map_ns: Option<f64>,
    /// Median time by reading.
    pub read_ns: Option<f64>,
}

impl Cell {
    fn name(&self) -> String {
        let cache = if self.cold { "cold" } else { "warm" };
        let order = if self.random { "random" } else { "in order" };
        let passes =
            if self.passes == 1 { String::new() } else { format!(" {} times", self.passes) };
        format!("{cache} {order} {}{passes}", bytes(self.bytes as u64))
    }
}

/// mmap against read, in all cells; `left_out` is the reason why cold cells are missing.
#[must_use]
pub fn map_or_copy(cells: &[Cell], left_out: Option<&str>) -> Claim {
    const ID: &str = "map-or-copy";
    let alpha = ALPHA / cells.len().max(1) as f64;
    let judged: Vec<(&Cell, Estimate)> = cells
        .iter()
        .filter_map(|cell| {
            Some((
                cell,
                compare(&cell.log_ratios, largest_rank(cell.log_ratios.len(), alpha), MARGIN)?,
            ))
        })
        .collect();
    let by_ratio = |a: &&(&Cell, Estimate), b: &&(&Cell, Estimate)| a.1.ratio.total_cmp(&b.1.ratio);
    let (Some(worst), Some(best)) =
        (judged.iter().max_by(by_ratio), judged.iter().min_by(by_ratio))
    else {
        return cannot(ID, left_out.unwrap_or("no sample could be taken"));
    };
    let bounds =
        |estimate: &Estimate| estimate.interval.map_or((0.0, f64::INFINITY), |i| (i.low, i.high));
    let different = |estimate: &Estimate| estimate.verdict == stats::Verdict::Different;
    let text = |(cell, estimate): &&(&Cell, Estimate)| {
        format!("{} ({})", ratio(estimate.ratio, estimate.interval), cell.name())
    };
    let slower =
        |(_, estimate): &&(&Cell, Estimate)| different(estimate) && bounds(estimate).0 > 1.0;
    let faster =
        |(_, estimate): &&(&Cell, Estimate)| different(estimate) && bounds(estimate).1 < 1.0;
    let costs: Vec<_> = judged.iter().filter(slower).collect();
    let saves: Vec<_> = judged.iter().filter(faster).collect();
    let verdict = match (
        costs.is_empty(),
        judged.iter().all(|(_, estimate)| bounds(estimate).1 <= 1.0 + MARGIN),
    ) {
        (false, _) => ClaimVerdict::Holds,
        (true, true) => ClaimVerdict::DoesNotHold,
        (true, false) => ClaimVerdict::Inconclusive,
    };
    let evidence = format!(
        "mmap takes {:.2}x to {:.2}x the time of read in {} cases",
        best.1.ratio,
        worst.1.ratio,
        judged.len()
    );
    let names = |cells: &[&(&Cell, Estimate)]| {
        let mut names: Vec<String> =
            cells.iter().take(NAMED).map(|(cell, _)| cell.name()).collect();
        names.extend((cells.len() > NAMED).then(|| format!("{} others", cells.len() - NAMED)));
        list(&names)
    };
    let side = |cells: &[&(&Cell, Estimate)], word: &str| match cells {
        [] => format!("in no case certainly {word}"),
        cells => format!("{word} in {} of {} cases ({})", cells.len(), judged.len(), names(cells)),
    };
    let mut explanation = format!(
        "Mapping was {}; {}; from {} to {}; read(2) reused one buffer ({} blocks).",
        side(&costs, "slower"),
        side(&saves, "faster"),
        text(&best),
        text(&worst),
        judged[0].0.log_ratios.len()
    );
    if let Some(why) = left_out {
        let _ = write!(explanation, " Uncached files were not measured: {why}.");
    }
    claim(ID, verdict, evidence, explanation)
        .figure("cells", judged.iter().map(row).collect::<Vec<_>>())
        .figure("confidence", 1.0 - ALPHA)
        .figure("margin", MARGIN)
        .figure("cold_left_out", left_out)
}

fn row((cell, estimate): &(&Cell, Estimate)) -> serde_json::Value {
    json!({
        "cache": if cell.cold { "cold" } else { "warm" },
        "order": if cell.random { "random" } else { "sequential" },
        "bytes": cell.bytes,
        "passes": cell.passes,
        "map_over_read": estimate.ratio,
        "low": estimate.interval.map(|i| i.low),
        "high": estimate.interval.map(|i| i.high),
        "map_ns": cell.map_ns,
        "read_ns": cell.read_ns,
        "blocks": cell.log_ratios.len(),
    })
}
