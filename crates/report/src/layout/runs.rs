//! What moved over several runs.

use results::layout::{Address, Gaps, Layout, LayoutSummary};

use super::sentence;
use crate::number::bytes;
use crate::table::table;
use crate::view::View;

/// A row for each place that may move, a column for each kind of run.
fn table_of(layout: &Layout) -> Vec<Vec<String>> {
    let with = (layout.summary_without_aslr.is_some()
        || layout.runs.iter().any(|run| run.aslr != Some(false)))
    .then_some(&layout.summary);
    let without =
        layout.summary_without_aslr.as_ref().or(with.is_none().then_some(&layout.summary));
    let mut rows = vec![vec![String::new()]];
    rows.extend(
        [
            "text, start",
            "heap, start",
            "gap bss to heap",
            "mmap area, end",
            "stack, end",
            "vdso, start",
        ]
        .map(|name| vec![name.to_owned()]),
    );
    if let Some(without) = without {
        column(&mut rows, format!("ASLR off, {} runs", without.runs), &places(without));
    }
    if let Some(with) = with {
        column(&mut rows, format!("ASLR on, {} runs", with.runs), &places(with));
    }
    let seen = with.or(without).unwrap_or(&layout.summary).varying_bits;
    let seen = [seen.text, seen.heap, seen.heap_gap, seen.mmap, seen.stack, seen.vdso];
    column(
        &mut rows,
        "bits seen".to_owned(),
        &seen.map(|bits| bits.map_or("-".to_owned(), |bits| bits.to_string())),
    );
    if with.is_some() {
        let set = layout.kernel.configured_bits;
        let number = |bits: Option<u32>| bits.map_or("?".to_owned(), |bits| bits.to_string());
        let heap = match (set.text, set.heap) {
            (Some(0), heap) => number(heap),
            (text, heap) => format!("{}+{}", number(text), number(heap)),
        };
        let set = [
            number(set.text),
            heap,
            number(set.heap_gap),
            number(set.mmap),
            number(set.stack),
            number(set.vdso),
        ];
        column(&mut rows, "kernel".to_owned(), &set);
    }
    rows
}

fn column(rows: &mut [Vec<String>], head: String, cells: &[String; 6]) {
    rows[0].push(head);
    for (row, cell) in rows[1..].iter_mut().zip(cells) {
        row.push(cell.clone());
    }
}

fn places(summary: &LayoutSummary) -> [String; 6] {
    let spans = &summary.spans;
    let gaps = gap_range(&summary.heap_gap_bytes);
    [
        span(spans.text),
        span(spans.heap),
        gaps,
        span(spans.mmap),
        span(spans.stack),
        span(spans.vdso),
    ]
}

fn span(span: Option<(Address, Address)>) -> String {
    match span {
        None => "-".to_owned(),
        Some((low, high)) if low == high => low.to_string(),
        Some((low, high)) => format!("{low}-{high}"),
    }
}

fn gap_range(gaps: &Gaps) -> String {
    match (gaps.min, gaps.max) {
        (Some(0), Some(0)) => "none".to_owned(),
        (Some(min), Some(max)) if min == max => bytes(min as f64),
        (Some(min), Some(max)) => format!("{} - {}", bytes(min as f64), bytes(max as f64)),
        _ => "-".to_owned(),
    }
}

/// The table, and what its columns mean.
pub(super) fn summary(layout: &Layout, view: View) -> String {
    let width = view.width;
    let rows = table_of(layout);
    let has_kernel = rows[0].iter().any(|head| head == "kernel");
    let text = drawn(rows, width);
    if !view.verbose {
        let kernel = if has_kernel { "; kernel: bits that it draws at random" } else { "" };
        let said = format!("bits seen: address bits that differed between the runs{kernel}.");
        return text + &sentence("", &said, width);
    }
    let bits = "Bits seen: address bits that differed between runs; at least as many are random.";
    let kernel = "Kernel: random bits by its settings and source; ? where they are undocumented or \
                  hidden from this user.";
    let kernel = if has_kernel { sentence("", kernel, width) } else { String::new() };
    text + &sentence("", &distinct_gaps(layout), width) + &sentence("", bits, width) + &kernel
}

/// `Gap between bss and heap: ASLR on, 3 MiB - 1,000 MiB, 64 different ones in 64 runs.`
fn distinct_gaps(layout: &Layout) -> String {
    let all = |aslr| layout.runs.iter().all(|run| run.aslr == aslr);
    let main = if all(Some(false)) {
        "ASLR off"
    } else if all(None) {
        "ASLR unknown"
    } else {
        "ASLR on"
    };
    let mut said = vec![gaps(main, &layout.summary)];
    said.extend(layout.summary_without_aslr.as_ref().map(|without| gaps("ASLR off", without)));
    format!("Gap between bss and heap: {}.", said.join("; "))
}

fn drawn(rows: Vec<Vec<String>>, width: Option<usize>) -> String {
    // On a narrow terminal the addresses without ASLR are the least to lose.
    let expendable: &[usize] = if rows[0].len() > 4 { &[1] } else { &[] };
    table(rows, width.unwrap_or(usize::MAX), expendable)
}

fn gaps(name: &str, summary: &LayoutSummary) -> String {
    let gaps = &summary.heap_gap_bytes;
    let runs =
        if summary.runs == 1 { "1 run".to_owned() } else { format!("{} runs", summary.runs) };
    match gaps.distinct {
        0 => format!("{name}, nothing to measure (no heap behind the bss) in {runs}"),
        _ if gaps.max == Some(0) => format!("{name}, none in {runs}"),
        1 => format!("{name}, {}, the same in {runs}", gap_range(gaps)),
        distinct => format!("{name}, {}, {distinct} different ones in {runs}", gap_range(gaps)),
    }
}
