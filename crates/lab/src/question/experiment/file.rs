//! Reading an experiment file, and saying what is wrong with it and where.

use std::time::Duration;

use sample::access_pattern::{AccessPattern, Between, Cache, PageOrder, Touch};
use serde::Deserialize;
use toml::Spanned;

use super::values::{duration, one_thread, passes, sizes, threads};
use super::{Experiment, Factors, Metric, Reference, Subject};
use crate::question::arm::{ArmSpec, PLACEBO};
use crate::question::defaults::{AccessOverrides, Defaults};

/// What is wrong with an experiment file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct Mistake {
    /// Counted from 1.
    pub line: usize,
    /// What was found, and what was expected.
    pub message: String,
}

/// The file as it is written. Spans are kept, so that a mistake that only shows between two keys
/// has a line too.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: Spanned<String>,
    question: String,
    metric: Metric,
    #[serde(deserialize_with = "sizes")]
    size: Vec<u64>,
    #[serde(default = "one_thread", deserialize_with = "threads")]
    threads: Vec<u64>,
    margin: Spanned<f64>,
    #[serde(default, deserialize_with = "duration")]
    max_time: Option<Duration>,
    bisect: Option<Spanned<bool>>,
    fill: Option<Spanned<u8>>,
    touch: Option<Touch>,
    order: Option<PageOrder>,
    between: Option<Between>,
    #[serde(default, deserialize_with = "passes")]
    passes: Vec<u32>,
    cache: Option<Cache>,
    baseline: Option<Spanned<ArmSpec>>,
    arms: Option<Spanned<Vec<Spanned<ArmSpec>>>>,
    factors: Option<Spanned<Factors>>,
    floors: Option<Spanned<bool>>,
    reference: Option<Spanned<Reference>>,
}

impl Experiment {
    /// Reads an experiment file.
    ///
    /// # Errors
    /// The first mistake, with its line and what was expected there.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let mistake =
            |start: usize, message: String| Mistake { line: line_of(text, start), message };
        let raw: Raw = toml::from_str(text).map_err(|error| {
            // What concerns the whole file (a missing key) has no place of its own.
            let start = error.span().map_or(0, |span| span.start);
            mistake(start, plain(error.message()))
        })?;
        if raw.name.as_ref().is_empty()
            || raw.name.as_ref().chars().any(|c| !c.is_ascii_alphanumeric() && c != '-')
        {
            let message = "a name is one word of letters, digits and hyphens, like \"my-question\"";
            return Err(mistake(raw.name.span().start, message.to_owned()));
        }
        if !(*raw.margin.as_ref() > 0.0 && *raw.margin.as_ref() <= 1.0) {
            let message = "a margin is a share: more than 0 and at most 1, like 0.03 for 3 %";
            return Err(mistake(raw.margin.span().start, message.to_owned()));
        }
        let bisect = raw.bisect.as_ref().filter(|bisect| *bisect.as_ref());
        if let Some(wish) = bisect.filter(|_| raw.size.len() < 2 && raw.passes.len() < 2) {
            let message =
                "bisect searches between the points of a sweep: give several sizes or passes";
            return Err(mistake(wish.span().start, message.to_owned()));
        }
        let bisect = bisect.is_some();
        let subject = subject(&raw).map_err(|(start, message)| mistake(start, message))?;
        let reference = reference(&raw).map_err(|(start, message)| mistake(start, message))?;
        Ok(Experiment {
            name: raw.name.into_inner(),
            file: None,
            question: raw.question,
            metric: raw.metric,
            sizes_bytes: raw.size,
            threads: raw.threads,
            passes: if raw.passes.len() > 1 { raw.passes } else { Vec::new() },
            margin: raw.margin.into_inner(),
            max_time: raw.max_time,
            bisect,
            subject,
            reference,
        })
    }
}

/// The reader's message in words of the file's author.
fn plain(message: &str) -> String {
    let words = [
        ("expected u8", "expected a byte, 0 to 255"),
        ("expected f64", "expected a number, like 0.03"),
        ("expected a sequence", "expected a list, like [\"malloc\"]"),
        ("expected a string", "expected a text, like \"mine\""),
    ];
    let message = message.trim_end().replace('\n', ", ");
    words.iter().fold(message, |message, (from, to)| message.replace(from, to))
}

/// What the file compares, or where it is wrong and how.
fn subject(raw: &Raw) -> Result<Subject, (usize, String)> {
    if let Some(floors) = &raw.floors {
        return floors_alone(raw, floors);
    }
    if let Some(factors) = &raw.factors {
        let other =
            raw.arms.as_ref().map(Spanned::span).or(raw.baseline.as_ref().map(Spanned::span));
        if let Some(span) = other.or(raw.fill.as_ref().map(Spanned::span)) {
            let message =
                "[factors] make the cells of an experiment: leave out baseline, arms and fill";
            return Err((span.start, message.to_owned()));
        }
        let factors_start = factors.span().start;
        let factors = factors.as_ref().clone();
        check_levels(&factors).map_err(|message| (factors_start, message))?;
        if raw.size.len() > 1 || raw.threads != [1] {
            return Err((
                factors_start,
                "an experiment with [factors] has one size and one thread".to_owned(),
            ));
        }
        return Ok(Subject::Factors(factors));
    }
    let missing = |key: &str| {
        (
            0,
            format!(
                "missing key {key:?}: an experiment has a baseline, arms and fill, or [factors]"
            ),
        )
    };
    let baseline = raw.baseline.as_ref().ok_or_else(|| missing("baseline"))?;
    let arms = raw.arms.as_ref().ok_or_else(|| missing("arms"))?;
    let fill = *raw.fill.as_ref().ok_or_else(|| missing("fill"))?.as_ref();
    if baseline.as_ref().source.is_none() {
        return Err((
            baseline.span().start,
            "an injected arm does more of the baseline's work: it cannot be it".to_owned(),
        ));
    }
    if baseline.as_ref().name == PLACEBO {
        let message =
            "the baseline's second appearance is called placebo: give the baseline another name";
        return Err((baseline.span().start, message.to_owned()));
    }
    if arms.as_ref().is_empty() {
        return Err((
            arms.span().start,
            "arms are empty: name at least one to compare with the baseline".to_owned(),
        ));
    }
    check_names(baseline.as_ref(), arms)?;
    if baseline.as_ref().against.is_some() {
        return Err((
            baseline.span().start,
            "the baseline is compared with nothing: leave out against".to_owned(),
        ));
    }
    let wish = AccessOverrides {
        touch: raw.touch,
        order: raw.order,
        between: raw.between,
        passes: raw.passes.first().copied(),
        cache: raw.cache,
    };
    let defaults = Defaults { fill, pattern: wish.over(AccessPattern::default()) };
    for (arm, start) in each(arms).chain([(baseline.as_ref(), baseline.span().start)]) {
        let pattern = arm.overrides.over(defaults.pattern);
        if let Some(reason) =
            arm.source.or(baseline.as_ref().source).and_then(|source| pattern.unfit(source))
        {
            let says_who = reason.starts_with(&arm.name);
            return Err((start, if says_who { reason } else { format!("{}: {reason}", arm.name) }));
        }
    }
    let arms = each(arms).map(|(arm, _)| arm.clone()).collect();
    Ok(Subject::Arms { baseline: baseline.as_ref().clone(), arms, defaults })
}

/// Every arm has a name of its own, and is compared with one that there is.
fn check_names(
    baseline: &ArmSpec,
    arms: &Spanned<Vec<Spanned<ArmSpec>>>,
) -> Result<(), (usize, String)> {
    let mut names = vec![baseline.name.as_str(), PLACEBO];
    for (arm, start) in each(arms) {
        if names.contains(&arm.name.as_str()) {
            let message = format!(
                "two arms are called {:?}: give one of them a name of its own, like {{ name = \"again\", source = ... }}",
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

/// Each arm, and where it begins in the file.
fn each(arms: &Spanned<Vec<Spanned<ArmSpec>>>) -> impl Iterator<Item = (&ArmSpec, usize)> {
    arms.as_ref().iter().map(|arm| (arm.as_ref(), arm.span().start))
}

/// What `arm` is compared with must be another arm, and not, by way of others, itself.
fn check_against(
    arm: &ArmSpec,
    arms: &Spanned<Vec<Spanned<ArmSpec>>>,
    names: &[&str],
) -> Result<(), String> {
    let Some(other) = &arm.against else { return Ok(()) };
    if *other == arm.name || *other == PLACEBO || !names.contains(&other.as_str()) {
        return Err(format!(
            "{:?} is to be compared with {other:?}, and no other arm is called that",
            arm.name
        ));
    }
    // A chain without a circle is shorter than the list.
    let find = |name: &str| each(arms).map(|(arm, _)| arm).find(|arm| arm.name == name);
    match arm.chain(find).nth(arms.as_ref().len() - 1) {
        Some(_) => Err(format!(
            "{:?} is compared with others in a circle: one of them needs another against",
            arm.name
        )),
        None => Ok(()),
    }
}

/// Floors leave nothing to choose but the size and the time.
fn floors_alone(raw: &Raw, floors: &Spanned<bool>) -> Result<Subject, (usize, String)> {
    let start = floors.span().start;
    let others = raw.baseline.is_some()
        || raw.arms.is_some()
        || raw.fill.is_some()
        || raw.factors.is_some()
        || raw.threads != [1];
    if others || raw.size.len() > 1 {
        let message = "floors = true measures every floor at one size: leave out baseline, arms, fill, factors and threads";
        return Err((start, message.to_owned()));
    }
    if *floors.as_ref() {
        Ok(Subject::Floors)
    } else {
        Err((start, "floors = false says nothing: leave it out".to_owned()))
    }
}

/// A reference is about the cells of factors, and its ratio is larger than 1.
fn reference(raw: &Raw) -> Result<Option<Reference>, (usize, String)> {
    let Some(reference) = &raw.reference else { return Ok(None) };
    let (start, reference) = (reference.span().start, reference.as_ref());
    if raw.factors.is_none() {
        return Err((
            start,
            "[reference] is about the cells of [factors], and there are none".to_owned(),
        ));
    }
    if !(reference.low > 1.0 && reference.low <= reference.high && reference.high.is_finite()) {
        let message = "[reference] is a range of ratios above 1, low to high: swap the levels if they are below";
        return Err((start, message.to_owned()));
    }
    Ok(Some(reference.clone()))
}

fn check_levels(factors: &Factors) -> Result<(), String> {
    if let Some(api) = factors.api.iter().find(|api| api.counts_pairs()) {
        return Err(format!(
            "{} counts pairs of malloc and free: it is no level of a factor",
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
            Err(format!("the two levels of {name} are the same: a factor compares two"))
        }
        None => Ok(()),
    }
}

/// The line of the byte at `start`, counted from 1.
fn line_of(text: &str, start: usize) -> usize {
    text.bytes().take(start).fold(1, |line, byte| line + usize::from(byte == b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;

    const GOOD: &str = "name = \"mine\"\nquestion = \"Q?\"\nmetric = \"total_ns\"\nsize = \"1MiB\"\nmargin = 0.03\nfill = 1\n\
                        baseline = \"mmap\"\narms = [\"malloc\"]\n";

    #[test]
    fn lists_and_tables_say_more_than_words() {
        let text = GOOD.replace("\"1MiB\"", "[\"1MiB\", \"64KiB..256KiB\"]").replace(
            "[\"malloc\"]",
            "[{ name = \"zeros\", source = \"mmap\", fill = 0 }]\nthreads = [2, 1]",
        );
        let experiment = Experiment::parse(&text).unwrap();
        assert_eq!(experiment.sizes_bytes, [65_536, 131_072, 262_144, 1 << 20]);
        assert_eq!(experiment.threads, [1, 2]);
        let Subject::Arms { arms, .. } = experiment.subject else {
            panic!("{:?}", experiment.subject)
        };
        assert_eq!(
            (arms[0].name.as_str(), arms[0].source, arms[0].fill),
            ("zeros", Some(Source::Mmap), Some(0))
        );
    }

    #[test]
    fn mistakes_have_a_line_and_what_was_expected() {
        let check = |from: &str, to: &str, line: usize, expect: &str| {
            let mistake = Experiment::parse(&GOOD.replace(from, to)).unwrap_err();
            assert!(mistake.message.contains(expect) && mistake.line == line, "{to}: {mistake}");
        };
        check("margin = 0.03", "surprise = 3", 5, "surprise");
        check("margin = 0.03", "", 1, "margin");
        check("margin = 0.03", "margin = 3", 5, "0.03 for 3 %");
        check("\"malloc\"", "\"mallocc\"", 8, "did you mean malloc?");
        check("\"malloc\"", "\"mmap\"", 8, "two arms are called \"mmap\"");
        check("[\"malloc\"]", "[]", 8, "arms are empty");
        check("\"1MiB\"", "\"1 banana\"", 4, "banana");
        check("\"1MiB\"", "[\"1MiB\", \"4KiB\", \"1024KiB\"]", 4, "twice");
        check("\"1MiB\"", "\"1GiB..1KiB\"", 4, "1KiB..1GiB");
        check("\"1MiB\"", "5", 4, "100MiB");
        check("\"mine\"", "\"my question\"", 1, "one word");
        check("fill = 1", "fill = 256", 6, "0 to 255");
        check("margin = 0.03", "margin = \"3%\"", 5, "a number, like 0.03");
        check("[\"malloc\"]", "\"malloc\"", 8, "a list");
        check("\"total_ns\"", "\"total\"", 3, "total_ns");
        check("question", "question = ", 2, "");
        check("fill = 1", "fill = 1\nthreads = 0", 7, "at least 1");
        check("arms = [\"malloc\"]", "", 1, "arms");
        check("[\"malloc\"]", "[{ name = \"x\" }]", 8, "source");
        check(
            "baseline = \"mmap\"",
            "baseline = { name = \"placebo\", source = \"mmap\" }",
            7,
            "another name",
        );
        check("baseline = \"mmap\"", "baseline = \"injected:+5%\"", 7, "cannot be it");
        let against =
            |name: &str| format!("[{{ name = \"x\", source = \"mmap\", against = \"{name}\" }}]");
        check("[\"malloc\"]", &against("calloc"), 8, "no other arm is called that");
        check("[\"malloc\"]", &against("x"), 8, "no other arm is called that");
        check("[\"malloc\"]", &against("placebo"), 8, "no other arm is called that");
        let circle = "[{ name = \"x\", source = \"mmap\", against = \"y\" }, { name = \"y\", source = \"malloc\", against = \"x\" }]";
        check(
            "[\"malloc\"]",
            "[\n\"malloc\",\n{ name = \"x\", source = \"mmap\", touch = \"sum\" }]",
            10,
            "x: touch",
        );
        check("[\"malloc\"]", circle, 8, "in a circle");
        let based = "baseline = { name = \"b\", source = \"mmap\", against = \"malloc\" }";
        check("baseline = \"mmap\"", based, 7, "compared with nothing");
    }

    #[test]
    fn floors_stand_alone() {
        let text = "name = \"f\"\nquestion = \"Q?\"\nmetric = \"total_ns\"\nsize = \"1MiB\"\nmargin = 0.03\nfloors = true\n";
        assert_eq!(Experiment::parse(text).unwrap().subject, Subject::Floors);
        for wrong in ["baseline = \"mmap\"", "arms = [\"mmap\"]", "fill = 1", "threads = 2"] {
            let mistake = Experiment::parse(&format!("{text}{wrong}\n")).unwrap_err();
            assert!(
                mistake.message.contains("leave out") && mistake.line == 6,
                "{wrong}: {mistake}"
            );
        }
        let sweep =
            Experiment::parse(&text.replace("\"1MiB\"", "[\"1MiB\", \"2MiB\"]")).unwrap_err();
        assert!(sweep.message.contains("one size"), "{sweep}");
        let not = Experiment::parse(&text.replace("true", "false")).unwrap_err();
        assert!(not.message.contains("leave it out") && not.line == 6, "{not}");
    }

    #[test]
    fn factors_stand_for_arms() {
        let text = "name = \"f\"\nquestion = \"Q?\"\nmetric = \"total_ns\"\nsize = \"1MiB\"\nmargin = 0.03\n\
                    [factors]\napi = [\"calloc\", \"mmap\"]\nfill = [0, 255]\nposition = [\"first\", \"second\"]\n";
        let experiment = Experiment::parse(text).unwrap();
        assert!(matches!(
            experiment.subject,
            Subject::Factors(Factors { fill: [0, 255], memory: None, .. })
        ));
        let same = Experiment::parse(&text.replace("255", "0")).unwrap_err();
        assert!(same.message.contains("levels of fill are the same"), "{same}");
        let three = Experiment::parse(&text.replace("255]", "255, 7]")).unwrap_err();
        assert!(three.message.contains("two levels, and here are 3") && three.line == 8, "{three}");
        let unknown = Experiment::parse(&text.replace("calloc", "kalloc")).unwrap_err();
        assert!(unknown.message.contains("calloc") && unknown.line == 7, "{unknown}");
        let both = Experiment::parse(&text.replace("margin", "fill = 1\nmargin")).unwrap_err();
        assert!(both.message.contains("leave out") && both.line == 5, "{both}");
    }
}
