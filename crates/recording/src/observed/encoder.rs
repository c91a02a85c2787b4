//! Makes chunks of observed events.

use std::num::NonZeroU64;

use events::{
    Absence, AbsenceReason, Batch, Ending, Event, EventKind, Life, Mapping, Span, Syscall,
};

use super::{MAPPING_KINDS, Previous, Shape, flag, kind, life, reason};
use crate::bytes::{put, zigzag};
use crate::chunk::{Extent, append_chunk, kind as chunk_kind};
use crate::columns::{Column, Packer};
use crate::dictionary::Dictionary;
use crate::{Chunk, SourceId, definitions};

/// The number of events after which a chunk is complete.
const CHUNK_RECORDS: u32 = 1 << 14;

/// Encodes a batch of the source [`SourceId::OBSERVED`]: its definitions, and its events in their
/// order, absences sorted. The chunk must stand in the file before the first chunk that refers to
/// the definitions.
/// Texts of more than a MiB are cut.
#[must_use]
pub fn encode_batch(batch: &Batch) -> Chunk {
    let (mut packer, mut chunk) = (Packer::default(), Chunk::default());
    definitions::encode(&batch.definitions, &mut packer, &mut chunk);
    let mut encoder = ObservedEncoder::new(chunk_kind::OBSERVED);
    let mut absences = Vec::new();
    for event in &batch.events {
        if matches!(event.kind, EventKind::Absence(_)) {
            absences.push(event);
            continue;
        }
        encoder.push(event);
        encoder.seal_if(CHUNK_RECORDS, &mut packer, &mut chunk);
    }
    encoder.seal_if(1, &mut packer, &mut chunk);
    // They come when they are over.
    absences.sort_by_key(|event| event.time_ns);
    encoder.chunk_kind = chunk_kind::ABSENCES;
    for event in absences {
        encoder.push(event);
        encoder.seal_if(CHUNK_RECORDS, &mut packer, &mut chunk);
    }
    encoder.seal_if(1, &mut packer, &mut chunk);
    chunk
}

#[derive(Debug)]
struct ObservedEncoder {
    /// What its chunks are.
    chunk_kind: u8,
    extent: Extent,
    shapes: Vec<u8>,
    operations: Vec<u8>,
    gaps: Vec<u8>,
    latencies: Vec<u8>,
    waits: Vec<u8>,
    addresses: Vec<u8>,
    ips: Vec<u8>,
    values: Vec<u8>,
    dictionary: Dictionary<Shape>,
    previous: Vec<Previous>,
    previous_ns: u64,
}

impl ObservedEncoder {
    fn new(chunk_kind: u8) -> Self {
        ObservedEncoder {
            chunk_kind,
            extent: Extent::default(),
            shapes: Vec::new(),
            operations: Vec::new(),
            gaps: Vec::new(),
            latencies: Vec::new(),
            waits: Vec::new(),
            addresses: Vec::new(),
            ips: Vec::new(),
            values: Vec::new(),
            dictionary: Dictionary::new(Shape::UNUSED),
            previous: Vec::new(),
            previous_ns: 0,
        }
    }

    fn push(&mut self, event: &Event) {
        self.extent.add(event.time_ns);
        put(&mut self.gaps, zigzag(event.time_ns.wrapping_sub(self.previous_ns)));
        self.previous_ns = event.time_ns;
        let shape = Shape { thread: event.thread, ..shape_of(&event.kind) };
        let number = self.push_shape(shape, &event.kind);
        match &event.kind {
            EventKind::Syscall(call) => {
                self.push_span(call.span);
                self.push_syscall(call, number);
            }
            EventKind::Fault(fault) => {
                self.push_span(fault.span);
                let previous = &mut self.previous[number];
                put(&mut self.addresses, zigzag(fault.address.wrapping_sub(previous.address)));
                put(&mut self.ips, zigzag(fault.ip.wrapping_sub(previous.ip)));
                (previous.address, previous.ip) = (fault.address, fault.ip);
            }
            EventKind::Allocation(call) => {
                self.push_span(Span { latency_ns: call.latency_ns, on_cpu_ns: None });
                self.push_values(&[call.address, call.released, call.size_bytes]);
            }
            EventKind::Mapping(mapping) => self.push_mapping(mapping),
            EventKind::Life(life) => match *life {
                Life::Started { by } => self.push_values(&[by.pid.into(), by.tid.into()]),
                Life::Executed { name } => self.push_values(&[name.number().into()]),
                Life::Ended { ending: Ending::Exited(code) | Ending::Killed(code) } => {
                    self.push_values(&[code.into()]);
                }
                Life::Ended { ending: Ending::Unknown } | Life::Attached | Life::Compat32 => {}
            },
            EventKind::Lost(lost) => self.push_values(&[lost.records]),
            EventKind::Absence(absence) => self.push_absence(absence),
        }
    }

    fn push_shape(&mut self, shape: Shape, event: &EventKind) -> usize {
        let (number, is_new) = self.dictionary.number(shape, shape.bits());
        if is_new {
            self.shapes.extend([shape.kind, shape.flags, shape.detail]);
            for number in [shape.thread.pid.into(), shape.thread.tid.into(), shape.extra] {
                put(&mut self.shapes, number);
            }
            if let EventKind::Syscall(call) = event {
                crate::bytes::put_text(&mut self.shapes, call.call.name());
            }
            self.previous.push(Previous::default());
        }
        put(&mut self.operations, number.into());
        number as usize
    }

    fn push_span(&mut self, span: Span) {
        let latency_ns = span.latency_ns.map_or(0, u64::from);
        if latency_ns != 0 {
            put(&mut self.latencies, latency_ns);
        }
        if let Some(on_cpu_ns) = span.on_cpu_ns {
            put(&mut self.waits, zigzag(latency_ns.wrapping_sub(on_cpu_ns.get())));
        }
    }

    fn push_syscall(&mut self, call: &Syscall, number: usize) {
        let previous = &mut self.previous[number].arguments;
        for (argument, previous) in call.arguments.iter().zip(previous) {
            put(&mut self.values, zigzag(argument.wrapping_sub(*previous)));
            *previous = *argument;
        }
        if call.text.is_some() {
            put(&mut self.values, call.text.number().into());
        }
        if let Some(result) = call.result {
            put(&mut self.values, zigzag(result.cast_unsigned()));
        }
    }

    fn push_mapping(&mut self, mapping: &Mapping) {
        let length = mapping.end.wrapping_sub(mapping.start);
        self.push_values(&[mapping.start, length, mapping.offset_bytes]);
        self.push_values(&[mapping.name.number().into(), mapping.module.number().into()]);
    }

    fn push_absence(&mut self, absence: &Absence) {
        self.push_span(span_of(absence));
        if let AbsenceReason::LeftOut { absences, sum_ns } = absence.reason {
            self.push_values(&[absences.into(), sum_ns]);
        }
    }

    fn push_values(&mut self, values: &[u64]) {
        for &value in values {
            put(&mut self.values, value);
        }
    }

    /// Completes a chunk, if it has at least so many records.
    fn seal_if(&mut self, records: u32, packer: &mut Packer, chunk: &mut Chunk) {
        if self.extent.records() < records {
            return;
        }
        let columns = [
            Column::Regular(&self.shapes),
            Column::Regular(&self.operations),
            Column::Noisy(&self.gaps),
            Column::Noisy(&self.latencies),
            Column::Regular(&self.waits),
            Column::Regular(&self.addresses),
            Column::Regular(&self.ips),
            Column::Regular(&self.values),
        ];
        let header = self.extent.header(self.chunk_kind, SourceId::OBSERVED);
        append_chunk(&mut chunk.bytes, header, |into| packer.pack(&columns, into));
        *self = ObservedEncoder::new(self.chunk_kind);
    }
}

/// The shape of an event, without its thread.
fn shape_of(event: &EventKind) -> Shape {
    let bits = |bits: &[(bool, u8)]| {
        bits.iter().fold(0, |all, &(is_set, bit)| if is_set { all | bit } else { all })
    };
    let span = |span: &Span| {
        bits(&[
            (span.latency_ns.is_some(), flag::LATENCY),
            (span.on_cpu_ns.is_some(), flag::ON_CPU),
        ])
    };
    let (kind, flags, detail, extra) = match event {
        EventKind::Syscall(call) => {
            let flags = bits(&[
                (call.arguments_known, flag::ARGUMENTS),
                (call.result.is_some(), flag::RESULT),
                (call.text.is_some(), flag::TEXT),
            ]);
            (kind::SYSCALL, flags | span(&call.span), call.call as u8, 0)
        }
        EventKind::Fault(fault) => {
            let flags = bits(&[
                (fault.major, flag::MAJOR),
                (fault.in_kernel, flag::IN_KERNEL),
                (fault.present.is_some(), flag::PRESENCE_KNOWN),
                (fault.present == Some(true), flag::PRESENT),
            ]);
            let page_bytes = fault.page_bytes.map_or(0, u64::from);
            (kind::FAULT, flags | span(&fault.span), 0, page_bytes)
        }
        EventKind::Allocation(call) => {
            let flags = bits(&[(call.latency_ns.is_some(), flag::LATENCY)]);
            let extra = u64::from(call.stack.number()) | u64::from(call.alignment_log2) << 32;
            (kind::ALLOCATION, flags, call.function as u8, extra)
        }
        EventKind::Mapping(mapping) => {
            let number = MAPPING_KINDS.iter().zip(1..).find(|(kind, _)| **kind == mapping.kind);
            let flags = bits(&[(mapping.hugetlb, flag::HUGETLB)]);
            (kind::MAPPING, flags, number.map_or(0, |(_, n)| n), mapping.protection.into())
        }
        EventKind::Life(life) => {
            let detail = match life {
                Life::Started { .. } => life::STARTED,
                Life::Executed { .. } => life::EXECUTED,
                Life::Ended { ending: Ending::Unknown } => life::ENDED,
                Life::Ended { ending: Ending::Exited(_) } => life::EXITED,
                Life::Ended { ending: Ending::Killed(_) } => life::KILLED,
                Life::Attached => life::ATTACHED,
                Life::Compat32 => life::COMPAT32,
            };
            (kind::LIFE, 0, detail, 0)
        }
        EventKind::Lost(_) => (kind::LOST, 0, 0, 0),
        EventKind::Absence(absence) => {
            let detail = match absence.reason {
                AbsenceReason::Unknown => reason::UNKNOWN,
                AbsenceReason::Preempted => reason::PREEMPTED,
                AbsenceReason::Blocked => reason::BLOCKED,
                AbsenceReason::Stopped => reason::STOPPED,
                AbsenceReason::LeftOut { .. } => reason::LEFT_OUT,
            };
            (kind::ABSENCE, span(&span_of(absence)), detail, 0)
        }
    };
    Shape { kind, flags, detail, extra, ..Shape::UNUSED }
}

fn span_of(absence: &Absence) -> Span {
    Span { latency_ns: NonZeroU64::new(absence.latency_ns), on_cpu_ns: None }
}
