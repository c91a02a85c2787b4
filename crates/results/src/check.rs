//! Whether a run can have the values of a result: a file may be damaged, or made up. Everything
//! that a screen shows or computes with is within the limits here.

mod program;
mod rows;
mod value;

use crate::{Block, Comparison, Effect, LabResult, Machine, Placebo};
use value::{
    BYTES_MAX, Outcome, TIME_NS_MAX, Within, amount, at_most, confidence, interval, known, name,
    names, ratio, signed, wrong,
};

pub(crate) use program::check as check_program;
pub use value::Impossible;

/// The first value of `result` that no run can have.
pub(crate) fn check(result: &LabResult) -> Outcome {
    name("version", &result.version)?;
    name("started", &result.started)?;
    at_most("elapsed_ns", result.elapsed_ns, TIME_NS_MAX)?;
    if let Some(crate::More::MaxTimeNs(ns)) = result.more {
        at_most("more.max_time_ns", ns, TIME_NS_MAX)?;
    }
    experiment(result).within("experiment")?;
    machine(&result.machine).within("machine")?;
    looks(&result.looks)?;
    each("warnings", &result.warnings, |warning| name("id", &warning.id))?;
    each("blocks", &result.blocks, block)?;
    each("arms", &result.arms, |arm| rows::arm(arm, result))?;
    each("dropped", &result.dropped, |dropped| {
        name("reason", &dropped.reason)?;
        each("samples", &dropped.samples, |taken| rows::sample(&taken.sample, result))
    })?;
    each("refused", &result.refused, |refused| {
        name("arm", &refused.arm)?;
        each("samples", &refused.samples, |sample| rows::sample(sample, result))
    })?;
    each("comparisons", &result.comparisons, |compared| {
        of_blocks(compared.blocks, &result.blocks)?;
        comparison(compared)
    })?;
    each("effects", &result.effects, |one| {
        of_blocks(one.blocks, &result.blocks)?;
        effect(one)
    })?;
    each("spreads", &result.spreads, effect)?;
    crossovers(result)?;
    explained(result).within("explained")?;
    result.placebo.as_ref().map_or(Ok(()), placebo).within("placebo")?;
    floors(result)
}

fn each<T>(
    key: &str,
    values: impl IntoIterator<Item = T>,
    mut check: impl FnMut(T) -> Outcome,
) -> Outcome {
    let mut numbered = values.into_iter().enumerate();
    numbered.try_for_each(|(index, one)| check(one).within(&format!("{key}[{index}]")))
}

fn experiment(result: &LabResult) -> Outcome {
    let experiment = &result.experiment;
    name("name", &experiment.name)?;
    name("metric", &experiment.metric)?;
    margin(experiment.margin)?;
    at_most("size_bytes", experiment.size_bytes, BYTES_MAX)?;
    each("sizes_bytes", &experiment.sizes_bytes, |size| at_most("", *size, BYTES_MAX))?;
    at_most("operations", experiment.operations, BYTES_MAX)?;
    at_most("max_time_ns", experiment.max_time_ns.unwrap_or(0), TIME_NS_MAX)?;
    each("factors", &experiment.factors, |factor| {
        name("name", &factor.name)?;
        names("levels", &factor.levels)
    })?;
    names("asked_arms", &experiment.asked_arms)
}

fn margin(margin: f64) -> Outcome {
    if (0.0..=1.0).contains(&margin) {
        Ok(())
    } else {
        wrong("margin", format!("{margin:e} is no share"))
    }
}

fn looks(looks: &[u64]) -> Outcome {
    each("looks", looks.windows(2), |pair| {
        if pair[0] < pair[1] { Ok(()) } else { wrong("", "looks come after more and more blocks") }
    })
}

fn machine(machine: &Machine) -> Outcome {
    at_most("ram_bytes", machine.ram_bytes.unwrap_or(0), BYTES_MAX)?;
    match machine.page_bytes {
        0 => Ok(()),
        bytes if bytes.is_power_of_two() => at_most("page_bytes", bytes, BYTES_MAX),
        bytes => wrong("page_bytes", format!("{bytes} is no power of two")),
    }
}

fn block(block: &Block) -> Outcome {
    for (key, time) in [
        ("started_ns", Some(block.started_ns)),
        ("elapsed_ns", Some(block.elapsed_ns)),
        ("steal_ns", block.steal_ns),
        ("others_cpu_ns", block.others_cpu_ns),
    ] {
        at_most(key, time.unwrap_or(0), TIME_NS_MAX)?;
    }
    Ok(())
}

/// A comparison has no more blocks than the run.
fn of_blocks(blocks: u64, run: &[Block]) -> Outcome {
    let all = run.len() as u64;
    if all > 0 && blocks > all {
        return wrong("blocks", format!("{blocks}, and the run has {all}"));
    }
    Ok(())
}

fn comparison(compared: &Comparison) -> Outcome {
    name("arm", &compared.arm)?;
    name("baseline", &compared.baseline)?;
    name("metric", &compared.metric)?;
    at_most("size_bytes", compared.size_bytes, BYTES_MAX)?;
    interval(compared.ratio, compared.low, compared.high)?;
    confidence(compared.confidence)?;
    // `sensitivity` is on no screen, and Student's interval over two blocks has no limits.
    known("smallest_detectable", compared.smallest_detectable, amount)
}

fn effect(effect: &Effect) -> Outcome {
    name("factor", &effect.factor)?;
    names("levels", &effect.levels)?;
    interval(effect.ratio, effect.low, effect.high)?;
    confidence(effect.confidence)?;
    known("smallest_detectable", effect.smallest_detectable, amount)
}

fn placebo(placebo: &Placebo) -> Outcome {
    interval(placebo.ratio, placebo.low, placebo.high)?;
    confidence(placebo.confidence)?;
    let holds_one = placebo.low.zip(placebo.high).map(|(low, high)| low <= 1.0 && 1.0 <= high);
    match (placebo.trusted, holds_one) {
        (Some(true), None) => wrong("trusted", "true, without an interval"),
        (Some(true), Some(false)) => wrong("trusted", "true, and the interval excludes 1"),
        _ => Ok(()),
    }
}

fn crossovers(result: &LabResult) -> Outcome {
    let steps = |steps: &[crate::Step]| {
        each("steps", steps, |step| {
            comparison(&step.comparison).within("comparison")?;
            each("samples", &step.samples, |taken| rows::measured(&taken.sample))
        })
    };
    each("crossovers", &result.crossovers, |crossing| {
        name("arm", &crossing.arm)?;
        amount("size_bytes", crossing.size_bytes)?;
        if crossing.low_bytes > crossing.high_bytes {
            return wrong("low_bytes", "more than high_bytes");
        }
        at_most("high_bytes", crossing.high_bytes, BYTES_MAX)?;
        confidence(crossing.confidence)?;
        steps(&crossing.steps)
    })?;
    each("pass_crossovers", &result.pass_crossovers, |crossing| {
        name("arm", &crossing.arm)?;
        if crossing.low_passes > crossing.high_passes {
            return wrong("low_passes", "more than high_passes");
        }
        confidence(crossing.confidence)?;
        steps(&crossing.steps)
    })?;
    each("turning_points", &result.turning_points, |point| {
        name("arm", &point.arm)?;
        at_most("break_bytes", point.break_bytes, BYTES_MAX)?;
        at_most("mapping_bytes", point.mapping_bytes, BYTES_MAX)
    })
}

fn explained(result: &LabResult) -> Outcome {
    let Some(explained) = &result.explained else { return Ok(()) };
    ratio("reference_low", explained.reference_low)?;
    ratio("reference_high", explained.reference_high)?;
    known("at_most", explained.at_most, ratio)?;
    confidence(explained.confidence)
}

fn floors(result: &LabResult) -> Outcome {
    each("explanations", &result.explanations, |explanation| {
        name("arm", &explanation.arm)?;
        interval(explanation.ratio, explanation.low, explanation.high)?;
        confidence(explanation.confidence)?;
        signed("sum_ns", explanation.sum_ns)?;
        amount("measured_ns", explanation.measured_ns)?;
        signed("unexplained_ns", explanation.unexplained_ns)?;
        known("reaches", explanation.reaches, amount)?;
        each("parts", &explanation.parts, |part| signed("ns_per_page", part.ns_per_page))
    })?;
    let Some(floors) = &result.floors else { return Ok(()) };
    let estimates = each("estimates", &floors.estimates, |estimate| {
        name("floor", &estimate.floor)?;
        signed("ns", estimate.ns)?;
        known("low_ns", estimate.low_ns, signed)?;
        known("high_ns", estimate.high_ns, signed)?;
        known("bytes_per_second", estimate.bytes_per_second, amount)?;
        confidence(estimate.confidence)
    });
    let sources = each("sources", &floors.sources, |source| {
        name("arm", &source.arm)?;
        signed("floor_ns", source.floor_ns)?;
        amount("measured_ns", source.measured_ns)?;
        interval(source.ratio, source.low, source.high)?;
        confidence(source.confidence)
    });
    estimates.and(sources).and_then(|()| rows::floor_summary(&floors.summary)).within("floors")
}

#[cfg(test)]
mod tests;
