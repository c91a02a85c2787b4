//! What differs between the machines and conditions of two runs.

use std::collections::BTreeMap;

use results::compare::{ProgramArm, ProgramResult};
use results::diff::{Difference, values};
use results::{AnyResult, Arm, LabResult};

pub(super) type Values = BTreeMap<String, String>;

/// Every difference: of the program, of the machine, of the experiment, and of each arm.
pub(super) fn differences(old: &AnyResult, new: &AnyResult) -> Vec<Difference> {
    let [old, new] = [old, new].map(Conditions::of);
    let mut found = between(&old.run, &new.run);
    found.extend(between(&old.machine, &new.machine));
    found.extend(between(&old.experiment, &new.experiment));
    found.extend(of_arms(&old, &new));
    found
}

/// A command as one line; words with blanks are quoted.
pub(super) fn line(command: &[String]) -> String {
    let word = |word: &String| {
        let is_plain = !word.is_empty() && !word.contains(char::is_whitespace);
        if is_plain { word.clone() } else { format!("'{word}'") }
    };
    command.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// The conditions of a run, as text by key.
struct Conditions {
    run: Values,
    machine: Values,
    experiment: Values,
    /// By arm, without the placebo.
    arms: Vec<(String, Values)>,
    /// Why an arm was refused.
    refused: BTreeMap<String, String>,
}

impl Conditions {
    fn of(result: &AnyResult) -> Self {
        match result {
            AnyResult::Lab(lab) => Conditions::of_lab(lab),
            AnyResult::Program(program) => Conditions::of_program(program),
        }
    }

    fn of_lab(result: &LabResult) -> Self {
        let mut experiment = values(&result.experiment);
        // What is asked is compared elsewhere; the arms are compared one by one.
        without(&mut experiment, &["name", "question", "metric", "asked_arms"]);
        // In a sweep these are those of its first point.
        if !result.experiment.sizes_bytes.is_empty() {
            without(&mut experiment, &["size_bytes", "operations"]);
        }
        // A machine has a "cpu" as well.
        if let Some(cpu) = experiment.remove("cpu") {
            experiment.insert("pinned_cpu".to_owned(), cpu);
        }
        Conditions {
            run: version(&result.version),
            machine: values(&result.machine),
            experiment,
            arms: measured(result.arms.iter().map(|arm| (arm.placebo, &arm.name, of_arm(arm)))),
            refused: refused(result.refused.iter().map(|one| (&one.arm, &one.reason))),
        }
    }

    fn of_program(result: &ProgramResult) -> Self {
        let mut experiment = values(&result.experiment);
        without(&mut experiment, &["name", "question", "metric", "command"]);
        if let Some(cpus) = experiment.remove("cpus") {
            experiment.insert("pinned_cpus".to_owned(), cpus);
        }
        let arms = result.arms.iter();
        Conditions {
            run: version(&result.version),
            machine: values(&result.machine),
            experiment,
            arms: measured(arms.map(|arm| (arm.placebo, &arm.name, of_program_arm(arm)))),
            refused: refused(result.refused.iter().map(|one| (&one.arm, &one.reason))),
        }
    }

    fn arm(&self, name: &str) -> Option<&Values> {
        self.arms.iter().find(|(arm, _)| arm == name).map(|(_, values)| values)
    }

    /// What became of an arm, if it was in the run.
    fn fate(&self, name: &str) -> Option<String> {
        if self.arm(name).is_some() {
            return Some("measured".to_owned());
        }
        self.refused.get(name).map(|reason| format!("refused: {reason}"))
    }
}

fn version(version: &str) -> Values {
    Values::from([("version".to_owned(), version.to_owned())])
}

fn without(values: &mut Values, keys: &[&str]) {
    values.retain(|key, _| !keys.contains(&key.as_str()));
}

fn measured<'a>(arms: impl Iterator<Item = (bool, &'a String, Values)>) -> Vec<(String, Values)> {
    arms.filter(|(placebo, ..)| !placebo).map(|(_, name, of)| (name.clone(), of)).collect()
}

fn refused<'a>(refused: impl Iterator<Item = (&'a String, &'a String)>) -> Values {
    refused.map(|(arm, reason)| (arm.clone(), reason.clone())).collect()
}

/// The work of an arm, and the library that its memory came from.
fn of_arm(arm: &Arm) -> Values {
    let mut found = arm.work.as_ref().map(values).unwrap_or_default();
    let of_points = arm.points.iter().filter_map(|point| point.observed.as_ref());
    let seen = arm.observed.iter().chain(of_points).find_map(|seen| seen.allocator.clone());
    found.extend(seen.map(|file| ("library".to_owned(), file)));
    found
}

/// The settings of an arm, and what was seen of them.
fn of_program_arm(arm: &ProgramArm) -> Values {
    let mut found = Values::from([
        ("command".to_owned(), line(&arm.command)),
        ("huge_pages_off".to_owned(), arm.huge_pages_off.to_string()),
    ]);
    for (name, value) in &arm.environment {
        let value = value.clone().unwrap_or_else(|| "removed".to_owned());
        found.insert(format!("environment.{name}"), value);
    }
    if let Some(proof) = &arm.proof {
        found.extend(proof.malloc.clone().map(|file| ("library".to_owned(), file)));
        let tunables = proof.tunables.iter();
        found.extend(tunables.map(|(name, value)| (format!("tunable {name}"), value.clone())));
    }
    found
}

/// The keys whose values differ.
pub(super) fn between(old: &Values, new: &Values) -> Vec<Difference> {
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    let differs = keys.into_iter().filter(|key| old.get(*key) != new.get(*key));
    differs
        .map(|key| Difference {
            what: key.clone(),
            old: old.get(key).cloned(),
            new: new.get(key).cloned(),
        })
        .collect()
}

/// The arms that only one run has, and what differs in the others: one entry for all arms in which
/// the same differs in the same way.
fn of_arms(old: &Conditions, new: &Conditions) -> Vec<Difference> {
    let is_new = |name: &&String| old.arm(name).is_none();
    let of_new = new.arms.iter().map(|(name, _)| name).filter(is_new);
    let all: Vec<&String> = old.arms.iter().map(|(name, _)| name).chain(of_new).collect();
    let mut alone = Vec::new();
    let mut shared: Vec<(Difference, Vec<&str>)> = Vec::new();
    for name in all {
        let (Some(before), Some(after)) = (old.arm(name), new.arm(name)) else {
            let what = format!("arm {name}");
            alone.push(Difference { what, old: old.fate(name), new: new.fate(name) });
            continue;
        };
        for difference in between(before, after) {
            match shared.iter_mut().find(|(other, _)| *other == difference) {
                Some((_, arms)) => arms.push(name),
                None => shared.push((difference, vec![name])),
            }
        }
    }
    let named = |(difference, arms): (Difference, Vec<&str>)| Difference {
        what: format!("{} of {}", difference.what, arms.join(", ")),
        ..difference
    };
    alone.into_iter().chain(shared.into_iter().map(named)).collect()
}
