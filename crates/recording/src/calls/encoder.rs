//! Makes chunks of the allocation calls of a thread.

use events::{Allocation, Thread};

use super::recent::{BLOCKS, SizeClass};
use super::{COLUMNS, Recent, Shape, distance, form};
use crate::bytes::{Output, put, zigzag};
use crate::chunk::{Extent, RECORDS_MAX, append_chunk, kind};
use crate::columns::{Column, Packer};
use crate::dictionary::{Dictionary, hash};
use crate::{Chunk, SourceId};

/// The slots in which recent blocks are found by address.
const SLOTS: usize = 4096;

/// Encodes allocation calls of one thread, in the order in which it made them. It keeps 60 KiB and
/// the buffers of a chunk.
pub struct CallsEncoder {
    source: SourceId,
    thread: Thread,
    extent: Extent,
    shapes: Vec<u8>,
    operations: Output,
    gaps: Output,
    latencies: Output,
    sizes: Output,
    ages: Output,
    addresses: Output,
    released: Output,
    /// With the last size of each shape.
    dictionary: Dictionary<Shape>,
    recent: Recent,
    /// The numbers of recent blocks, by a hash of their addresses. Verified when they are used.
    numbers: Box<[u16; SLOTS]>,
    /// When the first call began.
    base_ns: u64,
    /// When the previous call ended.
    expected_ns: u64,
    last_address: u64,
    last_released: u64,
    packer: Packer,
    /// Complete chunks.
    full: Chunk,
}

impl CallsEncoder {
    /// An encoder for the calls of `thread`, which is the source `source`.
    #[must_use]
    pub fn new(source: SourceId, thread: Thread) -> Self {
        CallsEncoder {
            source,
            thread,
            extent: Extent::default(),
            shapes: Vec::new(),
            operations: Output::default(),
            gaps: Output::default(),
            latencies: Output::default(),
            sizes: Output::default(),
            ages: Output::default(),
            addresses: Output::default(),
            released: Output::default(),
            dictionary: Dictionary::new(Shape::UNUSED),
            recent: Recent::new(RECORDS_MAX),
            numbers: Box::new([0; SLOTS]),
            base_ns: 0,
            expected_ns: 0,
            last_address: 0,
            last_released: 0,
            packer: Packer::default(),
            full: Chunk::default(),
        }
    }

    /// Goes on with another thread, so that one encoder can serve many. Calls that were pushed
    /// before stay those of the other thread, and come with the next [`CallsEncoder::finish`].
    pub fn restart(&mut self, source: SourceId, thread: Thread) {
        self.seal();
        (self.source, self.thread) = (source, thread);
    }

    /// Adds a call that began at `time_ns`.
    #[inline]
    pub fn push(&mut self, time_ns: u64, call: &Allocation) {
        let mut form = 0;
        if self.extent.records() == 0 {
            (self.base_ns, self.expected_ns) = (time_ns, time_ns);
        }
        self.extent.add(time_ns);
        self.push_times(time_ns, call.latency_ns.map_or(0, u64::from));
        if call.latency_ns.is_some() {
            form |= form::TIMED;
        }
        if call.released != 0 {
            form |= self.push_released(call.released);
        }
        if call.address != 0 {
            form |= self.push_address(call);
        }
        let (stack, function) = (call.stack.number(), call.function as u8);
        self.push_shape(Shape::new(stack, function, call.alignment_log2, form), call.size_bytes);
        if self.extent.records() >= RECORDS_MAX {
            self.seal();
        }
    }

    #[inline]
    fn push_times(&mut self, time_ns: u64, latency_ns: u64) {
        let gap_ns = time_ns.wrapping_sub(self.expected_ns);
        if gap_ns < 0x7f && latency_ns < 0x80 && latency_ns != 0 {
            self.gaps.put_byte(gap_ns + 1);
            self.latencies.put_byte(latency_ns);
            self.expected_ns = time_ns.wrapping_add(latency_ns);
            return;
        }
        if gap_ns < 1 << 62 {
            self.gaps.put(gap_ns + 1);
        } else {
            self.gaps.put(0);
            self.gaps.put(zigzag(gap_ns));
        }
        if latency_ns != 0 {
            self.latencies.put(latency_ns);
        }
        self.expected_ns = time_ns.wrapping_add(latency_ns);
    }

    #[inline]
    fn push_released(&mut self, address: u64) -> u8 {
        let number = u64::from(self.numbers[hash::<SLOTS>(address)]);
        let age = self.recent.given().wrapping_sub(number).wrapping_sub(1);
        if age < BLOCKS as u64 && self.recent.of_age(age) == Some(address) {
            self.ages.put(age);
            self.recent.release(age);
            form::RECENT
        } else {
            self.released.put(distance(self.last_released, address));
            self.last_released = address;
            form::RELEASED_WRITTEN
        }
    }

    #[inline]
    fn push_address(&mut self, call: &Allocation) -> u8 {
        let address = call.address;
        let size = SizeClass::of(call.size_bytes);
        let foreseen = self.recent.foresee(&size);
        let form = if address == foreseen {
            form::FORESEEN
        } else if address == call.released {
            form::IN_PLACE
        } else {
            self.addresses.put(distance(self.last_address, address));
            form::ADDRESS_WRITTEN
        };
        self.last_address = address;
        self.numbers[hash::<SLOTS>(address)] = (self.recent.given() & 0xffff) as u16;
        self.recent.give(address, &size);
        form
    }

    #[inline]
    fn push_shape(&mut self, shape: Shape, size_bytes: u64) {
        let (slot, is_new) = self.dictionary.slot(shape, shape.0);
        if is_new {
            put(&mut self.shapes, u64::from(shape.stack()));
            self.shapes.extend([shape.function(), shape.alignment_log2(), shape.form()]);
        }
        let has_size = slot.last != size_bytes;
        let operation = u64::from(slot.number) << 1 | u64::from(has_size);
        if operation < 0x80 {
            self.operations.put_byte(operation);
        } else {
            self.operations.put(operation);
        }
        if has_size {
            slot.last = size_bytes;
            self.sizes.put(size_bytes);
        }
    }

    /// The number of calls that were pushed since the last [`CallsEncoder::finish`] and are not
    /// part of a complete chunk.
    #[must_use]
    pub fn len(&self) -> usize {
        self.extent.records() as usize
    }

    /// Whether nothing was pushed since the last [`CallsEncoder::finish`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.full.is_empty()
    }

    /// The bytes of the calls since the last [`CallsEncoder::finish`], before compression.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let columns = self.outputs().map(|column| column.bytes().len());
        self.shapes.len() + columns.iter().sum::<usize>() + self.full.bytes().len()
    }

    fn outputs(&self) -> [&Output; COLUMNS - 1] {
        [
            &self.operations,
            &self.gaps,
            &self.latencies,
            &self.sizes,
            &self.ages,
            &self.addresses,
            &self.released,
        ]
    }

    /// Takes all calls as a chunk; an empty one without calls. 16,384 calls are a good size; beyond
    /// 65,536 the calls are several chunks.
    pub fn finish(&mut self) -> Chunk {
        self.seal();
        std::mem::take(&mut self.full)
    }

    /// Completes a chunk.
    fn seal(&mut self) {
        if self.extent.records() == 0 {
            return;
        }
        let mut shapes = Vec::with_capacity(self.shapes.len() + 20);
        put(&mut shapes, u64::from(self.thread.pid));
        put(&mut shapes, u64::from(self.thread.tid));
        put(&mut shapes, self.base_ns);
        shapes.extend_from_slice(&self.shapes);
        let columns = [
            Column::Regular(&shapes),
            Column::Regular(self.operations.bytes()),
            Column::Noisy(self.gaps.bytes()),
            Column::Noisy(self.latencies.bytes()),
            Column::Regular(self.sizes.bytes()),
            Column::Regular(self.ages.bytes()),
            Column::Regular(self.addresses.bytes()),
            Column::Regular(self.released.bytes()),
        ];
        let header = self.extent.header(kind::CALLS, self.source);
        append_chunk(&mut self.full.bytes, header, |into| self.packer.pack(&columns, into));
        self.clear();
    }

    fn clear(&mut self) {
        self.shapes.clear();
        for column in [
            &mut self.operations,
            &mut self.gaps,
            &mut self.latencies,
            &mut self.sizes,
            &mut self.ages,
            &mut self.addresses,
            &mut self.released,
        ] {
            column.clear();
        }
        self.extent = Extent::default();
        self.dictionary.clear(Shape::UNUSED);
        self.recent.clear();
        (self.last_address, self.last_released) = (0, 0);
    }
}

impl std::fmt::Debug for CallsEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let len = self.len();
        f.debug_struct("CallsEncoder")
            .field("source", &self.source)
            .field("thread", &self.thread)
            .field("len", &len)
            .finish_non_exhaustive()
    }
}
