//! What differs between the two runs, besides their figures.

use results::diff::Difference;

use crate::number::{bytes, duration, percent};
use crate::text::{BAD, clean, hanging, styled};
use crate::view::View;

/// More differences than this are shown by `-v`.
const SHOWN: usize = 8;

/// A line for each difference.
pub(super) fn lines(differences: &[Difference], view: View) -> String {
    if differences.is_empty() {
        let same = "The files record no difference between the machines and conditions.";
        return hanging("", same, view.width);
    }
    let shown = if view.verbose { differences.len() } else { SHOWN };
    let line =
        |difference: &Difference| hanging(&styled(BAD, "differs  "), &text(difference), view.width);
    let mut text: String = differences.iter().take(shown).map(line).collect();
    match differences.len().saturating_sub(shown) {
        0 => {}
        more => text += &hanging("differs  ", &format!("{more} more, with -v"), view.width),
    }
    text
}

/// `ram: 7.7 GiB -> 15.6 GiB`
fn text(difference: &Difference) -> String {
    let (key, of) = match difference.what.split_once(" of ") {
        Some((key, arms)) => (key, format!(" of {arms}")),
        None => (difference.what.as_str(), String::new()),
    };
    let is_arm = key.starts_with("arm ") && of.is_empty();
    let name = if is_arm { key.to_owned() } else { named(key) };
    let value = |value: &Option<String>| match value {
        Some(value) => shown(key, value),
        None if is_arm => "not in the run".to_owned(),
        None => "not in the file".to_owned(),
    };
    let (old, new) = (value(&difference.old), value(&difference.new));
    clean(&format!("{name}{of}: {old} -> {new}"))
}

/// A key without its unit: `ram`, `free page reporting`.
fn named(key: &str) -> String {
    // An environment variable is named as it is.
    if key.contains('.') {
        return key.to_owned();
    }
    let without = key.strip_suffix("_bytes").or(key.strip_suffix("_ns")).unwrap_or(key);
    without.replace('_', " ")
}

/// A value, or each of several, with the unit of its key.
fn shown(key: &str, value: &str) -> String {
    let number = |text: &str, format: &dyn Fn(f64) -> String| {
        text.parse::<f64>().map_or_else(|_| text.to_owned(), format)
    };
    let one = |text: &str| match key {
        "margin" => number(text, &percent),
        _ if key.ends_with("_bytes") => number(text, &bytes),
        _ if key.ends_with("_ns") => number(text, &duration),
        _ => text.to_owned(),
    };
    value.split(", ").map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_have_units_and_plain_names() {
        for (what, old, new, expect) in [
            ("kernel", Some("6.1"), Some("6.2"), "kernel: 6.1 -> 6.2"),
            ("ram_bytes", Some("1073741824"), None, "ram: 1 GiB -> not in the file"),
            ("sizes_bytes", Some("4096, 65536"), Some("4096"), "sizes: 4 KiB, 64 KiB -> 4 KiB"),
            ("margin", Some("0.03"), Some("0.05"), "margin: 3 % -> 5 %"),
            ("settle_ns", None, Some("2000000"), "settle: not in the file -> 2.00 ms"),
            ("arm a_b", Some("measured"), None, "arm a_b: measured -> not in the run"),
            (
                "one_mapping of a_b",
                Some("false"),
                Some("true"),
                "one mapping of a_b: false -> true",
            ),
            ("environment.A_B of x", None, Some("1"), "environment.A_B of x: not in the file -> 1"),
            ("kernel", Some("\u{1b}[2J"), Some("x"), "kernel: \\u{1b}[2J -> x"),
        ] {
            let of = |value: Option<&str>| value.map(str::to_owned);
            let difference = Difference { what: what.to_owned(), old: of(old), new: of(new) };
            assert_eq!(text(&difference), expect);
        }
    }
}
