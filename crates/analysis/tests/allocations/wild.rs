//! Streams that no program makes: nothing panics, and no fault and no call is lost.

use std::num::NonZeroU64;

use analysis::allocations::AllocationAccount;
use events::{
    Absence, AbsenceReason, Allocation, AllocationFunction, Ending, EventKind, Fault, Life,
    MappingReport, Name, StackId, StackSampling, Thread,
};
use proptest::prelude::*;

use crate::script::{Script, fault};

fn number() -> impl Strategy<Value = u64> + Clone {
    let extreme = vec![0, 1, 4095, 1 << 21, 1 << 63, u64::MAX - 4095, u64::MAX - 1, u64::MAX];
    prop_oneof![
        2 => proptest::sample::select(extreme),
        5 => (0_u64..3000).prop_map(|at| 0x7f00_0000_0000 + 24 * at),
        1 => any::<u64>(),
    ]
}

fn allocation() -> impl Strategy<Value = EventKind> {
    let function = proptest::sample::select(&AllocationFunction::ALL[..]);
    let call = (function, number(), number(), number(), number(), 0_u64..4);
    call.prop_map(|(function, address, released, size_bytes, latency_ns, stack)| {
        // The stack is set where the stream is written.
        EventKind::Allocation(Allocation {
            address,
            released,
            size_bytes,
            latency_ns: NonZeroU64::new(latency_ns),
            function,
            alignment_log2: u8::try_from(stack).unwrap_or(0),
            stack: events::StackId::NONE,
        })
    })
}

fn faulting() -> impl Strategy<Value = EventKind> {
    let fields = (number(), number(), number(), any::<bool>());
    fields.prop_map(|(address, latency_ns, page_bytes, major)| {
        let page_bytes = NonZeroU64::new(page_bytes);
        EventKind::Fault(Fault { address, page_bytes, major, ..fault(latency_ns) })
    })
}

fn living() -> impl Strategy<Value = EventKind> {
    let life = (0_u32..6, 0_u32..4, 0_u32..4);
    life.prop_map(|(what, pid, tid)| {
        EventKind::Life(match what {
            0 | 1 => Life::Started { by: Thread { pid, tid } },
            2 => Life::Executed { name: Name::NONE },
            3 => Life::Ended { ending: Ending::Unknown },
            4 => Life::Ended { ending: Ending::Killed(9) },
            _ => Life::Attached,
        })
    })
}

/// The steps of time, the threads and the processes have all calls and faults.
fn told_apart(account: &AllocationAccount, calls: u64, faults: u64) -> Result<(), TestCaseError> {
    let steps = &account.timeline.steps;
    prop_assert_eq!(steps.iter().map(|step| step.calls).sum::<u64>(), calls);
    prop_assert_eq!(steps.iter().map(|step| step.faults).sum::<u64>(), faults);
    let all = &account.tallied;
    let threads = all.threads.iter().map(|thread| thread.tally).chain([all.other_threads.tally]);
    let sum = threads.map(|tally| (tally.apparent.calls, tally.faults.faults()));
    prop_assert_eq!(
        sum.fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1)),
        (calls, faults)
    );
    let others = all.other_processes.tally;
    let processes = all.processes.iter().map(|process| process.tally).chain([others]);
    let sum = processes.map(|tally| (tally.apparent.calls, tally.faults.faults()));
    prop_assert_eq!(
        sum.fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1)),
        (calls, faults)
    );
    Ok(())
}

fn absent() -> impl Strategy<Value = EventKind> {
    (number(), 0_u32..5).prop_map(|(latency_ns, reason)| {
        let reason = match reason {
            0 => AbsenceReason::Preempted,
            1 => AbsenceReason::Blocked,
            2 => AbsenceReason::Stopped,
            3 => AbsenceReason::Unknown,
            _ => AbsenceReason::LeftOut { absences: u32::MAX, sum_ns: latency_ns },
        };
        EventKind::Absence(Absence { latency_ns, reason })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn nothing_is_lost_whatever_comes(
        events in proptest::collection::vec(
            (
                number(),
                0_u32..4,
                0_u32..4,
                prop_oneof![
                    5 => allocation(),
                    3 => faulting(),
                    1 => living(),
                    1 => absent(),
                ],
                any::<bool>(),
            ),
            0..150,
        ),
        sampled_bytes in prop_oneof![Just(0), Just(1), Just(1 << 16), any::<u64>()],
    ) {
        let mut script = Script::new();
        let sampling = NonZeroU64::new(sampled_bytes);
        if let Some(mean_bytes) = sampling {
            script.sample(StackSampling { mean_bytes });
        }
        let (mut faults, mut calls, mut releases, mut mapping_calls) = (0, 0, 0, 0);
        for (time_ns, pid, tid, kind, maps) in events {
            script.of(Thread { pid, tid });
            if maps {
                let (start, name) = (time_ns & !4095, "/bin/app");
                let end = start.saturating_add(1 << 20);
                let report = MappingReport { start, end, name, inode: 7, ..Default::default() };
                script.map(time_ns, &report);
            }
            match kind {
                EventKind::Allocation(mut call) => {
                    call.stack = script.frames(&[time_ns, u64::from(call.alignment_log2)]);
                    if sampling.is_some() && call.alignment_log2 < 2 {
                        call.stack = StackId::NOT_TAKEN;
                    }
                    let only_releases = call.function.only_releases()
                        || call.address == 0 && call.released != 0;
                    if call.function.maps() {
                        mapping_calls += u64::from(!call.function.only_releases());
                    } else {
                        calls += u64::from(!only_releases);
                        releases += u64::from(call.released != 0);
                    }
                    script.call(time_ns, call);
                }
                kind => {
                    faults += u64::from(matches!(kind, EventKind::Fault(_)));
                    script.event(time_ns, kind);
                }
            }
        }
        let account = script.account().0;
        prop_assert_eq!(account.all_faults().faults(), faults);
        let all = |figure: fn(&analysis::allocations::Site) -> u64| -> u64 {
            match &account.sampled {
                Some(sampled) => figure(&sampled.all),
                None => account.sites.iter().filter(|site| !site.maps).map(figure).sum(),
            }
        };
        let mapping = account.sites.iter().filter(|site| site.maps);
        prop_assert_eq!(mapping.map(|site| site.calls).sum::<u64>(), mapping_calls);
        if sampling.is_none() {
            let of_sites: u64 = account.sites.iter().map(|site| site.faults().faults()).sum();
            let of_rest: u64 = account.rest.iter().map(|rest| rest.faults.faults()).sum();
            prop_assert_eq!(of_sites + of_rest, faults, "each fault is of one site or of none");
        }
        prop_assert_eq!(all(|site| site.calls), calls);
        prop_assert_eq!(all(|site| site.frees) + account.unknown_releases, releases);
        prop_assert!(all(|site| site.failed) <= calls);
        told_apart(&account, calls, faults)?;
        for call in &account.slow.calls {
            let fits = call.parts.iter().all(|part| {
                part.ns <= call.latency_ns.saturating_mul(part.times)
            });
            prop_assert!(fits && call.rest_ns() <= call.latency_ns, "{call:?}");
        }
    }
}
