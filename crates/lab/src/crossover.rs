//! Where an arm and the baseline change places on the way from small blocks to large ones.

use results::{Comparison, Crossover};

use crate::design::Design;

/// The crossovers of a sweep over sizes, from its comparisons. A crossover is certain: the interval of the ratio lies on
/// one side of 1 at one size, and on the other side at a larger one. Where between the two it is, only estimates say.
#[must_use]
pub fn crossovers(design: &Design, comparisons: &[Comparison]) -> Vec<Crossover> {
    if !design.sweeps_sizes() {
        return Vec::new();
    }
    let mut lines: Vec<Vec<&Comparison>> = Vec::new();
    for comparison in comparisons {
        let same = |line: &&mut Vec<&Comparison>| {
            line.first().is_some_and(|first| first.arm == comparison.arm && first.threads == comparison.threads)
        };
        match lines.iter_mut().find(same) {
            Some(line) => line.push(comparison),
            None => lines.push(vec![comparison]),
        }
    }
    lines.iter_mut().flat_map(|line| of_line(line)).collect()
}

/// Of one arm, over its sizes.
fn of_line(line: &mut [&Comparison]) -> Vec<Crossover> {
    line.sort_by_key(|comparison| comparison.size_bytes);
    let side = |comparison: &Comparison| match (comparison.low, comparison.high) {
        (Some(low), _) if low > 1.0 => Some(false),
        (_, Some(high)) if high < 1.0 => Some(true),
        _ => None,
    };
    let certain: Vec<(usize, bool)> =
        line.iter().enumerate().filter_map(|(index, comparison)| Some((index, side(comparison)?))).collect();
    let changes = certain.windows(2).filter(|pair| pair[0].1 != pair[1].1);
    changes
        .map(|pair| {
            let (below, above) = (pair[0].0, pair[1].0);
            let (low, high) = (line[below], line[above]);
            Crossover {
                arm: low.arm.clone(),
                baseline: low.baseline.clone(),
                threads: low.threads,
                size_bytes: passes_one(&line[below..=above]),
                low_bytes: low.size_bytes,
                high_bytes: high.size_bytes,
                faster_above: pair[1].1,
                confidence: low.confidence,
            }
        })
        .collect()
}

/// Where the line through the estimates first passes 1, logarithms on both axes.
fn passes_one(line: &[&Comparison]) -> f64 {
    let (size, ratio) = (|c: &Comparison| (c.size_bytes as f64).ln(), |c: &Comparison| c.ratio.ln());
    let crossing = line.windows(2).find(|pair| ratio(pair[0]) * ratio(pair[1]) <= 0.0).unwrap_or(line);
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
        let verdict = if low > 1.0 || high < 1.0 { Verdict::Different } else { Verdict::Inconclusive };
        Comparison {
            arm: "populate".to_owned(),
            baseline: "mmap".to_owned(),
            metric: "total_ns".to_owned(),
            size_bytes,
            threads: None,
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
        let line: Vec<Comparison> = line.iter().map(|&(size, low, high)| comparison(size, low, high)).collect();
        let found = of_line(&mut line.iter().collect::<Vec<_>>());
        assert!(found.iter().all(|c| (c.low_bytes as f64) < c.size_bytes && c.size_bytes < c.high_bytes as f64));
        found.iter().map(|c| (c.low_bytes, c.high_bytes, c.faster_above)).collect()
    }

    #[test]
    fn a_crossover_lies_between_what_is_certain() {
        let slow = (4 << 10, 1.1, 1.2);
        let (open, fast) = ((64 << 10, 0.97, 1.08), (1 << 20, 0.7, 0.8));
        assert_eq!(found(&[slow, open, fast]), [(4 << 10, 1 << 20, true)]);
        assert_eq!(found(&[slow, open]), [], "an unclear ratio is on no side");
        assert_eq!(found(&[fast, (2 << 20, 0.7, 0.9)]), []);
        let back = [slow, fast, (4 << 20, 1.3, 1.4)];
        assert_eq!(found(&back), [(4 << 10, 1 << 20, true), (1 << 20, 4 << 20, false)]);
    }

    #[test]
    fn the_estimate_is_where_the_ratio_is_one() {
        let line = [comparison(1 << 10, 1.9, 2.1), comparison(1 << 20, 0.49, 0.51)];
        let size = of_line(&mut line.iter().collect::<Vec<_>>())[0].size_bytes;
        assert!((size.log2() - 15.0).abs() < 0.1, "{size}");
    }
}
