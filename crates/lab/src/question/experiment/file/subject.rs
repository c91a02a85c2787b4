//! What an experiment file compares: arms, factors or floors.

use sample::access_pattern::AccessPattern;
use toml::Spanned;

use super::super::{Factors, Subject};
use super::{Located, Raw};
use crate::question::arm::{ArmSpec, PLACEBO};
use crate::question::defaults::{AccessOverrides, Defaults};

/// The subject of the file, or a mistake.
pub(super) fn subject(raw: &Raw) -> Result<Subject, Located> {
    match (&raw.floors, &raw.factors) {
        (Some(floors), _) => floors_alone(raw, floors),
        (None, Some(of_cells)) => factors(raw, of_cells),
        (None, None) => arms(raw),
    }
}

/// An experiment with factors, which replace arms.
fn factors(raw: &Raw, factors: &Spanned<Factors>) -> Result<Subject, Located> {
    let other = raw.arms.as_ref().map(Spanned::span).or(raw.baseline.as_ref().map(Spanned::span));
    if let Some(span) = other.or(raw.fill.as_ref().map(Spanned::span)) {
        let message = "[factors] replace arms: leave out baseline, arms and fill";
        return Err((span.start, message.to_owned()));
    }
    let start = factors.span().start;
    check_levels(factors.as_ref()).map_err(|message| (start, message))?;
    if raw.size.len() > 1 || raw.threads != [1] {
        return Err((start, "an experiment with [factors] has one size and one thread".to_owned()));
    }
    Ok(Subject::Factors(factors.as_ref().clone()))
}

/// An experiment with a baseline and arms.
fn arms(raw: &Raw) -> Result<Subject, Located> {
    let missing = |key: &str| {
        let message = format!(
            "missing key {key:?}: an experiment has a baseline, arms and fill, or [factors]"
        );
        (0, message)
    };
    let baseline = raw.baseline.as_ref().ok_or_else(|| missing("baseline"))?;
    let arms = raw.arms.as_ref().ok_or_else(|| missing("arms"))?;
    let fill = *raw.fill.as_ref().ok_or_else(|| missing("fill"))?.as_ref();
    if arms.as_ref().is_empty() {
        let message = "arms are empty: name at least one arm to compare with the baseline";
        return Err((arms.span().start, message.to_owned()));
    }
    check_baseline(baseline)?;
    check_names(baseline.as_ref(), arms)?;
    let overrides = AccessOverrides {
        touch: raw.touch,
        order: raw.order,
        between: raw.between,
        passes: raw.passes.first().copied(),
        cache: raw.cache,
    };
    let defaults = Defaults { fill, pattern: overrides.over(AccessPattern::default()) };
    for (arm, start) in each(arms).chain([(baseline.as_ref(), baseline.span().start)]) {
        let pattern = arm.overrides.over(defaults.pattern);
        let source = arm.source.or(baseline.as_ref().source);
        if let Some(reason) = source.and_then(|source| pattern.unfit(source)) {
            let is_named = reason.starts_with(&arm.name);
            return Err((start, if is_named { reason } else { format!("{}: {reason}", arm.name) }));
        }
    }
    let arms = each(arms).map(|(arm, _)| arm.clone()).collect();
    Ok(Subject::Arms { baseline: baseline.as_ref().clone(), arms, defaults })
}

/// Checks that the baseline has a source and a name of its own, and is not compared with an arm.
fn check_baseline(baseline: &Spanned<ArmSpec>) -> Result<(), Located> {
    let mistake = |message: &str| Err((baseline.span().start, message.to_owned()));
    let baseline = baseline.as_ref();
    if baseline.source.is_none() {
        return mistake(
            "an injected arm does more work than the baseline, so it cannot be the baseline",
        );
    }
    if baseline.name == PLACEBO {
        return mistake(
            "the copy of the baseline is called placebo: give the baseline another name",
        );
    }
    if baseline.against.is_some() {
        return mistake("the baseline is compared with nothing: leave out against");
    }
    Ok(())
}

/// Checks that names are unique, and that every arm is compared with an existing one.
fn check_names(baseline: &ArmSpec, arms: &Spanned<Vec<Spanned<ArmSpec>>>) -> Result<(), Located> {
    let mut names = vec![baseline.name.as_str(), PLACEBO];
    for (arm, start) in each(arms) {
        if names.contains(&arm.name.as_str()) {
            let message = format!(
                "two arms are called {:?}: give one of them another name, as in \
                 {{ name = \"again\", source = ... }}",
                arm.name
            );
            return Err((start, message));
        }
        names.push(&arm.name);
    }
    for (arm, start) in each(arms) {
        check_against(arm, arms, &names).map_err(|message| (start, message))?;
    }
    Ok(())
}

/// Each arm, and where it starts in the file.
fn each(arms: &Spanned<Vec<Spanned<ArmSpec>>>) -> impl Iterator<Item = (&ArmSpec, usize)> {
    arms.as_ref().iter().map(|arm| (arm.as_ref(), arm.span().start))
}

/// Checks that `arm` is compared with another arm, and not indirectly with itself.
fn check_against(
    arm: &ArmSpec,
    arms: &Spanned<Vec<Spanned<ArmSpec>>>,
    names: &[&str],
) -> Result<(), String> {
    let Some(other) = &arm.against else { return Ok(()) };
    if *other == arm.name || *other == PLACEBO || !names.contains(&other.as_str()) {
        return Err(format!(
            "{:?} is compared with {other:?}, but no other arm is called that",
            arm.name
        ));
    }
    // A chain without a cycle is shorter than the list.
    let find = |name: &str| each(arms).map(|(arm, _)| arm).find(|arm| arm.name == name);
    match arm.chain(find).nth(arms.as_ref().len() - 1) {
        Some(_) => Err(format!(
            "{:?} is compared with others in a circle: give one of them another against",
            arm.name
        )),
        None => Ok(()),
    }
}

/// Checks that a survey of floors only sets the size and the time.
fn floors_alone(raw: &Raw, floors: &Spanned<bool>) -> Result<Subject, Located> {
    let start = floors.span().start;
    let others = raw.baseline.is_some()
        || raw.arms.is_some()
        || raw.fill.is_some()
        || raw.factors.is_some()
        || raw.threads != [1];
    if others || raw.size.len() > 1 {
        let message = "floors = true measures every floor at one size: leave out baseline, arms, \
                       fill, factors and threads";
        return Err((start, message.to_owned()));
    }
    if *floors.as_ref() {
        Ok(Subject::Floors)
    } else {
        Err((start, "floors = false has no effect: leave it out".to_owned()))
    }
}

/// Checks that levels differ, and can be levels of a factor.
fn check_levels(factors: &Factors) -> Result<(), String> {
    if let Some(api) = factors.api.iter().find(|api| api.counts_pairs()) {
        return Err(format!(
            "{} counts pairs of malloc and free, so it cannot be a level of a factor",
            api.name()
        ));
    }
    let same = [
        ("api", factors.api[0] == factors.api[1]),
        ("fill", factors.fill[0] == factors.fill[1]),
        ("position", factors.position[0] == factors.position[1]),
        ("memory", factors.memory.is_some_and(|[a, b]| a == b)),
    ];
    match same.iter().find(|(_, same)| *same) {
        Some((name, _)) => {
            Err(format!("the two levels of {name} are the same: give two different ones"))
        }
        None => Ok(()),
    }
}
