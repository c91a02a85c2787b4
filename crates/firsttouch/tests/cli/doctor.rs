//! `doctor` on this machine: its file is complete, and agrees with `/proc` and `/sys`.

use std::fs::read_to_string;
use std::io::Read;
use std::process::{Command, Output, Stdio};

use results::doctor::{BENCH_WARNINGS, Check, Diagnosis, SCHEMA, State};

use crate::program::{
    PROGRAM, Scratch, as_nobody, firsttouch, fixture, is_root, open_copy, run, skip, text,
    without_proc,
};

/// The file of a run with `--json -`.
fn diagnosis(output: &Output) -> Diagnosis {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    results::read_diagnosis(&output.stdout[..])
        .unwrap_or_else(|e| panic!("{e}: {}", text(&output.stdout)))
}

fn check<'a>(diagnosis: &'a Diagnosis, id: &str) -> &'a Check {
    diagnosis.checks.iter().find(|check| check.id == id).unwrap_or_else(|| panic!("no {id}"))
}

/// Every check is there, on any machine, with the texts that the file promises.
fn is_whole(diagnosis: &Diagnosis) {
    assert_eq!(
        (diagnosis.schema.as_str(), diagnosis.version.as_str()),
        (SCHEMA, env!("CARGO_PKG_VERSION"))
    );
    let ids: std::collections::BTreeSet<&str> =
        diagnosis.checks.iter().map(|check| check.id.as_str()).collect();
    assert_eq!((ids.len(), diagnosis.checks.len()), (27, 27), "{ids:?}");
    assert!(BENCH_WARNINGS.iter().all(|id| ids.contains(id)), "{ids:?}");
    for check in &diagnosis.checks {
        assert!(!check.found.is_empty(), "{check:?}");
        assert!(
            !check.is_trouble() || (check.effect.is_some() && check.fix.is_some()),
            "{check:?}"
        );
    }
}

#[test]
fn checks_agree_with_the_machine() {
    let diagnosis = diagnosis(&run(&["doctor", "--json", "-"]));
    is_whole(&diagnosis);
    let file = |path: &str| read_to_string(path).unwrap_or_default();
    let thp = file("/sys/kernel/mm/transparent_hugepage/enabled");
    let found = check(&diagnosis, "thp");
    match thp.split(['[', ']']).nth(1) {
        Some(mode) => assert!(found.found.starts_with(mode), "{found:?} on {thp}"),
        None => assert_eq!(found.state, State::Skip, "{found:?}"),
    }
    let randomize = file("/proc/sys/kernel/randomize_va_space");
    assert!(
        check(&diagnosis, "aslr").found.starts_with(randomize.trim()),
        "{:?}",
        check(&diagnosis, "aslr")
    );
    let swaps = file("/proc/swaps").lines().skip(1).count();
    assert_eq!(
        check(&diagnosis, "swap").found.starts_with("none"),
        swaps == 0,
        "{:?}",
        check(&diagnosis, "swap")
    );
    assert_eq!(check(&diagnosis, "proc-missing").state, State::Ok);
    let (map_count, most) = (check(&diagnosis, "map-count"), file("/proc/sys/vm/max_map_count"));
    assert!(map_count.found.contains(&format!("at most {} map", most.trim())), "{map_count:?}");
    let (overcommit, mode) =
        (check(&diagnosis, "overcommit"), file("/proc/sys/vm/overcommit_memory"));
    assert!(overcommit.found.starts_with(mode.trim()), "{overcommit:?}");
    assert!(overcommit.found.contains("committed"), "{overcommit:?}");
}

#[test]
fn screen_and_file_agree() {
    let scratch = Scratch::new();
    let file = scratch.file("doctor.json");
    std::fs::write(&file, "x".repeat(100_000)).unwrap();
    let output = run(&["doctor", "-v", "--json", file.to_str().unwrap()]);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
    let diagnosis = results::read_diagnosis(std::fs::File::open(&file).unwrap())
        .expect("old contents are gone");
    is_whole(&diagnosis);
    let screen = text(&output.stdout);
    for check in &diagnosis.checks {
        let texts = [Some(&check.found), check.effect.as_ref(), check.fix.as_ref()];
        let all_there = texts.into_iter().flatten().all(|text| screen.contains(text.as_str()));
        assert!(all_there, "a pipe truncates nothing: {check:?}\n{screen}");
    }
    assert!(screen.is_ascii() && screen.contains("\nNext: firsttouch"), "{screen}");
    assert!(!screen.contains('\u{1b}'));
    assert!(text(&run(&["doctor", "--color", "always"]).stdout).contains('\u{1b}'));
}

#[test]
fn checks_that_are_named_are_shown_whole_and_alone() {
    let screen = text(&run(&["doctor", "swap", "thp"]).stdout);
    assert!(screen.contains(" thp  ") && screen.contains(" swap  "), "{screen}");
    assert!(!screen.contains("governor") && !screen.contains("checks: "), "{screen}");
    let named = diagnosis(&run(&["doctor", "--json", "-", "swap", "thp"]));
    let ids: Vec<&str> = named.checks.iter().map(|check| check.id.as_str()).collect();
    assert_eq!(ids, ["thp", "swap"], "in the order of the list");
    let unknown = run(&["doctor", "free-hugepages"]);
    assert_eq!(unknown.status.code(), Some(2));
    let said = text(&unknown.stderr);
    assert!(
        said.contains("did you mean free-huge-pages?") && said.contains("Known: thp, mthp"),
        "{said}"
    );
}

#[test]
fn an_ordinary_user_gets_every_check() {
    if !is_root() {
        return is_whole(&diagnosis(&run(&["doctor", "--json", "-"]))); // this is the ordinary user
    }
    let scratch = Scratch::new();
    let program = open_copy(&scratch);
    let output = as_nobody(&program).args(["doctor", "--json", "-"]).output();
    let Ok(output) = output else { return skip("no setpriv") };
    let diagnosis = diagnosis(&output);
    is_whole(&diagnosis);
    assert_eq!(check(&diagnosis, "proc-missing").state, State::Ok);
}

#[test]
fn what_this_process_inherited_is_seen() {
    let output = Command::new("setarch").args(["-R", PROGRAM, "doctor", "--json", "-"]).output();
    match output {
        Ok(output) if output.status.success() => {
            let diagnosis = diagnosis(&output);
            let aslr = check(&diagnosis, "aslr");
            assert!(
                aslr.state == State::Warn && aslr.found.contains("ADDR_NO_RANDOMIZE"),
                "{aslr:?}"
            );
        }
        _ => skip("setarch is refused or missing here"),
    }
    let limited = |command: &str| {
        let script = format!("{command}; exec {PROGRAM} doctor --json -");
        diagnosis(&Command::new("sh").args(["-c", &script]).output().expect("a shell"))
    };
    let space = limited("ulimit -v 100000");
    assert!(check(&space, "limits").state == State::Warn, "{:?}", check(&space, "limits"));
    assert!(check(&space, "limits").fix.as_ref().unwrap().contains("ulimit -v"));
    let roomy = limited("ulimit -d 1000000");
    assert!(check(&roomy, "limits").state == State::Ok, "{:?}", check(&roomy, "limits"));
}

#[test]
fn counters_are_really_tried() {
    let scratch = Scratch::new();
    let Some(deny) = fixture("deny_perf", &scratch) else { return };
    let output = Command::new(deny).arg(PROGRAM).args(["doctor", "--json", "-"]).output().unwrap();
    if output.status.code() == Some(125) {
        return skip(&format!("seccomp is refused here: {}", text(&output.stderr)));
    }
    let diagnosis = diagnosis(&output);
    is_whole(&diagnosis);
    let perf = check(&diagnosis, "perf-refused");
    assert!(perf.state == State::Blocked && perf.found.contains("EACCES"), "{perf:?}");
    let seccomp = check(&diagnosis, "seccomp");
    assert!(seccomp.state == State::Warn && seccomp.found.contains("filter is on"), "{seccomp:?}");
}

#[test]
fn without_proc_every_check_has_a_finding() {
    let Some(output) = without_proc("doctor --json -") else { return };
    let diagnosis = diagnosis(&output);
    is_whole(&diagnosis);
    assert_eq!(check(&diagnosis, "proc-missing").state, State::Blocked);
    for id in [
        "overcommit",
        "map-count",
        "swap",
        "zswap",
        "cgroup",
        "aslr",
        "steal",
        "busy-machine",
        "seccomp",
        "ptrace-scope",
    ] {
        assert_eq!(check(&diagnosis, id).state, State::Skip, "{:?}", check(&diagnosis, id));
    }
}

#[test]
fn a_group_with_a_limit_is_seen() {
    let Some(group) = crate::limits::Group::new(64 << 20) else { return };
    let script = format!("echo $$ > {}; exec {PROGRAM} doctor --json -", group.procs().display());
    let diagnosis = diagnosis(&Command::new("sh").args(["-c", &script]).output().expect("a shell"));
    let cgroup = check(&diagnosis, "cgroup");
    assert!(
        cgroup.state == State::Warn
            && cgroup.found.contains("64 MiB")
            && cgroup.found.contains("firsttouch-test"),
        "{cgroup:?}"
    );
}

#[test]
fn a_closed_pipe_is_no_error() {
    for arguments in [&["doctor"][..], &["doctor", "--json", "-"]] {
        let mut program =
            firsttouch(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(program.stdout.take());
        let mut error = String::new();
        program.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        assert!(program.wait().unwrap().success() && error.is_empty(), "{error}");
    }
}

#[test]
fn report_refuses_a_diagnosis() {
    let scratch = Scratch::new();
    let file = scratch.file("doctor.json");
    std::fs::write(&file, run(&["doctor", "--json", "-"]).stdout).unwrap();
    let output = run(&["report", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("firsttouch.doctor/1"), "{}", text(&output.stderr));
}
