//! The lines of a trace: one for each event, or for a burst of faults, and the end.

mod table;

use std::fmt::Write;

use results::trace::{Burst, Cause, Ending, Fault, Kind, Line, Mapping, Order, Process, Shown, Summary, Syscall, What};

use crate::number::{count, duration};
use crate::text::{BAD, DIM, clean, styled};

pub use table::screen as table;

/// Appends `shown` to `out`, with colours if `colored`.
pub fn line(shown: &Shown, colored: bool, out: &mut String) {
    let (time_ns, tid) = match shown {
        Shown::Line(line) => (line.time_ns, line.tid),
        Shown::Burst(burst) => (burst.time_ns, burst.tid),
    };
    let (seconds, micros) = (time_ns / 1_000_000_000, time_ns % 1_000_000_000 / 1000);
    let painter = Painter { colored };
    painter.dim(out, |out| push(out, format_args!("[{tid}] {seconds}.{micros:06} ")));
    match shown {
        Shown::Line(Line { what, .. }) => match what {
            What::Syscall(call) => painter.syscall(call, out),
            What::Fault(fault) => painter.fault(fault, out),
            What::Process(process) => push(out, format_args!("{}", life(process))),
            What::Lost(records) => painter.lost(*records, out),
        },
        Shown::Burst(burst) => painter.burst(burst, out),
    }
    out.push('\n');
}

/// Appends the end: how the program ended, and what was seen against what there was.
pub fn end(summary: &Summary, out: &mut String) {
    let ending = match summary.ending {
        Some(Ending::Exited(status)) => format!("exited with {status}"),
        Some(Ending::Killed(signal)) => format!("killed by {}", signal_name(signal)),
        Some(Ending::Unknown) | None => "no longer traced".to_owned(),
    };
    push(out, format_args!("+++ {ending} +++   {}\n", missed(summary)));
}

/// What was seen against what there was.
fn missed(summary: &Summary) -> String {
    let number = |number: u64| count(number as f64);
    let mut text = format!("{} events, {} lost", number(summary.events), number(summary.lost));
    if summary.late > 0 {
        push(&mut text, format_args!(", {} out of order", number(summary.late)));
    }
    if let Some(counted) = summary.faults_counted {
        push(&mut text, format_args!(", faults seen {} of {}", number(summary.faults_seen), number(counted)));
    }
    if let Some(ns) = summary.recording_ns.filter(|_| summary.faults_seen > 0) {
        push(&mut text, format_args!(", each with up to {} of recording", duration(ns as f64)));
    }
    text
}

/// Writing to a String cannot fail.
fn push(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(arguments);
}

/// Writes with colours or without.
#[derive(Debug, Clone, Copy)]
struct Painter {
    colored: bool,
}

impl Painter {
    fn dim(self, out: &mut String, write: impl FnOnce(&mut String)) {
        if self.colored {
            push(out, format_args!("{DIM}"));
        }
        write(out);
        if self.colored {
            push(out, format_args!("{DIM:#}"));
        }
    }

    fn bad(self, text: &str) -> String {
        if self.colored { styled(BAD, text) } else { text.to_owned() }
    }

    fn syscall(self, call: &Syscall, out: &mut String) {
        let text = clean(&call.text);
        match (&call.error, text.rsplit_once(" = ")) {
            (Some(_), Some((call, outcome))) => push(out, format_args!("{call} = {}", self.bad(outcome))),
            _ => out.push_str(&text),
        }
        self.dim(out, |out| {
            push(out, format_args!(" <{}>", time(call.latency_ns)));
            // What lies at an address is worth a word where the call itself does not say it.
            if let Some(mapping) = call.mapping.as_ref().filter(|mapping| mapping.kind != Kind::Anonymous) {
                push(out, format_args!(" {}", place(mapping)));
            }
        });
    }

    fn fault(self, fault: &Fault, out: &mut String) {
        if fault.major {
            push(out, format_args!("{} ", self.bad("major")));
        }
        push(out, format_args!("fault {:#x} {}", fault.address, why(fault)));
        if fault.in_kernel {
            out.push_str(", in the kernel");
        }
        self.dim(out, |out| push(out, format_args!(" <{}>", time(fault.latency_ns))));
    }

    fn burst(self, burst: &Burst, out: &mut String) {
        push(out, format_args!("fault {:#x} .. {:#x}  x{}", burst.low, burst.high, count(burst.faults as f64)));
        if burst.major > 0 {
            push(out, format_args!(" ({})", self.bad(&format!("{} major", count(burst.major as f64)))));
        }
        push(out, format_args!(" {}", why(&burst.first)));
        out.push_str(match burst.order {
            Order::Upwards => "",
            Order::Downwards => ", downwards",
            Order::Mixed => ", in no order",
        });
        match burst.in_kernel {
            0 => {}
            all if all == burst.faults => out.push_str(", in the kernel"),
            some => push(out, format_args!(", {} in the kernel", count(some as f64))),
        }
        self.dim(out, |out| {
            push(out, format_args!(" <{} p50, {}>", time(burst.p50_ns), duration(burst.latency_ns as f64)));
        });
    }

    fn lost(self, records: u64, out: &mut String) {
        let gap = format!("--- {} records lost here: they came faster than they were read ---", count(records as f64));
        out.push_str(&self.bad(&gap));
    }
}

fn time(ns: Option<u64>) -> String {
    ns.map_or_else(|| "?".to_owned(), |ns| duration(ns as f64))
}

/// Why a fault happened, and where.
fn why(fault: &Fault) -> String {
    let place = fault.mapping.as_ref().map(place);
    match (fault.cause, place) {
        // Their places say it all.
        (Cause::Stack, Some(place)) => place,
        (cause, Some(place)) => format!("{}, {place}", words(cause)),
        (cause, None) => words(cause).to_owned(),
    }
}

/// A cause in words.
fn words(cause: Cause) -> &'static str {
    match cause {
        Cause::FirstTouch => "first touch",
        Cause::CopyOnWrite => "copy-on-write",
        Cause::File => "file",
        Cause::Stack => "stack",
        Cause::Unknown => "cause unknown",
    }
}

/// What is mapped somewhere, in words.
fn place(mapping: &Mapping) -> String {
    match &mapping.name {
        Some(name) => clean(name),
        None => mapping.kind.label().trim_matches(['[', ']']).to_owned(),
    }
}

/// The life of a process, in words.
fn life(process: &Process) -> String {
    match process {
        Process::Started { by } => format!("process started by {by}"),
        Process::ThreadStarted { by } => format!("thread started by {by}"),
        Process::Executed { name } => format!("became {}", clean(name)),
        Process::Over(Ending::Exited(status)) => format!("exited with {status}"),
        Process::Over(Ending::Killed(signal)) => format!("killed by {}", signal_name(*signal)),
        Process::Over(Ending::Unknown) => "ended".to_owned(),
        Process::ThreadEnded => "thread ended".to_owned(),
        Process::Met => "was running already".to_owned(),
    }
}

/// signal(7), for the numbers that are the same on x86 and arm.
fn signal_name(signal: u8) -> String {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
        "WINCH", "IO", "PWR", "SYS",
    ];
    let name = usize::from(signal).checked_sub(1).and_then(|index| NAMES.get(index));
    name.map_or_else(|| format!("signal {signal}"), |name| format!("SIG{name}"))
}
