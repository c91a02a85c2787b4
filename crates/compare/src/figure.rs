//! A figure of the program's or its client's own, found in what it prints.

use regex_lite::Regex;

/// What finds the figure: a regular expression with one group.
#[derive(Debug)]
pub(crate) struct FigurePattern(Regex);

impl FigurePattern {
    /// Parses a regular expression.
    ///
    /// # Errors
    /// What is wrong with it, and an example.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let example = "such as 'Requests/sec: *([0-9.]+)'";
        let regex = Regex::new(text).map_err(|error| {
            format!("--figure {text:?} is no regular expression: {error}; write one {example}")
        })?;
        match regex.captures_len() - 1 {
            1 => Ok(FigurePattern(regex)),
            groups => Err(format!(
                "--figure {text:?} has {groups} groups: put parentheses around the number alone, \
                 {example}, and write (?:...) for others"
            )),
        }
    }

    /// The figure in `output`: that of the last match. Commas between thousands are left out.
    ///
    /// # Errors
    /// Why there is none, with the last line of `output`.
    pub(crate) fn find(&self, output: &[u8]) -> Result<f64, String> {
        let text = String::from_utf8_lossy(output);
        let found = self.0.captures_iter(&text).filter_map(|captures| captures.get(1)).last();
        let Some(found) = found.map(|found| found.as_str()) else {
            let last = super::run::last_line(output).map_or_else(
                || "which is empty".to_owned(),
                |line| format!("whose last line is {line:?}"),
            );
            return Err(format!("--figure finds nothing in the output, {last}"));
        };
        let found = found.trim();
        if has_odd_commas(found) {
            return Err(format!(
                "--figure finds {found:?}: commas count as separators of thousands, as in \
                 12,345.6; let the program print a decimal point (LC_ALL=C)"
            ));
        }
        match found.replace(',', "").parse::<f64>() {
            Ok(figure) if figure.is_finite() && figure > 0.0 => Ok(figure),
            _ => Err(format!("--figure finds {found:?}, which is no number above 0")),
        }
    }
}

/// Whether a comma in `number` is no separator of thousands. It may be a decimal comma, and leaving
/// it out would give another number.
fn has_odd_commas(number: &str) -> bool {
    let (whole, rest) = number.split_once('.').unwrap_or((number, ""));
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default().trim_start_matches(['+', '-']);
    let is_group =
        |group: &str| group.len() == 3 && group.bytes().all(|byte| byte.is_ascii_digit());
    let is_grouped = whole.contains(',');
    let is_odd = !(1..=3).contains(&first.len()) || !groups.all(is_group);
    rest.contains(',') || (is_grouped && is_odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_match_counts_and_numbers_have_many_forms() {
        let pattern = FigurePattern::new("rate: *([^ \n]+)").unwrap();
        let of = |text: &str| pattern.find(text.as_bytes());
        assert_eq!(of("rate: 1\nrate:   12,345.5 per s\nend\n"), Ok(12345.5));
        assert_eq!(of("rate: 1.5e3"), Ok(1500.0));
        assert_eq!(of("rate: 1,234,567"), Ok(1_234_567.0));
        let optional = FigurePattern::new("n=([0-9]+)?").unwrap();
        assert_eq!(optional.find(b"n=7 n="), Ok(7.0), "a group that took no part is no match");
        for (text, words) in [
            ("rate: 9,8", "\"9,8\": commas count as separators of thousands"),
            ("rate: 1.234,5", "decimal point"),
            ("rate: ,,,5", "decimal point"),
            ("rate: 1234,567", "decimal point"),
            ("rate: -1", "\"-1\", which is no number above 0"),
            ("rate: 0", "no number above 0"),
            ("rate: inf", "no number above 0"),
            ("rate: NaN", "no number above 0"),
            ("rate: 1e999", "no number above 0"),
            ("rate: fast", "\"fast\""),
            ("a\n nothing here \n\n", "whose last line is \"nothing here\""),
            ("", "which is empty"),
        ] {
            let error = of(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_pattern_has_one_group() {
        for (text, words) in [
            ("rate: [0-9]+", "has 0 groups"),
            ("(a)(b)", "has 2 groups"),
            ("(", "no regular expression"),
        ] {
            let error = FigurePattern::new(text).unwrap_err();
            assert!(error.contains(words) && error.contains("such as"), "{text}: {error}");
        }
        assert!(FigurePattern::new("(?:a|b) ([0-9]+)").is_ok());
    }
}
