//! Why code has no names, or no lines, and what helps.

use results::recording::{RecordingReport, Unnamed, UnnamedFile};

use crate::number::percent;
use crate::text::{clean, some_of};

/// A debug file that cannot be used is worth a line from this share of the cost on.
const REASON_SAID: f64 = 0.1;
/// Code without names is worth one from this share on.
const NAMELESS_SAID: f64 = 0.5;
/// Digits of a build id that are enough where it only tells builds apart.
const SHORT_ID: usize = 12;

/// The files that could not be used, or perhaps should not.
pub(super) fn unusable(report: &RecordingReport) -> impl Iterator<Item = String> {
    let of = |why| -> Vec<&UnnamedFile> {
        report.unnamed.iter().filter(|file| file.why == why).collect()
    };
    // Of a redacted recording, files have no folders.
    let (bare, missing): (Vec<_>, Vec<_>) = of(Unnamed::Missing)
        .into_iter()
        .partition(|file| report.redacted && !file.path.contains('/'));
    let changed = of(Unnamed::Changed);
    let sentence = |files: &[&UnnamedFile], is: &str, are: &str| {
        let verb = if files.len() == 1 { is } else { are };
        let paths: Vec<String> = files.iter().map(|file| clean(&file.path)).collect();
        (!files.is_empty())
            .then(|| format!("No names for the code of {}: {verb}.", some_of(&paths)))
    };
    let sentences = [
        sentence(&changed, "it is another build now", "they are other builds now"),
        sentence(&missing, "it is not there any more", "they are not there any more"),
        sentence(&bare, "it is not in this directory", "they are not in this directory"),
    ];
    let unreadable: Vec<String> = of(Unnamed::Unreadable)
        .into_iter()
        .map(|file| {
            let reason = file.reason.as_deref().unwrap_or("unknown");
            format!("No names for the code of {}: {}.", clean(&file.path), clean(reason))
        })
        .collect();
    let unchecked: Vec<String> = of(Unnamed::Unchecked)
        .into_iter()
        .filter(|file| file.cost_ns > 0)
        .map(|file| clean(&file.path))
        .collect();
    let doubted = (!unchecked.is_empty()).then(|| {
        format!(
            "Names in {} are those of the file that is there now: no build id was recorded that \
             would say whether it is another build.",
            some_of(&unchecked)
        )
    });
    sentences.into_iter().flatten().chain(unreadable).chain(doubted)
}

/// What would give names to code that has none, or lines, if much of the cost is there.
pub(super) fn nameless(report: &RecordingReport) -> Option<String> {
    let all_ns = report
        .costs
        .true_ns
        .unwrap_or_else(|| report.costs.apparent_ns.saturating_add(report.costs.release_ns));
    let share = |file: &UnnamedFile| file.cost_ns as f64 / all_ns.max(1) as f64;
    let files = || {
        let lacks = |why| matches!(why, Unnamed::Stripped | Unnamed::NoLines);
        report.unnamed.iter().filter(move |file| lacks(file.why))
    };
    let most = files().max_by_key(|file| file.cost_ns)?;
    let what = if most.why == Unnamed::Stripped { "names" } else { "lines" };
    let path = clean(&most.path);
    if let Some(reason) = most.reason.as_deref().filter(|_| share(most) >= REASON_SAID) {
        let of = percent(share(most));
        let own = reason.strip_prefix(&most.path).and_then(|rest| rest.strip_prefix(": "));
        let reason = clean(own.unwrap_or(reason));
        return Some(format!("{of} of the cost is in {path}, without {what}: {reason}."));
    }
    let nameless: f64 = files().map(share).sum();
    if nameless < NAMELESS_SAID {
        return None;
    }
    let id = most.build_id.as_deref();
    let build = id.map_or("no build id".to_owned(), |id| {
        format!("build {}", clean(id.get(..SHORT_ID).unwrap_or(id)))
    });
    let fetch = id.map_or(String::new(), |id| {
        format!(", or fetch them by `debuginfod-find debuginfo {}`", clean(id))
    });
    Some(format!(
        "{} of the cost is in code without {what}, such as {path} ({build}): no debug file is next \
         to it, below /usr/lib/debug or in the cache of debuginfod. Compile with -g; for a \
         program of the distribution install its debug symbols (Debian: NAME-dbgsym){fetch}.",
        percent(nameless)
    ))
}
