//! An ideal machine, and helpers for tests that change facts of it.

use std::time::Duration;

use doctor::examine;
use results::doctor::{Check, State};
use sys::facts::{
    AccessFacts, Activity, Boost, Facts, Groups, Host, HugePageFacts, MemoryFacts, Own, PageSize,
    ProcFiles, Processors, TracefsFacts,
};

pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const GIB: u64 = 1 << 30;

#[expect(clippy::unnecessary_wraps, reason = "as the fact is declared")]
pub(crate) fn sizes(modes: &[(u64, &str)]) -> Option<Vec<PageSize>> {
    Some(
        modes
            .iter()
            .map(|&(kib, mode)| PageSize { bytes: kib << 10, mode: mode.to_owned() })
            .collect(),
    )
}

/// A quiet physical machine that is set up for measuring, seen by an ordinary user with full
/// access.
pub(crate) fn ideal() -> Facts {
    Facts {
        pages: HugePageFacts {
            enabled: Some("madvise".to_owned()),
            defrag: Some("madvise".to_owned()),
            khugepaged_defrag: Some(true),
            khugepaged_sleep_ms: Some(10_000),
            largest_bytes: Some(2 * MIB),
            sizes: sizes(&[(64, "never"), (2048, "inherit")]),
        },
        memory: MemoryFacts {
            total_bytes: Some(16 * GIB),
            free_bytes: Some(12 * GIB),
            available_bytes: Some(13 * GIB),
            overcommit_mode: Some(0),
            overcommit_ratio: Some(50),
            commit_limit_bytes: Some(8 * GIB),
            committed_bytes: Some(GIB),
            max_map_count: Some(65_530),
            swaps: Some(Vec::new()),
            swappiness: Some(60),
            zswap: Some(false),
            free_huge_bytes: Some(8 * GIB),
            compaction_proactiveness: Some(20),
            extfrag_threshold: Some(500),
        },
        processors: processors(),
        host: Host {
            virtualized: Some(false),
            hypervisor: None,
            free_page_reporting: Some(false),
            container: None,
        },
        activity: Activity {
            window: Duration::from_millis(200),
            others_cpu: Some(Duration::ZERO),
            stolen: Some(Duration::ZERO),
            stolen_share_since_boot: Some(0.0),
            load: Some(0.1),
        },
        access: access(),
        groups: Groups { visible: true, ..Groups::default() },
        own: Own {
            address_space_bytes: None,
            data_bytes: None,
            locked_bytes: Some(8 * MIB),
            allowed_cpus: vec![0, 1, 2, 3],
            randomize: Some(2),
            personality: Some(0),
            capabilities: Some(0),
            seccomp: Some(0),
            huge_pages: Some(true),
        },
    }
}

fn processors() -> Processors {
    Processors {
        online: Some(vec![0, 1, 2, 3]),
        governors: Some(vec!["performance".to_owned()]),
        boost: Some(Boost { on: false, off_command: "echo 0 | sudo tee boost" }),
        smt_active: Some(false),
        nodes: Some(1),
        numa_balancing: Some(0),
        isolated: Some(Vec::new()),
        nohz_full: Some(Vec::new()),
        clocksource: Some("tsc".to_owned()),
        clock_read_ns: Some(20.0),
    }
}

fn access() -> AccessFacts {
    AccessFacts {
        perf_event_paranoid: Some(1),
        perf_event_mlock_kib: Some(516),
        user_faults: Some(Ok(())),
        kernel_faults: Some(Ok(())),
        tracefs: TracefsFacts {
            known: Some(true),
            mounted: Some("/sys/kernel/tracing".into()),
            readable: true,
        },
        ptrace_scope: Some(0),
        proc_files: ProcFiles { rollup: true, schedstat: true, stat: true },
    }
}

pub(crate) fn check(facts: &Facts, id: &str) -> Check {
    examine(facts)
        .into_iter()
        .find(|check| check.id == id)
        .unwrap_or_else(|| panic!("no check {id}"))
}

/// Asserts the properties of every check on every machine.
pub(crate) fn is_sound(check: &Check, machine: &str) {
    let Check { id, state, found, effect, fix, touches } = check;
    let texts = [Some(found), effect.as_ref(), fix.as_ref()];
    for text in texts.into_iter().flatten() {
        assert!(
            !text.is_empty() && text.is_ascii() && !text.contains("  "),
            "{machine}: {id}: {text:?}"
        );
    }
    let (trouble, bench) = (check.is_trouble(), touches.iter().any(|verb| verb == "bench"));
    assert!(
        !trouble || (effect.is_some() && fix.is_some()),
        "{machine}: {id} is {state:?} without effect or fix"
    );
    assert!(trouble || !bench, "{machine}: {id} touches bench and is {state:?}");
    assert!(!bench || effect.as_ref().unwrap().contains("bench"), "{machine}: {id}: {effect:?}");
}

/// Asserts that the check `id`, on the ideal machine after `change`, is in `state` and that its
/// texts contain all of `words`.
pub(crate) fn case(machine: &str, id: &str, change: fn(&mut Facts), state: State, words: &[&str]) {
    let mut facts = ideal();
    change(&mut facts);
    let check = check(&facts, id);
    assert_eq!(check.state, state, "{machine}: {check:?}");
    let texts = [Some(check.found.clone()), check.effect.clone(), check.fix.clone()];
    let texts = texts.into_iter().flatten().collect::<Vec<_>>().join(" | ");
    for word in words {
        assert!(texts.contains(word), "{machine}: no {word:?} in {texts}");
    }
    for check in examine(&facts) {
        is_sound(&check, machine);
    }
}
