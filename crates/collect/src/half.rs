//! What is seen of a program as it is seen: halves of syscalls and faults, in the words of events.

use std::num::NonZeroU64;

use events::{Call, Life, Lost, Mapping, Name, Names, Thread};
use sys::perf::record::{Record, Task, What};

use crate::calls;

/// Something seen, at its moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Half {
    pub(crate) time_ns: u64,
    pub(crate) thread: Thread,
    pub(crate) what: Piece,
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    FaultBegins {
        address: u64,
        ip: u64,
        in_kernel: bool,
    },
    FaultEnds {
        major: bool,
        page_bytes: Option<NonZeroU64>,
    },
    /// With `by_stops` the thread was stopped, and is about to go on; it is on its way when it comes to a processor.
    CallBegins {
        call: Call,
        text: Name,
        arguments: [u64; 6],
        by_stops: bool,
    },
    /// After `by_stops`, the thread has been stopped again: the call had ended when it left its processor.
    CallEnds {
        result: i64,
    },
    SwitchIn,
    SwitchOut,
    Mapping(Mapping),
    Life(Life),
    Lost(Lost),
    /// A syscall in 32-bit mode, whose number means something else.
    Narrow,
}

/// Reads the text at an address of a process, if it is still there.
pub(crate) type ReadText<'a> = &'a dyn Fn(u32, u64) -> Option<Vec<u8>>;

/// What the kernel's records say, in our words. `None`: nothing that matters (a call that is not about memory, a thread that renamed itself).
pub(crate) fn half(
    record: Record<'_>,
    numbers: &[(u32, Call)],
    names: &mut Names,
    read_text: ReadText<'_>,
) -> Option<Half> {
    let what = match record.what {
        What::FaultBegins { address, ip, in_kernel } => Piece::FaultBegins { address, ip, in_kernel },
        What::FaultEnds { major, page_bytes } => Piece::FaultEnds { major, page_bytes },
        What::CallBegins { narrow: true, .. } => Piece::Narrow,
        What::CallBegins { number, arguments, .. } => {
            let call = calls::call(numbers, number)?;
            let text = call.text_argument().and_then(|at| read_text(record.task.pid, arguments[at]));
            Piece::CallBegins {
                call,
                text: text.map_or(Name::NONE, |text| add(names, &text)),
                arguments,
                by_stops: false,
            }
        }
        What::CallEnds { number, result } => {
            calls::call(numbers, number)?;
            Piece::CallEnds { result }
        }
        What::SwitchIn => Piece::SwitchIn,
        What::SwitchOut { .. } => Piece::SwitchOut,
        What::Fork { by } => Piece::Life(Life::Started { by: thread(by) }),
        What::Exit => Piece::Life(Life::Ended { ending: events::Ending::Unknown }),
        What::Comm { by_exec: true, name } => Piece::Life(Life::Executed { name: add(names, name) }),
        What::Comm { by_exec: false, .. } => return None,
        What::Mapped { start, len_bytes, offset_bytes, inode, protection, shared, name } => {
            let name = if name == b"//anon" { Name::NONE } else { add(names, name) };
            let end = start.saturating_add(len_bytes);
            Piece::Mapping(Mapping { start, end, offset_bytes, inode, protection, shared, name })
        }
        What::Lost { records } => Piece::Lost(Lost { records }),
    };
    Some(Half { time_ns: record.time_ns, thread: thread(record.task), what })
}

fn thread(task: Task) -> Thread {
    Thread { pid: task.pid, tid: task.tid }
}

/// Paths and programs may have any bytes; names are text.
pub(crate) fn add(names: &mut Names, bytes: &[u8]) -> Name {
    names.add(&String::from_utf8_lossy(bytes))
}
