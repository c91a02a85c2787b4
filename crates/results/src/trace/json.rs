//! JSON lines, written directly into a reused buffer. A million faults are a million lines, and
//! building a value tree for each would cost more than the faults.

use std::num::NonZeroU64;

use events::{Absence, AbsenceReason, Allocation, Ending, StackId};

use crate::start::ProgramStart;

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
        LineKind::Absence(absence) => write_absence(*absence, out),
        LineKind::Switched { records: true } => out.push_str(r#""recorder","event":"resumed""#),
        LineKind::Switched { records: false } => out.push_str(r#""recorder","event":"paused""#),
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
    let has_stack = ![StackId::NONE, StackId::NOT_TAKEN].contains(&call.stack);
    out.push_str(if has_stack { r#","has_stack":true"# } else { r#","has_stack":false"# });
}

fn write_absence(Absence { latency_ns, reason }: Absence, out: &mut String) {
    let (absences, sum_ns) = match reason {
        AbsenceReason::LeftOut { absences, sum_ns } => (absences.into(), sum_ns),
        _ => (1, latency_ns),
    };
    out.push_str(r#""off-cpu","reason":""#);
    out.push_str(reason.word());
    for (key, figure) in [
        (r#"","latency_ns":"#, latency_ns),
        (r#","absences":"#, absences),
        (r#","sum_ns":"#, sum_ns),
    ] {
        out.push_str(key);
        decimal(figure, out);
    }
}

/// Appends the last line to `out`.
pub fn write_summary(summary: &TraceSummary, start: Option<&ProgramStart>, out: &mut String) {
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
    out.push_str(r#","start":"#);
    // Numbers and texts are always JSON.
    out.push_str(&serde_json::to_string(&start).unwrap_or_default());
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
mod tests;
