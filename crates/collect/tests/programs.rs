//! Real programs, watched: a C program whose acts are known by construction.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use collect::{Calls, Collection, Error, Outcome, Progress, Target, Wish};
use events::{Call, Event, Fault, Life, Names, Syscall, Thread, What};
use sys::launch::Program;
use sys::process::Ending;

/// A program of `fixtures/`, compiled once; gone with the test's directory of build products.
fn acts() -> Option<PathBuf> {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/memory_acts.c");
    let name = format!("memory_acts-{:?}", std::thread::current().id()).replace(['(', ')'], "");
    let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let compiled = Command::new("cc").args(["-O1", "-pthread", "-o"]).arg(&program).arg(source).status();
    if !compiled.is_ok_and(|status| status.success()) {
        println!("SKIPPED: there is no C compiler");
        return None;
    }
    Some(program)
}

struct Seen {
    events: Vec<Event>,
    names: Names,
    outcome: Outcome,
    way: Calls,
}

impl Seen {
    fn faults(&self) -> impl Iterator<Item = (Thread, Fault)> {
        self.events.iter().filter_map(|event| match event.what {
            What::Fault(fault) => Some((event.thread, fault)),
            _ => None,
        })
    }

    fn calls(&self) -> impl Iterator<Item = Syscall> {
        self.events.iter().filter_map(|event| match event.what {
            What::Syscall(call) => Some(call),
            _ => None,
        })
    }

    /// The faults between the beginning and the end of the mapping of `bytes` that was made last.
    fn faults_in(&self, bytes: u64) -> Vec<Fault> {
        let made = self.calls().filter(|call| call.call == Call::Mmap && call.arguments[1] == bytes).last();
        let start = made.and_then(|call| call.result).expect("the mapping").cast_unsigned();
        self.faults().map(|(_, fault)| fault).filter(|fault| (start..start + bytes).contains(&fault.address)).collect()
    }

    fn lives(&self) -> Vec<Life> {
        self.events
            .iter()
            .filter_map(|event| if let What::Life(life) = event.what { Some(life) } else { None })
            .collect()
    }
}

/// Watches to the end; `None`, and a word, where this user may not watch in this way.
fn watch(target: &Target, calls: Calls) -> Option<Seen> {
    let mut collection = match Collection::start(target, Wish { faults: true, calls, output_to_errors: false }) {
        Ok(collection) => collection,
        Err(error @ (Error::Tracepoints(_) | Error::Nothing(_) | Error::Forbidden(..))) => {
            println!("SKIPPED: {error}");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    let mut events = Vec::new();
    while collection.next(Duration::from_millis(100), &mut events) == Progress::Going {}
    let names = collection.names().clone();
    let outcome = collection.finish(&mut events);
    println!("{outcome:?}");
    Some(Seen { events, names, outcome, way: calls })
}

/// What `act` does, in each way in which it can be seen.
fn each_way(act: &[&str], check: impl Fn(&Seen)) {
    let Some(program) = acts() else { return };
    let command: Vec<OsString> =
        std::iter::once(program.into_os_string()).chain(act.iter().map(OsString::from)).collect();
    for way in [Calls::Tracepoints, Calls::Stops] {
        let target = Target::Program(Program::find(&command).expect("just compiled"));
        let Some(seen) = watch(&target, way) else { continue };
        assert_eq!(seen.outcome.faults_counted, Some(seen.outcome.faults_seen), "{way:?}");
        let Outcome { lost, foreign, narrow_calls, .. } = seen.outcome;
        assert_eq!((lost, foreign, narrow_calls), (0, 0, 0), "{way:?}");
        assert_eq!(seen.outcome.events, seen.events.len() as u64);
        if seen.outcome.late == 0 {
            assert!(seen.events.is_sorted_by_key(|event| event.time_ns), "{way:?}: in the order of time");
        }
        check(&seen);
    }
}

#[test]
fn every_first_touch_is_seen_with_its_time() {
    each_way(&["touch", "3000"], |seen| {
        let faults = seen.faults_in(3000 * 4096);
        assert_eq!(faults.len(), 3000);
        assert!(faults.windows(2).all(|pair| pair[1].address - pair[0].address == 4096));
        let timed =
            faults.iter().filter_map(|fault| Some(fault.span.latency_ns?.get().min(fault.span.on_cpu_ns?.get())));
        assert_eq!(timed.filter(|&ns| ns < 1_000_000_000).count(), 3000);
        assert_eq!(seen.outcome.ending, Some(Ending::Exited(0)));
    });
}

#[test]
fn every_call_is_seen_with_what_it_returned_and_its_time() {
    each_way(&["loop", "200"], |seen| {
        let of = |call| seen.calls().filter(move |seen| seen.call == call && seen.arguments[1] == 1 << 20);
        assert_eq!((of(Call::Mmap).count(), of(Call::Munmap).count()), (200, 200));
        let returned: Vec<i64> = of(Call::Mmap).filter_map(|call| call.result).collect();
        let unmapped: Vec<i64> = of(Call::Munmap).map(|call| call.arguments[0].cast_signed()).collect();
        assert_eq!(returned, unmapped);
        // The program's own calls begin once it runs, and none that is about memory is still going on at its end.
        assert!(seen.calls().all(|call| call.result.is_some()), "{:?}", seen.outcome);
        // A thread that is let go before it has left its processor leaves no record of when: rare, and not known.
        let untimed = seen.calls().filter(|call| call.span.latency_ns.is_none()).count();
        let allowed = if seen.way == Calls::Stops { seen.calls().count() / 20 } else { 0 };
        assert!(untimed <= allowed, "{untimed} without a time, {:?}", seen.outcome);
    });
}

#[test]
fn threads_children_and_programs_are_followed() {
    each_way(&["threads", "50"], |seen| {
        let threads: std::collections::BTreeSet<u32> = seen.faults().map(|(thread, _)| thread.tid).collect();
        assert_eq!(threads.len(), 5);
        assert_eq!(seen.lives().iter().filter(|life| matches!(life, Life::Started { .. })).count(), 4);
    });
    each_way(&["fork", "300"], |seen| {
        let by_process = |which: fn(&Thread, u32) -> bool| {
            let parent = seen.events[0].thread.pid;
            seen.faults().filter(|(thread, _)| which(thread, parent)).count()
        };
        assert!(by_process(|thread, parent| thread.pid == parent) >= 300);
        assert!(by_process(|thread, parent| thread.pid != parent) >= 300, "the child's copies");
    });
    for act in ["vfork", "exec"] {
        each_way(&[act, "77"], |seen| {
            assert_eq!(seen.faults_in(77 * 4096).len(), 77, "{act}");
            assert_eq!(seen.outcome.ending, Some(Ending::Exited(0)));
            let programs = seen.lives().into_iter().filter(|life| matches!(life, Life::Executed { .. })).count();
            assert_eq!(programs, 2, "{act}");
        });
    }
}

#[test]
fn endings_are_passed_on() {
    each_way(&["exit", "7"], |seen| assert_eq!(seen.outcome.ending, Some(Ending::Exited(7))));
    each_way(&["kill", "9"], |seen| assert_eq!(seen.outcome.ending, Some(Ending::Killed(9))));
    each_way(&["segv"], |seen| {
        assert_eq!(seen.outcome.ending, Some(Ending::Killed(11)));
        let unserved: Vec<Fault> =
            seen.faults().map(|(_, fault)| fault).filter(|fault| fault.span.latency_ns.is_none()).collect();
        assert_eq!(unserved.len(), 1, "the fault that became a signal");
    });
}

#[test]
fn mappings_have_the_names_of_their_files() {
    each_way(&["exit", "0"], |seen| {
        let named = |name: &str| {
            seen.events.iter().any(
                |event| matches!(event.what, What::Mapping(mapping) if seen.names.text(mapping.name).contains(name)),
            )
        };
        assert!(named("memory_acts") && named("libc") && named("[stack]") && named("[vdso]"));
    });
}

#[test]
fn a_process_that_runs_is_met_and_left() {
    let Some(program) = acts() else { return };
    for way in [Calls::Tracepoints, Calls::Stops] {
        let mut child = Command::new(&program).args(["wait", "100"]).spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(200));
        let target = Target::Process(child.id());
        match Collection::start(&target, Wish { faults: true, calls: way, output_to_errors: false }) {
            Err(error) => println!("SKIPPED: {error}"),
            Ok(mut collection) => {
                let mut events = Vec::new();
                let mut touches = |collection: &mut Collection, until: usize| {
                    let patience = std::time::Instant::now() + Duration::from_secs(20);
                    loop {
                        let going = collection.next(Duration::from_millis(50), &mut events);
                        let faults = events.iter().filter(|event| matches!(event.what, What::Fault(_))).count();
                        if faults >= until || going == Progress::Over || patience < std::time::Instant::now() {
                            return faults;
                        }
                    }
                };
                assert!(touches(&mut collection, 30) >= 30);
                collection.stop();
                while collection.next(Duration::from_millis(10), &mut events) == Progress::Going {
                    collection.stop();
                }
                let outcome = collection.finish(&mut events);
                assert_eq!((outcome.ending, outcome.lost), (None, 0));
                let first = events.iter().find(|event| matches!(event.what, What::Life(Life::Met)));
                assert_eq!(first.map(|event| event.thread.pid), Some(child.id()));
                let calls = events.iter().filter(|event| matches!(event.what, What::Syscall(_))).count();
                assert!(calls >= 6, "{calls} calls by {way:?}");
            }
        }
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it goes on");
        assert!(status.contains("TracerPid:\t0") && !status.contains("State:\tT"), "{status}");
        child.kill().expect("it runs");
        child.wait().expect("it ends");
    }
}

#[test]
fn what_is_not_there_is_said() {
    let gone = Collection::start(
        &Target::Process(u32::MAX / 3),
        Wish { faults: true, calls: Calls::Best, output_to_errors: false },
    );
    assert!(matches!(gone, Err(Error::Gone(_))), "{:?}", gone.err());
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no-program");
    std::fs::write(&file, "neither ELF nor script").expect("a file");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a file of ours");
    let program = Program::find(&[file.into_os_string()]).expect("it may be run");
    let wish = Wish { faults: true, calls: Calls::Best, output_to_errors: false };
    let refused = Collection::start(&Target::Program(program), wish).err();
    assert_eq!(refused, Some(Error::Start(sys::Errno::NO_EXEC)));
}
