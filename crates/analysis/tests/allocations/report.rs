//! The report of an account: names, callers, sums.

use analysis::recording::{CodeFile, FrameName, RecordingFacts, SymbolSource, report};
use events::{Allocation, AllocationFunction, MappingReport};
use results::recording::{EndedEarly, RecordingReport, RestMemory, Unnamed, UnnamedFile};

use crate::script::{PAGE, Script, first, free};

const APP: u64 = 0x5000_0000;
const LIBC: u64 = 0x7000_0000;
const AT: u64 = 0x10_0000;

/// Symbols of one program: a decoder, inlined into main, which C++ calls for.
struct Known;

fn name(function: &str, line: u32) -> FrameName {
    let file = Some(format!("/src/{}.cc", function.to_lowercase()));
    FrameName { function: Some(function.to_owned()), file, line: Some(line), offset_bytes: None }
}

impl SymbolSource for Known {
    fn names(&mut self, file: CodeFile<'_>, offsets: &[u64]) -> Vec<Vec<FrameName>> {
        assert!(offsets.is_sorted(), "each once, in order");
        let at = |offset: &u64| match (file.path, offset) {
            ("/bin/app", 0x10) => vec![name("Decode", 7), name("main", 9)],
            ("/bin/app", 0x20) => vec![FrameName { line: None, ..name("other", 0) }],
            ("/bin/app", at @ (0x30 | 0x3a)) => {
                vec![FrameName { offset_bytes: Some(at - 0x28), ..name("twice", 4) }]
            }
            ("/lib/libc.so.6", 0x10) => vec![name("strdup", 3)],
            _ => Vec::new(),
        };
        offsets.iter().map(at).collect()
    }

    fn unnamed(&self) -> Vec<UnnamedFile> {
        let file = |path: &str, why, reason: Option<&str>| UnnamedFile {
            path: path.to_owned(),
            why,
            reason: reason.map(str::to_owned),
            ..UnnamedFile::default()
        };
        vec![
            file("/lib/libz.so", Unnamed::Changed, None),
            file("/bin/app", Unnamed::Unchecked, None),
            file("/bin/app", Unnamed::NoLines, Some("of another build")),
            file("/lib/libm.so", Unnamed::NoLines, Some("it costs nothing")),
        ]
    }
}

fn mapped(script: &mut Script, start: u64, name: &str) {
    let end = start + PAGE;
    let code =
        MappingReport { start, end, protection: 5, name, inode: start, ..MappingReport::default() };
    script.map(1, &code);
}

fn called(script: &mut Script, time_ns: u64, frames: &[u64], address: u64) {
    let stack = script.frames(frames);
    let function = AllocationFunction::New;
    let call = free(0, std::num::NonZeroU64::new(10));
    script.call(time_ns, Allocation { address, stack, function, size_bytes: PAGE, ..call });
}

fn reported(script: &mut Script) -> RecordingReport {
    let (account, definitions) = script.account();
    let facts = RecordingFacts {
        version: "1".to_owned(),
        command: vec!["./app".to_owned()],
        syscalls: 2,
        probe_ns_per_call: Some(21.5),
        probe_ns_per_fault: Some(100),
        ..RecordingFacts::default()
    };
    report(&account, &definitions, &facts, &mut Known)
}

fn program() -> RecordingReport {
    let mut script = Script::new();
    mapped(&mut script, APP, "/bin/app");
    mapped(&mut script, LIBC, "/lib/libc.so.6");
    called(&mut script, 100, &[APP + 0x10], AT);
    called(&mut script, 200, &[LIBC + 0x10, APP + 0x10], AT + 8 * PAGE);
    called(&mut script, 300, &[0x99, APP + 0x20], AT + 16 * PAGE);
    called(&mut script, 400, &[LIBC + 0x30], AT + 24 * PAGE);
    script.fault(500, 50, AT + 8).fault(600, 30, AT + 8 * PAGE).fault(700, 7, APP);
    script.free((800, 804), AT).of(first(1)).exit(1000);
    reported(&mut script)
}

#[test]
fn callers_without_lines_are_costs_of_their_file() {
    let mut script = Script::new();
    mapped(&mut script, APP, "/bin/app");
    called(&mut script, 100, &[APP + 0x20], AT);
    called(&mut script, 200, &[APP + 0x10], AT + 8 * PAGE);
    let report = reported(&mut script);
    let [_, unchecked, lines] = &report.unnamed[..] else { panic!("{:?}", report.unnamed) };
    assert_eq!((unchecked.why, unchecked.cost_ns), (Unnamed::Unchecked, 20));
    assert_eq!((lines.why, lines.cost_ns), (Unnamed::NoLines, 10));
    assert_eq!(lines.reason.as_deref(), Some("of another build"), "what the source says of it");
}

#[test]
fn sites_have_names_and_callers() {
    let report = program();
    let stacks: Vec<&[String]> = report.sites.iter().map(|site| &site.stack[..]).collect();
    assert_eq!(
        stacks,
        [
            &["Decode (/src/decode.cc:7)", "main (/src/main.cc:9)"][..],
            &["strdup (/src/strdup.cc:3)", "Decode (/src/decode.cc:7)", "main (/src/main.cc:9)"],
            &["0x99 (unknown)", "other (app)"],
            &["0x30 (libc.so.6)"],
        ]
    );
    let callers: Vec<(&str, Option<&str>, &[usize])> = report
        .callers
        .iter()
        .map(|row| (&row.function[..], row.at.as_deref(), &row.sites[..]))
        .collect();
    assert_eq!(
        callers,
        [
            ("Decode", Some("decode.cc:7"), &[0, 1][..]),
            ("0x99", None, &[2]),
            ("0x30", Some("libc.so.6"), &[3]),
        ]
    );
}

#[test]
fn costs_add_up() {
    let report = program();
    let (decode, all) = (&report.callers[0], &report.costs);
    assert_eq!((decode.costs.apparent_ns, decode.costs.first_touch_ns), (20, Some(80)));
    assert_eq!((decode.costs.release_ns, decode.costs.true_ns), (4, Some(104)));
    assert_eq!(decode.true_per_apparent, Some(5.2));
    assert_eq!((all.calls, all.frees, all.bytes), (4, 1, 4 * PAGE));
    assert_eq!((all.apparent_ns, all.true_ns, all.minor_faults), (40, Some(124), Some(2)));
    let totals = &report.totals;
    assert_eq!((totals.minor_faults, totals.faults_attributed), (Some(3), Some(2)));
    assert_eq!((totals.peak_live_bytes, totals.peak_ns), (4 * PAGE, 410));
    assert_eq!((totals.threads_ns, totals.probe_ns_per_call), (900, Some(21.5)));
    assert_eq!((report.elapsed_ns, report.share), (1000, Some(124.0 / 1000.0)));
    // Five calls and three faults; what a syscall costs is not known.
    assert_eq!((report.recording_ns, totals.syscalls), (Some(408), Some(2)));
    assert_eq!(report.rest.len(), 1);
    assert_eq!((report.rest[0].kind, report.rest[0].fault_ns), (RestMemory::File, 7));
    let unnamed: Vec<(&str, Unnamed, Option<&str>, u64)> = report
        .unnamed
        .iter()
        .map(|file| (&file.path[..], file.why, file.reason.as_deref(), file.cost_ns))
        .collect();
    // The caller of no file is not one of the program's, nor is a library that no caller is in.
    assert_eq!(
        unnamed,
        [
            ("/lib/libz.so", Unnamed::Changed, None, 0),
            ("/bin/app", Unnamed::Unchecked, None, 104),
            ("/lib/libc.so.6", Unnamed::Stripped, None, 10),
        ]
    );
}

#[test]
fn sums_of_a_sampled_recording_are_exact_and_its_sites_have_errors() {
    let every = |mean_bytes| events::StackSampling {
        mean_bytes: std::num::NonZeroU64::new(mean_bytes).expect("it is not 0"),
    };
    let mut script = Script::new();
    mapped(&mut script, APP, "/bin/app");
    called(&mut script, 100, &[APP + 0x10], AT);
    let not_taken = Allocation {
        address: AT + 8 * PAGE,
        size_bytes: PAGE,
        stack: events::StackId::NOT_TAKEN,
        function: AllocationFunction::Malloc,
        ..free(0, std::num::NonZeroU64::new(30))
    };
    script.call(200, not_taken).fault(500, 50, AT + 8).fault(600, 7, AT + 8 * PAGE);
    script.fault(650, 3, APP).free((700, 704), AT).free((800, 806), AT + 8 * PAGE);
    // The chance of a page is one half.
    script.sample(every(5909)).exit(1000);
    let report = reported(&mut script);
    let sampled = report.sampled.expect("it is sampled");
    assert_eq!((sampled.mean_bytes, sampled.chosen_calls), (5909, 1));
    let all = &report.costs;
    assert_eq!((all.calls, all.frees, all.bytes), (2, 2, 2 * PAGE));
    assert_eq!((all.apparent_ns, all.first_touch_ns, all.release_ns), (40, Some(57), 10));
    assert_eq!((all.minor_faults, all.calls_error, all.true_error_ns), (Some(2), None, None));
    assert_eq!(report.totals.faults_attributed, Some(2));
    assert_eq!((report.rest.len(), report.rest[0].minor_faults), (1, 1));
    let [site] = &report.sites[..] else { panic!("{:?}", report.sites) };
    let costs = &site.costs;
    assert_eq!((costs.calls, costs.bytes, costs.frees), (2, 2 * PAGE, 2));
    assert_eq!((costs.apparent_ns, costs.first_touch_ns, costs.release_ns), (20, Some(100), 8));
    // (1 - p) / p^2 is 2, a little less since the distance is a whole number.
    let (calls_error, bytes_error) = (costs.calls_error, costs.bytes_error);
    assert_eq!((calls_error, bytes_error), (Some(1), Some(5792)));
    assert_eq!(costs.first_touch_error_ns, Some(71));
    assert_eq!(costs.true_error_ns, Some(71 + 14 + 6), "the sum of those of its parts");
    assert_eq!(report.callers[0].costs.true_error_ns, costs.true_error_ns);
}

#[test]
fn what_was_not_seen_is_not_known() {
    let header = events::Header {
        sees: events::Sees { allocations: true, ..events::Sees::default() },
        ..crate::script::header()
    };
    let account = analysis::allocations::Ledger::new(&header).finish(0);
    let definitions = events::Definitions::default();
    let report = report(&account, &definitions, &RecordingFacts::default(), &mut Known);
    assert_eq!((report.costs.true_ns, report.costs.syscalls, report.share), (None, None, None));
    assert_eq!((report.totals.minor_faults, report.totals.calls), (None, 0));
    assert!(report.seen.allocations && !report.seen.faults);
}

#[test]
fn what_a_cut_recording_lost_is_not_known() {
    let account = analysis::allocations::Ledger::new(&crate::script::header()).finish(100);
    let definitions = events::Definitions::default();
    let of = |ended_early| {
        let facts = RecordingFacts { ended_early, ..RecordingFacts::default() };
        report(&account, &definitions, &facts, &mut Known)
    };
    let whole = of(None);
    assert_eq!((whole.costs.true_ns, whole.costs.minor_faults), (Some(0), Some(0)));
    assert!(!whole.lacks_calls());
    let cut = of(Some(EndedEarly::Unknown));
    assert_eq!((cut.costs.true_ns, cut.costs.syscalls, cut.share), (None, None, None));
    assert_eq!((cut.totals.minor_faults, cut.totals.faults_attributed), (None, None));
    assert!(cut.lacks_calls() && !cut.seen.faults && !cut.seen.syscalls);
    assert_eq!((whole.faults_until_ns, cut.faults_until_ns), (None, Some(0)));
    assert!(of(Some(EndedEarly::Stopped)).seen.faults, "that file has its end");
}

#[test]
fn a_cut_recording_says_until_when_it_has_faults() {
    let mut script = Script::new();
    mapped(&mut script, APP, "/bin/app");
    called(&mut script, 100, &[APP + 0x10], AT);
    script.fault(300, 20, AT);
    called(&mut script, 5_000, &[APP + 0x10], AT + PAGE);
    let facts =
        RecordingFacts { ended_early: Some(EndedEarly::Unwritable), ..RecordingFacts::default() };
    let (account, definitions) = script.account();
    let report = report(&account, &definitions, &facts, &mut Known);
    assert_eq!(report.totals.minor_faults, Some(1));
    assert!((300..5_000).contains(&report.faults_until_ns.expect("it is cut")), "{report:?}");
}

#[test]
fn syscalls_outside_of_calls_are_the_programs_own_where_all_calls_are_known() {
    let mut script = Script::new();
    mapped(&mut script, APP, "/bin/app");
    called(&mut script, 100, &[APP + 0x10], AT);
    script.syscall(105).syscall(300).syscall(400);
    let (account, definitions) = script.account();
    let own = |ended_early| {
        let facts = RecordingFacts { ended_early, ..RecordingFacts::default() };
        let totals = report(&account, &definitions, &facts, &mut Known).totals;
        (totals.own_syscalls, totals.own_syscall_ns)
    };
    assert_eq!(own(None), (Some(2), Some(0)));
    assert_eq!(own(Some(EndedEarly::Stopped)), (Some(2), Some(0)));
    assert_eq!(own(Some(EndedEarly::Unknown)), (None, None));
}

#[test]
fn two_calls_on_a_line_are_told_apart() {
    let mut script = Script::new();
    mapped(&mut script, APP, "/bin/app");
    for (time_ns, inner, address) in [(100, 0x30, AT), (200, 0x3a, AT + PAGE)] {
        called(&mut script, time_ns, &[APP + inner, APP + 0x10], address);
    }
    let report = reported(&mut script);
    let mut stacks: Vec<&[String]> = report.sites.iter().map(|site| &site.stack[..]).collect();
    stacks.sort_unstable();
    let outer = ["Decode (/src/decode.cc:7)".to_owned(), "main (/src/main.cc:9)".to_owned()];
    let of = |offset: &str| [&[format!("twice (/src/twice.cc:4 +{offset})")], &outer[..]].concat();
    assert_eq!(stacks, [of("0x12"), of("0x8")]);
    assert_eq!(report.callers.len(), 1, "they have one row");
}
