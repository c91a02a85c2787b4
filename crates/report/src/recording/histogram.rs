//! Histograms as lines of text.

use crate::number::whole;

/// The columns of the longest bar.
const BAR: usize = 24;
/// Steps that are not there are said to be none up to so many in a row, and then left out.
const EMPTY: u32 = 2;

/// A step of a histogram, from a power of two (or zero) to less than twice that.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) from: u64,
    pub(super) count: u64,
}

/// A line for each step behind `indent`: where it begins, as `name` says it, a bar, and its count.
pub(super) fn histogram(indent: &str, steps: &[Step], name: impl Fn(u64) -> String) -> String {
    let steps = with_empty_ones(steps);
    let counts = || steps.iter().flatten().map(|step| step.count);
    let most = counts().max().unwrap_or(0).max(1);
    let names: Vec<String> =
        steps.iter().map(|step| step.map_or("...".to_owned(), |step| name(step.from))).collect();
    let widest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let digits = counts().map(|count| whole(count).len()).max().unwrap_or(0);
    let line = |(step, name): (&Option<Step>, &String)| {
        let Some(step) = step else { return format!("{indent}{name:>widest$}\n") };
        let bar = "#".repeat(columns(step.count, most));
        let line = format!("{indent}{name:>widest$}  {:>digits$}  {bar}", whole(step.count));
        line.trim_end().to_owned() + "\n"
    };
    steps.iter().zip(&names).map(line).collect()
}

/// The columns of a bar. One that is not zero has at least one.
fn columns(count: u64, most: u64) -> usize {
    let columns = (u128::from(count) * BAR as u128).div_ceil(u128::from(most));
    usize::try_from(columns).unwrap_or(BAR).min(BAR)
}

/// The steps with those between them that have nothing; `None` stands for many of those.
fn with_empty_ones(steps: &[Step]) -> Vec<Option<Step>> {
    let mut all: Vec<Option<Step>> = Vec::new();
    let mut last: Option<u64> = None;
    for &step in steps {
        if let Some(last) = last {
            let missing = between(last, step.from);
            match missing {
                0..=EMPTY => all.extend(
                    (1..=missing).map(|power| Some(Step { from: last << power, count: 0 })),
                ),
                _ => all.push(None),
            }
        }
        last = Some(step.from);
        all.push(Some(step));
    }
    all
}

/// The powers of two between two of them. Zero is next to one.
fn between(low: u64, high: u64) -> u32 {
    if low == 0 {
        return if high > 1 { EMPTY + 1 } else { 0 };
    }
    high.max(1).ilog2().saturating_sub(low.ilog2() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_seen() {
        let steps = [(0, 1), (16, 200), (64, 1), (4096, 50)];
        let steps = steps.map(|(from, count)| Step { from, count });
        let text = histogram("  ", &steps, |from| from.to_string());
        let expected = "     0    1  #
   ...
    16  200  ########################
    32    0
    64    1  #
   ...
  4096   50  ######
";
        assert_eq!(text, expected);
        assert_eq!(histogram("", &[], |from| from.to_string()), "");
    }
}
