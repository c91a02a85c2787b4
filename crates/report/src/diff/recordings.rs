//! The screen of two recordings against each other: the two runs, what changed most, a row for each
//! call site that changed beyond the noise, and what an operation costs now.

mod story;
mod table;

use results::recording_diff::{
    ChangeCause, ChangeVerdict, ComparedCost, DiffedRecording, PriceChange, PriceKind,
    RecordingDiff,
};

use super::{conditions, words};
use crate::number::{Nanoseconds, digits, duration, fixed, percent, several, whole};
use crate::text::{BAD, BOLD, broken, clean, hanging, quoted, styled, typed};
use crate::view::View;

/// Prices that changed less than this are the same.
const PRICE_SAME: f64 = 0.03;

/// Renders `diff` as `view` wants it.
#[must_use]
pub fn screen(diff: &RecordingDiff, view: View) -> String {
    let mut paragraphs = vec![
        head(diff, view)
            + &styled(BOLD, &broken("", &story::answer(diff), view.width))
            + &hanging("", &matching(diff), view.width),
        table::table_of_changes(diff, view),
        hanging("", &prices(diff, view), view.width) + &notes(diff, view),
        conditions::lines(&diff.differences, view),
        hanging("Next: ", &next(diff), view.width),
    ];
    paragraphs.retain(|paragraph| !paragraph.trim().is_empty());
    paragraphs.join("\n")
}

fn head(diff: &RecordingDiff, view: View) -> String {
    let (old, new) = (&diff.old, &diff.new);
    let command = |run: &DiffedRecording| typed(&run.command).filter(|text| !text.is_empty());
    let subject = command(new).map_or(String::new(), |command| format!("{command}: "));
    let apart = diff.apart_ns.map(|ns| format!(", {}", words::apart(ns))).unwrap_or_default();
    let title = format!("{subject}the new recording against the old{apart}");
    let line = |name: &str, run: &DiffedRecording| {
        let what = match diff.compared {
            ComparedCost::True => "memory cost",
            ComparedCost::InCalls => "in calls",
        };
        let of = if run.threads > 1 { "of the time of its threads" } else { "of it" };
        let share = run.share.map(|share| format!(" = {} {of}", percent(share)));
        let cost = Nanoseconds(run.cost_ns.unsigned_abs());
        let text = format!(
            "{}: ran {}, {what} {cost}{}",
            clean(&run.file),
            Nanoseconds(run.elapsed_ns),
            share.unwrap_or_default(),
        );
        hanging(&format!("  {name}  "), &text, view.width)
    };
    styled(BOLD, &broken("", &title, view.width)) + &line("old", old) + &line("new", new)
}

/// How many sites both have, and by what that is known.
fn matching(diff: &RecordingDiff) -> String {
    let found = &diff.matching;
    let ways = [
        (found.by_line, "by function and line"),
        (found.by_file, "by function and file (their lines moved)"),
        (found.by_function, "by function"),
        (found.by_stacks, "by their stacks"),
    ];
    let both: u64 = ways.iter().map(|(count, _)| count).sum();
    let used: Vec<_> = ways.into_iter().filter(|(count, _)| *count > 0).collect();
    let ways: Vec<String> = match &used[..] {
        [(_, way)] => vec![(*way).to_owned()],
        _ => used.iter().map(|(count, way)| format!("{} {way}", whole(*count))).collect(),
    };
    let way = if ways.is_empty() { String::new() } else { format!(" ({})", ways.join(", ")) };
    let alone = [(found.gone, "the old one alone"), (found.new, "the new one alone")];
    let alone = alone.into_iter().filter(|(count, _)| *count > 0);
    let alone: Vec<String> =
        alone.map(|(count, who)| format!(", {} in {who}", whole(count))).collect();
    let both = several(both, "call site is", "call sites are");
    format!("{both} in both{way}{}.", alone.concat())
}

/// What an operation costs now.
fn prices(diff: &RecordingDiff, view: View) -> String {
    let (known, unknown): (Vec<&PriceChange>, Vec<&PriceChange>) =
        diff.prices.iter().partition(|price| price.scatter.is_some());
    let mut sentences = Vec::new();
    let is_same = |price: &&&PriceChange| (price.ratio - 1.0).abs() <= PRICE_SAME;
    let changed: Vec<&&PriceChange> = known.iter().filter(|price| !is_same(price)).collect();
    if let [first, others @ ..] = &changed[..] {
        let times = |price: &PriceChange| fixed(price.ratio, 2);
        let other = |price: &&&PriceChange| format!(", {} {}x", operation(price.of), times(price));
        let others: Vec<String> = others.iter().map(other).collect();
        sentences.push(format!(
            "{} costs {}x of what it did{}, over all sites: the machine, or what all of them do.",
            operation(first.of),
            times(first),
            others.concat()
        ));
    }
    let same: Vec<&str> = known.iter().filter(is_same).map(|price| operation(price.of)).collect();
    if !same.is_empty() {
        let costs = if same.len() == 1 { "costs" } else { "cost" };
        sentences.push(format!("{} {costs} what it did.", same.join(" and ")));
    }
    if !unknown.is_empty() {
        let names: Vec<&str> = unknown.iter().map(|price| operation(price.of)).collect();
        sentences.push(format!(
            "Too few sites to know by how much chance changes the price of {}.",
            names.join(", ")
        ));
    }
    if view.verbose {
        let figures = |price: &&PriceChange| {
            let scatter = price.scatter.map(|scatter| {
                let limit = price.limit.unwrap_or_default();
                format!(", scatter {}, noise up to {}x that", percent(scatter), digits(limit, 2))
            });
            let sites = several(price.observations, "price", "prices");
            let ratio = fixed(price.ratio, 2);
            format!("{} {ratio}x ({sites}{})", operation(price.of), scatter.unwrap_or_default())
        };
        let all: Vec<String> = known.iter().chain(&unknown).map(figures).collect();
        if !all.is_empty() {
            sentences.push(format!("New / old: {}.", all.join("; ")));
        }
    }
    let capital = |sentence: String| {
        let mut characters = sentence.chars();
        let first = characters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(characters).collect::<String>()
    };
    sentences.into_iter().map(capital).collect::<Vec<_>>().join(" ")
}

fn operation(kind: PriceKind) -> &'static str {
    match kind {
        PriceKind::Fault => "a fault",
        PriceKind::Call => "a call",
        PriceKind::Syscall => "a syscall in a call",
        PriceKind::Free => "a free",
        PriceKind::Return => "returning memory to the kernel",
    }
}

/// What makes the changes less certain than they look.
fn notes(diff: &RecordingDiff, view: View) -> String {
    let mut notes = Vec::new();
    if diff.compared == ComparedCost::InCalls {
        notes.push(
            "One of the recordings has no page faults, so only the time in calls is compared, \
             faults inside them included."
                .to_owned(),
        );
    }
    if diff.estimated {
        notes.push(
            "Figures of call sites are estimates (not all calls are followed, or have stacks): a \
             change within its error is noise."
                .to_owned(),
        );
    }
    for (name, run) in [("old", &diff.old), ("new", &diff.new)] {
        if run.lost > 0 {
            let lost = several(run.lost, "record was", "records were");
            notes.push(format!("The {name} recording is not complete: {lost} lost."));
        }
    }
    let of_price =
        |row: &&results::recording_diff::CallerChange| row.because == Some(ChangeCause::Price);
    if diff.callers.iter().any(|row| of_price(&row)) {
        notes.push(
            "faster?, slower?: the counts are the same, the price changed by more than it scatters \
             over the sites. A machine that is busy for a moment does that, too: record again."
                .to_owned(),
        );
    }
    notes.iter().map(|note| hanging(&styled(BAD, "note "), note, view.width)).collect()
}

/// The most useful next command.
fn next(diff: &RecordingDiff) -> String {
    let is_open = |row: &results::recording_diff::CallerChange| {
        row.verdict == ChangeVerdict::Unclear || row.because == Some(ChangeCause::Price)
    };
    let command = typed(&diff.new.command).filter(|command| !command.is_empty());
    let is_recording = std::path::Path::new(&diff.new.file).extension().is_some_and(|e| e == "ft");
    match command {
        Some(command) if diff.callers.first().is_some_and(is_open) || !is_recording => {
            format!("firsttouch compare -- {command}    (many runs, which tell noise apart)")
        }
        _ => format!("firsttouch report {}    (that recording alone)", quoted(&diff.new.file)),
    }
}

/// A change with its sign: `-222 ms`.
fn signed(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "+" };
    if ns == 0 { "0 ns".to_owned() } else { sign.to_owned() + &duration(ns.unsigned_abs() as f64) }
}
