//! Bursts of faults folded into lines.

use std::num::NonZeroU64;

use analysis::trace::{FaultBursts, FaultLines};
use events::{Call, Cause, Life};
use results::trace::{Burst, BurstOrder, Line, LineKind, Shown};

use crate::script::{ANONYMOUS, PAGE, PRIVATE, READ, Script, WRITE};

const AT: u64 = 0x7f00_0000_0000;

/// The shown lines in short form: a fault by its page, a burst by its number and range, a call by
/// its name.
fn shown(script: &mut Script, faults: FaultLines, end: bool) -> Vec<String> {
    let (mut folder, mut shown) = (FaultBursts::new(faults, PAGE), Vec::new());
    let page = |address: u64| (address - AT) / PAGE;
    let mut show = |what: Shown| {
        shown.push(match what {
            Shown::Burst(burst) => {
                let order = match burst.order {
                    BurstOrder::Upwards => "up",
                    BurstOrder::Downwards => "down",
                    BurstOrder::Mixed => "mixed",
                };
                let sparse = if burst.sparse { " sparse" } else { "" };
                format!(
                    "{} x{} {}..{} {order}{sparse}",
                    burst.tid,
                    burst.faults,
                    page(burst.low),
                    page(burst.high)
                )
            }
            Shown::Line(line) => match line.kind {
                LineKind::Fault(fault) => format!("{} fault {}", line.tid, page(fault.address)),
                LineKind::Syscall(call) => format!("{} {}", line.tid, call.name),
                LineKind::Allocation(call) => format!("{} {}", line.tid, call.function.name()),
                LineKind::Process(_) => format!("{} process", line.tid),
                LineKind::Lost(records) => format!("lost {records}"),
                LineKind::Absence(absence) => format!("{} {}", line.tid, absence.reason.word()),
                LineKind::Switched { records } => format!("records {records}"),
            },
        });
    };
    script.builder.pause(&mut |line| script.lines.push(line));
    for line in script.lines.drain(..) {
        folder.take(line, &mut show);
    }
    if end {
        folder.pause(&mut show);
    }
    shown
}

fn anonymous() -> Script {
    let mut script = Script::new();
    script.mmap(AT, 1024, WRITE, PRIVATE | ANONYMOUS);
    script
}

#[test]
fn faults_between_two_calls_of_a_thread_are_one_line() {
    let mut script = anonymous();
    for page in 0..5 {
        script.fault(AT + page * PAGE);
    }
    script.munmap(AT, 5);
    script.fault(AT + 7 * PAGE);
    assert_eq!(
        shown(&mut script, FaultLines::Summary, true),
        ["7 mmap", "7 x5 0..5 up", "7 munmap", "7 fault 7"]
    );
}

#[test]
fn the_modes() {
    let tell = || {
        let mut script = anonymous();
        script.fault(AT);
        script.fault(AT + PAGE);
        script
    };
    assert_eq!(shown(&mut tell(), FaultLines::Off, true), ["7 mmap"]);
    assert_eq!(shown(&mut tell(), FaultLines::All, true), ["7 mmap", "7 fault 0", "7 fault 1"]);
    assert_eq!(shown(&mut tell(), FaultLines::Summary, true), ["7 mmap", "7 x2 0..2 up"]);
    assert_eq!(shown(&mut tell(), FaultLines::Summary, false), ["7 mmap"], "the burst is open");
}

#[test]
fn a_copy_between_two_mappings_is_two_bursts() {
    let mut script = anonymous();
    script.mmap(AT + 2000 * PAGE, 100, READ, PRIVATE);
    for page in 0..4 {
        script.fault(AT + (2000 + 16 * page) * PAGE);
        script.fault(AT + (9 - page) * PAGE);
    }
    let lines = shown(&mut script, FaultLines::Summary, true);
    assert_eq!(lines, ["7 mmap", "7 mmap", "7 x4 2000..2049 up", "7 x4 6..10 down"]);
}

#[test]
fn threads_and_causes_are_kept_apart() {
    let mut script = anonymous();
    for page in [4, 0, 3] {
        script.be(7, 7);
        script.fault(AT + page * PAGE);
        script.be(7, 8);
        script.fault(AT + (page + 500) * PAGE);
    }
    // A call of one thread does not end a burst of the other.
    script.call(Call::Brk, &[0], 0x1000);
    script.be(7, 7);
    script.fault(AT + 9 * PAGE);
    script.fault(AT);
    let lines = shown(&mut script, FaultLines::Summary, true);
    assert_eq!(
        lines,
        ["7 mmap", "8 x3 500..505 mixed", "8 brk", "7 x4 0..10 mixed sparse", "7 fault 0"]
    );
}

#[test]
fn a_burst_is_shown_after_a_second_and_before_a_process_changes() {
    let mut script = anonymous();
    script.fault(AT);
    script.now_ns += 999_999_000;
    script.fault(AT + PAGE);
    script.fault(AT + 2 * PAGE);
    script.life(Life::Executed { name: events::Name::NONE });
    let lines = shown(&mut script, FaultLines::Summary, false);
    assert_eq!(lines, ["7 mmap", "7 fault 0", "7 x2 1..3 up", "7 process"]);
}

#[test]
fn a_burst_is_shown_after_a_second_when_nothing_follows() {
    let mut script = anonymous();
    script.lines.clear();
    script.now_ns = 5_000_000_000;
    script.fault(AT);
    let (mut folder, mut shown) = (FaultBursts::new(FaultLines::Summary, PAGE), 0);
    let began_ns = script.lines[0].time_ns;
    for line in script.lines.drain(..) {
        folder.take(line, &mut |_| shown += 1);
    }
    folder.wait(began_ns + 999_999_999, &mut |_| shown += 1);
    assert_eq!(shown, 0);
    folder.wait(began_ns + 1_000_000_000, &mut |_| shown += 1);
    folder.wait(began_ns + 9_000_000_000, &mut |_| shown += 1);
    assert_eq!(shown, 1);
}

#[test]
fn a_burst_that_skips_most_of_its_range_is_sparse() {
    let burst = |pages: &[u64]| {
        let mut script = anonymous();
        for page in pages {
            script.fault(AT + page * PAGE);
        }
        shown(&mut script, FaultLines::Summary, true).pop().expect("a burst")
    };
    assert_eq!(burst(&[3, 1, 2, 0]), "7 x4 0..4 mixed");
    assert_eq!(burst(&[3, 1, 7, 0]), "7 x4 0..8 mixed", "half of it is not skipped");
    assert_eq!(burst(&[3, 1, 8, 0]), "7 x4 0..9 mixed sparse");
    assert_eq!(burst(&[900, 500, 100]), "7 x3 100..901 down", "three have no pattern");
    let mut script = Script::new();
    script.mmap(AT, 4096, READ, PRIVATE);
    for page in [48, 0, 32, 16] {
        script.fault(AT + page * PAGE);
    }
    assert_eq!(
        shown(&mut script, FaultLines::Summary, true).pop().as_deref(),
        Some("7 x4 0..49 mixed"),
        "a fault of a file maps 16 pages"
    );
}

/// Number of faults, distance and range of each burst of anonymous pages.
fn bursts(pages: impl IntoIterator<Item = u64>) -> Vec<(u64, Option<u64>, u64, u64)> {
    let mut script = Script::new();
    script.mmap(AT, 64 * 512, WRITE, PRIVATE | ANONYMOUS);
    for page in pages {
        script.fault(AT + page * PAGE);
    }
    let (mut folder, mut bursts) = (FaultBursts::new(FaultLines::Summary, PAGE), Vec::new());
    let mut keep = |shown: Shown| match shown {
        Shown::Burst(Burst { faults, apart_bytes, low, high, .. }) => {
            bursts.push((
                faults,
                apart_bytes.map(|bytes| bytes / PAGE),
                (low - AT) / PAGE,
                (high - AT) / PAGE,
            ));
        }
        Shown::Line(Line { kind: LineKind::Fault(fault), .. }) => {
            let page = (fault.address - AT) / PAGE;
            bursts.push((1, None, page, page + 1));
        }
        Shown::Line(_) => {}
    };
    script.lines.drain(..).for_each(|line| folder.take(line, &mut keep));
    folder.pause(&mut keep);
    bursts
}

#[test]
fn faults_at_a_constant_distance_have_it() {
    assert_eq!(bursts([0, 16, 32, 48]), [(4, Some(16), 0, 49)]);
    assert_eq!(bursts([48, 32, 16]), [(3, Some(16), 16, 49)]);
    assert_eq!(bursts([0, 16]), [(2, None, 0, 17)], "two faults have no constant distance");
    assert_eq!(bursts([0, 16, 32, 47]), [(4, None, 0, 48)]);
    assert_eq!(bursts([16, 32, 16 + 64, 64]), [(4, None, 16, 81)]);
    assert_eq!(bursts([0, 1, 2]), [(3, None, 0, 3)], "consecutive pages");
}

#[test]
fn large_pages_are_a_separate_burst_with_the_end_of_the_last() {
    let mut script = Script::new();
    script.mmap(AT, 64 * 512, WRITE, PRIVATE | ANONYMOUS);
    for page in [510, 511, 512, 1024, 1536, 2048] {
        let bytes = if page < 512 { PAGE } else { 512 * PAGE };
        script.page_bytes = NonZeroU64::new(bytes);
        script.fault(AT + page * PAGE);
    }
    let (mut folder, mut bursts) = (FaultBursts::new(FaultLines::Summary, PAGE), Vec::new());
    let mut keep = |shown: Shown| {
        if let Shown::Burst(burst) = shown {
            let pages = ((burst.low - AT) / PAGE, (burst.high - AT) / PAGE);
            bursts.push((burst.faults, burst.first.large_bytes(), pages, burst.apart_bytes));
        }
    };
    script.lines.drain(..).for_each(|line| folder.take(line, &mut keep));
    folder.pause(&mut keep);
    assert_eq!(bursts, [(2, None, (510, 512), None), (4, Some(2 << 20), (512, 2560), None)]);
}

#[test]
fn a_burst_has_times_and_major_faults() {
    let mut script = anonymous();
    for (page, latency_ns) in [(0, 900), (1, 0), (2, 100), (3, 200)] {
        script.latency_ns = latency_ns;
        script.fault_as(AT + page * PAGE, page, page == 3);
    }
    let (mut folder, mut bursts) = (FaultBursts::new(FaultLines::Summary, PAGE), Vec::new());
    let mut keep = |what: Shown| {
        if let Shown::Burst(burst) = what {
            bursts.push(burst);
        }
    };
    for line in script.lines {
        folder.take(line, &mut keep);
    }
    folder.pause(&mut keep);
    // A fault without an end, and a major fault in anonymous memory, which came back from swap,
    // have another cause.
    let [burst, others] = &bursts[..] else { panic!("{bursts:?}") };
    assert_eq!((burst.faults, burst.major, burst.timed, burst.latency_ns), (2, 0, 2, 1000));
    assert_eq!((burst.p50_ns, burst.first.cause), (Some(100), Cause::FirstTouch));
    assert_eq!((others.faults, others.major, others.timed, others.latency_ns), (2, 1, 1, 200));
    assert_eq!(others.first.cause, Cause::Unknown);
}

#[test]
fn many_open_bursts_are_shown_oldest_first() {
    let mut script = Script::new();
    for n in 0..10 {
        script.mmap(AT + 100 * n * PAGE, 10, WRITE, PRIVATE | ANONYMOUS);
    }
    for n in 0..10 {
        script.fault(AT + 100 * n * PAGE);
        script.fault(AT + (100 * n + 1) * PAGE);
    }
    let lines = shown(&mut script, FaultLines::Summary, true);
    let bursts: Vec<String> =
        (0..10).map(|n| format!("7 x2 {}..{} up", 100 * n, 100 * n + 2)).collect();
    assert_eq!(lines[10..], bursts);
}
