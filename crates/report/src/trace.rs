//! A trace as text: a line a thing, in the manner of strace -f, and how it ended.

mod table;

use std::fmt::{Arguments, Write};

use anstyle::Style;
use events::{Cause, Ending, MappingKind};
use results::trace::{
    Burst, BurstOrder, FaultLine, LifeLine, Line, LineKind, MappingLabel, Shown, SyscallLine,
    TraceSummary,
};

use crate::number::{Nanoseconds, bytes, count};
use crate::text::{ALARM, BAD, BOLD, DIM, clean, hanging, styled};
use crate::view::View;

pub use table::screen as trace_table;

/// A thread that was off its processor for more than a tenth of the time waited, or was
/// interrupted: both figures are said.
const OFF_CPU_SAID: u64 = 10;
const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// Appends what is shown to `out`, as one line, in colours if `colored`.
pub fn trace_line(shown: &Shown, colored: bool, out: &mut String) {
    let mut pen = Pen { out, colored };
    match shown {
        Shown::Burst(burst) => {
            pen.head(burst.time_ns, burst.tid);
            pen.burst(burst);
        }
        Shown::Line(Line { time_ns, tid, kind, .. }) => {
            pen.head(*time_ns, *tid);
            match kind {
                LineKind::Syscall(call) => pen.call(call),
                LineKind::Fault(fault) => pen.fault(fault),
                LineKind::Process(process) => {
                    pen.styled(DIM, format_args!("+++ {} +++", life(process)));
                }
                LineKind::Lost(records) => {
                    pen.styled(
                        ALARM,
                        format_args!(
                            "+++ {} lost here +++",
                            several(*records, "record", "records")
                        ),
                    );
                }
            }
        }
    }
    out.push('\n');
}

/// The last lines of a trace: how the program ended, and what was seen of it.
#[must_use]
pub fn trace_end(summary: &TraceSummary, view: View) -> String {
    let width = view.width;
    let ended =
        summary.ending.map(|ending| styled(BOLD, &format!("+++ {} +++", end(ending))) + "   ");
    let late =
        if summary.late > 0 { format!(", {} late", whole(summary.late)) } else { String::new() };
    let lost = format!("{} lost", whole(summary.lost));
    let lost = if summary.lost > 0 { styled(ALARM, &lost) } else { lost };
    let seen = match summary.faults_counted {
        Some(counted) => {
            let seen = format!("faults seen {} of {}", whole(summary.faults_seen), whole(counted));
            if summary.faults_seen < counted { styled(BAD, &seen) } else { seen }
        }
        None => "faults not traced".to_owned(),
    };
    let recording = match summary.recording_ns.filter(|_| summary.faults_seen > 0) {
        Some(ns) => format!(" (up to {} of each is recording)", Nanoseconds(ns)),
        None => String::new(),
    };
    let events = several(summary.events, "event", "events");
    let mut text = hanging(
        "",
        &format!("{}{events}, {lost}{late}, {seen}{recording}", ended.unwrap_or_default()),
        width,
    );
    if let (Some(minor), Some(major)) = (summary.rusage_minor_faults, summary.rusage_major_faults) {
        let account = format!(
            "The kernel's account: {} minor and {} major. It has pages that one call populated, too.",
            whole(minor),
            whole(major)
        );
        text += &hanging("", &account, width);
    }
    text
}

/// Writes into a text, in colours or without. Lines come by the million: they are made without
/// texts of their own.
struct Pen<'a> {
    out: &'a mut String,
    colored: bool,
}

impl Pen<'_> {
    fn plain(&mut self, text: Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.out.write_fmt(text);
    }

    fn styled(&mut self, style: Style, text: Arguments<'_>) {
        if self.colored {
            self.plain(format_args!("{style}{text}{style:#}"));
        } else {
            self.plain(text);
        }
    }

    /// Thread and time. A gap belongs to nobody.
    fn head(&mut self, time_ns: u64, tid: u32) {
        let (seconds, us) = (time_ns / 1_000_000_000, time_ns / 1000 % 1_000_000);
        if tid != 0 {
            self.plain(format_args!("[{tid}] "));
        }
        self.plain(format_args!("{seconds}.{us:06} "));
    }

    fn call(&mut self, call: &SyscallLine) {
        match call.text.rsplit_once(" = ") {
            Some((text, outcome)) if call.error.is_some() => {
                self.plain(format_args!("{text} = "));
                self.styled(BAD, format_args!("{outcome}"));
            }
            _ => self.out.push_str(&call.text),
        }
        self.span(call.latency_ns, call.on_cpu_ns);
        // What mmap makes without a file is said by its flags.
        let mapping =
            call.mapping.as_ref().filter(|mapping| mapping.name.is_some() || call.name != "mmap");
        if let Some(mapping) = mapping {
            self.styled(DIM, format_args!(" {}", Place(Some(mapping))));
        }
    }

    fn fault(&mut self, fault: &FaultLine) {
        self.fault_word(fault.major);
        self.plain(format_args!(" {:#x} {}", fault.address, Why(fault)));
        self.out.push_str(if fault.in_kernel { ", in the kernel" } else { "" });
        self.span(fault.latency_ns, fault.on_cpu_ns);
    }

    fn burst(&mut self, burst: &Burst) {
        let Burst { first, faults, major, in_kernel, .. } = burst;
        self.fault_word(major == faults);
        self.plain(format_args!(
            " {:#x} .. {:#x}  x{} {}",
            burst.low,
            burst.high,
            whole(*faults),
            Why(first)
        ));
        self.out.push_str(match burst.order {
            BurstOrder::Upwards => "",
            BurstOrder::Downwards => ", downwards",
            BurstOrder::Mixed => ", up and down",
        });
        if let Some(apart_bytes) = burst.apart_bytes {
            self.plain(format_args!(", {} apart", bytes(apart_bytes as f64)));
        }
        if *major > 0 && major < faults {
            self.out.push_str(", ");
            self.styled(ALARM, format_args!("{} major", whole(*major)));
        }
        if *in_kernel == *faults {
            self.out.push_str(", in the kernel");
        } else if *in_kernel > 0 {
            self.plain(format_args!(", {} in the kernel", whole(*in_kernel)));
        }
        let times = match burst.p50_ns {
            Some(p50_ns) => {
                format!("{} p50, {}", Nanoseconds(p50_ns), Nanoseconds(burst.latency_ns))
            }
            None => "?".to_owned(),
        };
        let of = if burst.timed == *faults || burst.timed == 0 {
            String::new()
        } else {
            format!(" of {} that ended", whole(burst.timed))
        };
        self.styled(DIM, format_args!(" <{times}{of}>"));
    }

    fn fault_word(&mut self, major: bool) {
        if major {
            self.styled(ALARM, format_args!("major fault"));
        } else {
            self.out.push_str("fault");
        }
    }

    /// How long it took, and how much of that on a processor if that is another figure.
    fn span(&mut self, latency_ns: Option<u64>, on_cpu_ns: Option<u64>) {
        match (latency_ns, on_cpu_ns) {
            (None, _) => self.styled(DIM, format_args!(" <?>")),
            (Some(all_ns), Some(cpu_ns))
                if all_ns.saturating_sub(cpu_ns) > all_ns / OFF_CPU_SAID =>
            {
                self.styled(
                    DIM,
                    format_args!(" <{}, {} on cpu>", Nanoseconds(all_ns), Nanoseconds(cpu_ns)),
                );
            }
            (Some(all_ns), _) => self.styled(DIM, format_args!(" <{}>", Nanoseconds(all_ns))),
        }
    }
}

/// Where a fault was, and why.
struct Why<'a>(&'a FaultLine);

impl std::fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Why(fault) = self;
        write!(f, "{}", Place(fault.mapping.as_ref()))?;
        match (fault.cause, fault.mapping.as_ref().map(|mapping| mapping.kind)) {
            // Its pages are the kernel's, and come when they are asked for.
            (Cause::Unknown, Some(MappingKind::Kernel)) => Ok(()),
            (cause, _) => write!(f, ", {}{}", reason(cause), Large(fault.large_bytes())),
        }
    }
}

/// The size of pages that are larger than the smallest.
pub(crate) struct Large(pub(crate) Option<u64>);

impl std::fmt::Display for Large {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |size| write!(f, " of {}", bytes(size as f64)))
    }
}

/// What is mapped somewhere, in words: the file, or its kind.
pub(crate) struct Place<'a>(pub(crate) Option<&'a MappingLabel>);

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(MappingLabel { name: Some(name), .. })
                if name.bytes().any(|byte| byte.is_ascii_control()) =>
            {
                f.write_str(&clean(name))
            }
            Some(MappingLabel { name: Some(name), .. }) => f.write_str(name),
            Some(mapping) => f.write_str(mapping.kind.label().trim_matches(['[', ']'])),
            None => f.write_str("unknown memory"),
        }
    }
}

/// A cause in words.
pub(crate) fn reason(cause: Cause) -> &'static str {
    match cause {
        Cause::FirstTouch => "first touch",
        Cause::CopyOnWrite => "copy on write",
        Cause::File => "file page",
        Cause::Stack => "stack growth",
        Cause::Unknown => "cause unknown",
    }
}

fn life(process: &LifeLine) -> String {
    match process {
        LifeLine::Started { by } => format!("started by {by}"),
        LifeLine::ThreadStarted { by } => format!("thread started by {by}"),
        LifeLine::Executed { name } => format!("executed {}", clean(name)),
        LifeLine::Over(ending) => end(*ending),
        LifeLine::ThreadEnded => "thread ended".to_owned(),
        LifeLine::Attached => "was running already".to_owned(),
    }
}

fn end(ending: Ending) -> String {
    match ending {
        Ending::Exited(status) => format!("exited with {status}"),
        Ending::Killed(signal) => {
            match usize::from(signal).checked_sub(1).and_then(|index| SIGNALS.get(index)) {
                Some(name) => format!("killed by SIG{name}"),
                None => format!("killed by signal {signal}"),
            }
        }
        Ending::Unknown => "ended".to_owned(),
    }
}

fn several(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", whole(number), if number == 1 { one } else { many })
}

fn whole(number: u64) -> String {
    count(number as f64)
}
