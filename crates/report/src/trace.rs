//! A trace as text: a line for each call, fault or burst, in the manner of strace -f, and its end.

mod end;
mod names;
mod table;

use std::fmt::{Arguments, Write};

use anstyle::Style;
use events::{Absence, AbsenceReason, Allocation, AllocationFunction, Cause, MappingKind, StackId};
use results::trace::{Burst, BurstOrder, FaultLine, LifeLine, Line, LineKind, Shown, SyscallLine};

use crate::number::{Nanoseconds, bytes, several, whole};
use crate::text::{ALARM, BAD, DIM, clean, cleaned};

use self::end::end;
use self::names::Place;

pub use end::trace_end;
pub use names::FileNames;
pub use table::screen as trace_table;

/// A line has both times where the thread was off its processor for more than a tenth of the whole:
/// it waited, or was interrupted.
const OFF_CPU_SAID: u64 = 10;

/// Appends what is shown to `out`, as one line, in colours if `colored`. `names` has the files of
/// the lines before it.
pub fn trace_line(shown: &Shown, names: &mut FileNames, colored: bool, out: &mut String) {
    let mut pen = Pen { out, names, colored };
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
                LineKind::Allocation(call) => pen.allocation(call),
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
                LineKind::Absence(absence) => pen.absence(absence),
                LineKind::Switched { records } => {
                    let what = if *records { "goes on" } else { "pauses" };
                    pen.styled(ALARM, format_args!("+++ the recording {what} +++"));
                }
            }
        }
    }
    out.push('\n');
}

/// Writes into a text, in colours or without. Lines come by the million, so it allocates no text
/// for them.
struct Pen<'a> {
    out: &'a mut String,
    names: &'a mut FileNames,
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

    /// Thread and time. A gap has no thread.
    fn head(&mut self, time_ns: u64, tid: u32) {
        let (seconds, us) = (time_ns / 1_000_000_000, time_ns / 1000 % 1_000_000);
        if tid != 0 {
            self.plain(format_args!("[{tid}] "));
        }
        self.plain(format_args!("{seconds}.{us:06} "));
    }

    fn call(&mut self, call: &SyscallLine) {
        let text = cleaned(&call.text);
        match text.rsplit_once(" = ") {
            Some((text, outcome)) if call.error.is_some() => {
                self.plain(format_args!("{text} = "));
                self.styled(BAD, format_args!("{outcome}"));
            }
            _ => self.out.push_str(&text),
        }
        self.span(call.latency_ns, call.on_cpu_ns);
        // The flags of an mmap without a file say what it makes.
        let mapping =
            call.mapping.as_ref().filter(|mapping| mapping.name.is_some() || call.name != "mmap");
        if mapping.is_some() {
            let place = self.names.place(mapping);
            self.styled(DIM, format_args!(" {place}"));
        }
    }

    fn absence(&mut self, absence: &Absence) {
        let latency = Nanoseconds(absence.latency_ns);
        let why = match absence.reason {
            AbsenceReason::Preempted => "preempted",
            AbsenceReason::Blocked => "waits",
            AbsenceReason::Stopped => "stopped by the recorder",
            AbsenceReason::Unknown => "waits or is preempted",
            AbsenceReason::LeftOut { absences, sum_ns } => {
                let times = several(absences.into(), "time", "times");
                let sum = Nanoseconds(sum_ns);
                return self.styled(
                    ALARM,
                    format_args!(
                        "+++ threads off the processor {times} more, {sum} in {latency} +++"
                    ),
                );
            }
        };
        self.styled(DIM, format_args!("off the processor: {why} <{latency}>"));
    }

    fn allocation(&mut self, call: &Allocation) {
        let (name, size) = (call.function.name(), Size(call.size_bytes));
        // Its syscall has a line of its own.
        self.plain(format_args!("{}{name}(", if call.function.maps() { "call " } else { "" }));
        let takes_old = matches!(
            call.function,
            AllocationFunction::Realloc
                | AllocationFunction::Reallocarray
                | AllocationFunction::Mremap
        );
        match (call.released, call.function.only_releases()) {
            (old, true) if call.function.maps() => {
                self.plain(format_args!("{old:#x}, {size})"));
            }
            (old, true) => self.plain(format_args!("{old:#x})")),
            (0, false) if takes_old => self.plain(format_args!("NULL, {size})")),
            (0, false) => self.plain(format_args!("{size})")),
            (old, false) => self.plain(format_args!("{old:#x}, {size})")),
        }
        if call.alignment_log2 > 0 {
            let alignment = 1_u64 << call.alignment_log2.min(63);
            self.styled(DIM, format_args!(" aligned to {alignment}"));
        }
        match call.address {
            0 if call.function.only_releases() => {
                let failed = call.function.maps() && call.released == 0;
                self.styled(BAD, format_args!("{}", if failed { " failed" } else { "" }));
            }
            0 if call.function.maps() => self.styled(BAD, format_args!(" = MAP_FAILED")),
            0 => self.styled(BAD, format_args!(" = NULL")),
            address => self.plain(format_args!(" = {address:#x}")),
        }
        if call.stack == StackId::NOT_TAKEN && !call.only_gives_back() {
            self.styled(DIM, format_args!(" no stack"));
        }
        if let Some(latency_ns) = call.latency_ns {
            self.span(Some(latency_ns.get()), None);
        }
    }

    fn fault(&mut self, fault: &FaultLine) {
        self.fault_word(fault.major);
        let why = self.why(fault);
        self.plain(format_args!(" {:#x} {why}", fault.address));
        self.out.push_str(if fault.in_kernel { ", in the kernel" } else { "" });
        self.span(fault.latency_ns, fault.on_cpu_ns);
    }

    fn burst(&mut self, burst: &Burst) {
        let Burst { first, faults, major, in_kernel, .. } = burst;
        self.fault_word(major == faults);
        let (low, high, why) = (burst.low, burst.high, self.why(first));
        self.plain(format_args!(" {low:#x} .. {high:#x}  x{} {why}", whole(*faults)));
        // Where most of the range was touched, its order tells a reader nothing.
        self.out.push_str(match burst.order {
            BurstOrder::Downwards if burst.sparse => ", downwards",
            BurstOrder::Mixed if burst.sparse => ", scattered",
            _ => "",
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

    fn why<'b>(&mut self, fault: &'b FaultLine) -> Why<'b> {
        Why { fault, place: self.names.place(fault.mapping.as_ref()) }
    }

    /// The time in the kernel, and the part of it on a processor where that differs.
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

/// The size that a call asks for, in bytes. Records of calls hold no larger one than 256 TiB.
struct Size(u64);

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == u64::MAX { f.write_str(">= 256 TiB") } else { write!(f, "{}", self.0) }
    }
}

/// The place of a fault, and its cause.
struct Why<'a> {
    fault: &'a FaultLine,
    place: Place<'a>,
}

impl std::fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Why { fault, place } = self;
        let kind = fault.mapping.as_ref().map(|mapping| mapping.kind);
        write!(f, "{place}, {}{}", reason(fault.cause, kind), Large(fault.large_bytes()))
    }
}

/// The size of pages that are larger than the smallest.
pub(crate) struct Large(pub(crate) Option<u64>);

impl std::fmt::Display for Large {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |size| write!(f, " of {}", bytes(size as f64)))
    }
}

/// The cause of a fault in a mapping of `kind`, in words.
pub(crate) fn reason(cause: Cause, kind: Option<MappingKind>) -> &'static str {
    match cause {
        // The page exists, as that of a file, but no file has it.
        Cause::File if kind == Some(MappingKind::Kernel) => "kernel page",
        Cause::FirstTouch => "first touch",
        Cause::CopyOnWrite => "copy on write",
        Cause::Reuse => "made writable",
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
