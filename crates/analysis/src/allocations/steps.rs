//! Counts by steps of a logarithmic scale.

/// Counts of numbers between powers of two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PowerSteps([u64; PowerSteps::COUNT]);

impl Default for PowerSteps {
    fn default() -> Self {
        PowerSteps([0; PowerSteps::COUNT])
    }
}

impl PowerSteps {
    /// Zero, and 64 powers.
    const COUNT: usize = 65;

    #[inline]
    pub(super) fn add(&mut self, number: u64) {
        self.0[(64 - number.leading_zeros()) as usize] += 1;
    }

    /// The least number of each step that has any, and how many it has.
    pub fn steps(&self) -> impl Iterator<Item = (u64, u64)> {
        let counts = self.0.iter().enumerate().filter(|(_, count)| **count > 0);
        counts.map(|(step, &count)| (step.checked_sub(1).map_or(0, |power| 1 << power), count))
    }
}

/// Steps between two powers of two.
const FINE: u64 = 8;

/// Counts of times in steps of at most an eighth.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FineSteps {
    /// As many as are needed.
    counts: Vec<u64>,
    count: u64,
    max: u64,
}

impl FineSteps {
    #[inline]
    pub(super) fn add(&mut self, number: u64) {
        let step = step_of(number);
        if step >= self.counts.len() {
            self.counts.resize(step + 1, 0);
        }
        self.counts[step] += 1;
        self.count += 1;
        self.max = self.max.max(number);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The largest; 0 if there is none.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The last number of each step that has any, and how many it has.
    pub fn steps(&self) -> impl Iterator<Item = (u64, u64)> {
        let counts = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        counts.map(|(step, &count)| (last_of(step), count))
    }

    /// The number that so many thousandths do not exceed: at most an eighth too high.
    #[must_use]
    pub fn at_most(&self, per_mille: u64) -> u64 {
        let rank = (u128::from(self.count) * u128::from(per_mille)).div_ceil(1000).max(1);
        let mut sum = 0_u128;
        for (step, &count) in self.counts.iter().enumerate() {
            sum += u128::from(count);
            if sum >= rank {
                return last_of(step).min(self.max);
            }
        }
        self.max
    }
}

/// The step of a number: one each below 16, then eight to each power of two.
#[inline]
fn step_of(number: u64) -> usize {
    let step = if number < FINE {
        number
    } else {
        let power = u64::from(number.ilog2());
        (power - 2) * FINE + ((number >> (power - 3)) & (FINE - 1))
    };
    usize::try_from(step).unwrap_or(usize::MAX)
}

/// The last number of a step.
fn last_of(step: usize) -> u64 {
    let step = step as u64;
    if step < FINE {
        return step;
    }
    let (power, within) = (step / FINE + 2, step % FINE);
    let (first, width) = ((FINE + within) << (power - 3), 1_u64 << (power - 3));
    first + (width - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_in_its_step() {
        for number in (0..100_000).chain([u64::MAX - 1, u64::MAX, 1 << 63, (1 << 40) + 12_345]) {
            let last = last_of(step_of(number));
            assert!(last >= number && last - number <= number / 8, "{number}: {last}");
            assert!(step_of(last) == step_of(number), "{number}: {last}");
        }
    }

    #[test]
    fn quantiles_and_powers() {
        let mut fine = FineSteps::default();
        (1..=1000).for_each(|number| fine.add(number));
        assert_eq!((fine.count(), fine.max(), fine.at_most(1000)), (1000, 1000, 1000));
        assert!((500..563).contains(&fine.at_most(500)), "{}", fine.at_most(500));
        assert_eq!(fine.at_most(1), 1);
        assert_eq!(fine.steps().map(|(_, count)| count).sum::<u64>(), 1000);
        assert!(fine.steps().is_sorted() && fine.steps().last() == Some((1023, 41)));
        assert_eq!(FineSteps::default().at_most(500), 0);
        let mut powers = PowerSteps::default();
        for number in [0, 1, 2, 3, 4096, u64::MAX] {
            powers.add(number);
        }
        let steps: Vec<_> = powers.steps().collect();
        assert_eq!(steps, [(0, 1), (1, 1), (2, 2), (4096, 1), (1 << 63, 1)]);
    }
}
