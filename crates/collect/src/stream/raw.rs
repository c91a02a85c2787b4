//! The raw events of sources: beginnings and ends of syscalls and faults, in the vocabulary of
//! events.

use std::collections::HashSet;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use events::{
    BuildId, Call, Definition, Device, Ending, Interner, Life, Lost, Mapping, MappingReport,
    ModuleId, Name, Thread,
};
use sys::elf::build_id_of_file;
use sys::perf::record::{Record, RecordKind, RecordTask};
use sys::process::WaitStatus;

use crate::calls::{Numbers, narrow_arguments};

/// One observation and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawEvent {
    pub(crate) time_ns: u64,
    pub(crate) thread: Thread,
    pub(crate) kind: RawKind,
}

/// The kind of an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RawKind {
    FaultBegins {
        address: u64,
        ip: u64,
        in_kernel: bool,
        present: Option<bool>,
    },
    FaultEnds {
        major: bool,
        page_bytes: Option<NonZeroU64>,
    },
    /// With `by_ptrace` the thread was stopped and is being resumed; the call begins when it is
    /// switched onto a processor.
    CallBegins {
        call: Call,
        text: Name,
        /// `None`: unknown.
        arguments: Option<[u64; 6]>,
        by_ptrace: bool,
    },
    /// With `by_ptrace` the thread has stopped again; the call ended when it was switched off its
    /// processor. No result: a filter of the program turned the call into a signal.
    CallEnds {
        result: Option<i64>,
        refused: Option<Refused>,
    },
    /// The thread was stopped once more before its call, and is being resumed.
    CallGoesOn,
    SwitchIn,
    SwitchOut {
        preempted: bool,
    },
    Mapping(Mapping),
    Life(Life),
    /// The process has ended so; its threads' ends are reported beside it.
    ProcessEnded(Ending),
    Lost(Lost),
    /// A syscall in 32-bit mode, whose number has another meaning.
    Compat32 {
        is_memory_call: bool,
    },
}

/// A call that ended and perhaps never began: what a seccomp filter refuses has no beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) call: Call,
    /// `None`: it became a signal, which lets the call seem to return its number.
    pub(crate) result: Option<i64>,
}

impl Refused {
    /// The call as a filter may have refused it; `None` if the result is not of such a call.
    fn of(call: Call, number: u64, result: i64) -> Option<Self> {
        if i64::try_from(number) == Ok(result) {
            return Some(Refused { call, result: None });
        }
        (-4095..0).contains(&result).then_some(Refused { call, result: Some(result) })
    }
}

/// Reads the text at an address of a process, if it still exists.
pub(crate) type ReadText<'a> = &'a dyn Fn(u32, u64) -> Option<Vec<u8>>;

/// Turns a record of the kernel into a raw event. `None`: it is not relevant (a call that is not
/// about memory, a thread that renamed itself).
pub(crate) fn raw(
    record: Record<'_>,
    numbers: &Numbers,
    interner: &SharedInterner,
    read_text: ReadText<'_>,
) -> Option<RawEvent> {
    let kind = match record.kind {
        RecordKind::FaultBegins { address, ip, in_kernel, present } => {
            RawKind::FaultBegins { address, ip, in_kernel, present }
        }
        RecordKind::FaultEnds { major, page_bytes } => RawKind::FaultEnds { major, page_bytes },
        RecordKind::CallBegins { number, compat32: true, .. } if !numbers.sees_narrow() => {
            RawKind::Compat32 { is_memory_call: numbers.narrow(number).is_some() }
        }
        RecordKind::CallBegins { number, arguments, compat32 } => {
            let call = if compat32 { numbers.narrow(number)? } else { numbers.native(number)? };
            // Arguments in memory may have been overwritten by now.
            let arguments = if compat32 {
                narrow_arguments(number, arguments, |_| None)
            } else {
                Some(arguments)
            };
            let text = call.text_argument().zip(arguments);
            let text = text.and_then(|(at, arguments)| read_text(record.task.pid, arguments[at]));
            RawKind::CallBegins {
                call,
                text: text.map_or(Name::NONE, |text| interner.text(&text)),
                arguments,
                by_ptrace: false,
            }
        }
        RecordKind::CallEnds { number, result } => call_ends(numbers, number, result)?,
        RecordKind::SwitchIn => RawKind::SwitchIn,
        RecordKind::SwitchOut { preempted } => RawKind::SwitchOut { preempted },
        RecordKind::Fork { by } => RawKind::Life(Life::Started { by: thread(by) }),
        RecordKind::Exit => RawKind::Life(Life::Ended { ending: Ending::Unknown }),
        RecordKind::Comm { by_exec: true, name } => {
            RawKind::Life(Life::Executed { name: interner.text(name) })
        }
        RecordKind::Comm { by_exec: false, .. } => return None,
        RecordKind::Mapped {
            start,
            len_bytes,
            offset_bytes,
            device,
            inode,
            generation,
            protection,
            shared,
            name,
        } => {
            let name = &*String::from_utf8_lossy(name);
            let (end, device) =
                (start.saturating_add(len_bytes), Device { major: device.0, minor: device.1 });
            RawKind::Mapping(interner.mapping(&MappingReport {
                start,
                end,
                offset_bytes,
                protection,
                shared,
                name,
                device,
                inode,
                generation,
            }))
        }
        RecordKind::Lost { records } => RawKind::Lost(Lost { records }),
    };
    Some(RawEvent { time_ns: record.time_ns, thread: thread(record.task), kind })
}

/// The end of a call, whose record does not have the mode of the processor.
fn call_ends(numbers: &Numbers, number: u64, result: i64) -> Option<RawKind> {
    let native = numbers.native(number);
    let refused = if numbers.sees_narrow() {
        native.or(numbers.narrow(number))?;
        None
    } else {
        Refused::of(native?, number, result)
    };
    Some(RawKind::CallEnds { result: Some(result), refused })
}

/// The status of a process, in the vocabulary of events.
pub(crate) fn ending(status: WaitStatus) -> Ending {
    let number = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    match status {
        WaitStatus::Exited(status) => Ending::Exited(number(status)),
        WaitStatus::Killed(signal) => Ending::Killed(number(signal)),
    }
}

fn thread(task: RecordTask) -> Thread {
    Thread { pid: task.pid, tid: task.tid }
}

/// `PROT_EXEC` of `<asm-generic/mman-common.h>`.
const EXECUTABLE: u32 = 4;

/// The interner, shared by the tracer and the consumer. Its lock is held while one text is looked
/// up, never during output.
#[derive(Debug, Default)]
pub(crate) struct SharedInterner {
    interner: Mutex<Interner>,
    /// Modules whose build id has been searched for.
    asked: Mutex<HashSet<ModuleId>>,
}

impl SharedInterner {
    fn lock(&self) -> MutexGuard<'_, Interner> {
        self.interner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a text. Names of files and programs may have any bytes: those that are not
    /// UTF-8 are replaced.
    pub(crate) fn text(&self, bytes: &[u8]) -> Name {
        self.lock().text(&String::from_utf8_lossy(bytes))
    }

    /// A mapping, with its texts interned. The build id of a file is read when code of it is first
    /// mapped. Files mapped only as data are left out, since their first page may not be in the
    /// page cache.
    pub(crate) fn mapping(&self, report: &MappingReport<'_>) -> Mapping {
        let mapping = report.intern(&mut self.lock());
        let is_code = report.protection & EXECUTABLE != 0 && mapping.module != ModuleId::NONE;
        if is_code
            && self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(mapping.module)
        {
            // The lock is not held while the file is read.
            let id = build_id_of_file(Path::new(report.name), report.inode);
            if let Some(id) = id.and_then(|id| BuildId::new(&id)) {
                self.lock().build_id(mapping.module, id);
            }
        }
        mapping
    }

    /// Moves the definitions made since the last call to `into`.
    pub(crate) fn take_new(&self, into: &mut Vec<Definition>) {
        self.lock().take_new(into);
    }
}
