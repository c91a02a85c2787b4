//! Streams in which only some calls have their stack: what sites pay is estimated, what all pay
//! together is exact.

use events::StackSampling;

use super::figures::rounded;
use super::frames::FrameId;
use super::site::{Charge, Site, SiteErrors};

/// What is known of a stream with sampled stacks, beside the estimates of its sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampledAccount {
    /// How calls were chosen.
    pub sampling: StackSampling,
    /// The calls that were chosen.
    pub chosen_calls: u64,
    /// What all calls and blocks paid together, chosen or not: exact.
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
    release_ns: f64,
}

impl Variances {
    /// Adds those of a charge, with the variance of a call or block of that size.
    fn add(&mut self, charge: Charge, variance: f64) {
        let of = |figure: Option<u64>| variance * (figure.unwrap_or(0) as f64).powi(2);
        match charge {
            Charge::Call { given_bytes, latency_ns } => {
                self.calls += variance;
                self.bytes += of(given_bytes);
                self.apparent_ns += of(latency_ns);
            }
            Charge::Release { latency_ns } => self.release_ns += of(latency_ns),
            Charge::Interruption { releases, ns, left_ns } => {
                let less = of(Some(left_ns.saturating_add(ns))) - of(Some(left_ns));
                let of_call = if releases { &mut self.release_ns } else { &mut self.apparent_ns };
                *of_call -= less;
            }
            _ => {}
        }
    }

    fn errors(&self) -> SiteErrors {
        let error = |variance: f64| rounded(variance.max(0.0).sqrt());
        SiteErrors {
            calls: error(self.calls),
            bytes: error(self.bytes),
            touches_ns: error(self.touches_ns),
            apparent_ns: error(self.apparent_ns),
            release_ns: error(self.release_ns),
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
            self.sites.resize(place + 1, Site::new(FrameId::NONE));
            self.variances.resize(place + 1, Variances::default());
        }
        &mut self.sites[place]
    }

    /// The site at `place` pays for its call, or block, of `size_bytes`; `None`: that was not
    /// chosen.
    pub(super) fn pay(&mut self, place: Option<usize>, size_bytes: u64, charge: Charge) {
        self.all.pay(charge, 1);
        let Some(place) = place else { return };
        let Chance { weight, variance } = Chance::of(self.sampling, size_bytes);
        self.place(place).pay(charge, weight);
        self.variances[place].add(charge, variance);
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
        let found = self.sites.iter_mut().zip(&self.variances);
        for (site, (estimate, variances)) in sites.iter_mut().zip(found) {
            estimate.note_peak(peak);
            let stack = site.stack;
            *site = estimate.rounded();
            (site.stack, site.errors) = (stack, variances.errors());
        }
        let Estimates { sampling, chosen_calls, all, .. } = self;
        SampledAccount { sampling, chosen_calls, all }
    }
}
