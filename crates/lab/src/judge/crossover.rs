//! Crossovers: the sizes or numbers of passes at which an arm becomes faster or slower than the
//! baseline.

use results::{Comparison, Crossover, PassCrossover};

use crate::design::Design;

/// The crossovers of a sweep over sizes, from its comparisons. A crossover is certain if the
/// interval of the ratio is on one side of 1 at one size, and on the other side at a larger size.
/// Its place between the two is only an estimate.
#[must_use]
pub(crate) fn crossovers(design: &Design, comparisons: &[Comparison]) -> Vec<Crossover> {
    if !design.sweeps_sizes() {
        return Vec::new();
    }
    let mut lines = lines(comparisons, |c| (c.threads, c.passes));
    lines.iter_mut().flat_map(|line| of_sizes(line)).collect()
}

/// As [`crossovers`], for a sweep over passes.
#[must_use]
pub(crate) fn pass_crossovers(design: &Design, comparisons: &[Comparison]) -> Vec<PassCrossover> {
    if !design.sweeps_passes() {
        return Vec::new();
    }
    let mut lines = lines(comparisons, |c| (c.threads, Some(c.size_bytes)));
    lines.iter_mut().flat_map(|line| of_passes(line)).collect()
}

/// Comparisons of one arm that differ only in the key that is swept over.
fn lines<K: PartialEq>(
    comparisons: &[Comparison],
    rest: impl Fn(&Comparison) -> K,
) -> Vec<Vec<&Comparison>> {
    let mut lines: Vec<Vec<&Comparison>> = Vec::new();
    for comparison in comparisons {
        let same = |line: &&mut Vec<&Comparison>| {
            line.first()
                .is_some_and(|first| first.arm == comparison.arm && rest(first) == rest(comparison))
        };
        match lines.iter_mut().find(same) {
            Some(line) => line.push(comparison),
            None => lines.push(vec![comparison]),
        }
    }
    lines
}

fn of_sizes(line: &mut [&Comparison]) -> Vec<Crossover> {
    line.sort_by_key(|comparison| comparison.size_bytes);
    let crossover = |(below, above, faster_above): (usize, usize, bool)| {
        let (low, high) = (line[below], line[above]);
        Crossover {
            arm: low.arm.clone(),
            baseline: low.baseline.clone(),
            threads: low.threads,
            passes: low.passes,
            size_bytes: passes_one(&line[below..=above]),
            low_bytes: low.size_bytes,
            high_bytes: high.size_bytes,
            faster_above,
            confidence: low.confidence,
            steps: Vec::new(),
        }
    };
    changes(line).into_iter().map(crossover).collect()
}

fn of_passes(line: &mut [&Comparison]) -> Vec<PassCrossover> {
    line.sort_by_key(|comparison| comparison.passes);
    let crossover = |(below, above, faster_above): (usize, usize, bool)| {
        let (low, high) = (line[below], line[above]);
        PassCrossover {
            arm: low.arm.clone(),
            baseline: low.baseline.clone(),
            size_bytes: low.size_bytes,
            threads: low.threads,
            low_passes: low.passes.unwrap_or(0),
            high_passes: high.passes.unwrap_or(0),
            faster_above,
            confidence: low.confidence,
            steps: Vec::new(),
        }
    };
    changes(line).into_iter().map(crossover).collect()
}

/// Whether the arm is certainly faster (`true`) or slower; `None`: neither is certain.
pub(crate) fn side(low: Option<f64>, high: Option<f64>) -> Option<bool> {
    match (low, high) {
        (Some(low), _) if low > 1.0 => Some(false),
        (_, Some(high)) if high < 1.0 => Some(true),
        _ => None,
    }
}

/// The changes of side in the line of one arm: the two indices between which each is, and whether
/// the arm is faster from there on.
fn changes(line: &[&Comparison]) -> Vec<(usize, usize, bool)> {
    let certain: Vec<(usize, bool)> = line
        .iter()
        .enumerate()
        .filter_map(|(index, c)| Some((index, side(c.low, c.high)?)))
        .collect();
    let pairs = certain.windows(2).filter(|pair| pair[0].1 != pair[1].1);
    pairs.map(|pair| (pair[0].0, pair[1].0, pair[1].1)).collect()
}

/// The place where the line through the estimates first crosses 1, on logarithmic axes.
pub(crate) fn passes_one(line: &[&Comparison]) -> f64 {
    let (size, ratio) =
        (|c: &Comparison| (c.size_bytes as f64).ln(), |c: &Comparison| c.ratio.ln());
    let crossing =
        line.windows(2).find(|pair| ratio(pair[0]) * ratio(pair[1]) <= 0.0).unwrap_or(line);
    let (low, high) = (crossing[0], crossing[crossing.len() - 1]);
    let rise = ratio(high) - ratio(low);
    let share = if rise == 0.0 { 0.5 } else { -ratio(low) / rise };
    (size(low) + share * (size(high) - size(low))).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use results::Verdict;

    fn comparison(size_bytes: u64, low: f64, high: f64) -> Comparison {
        let verdict =
            if low > 1.0 || high < 1.0 { Verdict::Different } else { Verdict::Inconclusive };
        Comparison {
            arm: "populate".to_owned(),
            baseline: "mmap".to_owned(),
            metric: "total_ns".to_owned(),
            size_bytes,
            threads: None,
            passes: None,
            ratio: (low * high).sqrt(),
            low: Some(low),
            high: Some(high),
            confidence: 0.95,
            blocks: 96,
            verdict,
            smallest_detectable: None,
            sensitivity: None,
        }
    }

    fn found(line: &[(u64, f64, f64)]) -> Vec<(u64, u64, bool)> {
        let line: Vec<Comparison> =
            line.iter().map(|&(size, low, high)| comparison(size, low, high)).collect();
        let found = of_sizes(&mut line.iter().collect::<Vec<_>>());
        assert!(
            found
                .iter()
                .all(|c| (c.low_bytes as f64) < c.size_bytes && c.size_bytes < c.high_bytes as f64)
        );
        found.iter().map(|c| (c.low_bytes, c.high_bytes, c.faster_above)).collect()
    }

    #[test]
    fn a_crossover_is_between_certain_points() {
        let slow = (4 << 10, 1.1, 1.2);
        let (open, fast) = ((64 << 10, 0.97, 1.08), (1 << 20, 0.7, 0.8));
        assert_eq!(found(&[slow, open, fast]), [(4 << 10, 1 << 20, true)]);
        assert_eq!(found(&[slow, open]), [], "an unclear ratio has no side");
        assert_eq!(found(&[fast, (2 << 20, 0.7, 0.9)]), []);
        let back = [slow, fast, (4 << 20, 1.3, 1.4)];
        assert_eq!(found(&back), [(4 << 10, 1 << 20, true), (1 << 20, 4 << 20, false)]);
    }

    #[test]
    fn sweeps_over_passes_have_crossovers() {
        let at = |passes, low, high| Comparison {
            passes: Some(passes),
            ..comparison(1 << 20, low, high)
        };
        let line = [at(1, 1.2, 1.4), at(4, 0.8, 0.9), at(2, 0.99, 1.02)];
        let found = of_passes(&mut line.iter().collect::<Vec<_>>());
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].low_passes, found[0].high_passes, found[0].faster_above),
            (1, 4, true)
        );
    }

    #[test]
    fn the_estimate_is_where_the_ratio_is_one() {
        let line = [comparison(1 << 10, 1.9, 2.1), comparison(1 << 20, 0.49, 0.51)];
        let size = of_sizes(&mut line.iter().collect::<Vec<_>>())[0].size_bytes;
        assert!((size.log2() - 15.0).abs() < 0.1, "{size}");
    }
}
