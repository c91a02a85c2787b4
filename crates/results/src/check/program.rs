//! The result of `compare`.

use super::value::{
    BYTES_MAX, Outcome, TIME_NS_MAX, Within, amount, at_most, known, name, names, ratio, wrong,
};
use super::{block, comparison, each, looks, machine, margin, of_blocks, placebo};
use crate::compare::{ProgramArm, ProgramExperiment, ProgramResult, ProgramSample, Race, RacedArm};

/// The first value of `result` that no run can have.
pub(crate) fn check(result: &ProgramResult) -> Outcome {
    name("version", &result.version)?;
    name("started", &result.started)?;
    at_most("elapsed_ns", result.elapsed_ns, TIME_NS_MAX)?;
    if let Some(crate::More::MaxTimeNs(ns)) = result.more {
        at_most("more.max_time_ns", ns, TIME_NS_MAX)?;
    }
    experiment(&result.experiment).within("experiment")?;
    machine(&result.machine).within("machine")?;
    looks(&result.looks)?;
    each("warnings", &result.warnings, |warning| name("id", &warning.id))?;
    each("blocks", &result.blocks, block)?;
    each("arms", &result.arms, |one| arm(one, result))?;
    each("dropped", &result.dropped, |dropped| {
        name("reason", &dropped.reason)?;
        each("samples", &dropped.samples, |taken| sample(&taken.sample, result))
    })?;
    each("refused", &result.refused, |refused| {
        name("arm", &refused.arm)?;
        each("samples", &refused.samples, |one| sample(one, result))
    })?;
    each("comparisons", &result.comparisons, |compared| {
        of_blocks(compared.blocks, &result.blocks)?;
        let arm = result.arms.iter().find(|arm| arm.name == compared.arm);
        if let Some(arm) = arm.filter(|arm| compared.blocks > arm.samples.len() as u64) {
            let samples = arm.samples.len();
            return wrong(
                "blocks",
                format!("{}, and its arm has {samples} samples", compared.blocks),
            );
        }
        comparison(compared)
    })?;
    result.placebo.as_ref().map_or(Ok(()), placebo).within("placebo")?;
    each("gates", &result.gates, |gate| {
        name("metric", &gate.metric)?;
        name("arm", &gate.arm)?;
        amount("limit", gate.limit)
    })?;
    result.race.as_ref().map_or(Ok(()), race).within("race")
}

fn race(race: &Race) -> Outcome {
    at_most("elapsed_ns", race.elapsed_ns, TIME_NS_MAX)?;
    at_most("blocks", race.blocks, BYTES_MAX)?;
    at_most("dropped", race.dropped, BYTES_MAX)?;
    each("arms", &race.arms, raced)?;
    each("refused", &race.refused, |refused| name("arm", &refused.arm))
}

fn raced(arm: &RacedArm) -> Outcome {
    name("name", &arm.name)?;
    at_most("blocks", arm.blocks, BYTES_MAX)?;
    at_most("left_after", arm.left_after.unwrap_or(0), BYTES_MAX)?;
    each("medians", arm.medians.values(), |median| amount("", *median))?;
    each("ratios", arm.ratios.values(), |value| ratio("", *value))
}

fn experiment(experiment: &ProgramExperiment) -> Outcome {
    name("name", &experiment.name)?;
    name("metric", &experiment.metric)?;
    names("metrics", &experiment.metrics)?;
    margin(experiment.margin)?;
    at_most("settle_ns", experiment.settle_ns.unwrap_or(0), TIME_NS_MAX)?;
    at_most("max_time_ns", experiment.max_time_ns.unwrap_or(0), TIME_NS_MAX)
}

fn arm(arm: &ProgramArm, result: &ProgramResult) -> Outcome {
    name("name", &arm.name)?;
    each("summary", arm.summary.values(), |summary| {
        amount("median", summary.median)?;
        amount("spread", summary.spread)
    })?;
    if let Some(seen) = &arm.observed {
        let of = |key: &str, number: u64| at_most(key, number, TIME_NS_MAX).within("observed");
        of("page_tables_bytes", seen.page_tables_bytes.unwrap_or(0))?;
        of("lost", seen.lost)?;
        each("observed.faults", seen.faults.values(), |number| at_most("", *number, BYTES_MAX))?;
        each("observed.syscalls", seen.syscalls.iter().flat_map(|all| all.values()), |calls| {
            at_most("calls", calls.calls, BYTES_MAX)?;
            at_most("ns", calls.ns, TIME_NS_MAX)
        })?;
    }
    let mut seen = std::collections::HashSet::new();
    each("samples", &arm.samples, |one| {
        if !seen.insert(one.block) {
            return wrong("block", format!("{} has two samples of this arm", one.block));
        }
        sample(one, result)
    })
}

fn sample(sample: &ProgramSample, result: &ProgramResult) -> Outcome {
    let blocks = result.blocks.len() as u64;
    if blocks > 0 && sample.block >= blocks {
        return wrong("block", format!("{}, and the run has {blocks}", sample.block));
    }
    for (key, time) in
        [("wall_ns", sample.wall_ns), ("user_ns", sample.user_ns), ("sys_ns", sample.sys_ns)]
    {
        at_most(key, time, TIME_NS_MAX)?;
    }
    for (key, number) in [
        ("max_rss_bytes", Some(sample.max_rss_bytes)),
        ("tree_peak_bytes", sample.tree_peak_bytes),
        ("settled_rss_bytes", sample.settled_rss_bytes),
        ("minor_faults", Some(sample.minor_faults)),
        ("major_faults", Some(sample.major_faults)),
    ] {
        at_most(key, number.unwrap_or(0), BYTES_MAX)?;
    }
    known("figure", sample.figure, super::value::signed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Block;

    fn sound() -> ProgramResult {
        let sample = ProgramSample { wall_ns: 5, user_ns: 3, ..ProgramSample::default() };
        let arm = |name: &str| ProgramArm {
            name: name.into(),
            command: vec!["./app".into()],
            samples: vec![sample.clone()],
            ..ProgramArm::default()
        };
        let mut result = ProgramResult {
            started: "2026-01-01T00:00:00Z".into(),
            arms: vec![ProgramArm { baseline: true, ..arm("as is") }, arm("jemalloc")],
            blocks: vec![Block::default()],
            ..ProgramResult::empty("1")
        };
        result.experiment.name = crate::compare::EXPERIMENT.into();
        result.experiment.metric = "wall_ns".into();
        result
    }

    /// The first arm of a race.
    fn raced(result: &mut ProgramResult) -> &mut RacedArm {
        let arm = RacedArm { name: "as is".into(), ..RacedArm::default() };
        let race = Race { arms: vec![arm], ..Race::default() };
        assert_eq!(super::race(&race), Ok(()));
        &mut result.race.insert(race).arms[0]
    }

    #[test]
    fn impossible_values_are_named() {
        type Damage = fn(&mut ProgramResult);
        assert_eq!(check(&sound()), Ok(()));
        let cases: [(Damage, &str); 12] = [
            (|r| r.arms[1].name.clear(), "arms[1].name: empty"),
            (|r| r.arms[0].samples[0].wall_ns = u64::MAX, "arms[0].samples[0].wall_ns: 1844"),
            (|r| r.arms[0].samples[0].sys_ns = u64::MAX, "arms[0].samples[0].sys_ns: 1844"),
            (|r| r.arms[0].samples[0].minor_faults = 1 << 60, "arms[0].samples[0].minor_faults"),
            (|r| r.arms[0].samples[0].figure = Some(1e300), "arms[0].samples[0].figure: 1e300"),
            (|r| r.arms[0].samples[0].block = 1, "arms[0].samples[0].block: 1, and the run has 1"),
            (|r| r.experiment.margin = -0.1, "experiment.margin: -1e-1 is no share"),
            (|r| r.machine.page_bytes = 3, "machine.page_bytes: 3 is no power of two"),
            (|r| raced(r).name.clear(), "race.arms[0].name: empty"),
            (|r| raced(r).left_after = Some(u64::MAX), "race.arms[0].left_after: 1844"),
            (|r| raced(r).ratios = [("wall_ns".into(), f64::NAN)].into(), "race.arms[0].ratios"),
            (|r| r.started = "x".repeat(5000), "started: 5000 letters are too many"),
        ];
        for (damage, expect) in cases {
            let mut result = sound();
            damage(&mut result);
            let said = check(&result).err().map(|wrong| wrong.to_string()).unwrap_or_default();
            assert!(said.starts_with(expect), "{said:?} instead of {expect:?}");
        }
        let mut few = sound();
        let of_lab = super::super::tests::sound().comparisons.remove(0);
        few.comparisons = vec![crate::Comparison { arm: "jemalloc".into(), ..of_lab }];
        assert_eq!(check(&few), Ok(()));
        few.arms[1].samples.clear();
        assert_eq!(check(&few).unwrap_err().key, "comparisons[0].blocks");
        let mut twice = sound();
        let first = twice.arms[0].samples[0].clone();
        twice.arms[0].samples.push(first);
        assert_eq!(check(&twice).unwrap_err().key, "arms[0].samples[1].block");
    }
}
