//! `compare --tune`: a real race of what is present, and its confirmation.

use std::process::Output;

use results::compare::{ProgramResult, Race, RaceEnd, RacedArm};

use crate::program::{Scratch, firsttouch, firsttouch_of_nobody, run, send, skip, text, wait_for};

/// Runs a short race; the result, and how it ended.
fn tuned(arguments: &[&str]) -> (ProgramResult, Output) {
    let options = ["compare", "--tune", "--blocks", "6", "--max-time", "8s", "--json", "-"];
    let output = run(&[&options, arguments].concat());
    let parsed = serde_json::from_slice(&output.stdout);
    (parsed.unwrap_or_else(|e| panic!("{e}: {}", text(&output.stderr))), output)
}

fn race(result: &ProgramResult) -> &Race {
    result.race.as_ref().expect("a race")
}

fn raced<'a>(result: &'a ProgramResult, name: &str) -> Option<&'a RacedArm> {
    race(result).arms.iter().find(|arm| arm.name == name)
}

/// The program as it is, and what it was compared with on fresh runs.
fn confirmed(result: &ProgramResult) -> Vec<&str> {
    result.arms.iter().map(|arm| arm.name.as_str()).collect()
}

#[test]
fn what_is_present_races_and_the_winner_is_confirmed() {
    let (result, output) = tuned(&["--", "true"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let race = race(&result);
    assert!(race.arms[0].baseline && race.arms[0].name == "unchanged");
    let chosen: Vec<&str> =
        race.arms.iter().filter(|arm| arm.chosen).map(|arm| arm.name.as_str()).collect();
    assert_eq!(chosen.len(), 1);
    assert_eq!(confirmed(&result), ["unchanged", chosen[0], "placebo (unchanged)"]);
    assert!(result.arms.iter().all(|arm| arm.samples.len() == 6), "fresh runs");
    assert!(result.comparisons.iter().any(|c| c.arm == chosen[0] && c.metric == "wall_ns"));
    // Each candidate ran or was refused with a reason, and the settings are those that were proved.
    for arm in &race.arms {
        assert!(arm.blocks > 0 || arm.failed, "{arm:?}");
        assert!(arm.blocks <= race.blocks && arm.left_after.is_none_or(|n| n <= race.blocks));
        assert_eq!(arm.reason.is_some(), arm.left_after.is_some(), "{arm:?}");
        let known = |map: &std::collections::BTreeMap<String, f64>| {
            ["wall_ns", "max_rss_bytes"].iter().all(|key| map.get(*key).is_some_and(|v| *v > 0.0))
        };
        assert!(known(&arm.medians) && (arm.baseline || known(&arm.ratios)), "{arm:?}");
    }
    assert!(race.refused.iter().all(|refused| !refused.reason.is_empty()));
    let is_known = |name: &str| {
        raced(&result, name).is_some() || race.refused.iter().any(|refused| refused.arm == name)
    };
    for name in ["glibc+keep", "glibc+arena1", "jemalloc", "mimalloc", "tcmalloc"] {
        assert!(is_known(name), "{name}");
    }
    match raced(&result, "jemalloc+keep") {
        Some(arm) => assert_eq!(
            arm.environment["MALLOC_CONF"].as_deref(),
            Some("dirty_decay_ms:-1,muzzy_decay_ms:-1")
        ),
        None => skip("no jemalloc"),
    }
    match raced(&result, "glibc+keep") {
        Some(arm) => assert_eq!(
            arm.environment["GLIBC_TUNABLES"].as_deref(),
            Some("glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=1073741824")
        ),
        None => skip("true is not a program of glibc"),
    }
}

/// A candidate of the user's that is much worse leaves, one that fails is refused quietly, and one
/// that is much better wins and is confirmed.
#[test]
fn the_users_own_candidates_race_too() {
    // Each process that a shell starts takes faults of its own.
    let command = |processes: usize| "/bin/true;".repeat(processes);
    let (slow, usual) = (format!("slow: -- sh -c '{}'", command(12)), command(3));
    let arms = ["--metric", "faults", "--arm", &slow, "--arm", "better: -- true"];
    let broken = ["--arm", "broken: -- sh -c 'exit 3'"];
    let (result, output) = tuned(&[&arms[..], &broken, &["--", "sh", "-c", &usual]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(confirmed(&result), ["unchanged", "better", "placebo (unchanged)"]);
    assert_eq!(raced(&result, "better").unwrap().command.as_deref(), Some(&["true".into()][..]));
    let refused = race(&result).refused.iter().find(|refused| refused.arm == "broken").unwrap();
    assert!(refused.failed && refused.reason.contains("status 3"), "{refused:?}");
    let slow = raced(&result, "slow").unwrap();
    assert!(slow.ratios["faults"] > 1.5, "{slow:?}");
    // With 10 blocks the first may leave; a slow machine has no time for them.
    if race(&result).blocks >= 10 {
        assert!(slow.left_after.is_some(), "{slow:?}");
        assert_eq!(race(&result).ended, RaceEnd::OneLeft);
    }
    let faults = result.comparisons.iter().find(|c| c.metric == "faults").unwrap();
    assert!(faults.ratio < 0.8, "{faults:?}");
}

#[test]
fn the_screen_says_how_to_use_it() {
    let arms = ["--arm", "better: A='50% b' -u HOME -- sh -c ':'"];
    let options = ["compare", "--tune", "--max-time", "20s", "--blocks", "6", "--metric", "faults"];
    let command = "/bin/true;".repeat(3);
    let output = run(&[&options[..], &arms, &["--", "sh", "-c", &command]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let screen = text(&output.stdout);
    for expect in [
        "better is better than unchanged: page faults 0.",
        "  Environment=\"A=50%% b\"\n",
        "  UnsetEnvironment=HOME\n",
        "  env -u HOME A='50% b' sh -c :\n",
        "peak RSS\n",
        "Capitals: ",
    ] {
        assert!(screen.contains(expect), "{expect}: {screen}");
    }
}

#[test]
fn wrong_races_are_answered() {
    let refused = |arguments: &[&str], status: i32, expect: &str| {
        let output = run(&[&["compare", "--tune"], arguments].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        assert!(said.contains(expect) && output.stdout.is_empty(), "{arguments:?}: {said}");
    };
    refused(&[], 2, "--tune has no command");
    refused(&["--arm", "a: -- true"], 2, "--tune has no command");
    refused(&["--arm", "a:", "--arm", "a:", "--", "true"], 2, "two arms are called a");
    refused(&["--allocator", "/nonexistent/x.so", "--", "true"], 2, "/nonexistent/x.so");
    refused(&["--", "sh", "-c", "exit 4"], 1, "status 4");
    refused(&["--", "nonexistent-program"], 1, "nonexistent-program");
}

/// An interrupt during the race shows the race, and confirms nothing.
#[test]
fn an_interrupted_race_is_shown() {
    use std::os::unix::process::ExitStatusExt;
    let scratch = Scratch::new();
    let file = scratch.file("runs");
    // Runs leave a mark, so that the race is known to go on.
    let script = format!("echo >> {}", file.display());
    let mut command =
        firsttouch(&["compare", "--tune", "--max-time", "10m", "--json", "-", "--metric", "rss"]);
    command.args(["--", "sh", "-c", &script]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let child = command.spawn().unwrap();
    let runs = || std::fs::read(&file).map_or(0, |marks| marks.len());
    // Two or three runs of each of twenty arms before the race.
    wait_for("some blocks", || (runs() > 130).then_some(()));
    send("-INT", &child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(2));
    let result: ProgramResult = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result.stopped, Some(results::Stopped::Interrupted));
    if race(&result).ended == RaceEnd::Interrupted {
        assert!(result.comparisons.is_empty() && race(&result).blocks > 0);
    }
}

#[test]
fn an_ordinary_user_may_tune() {
    let scratch = Scratch::new();
    let Some(mut command) = firsttouch_of_nobody(&scratch) else { return };
    let arguments = ["compare", "--tune", "--blocks", "6", "--max-time", "8s", "--json", "-"];
    let output = command.args(arguments).args(["--", "true"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let result: ProgramResult = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((result.arms.len(), race(&result).arms.len() > 3), (3, true));
}
