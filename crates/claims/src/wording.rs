//! Figures as text.

use stats::Interval;

/// A whole number in groups of three: `25,600`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An exact size in the largest unit that divides it: `64 KiB`, `131,049 bytes`.
pub(crate) fn bytes(value: u64) -> String {
    let units = [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(unit, _)| value >= *unit && value.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", count(value / unit)),
        None => format!("{} bytes", count(value)),
    }
}

/// A size, rounded: `1.3 MiB`.
pub(crate) fn about(value: u64) -> String {
    let units = [(1_u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(unit, _)| value >= *unit) {
        Some((unit, name)) => {
            let amount = value as f64 / *unit as f64;
            if amount < 9.95 {
                format!("{amount:.1} {name}")
            } else {
                format!("{amount:.0} {name}")
            }
        }
        None => bytes(value),
    }
}

/// `1 page`, `16 pages`.
pub(crate) fn pages(value: u64) -> String {
    if value == 1 { "1 page".to_owned() } else { format!("{} pages", count(value)) }
}

/// A ratio with its interval: `1.02x [0.99, 1.05]`.
pub(crate) fn ratio(ratio: f64, interval: Option<Interval>) -> String {
    match interval {
        Some(Interval { low, high }) => format!("{ratio:.2}x [{low:.2}, {high:.2}]"),
        None => format!("{ratio:.2}x [no interval]"),
    }
}

/// Names in a sentence: `a, b and c`.
pub(crate) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_as_text() {
        assert_eq!([0, 999, 25_600, 1_000_000].map(count), ["0", "999", "25,600", "1,000,000"]);
        assert_eq!(
            [100, 64 << 10, 131_049, 32 << 20].map(bytes),
            ["100 bytes", "64 KiB", "131,049 bytes", "32 MiB"]
        );
        assert_eq!([100, 1_400_000, 33_000_000].map(about), ["100 bytes", "1.3 MiB", "31 MiB"]);
        assert_eq!(ratio(1.016, Some(Interval { low: 0.994, high: 1.05 })), "1.02x [0.99, 1.05]");
        assert_eq!(list(&["a".to_owned(), "b".to_owned(), "c".to_owned()]), "a, b and c");
    }
}
