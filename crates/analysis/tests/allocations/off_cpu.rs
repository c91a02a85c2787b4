//! Times off the processor: each in the innermost of what is paid for, once, or in nothing.

use std::num::NonZeroU64;

use analysis::allocations::OffCpuTimes;
use analysis::recording::{CodeFile, FrameName, RecordingFacts, SymbolSource, report};
use events::{Absence, AbsenceReason, Call, EventKind, Name, Span, Syscall};
use results::recording::{OffCpu, UnnamedFile};

use crate::script::{PAGE, Script, first, free};

const SITE: u64 = 0x40_0000;
const AT: u64 = 0x10_0000;

struct Nameless;

impl SymbolSource for Nameless {
    fn names(&mut self, _: CodeFile<'_>, offsets: &[u64]) -> Vec<Vec<FrameName>> {
        vec![Vec::new(); offsets.len()]
    }

    fn unnamed(&self) -> Vec<UnnamedFile> {
        Vec::new()
    }
}

fn away(script: &mut Script, from_ns: u64, to_ns: u64, reason: AbsenceReason) {
    let latency_ns = to_ns - from_ns;
    script.event(from_ns, EventKind::Absence(Absence { latency_ns, reason }));
}

fn munmap(script: &mut Script, time_ns: u64, latency_ns: u64, start: u64, bytes: u64) {
    script.event(
        time_ns,
        EventKind::Syscall(Syscall {
            call: Call::Munmap,
            arguments_known: true,
            text: Name::NONE,
            arguments: [start, bytes, 0, 0, 0, 0],
            result: Some(0),
            span: Span { latency_ns: NonZeroU64::new(latency_ns), on_cpu_ns: None },
        }),
    );
}

/// A program that is away in everything that it does.
fn absent() -> Script {
    use AbsenceReason::{Blocked, LeftOut, Preempted, Stopped, Unknown};
    let mut script = Script::new();
    script.of(first(1)).fault(10, 5, 0x9000_0000);
    script.malloc((100, 1100), SITE, (AT, 2 * PAGE));
    away(&mut script, 200, 500, Blocked);
    script.fault(600, 200, AT);
    away(&mut script, 650, 750, Preempted);
    script.fault(2000, 500, AT + PAGE);
    away(&mut script, 2100, 2400, Blocked);
    // In nothing that is paid for: outside of all, and in a fault on no block.
    away(&mut script, 3000, 4000, Blocked);
    script.fault(4100, 200, 0x9000_0000);
    away(&mut script, 4150, 4200, Preempted);
    script.free((5000, 5800), AT);
    away(&mut script, 5100, 5500, Stopped);
    // By the clock of the kernel it begins before the call.
    away(&mut script, 5990, 6500, Unknown);
    script.malloc((6000, 7000), SITE, (2 * AT, PAGE));
    // In a call of a signal handler, inside another one.
    script.malloc((8000, 9000), SITE, (3 * AT, PAGE));
    script.malloc((8200, 8600), SITE, (4 * AT, PAGE));
    away(&mut script, 8300, 8400, Preempted);
    // By that clock it ends after it.
    script.malloc((9500, 9600), SITE, (5 * AT, PAGE));
    away(&mut script, 9550, 9700, Preempted);
    munmap(&mut script, 10_000, 1000, AT, 2 * PAGE);
    away(&mut script, 10_100, 10_300, Blocked);
    // The time of such a release is in no figure.
    script.free((11_000, 12_000), 77 * AT);
    away(&mut script, 11_100, 11_900, Blocked);
    away(&mut script, 11_950, 11_960, LeftOut { absences: 9, sum_ns: 1_000_000 });
    // Of four releases, this is one without a time, as are the last three.
    for (block, time_ns) in [(2, 12_000), (3, 12_100), (4, 12_200)] {
        script.call(time_ns, free(block * AT, None));
    }
    // Another thread, which nobody knows.
    script.of(first(99));
    away(&mut script, 300, 400, Blocked);
    script
}

#[test]
fn a_time_off_the_processor_counts_where_it_is() {
    let (account, definitions) = absent().account();
    let none = OffCpuTimes::default();
    assert_eq!(
        account.off_cpu.calls,
        OffCpuTimes { preempted_ns: 150, waited_ns: 300, unknown_ns: 500, ..none }
    );
    assert_eq!(account.off_cpu.releases, OffCpuTimes { stopped_ns: 400, ..none });
    assert_eq!(
        account.off_cpu.kernel,
        OffCpuTimes { preempted_ns: 100, waited_ns: 300 + 200, ..none }
    );

    let mut account = account;
    let off_cpu = |account: &_| {
        let report = report(account, &definitions, &RecordingFacts::default(), &mut Nameless);
        (report.totals.off_cpu, report.costs.true_ns.expect("faults are seen"))
    };
    assert_eq!(off_cpu(&account).0, OffCpu::default(), "absences were not recorded");
    account.header.sees.absences = true;
    let (off_cpu, true_ns) = off_cpu(&account);
    assert_eq!(
        off_cpu,
        OffCpu {
            off_cpu_ns: Some(150 + 300 + 500 + 4 * 400 + 100 + 500),
            off_cpu_preempted_ns: Some(150 + 100),
            off_cpu_waited_ns: Some(300 + 500),
            off_cpu_stopped_ns: Some(4 * 400),
            off_cpu_unknown_ns: Some(500),
        }
    );
    // 800 + 1000 + 600 + 400 + 100 in calls, 700 in faults, 4 * 800 in releases, 1000 in munmap.
    assert_eq!(true_ns, 2900 + 700 + 3200 + 1000);
}

/// The clocks of calls and of the kernel differ: no part is more than the whole.
#[test]
fn it_is_never_more_than_the_cost() {
    let mut script = Script::new();
    script.malloc((100, 200), SITE, (AT, PAGE));
    for _ in 0..3 {
        away(&mut script, 110, 190, AbsenceReason::Blocked);
    }
    let (mut account, definitions) = script.account();
    account.header.sees.absences = true;
    let report = report(&account, &definitions, &RecordingFacts::default(), &mut Nameless);
    assert_eq!(report.costs.true_ns, Some(100));
    assert_eq!(report.totals.off_cpu.off_cpu_ns, Some(100));
}
