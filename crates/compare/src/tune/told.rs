//! A race as the result tells it.

use std::collections::BTreeMap;
use std::time::Duration;

use lab::design::Contrast;
use lab::nanoseconds;
use lab::run::ratios::log_ratios;
use results::Refused;
use results::compare::{ProgramSample, Race, RacedArm};
use stats::median;

use super::race::Raced;
use crate::design::ProgramDesign;
use crate::judge::summary;
use crate::metric::ProgramMetric;
use crate::request::CompareRequest;
use crate::result::{environment, words};

/// The race of `design`, whose `winner` will be confirmed.
pub(super) fn race(
    request: &CompareRequest,
    design: &ProgramDesign,
    raced: &Raced,
    winner: usize,
    (refused, took): (Vec<Refused<ProgramSample>>, Duration),
) -> Race {
    let mut order: Vec<usize> = (1..design.arms.len()).collect();
    let log_ratio = |arm: &usize| raced.log_ratio(design, *arm).unwrap_or(f64::INFINITY);
    order.sort_by(|one, other| log_ratio(one).total_cmp(&log_ratio(other)));
    let arm = |index: usize| {
        let prepared = design.arm(index);
        let left = raced.left[index].as_ref();
        let medians = summary(&raced.samples[index]);
        RacedArm {
            name: prepared.name.clone(),
            baseline: index == 0,
            chosen: index == winner,
            command: (prepared.command != request.command).then(|| words(&prepared.command)),
            environment: environment(&prepared.variables),
            huge_pages_off: prepared.huge_pages_off,
            blocks: raced.samples[index].len() as u64,
            left_after: left.map(|left| left.after as u64),
            reason: left.map(|left| left.reason.clone()),
            failed: left.is_some_and(|left| left.failed),
            medians: medians.into_iter().map(|(key, found)| (key, found.median)).collect(),
            ratios: ratios(design, raced, index),
        }
    };
    Race {
        ended: raced.ended,
        blocks: raced.blocks as u64,
        dropped: raced.dropped as u64,
        elapsed_ns: nanoseconds(took),
        arms: std::iter::once(0).chain(order).map(arm).collect(),
        refused,
    }
}

/// The ratios of an arm to the baseline by the metrics that decide, and by those of the picture.
fn ratios(design: &ProgramDesign, raced: &Raced, arm: usize) -> BTreeMap<String, f64> {
    if arm == 0 {
        return BTreeMap::new();
    }
    let picture = [ProgramMetric::Wall, ProgramMetric::MaxRss];
    let of = |metric: &ProgramMetric| {
        let design = design.by(&[*metric]);
        let ratios = log_ratios(&design, &raced.samples, &Contrast::pair(arm, 0));
        Some((metric.key().to_owned(), median(&ratios)?.exp()))
    };
    design.metrics.iter().chain(&picture).filter_map(of).collect()
}

/// Why every candidate failed.
pub(super) fn failures(design: &ProgramDesign, raced: &Raced) -> String {
    let one = |(arm, left): (usize, &Option<super::race::Left>)| {
        Some(format!("{}: {}", design.name(arm), left.as_ref()?.reason))
    };
    raced.left.iter().enumerate().filter_map(one).collect::<Vec<_>>().join("; ")
}
