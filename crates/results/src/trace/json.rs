//! JSON lines, written directly into a reused buffer. A million faults are a million lines, and
//! building a value tree for each would cost more than the faults.

use std::num::NonZeroU64;

use events::{Allocation, Ending};

use super::{
    Argument, FaultLine, LifeLine, Line, LineKind, MappingLabel, Returned, SyscallLine,
    TraceSummary,
};

/// Appends `line` as one line of JSON to `out`.
pub fn write_line(line: &Line, out: &mut String) {
    head(line.time_ns, line.pid, line.tid, out);
    match &line.kind {
        LineKind::Syscall(syscall) => write_syscall(syscall, out),
        LineKind::Fault(fault) => write_fault(fault, out),
        LineKind::Allocation(call) => write_allocation(call, out),
        LineKind::Process(process) => write_process(process, out),
        LineKind::Lost(records) => {
            out.push_str(r#""lost","records":"#);
            decimal(*records, out);
        }
    }
    out.push_str("}\n");
}

fn write_allocation(call: &Allocation, out: &mut String) {
    out.push_str(r#""allocation","function":""#);
    out.push_str(call.function.name());
    out.push_str(r#"","size_bytes":"#);
    known((!call.function.only_releases()).then_some(call.size_bytes), out);
    out.push_str(r#","alignment_bytes":"#);
    known((call.alignment_log2 > 0).then(|| 1 << call.alignment_log2.min(63)), out);
    for (key, of) in [(r#","address":"#, call.address), (r#","released":"#, call.released)] {
        out.push_str(key);
        match of {
            0 => out.push_str("null"),
            given => address(given, out),
        }
    }
    out.push_str(r#","latency_ns":"#);
    known(call.latency_ns.map(NonZeroU64::get), out);
}

/// Appends the last line to `out`.
pub fn write_summary(summary: &TraceSummary, out: &mut String) {
    head(summary.time_ns, summary.pid, summary.pid, out);
    out.push_str(r#""summary""#);
    let (status, signal) = match summary.ending {
        Some(Ending::Exited(status)) => (Some(status), None),
        Some(Ending::Killed(signal)) => (None, Some(signal)),
        Some(Ending::Unknown) | None => (None, None),
    };
    let figures = [
        (r#","events":"#, Some(summary.events)),
        (r#","lost":"#, Some(summary.lost)),
        (r#","foreign":"#, Some(summary.foreign)),
        (r#","late":"#, Some(summary.late)),
        (r#","faults_seen":"#, Some(summary.faults_seen)),
        (r#","faults_counted":"#, summary.faults_counted),
        (r#","rusage_minor_faults":"#, summary.rusage_minor_faults),
        (r#","rusage_major_faults":"#, summary.rusage_major_faults),
        (r#","own_faults":"#, summary.own_faults),
        (r#","before_exec_faults":"#, summary.before_exec_faults),
        (r#","refused_faults":"#, Some(summary.refused_faults)),
        (r#","own_faults_seen":"#, Some(summary.own_faults_seen)),
        (r#","left_processes":"#, Some(summary.left_processes)),
        (r#","left_faults_seen":"#, Some(summary.left_faults_seen)),
        (r#","populating_calls":"#, summary.populating_calls),
        (r#","processes":"#, Some(summary.processes)),
        (r#","executions":"#, Some(summary.executions)),
        (r#","threads":"#, Some(summary.threads)),
        (r#","threads_ns":"#, Some(summary.threads_ns)),
        (r#","observed_ns":"#, Some(summary.observed_ns)),
        (r#","recording_ns":"#, summary.recording_ns),
        (r#","recording_call_ns":"#, summary.recording_call_ns),
        (r#","status":"#, status.map(u64::from)),
        (r#","signal":"#, signal.map(u64::from)),
    ];
    for (key, figure) in figures {
        out.push_str(key);
        known(figure, out);
    }
    out.push_str("}\n");
}

fn head(time_ns: u64, pid: u32, tid: u32, out: &mut String) {
    out.push_str(r#"{"time_ns":"#);
    decimal(time_ns, out);
    out.push_str(r#","pid":"#);
    decimal(u64::from(pid), out);
    out.push_str(r#","tid":"#);
    decimal(u64::from(tid), out);
    out.push_str(r#","kind":"#);
}

fn write_syscall(syscall: &SyscallLine, out: &mut String) {
    out.push_str(r#""syscall","name":"#);
    text(syscall.name, out);
    out.push_str(r#","args":"#);
    match &syscall.arguments {
        Some(arguments) => write_arguments(arguments, out),
        None => out.push_str("null"),
    }
    out.push_str(r#","result":"#);
    match syscall.result {
        Some(Returned::Address(value)) => address(value, out),
        Some(Returned::Number(value)) => signed(i128::from(value), out),
        None => out.push_str("null"),
    }
    out.push_str(r#","error":"#);
    optional(syscall.error.as_deref(), out);
    out.push_str(r#","bytes":"#);
    known(syscall.bytes, out);
    mapping(syscall.mapping.as_ref(), out);
    span(syscall.latency_ns, syscall.on_cpu_ns, out);
}

fn write_arguments(arguments: &[Argument], out: &mut String) {
    out.push('[');
    for (index, argument) in arguments.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        match argument {
            Argument::Null => out.push_str(r#""NULL""#),
            Argument::Address(value) => address(*value, out),
            Argument::Number(value) => signed(*value, out),
            Argument::Symbols(symbols) => text(symbols, out),
            Argument::Text(passed) => text(passed, out),
        }
    }
    out.push(']');
}

fn write_fault(fault: &FaultLine, out: &mut String) {
    out.push_str(r#""fault","address":"#);
    address(fault.address, out);
    out.push_str(r#","ip":"#);
    address(fault.ip, out);
    out.push_str(if fault.major { r#","major":true"# } else { r#","major":false"# });
    out.push_str(if fault.in_kernel { r#","in_kernel":true"# } else { r#","in_kernel":false"# });
    out.push_str(match fault.present {
        Some(true) => r#","present":true"#,
        Some(false) => r#","present":false"#,
        None => r#","present":null"#,
    });
    out.push_str(r#","cause":""#);
    out.push_str(fault.cause.word());
    out.push_str(r#"","page_bytes":"#);
    known(fault.page_bytes, out);
    mapping(fault.mapping.as_ref(), out);
    span(fault.latency_ns, fault.on_cpu_ns, out);
}

fn write_process(process: &LifeLine, out: &mut String) {
    out.push_str(r#""process","event":"#);
    match process {
        LifeLine::Started { by } => {
            out.push_str(r#""started","by":"#);
            decimal(u64::from(*by), out);
        }
        LifeLine::ThreadStarted { by } => {
            out.push_str(r#""thread-started","by":"#);
            decimal(u64::from(*by), out);
        }
        LifeLine::Executed { name } => {
            out.push_str(r#""executed","name":"#);
            text(name, out);
        }
        LifeLine::Over(Ending::Exited(status)) => {
            out.push_str(r#""exited","status":"#);
            decimal(u64::from(*status), out);
        }
        LifeLine::Over(Ending::Killed(signal)) => {
            out.push_str(r#""killed","signal":"#);
            decimal(u64::from(*signal), out);
        }
        LifeLine::Over(Ending::Unknown) => out.push_str(r#""ended""#),
        LifeLine::ThreadEnded => out.push_str(r#""thread-ended""#),
        LifeLine::Attached => out.push_str(r#""met""#),
    }
}

fn mapping(mapping: Option<&MappingLabel>, out: &mut String) {
    out.push_str(r#","mapping":"#);
    optional(mapping.map(MappingLabel::label), out);
    out.push_str(r#","mapping_start":"#);
    match mapping {
        Some(mapping) => address(mapping.start, out),
        None => out.push_str("null"),
    }
}

fn span(latency_ns: Option<u64>, on_cpu_ns: Option<u64>, out: &mut String) {
    out.push_str(r#","latency_ns":"#);
    known(latency_ns, out);
    out.push_str(r#","on_cpu_ns":"#);
    known(on_cpu_ns, out);
}

fn optional(value: Option<&str>, out: &mut String) {
    match value {
        Some(value) => text(value, out),
        None => out.push_str("null"),
    }
}

/// Writes names without escapes directly; `serde_json` would allocate for each.
fn text(value: &str, out: &mut String) {
    if value.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\') {
        out.push('"');
        out.push_str(value);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(value).to_string());
    }
}

fn known(value: Option<u64>, out: &mut String) {
    match value {
        Some(value) => decimal(value, out),
        None => out.push_str("null"),
    }
}

fn signed(value: i128, out: &mut String) {
    match u64::try_from(value) {
        Ok(value) => decimal(value, out),
        Err(_) => out.push_str(&value.to_string()),
    }
}

fn decimal(value: u64, out: &mut String) {
    digits::<10>(value, out);
}

fn address(value: u64, out: &mut String) {
    out.push_str("\"0x");
    digits::<16>(value, out);
    out.push('"');
}

/// Writes `value` in base `BASE`. Formatting by the standard library takes several times as long.
fn digits<const BASE: u64>(mut value: u64, out: &mut String) {
    let mut buffer = [0u8; 20];
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] =
            b"0123456789abcdef"[usize::try_from(value % BASE).expect("less than the base")];
        value /= BASE;
        if value == 0 {
            break;
        }
    }
    out.push_str(std::str::from_utf8(&buffer[at..]).expect("digits are ASCII"));
}

#[cfg(test)]
mod tests {
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
        assert_eq!(
            (keys.remove("pid"), keys.remove("tid")),
            (Some(json!(4123)), Some(json!(4124)))
        );
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
        let unmapped = parsed(LineKind::Fault(FaultLine {
            mapping: None,
            cause: Cause::Unknown,
            ..fault(None)
        }));
        assert_eq!((&unmapped["mapping"], &unmapped["cause"]), (&Value::Null, &json!("unknown")));
    }

    #[test]
    fn keys_of_processes_gaps_and_the_summary() {
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
            "latency_ns": 21});
        assert_eq!(parsed(LineKind::Allocation(call)), expect);
        call.function = events::AllocationFunction::Free;
        (call.address, call.released, call.latency_ns) = (0, 0x1000, None);
        call.alignment_log2 = 0;
        expect = json!({"kind": "allocation", "function": "free", "size_bytes": null,
            "alignment_bytes": null, "address": null, "released": "0x1000", "latency_ns": null});
        assert_eq!(parsed(LineKind::Allocation(call)), expect);
        let summary = TraceSummary {
            ending: Some(Ending::Exited(0)),
            events: 3,
            faults_counted: Some(2),
            ..TraceSummary::default()
        };
        let mut out = String::new();
        write_summary(&summary, &mut out);
        let expect = json!({"time_ns": 0, "pid": 0, "tid": 0, "kind": "summary", "events": 3,
            "lost": 0, "foreign": 0, "late": 0, "faults_seen": 0, "faults_counted": 2,
            "rusage_minor_faults": null, "rusage_major_faults": null, "own_faults": null,
            "before_exec_faults": null, "refused_faults": 0, "own_faults_seen": 0,
            "left_processes": 0, "left_faults_seen": 0, "populating_calls": null, "processes": 0,
            "executions": 0,
            "threads": 0, "threads_ns": 0, "observed_ns": 0, "recording_ns": null,
            "recording_call_ns": null,
            "status": 0, "signal": null});
        assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), expect);
    }
}
