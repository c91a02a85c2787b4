//! Which call site of one recording is which of the other.

use std::collections::BTreeMap;

use results::recording::{CallerRow, RecordingReport};
use results::recording_diff::MatchedBy;

/// A call site of both recordings, or of one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Matched<'a> {
    /// Of both.
    Both(&'a CallerRow, &'a CallerRow, MatchedBy),
    /// Of the old one.
    Gone(&'a CallerRow),
    /// Of the new one.
    New(&'a CallerRow),
}

impl Matched<'_> {
    pub(super) fn by(&self) -> Option<MatchedBy> {
        match self {
            Matched::Both(_, _, by) => Some(*by),
            Matched::Gone(_) | Matched::New(_) => None,
        }
    }
}

/// The callers of one recording, with its report.
type Side<'a> = (&'a RecordingReport, &'a [CallerRow]);

/// Matches the callers, the surest way first; each is matched once.
pub(super) fn matched<'a>(old: Side<'a>, new: Side<'a>) -> Vec<Matched<'a>> {
    let mut left =
        (old.1.iter().collect::<Vec<&CallerRow>>(), new.1.iter().collect::<Vec<&CallerRow>>());
    let mut found = Vec::new();
    let line = |caller: &CallerRow, _: &RecordingReport| {
        Some((caller.function.clone(), vec![caller.at.clone().unwrap_or_default()]))
    };
    let file = |caller: &CallerRow, _: &RecordingReport| {
        let (file, _) = place(caller)?;
        Some((caller.function.clone(), vec![file.to_owned()]))
    };
    let function = |caller: &CallerRow, _: &RecordingReport| {
        is_named(caller).then(|| (caller.function.clone(), Vec::new()))
    };
    let stacks = |caller: &CallerRow, report: &RecordingReport| {
        is_named(caller).then(|| (caller.function.clone(), functions(caller, report)))
    };
    let mut pass = |key: &dyn Fn(&CallerRow, &RecordingReport) -> Option<Key>, by| {
        let groups = groups(&left, (old.0, new.0), key);
        for (olds, news) in groups.into_values() {
            let pairs: Vec<_> = match by {
                // Two rows that read the same are in the order of their costs.
                MatchedBy::Line => olds.into_iter().zip(news).collect(),
                // Lines that were moved keep their order.
                MatchedBy::File if olds.len() == news.len() => in_lines(olds, news),
                _ if olds.len() == 1 && news.len() == 1 => vec![(olds[0], news[0])],
                _ => Vec::new(),
            };
            for (one, other) in pairs {
                left.0.retain(|caller| !std::ptr::eq(*caller, one));
                left.1.retain(|caller| !std::ptr::eq(*caller, other));
                found.push(Matched::Both(one, other, by));
            }
        }
    };
    pass(&line, MatchedBy::Line);
    pass(&file, MatchedBy::File);
    pass(&function, MatchedBy::Function);
    pass(&stacks, MatchedBy::Stacks);
    found.extend(left.0.into_iter().map(Matched::Gone));
    found.extend(left.1.into_iter().map(Matched::New));
    found
}

/// What is the same of a site in both, beside whether it maps memory: its function, and more.
type Key = (String, Vec<String>);
/// The old and the new callers of a key.
type Group<'a> = (Vec<&'a CallerRow>, Vec<&'a CallerRow>);

fn groups<'a>(
    (olds, news): &Group<'a>,
    (old, new): (&RecordingReport, &RecordingReport),
    key: &dyn Fn(&CallerRow, &RecordingReport) -> Option<Key>,
) -> BTreeMap<(bool, Key), Group<'a>> {
    let mut groups: BTreeMap<(bool, Key), Group> = BTreeMap::new();
    for caller in olds {
        if let Some(key) = key(caller, old) {
            groups.entry((caller.maps, key)).or_default().0.push(caller);
        }
    }
    for caller in news {
        if let Some(key) = key(caller, new) {
            groups.entry((caller.maps, key)).or_default().1.push(caller);
        }
    }
    groups
}

fn in_lines<'a>(
    mut olds: Vec<&'a CallerRow>,
    mut news: Vec<&'a CallerRow>,
) -> Vec<(&'a CallerRow, &'a CallerRow)> {
    let line = |caller: &&CallerRow| place(caller).map(|(_, line)| line);
    olds.sort_by_key(line);
    news.sort_by_key(line);
    olds.into_iter().zip(news).collect()
}

/// The file and the line of a caller that has them.
fn place(caller: &CallerRow) -> Option<(&str, u64)> {
    let (file, line) = caller.at.as_deref()?.rsplit_once(':')?;
    Some((file, line.parse().ok()?))
}

/// Another build has other code at an offset.
fn is_named(caller: &CallerRow) -> bool {
    !caller.function.is_empty() && !caller.function.starts_with("0x")
}

/// The functions of its stacks, without lines and modules.
fn functions(caller: &CallerRow, report: &RecordingReport) -> Vec<String> {
    let function = |frame: &String| match frame.rsplit_once(" (") {
        Some((function, _)) => function.to_owned(),
        None => frame.clone(),
    };
    let stack = |&site: &usize| {
        let site = report.sites.get(site)?;
        Some(site.stack.iter().map(function).collect::<Vec<_>>().join("\n"))
    };
    let mut stacks: Vec<String> = caller.sites.iter().filter_map(stack).collect();
    stacks.sort_unstable();
    stacks.dedup();
    stacks
}
