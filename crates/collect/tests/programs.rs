//! Observes a real C program whose acts are known by construction.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use collect::{CallSource, Collection, Error, Options, Outcome, StreamState, Target};
use events::{
    Batch, BuildId, Call, Definitions, Device, Event, EventKind, Fault, Life, Mapping, MappingKind,
    Syscall, Thread,
};
use sys::launch::Program;
use sys::process::WaitStatus;

/// A program of `fixtures/`, compiled into the test's directory of build products.
fn acts() -> Option<PathBuf> {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/memory_acts.c");
    let name = format!("memory_acts-{:?}", std::thread::current().id()).replace(['(', ')'], "");
    let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let compiled =
        Command::new("cc").args(["-O1", "-pthread", "-o"]).arg(&program).arg(source).status();
    if !compiled.is_ok_and(|status| status.success()) {
        skips::skip("there is no C compiler");
        return None;
    }
    Some(program)
}

struct Seen {
    events: Vec<Event>,
    names: Definitions,
    outcome: Outcome,
    way: CallSource,
}

impl Seen {
    fn faults(&self) -> impl Iterator<Item = (Thread, Fault)> {
        self.events.iter().filter_map(|event| match event.kind {
            EventKind::Fault(fault) => Some((event.thread, fault)),
            _ => None,
        })
    }

    fn calls(&self) -> impl Iterator<Item = Syscall> {
        self.events.iter().filter_map(|event| match event.kind {
            EventKind::Syscall(call) => Some(call),
            _ => None,
        })
    }

    /// The faults inside the last mapping of `bytes`.
    fn faults_in(&self, bytes: u64) -> Vec<Fault> {
        let made = self
            .calls()
            .filter(|call| call.call == Call::Mmap && call.arguments[1] == bytes)
            .last();
        let start = made.and_then(|call| call.result).expect("it is mapped").cast_unsigned();
        self.faults()
            .map(|(_, fault)| fault)
            .filter(|fault| (start..start + bytes).contains(&fault.address))
            .collect()
    }

    fn lives(&self) -> Vec<Life> {
        self.events
            .iter()
            .filter_map(
                |event| if let EventKind::Life(life) = event.kind { Some(life) } else { None },
            )
            .collect()
    }
}

/// Observes a program to its end; `None`, and a note, if this user may not observe in this way.
fn watch(target: &Target, calls: CallSource) -> Option<Seen> {
    let mut collection = match Collection::start(target, Options { calls, ..Options::default() }) {
        Ok(collection) => collection,
        Err(error @ (Error::Tracepoints(_) | Error::Nothing(_) | Error::Forbidden(..))) => {
            skips::skip(&format!("{error}"));
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    let mut batch = Batch::default();
    while collection.next(Duration::from_millis(100), &mut batch) == StreamState::Going {}
    let outcome = collection.finish(&mut batch);
    println!("{outcome:?}");
    let mut names = Definitions::default();
    assert!(batch.definitions.into_iter().all(|definition| names.define(definition)));
    Some(Seen { events: batch.events, names, outcome, way: calls })
}

/// Observes `act` in each way, and checks the result.
fn each_way(act: &[&str], check: impl Fn(&Seen)) {
    let Some(program) = acts() else { return };
    let command: Vec<OsString> =
        std::iter::once(program.into_os_string()).chain(act.iter().map(OsString::from)).collect();
    for way in [CallSource::Tracepoints, CallSource::Ptrace] {
        let target = Target::Program(Program::find(&command).expect("just compiled"));
        let Some(seen) = watch(&target, way) else { continue };
        assert_eq!(seen.outcome.faults_counted, Some(seen.outcome.faults_seen), "{way:?}");
        let Outcome { lost, misattributed, compat32_calls, .. } = seen.outcome;
        assert_eq!((lost, misattributed, compat32_calls), (0, 0, 0), "{way:?}");
        assert_eq!(seen.outcome.events, seen.events.len() as u64);
        if seen.outcome.late == 0 {
            assert!(
                seen.events.is_sorted_by_key(|event| event.time_ns),
                "{way:?}: in the order of time"
            );
        }
        check(&seen);
    }
}

#[test]
fn every_first_touch_is_recorded_with_its_time() {
    each_way(&["touch", "3000"], |seen| {
        let faults = seen.faults_in(3000 * 4096);
        assert_eq!(faults.len(), 3000);
        assert!(faults.windows(2).all(|pair| pair[1].address - pair[0].address == 4096));
        let timed = faults.iter().filter_map(|fault| {
            Some(fault.span.latency_ns?.get().min(fault.span.on_cpu_ns?.get()))
        });
        assert_eq!(timed.filter(|&ns| ns < 1_000_000_000).count(), 3000);
        assert_eq!(seen.outcome.ending, Some(WaitStatus::Exited(0)));
    });
}

#[test]
fn every_call_is_recorded_with_its_result_and_time() {
    each_way(&["loop", "200"], |seen| {
        let of = |call| {
            seen.calls().filter(move |seen| seen.call == call && seen.arguments[1] == 1 << 20)
        };
        assert_eq!((of(Call::Mmap).count(), of(Call::Munmap).count()), (200, 200));
        let returned: Vec<i64> = of(Call::Mmap).filter_map(|call| call.result).collect();
        let unmapped: Vec<i64> =
            of(Call::Munmap).map(|call| call.arguments[0].cast_signed()).collect();
        assert_eq!(returned, unmapped);
        // Calls are recorded from exec on, and no memory syscall is in progress at the end.
        assert!(seen.calls().all(|call| call.result.is_some()), "{:?}", seen.outcome);
        // A thread that is resumed before it was switched off its processor leaves no record of the
        // switch: rare, and then the time is unknown.
        let untimed = seen.calls().filter(|call| call.span.latency_ns.is_none()).count();
        let allowed = if seen.way == CallSource::Ptrace { seen.calls().count() / 20 } else { 0 };
        assert!(untimed <= allowed, "{untimed} without a time, {:?}", seen.outcome);
    });
}

#[test]
fn threads_children_and_programs_are_followed() {
    each_way(&["threads", "50"], |seen| {
        let threads: std::collections::BTreeSet<u32> =
            seen.faults().map(|(thread, _)| thread.tid).collect();
        assert_eq!(threads.len(), 5);
        assert_eq!(
            seen.lives().iter().filter(|life| matches!(life, Life::Started { .. })).count(),
            4
        );
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
            assert_eq!(seen.outcome.ending, Some(WaitStatus::Exited(0)));
            let programs = seen
                .lives()
                .into_iter()
                .filter(|life| matches!(life, Life::Executed { .. }))
                .count();
            assert_eq!(programs, 2, "{act}");
        });
    }
}

#[test]
fn endings_are_passed_on() {
    each_way(&["exit", "7"], |seen| assert_eq!(seen.outcome.ending, Some(WaitStatus::Exited(7))));
    each_way(&["kill", "9"], |seen| assert_eq!(seen.outcome.ending, Some(WaitStatus::Killed(9))));
    each_way(&["segv"], |seen| {
        assert_eq!(seen.outcome.ending, Some(WaitStatus::Killed(11)));
        let unserved: Vec<Fault> = seen
            .faults()
            .map(|(_, fault)| fault)
            .filter(|fault| fault.span.latency_ns.is_none())
            .collect();
        assert_eq!(unserved.len(), 1, "the fault that became a signal");
    });
}

#[test]
fn mappings_have_the_names_and_modules_of_their_files() {
    each_way(&["exit", "0"], |seen| {
        let mappings = seen.events.iter().filter_map(|event| match event.kind {
            EventKind::Mapping(mapping) => Some(mapping),
            _ => None,
        });
        let mappings: Vec<Mapping> = mappings.collect();
        let text = |mapping: &Mapping| seen.names.text(mapping.name);
        for kind in [MappingKind::Stack, MappingKind::Kernel] {
            assert!(mappings.iter().any(|mapping| mapping.kind == kind), "{kind:?}: {mappings:?}");
        }
        for file in ["memory_acts", "libc"] {
            let mapping = mappings.iter().find(|mapping| text(mapping).contains(file)).expect(file);
            let module = seen.names.module(mapping.module).expect("a file is a module");
            let of_file = std::fs::metadata(text(mapping)).expect("the file still exists");
            assert_eq!((mapping.kind, module.path), (MappingKind::PrivateFile, mapping.name));
            // makedev(3)
            let dev = of_file.dev();
            let (major, minor) =
                ((dev >> 8 & 0xfff) | (dev >> 32 & !0xfff), (dev & 0xff) | (dev >> 12 & !0xff));
            let number = |part| u32::try_from(part).expect("32 bits each");
            assert_eq!(
                (module.inode, module.device),
                (of_file.ino(), Device { major: number(major), minor: number(minor) }),
                "{file}"
            );
            let bytes = std::fs::read(text(mapping)).expect("the file is readable");
            let build_id = seen.names.build_id(mapping.module).map(BuildId::as_bytes);
            assert_eq!(build_id, sys::elf::build_id(&bytes[..4096]), "{file}");
        }
    });
}

#[test]
fn a_running_process_is_attached_to_and_released() {
    let Some(program) = acts() else { return };
    for way in [CallSource::Tracepoints, CallSource::Ptrace] {
        let mut child = Command::new(&program).args(["wait", "100"]).spawn().expect("started");
        std::thread::sleep(Duration::from_millis(200));
        let target = Target::Process(child.id());
        match Collection::start(&target, Options { calls: way, ..Options::default() }) {
            Err(error) => skips::skip(&format!("{error}")),
            Ok(mut collection) => {
                let mut batch = Batch::default();
                let mut touches = |collection: &mut Collection, until: usize| {
                    let patience = std::time::Instant::now() + Duration::from_secs(20);
                    loop {
                        let going = collection.next(Duration::from_millis(50), &mut batch);
                        let faults = batch
                            .events
                            .iter()
                            .filter(|event| matches!(event.kind, EventKind::Fault(_)))
                            .count();
                        if faults >= until
                            || going == StreamState::Over
                            || patience < std::time::Instant::now()
                        {
                            return faults;
                        }
                    }
                };
                assert!(touches(&mut collection, 30) >= 30);
                collection.subject().stop();
                while collection.next(Duration::from_millis(10), &mut batch) == StreamState::Going {
                    collection.subject().stop();
                }
                let outcome = collection.finish(&mut batch);
                let events = batch.events;
                assert_eq!((outcome.ending, outcome.lost), (None, 0));
                let first = events
                    .iter()
                    .find(|event| matches!(event.kind, EventKind::Life(Life::Attached)));
                assert_eq!(first.map(|event| event.thread.pid), Some(child.id()));
                let calls = events
                    .iter()
                    .filter(|event| matches!(event.kind, EventKind::Syscall(_)))
                    .count();
                assert!(calls >= 6, "{calls} calls by {way:?}");
            }
        }
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("still running");
        assert!(status.contains("TracerPid:\t0") && !status.contains("State:\tT"), "{status}");
        child.kill().expect("the process runs");
        child.wait().expect("the process ends");
    }
}

/// Runs a program to its end while nothing is read; `None` (and a skip) where it cannot be
/// observed.
fn unread(target: &Target, options: Options) -> Option<(Outcome, Batch)> {
    let mut collection = match Collection::start(target, options) {
        Ok(collection) => collection,
        Err(error) => {
            skips::skip(&format!("{error}"));
            return None;
        }
    };
    while !collection.subject().has_ended() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut batch = Batch::default();
    let outcome = collection.finish(&mut batch);
    Some((outcome, batch))
}

#[test]
fn a_consumer_that_reads_nothing_neither_blocks_the_program_nor_fills_memory() {
    let Some(program) = acts() else { return };
    let command = [program.into_os_string(), "loop".into(), "20000".into()];
    let target = Target::Program(Program::find(&command).expect("just compiled"));
    let options =
        Options { calls: CallSource::Ptrace, waiting_bytes_max: 1 << 20, ..Options::default() };
    let Some((outcome, batch)) = unread(&target, options) else { return };
    println!("{outcome:?}");
    assert_eq!(outcome.ending, Some(WaitStatus::Exited(0)));
    let calls = batch.events.iter().filter_map(|event| match event.kind {
        EventKind::Syscall(call) if call.arguments[1] == 1 << 20 => Some(call),
        _ => None,
    });
    let (seen, whole) = calls
        .fold((0, 0), |(seen, whole), call| (seen + 1, whole + u64::from(call.result.is_some())));
    // A call takes two raw events of less than 100 bytes, and the bound is in bytes.
    assert!((1..20_000).contains(&seen), "{seen} calls waited");
    assert_eq!(seen, whole, "a call that was begun is complete");
    assert!(seen + outcome.lost >= 40_000, "{seen} calls were seen, {} records lost", outcome.lost);
}

#[test]
fn what_the_rings_lose_is_bounded_counted_and_a_gap() {
    let Some(program) = acts() else { return };
    // At most 8 MiB of records wait in each ring; two calls and a fault have some 500 bytes.
    let rounds = 30_000 * sys::process::allowed_cpus().len();
    let command = [program.into_os_string(), "loop".into(), rounds.to_string().into()];
    let target = Target::Program(Program::find(&command).expect("just compiled"));
    let options = Options {
        calls: CallSource::Tracepoints,
        waiting_bytes_max: 1 << 20,
        ..Options::default()
    };
    let Some((outcome, batch)) = unread(&target, options) else { return };
    println!("{outcome:?}, {} events", batch.events.len());
    assert_eq!(outcome.ending, Some(WaitStatus::Exited(0)));
    let gaps = batch.events.iter().filter_map(|event| match event.kind {
        EventKind::Lost(lost) => Some(lost.records),
        _ => None,
    });
    assert!(outcome.lost > 0 && outcome.faults_counted > Some(outcome.faults_seen), "{outcome:?}");
    assert_eq!(gaps.sum::<u64>(), outcome.lost, "each lost record is missing in a gap");
    assert!(batch.events.len() < 3 * rounds, "what waited was bounded");
}

#[test]
fn missing_processes_and_bad_files_are_errors() {
    let gone = Collection::start(&Target::Process(u32::MAX / 3), Options::default());
    assert!(matches!(gone, Err(Error::Gone(_))), "{:?}", gone.err());
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no-program");
    std::fs::write(&file, "neither ELF nor script").expect("a file");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("a file of ours");
    let program = Program::find(&[file.into_os_string()]).expect("it is executable");
    let refused = Collection::start(&Target::Program(program), Options::default()).err();
    assert_eq!(refused, Some(Error::Start(sys::Errno::NO_EXEC)));
}
