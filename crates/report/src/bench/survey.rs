//! The screen of `bench floors`: every floor with its interval, and every source as a multiple of
//! its own.

use results::{FloorEstimate, Floors, LabResult, SourceFloor};

use super::lines;
use super::verdict::{level, ratio};
use crate::number::{TimeUnit, bytes, digits, duration};
use crate::table::table;
use crate::text::{DIM, clean, styled};
use crate::view::View;

/// A part smaller than this share of its floor is not named.
const PART_MIN: f64 = 0.01;

/// Rows of the first table: the floor's key, and its description; a heading has no key.
const ROWS: [(&str, &str); 22] = [
    ("", "a call"),
    ("timer", "clock: one reading"),
    ("syscall", "syscall: getppid"),
    ("map_and_unmap", "mmap + munmap, untouched"),
    ("", "a page"),
    ("read_fault", "read fault: trap, page of zeros"),
    ("allocate_and_clear", "allocate and clear: write - read fault"),
    ("huge_fault", "clear, at most: 2 MiB fault / 512"),
    ("clear_cold", "clear by hand: rep stosb, cold lines"),
    ("store", "store: rep stosb, touched memory"),
    ("store_past_caches", "store: non-temporal, touched memory"),
    ("populate", "populate: MAP_POPULATE"),
    ("write_after_fault", "write, right after its fault"),
    ("interruption", "a fault in the middle of a write"),
    ("release", "release: munmap, touched"),
    ("memcpy", "memcpy into a buffer"),
    ("read", "read() into it, of an unnamed file"),
    ("read_memfd", "read() into it, of a memfd"),
    ("", "the least for a page that is written"),
    ("by_fault", "fault + clear + write"),
    ("by_populate", "populate + write"),
    ("by_huge_fault", "2 MiB fault + write"),
];

/// Whether the run measured floors as its question.
pub(crate) fn is_survey(result: &LabResult) -> bool {
    result.floors.as_ref().is_some_and(|floors| !floors.estimates.is_empty())
}

/// The tables and remarks below the answer.
pub(super) fn paragraphs(result: &LabResult, view: View) -> Vec<String> {
    let Some(floors) = &result.floors else { return Vec::new() };
    let mut remarks = below_floor(floors);
    if view.verbose {
        remarks.splice(0..0, meaning(result, floors));
    }
    remarks.extend(missing(floors));
    vec![
        floor_table(result, floors, view.table_columns()),
        source_table(floors, view.table_columns()),
        lines(&remarks, view),
    ]
}

/// The least that a page costs.
pub(super) fn answers(result: &LabResult) -> Vec<String> {
    result.floors.iter().map(|floors| answer(result, floors)).collect()
}

fn find<'a>(floors: &'a Floors, key: &str) -> Option<&'a FloorEstimate> {
    floors.estimates.iter().find(|estimate| estimate.floor == key)
}

/// The answer in one sentence, from the floors that were measured.
fn answer(result: &LabResult, floors: &Floors) -> String {
    let time = |key: &str| find(floors, key).map(|estimate| duration(estimate.ns));
    let page = bytes(result.machine.page_bytes as f64);
    let parts: Vec<String> = [
        time("by_huge_fault").map(|t| format!("{t} as a part of a 2 MiB page")),
        time("by_populate").map(|t| format!("{t} where a call brings it")),
        time("by_fault").map(|t| format!("{t} where it has a fault of its own")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let call = time("syscall").map(|t| format!("a syscall takes {t}"));
    let pages = (!parts.is_empty())
        .then(|| format!("a page of {page}, cleared and written, takes {}", parts.join(", ")));
    let sentence = [pages, call].into_iter().flatten().collect::<Vec<_>>().join("; ");
    let mut letters = sentence.chars();
    letters
        .next()
        .map_or(String::new(), |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

/// The confidence of the floors' intervals.
pub(crate) fn level_of_floors(floors: &Floors) -> String {
    level(floors.estimates.iter().map(|estimate| (estimate.low_ns, estimate.confidence)))
}

/// The confidence of the intervals of sources as multiples of their floors.
pub(crate) fn level_of_sources(floors: &Floors) -> String {
    level(floors.sources.iter().map(|source| (source.low, source.confidence)))
}

/// A row for each valid floor, under a heading for each group.
fn floor_table(result: &LabResult, floors: &Floors, columns: usize) -> String {
    let confidence = format!("[{}]", level_of_floors(floors));
    let mut rows =
        vec![["floor", "median", &confidence, "GB/s"].map(|head| styled(DIM, head)).to_vec()];
    let mut head = None;
    for (key, name) in ROWS {
        if key.is_empty() {
            head = Some(name);
            continue;
        }
        let Some(estimate) = find(floors, key) else { continue };
        if let Some(name) = head.take() {
            let size = if name == "a page" {
                format!(" of {}", bytes(result.machine.page_bytes as f64))
            } else {
                String::new()
            };
            rows.push(vec![
                styled(DIM, &format!("{name}{size}")),
                String::new(),
                String::new(),
                String::new(),
            ]);
        }
        let rate = estimate.bytes_per_second.map_or_else(String::new, |rate| digits(rate / 1e9, 3));
        rows.push(vec![format!("  {name}"), duration(estimate.ns), interval(estimate), rate]);
    }
    table(rows, columns, &[3])
}

/// Bounds in the unit of the median.
fn interval(estimate: &FloorEstimate) -> String {
    let unit = TimeUnit::for_largest(estimate.ns).ns();
    match estimate.low_ns.zip(estimate.high_ns) {
        Some((low, high)) => format!("[{}, {}]", digits(low / unit, 3), digits(high / unit, 3)),
        None => "-".to_owned(),
    }
}

fn source_table(floors: &Floors, columns: usize) -> String {
    if floors.sources.is_empty() {
        return String::new();
    }
    let times = format!("times its floor [{}]", level_of_sources(floors));
    let heads = ["source, a page", "takes", "floor", &times, "its floor is"];
    let mut rows = vec![heads.map(|head| styled(DIM, head)).to_vec()];
    rows.extend(floors.sources.iter().map(|source| {
        vec![
            clean(&source.arm),
            duration(source.measured_ns),
            duration(source.floor_ns),
            ratio(source.ratio, source.low, source.high),
            made_of(source),
        ]
    }));
    table(rows, columns, &[4, 1])
}

fn made_of(source: &SourceFloor) -> String {
    let worth = source.parts.iter().filter(|part| part.ns_per_page >= PART_MIN * source.floor_ns);
    worth.map(|part| clean(&part.name)).collect::<Vec<_>>().join(" + ")
}

/// What the tables mean, and which sources have no floor.
fn meaning(result: &LabResult, floors: &Floors) -> Vec<String> {
    let mut remarks = Vec::new();
    if !floors.sources.is_empty() {
        remarks.push(
            "A source's time is obtaining and first touch. Its floor is the least that the faults \
             counted in its samples can cost, measured in other processes of the same blocks."
                .to_owned(),
        );
    }
    let has_floor = |name: &str| floors.sources.iter().any(|source| source.arm == name);
    let without: Vec<String> = result
        .arms
        .iter()
        .filter(|arm| !has_floor(&arm.name))
        .map(|arm| clean(&arm.name))
        .collect();
    if !without.is_empty() {
        remarks.push(format!(
            "Without a floor, since a part of it is invalid here: {}.",
            without.join(", ")
        ));
    }
    let blocks = floors.estimates.iter().map(|estimate| estimate.blocks).max().unwrap_or(0);
    remarks.push(format!(
        "Medians of {blocks} blocks. In each block every group of floors and every source is a \
         process of its own."
    ));
    remarks
}

/// Sources that are certainly faster than their floors.
fn below_floor(floors: &Floors) -> Vec<String> {
    let below = floors.sources.iter().filter(|source| source.high.is_some_and(|high| high < 1.0));
    let names: Vec<String> = below.map(|source| clean(&source.arm)).collect();
    let remark = format!(
        "Below its floor: {}. A floor is this machine's median, not its best.",
        names.join(", ")
    );
    if names.is_empty() { Vec::new() } else { vec![remark] }
}

/// Floors that could not be measured, and why.
fn missing(floors: &Floors) -> Vec<String> {
    let invalid = floors.invalid.iter();
    let mut remarks: Vec<String> =
        invalid.map(|i| format!("No floor {}: {}.", clean(&i.floor), clean(&i.reason))).collect();
    let failed = floors.failed.iter();
    remarks.extend(failed.map(|reason| format!("Measuring the floors failed: {}.", clean(reason))));
    remarks
}
