//! `trace` on real programs, as the user that runs the tests.

mod account;
mod attached;
mod endings;
mod narrow;
mod strace;

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use crate::program::{PROGRAM, Scratch, firsttouch, fixture, is_root, run, skip, text, wait_for};

/// The lines of `trace --json -` for a program; the last is the summary. `None`, and the test says
/// SKIPPED, where this user may not see syscalls in this way.
fn lines(way: &str, command: &[&str]) -> Option<Vec<Value>> {
    let output = run(&[&["trace", "-q", "--syscalls", way, "--json", "-", "--"], command].concat());
    let refused = text(&output.stderr);
    if output.status.code() == Some(125) && refused.contains("refused") {
        skip(&refused);
        return None;
    }
    let lines: Vec<Value> = text(&output.stdout)
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    assert_eq!(lines.last().expect("lines")["kind"], "summary", "{refused}");
    Some(lines)
}

fn of_kind<'a>(lines: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    lines.iter().filter(move |line| line["kind"] == kind)
}

#[test]
fn a_program_is_seen_with_its_own_code_and_stack() {
    let scratch = Scratch::new();
    let Some(acts) = fixture("memory_acts", &scratch) else { return };
    for way in ["tracepoints", "ptrace"] {
        let Some(touch) = lines(way, &[acts.to_str().unwrap(), "touch", "500"]) else { continue };
        let summary = touch.last().unwrap();
        assert_eq!(summary["faults_seen"], summary["faults_counted"], "{summary}");
        assert_eq!((&summary["lost"], &summary["status"]), (&Value::from(0), &Value::from(0)));
        assert!(
            summary["rusage_minor_faults"].as_u64().is_some_and(|faults| faults >= 500),
            "{summary}"
        );
        let of_file = of_kind(&touch, "fault").filter(|fault| {
            fault["cause"] == "file"
                && fault["mapping"].as_str().is_some_and(|name| name.ends_with("memory_acts"))
        });
        assert!(of_file.count() > 0, "its own code is a file");
        assert!(
            of_kind(&touch, "fault")
                .any(|fault| fault["cause"] == "stack" && fault["mapping"] == "[stack]")
        );
    }
}

#[test]
fn json_alone_is_on_standard_output() {
    let output = run(&["trace", "-q", "--json", "-", "sh", "-c", "echo from the program"]);
    assert!(
        text(&output.stdout).lines().all(|line| line.starts_with('{')),
        "{}",
        text(&output.stdout)
    );
    assert!(text(&output.stderr).contains("from the program"));
}

#[test]
fn the_programs_own_ending_and_output_are_passed_on() {
    let scratch = Scratch::new();
    let Some(acts) = fixture("memory_acts", &scratch) else { return };
    let acts = acts.to_str().unwrap();
    let trace =
        |act: &[&str]| run(&[&["trace", "-o", "/dev/null", "--", acts], act].concat()).status;
    assert_eq!(trace(&["exit", "7"]).code(), Some(7));
    assert_eq!(trace(&["kill", "9"]).signal(), Some(9));
    assert_eq!(trace(&["kill", "15"]).signal(), Some(15));
    assert_eq!(trace(&["segv"]).signal(), Some(11));
    let talks = run(&["trace", "--", "sh", "-c", "echo out; echo err >&2; exit 3"]);
    assert_eq!((text(&talks.stdout).as_str(), talks.status.code()), ("out\n", Some(3)));
    let said = text(&talks.stderr);
    assert!(
        said.contains("err\n") && said.contains("mmap(") && said.contains("+++ exited with 3 +++"),
        "{said}"
    );
}

fn executable(scratch: &Scratch, name: &str, content: &str) -> std::path::PathBuf {
    let file = scratch.file(name);
    std::fs::write(&file, content).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    file
}

#[test]
fn refusals_name_their_reason() {
    let scratch = Scratch::new();
    let check = |command: &[&str], status: i32, words: &[&str]| {
        let output = run(&[&["trace"], command].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{command:?}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{command:?}: {said}");
    };
    check(&["--", "/nonexistent/program"], 127, &["/nonexistent/program"]);
    check(&["--", "no-such-program-anywhere"], 127, &["PATH"]);
    check(&["--", "/tmp"], 126, &["directory"]);
    check(&["--", "/etc/passwd"], 126, &["not executable"]);
    for (name, content, status, word) in [
        ("nonsense", "neither ELF nor script", 126, "#!"),
        ("lost", "#!/no/interpreter\n", 127, "interpreter"),
    ] {
        let file = executable(&scratch, name, content);
        check(&["--", file.to_str().unwrap()], status, &[name, word]);
    }
    check(&["--", ""], 2, &["empty"]);
    check(&["-p", "4194303"], 125, &["4194303"]);
    check(&["-p", "0"], 2, &["0"]);
    check(&[], 2, &["COMMAND"]);
    check(&["-p", "1", "--", "true"], 2, &["cannot be used with"]);
    check(&["--faults", "off", "--syscalls", "off", "--", "true"], 2, &["nothing to trace"]);
    let (file, same) = (scratch.file("one"), scratch.0.join("./one"));
    check(
        &["-o", file.to_str().unwrap(), "--json", same.to_str().unwrap(), "--", "true"],
        2,
        &["the same file"],
    );
    assert!(!file.exists(), "nothing was begun");
    let link = scratch.file("link");
    std::os::unix::fs::symlink("one", &link).unwrap();
    check(
        &["-o", link.to_str().unwrap(), "--json", file.to_str().unwrap(), "--", "true"],
        2,
        &["the same file"],
    );
    let redirected = File::create(&file).unwrap();
    let both = ["trace", "-o", file.to_str().unwrap(), "--json", "-", "--", "true"];
    assert_eq!(firsttouch(&both).stdout(redirected).status().unwrap().code(), Some(2));
    let (tell, told) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        // PID/task/TID: other threads of this process are tests, which may end.
        tell.send(std::fs::read_link("/proc/thread-self").unwrap()).unwrap();
        std::thread::park_timeout(Duration::from_mins(1));
    });
    let own = std::process::id().to_string();
    let tid = told.recv().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    check(&["-p", &tid], 125, &["is a thread of process", &own]);
    assert!(text(&run(&["layout", "-p", &tid]).stderr).contains(&format!("-p {own}")));
    thread.thread().unpark();
    if std::fs::read_to_string("/proc/2/comm").is_ok_and(|name| name.trim() == "kthreadd")
        && is_root()
    {
        check(&["-p", "2"], 125, &["process 2", "the kernel's"]);
    }
    let marker = scratch.file("marker");
    let touch = ["-o", "/nonexistent/x", "--", "touch", marker.to_str().unwrap()];
    check(&touch, 125, &["/nonexistent/x"]);
    assert!(!marker.exists(), "the program has not run");
    if !is_root() {
        check(&["-p", "1"], 125, &["process 1 may not be traced"]);
        check(
            &["--syscalls", "tracepoints", "--", "true"],
            125,
            &["tracepoints are refused", "root"],
        );
    }
}

#[test]
fn where_perf_is_refused_syscalls_are_still_shown() {
    let scratch = Scratch::new();
    let Some(deny) = fixture("deny_perf", &scratch) else { return };
    let output = Command::new(deny)
        .args([PROGRAM, "trace", "--", "sh", "-c", "exit 4"])
        .output()
        .expect("it starts");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(
        said.contains("perf events are refused") && said.contains("perf_event_paranoid"),
        "{said}"
    );
    assert!(
        said.contains("mmap(") && said.contains("executed sh") && !said.contains("fault 0x"),
        "{said}"
    );
}

#[test]
fn a_running_process_is_traced_until_a_signal() {
    let scratch = Scratch::new();
    let Some(acts) = fixture("memory_acts", &scratch) else { return };
    let mut program = Command::new(acts).args(["wait", "600"]).spawn().expect("it starts");
    std::thread::sleep(Duration::from_millis(100));
    let file = scratch.file("trace");
    let pid = program.id().to_string();
    let mut trace = firsttouch(&["trace", "-q", "-p", &pid, "-o", file.to_str().unwrap()])
        .spawn()
        .expect("it starts");
    let patience = std::time::Instant::now() + Duration::from_secs(30);
    let so_far = || std::fs::read_to_string(&file).unwrap_or_default();
    while so_far().matches("munmap(").count() < 3 && patience > std::time::Instant::now() {
        std::thread::sleep(Duration::from_millis(50));
    }
    Command::new("kill").args(["-INT", &trace.id().to_string()]).status().expect("kill");
    let status = trace.wait().expect("it ends");
    assert_eq!(status.signal(), Some(2), "{}", so_far());
    let said = so_far();
    assert!(said.contains("anonymous, first touch") && said.contains("events, 0 lost"), "{said}");
    let state =
        std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the program goes on");
    assert!(state.contains("TracerPid:\t0") && !state.contains("State:\tT"), "{state}");
    program.kill().expect("it runs");
    program.wait().expect("it ends");
}

#[test]
fn a_trace_in_the_background_of_a_script_ends_by_sigint() {
    let scratch = Scratch::new();
    let Some(acts) = fixture("memory_acts", &scratch) else { return };
    let mut program = Command::new(acts).args(["wait", "600"]).spawn().expect("it starts");
    // Without job control a shell ignores SIGINT for what it runs in the background.
    let script = format!(
        "trap '' INT; exec {PROGRAM} trace -q --syscalls off -p {} -o {}",
        program.id(),
        scratch.file("trace").display()
    );
    let mut trace = Command::new("sh").args(["-c", &script]).spawn().expect("it starts");
    wait_for("a trace", || {
        let lines = std::fs::read_to_string(scratch.file("trace")).unwrap_or_default();
        (!lines.is_empty()).then_some(())
    });
    Command::new("kill").args(["-INT", &trace.id().to_string()]).status().expect("kill");
    let status = wait_for("its end", || trace.try_wait().expect("a child"));
    assert_eq!(status.signal(), Some(2));
    program.kill().expect("it runs");
    program.wait().expect("it ends");
}

#[test]
fn a_running_process_is_traced_for_a_time() {
    let scratch = Scratch::new();
    let Some(acts) = fixture("memory_acts", &scratch) else { return };
    let mut program = Command::new(acts).args(["wait", "600"]).spawn().expect("it starts");
    let pid = program.id().to_string();
    for way in ["auto", "ptrace"] {
        let output =
            run(&["trace", "-q", "-c", "--syscalls", way, "-p", &pid, "--for", "500ms", "-o", "-"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let table = text(&output.stdout);
        assert!(table.starts_with(&format!("process {pid}: observed for ")), "{table}");
        assert!(table.contains("  munmap\n"), "{table}");
        let state = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it goes on");
        assert!(state.contains("TracerPid:\t0"), "{state}");
    }
    program.kill().expect("it runs");
    program.wait().expect("it ends");
    let refused = run(&["trace", "--for", "1s", "--", "true"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
}

#[test]
fn two_traces_of_one_process_see_all_of_it() {
    let scratch = Scratch::new();
    let Some(acts) = fixture("memory_acts", &scratch) else { return };
    let mut program = Command::new(acts).args(["wait", "600"]).spawn().expect("it starts");
    std::thread::sleep(Duration::from_millis(100));
    let pid = program.id().to_string();
    let files = [scratch.file("one"), scratch.file("other")];
    let mut traces = files.each_ref().map(|file| {
        // By ptrace only one could be there.
        let arguments = [
            "trace",
            "-q",
            "--syscalls",
            "off",
            "-p",
            &pid,
            "--json",
            file.to_str().unwrap(),
            "-o",
            "/dev/null",
        ];
        firsttouch(&arguments).spawn().expect("it starts")
    });
    let faults = |file: &Path| {
        std::fs::read_to_string(file).unwrap_or_default().matches(r#""kind":"fault""#).count()
    };
    let until = std::time::Instant::now() + Duration::from_secs(30);
    while files.iter().any(|file| faults(file) < 20) && until > std::time::Instant::now() {
        std::thread::sleep(Duration::from_millis(50));
    }
    for (trace, file) in traces.iter_mut().zip(&files) {
        Command::new("kill").args(["-INT", &trace.id().to_string()]).status().expect("kill");
        trace.wait().expect("it ends");
        let lines = std::fs::read_to_string(file).expect("lines");
        let summary: Value =
            serde_json::from_str(lines.lines().last().expect("a summary")).expect("JSON");
        assert_eq!(
            (&summary["lost"], &summary["faults_seen"]),
            (&Value::from(0), &summary["faults_counted"]),
            "{summary}"
        );
        assert!(faults(file) >= 20, "{summary}");
        // Only one that is under way when the trace begins or ends may have no latency.
        let seen: Vec<&str> =
            lines.lines().filter(|line| line.contains(r#""kind":"fault""#)).collect();
        let unknown = |line: &&str| line.contains(r#""latency_ns":null"#);
        assert!(!seen[1..seen.len() - 1].iter().any(unknown), "{lines}");
    }
    program.kill().expect("it runs");
    program.wait().expect("it ends");
}

#[test]
fn faults_have_the_size_of_huge_pages() {
    let scratch = Scratch::new();
    let Some(acts) = fixture("memory_acts", &scratch) else { return };
    let output = run(&["trace", "-q", "--json", "-", "--", acts.to_str().unwrap(), "huge", "4"]);
    let lines: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let touched = of_kind(&lines, "fault").filter(|line| {
        line["cause"] == "first-touch"
            && line["mapping"] == "[anonymous]"
            && line["address"].as_str().is_some_and(|address| {
                u64::from_str_radix(address.trim_start_matches("0x"), 16)
                    .is_ok_and(|address| address.is_multiple_of(2 << 20))
            })
    });
    let sizes: Vec<&Value> = touched.map(|line| &line["page_bytes"]).collect();
    assert_eq!(sizes.len(), 4, "{}", text(&output.stdout));
    if sizes.contains(&&Value::Null) {
        return skip("this kernel does not report the size of a page");
    }
    if sizes.iter().all(|size| **size == 4096) {
        return skip(
            "no huge page is available: transparent_hugepage is never, or memory is fragmented",
        );
    }
    assert!(sizes.iter().any(|size| **size == 2 << 20), "{sizes:?}");
}

#[test]
fn a_closed_pipe_does_not_end_the_program() {
    let script = format!(
        "{PROGRAM} trace -q -- sh -c 'ls / >/dev/null; exit 6' 2>&1 >/dev/null | head -n 1"
    );
    let output: Output = Command::new("sh").args(["-c", &script]).output().expect("it starts");
    assert_eq!(text(&output.stdout).lines().count(), 1, "{}", text(&output.stdout));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    let script = format!(
        "({PROGRAM} trace -q -- sh -c 'ls /; exit 6' 3>&1 >/dev/null 2>&3; echo $?) | cat \
         >/dev/null"
    );
    assert!(Command::new("sh").args(["-c", &script]).status().expect("it starts").success());
}

#[test]
fn the_table_goes_to_a_file_and_counts_every_touch() {
    let scratch = Scratch::new();
    let Some(acts) = fixture("memory_acts", &scratch) else { return };
    let file = scratch.file("table");
    let output = run(&[
        "trace",
        "-c",
        "-q",
        "-o",
        file.to_str().unwrap(),
        "--",
        acts.to_str().unwrap(),
        "touch",
        "900",
    ]);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
    let table = std::fs::read_to_string(file).expect("the table");
    let row = table
        .lines()
        .find(|line| line.ends_with("fault: anonymous, first touch"))
        .expect("first touches");
    let counts =
        row.split_whitespace().filter_map(|cell| cell.replace(',', "").parse::<u64>().ok());
    assert!(counts.into_iter().any(|count| (900..1000).contains(&count)), "{table}");
    let (program, head) = (acts.to_str().unwrap(), table.lines().next().unwrap_or_default());
    assert!(head.contains(": observed for ") && head.contains(" % of the run"), "{head}");
    assert!(table.contains(&format!("Next: firsttouch trace -- {program} touch 900 ")), "{table}");
    assert!(
        table.contains("munmap") && table.contains("wall %") && table.contains("events, 0 lost"),
        "{table}"
    );
}

#[test]
fn the_table_of_a_process_has_its_time_and_rates() {
    let scratch = Scratch::new();
    let Some(acts) = fixture("memory_acts", &scratch) else { return };
    let mut child = Command::new(acts).args(["wait", "100"]).spawn().expect("the program");
    let (pid, file) = (child.id().to_string(), scratch.file("table"));
    let mut trace =
        firsttouch(&["trace", "-c", "-q", "-p", &pid, "-o"]).arg(&file).spawn().expect("a trace");
    std::thread::sleep(Duration::from_secs(1));
    let tracer = trace.id().to_string();
    assert!(Command::new("kill").args(["-INT", &tracer]).status().is_ok_and(|kill| kill.success()));
    trace.wait().expect("its end");
    child.kill().expect("the process runs");
    child.wait().expect("the process ends");
    let table = std::fs::read_to_string(file).expect("the table");
    if table.is_empty() {
        return skip("this user may not trace the process");
    }
    let head = table.lines().next().unwrap_or_default();
    assert!(head.starts_with(&format!("process {pid}: observed for ")), "{table}");
    assert!(head.contains(" memory syscalls/s, ") && head.ends_with(" faults/s."), "{table}");
    assert!(table.contains(&format!("Next: firsttouch trace -p {pid} ")), "{table}");
}
