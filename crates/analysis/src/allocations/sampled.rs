//! Streams in which only some calls have their stack: what sites pay is estimated, what all pay
//! together is exact.

use events::StackSampling;

use super::figures::{TimedCalls, rounded};
use super::frames::FrameId;
use super::site::{Charge, Site, SiteErrors};

/// What is known of a stream with sampled stacks, beside the estimates of its sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampledAccount {
    /// How calls were chosen.
    pub sampling: StackSampling,
    /// The calls that were chosen.
    pub chosen_calls: u64,
    /// What all calls of the allocator and all blocks paid together, chosen or not: exact. Sites
    /// that map memory are not in it; they are exact themselves.
    pub all: Site,
}

/// The estimates of sites. A call that was chosen with the chance p stands for 1 / p calls (Horvitz
/// and Thompson, A Generalization of Sampling Without Replacement, 1952), and so does its block.
#[derive(Debug)]
pub(super) struct Estimates {
    sampling: StackSampling,
    chosen_calls: u64,
    all: Site,
    sites: Vec<Site<f64>>,
    /// The variances of some of their figures.
    variances: Vec<Variances>,
}

/// Of sums of y / p over choices that do not depend on each other, each sum's variance is estimated
/// by the sum of (1 - p) y^2 / p^2.
#[derive(Debug, Clone, Copy, Default)]
struct Variances {
    calls: f64,
    bytes: f64,
    touches_ns: f64,
    apparent_ns: f64,
    release_ns: TimedSquares,
    returned_ns: f64,
}

/// Of releases, of which only some are timed: the sums of y^2 / p^2 and of y^2 / p.
#[derive(Debug, Clone, Copy, Default)]
struct TimedSquares {
    by_square: f64,
    by_chance: f64,
}

impl TimedSquares {
    /// The variance of the sum of y / p, times `times`, if one release in `times` is timed: then
    /// p / `times` is the chance to know y.
    fn variance(self, times: f64) -> f64 {
        times * times * (self.by_square - self.by_chance / times)
    }
}

impl Variances {
    /// Adds those of a charge on a call or block of that chance.
    fn add(&mut self, charge: Charge, Chance { weight, variance }: Chance) {
        let of = |figure: Option<u64>| variance * (figure.unwrap_or(0) as f64).powi(2);
        match charge {
            Charge::Call { given_bytes, latency_ns } => {
                self.calls += variance;
                self.bytes += of(given_bytes);
                self.apparent_ns += of(latency_ns);
            }
            Charge::Release { latency_ns } => {
                let square = (latency_ns.unwrap_or(0) as f64).powi(2);
                self.release_ns.by_square += square * weight * weight;
                self.release_ns.by_chance += square * weight;
            }
            Charge::Interruption { releases, ns, left_ns } => {
                let (before, left) = (left_ns.saturating_add(ns) as f64, left_ns as f64);
                let less = before * before - left * left;
                if releases {
                    self.release_ns.by_square -= less * weight * weight;
                    self.release_ns.by_chance -= less * weight;
                } else {
                    self.apparent_ns -= less * variance;
                }
            }
            Charge::Returned { ns, .. } => self.returned_ns += of(Some(ns)),
            _ => {}
        }
    }

    /// One release in `releases_per_timed` is timed.
    fn errors(&self, releases_per_timed: f64) -> SiteErrors {
        let error = |variance: f64| rounded(variance.max(0.0).sqrt());
        SiteErrors {
            calls: error(self.calls),
            bytes: error(self.bytes),
            touches_ns: error(self.touches_ns),
            apparent_ns: error(self.apparent_ns),
            release_ns: error(
                self.release_ns.variance(releases_per_timed).max(0.0) + self.returned_ns,
            ),
        }
    }
}

/// The chance of a call.
#[derive(Debug, Clone, Copy)]
struct Chance {
    /// 1 / p.
    weight: f64,
    /// (1 - p) / p^2.
    variance: f64,
}

impl Chance {
    fn of(sampling: StackSampling, size_bytes: u64) -> Chance {
        let means = size_bytes.max(1) as f64 / sampling.mean_bytes.get() as f64;
        let weight = -1.0 / (-means).exp_m1();
        Chance { weight, variance: (-means).exp() * weight * weight }
    }
}

impl Estimates {
    pub(super) fn new(sampling: StackSampling) -> Estimates {
        Estimates {
            sampling,
            chosen_calls: 0,
            all: Site::default(),
            sites: Vec::new(),
            variances: Vec::new(),
        }
    }

    /// Site number `place`, if it is there, or a new one.
    fn place(&mut self, place: usize) -> &mut Site<f64> {
        if self.sites.len() <= place {
            self.sites.resize(place + 1, Site::new(FrameId::NONE, false));
            self.variances.resize(place + 1, Variances::default());
        }
        &mut self.sites[place]
    }

    /// The site at `place` pays for its call, or block, of `size_bytes`; `None`: that was not
    /// chosen.
    pub(super) fn pay(&mut self, place: Option<usize>, size_bytes: u64, charge: Charge) {
        self.all.pay(charge, 1);
        let Some(place) = place else { return };
        let chance = Chance::of(self.sampling, size_bytes);
        self.place(place).pay(charge, chance.weight);
        self.variances[place].add(charge, chance);
        self.chosen_calls += u64::from(matches!(charge, Charge::Call { .. }));
    }

    /// Of the faults on a block of the site, so much time is new, and so much was there before.
    pub(super) fn vary(&mut self, place: usize, size_bytes: u64, new_ns: u64, before_ns: u64) {
        let variance = Chance::of(self.sampling, size_bytes).variance;
        let (before, new) = (before_ns as f64, new_ns as f64);
        self.place(place);
        self.variances[place].touches_ns += variance * new * (2.0 * before + new);
    }

    /// A block is live from now on; `peak` is the number of the latest peak.
    pub(super) fn grow(&mut self, place: Option<usize>, size_bytes: u64, peak: u64) {
        self.all.grow(size_bytes, 1, peak);
        if let Some(place) = place {
            let weight = Chance::of(self.sampling, size_bytes).weight;
            self.place(place).grow(size_bytes, weight, peak);
        }
    }

    /// A block is live no longer.
    pub(super) fn shrink(&mut self, place: Option<usize>, size_bytes: u64, peak: u64) {
        self.all.shrink(size_bytes, 1, peak);
        if let Some(place) = place {
            let weight = Chance::of(self.sampling, size_bytes).weight;
            self.place(place).shrink(size_bytes, weight, peak);
        }
    }

    /// Writes the estimates into `sites`. `peak` is the number of the latest peak.
    pub(super) fn finish(mut self, sites: &mut [Site], peak: u64) -> SampledAccount {
        self.all.note_peak(peak);
        // A site whose few chosen blocks have no timed release is not like the others: only with
        // the chance of being timed is the sum right on average.
        let TimedCalls { calls, timed, .. } = self.all.release;
        let per_timed = if timed == 0 { 1.0 } else { calls as f64 / timed as f64 };
        let found = self.sites.iter_mut().zip(&self.variances);
        for (site, (estimate, variances)) in sites.iter_mut().zip(found) {
            if site.maps {
                continue;
            }
            estimate.note_peak(peak);
            estimate.release = estimate.release.as_all_timed(per_timed);
            let stack = site.stack;
            *site = estimate.rounded();
            (site.stack, site.errors) = (stack, variances.errors(per_timed));
        }
        let Estimates { sampling, chosen_calls, all, .. } = self;
        SampledAccount { sampling, chosen_calls, all }
    }
}
