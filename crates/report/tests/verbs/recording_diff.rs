//! The screen of two recordings against each other, from made-up comparisons.

use report::View;
use results::diff::Difference;
use results::recording::{RestMemory, SiteCosts};
use results::recording_diff::{
    CallerChange, CallerMatching, ChangeCause, ChangeVerdict, ComparedCost, CostChange, CostPart,
    DiffedRecording, FoldedChanges, MatchedBy, PartChange, PriceChange, PriceKind, RecordingDiff,
    RestChange, SCHEMA, StartChange,
};

use crate::recording::{MS, costs};
use crate::{plain, snapshots};

fn signed(ns: u64) -> i64 {
    i64::try_from(ns).expect("a made-up time")
}

fn part(part: CostPart, counts: (u64, u64), times: (u64, u64), by_counts_ns: i64) -> PartChange {
    let cost = CostChange::of(signed(times.0), signed(times.1));
    let by_price_ns = cost.change_ns - by_counts_ns;
    PartChange { part, old_count: counts.0, new_count: counts.1, cost, by_counts_ns, by_price_ns }
}

/// A site with these costs in both, and with its parts.
fn row(
    (function, at): (&str, &str),
    old: Option<SiteCosts>,
    new: Option<SiteCosts>,
    parts: &[PartChange],
) -> CallerChange {
    let cost = |costs: Option<SiteCosts>| signed(costs.map_or(0, |one| one.true_ns.unwrap()));
    let cost = CostChange::of(cost(old), cost(new));
    let by_counts_ns = match parts {
        [] if old.is_none() || new.is_none() => cost.change_ns,
        parts => parts.iter().map(|part| part.by_counts_ns).sum(),
    };
    let because = match (old, new) {
        (None, _) => Some(ChangeCause::New),
        (_, None) => Some(ChangeCause::Gone),
        _ if by_counts_ns != 0 => Some(ChangeCause::Counts),
        _ => None,
    };
    let is_different = because.is_some();
    CallerChange {
        maps: false,
        function: function.to_owned(),
        at: (!at.is_empty()).then(|| at.to_owned()),
        moved_from: None,
        matched_by: old.and(new).map(|_| MatchedBy::Line),
        old,
        new,
        cost,
        by_counts_ns,
        by_price_ns: cost.change_ns - by_counts_ns,
        machine_ns: 0,
        noise_ns: Some(0),
        parts: parts.to_vec(),
        verdict: if is_different { ChangeVerdict::Different } else { ChangeVerdict::Noise },
        because,
    }
}

fn callers() -> Vec<CallerChange> {
    let decode = |touch| costs(400, 400 << 20, [4 * MS, touch, 26 * MS]);
    let first_touch = part(
        CostPart::FirstTouch,
        (120_000, 400),
        (180 * MS, MS / 2),
        -signed(180 * MS) + signed(MS / 2),
    );
    let grown = part(CostPart::Calls, (1000, 3000), (10 * MS, 33 * MS), signed(20 * MS));
    let scan = |ns| Some(costs(8_000, 1 << 20, [ns, 2 * MS, MS]));
    let mut scan = row(("scan_all", "lib.rs:8"), scan(5 * MS), scan(20 * MS), &[]);
    scan.parts.push(part(CostPart::Calls, (8_000, 8_000), (5 * MS, 20 * MS), 0));
    (scan.verdict, scan.because) = (ChangeVerdict::Different, Some(ChangeCause::Price));
    let quiet = |name: &str, ns| {
        let at = |ns| Some(costs(70, 1 << 20, [ns, MS, MS / 10]));
        row((name, "quiet.rs:1"), at(MS), at(ns), &[])
    };
    let long = "std::vector<std::pair<std::string, unsigned long>>::grow(unsigned long)";
    vec![
        row(
            ("Image::decode", "img.rs:212"),
            Some(decode(180 * MS)),
            Some(decode(MS / 2)),
            &[first_touch],
        ),
        row(
            (long, "prs.rs:77"),
            Some(costs(1000, 5 << 20, [10 * MS, MS, MS])),
            Some(costs(3000, 15 << 20, [33 * MS, MS, MS])),
            &[grown],
        ),
        scan,
        row(("fresh", "new.rs:3"), None, Some(costs(9, 9 << 20, [MS, 4 * MS, MS])), &[]),
        row(("dropped", ""), Some(costs(9, 9 << 20, [MS, 2 * MS, MS])), None, &[]),
        quiet("one", MS + MS / 3),
        quiet("other", MS - MS / 9),
    ]
}

fn recorded(file: &str, elapsed_ns: u64, share: f64) -> DiffedRecording {
    DiffedRecording {
        file: file.to_owned(),
        command: vec!["./app".to_owned(), "data file.bin".to_owned()],
        elapsed_ns,
        share: Some(share),
        threads: 1,
        calls: 9_000,
        faults: Some(140_000),
        ..DiffedRecording::default()
    }
}

fn price(of: PriceKind, ratio: f64, scatter: Option<f64>) -> PriceChange {
    PriceChange { of, ratio, observations: 12, scatter, limit: scatter.map(|_| 6.25) }
}

fn rest(kind: RestMemory, faults: (u64, u64), times: (u64, u64)) -> RestChange {
    let cost = CostChange::of(signed(times.0), signed(times.1));
    RestChange { kind, old_faults: faults.0, new_faults: faults.1, cost }
}

/// Several sites that changed, and some noise.
pub(crate) fn of_many() -> RecordingDiff {
    let callers = callers();
    let quiet = || callers.iter().filter(|row| RecordingDiff::is_noise(row));
    let noise = FoldedChanges {
        callers: quiet().count() as u64,
        cost: CostChange::sum(quiet().map(|row| row.cost)),
    };
    let sites = CostChange::sum(callers.iter().map(|row| row.cost));
    let rest = vec![
        rest(RestMemory::ProgramData, (7_000, 7_100), (28 * MS, 29 * MS)),
        rest(RestMemory::Stack, (30, 30), (MS / 10, MS / 11)),
    ];
    let rest_total = CostChange::sum(rest.iter().map(|row| row.cost));
    let mut diff = RecordingDiff {
        schema: SCHEMA.to_owned(),
        version: "0.1.0".to_owned(),
        old: recorded("before.ft", 1_210 * MS, 0.2),
        new: recorded("after.ft", 1_020 * MS, 0.1),
        apart_ns: Some(51_000_000_000),
        margin: 0.03,
        differences: vec![Difference {
            what: "kernel".to_owned(),
            old: Some("6.1.0".to_owned()),
            new: Some("6.18.5".to_owned()),
        }],
        matching: CallerMatching { by_line: 4, by_file: 1, new: 1, gone: 1, ..Default::default() },
        prices: vec![
            price(PriceKind::Fault, 1.043, Some(0.08)),
            price(PriceKind::Call, 0.99, Some(0.12)),
            price(PriceKind::Return, 1.2, None),
        ],
        noise,
        sites,
        total: CostChange::sum([sites, rest_total]),
        rest,
        rest_total,
        start: Some(StartChange {
            old_faults: 400,
            new_faults: 402,
            cost: CostChange::of(signed(2 * MS), signed(2 * MS + MS / 8)),
        }),
        callers,
        ..RecordingDiff::default()
    };
    (diff.old.cost_ns, diff.new.cost_ns) = (sites.old_ns, sites.new_ns);
    diff
}

/// Nothing changed but prices, within the noise.
fn of_noise() -> RecordingDiff {
    let mut diff = of_many();
    diff.callers.retain(RecordingDiff::is_noise);
    diff.matching = CallerMatching { by_line: 2, ..CallerMatching::default() };
    diff.sites = diff.noise.cost;
    (diff.old.cost_ns, diff.new.cost_ns) = (diff.sites.old_ns, diff.sites.new_ns);
    diff.total = CostChange::sum([diff.sites, diff.rest_total]);
    diff.differences.clear();
    diff
}

/// A program of one site, of which the other recording has no faults.
fn of_one() -> RecordingDiff {
    let mut diff = of_noise();
    diff.callers.truncate(1);
    diff.callers[0].verdict = ChangeVerdict::Unclear;
    (diff.compared, diff.estimated) = (ComparedCost::InCalls, true);
    (diff.old.share, diff.new.share, diff.new.lost) = (None, None, 3);
    diff.noise = FoldedChanges::default();
    diff.remainder = CostChange::of(5, 1_000_000);
    diff.sites = CostChange::sum([diff.callers[0].cost, diff.remainder]);
    (diff.old.cost_ns, diff.new.cost_ns) = (diff.sites.old_ns, diff.sites.new_ns);
    (diff.rest, diff.rest_total, diff.start) = (Vec::new(), CostChange::default(), None);
    diff.prices = vec![price(PriceKind::Call, 1.3, None)];
    diff.matching = CallerMatching { by_function: 1, ..CallerMatching::default() };
    diff
}

#[test]
fn every_kind_in_every_view() {
    snapshots("recording_diff_many", |view| report::recording_diff_screen(&of_many(), view));
    snapshots("recording_diff_noise", |view| report::recording_diff_screen(&of_noise(), view));
    snapshots("recording_diff_one", |view| report::recording_diff_screen(&of_one(), view));
}

#[test]
fn what_is_within_the_noise_is_one_line() {
    let view = View::brief(None);
    let screen = plain(&report::recording_diff_screen(&of_many(), view), view);
    let line = screen.lines().find(|line| line.contains("2 sites within the noise"));
    assert!(line.is_some_and(|line| line.ends_with('~')), "{screen}");
    assert!(!screen.contains("quiet.rs"), "{screen}");
    let verbose = plain(&report::recording_diff_screen(&of_many(), View::verbose(None)), view);
    assert!(verbose.contains("quiet.rs") && !verbose.contains("within the noise"), "{verbose}");
}

/// The sums that the screen shows are those of its rows, whichever it shows.
#[test]
fn many_sites_are_folded_and_add_up() {
    let mut diff = of_many();
    let extra = diff.callers[0].clone();
    diff.callers.extend(std::iter::repeat_n(extra, 20));
    let view = View::brief(Some(120));
    let screen = plain(&report::recording_diff_screen(&diff, view), view);
    assert!(screen.contains("15 other sites"), "{screen}");
}

/// A site of next to no cost has no row of its own.
#[test]
fn what_is_negligible_is_among_the_others() {
    let mut diff = of_many();
    let mut tiny = diff.callers[3].clone();
    (tiny.function, tiny.cost) = ("negligible".to_owned(), CostChange::of(0, 900));
    let place = diff.callers.len() - 2;
    diff.callers.insert(place, tiny);
    let view = View::brief(Some(120));
    let screen = plain(&report::recording_diff_screen(&diff, view), view);
    assert!(screen.contains("1 other site") && !screen.contains("negligible"), "{screen}");
    let verbose = report::recording_diff_screen(&diff, View::verbose(Some(120)));
    assert!(verbose.contains("negligible"), "{verbose}");
}

/// Meaning is in the words as well, and no colour is red or green.
#[test]
fn colours_are_blue_and_orange() {
    for diff in [of_many(), of_noise(), of_one()] {
        let screen = report::recording_diff_screen(&diff, View::verbose(Some(120)));
        assert!(!screen.contains("\u{1b}[31m") && !screen.contains("\u{1b}[32m"), "{screen:?}");
    }
    let screen = report::recording_diff_screen(&of_many(), View::brief(Some(120)));
    assert!(screen.contains("\u{1b}[34mfaster") && screen.contains("\u{1b}[33mslower"));
}

#[test]
fn hostile_and_empty_comparisons_are_printed_all_the_same() {
    let evil = "\u{1b}[2J\nevil\u{202e}";
    let mut hostile = of_many();
    for run in [&mut hostile.old, &mut hostile.new] {
        (run.file, run.command) = (evil.into(), vec![evil.into()]);
    }
    for row in &mut hostile.callers {
        (row.function, row.at, row.moved_from) = (evil.into(), Some(evil.into()), None);
        row.cost = CostChange::of(i64::MIN, i64::MAX);
    }
    for one in &mut hostile.differences {
        (one.what, one.old, one.new) = (evil.into(), Some(evil.into()), None);
    }
    for width in [None, Some(1), Some(40), Some(80)] {
        for view in [View::brief(width), View::verbose(width)] {
            let screen = report::recording_diff_screen(&hostile, view);
            let screen = anstream::adapter::strip_str(&screen).to_string();
            let is_inert = !screen.contains(['\u{1b}', '\u{202e}']) && !screen.contains("\nevil");
            assert!(is_inert, "{screen:?}");
            let empty = report::recording_diff_screen(&RecordingDiff::default(), view);
            assert!(empty.contains("Next: "), "{empty}");
        }
    }
}
