//! Ranges as users write them: `1.5s..2s`, `..200ms`, `4KiB..1MiB`.

use std::ops::{Range, RangeInclusive};

use lab::question::quantity::parse_bytes;

/// The units of time, with their nanoseconds. A minute is `m`.
const UNITS: [(&str, f64); 7] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 6e10), ("h", 3.6e12)];

/// A time of a recording, from its start: from the first bound until before the second.
pub(super) fn parse_times(text: &str) -> Result<Range<u64>, String> {
    let (from, until) = bounds(text).ok_or_else(|| {
        format!("{text:?} is not a time from .. until: write 1.5s..2s, ..200ms or 2s..")
    })?;
    let from_ns = from.map_or(Ok(0), parse_time)?;
    let until_ns = until.map_or(Ok(u64::MAX), parse_time)?;
    if from_ns >= until_ns {
        return Err(format!("no time is in {text}: it has to end after it begins"));
    }
    Ok(from_ns..until_ns)
}

/// The sizes that calls ask for, both bounds included; a size alone is that size.
pub(super) fn parse_sizes(text: &str) -> Result<RangeInclusive<u64>, String> {
    let size = |text: &str| if text == "0" { Ok(0) } else { parse_bytes(text) };
    if !text.contains("..") {
        return size(text).map(|bytes| bytes..=bytes);
    }
    let (min, max) = bounds(text).ok_or_else(|| {
        format!("{text:?} is not a range of sizes: write 4KiB..1MiB, ..512 or 1MiB..")
    })?;
    let min_bytes = min.map_or(Ok(0), size)?;
    let max_bytes = max.map_or(Ok(u64::MAX), size)?;
    if min_bytes > max_bytes {
        return Err(format!("no size is in {text}: a range is ascending"));
    }
    Ok(min_bytes..=max_bytes)
}

/// The two sides of a range, of which one may be missing; `None`: both are, or it is no range.
fn bounds(text: &str) -> Option<(Option<&str>, Option<&str>)> {
    let (low, high) = text.split_once("..")?;
    let (low, high) = (Some(low.trim()), Some(high.trim()));
    let (low, high) = (low.filter(|low| !low.is_empty()), high.filter(|high| !high.is_empty()));
    (low.is_some() || high.is_some()).then_some((low, high))
}

/// A time in nanoseconds.
fn parse_time(text: &str) -> Result<u64, String> {
    let wrong =
        || format!("{text:?} is not a time: write a number and a unit, such as 1.5s or 200ms");
    let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..unit], text[unit..].trim());
    let value: f64 = number.parse().map_err(|_| wrong())?;
    let scale = match unit {
        // Nothing is nothing in any unit.
        "" if value == 0.0 => 0.0,
        "" => return Err(format!("{text:?} lacks a unit: write {text}s or {text}ms")),
        unit => UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1,
    };
    let ns = value * scale;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "digits have no sign, and the cast saturates"
    )]
    let ns = ns.round() as u64;
    Ok(ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, expect) in [
            ("1.5s..2s", 1_500_000_000..2_000_000_000),
            ("..200ms", 0..200_000_000),
            ("2s..", 2_000_000_000..u64::MAX),
            ("0..5us", 0..5_000),
            ("7ns .. 1m", 7..60_000_000_000),
            ("1h..", 3_600_000_000_000..u64::MAX),
        ] {
            assert_eq!(parse_times(text), Ok(expect), "{text}");
        }
        for (text, part) in [
            ("..", "is not a time from .. until"),
            ("2s", "is not a time from .. until"),
            ("2s..1s", "it has to end after it begins"),
            ("1s..1s", "it has to end after it begins"),
            ("2..3s", "lacks a unit"),
            ("2s..x", "is not a time: "),
            ("-1s..", "is not a time: "),
            ("1.2.3s..", "is not a time: "),
            ("1parsec..", "is not a time: "),
            ("..0", "it has to end after"),
        ] {
            let error = parse_times(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn sizes() {
        for (text, expect) in [
            ("4KiB..1MiB", 4096..=1 << 20),
            ("..512", 0..=512),
            ("1MiB..", 1 << 20..=u64::MAX),
            ("0..16", 0..=16),
            ("0", 0..=0),
            ("100", 100..=100),
            ("24..24", 24..=24),
        ] {
            assert_eq!(parse_sizes(text), Ok(expect), "{text}");
        }
        for (text, part) in [
            ("..", "is not a range of sizes"),
            ("1MiB..4KiB", "a range is ascending"),
            ("x..4KiB", "is not a size"),
            ("", "is not a size"),
        ] {
            let error = parse_sizes(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
