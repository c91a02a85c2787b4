//! `compare`: real programs under several arms.

use std::path::Path;
use std::process::{Command, Output};

use results::Verdict;
use results::compare::{ProgramArm, ProgramResult};

use crate::program::{
    Scratch, firsttouch, firsttouch_of_nobody, run, runs, send, skip, text, unique_seconds,
    wait_for,
};

/// Runs `compare` with few blocks; the result, and how it ended.
fn compared(arguments: &[&str]) -> (ProgramResult, Output) {
    let output = run(&[&["compare", "--blocks", "6", "--json", "-"], arguments].concat());
    let parsed = serde_json::from_slice(&output.stdout);
    (parsed.unwrap_or_else(|e| panic!("{e}: {}", text(&output.stderr))), output)
}

fn arm<'a>(result: &'a ProgramResult, name: &str) -> &'a ProgramArm {
    result.arms.iter().find(|arm| arm.name == name).unwrap_or_else(|| panic!("no arm {name}"))
}

/// Runs `compare` where that must fail before anything is measured.
fn refused(arguments: &[&str], status: i32, expect: &str) {
    let output = run(&[&["compare"], arguments].concat());
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    assert!(said.contains(expect), "{arguments:?}: {said}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
}

#[test]
fn every_run_is_in_the_result() {
    let (result, output) = compared(&["--arm", "one:", "--arm", "two: A=1 -u HOME", "--", "true"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!((&*result.schema, &*result.experiment.name), ("firsttouch.result/1", "compare"));
    assert_eq!(result.experiment.command, ["true"]);
    let names: Vec<&str> = result.arms.iter().map(|arm| arm.name.as_str()).collect();
    assert_eq!(names, ["one", "two", "placebo (one)"]);
    assert_eq!(arm(&result, "two").environment["A"].as_deref(), Some("1"));
    assert_eq!(arm(&result, "two").environment["HOME"], None);
    for arm in &result.arms {
        assert_eq!(arm.samples.len(), 6, "{}", arm.name);
        for sample in &arm.samples {
            assert_eq!((sample.exit_code, sample.signal), (Some(0), None));
            assert!(sample.wall_ns > 0 && sample.minor_faults > 10, "{sample:?}");
            // Resident memory of true, and not of the process that starts it.
            assert!((100 << 10..6 << 20).contains(&sample.max_rss_bytes), "{sample:?}");
        }
    }
    let wall = |comparison: &&results::Comparison| comparison.metric == "wall_ns";
    assert_eq!(result.comparisons.iter().filter(wall).count(), 1);
    assert!(result.placebo.is_some());
}

/// `VmHWM` is what the kernel says of the process itself, a moment before it ends.
#[test]
fn the_peak_is_that_of_the_program() {
    let scratch = Scratch::new();
    let file = scratch.file("status");
    let command = format!("exec cat /proc/self/status > {}", file.display());
    let (result, _) = compared(&["--arm", "a:", "--arm", "b:", "--", "sh", "-c", &command]);
    let status = std::fs::read_to_string(&file).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak_kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    for sample in &arm(&result, "a").samples {
        let kib = sample.max_rss_bytes >> 10;
        // The kernel adds up to 64 pages for each processor before it updates the counter.
        assert!(kib + 1024 >= peak_kib && kib <= peak_kib + 1024, "{kib} beside {peak_kib}");
    }
}

#[test]
fn more_memory_is_found_and_exceeds_a_limit() {
    let python = "python3";
    if !Command::new(python).arg("--version").output().is_ok_and(|o| o.status.success()) {
        return skip("no python3");
    }
    let script = |mib: u32| format!("-- {python} -c 'x = bytearray({mib} << 20)'");
    let (small, large) = (format!("small: {}", script(1)), format!("large: {}", script(30)));
    let arguments = ["--metric", "rss", "--fail-if-fatter", "5%", "--arm", &small, "--arm", &large];
    let (result, output) = compared(&arguments);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let comparison = &result.comparisons.iter().find(|c| c.metric == "max_rss_bytes").unwrap();
    assert_eq!(comparison.verdict, Verdict::Different);
    assert!(comparison.low.unwrap() > 2.0, "{comparison:?}");
    assert_eq!(result.gates[0].outcome, results::compare::GateOutcome::Failed);
    // The other way round it is kept.
    let other = ["--metric", "rss", "--fail-if-fatter", "5%", "--arm", &large, "--arm", &small];
    let (result, output) = compared(&other);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(result.gates[0].outcome, results::compare::GateOutcome::Passed);
}

#[test]
fn arms_change_what_they_say() {
    let scratch = Scratch::new();
    let file = |name: &str| scratch.file(name).display().to_string();
    let command = "cat /proc/self/status > $F.status; nice > $F.nice; \
                   cat /proc/self/personality > $F.personality; cat > $F.input; echo $A > $F.a";
    std::fs::write(scratch.file("in"), "from the file").unwrap();
    let (on, off) =
        (format!("on: F={}", file("on")), format!("off: F={} A='1 2' thp=never", file("off")));
    let input = file("in");
    let options = ["--shell", "--nice", "3", "--aslr", "off", "--stdin", &input];
    let arguments = [&options[..], &["--arm", &on, "--arm", &off, "--", command]].concat();
    let (result, output) = compared(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(arm(&result, "off").huge_pages_off && !arm(&result, "on").huge_pages_off);
    let read = |name: &str| std::fs::read_to_string(scratch.file(name)).unwrap();
    assert_eq!((read("off.a").trim(), read("on.a").trim()), ("1 2", ""));
    for name in ["on", "off"] {
        assert_eq!(read(&format!("{name}.input")), "from the file");
        let own: i32 = text(&Command::new("nice").output().unwrap().stdout).trim().parse().unwrap();
        let nice: i32 = read(&format!("{name}.nice")).trim().parse().unwrap();
        assert_eq!(nice, own + 3);
        let personality = read(&format!("{name}.personality"));
        assert_eq!(personality.trim(), "00040000", "ADDR_NO_RANDOMIZE");
    }
    match read("off.status").lines().find_map(|line| line.strip_prefix("THP_enabled:")) {
        Some(enabled) => assert_eq!(enabled.trim(), "0"),
        None => skip("the kernel does not show THP_enabled"),
    }
}

#[test]
fn an_arm_that_fails_leaves_and_a_baseline_that_fails_ends_it() {
    let bad = "bad: -- sh -c 'echo no such thing >&2; exit 4'";
    let (result, output) = compared(&["--arm", "a:", "--arm", "b:", "--arm", bad, "--", "true"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(result.refused[0].arm, "bad");
    let reason = &result.refused[0].reason;
    assert!(reason.contains("status 4") && reason.contains("no such thing"), "{reason}");
    refused(&["--arm", bad, "--arm", "a: -- true"], 1, "status 4: no such thing");
    refused(&["--arm", "a:", "--arm", bad, "--", "true"], 1, "nothing is left to compare");
    refused(&["--arm", "a: -- sh -c 'kill -9 $$'", "--arm", "b: -- true"], 1, "SIGKILL");
    let (result, output) = compared(&["--ignore-failure", "--arm", "a: -- true", "--arm", bad]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(arm(&result, "bad").samples[0].exit_code, Some(4));
}

#[test]
fn wrong_requests_are_answered() {
    refused(&["--allocator", "system,nonesuch", "--", "true"], 2, "unknown allocator");
    refused(&["--arm", "a:", "--arm", "b:"], 2, "has no command");
    refused(&["--", "true"], 2, "nothing to compare");
    refused(&["--arm", "a:", "--arm", "a:", "--", "true"], 2, "two arms are called a");
    refused(&["--arm", "a", "--", "true"], 2, "no name");
    refused(&["--arm", "a:", "--metric", "rsss", "--", "true"], 2, "did you mean rss");
    refused(&["--arm", "a:", "--stdin", "/nonexistent/x", "--", "true"], 2, "--stdin");
    refused(&["--arm", "a:", "--", "/nonexistent/program"], 1, "/nonexistent/program");
    refused(&["--arm", "a:", "--", "nonexistent-program"], 1, "nonexistent-program");
    refused(&["--arm", "a: thp=always", "--", "true"], 2, "thp=never");
    refused(&["--arm", "a: X=1 X=2", "--", "true"], 2, "X twice");
    refused(&["--tunable", "arena_max=1,arena_max=2", "--", "true"], 2, "twice");
    refused(&["--arm", "a: GLIBC_TUNABLES=glibc.malloc.nonesuch=1", "--", "true"], 2, "no tunable");
    refused(&["--arm", "a: LD_PRELOAD=nonesuch.so", "--", "true"], 1, "nonesuch.so of LD_PRELOAD");
    refused(&["--arm", "a:", "--nice", "100", "--", "true"], 2, "-40..=40");
    refused(&["--arm", "a:", "--cpu", "100000", "--", "true"], 2, "processors");
    if sys::machine::thp().as_deref() != Some("always") {
        refused(&["--thp", "always", "--", "true"], 2, "glibc.malloc.hugetlb=1");
    }
}

#[test]
fn output_is_compared_if_that_is_wanted() {
    let other = "b: -- sh -c 'echo one; echo three'";
    let same = "c: -- sh -c 'printf \"one\\ntwo\\n\"'";
    let arguments = ["--same-output", "--arm", "a:", "--arm", other, "--arm", same];
    let command = ["--", "sh", "-c", "echo one; echo two"];
    let (result, output) = compared(&[&arguments[..], &command].concat());
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(result.refused.len(), 1, "{:?}", result.refused);
    let reason = &result.refused[0].reason;
    assert!(reason.contains("line 2 is \"three\" instead of \"two\""), "{reason}");
    let random = ["--", "sh", "-c", "cat /proc/sys/kernel/random/uuid"];
    refused(&[&["--same-output", "--arm", "a:"], &random[..]].concat(), 1, "something else each");
}

/// What a program prints is kept to be compared, and is not in its memory.
#[test]
fn output_that_is_compared_is_in_no_figure() {
    let print = "head -c 30000000 /dev/zero";
    let (result, output) = compared(&["--same-output", "--arm", "a:", "--", "sh", "-c", print]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for sample in &arm(&result, "a").samples {
        assert!(sample.max_rss_bytes < 8 << 20, "{sample:?}");
    }
}

/// It ends by itself soon, and is counted in no figure.
#[test]
fn what_outlives_a_program_is_said() {
    let command = "setsid sleep 0.05 > /dev/null 2>&1 &";
    let arguments = ["compare", "--blocks", "1", "--json", "-", "--arm", "a:", "--", "sh", "-c"];
    let output = run(&[&arguments[..], &[command]].concat());
    let result: ProgramResult = serde_json::from_slice(&output.stdout).unwrap();
    let warning = result.warnings.iter().find(|warning| warning.id == "left-behind");
    assert!(warning.is_some_and(|warning| warning.message.contains("sleep")), "{result:?}");
}

/// The process in the middle ends while what is left is listed.
#[test]
fn daemons_are_found_however_they_are_made() {
    let seconds = unique_seconds(5);
    let command = format!("(setsid sh -c 'sleep {seconds} & exit' > /dev/null 2>&1 &) ; exit 0");
    for _ in 0..6 {
        let arguments = ["compare", "--blocks", "1", "--arm", "a:", "--", "sh", "-c", &command];
        assert!(run(&arguments).status.success());
        assert!(!runs(&["sleep"], &seconds), "sleep {seconds} still runs");
    }
}

#[test]
fn what_a_program_leaves_behind_is_ended_and_said() {
    let seconds = unique_seconds(1);
    // In a session of its own, so that no signal to the group reaches it.
    let command = format!("setsid sleep {seconds} > /dev/null 2>&1 &");
    let arguments = ["compare", "--blocks", "1", "--json", "-", "--arm", "a:", "--", "sh", "-c"];
    let output = run(&[&arguments[..], &[&command]].concat());
    let result: ProgramResult = serde_json::from_slice(&output.stdout).unwrap();
    let warning = result.warnings.iter().find(|warning| warning.id == "left-behind");
    let message = &warning.expect("a warning").message;
    assert!(message.contains("sleep"), "{message}");
    assert!(!runs(&["sleep"], &seconds), "sleep {seconds} still runs");
}

#[test]
fn a_program_that_does_not_end_is_ended() {
    let seconds = unique_seconds(2);
    refused(
        &["--timeout", "300ms", "--arm", "a:", "--", "sleep", &seconds],
        1,
        "did not end within",
    );
    assert!(!runs(&["sleep"], &seconds), "sleep {seconds} still runs");
}

#[test]
fn an_interrupt_ends_the_program_and_shows_what_there_was() {
    use std::os::unix::process::ExitStatusExt;
    let seconds = unique_seconds(3);
    // Slow enough that the run is not over before the flag is there.
    let script = format!("test -e $F && exec sleep {seconds}; sleep 0.05");
    let scratch = Scratch::new();
    let flag = scratch.file("stay");
    let arm = format!("a: F={}", flag.display());
    let arguments = ["compare", "--json", "-", "--arm", &arm, "--arm", "b: F=/nonexistent/x"];
    let mut command = firsttouch(&arguments);
    command.args(["--ignore-failure", "--max-time", "10m", "--", "sh", "-c", &script]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let child = command.spawn().unwrap();
    // Some blocks later, the program stays.
    std::thread::sleep(std::time::Duration::from_millis(500));
    std::fs::write(&flag, "").unwrap();
    wait_for("a program that stays", || runs(&["sleep"], &seconds).then_some(()));
    send("-INT", &child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(2));
    assert!(!runs(&["sleep"], &seconds), "sleep {seconds} still runs");
    let result: ProgramResult = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result.stopped, Some(results::Stopped::Interrupted));
}

#[test]
fn a_program_ends_with_firsttouch_however_that_ends() {
    let seconds = unique_seconds(4);
    let mut command = firsttouch(&["compare", "--arm", "a:", "--", "sleep", &seconds]);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    wait_for("the program", || runs(&["sleep"], &seconds).then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for("the end of the program", || (!runs(&["sleep"], &seconds)).then_some(()));
}

#[test]
fn an_observed_run_explains_a_difference() {
    // Twenty times as many processes take more faults.
    let few = "few: -- sh -c '/bin/true'";
    let many = "many: -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 0; do /bin/true; /bin/true; done'";
    let (result, output) = compared(&["--metric", "faults", "--arm", few, "--arm", many]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let faults = |name: &str| {
        let observed = arm(&result, name).observed.as_ref()?;
        Some(observed.faults.values().sum::<u64>())
    };
    match faults("few").zip(faults("many")) {
        Some((0, 0)) | None => skip("page faults cannot be observed here"),
        Some((few, many)) => assert!(many > 3 * few, "{few} and {many}"),
    }
}

#[test]
fn an_ordinary_user_may() {
    let scratch = Scratch::new();
    let Some(mut command) = firsttouch_of_nobody(&scratch) else { return };
    let arguments = ["compare", "--blocks", "6", "--json", "-", "--arm", "a:", "--", "true"];
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let result: ProgramResult = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result.arms.len(), 3);
}

#[test]
fn nothing_is_left_in_the_directory() {
    let scratch = Scratch::new();
    let mut command = firsttouch(&["compare", "--blocks", "2", "--arm", "a:", "--", "true"]);
    assert!(command.current_dir(scratch.file("")).output().unwrap().status.success());
    let left: Vec<_> = std::fs::read_dir(Path::new(&scratch.file(""))).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}
