//! Reads chunks of observed events.

use std::num::NonZeroU64;

use events::{
    Absence, AbsenceReason, Allocation, AllocationFunction, Call, Ending, Event, EventKind, Fault,
    Life, Lost, Mapping, MappingKind, ModuleId, Name, Span, StackId, Syscall, Thread,
};

use super::{COLUMNS, MAPPING_KINDS, Previous, Shape, flag, kind, life, reason};
use crate::bytes::{Cursor, Input, Malformed, unzigzag};
use crate::chunk::ChunkHeader;
use crate::columns::Columns;

/// A shape, and what its numbers stand for.
#[derive(Debug)]
struct Known {
    shape: Shape,
    /// `None`: no syscall, or one that this version does not know.
    call: Option<Call>,
    previous: Previous,
}

/// Reads the events of a chunk, one after the other.
#[derive(Debug)]
pub(crate) struct ObservedDecoder {
    left: u32,
    shapes: Vec<Known>,
    operations: Input,
    gaps: Input,
    latencies: Input,
    waits: Input,
    addresses: Input,
    ips: Input,
    values: Input,
    previous_ns: u64,
}

impl ObservedDecoder {
    /// A decoder of a chunk with this header.
    pub(crate) fn new(header: &ChunkHeader, columns: Columns) -> Result<Self, Malformed> {
        let columns: [Vec<u8>; COLUMNS] = columns.into_array();
        let [shapes, operations, gaps, latencies, waits, addresses, ips, values] = columns;
        if operations.len() < header.records as usize {
            return Err(Malformed);
        }
        Ok(ObservedDecoder {
            left: header.records,
            shapes: decode_shapes(&shapes, header.records)?,
            operations: Input::new(operations),
            gaps: Input::new(gaps),
            latencies: Input::new(latencies),
            waits: Input::new(waits),
            addresses: Input::new(addresses),
            ips: Input::new(ips),
            values: Input::new(values),
            previous_ns: 0,
        })
    }

    /// Appends the next events to `into`, at most `count`. Returns `false` at the end of the chunk.
    /// Leaves out what a newer version wrote and this one does not know.
    pub(crate) fn decode(
        &mut self,
        count: usize,
        into: &mut Vec<Event>,
    ) -> Result<bool, Malformed> {
        for _ in 0..count.min(self.left as usize) {
            self.left -= 1;
            into.extend(self.next()?);
        }
        Ok(self.left > 0)
    }

    fn next(&mut self) -> Result<Option<Event>, Malformed> {
        let number = usize::try_from(self.operations.take()?).map_err(|_| Malformed)?;
        let (shape, call) =
            self.shapes.get(number).map(|known| (known.shape, known.call)).ok_or(Malformed)?;
        let time_ns = self.previous_ns.wrapping_add(unzigzag(self.gaps.take()?));
        self.previous_ns = time_ns;
        let kind = match shape.kind {
            kind::SYSCALL => self.syscall(number, &shape, call)?.map(EventKind::Syscall),
            kind::FAULT => Some(EventKind::Fault(self.fault(number, &shape)?)),
            kind::ALLOCATION => Some(EventKind::Allocation(self.allocation(&shape)?)),
            kind::MAPPING => Some(EventKind::Mapping(self.mapping(&shape)?)),
            kind::LIFE => Some(EventKind::Life(self.life(&shape)?)),
            kind::ABSENCE => Some(EventKind::Absence(self.absence(&shape)?)),
            kind::LOST => Some(EventKind::Lost(Lost { records: self.values.take()? })),
            _ => return Err(Malformed),
        };
        Ok(kind.map(|kind| Event { time_ns, thread: shape.thread, kind }))
    }

    fn span(&mut self, shape: &Shape) -> Result<Span, Malformed> {
        let has = |bit| shape.flags & bit != 0;
        let latency_ns = if has(flag::LATENCY) { self.latencies.take()? } else { 0 };
        let on_cpu_ns = if has(flag::ON_CPU) {
            latency_ns.wrapping_sub(unzigzag(self.waits.take()?))
        } else {
            0
        };
        let known = NonZeroU64::new;
        Ok(Span { latency_ns: known(latency_ns), on_cpu_ns: known(on_cpu_ns) })
    }

    fn syscall(
        &mut self,
        number: usize,
        shape: &Shape,
        call: Option<Call>,
    ) -> Result<Option<Syscall>, Malformed> {
        let has = |bit| shape.flags & bit != 0;
        let span = self.span(shape)?;
        let arguments = &mut self.shapes[number].previous.arguments;
        for argument in &mut *arguments {
            *argument = argument.wrapping_add(unzigzag(self.values.take()?));
        }
        let arguments = *arguments;
        let text = if has(flag::TEXT) { self.values.take_u32()? } else { 0 };
        let result = if has(flag::RESULT) {
            Some(unzigzag(self.values.take()?).cast_signed())
        } else {
            None
        };
        let (text, arguments_known) = (Name::from_number(text), has(flag::ARGUMENTS));
        Ok(call.map(|call| Syscall { call, arguments_known, text, arguments, result, span }))
    }

    fn fault(&mut self, number: usize, shape: &Shape) -> Result<Fault, Malformed> {
        let has = |bit| shape.flags & bit != 0;
        let span = self.span(shape)?;
        let previous = &mut self.shapes[number].previous;
        previous.address = previous.address.wrapping_add(unzigzag(self.addresses.take()?));
        previous.ip = previous.ip.wrapping_add(unzigzag(self.ips.take()?));
        Ok(Fault {
            address: previous.address,
            ip: previous.ip,
            span,
            page_bytes: NonZeroU64::new(shape.extra),
            major: has(flag::MAJOR),
            in_kernel: has(flag::IN_KERNEL),
            present: has(flag::PRESENCE_KNOWN).then(|| has(flag::PRESENT)),
        })
    }

    fn allocation(&mut self, shape: &Shape) -> Result<Allocation, Malformed> {
        let span = self.span(shape)?;
        let stack = u32::try_from(shape.extra & 0xffff_ffff).map_err(|_| Malformed)?;
        Ok(Allocation {
            address: self.values.take()?,
            released: self.values.take()?,
            size_bytes: self.values.take()?,
            latency_ns: span.latency_ns,
            stack: StackId::from_number(stack),
            function: AllocationFunction::from_number(shape.detail).ok_or(Malformed)?,
            alignment_log2: u8::try_from(shape.extra >> 32).map_err(|_| Malformed)?,
        })
    }

    fn mapping(&mut self, shape: &Shape) -> Result<Mapping, Malformed> {
        let (start, length) = (self.values.take()?, self.values.take()?);
        let kind = usize::from(shape.detail).checked_sub(1).and_then(|n| MAPPING_KINDS.get(n));
        Ok(Mapping {
            start,
            end: start.wrapping_add(length),
            offset_bytes: self.values.take()?,
            protection: u32::try_from(shape.extra).map_err(|_| Malformed)?,
            name: Name::from_number(self.values.take_u32()?),
            module: ModuleId::from_number(self.values.take_u32()?),
            // A newer version may know more kinds.
            kind: kind.copied().unwrap_or(MappingKind::Other),
            hugetlb: shape.flags & flag::HUGETLB != 0,
        })
    }

    fn absence(&mut self, shape: &Shape) -> Result<Absence, Malformed> {
        let latency_ns = self.span(shape)?.latency_ns.map_or(0, NonZeroU64::get);
        let reason = match shape.detail {
            reason::PREEMPTED => AbsenceReason::Preempted,
            reason::BLOCKED => AbsenceReason::Blocked,
            reason::STOPPED => AbsenceReason::Stopped,
            reason::LEFT_OUT => AbsenceReason::LeftOut {
                absences: self.values.take_u32()?,
                sum_ns: self.values.take()?,
            },
            // A newer version may know more reasons.
            _ => AbsenceReason::Unknown,
        };
        Ok(Absence { latency_ns, reason })
    }

    fn life(&mut self, shape: &Shape) -> Result<Life, Malformed> {
        let values = &mut self.values;
        Ok(match shape.detail {
            life::STARTED => {
                let (pid, tid) = (values.take_u32()?, values.take_u32()?);
                Life::Started { by: Thread { pid, tid } }
            }
            life::EXECUTED => Life::Executed { name: Name::from_number(values.take_u32()?) },
            life::ENDED => Life::Ended { ending: Ending::Unknown },
            life::EXITED => Life::Ended { ending: Ending::Exited(values.take_u8()?) },
            life::KILLED => Life::Ended { ending: Ending::Killed(values.take_u8()?) },
            life::ATTACHED => Life::Attached,
            life::COMPAT32 => Life::Compat32,
            _ => return Err(Malformed),
        })
    }
}

/// At most `most` shapes: each is of an event.
fn decode_shapes(column: &[u8], most: u32) -> Result<Vec<Known>, Malformed> {
    let (mut cursor, mut shapes) = (Cursor::new(0), Vec::new());
    while cursor.at() < column.len() {
        if shapes.len() == most as usize {
            return Err(Malformed);
        }
        let &[kind, flags, detail] = cursor.take_bytes(column, 3)? else { return Err(Malformed) };
        let thread = Thread { pid: cursor.take_u32(column)?, tid: cursor.take_u32(column)? };
        let shape = Shape { kind, flags, detail, thread, extra: cursor.take(column)? };
        let call = if kind == kind::SYSCALL {
            let name = cursor.take_text(column)?;
            Call::ALL.into_iter().find(|call| call.name() == name)
        } else {
            None
        };
        shapes.push(Known { shape, call, previous: Previous::default() });
    }
    Ok(shapes)
}
