//! Sizes, durations and shares as users write them.

use std::time::Duration;

/// Parses `100MiB`, `4k`, `1.5 GiB`, `4096`. Binary units (`K`, `Ki`, `KiB` are 1,024) and decimal
/// ones (`KB` is 1,000) as in coreutils, case-insensitive.
///
/// # Errors
/// A message that says what is wrong and what would be right.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let value = number.parse::<f64>().ok().filter(|_| starts_with_digit(number));
    let value = value.ok_or_else(|| {
        format!("{text:?} is not a size: write a number and a unit, such as 100MiB or 4KiB")
    })?;
    let scale = scale_of(unit).ok_or_else(|| {
        format!(
            "{unit:?} is not a unit of size: use B, KiB, MiB, GiB or TiB (or KB, MB, GB, TB \
                 for powers of 1,000)"
        )
    })?;
    let bytes = value * scale;
    if bytes >= u64::MAX as f64 {
        return Err(format!("{text} is larger than any address space"));
    }
    if bytes.fract() != 0.0 {
        return Err(format!("{text} is {bytes} bytes: a size is a whole number of bytes"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, positive and in range, by the checks above"
    )]
    let bytes = bytes as u64;
    if bytes == 0 {
        Err("a size of 0 bytes leaves nothing to touch: the smallest is 1".to_owned())
    } else {
        Ok(bytes)
    }
}

fn scale_of(unit: &str) -> Option<f64> {
    let unit = unit.to_ascii_lowercase();
    let power =
        |letter: Option<char>| "kmgt".find(letter?).map(|i| i32::try_from(i).expect("below 4") + 1);
    match unit.as_str() {
        "" | "b" => Some(1.0),
        _ => {
            let mut letters = unit.chars();
            let power = power(letters.next())?;
            match letters.as_str() {
                "" | "i" | "ib" => Some(1024_f64.powi(power)),
                "b" => Some(1000_f64.powi(power)),
                _ => None,
            }
        }
    }
}

/// `bytes` in the form of [`parse_bytes`]: `64KiB`, `100MiB`, `5000B`.
#[must_use]
pub fn bytes_text(bytes: u64) -> String {
    let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = units.into_iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{bytes}B"), |(unit, name)| format!("{}{name}", bytes / unit))
}

/// Parses `60s`, `2m`, `1.5min`, `500ms`, `1h`.
///
/// # Errors
/// A message that says what is wrong and what would be right.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "{text:?} is not a duration: write a number and a unit, such as 60s, 2m or \
                    500ms"
        )
    };
    let (number, unit) = split(text);
    let value: f64 = number.parse().ok().filter(|_| starts_with_digit(number)).ok_or_else(wrong)?;
    let seconds = match unit {
        "ms" => 1e-3,
        "s" | "sec" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "" => return Err(format!("{text:?} lacks a unit: write {text}s, or {text}m for minutes")),
        _ => return Err(wrong()),
    };
    Duration::try_from_secs_f64(value * seconds)
        .ok()
        .filter(|d| !d.is_zero())
        .ok_or_else(|| format!("{text} leaves no time to measure: give more than 0"))
}

/// Parses a share: `3%` or `0.03`. More than 0 and at most 1.
///
/// # Errors
/// A message that says what is wrong and what would be right.
pub fn parse_share(text: &str) -> Result<f64, String> {
    let wrong = || {
        format!(
            "{text:?} is not a share: write a percentage, such as 3%, or a fraction, such \
                    as 0.03"
        )
    };
    let (number, unit) = split(text);
    let value: f64 = number.parse().ok().filter(|_| starts_with_digit(number)).ok_or_else(wrong)?;
    let share = match unit {
        "%" => value / 100.0,
        "" => value,
        _ => return Err(wrong()),
    };
    if share > 0.0 && share <= 1.0 {
        Ok(share)
    } else if unit.is_empty() && share > 1.0 {
        Err(format!("{text} is more than 1: did you mean {text}%?"))
    } else {
        Err(format!("{text} is out of range: give more than 0% and at most 100%"))
    }
}

/// Splits a number and the unit after it; spaces between them are allowed.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (text[..unit].trim_end(), text[unit..].trim_start())
}

/// Rust parses "inf" and "nan" as numbers; a size must start with a digit.
fn starts_with_digit(number: &str) -> bool {
    number.starts_with(|c: char| c.is_ascii_digit())
}

/// `bytes` in prose: `2 MiB`.
#[must_use]
pub fn bytes_phrase(bytes: u64) -> String {
    let text = bytes_text(bytes);
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if unit.is_empty() { format!("{number} bytes") } else { format!("{number} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_parsed() {
        for (text, bytes) in [
            ("1", 1),
            ("4096", 4096),
            ("1B", 1),
            ("4KiB", 4096),
            ("4k", 4096),
            ("100MiB", 100 << 20),
            ("1.5 GiB", 3 << 29),
            ("2GiB", 2 << 30),
            ("999TiB", 999 << 40),
            (" 8 MiB ", 8 << 20),
            ("1KB", 1000),
            ("100mb", 100_000_000),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn invalid_sizes_are_explained() {
        for (text, hint) in [
            ("", "100MiB"),
            ("0", "smallest is 1"),
            ("0MiB", "smallest is 1"),
            ("-5", "not a size"),
            ("10 bananas", "bananas"),
            ("1.5", "whole number"),
            ("nan", "not a size"),
            ("inf", "not a size"),
            ("1e9", "e9"),
            ("99999999999999999999", "address space"),
            ("1.2.3", "not a size"),
            (".5KiB", "not a size"),
            ("１MiB", "not a size"),
        ] {
            let error = parse_bytes(text).unwrap_err();
            assert!(error.contains(hint), "{text:?}: {error}");
        }
    }

    #[test]
    fn durations_and_shares() {
        assert_eq!(parse_duration("60s"), Ok(Duration::from_mins(1)));
        assert_eq!(parse_duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        for text in ["60", "0s", "-1s", "soon", "1e400s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert_eq!(parse_share("3%"), Ok(0.03));
        assert_eq!(parse_share("0.03"), Ok(0.03));
        assert!(parse_share("3").unwrap_err().contains("3%"));
        for text in ["0", "-3%", "101%", "x"] {
            assert!(parse_share(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn sizes_come_back(bytes in 1_u64..1 << 50) {
            prop_assert_eq!(parse_bytes(&bytes_text(bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = (parse_bytes(&text), parse_duration(&text), parse_share(&text));
        }
    }
}
