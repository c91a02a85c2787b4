//! Lines as they are written.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use events::{Cause, MappingKind};

fn parsed(kind: LineKind) -> Value {
    let mut out = String::new();
    write_line(&Line { time_ns: 216_000, pid: 4123, tid: 4124, kind }, &mut out);
    assert!(out.ends_with("}\n") && out.matches('\n').count() == 1, "{out}");
    let mut value: Value = serde_json::from_str(&out).unwrap();
    let keys = value.as_object_mut().unwrap();
    assert_eq!(keys.remove("time_ns"), Some(json!(216_000)));
    assert_eq!((keys.remove("pid"), keys.remove("tid")), (Some(json!(4123)), Some(json!(4124))));
    value
}

fn fault(name: Option<&str>) -> FaultLine {
    FaultLine {
        address: 0x7f1c_2a00_1000,
        ip: 0,
        major: true,
        in_kernel: false,
        present: Some(false),
        cause: Cause::FirstTouch,
        mapping: Some(MappingLabel {
            kind: MappingKind::Heap,
            name: name.map(Arc::from),
            start: 0x1000,
        }),
        page_bytes: Some(4096),
        large: false,
        latency_ns: Some(u64::MAX),
        on_cpu_ns: None,
    }
}

#[test]
fn keys_of_a_syscall() {
    let syscall = SyscallLine {
        name: "mmap",
        text: "mmap(...) = ...".into(),
        arguments: Some(vec![
            Argument::Null,
            Argument::Number(u64::MAX.into()),
            Argument::Symbols(Cow::Borrowed("PROT_READ|PROT_WRITE")),
            Argument::Number(-1),
            Argument::Address(0),
            Argument::Text("a\"\n\u{1b}é".into()),
        ]),
        result: Some(Returned::Address(0x7f1c_2a00_0000)),
        error: None,
        latency_ns: Some(4100),
        on_cpu_ns: None,
        bytes: Some(4096),
        mapping: None,
    };
    let expect = json!({"kind": "syscall", "name": "mmap",
        "args": ["NULL", u64::MAX, "PROT_READ|PROT_WRITE", -1, "0x0", "a\"\n\u{1b}é"],
        "result": "0x7f1c2a000000", "error": null, "latency_ns": 4100, "on_cpu_ns": null,
        "bytes": 4096, "mapping": null, "mapping_start": null});
    assert_eq!(parsed(LineKind::Syscall(syscall.clone())), expect);
    let failed = SyscallLine {
        arguments: Some(Vec::new()),
        result: Some(Returned::Number(-1)),
        error: Some(Cow::Borrowed("ENOMEM")),
        ..syscall.clone()
    };
    let value = parsed(LineKind::Syscall(failed));
    assert_eq!(
        (&value["args"], &value["result"], &value["error"]),
        (&json!([]), &json!(-1), &json!("ENOMEM"))
    );
    let refused = SyscallLine { arguments: None, result: None, ..syscall };
    let value = parsed(LineKind::Syscall(refused));
    assert_eq!((&value["args"], &value["result"]), (&Value::Null, &Value::Null));
}

#[test]
fn keys_of_a_fault() {
    let expect = json!({"kind": "fault", "address": "0x7f1c2a001000", "ip": "0x0",
        "major": true,
        "in_kernel": false, "present": false, "cause": "first-touch", "page_bytes": 4096,
        "mapping": "[heap]", "mapping_start": "0x1000", "latency_ns": u64::MAX,
        "on_cpu_ns": null});
    assert_eq!(parsed(LineKind::Fault(fault(None))), expect);
    for name in ["/a \"b\\c\u{7f}\u{0}", "/lib/libc.so.6", "/\u{fffd}"] {
        assert_eq!(parsed(LineKind::Fault(fault(Some(name))))["mapping"], json!(name));
    }
    let unmapped =
        parsed(LineKind::Fault(FaultLine { mapping: None, cause: Cause::Unknown, ..fault(None) }));
    assert_eq!((&unmapped["mapping"], &unmapped["cause"]), (&Value::Null, &json!("unknown")));
}

#[test]
fn keys_of_processes_and_gaps() {
    for (process, expect) in [
        (LifeLine::Started { by: 7 }, json!({"kind": "process", "event": "started", "by": 7})),
        (
            LifeLine::ThreadStarted { by: 7 },
            json!({"kind": "process", "event": "thread-started", "by": 7}),
        ),
        (
            LifeLine::Executed { name: "a\tb".into() },
            json!({"kind": "process", "event": "executed", "name": "a\tb"}),
        ),
        (
            LifeLine::Over(Ending::Exited(7)),
            json!({"kind": "process", "event": "exited", "status": 7}),
        ),
        (
            LifeLine::Over(Ending::Killed(9)),
            json!({"kind": "process", "event": "killed", "signal": 9}),
        ),
        (LifeLine::Over(Ending::Unknown), json!({"kind": "process", "event": "ended"})),
        (LifeLine::ThreadEnded, json!({"kind": "process", "event": "thread-ended"})),
        (LifeLine::Attached, json!({"kind": "process", "event": "met"})),
    ] {
        assert_eq!(parsed(LineKind::Process(process)), expect);
    }
    assert_eq!(parsed(LineKind::Lost(12)), json!({"kind": "lost", "records": 12}));
    let absence = |reason| LineKind::Absence(events::Absence { latency_ns: 9, reason });
    assert_eq!(
        parsed(absence(events::AbsenceReason::Preempted)),
        json!({
            "kind": "off-cpu", "reason": "preempted", "latency_ns": 9, "absences": 1, "sum_ns": 9
        })
    );
    assert_eq!(
        parsed(absence(events::AbsenceReason::LeftOut { absences: 3, sum_ns: 70 })),
        json!({
            "kind": "off-cpu", "reason": "left-out", "latency_ns": 9, "absences": 3, "sum_ns": 70
        })
    );
    for (records, event) in [(true, "resumed"), (false, "paused")] {
        let expected = json!({"kind": "recorder", "event": event});
        assert_eq!(parsed(LineKind::Switched { records }), expected);
    }
}

#[test]
fn keys_of_allocation_calls() {
    let mut call = Allocation {
        address: 0x1000,
        released: 0,
        size_bytes: 48,
        latency_ns: NonZeroU64::new(21),
        stack: events::StackId::NONE,
        function: events::AllocationFunction::AlignedAlloc,
        alignment_log2: 6,
    };
    let mut expect = json!({"kind": "allocation", "function": "aligned_alloc",
        "size_bytes": 48, "alignment_bytes": 64, "address": "0x1000", "released": null,
        "latency_ns": 21, "has_stack": false});
    assert_eq!(parsed(LineKind::Allocation(call)), expect);
    call.function = events::AllocationFunction::Free;
    (call.address, call.released, call.latency_ns) = (0, 0x1000, None);
    call.alignment_log2 = 0;
    expect = json!({"kind": "allocation", "function": "free", "size_bytes": null,
        "alignment_bytes": null, "address": null, "released": "0x1000", "latency_ns": null,
        "has_stack": false});
    assert_eq!(parsed(LineKind::Allocation(call)), expect);
    call.stack = events::StackId::from_number(1);
    expect["has_stack"] = true.into();
    assert_eq!(parsed(LineKind::Allocation(call)), expect);
    call.stack = events::StackId::NOT_TAKEN;
    expect["has_stack"] = false.into();
    assert_eq!(parsed(LineKind::Allocation(call)), expect);
}

#[test]
fn keys_of_the_summary() {
    let summary = TraceSummary {
        ending: Some(Ending::Exited(0)),
        events: 3,
        faults_counted: Some(2),
        ..TraceSummary::default()
    };
    let mut out = String::new();
    write_summary(&summary, None, &mut out);
    let expect = json!({"time_ns": 0, "pid": 0, "tid": 0, "kind": "summary", "events": 3,
        "lost": 0, "foreign": 0, "late": 0, "faults_seen": 0, "faults_counted": 2,
        "rusage_minor_faults": null, "rusage_major_faults": null, "own_faults": null,
        "before_exec_faults": null, "refused_faults": 0, "own_faults_seen": 0,
        "left_processes": 0, "left_faults_seen": 0, "populating_calls": null, "processes": 0,
        "executions": 0,
        "threads": 0, "threads_ns": 0, "observed_ns": 0, "recording_ns": null,
        "recording_call_ns": null,
        "status": 0, "signal": null, "start": null});
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), expect);
}
