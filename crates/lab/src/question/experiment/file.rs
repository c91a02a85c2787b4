//! Parses an experiment file, and says what is wrong with it and where.

mod subject;

use std::time::Duration;

use sample::access_pattern::{Between, Cache, PageOrder, Touch};
use serde::Deserialize;
use toml::Spanned;

use super::values::{duration, one_thread, passes, sizes, threads};
use super::{Experiment, Factors, Metric, Reference};
use crate::question::arm::ArmSpec;
use subject::subject;

/// A mistake in an experiment file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct Mistake {
    /// The line, counted from 1.
    pub line: usize,
    /// What was found, and what was expected.
    pub message: String,
}

/// A mistake as a message, and the byte of the file that it is about.
type Located = (usize, String);

/// The keys of the file. Spans are kept, so that a conflict between two keys has a line too.
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
    /// Parses an experiment file.
    ///
    /// # Errors
    /// The first mistake, with its line and what was expected there.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let mistake =
            |start: usize, message: String| Mistake { line: line_of(text, start), message };
        let raw: Raw = toml::from_str(text).map_err(|error| {
            // A mistake in the whole file (a missing key) has no span.
            let start = error.span().map_or(0, |span| span.start);
            mistake(start, plain(error.message()))
        })?;
        if raw.name.as_ref().is_empty()
            || raw.name.as_ref().chars().any(|c| !c.is_ascii_alphanumeric() && c != '-')
        {
            let message = "a name is one word of letters, digits and hyphens, such as my-question";
            return Err(mistake(raw.name.span().start, message.to_owned()));
        }
        if !(*raw.margin.as_ref() > 0.0 && *raw.margin.as_ref() <= 1.0) {
            let message = "a margin is a share: more than 0 and at most 1, such as 0.03 for 3 %";
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

/// Translates a message of the parser into words of the file format.
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

/// Checks that the experiment has factors, and that the ratios are above 1.
fn reference(raw: &Raw) -> Result<Option<Reference>, Located> {
    let Some(reference) = &raw.reference else { return Ok(None) };
    let (start, reference) = (reference.span().start, reference.as_ref());
    if raw.factors.is_none() {
        return Err((start, "[reference] needs [factors], and there are none".to_owned()));
    }
    if !(reference.low > 1.0 && reference.low <= reference.high && reference.high.is_finite()) {
        let message = "[reference] is a range of ratios above 1, low to high: swap the levels if \
                       they are below";
        return Err((start, message.to_owned()));
    }
    Ok(Some(reference.clone()))
}

/// The line of the byte at `start`, counted from 1.
fn line_of(text: &str, start: usize) -> usize {
    text.bytes().take(start).fold(1, |line, byte| line + usize::from(byte == b'\n'))
}

#[cfg(test)]
mod tests {
    use super::super::Subject;
    use super::*;
    use crate::Source;

    const GOOD: &str = "\
        name = \"mine\"\nquestion = \"Q?\"\nmetric = \"total_ns\"\nsize = \"1MiB\"\nmargin = 0.03\n\
        fill = 1\nbaseline = \"mmap\"\narms = [\"malloc\"]\n";

    #[test]
    fn lists_and_tables_are_parsed() {
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
    fn mistakes_have_a_line_and_say_what_was_expected() {
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
        check("baseline = \"mmap\"", "baseline = \"injected:+5%\"", 7, "cannot be the baseline");
        let against =
            |name: &str| format!("[{{ name = \"x\", source = \"mmap\", against = \"{name}\" }}]");
        check("[\"malloc\"]", &against("calloc"), 8, "no other arm is called that");
        check("[\"malloc\"]", &against("x"), 8, "no other arm is called that");
        check("[\"malloc\"]", &against("placebo"), 8, "no other arm is called that");
        let circle = "[{ name = \"x\", source = \"mmap\", against = \"y\" }, \
                      { name = \"y\", source = \"malloc\", against = \"x\" }]";
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
    fn floors_exclude_other_keys() {
        let text = "name = \"f\"\nquestion = \"Q?\"\nmetric = \"total_ns\"\nsize = \"1MiB\"\n\
                    margin = 0.03\nfloors = true\n";
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
    fn factors_replace_arms() {
        let text = "name = \"f\"\nquestion = \"Q?\"\nmetric = \"total_ns\"\nsize = \"1MiB\"\n\
                    margin = 0.03\n[factors]\napi = [\"calloc\", \"mmap\"]\nfill = [0, 255]\n\
                    position = [\"first\", \"second\"]\n";
        let experiment = Experiment::parse(text).unwrap();
        assert!(matches!(
            experiment.subject,
            Subject::Factors(Factors { fill: [0, 255], memory: None, .. })
        ));
        let same = Experiment::parse(&text.replace("255", "0")).unwrap_err();
        assert!(same.message.contains("levels of fill are the same"), "{same}");
        let three = Experiment::parse(&text.replace("255]", "255, 7]")).unwrap_err();
        assert!(three.message.contains("two levels, not 3") && three.line == 8, "{three}");
        let unknown = Experiment::parse(&text.replace("calloc", "kalloc")).unwrap_err();
        assert!(unknown.message.contains("calloc") && unknown.line == 7, "{unknown}");
        let both = Experiment::parse(&text.replace("margin", "fill = 1\nmargin")).unwrap_err();
        assert!(both.message.contains("leave out") && both.line == 5, "{both}");
    }
}
