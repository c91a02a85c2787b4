//! Numbers for people: units, digits, groups of thousands.

/// Bytes with a binary unit: `100 MiB`, `1.5 GiB`, `12 B`.
#[must_use]
pub fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{} {}", trimmed(value, 3), UNITS[unit])
}

/// A time with its own unit: `1.98 us`, `41 s`.
#[must_use]
pub fn duration(ns: f64) -> String {
    let unit = TimeUnit::for_largest(ns);
    format!("{} {}", digits(ns / unit.ns(), 3), unit.name())
}

/// A time with its own unit, as [`duration`] formats it, but from whole numbers: a trace prints
/// millions of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nanoseconds(pub(crate) u64);

impl std::fmt::Display for Nanoseconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (unit, name) = match self.0 {
            0 => return f.write_str("0 ns"),
            1..1_000 => (1, "ns"),
            1_000..1_000_000 => (1_000, "us"),
            1_000_000..10_000_000_000 => (1_000_000, "ms"),
            _ => (1_000_000_000, "s"),
        };
        let (tenths, decimals) = match self.0 / unit {
            0..10 => (100, 2),
            10..100 => (10, 1),
            _ => (1, 0),
        };
        let scaled = (u128::from(self.0) * tenths + u128::from(unit) / 2) / u128::from(unit);
        let (whole, fraction) = (scaled / tenths, scaled % tenths);
        match decimals {
            0 if whole >= 1000 => write!(f, "{} {name}", grouped(&whole.to_string())),
            0 => write!(f, "{whole} {name}"),
            _ => write!(f, "{whole}.{fraction:0decimals$} {name}"),
        }
    }
}

/// A range of times in one unit: `1.1-1.4 us`.
pub(crate) fn duration_range(low_ns: f64, high_ns: f64) -> String {
    let unit = TimeUnit::for_largest(high_ns);
    format!("{}-{} {}", digits(low_ns / unit.ns(), 2), digits(high_ns / unit.ns(), 2), unit.name())
}

/// The unit of a column of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeUnit {
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
}

impl TimeUnit {
    /// The unit in which the largest of a column has one to four digits before the point.
    pub(crate) fn for_largest(ns: f64) -> Self {
        match ns {
            ns if ns < 1e3 => TimeUnit::Nanoseconds,
            ns if ns < 1e6 => TimeUnit::Microseconds,
            ns if ns < 1e10 => TimeUnit::Milliseconds,
            _ => TimeUnit::Seconds,
        }
    }

    pub(crate) fn ns(self) -> f64 {
        match self {
            TimeUnit::Nanoseconds => 1.0,
            TimeUnit::Microseconds => 1e3,
            TimeUnit::Milliseconds => 1e6,
            TimeUnit::Seconds => 1e9,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            TimeUnit::Nanoseconds => "ns",
            TimeUnit::Microseconds => "us",
            TimeUnit::Milliseconds => "ms",
            TimeUnit::Seconds => "s",
        }
    }
}

/// A number that no column holds in full is shown by its magnitude.
const FULL_MAX: f64 = 1e12;

/// `value` with so many `decimals`; by its magnitude where it is huge: `1.2e15`.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    if value.is_nan() {
        return "?".to_owned();
    }
    if value.abs() < FULL_MAX { format!("{value:.decimals$}") } else { format!("{value:.1e}") }
}

/// `value` with `significant` digits, at most three of them behind the point, thousands grouped.
pub(crate) fn digits(value: f64, significant: i32) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".to_owned() } else { "?".to_owned() };
    }
    if value.abs() >= FULL_MAX {
        return fixed(value, 0);
    }
    let magnitude = f64::floor(value.abs().log10());
    #[expect(clippy::cast_possible_truncation, reason = "a logarithm, then clamped")]
    let decimals = (significant - 1 - magnitude as i32).clamp(0, 3);
    let text = format!("{value:.*}", usize::try_from(decimals).expect("clamped at 0"));
    if text.trim_start_matches('-').chars().all(|c| c == '0' || c == '.') {
        return "<0.001".to_owned();
    }
    grouped(&text)
}

/// As [`digits`], without zeros at the end of a fraction.
fn trimmed(value: f64, significant: i32) -> String {
    let text = digits(value, significant);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A count, thousands grouped; an average below 10 keeps its fraction.
pub(crate) fn count(value: f64) -> String {
    if value < 10.0 && value.fract() != 0.0 { digits(value, 2) } else { grouped(&fixed(value, 0)) }
}

/// A count of something, thousands grouped: `25,600`.
#[must_use]
pub fn whole(number: u64) -> String {
    count(number as f64)
}

/// An estimated count without digits that it does not have: the first three.
pub(crate) fn rounded(number: u64) -> u64 {
    let scale = 10_u64.pow(number.max(1).ilog10().saturating_sub(2));
    (number / scale).saturating_add(u64::from(number % scale >= scale.div_ceil(2))) * scale
}

/// A count with its noun.
pub(crate) fn several(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", whole(number), if number == 1 { one } else { many })
}

/// A share as a percentage, never rounded to all or nothing when it is neither.
pub(crate) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    let near_all = percent > 99.0 && percent < 100.0;
    let near_none = percent > 0.0 && percent < 1.0;
    match percent {
        p if p > 99.99 && p < 100.0 => ">99.99 %".to_owned(),
        p if p > 0.0 && p < 0.01 => "<0.01 %".to_owned(),
        p if p > 99.9 && near_all => format!("{p:.2} %"),
        p if near_none && p < 0.1 => format!("{p:.2} %"),
        p if near_all || near_none => format!("{p:.1} %"),
        p => format!("{} %", fixed(p, 0)),
    }
}

/// The decimals that an interval of that width supports, but enough of them that a bound other than
/// 1 does not read 1, and one other than 0 does not read 0.
pub(crate) fn decimals_for(low: f64, high: f64) -> usize {
    let half = (high - low) / 2.0;
    let excludes_one = low > 1.0 || high < 1.0;
    let reads_one = |decimals: usize| {
        let one = format!("{:.decimals$}", 1.0);
        [low, high].iter().any(|bound| format!("{bound:.decimals$}") == one)
    };
    let reads_nothing = |decimals: usize| {
        low > 0.0 && format!("{low:.decimals$}").trim_matches(['0', '.']).is_empty()
    };
    [(2, 0.01), (3, 0.001)]
        .into_iter()
        .find(|&(decimals, step)| {
            (half >= step || half <= 0.0)
                && !(excludes_one && reads_one(decimals))
                && !reads_nothing(decimals)
        })
        .map_or(4, |(decimals, _)| decimals)
}

/// Groups the digits before the point by thousands.
fn grouped(number: &str) -> String {
    let (whole, fraction) = number.split_once('.').map_or((number, None), |(w, f)| (w, Some(f)));
    let mut out = String::new();
    for (i, digit) in whole.chars().enumerate() {
        let left = whole.len() - i;
        if i > 0 && left % 3 == 0 && digit.is_ascii_digit() && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    fraction.map_or(out.clone(), |fraction| format!("{out}.{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_whole_numbers_read_as_others_do() {
        for ns in (0..2000).chain(
            (3..60).flat_map(|power| [1_u64 << power, (1 << power) + 17, 3 * (1 << power) + 1]),
        ) {
            // A half is rounded up here; a float may be on either side of it.
            if ns < 1000 || ns % 5 != 0 {
                assert_eq!(Nanoseconds(ns).to_string(), duration(ns as f64), "{ns}");
            }
        }
    }

    #[test]
    fn sizes_and_times() {
        for (value, expect) in [
            (1.0, "1 B"),
            (4096.0, "4 KiB"),
            (104_857_600.0, "100 MiB"),
            (1.5 * 1024.0, "1.5 KiB"),
            (1000.0, "1,000 B"),
            (2_147_483_648.0, "2 GiB"),
        ] {
            assert_eq!(bytes(value), expect);
        }
        for (value, expect) in [
            (12.3, "12.3 ns"),
            (1980.0, "1.98 us"),
            (54.6e6, "54.6 ms"),
            (41e9, "41.0 s"),
            (1118e6, "1,118 ms"),
        ] {
            assert_eq!(duration(value), expect);
        }
    }

    #[test]
    fn digits_keep_what_matters() {
        for (value, expect) in [
            (0.0, "0"),
            (0.0061, "0.006"),
            (0.0001, "<0.001"),
            (54.62, "54.6"),
            (1118.4, "1,118"),
            (1_234_567.0, "1,234,567"),
            (-1234.0, "-1,234"),
        ] {
            assert_eq!(digits(value, 3), expect, "{value}");
        }
        assert_eq!(digits(f64::NAN, 3), "?");
        for text in [digits(1e300, 3), count(1e300), percent(1e300), bytes(1e300), duration(1e300)]
        {
            assert!(text.contains('e') && text.len() < 16, "{text}");
        }
        assert_eq!(fixed(1.26e15, 2), "1.3e15");
        assert_eq!(count(25_600.0), "25,600");
        assert_eq!(count(1.5), "1.5");
    }

    #[test]
    fn shares_are_never_rounded_to_all_or_nothing() {
        for (share, expect) in [
            (0.0, "0 %"),
            (1.0, "100 %"),
            (0.5, "50 %"),
            (0.999_5, "99.95 %"),
            (0.999_99, ">99.99 %"),
            (0.004, "0.4 %"),
            (0.000_01, "<0.01 %"),
            (0.995, "99.5 %"),
            (0.000_5, "0.05 %"),
        ] {
            assert_eq!(percent(share), expect, "{share}");
        }
    }

    #[test]
    fn the_interval_decides_the_decimals() {
        for (low, high, expect) in [
            (0.98, 1.01, 2),
            (0.995, 1.004, 3),
            (0.5, 2.0, 2),
            (0.020_1, 0.020_3, 4),
            (1.0, 1.0, 2),
            (1.004, 1.027, 3),
            (0.996, 1.027, 2),
            (0.003, 0.071, 3),
            (0.000_4, 0.071, 4),
        ] {
            assert_eq!(decimals_for(low, high), expect, "[{low}, {high}]");
        }
    }
}
