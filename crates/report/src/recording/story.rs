//! What the table says in sentences: what the first row really costs, and how much memory was never
//! touched.

use results::recording::{CallerRow, RecordingReport, SiteDetail, TouchedWhen};

use super::functions;
use crate::number::{Nanoseconds, bytes, digits, percent, rounded, several, whole};
use crate::text::{broken, clean, hanging};
use crate::view::View;

/// The most characters of a function in a sentence.
const FUNCTION_CHARACTERS: usize = 40;
/// A function that touches less of a caller's memory is not the only one.
const ALL: f64 = 0.95;
const MOST: f64 = 0.5;
/// Giving back is told where it is such a part of the cost.
const RELEASE_SAID: f64 = 0.1;

/// The sentences below the table.
pub(super) fn story(report: &RecordingReport, view: View) -> String {
    let first = report.deferred().filter(|_| !report.has_no_stacks());
    let first = first.map(|caller| {
        let detail = report.detail_of(caller);
        let name = name_in_sentence(caller);
        format!("{name}: {}.", true_cost(report, caller, &detail))
    });
    let sentences: Vec<String> = first.into_iter().chain(touched(report)).collect();
    if sentences.is_empty() {
        return String::new();
    }
    "\n".to_owned() + &broken("", &sentences.join(" "), view.width)
}

/// `main at main.c:9`.
fn name_in_sentence(caller: &CallerRow) -> String {
    named(&caller.function, caller.at.as_deref())
}

/// The same of a function at a place.
pub(crate) fn named(function: &str, at: Option<&str>) -> String {
    let function = functions::with_short_strings(&clean(function));
    let function = functions::fitted(&function, FUNCTION_CHARACTERS);
    match at {
        Some(at) => format!("{function} at {}", clean(at)),
        None => function,
    }
}

/// What the calls of a caller say, and what they cost in truth, as a clause.
pub(super) fn true_cost(
    report: &RecordingReport,
    caller: &CallerRow,
    detail: &SiteDetail,
) -> String {
    let costs = &caller.costs;
    let is_estimated = !caller.maps && (report.sampled.is_some() || report.thinned.is_some());
    let about = if is_estimated { "about " } else { "" };
    let of = if caller.maps { " of mmap" } else { "" };
    let (calls, say, cost) = match costs.calls {
        1 => (format!("its call{of}"), "says", "costs"),
        calls if is_estimated => (format!("about {} calls", whole(rounded(calls))), "say", "cost"),
        calls => (format!("its {} calls{of}", whole(calls)), "say", "cost"),
    };
    let says = Nanoseconds(costs.apparent_ns);
    let Some(true_ns) = costs.true_ns else {
        let release = Nanoseconds(costs.release_ns);
        return format!("{calls} {say} {says}, giving back {release}; first touch is not known");
    };
    let ratio = caller.true_per_apparent.filter(|&ratio| ratio >= 1.05);
    let ratio = ratio.map(|ratio| format!(" = {}x", digits(ratio, 2))).unwrap_or_default();
    let head = format!("{calls} {say} {says}, truly {cost} {about}{}{ratio}", Nanoseconds(true_ns));
    let mut parts = Vec::new();
    let first_touch_ns = costs.first_touch_ns.unwrap_or(0);
    let release_matters = costs.release_ns as f64 >= RELEASE_SAID * true_ns as f64;
    if let Some(faults) = costs.touch_faults.filter(|&faults| faults > 0 && first_touch_ns > 0) {
        let faults = if is_estimated { rounded(faults) } else { faults };
        let faults = several(faults, "first-touch fault", "first-touch faults");
        let time = Nanoseconds(first_touch_ns);
        let took = if release_matters { format!(" ({time})") } else { String::new() };
        parts.push(format!("{about}{faults}{}{}{took}", when(detail), touchers(detail)));
    }
    if release_matters {
        parts.push(format!("{} to give it back", Nanoseconds(costs.release_ns)));
    }
    if parts.is_empty() { head } else { format!("{head}: {}", parts.join(", ")) }
}

/// Whether the faults came after the calls, where that is known.
fn when(detail: &SiteDetail) -> &'static str {
    match detail.touched_when() {
        Some(TouchedWhen::InsideCalls) => " inside the calls",
        Some(TouchedWhen::MostlyInsideCalls) => " mostly inside the calls",
        Some(TouchedWhen::MostlyLater) => " mostly later",
        Some(TouchedWhen::Later) => " later",
        None => "",
    }
}

/// The functions that touched the memory.
fn touchers(detail: &SiteDetail) -> String {
    let Some((toucher, part)) = detail.costliest_toucher() else { return String::new() };
    let name = toucher_name(&toucher.function, toucher.at.as_deref());
    let others = detail.touchers.len() as u64 - 1;
    match part {
        part if part >= ALL || others == 0 => format!(", in {name}"),
        part if part >= MOST => format!(", most of them in {name}"),
        _ => format!(", in {name} and {}", several(others, "other function", "other functions")),
    }
}

/// A function; one without a name with its library.
pub(super) fn toucher_name(function: &str, at: Option<&str>) -> String {
    let name = functions::with_short_strings(&clean(functions::of_every_processor(function)));
    let name = functions::fitted(&name, FUNCTION_CHARACTERS);
    match at {
        Some(at) if function.starts_with("0x") => format!("{name} ({})", clean(at)),
        _ => name,
    }
}

/// How much memory was touched, if a good part was not.
fn touched(report: &RecordingReport) -> Option<String> {
    let touched = report.untouched()?;
    let share = percent(touched.share());
    let all = bytes(touched.watched_bytes as f64);
    let nothing = match touched.untouched_callers {
        0 => String::new(),
        sites => format!(", of {} nothing", several(sites, "site", "sites")),
    };
    Some(format!(
        "Touched in all: {share} of {all} in whole pages of one block{nothing} (--untouched)."
    ))
}

/// The table of the callers with memory that was never touched, or why there is none.
pub(super) fn untouched_callers(report: &RecordingReport, most: usize, view: View) -> String {
    let Some(all) = report.touched() else {
        let why = if report.seen.kernel_faults {
            "Which memory was touched is not known: no block has a whole page of its own, and \
             no mapping is memory from the beginning (writable, of no file, no reservation)."
        } else {
            "Which memory was touched is not known: faults in the kernel were not seen."
        };
        return "\n".to_owned() + &hanging("", why, view.width);
    };
    let never = bytes(all.never_touched_bytes as f64);
    let watched = bytes(all.watched_bytes as f64);
    let share = percent(1.0 - all.share());
    let sentence = format!(
        "Never touched: {never} = {share} of {watched} asked for (in whole pages of one block)."
    );
    let has_some = |caller: &&CallerRow| {
        report.touched_of(caller).is_some_and(|touched| touched.never_touched_bytes > 0)
    };
    let count = report.callers.iter().filter(has_some).count();
    let mut text = "\n".to_owned() + &hanging("", &sentence, view.width);
    if count > 0 {
        text += &super::table::table_of_callers(report, most.min(count), view);
    }
    text
}
