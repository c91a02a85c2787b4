//! What the mappings take besides resident memory, beside the limits; and, near a limit, what ends
//! there.

use results::layout::LayoutRun;

use super::sentence;
use crate::number::{bytes, count};
use crate::text::{BAD, hanging, styled};

/// From this share of a limit on, it is near.
const NEAR: f64 = 0.9;
/// Page tables take a 512th of resident memory if it is dense. From this share on, and this size,
/// they are worth a sentence.
const LARGE_TABLES: f64 = 0.1;
const LARGE_TABLES_BYTES: u64 = 16 << 20;

/// The figures are those of the process in the line above.
const INDENT: &str = "    ";

/// One figure, and what to know about it if it is near its limit.
struct Figure {
    text: String,
    warning: Option<String>,
}

/// The line of the figures, and a note for each one that is near its limit.
pub(super) fn lines(run: &LayoutRun, width: Option<usize>) -> String {
    let figures = [page_tables(run), Some(accounted(run)), mappings(run), address_space(run)];
    let figures: Vec<Figure> = figures.into_iter().flatten().collect();
    let text = |figure: &Figure| {
        // A line ends between figures only.
        let text = figure.text.replace(' ', "\u{a0}");
        if figure.warning.is_some() { styled(BAD, &text) } else { text }
    };
    let line = figures.iter().map(text).collect::<Vec<_>>().join(", ");
    let line = hanging(INDENT, &line, width).replace('\u{a0}', " ");
    let notes = figures.iter().filter_map(|figure| figure.warning.as_deref());
    line + &notes.map(|note| sentence(&styled(BAD, "note "), note, width)).collect::<String>()
}

fn page_tables(run: &LayoutRun) -> Option<Figure> {
    let tables = run.cost.page_tables_bytes?;
    let size = bytes(tables as f64);
    let large =
        tables >= LARGE_TABLES_BYTES && tables as f64 >= LARGE_TABLES * run.resident_bytes() as f64;
    let warning = large.then(|| {
        format!(
            "{size} of page tables are in no resident size: a page touched alone in its 2 MiB \
             costs a table of 4 KiB; a table stays until its 2 MiB are unmapped"
        )
    });
    Some(Figure { text: format!("page tables {size}"), warning })
}

fn accounted(run: &LayoutRun) -> Figure {
    let Some(accounted) = run.cost.accounted_bytes else {
        return Figure { text: "accounted not read".to_owned(), warning: None };
    };
    let size = bytes(accounted as f64);
    let left = run.cost.commit_left_bytes.filter(|left| is_near(accounted, *left));
    let warning = left.map(|left| {
        format!(
            "accounted {size}, and {} can still be committed on this machine \
             (vm.overcommit_memory 2): fork accounts it again, resident or not, and fails with \
             ENOMEM when that does not fit",
            bytes(left as f64)
        )
    });
    Figure { text: format!("accounted {size}"), warning }
}

fn mappings(run: &LayoutRun) -> Option<Figure> {
    let mappings = run.cost.mappings;
    let number = count(mappings as f64);
    let Some(most) = run.cost.mappings_max else {
        let text = if mappings == 1 { "1 mapping".to_owned() } else { number + " mappings" };
        return (mappings > 0).then_some(Figure { text, warning: None });
    };
    let text = format!("{number} of {} mappings", count(most as f64));
    let warning = is_near(mappings, most).then(|| {
        format!(
            "{text}: at the limit (vm.max_map_count) mmap fails with ENOMEM, and so do munmap and \
             mprotect of a part of a mapping, while memory is free"
        )
    });
    Some(Figure { text, warning })
}

fn address_space(run: &LayoutRun) -> Option<Figure> {
    let size = run.cost.address_space_bytes?;
    let Some(most) = run.cost.address_space_max_bytes else {
        return Some(Figure { text: "address space unlimited".to_owned(), warning: None });
    };
    let text = format!("address space {} of {}", bytes(size as f64), bytes(most as f64));
    let warning = is_near(size, most).then(|| {
        format!(
            "{text}: beyond the limit (RLIMIT_AS, ulimit -v) mmap and brk fail with ENOMEM; \
             reservations count in full"
        )
    });
    Some(Figure { text, warning })
}

fn is_near(value: u64, limit: u64) -> bool {
    value as f64 >= NEAR * limit as f64
}
