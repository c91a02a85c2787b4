//! The screen of two results against each other: which runs, what changed, a row for each arm, then
//! what differs between the two machines and their conditions. `-v` adds the ratios against the
//! baselines, and every difference.

mod conditions;
mod recordings;
mod rows;
mod words;

use results::Verdict;
use results::diff::{Change, Diff, DiffedRun};

use crate::bench::next::exact;
use crate::bench::verdict::ratio;
use crate::number::percent;
use crate::text::{BAD, BOLD, clean, hanging, quoted, some_of, styled, typed};
use crate::view::View;
use rows::Names;

pub use recordings::screen as recordings_screen;

/// Always shown: no interval covers this.
const NOT_TOGETHER: &str =
    "Not randomised together: a difference may be the machine's, not the program's.";
/// With more changes than this, their ratios are in the table alone.
const RATIOS_MAX: usize = 4;

/// Renders `diff` as `view` wants it.
#[must_use]
pub fn screen(diff: &Diff, view: View) -> String {
    let width = view.width;
    let names = Names::of(diff);
    let mut paragraphs = vec![
        head(diff, &names, view)
            + &styled(BOLD, &hanging("", &answer(diff, &names), width))
            + &hanging("", NOT_TOGETHER, width),
        rows::table_of_changes(diff, &names, view),
    ];
    if view.verbose {
        paragraphs.push(rows::table_beside_baselines(diff, &names, view));
        paragraphs.push(left_out(diff, view));
    } else {
        let beside = beside_baselines(diff, &names);
        paragraphs.push(beside.map_or_else(String::new, |text| hanging("", &text, width)));
    }
    paragraphs.push(conditions::lines(&diff.differences, view));
    paragraphs.push(doubts(diff, view) + &hanging("Next: ", &next(diff), width));
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs.join("\n")
}

fn head(diff: &Diff, names: &Names, view: View) -> String {
    let subject = match typed(&diff.command) {
        Some(command) if !diff.command.is_empty() => format!("compare -- {command}"),
        _ => clean(&diff.experiment) + &names.point(diff),
    };
    let apart = diff.apart_ns.map(|ns| format!(", {}", words::apart(ns)));
    let title = format!("{subject}: the new run against the old{}", apart.unwrap_or_default());
    let run = |name: &str, run: &DiffedRun| {
        // To the second: 2026-11-28T08:00:00Z.
        let started = clean(&run.started);
        let second = started.split_once('.').filter(|_| started.ends_with('Z'));
        let started = second.map_or(started.clone(), |(second, _)| format!("{second}Z"));
        let head = format!("  {name}  {started}  ");
        hanging(&head, &clean(&run.file), view.width)
    };
    styled(BOLD, &hanging("", &title, view.width)) + &run("old", &diff.old) + &run("new", &diff.new)
}

/// What changed, what did not, and what is open.
fn answer(diff: &Diff, names: &Names) -> String {
    let judge = |change| Judged::of(change, names);
    let parts = judged(&diff.comparisons.iter().map(judge).collect::<Vec<_>>(), diff.margin);
    if parts.is_empty() {
        return "No figure of the two runs has a ratio.".to_owned();
    }
    format!("In the new run: {}.", parts.join("; "))
}

/// How the ratios to the baselines of their own runs changed.
fn beside_baselines(diff: &Diff, names: &Names) -> Option<String> {
    let judge = |change| Judged::beside_baseline(change, names);
    let parts = judged(&diff.comparisons.iter().filter_map(judge).collect::<Vec<_>>(), diff.margin);
    (!parts.is_empty())
        .then(|| format!("Against the baseline of its own run: {}.", parts.join("; ")))
}

/// A ratio with its verdict.
struct Judged<'a> {
    arm: &'a str,
    /// The arm, with its point and figure.
    name: String,
    word: &'static str,
    figures: (f64, Option<f64>, Option<f64>),
}

impl<'a> Judged<'a> {
    fn of(change: &'a Change, names: &Names) -> Self {
        Judged {
            arm: &change.arm,
            name: names.of_change(change),
            word: words::of(&change.metric, change.verdict, change.ratio),
            figures: (change.ratio, change.low, change.high),
        }
    }

    fn beside_baseline(change: &'a Change, names: &Names) -> Option<Self> {
        let beside = change.against_baseline.as_ref()?;
        Some(Judged {
            word: words::of(&change.metric, beside.verdict, beside.ratio),
            figures: (beside.ratio, beside.low, beside.high),
            ..Judged::of(change, names)
        })
    }
}

/// The verdicts in words, those that matter most first.
fn judged(all: &[Judged], margin: f64) -> Vec<String> {
    let count = all.iter().filter(|one| words::CHANGED.contains(&one.word)).count();
    let changed = |word: &&str| {
        let found = named(all, word, count <= RATIOS_MAX)?;
        Some(format!("{word}: {found}"))
    };
    let mut parts: Vec<String> = words::CHANGED.iter().filter_map(changed).collect();
    let same = named(all, "same", false);
    parts.extend(same.map(|names| format!("the same within {}: {names}", percent(margin))));
    let unclear = named(all, "unclear", false).map(|names| {
        let is_open = |one: &&Judged| one.word == "unclear";
        let few = all.iter().filter(is_open).all(|one| one.figures.1.is_none());
        format!("unclear: {names}{}", if few { " (too few samples for an interval)" } else { "" })
    });
    parts.extend(unclear);
    parts
}

/// What has the verdict `word`: an arm alone if all of its rows have it.
fn named(all: &[Judged], word: &str, with_ratio: bool) -> Option<String> {
    let mut arms: Vec<&str> = all.iter().map(|one| one.arm).collect();
    arms.dedup();
    let mut names = Vec::new();
    for arm in arms {
        let own: Vec<&Judged> = all.iter().filter(|one| one.arm == arm).collect();
        let found: Vec<&Judged> = own.iter().copied().filter(|one| one.word == word).collect();
        if found.len() > 1 && found.len() == own.len() {
            names.push(clean(arm));
            continue;
        }
        names.extend(found.into_iter().map(|one| {
            let (value, low, high) = one.figures;
            let figures = with_ratio.then(|| format!(" {}", ratio(value, low, high)));
            format!("{}{}", one.name, figures.unwrap_or_default())
        }));
    }
    (!names.is_empty()).then(|| some_of(&names))
}

fn left_out(diff: &Diff, view: View) -> String {
    let entry = |left: &results::diff::LeftOut| {
        let figure = format!("{} {}", clean(&left.arm), words::metric(&left.metric));
        hanging("without a ratio  ", &format!("{figure}: {}", clean(&left.reason)), view.width)
    };
    diff.left_out.iter().map(entry).collect()
}

/// What either run warns of, in one line.
fn doubts(diff: &Diff, view: View) -> String {
    let of = |name: &str, run: &DiffedRun| {
        let mut doubts: Vec<String> = run.warnings.iter().map(|id| clean(id)).collect();
        let is_told = run.warnings.iter().any(|id| id == "untrusted");
        if run.trusted == Some(false) && !is_told {
            doubts.push("its placebo is not trusted".to_owned());
        }
        (!doubts.is_empty()).then(|| format!("the {name} run: {}", doubts.join(", ")))
    };
    let doubts = [of("old", &diff.old), of("new", &diff.new)];
    let doubts: Vec<String> = doubts.into_iter().flatten().collect();
    if doubts.is_empty() {
        return String::new();
    }
    hanging(&styled(BAD, "warning  "), &doubts.join("; "), view.width)
}

/// The most useful next command.
fn next(diff: &Diff) -> String {
    let is = |verdict| diff.comparisons.iter().any(|change| change.verdict == verdict);
    // Standard input cannot be read again.
    let file = if diff.new.file == "-" { &diff.old.file } else { &diff.new.file };
    let report = format!("firsttouch report {}", quoted(file));
    if is(Verdict::Different) {
        return format!("{report} -v    (where its time goes)");
    }
    if is(Verdict::Inconclusive) && diff.command.is_empty() {
        return more_samples(diff);
    }
    format!("{report}    (that run alone)")
}

/// The command that takes twice as many samples.
fn more_samples(diff: &Diff) -> String {
    const BLOCKS: (u64, u64) = (24, 10_000);
    let samples = diff.comparisons.iter().map(|change| change.old_samples.max(change.new_samples));
    let blocks = samples.max().unwrap_or(0).saturating_mul(2).clamp(BLOCKS.0, BLOCKS.1);
    let mut sizes: Vec<u64> =
        diff.comparisons.iter().filter_map(|change| change.size_bytes).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let sizes: Vec<String> = sizes.into_iter().map(exact).collect();
    let experiment = diff.experiment_file.as_ref().unwrap_or(&diff.experiment);
    let size =
        if sizes.is_empty() { String::new() } else { format!(" --size {}", sizes.join(",")) };
    format!(
        "firsttouch bench {}{size} --blocks {blocks} --json FILE    (both again: more samples \
         decide more)",
        quoted(experiment)
    )
}
