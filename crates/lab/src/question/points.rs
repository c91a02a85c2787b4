//! The points of a sweep, as users write them: `4KiB,1MiB`, `64KiB..1GiB` (doubling from 64 KiB),
//! `1,2,4`.

use crate::question::quantity::{bytes_text, parse_bytes};

/// Most threads: far more would measure the scheduler.
const THREADS_MAX: u64 = 1024;
/// Most passes: beyond that the first pass does not matter any more.
const PASSES_MAX: u64 = 10_000;

/// Parses one size, several separated by commas, or a range of doublings; the result is ascending.
///
/// # Errors
/// A message that says what is wrong and what would be right.
pub fn parse_sizes(text: &str) -> Result<Vec<u64>, String> {
    let mut sizes = Vec::new();
    for part in text.split(',') {
        match part.split_once("..") {
            Some((low, high)) => sizes.extend(doublings(low, high)?),
            None => sizes.push(parse_bytes(part)?),
        }
    }
    ascending(sizes, |size| format!("the size of {size} bytes"))
}

/// Doubles `low` until `high` is reached.
fn doublings(low: &str, high: &str) -> Result<Vec<u64>, String> {
    let (first, last) = (parse_bytes(low)?, parse_bytes(high.trim_start_matches('='))?);
    let (low, high) = (low.trim(), high.trim());
    if first == last {
        return Err(format!("{low}..{high} is one size: write {low}"));
    }
    if first > last {
        return Err(format!("a range is ascending: write {high}..{low}, not {low}..{high}"));
    }
    let sizes: Vec<u64> = std::iter::successors(Some(first), |size| size.checked_mul(2))
        .take_while(|size| *size <= last)
        .collect();
    match sizes.last() {
        Some(&end) if end != last => Err(format!(
            "doubling {low} does not give {high}: end at {}, or list the sizes",
            bytes_text(end)
        )),
        _ => Ok(sizes),
    }
}

/// Parses numbers of threads.
///
/// # Errors
/// A message that says what is wrong and what would be right.
pub fn parse_threads(text: &str) -> Result<Vec<u64>, String> {
    counts(text, "threads", THREADS_MAX)
}

/// Parses numbers of passes.
///
/// # Errors
/// A message that says what is wrong and what would be right.
pub fn parse_passes(text: &str) -> Result<Vec<u32>, String> {
    let passes = counts(text, "passes", PASSES_MAX)?;
    Ok(passes.into_iter().filter_map(|n| u32::try_from(n).ok()).collect())
}

/// Parses numbers of `what`, separated by commas.
fn counts(text: &str, what: &str, most: u64) -> Result<Vec<u64>, String> {
    let number = |part: &str| match part.trim().parse::<u64>() {
        Ok(0) => Err(format!("0 {what} would do nothing: give at least 1")),
        Ok(n) if n > most => Err(format!("{n} {what} are too many: give at most {most}")),
        Ok(n) => Ok(n),
        Err(_) => Err(format!("{part:?} is not a number of {what}: write 2, or 1,2,4")),
    };
    let numbers = text.split(',').map(number).collect::<Result<Vec<u64>, String>>()?;
    ascending(numbers, |n| format!("{n} {what}"))
}

/// Sorts `values`. A duplicate is a mistake, since it would be tested twice.
///
/// # Errors
/// The duplicate value, as described by `name`.
pub fn ascending(mut values: Vec<u64>, name: impl Fn(u64) -> String) -> Result<Vec<u64>, String> {
    values.sort_unstable();
    match values.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!(
            "{} is given twice: give each once, since every block measures each point",
            name(pair[0])
        )),
        None => Ok(values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ranges() {
        for (text, expect) in [
            ("4KiB", vec![4096]),
            ("1MiB, 4KiB", vec![4096, 1 << 20]),
            ("64KiB..256KiB", vec![65_536, 131_072, 262_144]),
            ("3KiB..6KiB", vec![3072, 6144]),
            ("4KiB,64KiB..128KiB,1GiB", vec![4096, 65_536, 131_072, 1 << 30]),
        ] {
            assert_eq!(parse_sizes(text), Ok(expect), "{text}");
        }
        for (text, hint) in [
            ("4KiB,4096", "twice"),
            ("1GiB..64KiB", "64KiB..1GiB"),
            ("4KiB..4KiB", "one size"),
            ("4KiB..100KiB", "end at 64KiB"),
            ("4KiB,", "not a size"),
            ("..4KiB", "not a size"),
            ("1KiB...2KiB", "not a size"),
            ("64KiB..1MiB,128KiB", "131072 bytes is given twice"),
        ] {
            let error = parse_sizes(text).unwrap_err();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }

    #[test]
    fn threads_are_counted_from_one() {
        assert_eq!(parse_threads("4,1, 2"), Ok(vec![1, 2, 4]));
        for text in ["0", "1,1", "x", "", "100000", "-1"] {
            assert!(parse_threads(text).is_err(), "{text}");
        }
    }
}
