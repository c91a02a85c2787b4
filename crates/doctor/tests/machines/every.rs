//! Properties of all checks.

use doctor::examine;
use results::doctor::BENCH_WARNINGS;
use results::doctor::State::{Blocked, Ok as Fine, Skip};
use sys::facts::Facts;

use crate::ideal::{ideal, is_sound};

#[test]
fn an_ideal_machine_passes_every_check() {
    let checks = examine(&ideal());
    for check in &checks {
        is_sound(check, "ideal");
        assert_eq!((check.state, &check.effect, &check.fix), (Fine, &None, &None), "{check:?}");
    }
}

#[test]
fn without_facts_every_check_is_skipped_or_blocked() {
    for check in examine(&Facts::default()) {
        is_sound(&check, "nothing");
        let expected = match check.id.as_str() {
            "proc-missing" => Blocked,
            "limits" => Fine, // getrlimit(2) needs no file, and reported no limit
            _ => Skip,
        };
        assert_eq!(check.state, expected, "{check:?}");
    }
}

#[test]
fn ids_are_stable() {
    let ids: Vec<String> = examine(&ideal()).into_iter().map(|check| check.id).collect();
    let expected = "thp mthp free-huge-pages overcommit map-count swap zswap cgroup limits memlock \
        aslr governor boost smt numa clock affinity isolation virtualization memory-cold steal \
        busy-machine perf-refused tracefs seccomp ptrace-scope proc-missing";
    assert_eq!(ids.join(" "), expected);
    for id in BENCH_WARNINGS {
        assert!(ids.iter().any(|known| known == id), "no check for bench's warning {id}");
    }
}

#[test]
fn every_check_is_in_the_documentation() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/doctor.md"))
            .unwrap();
    for check in examine(&ideal()) {
        assert!(
            page.contains(&format!("| `{}` |", check.id)),
            "docs/doctor.md has no row for {}",
            check.id
        );
    }
}
