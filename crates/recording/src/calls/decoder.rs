//! Reads chunks of the allocation calls of a thread.

use std::num::NonZeroU64;

use events::{Allocation, AllocationFunction, Event, EventKind, StackId, Thread};

use super::recent::SizeClass;
use super::{COLUMNS, Recent, Shape, at_distance, form};
use crate::bytes::{Cursor, Input, Malformed, unzigzag};
use crate::chunk::ChunkHeader;
use crate::columns::Columns;

/// Reads the calls of a chunk, one after the other.
#[derive(Debug)]
pub(crate) struct CallsDecoder {
    thread: Thread,
    left: u32,
    operations: Input,
    gaps: Input,
    latencies: Input,
    sizes: Input,
    ages: Input,
    addresses: Input,
    released: Input,
    shapes: Vec<(Shape, AllocationFunction, u64)>,
    recent: Recent,
    expected_ns: u64,
    last_address: u64,
    last_released: u64,
}

impl CallsDecoder {
    /// A decoder of a chunk with this header.
    pub(crate) fn new(header: &ChunkHeader, columns: Columns) -> Result<Self, Malformed> {
        let columns: [Vec<u8>; COLUMNS] = columns.into_array();
        let [dictionary, operations, gaps, latencies, sizes, ages, addresses, released] = columns;
        if operations.len() < header.records as usize || gaps.len() < header.records as usize {
            return Err(Malformed);
        }
        let mut cursor = Cursor::default();
        let pid = cursor.take_u32(&dictionary)?;
        let tid = cursor.take_u32(&dictionary)?;
        let expected_ns = cursor.take(&dictionary)?;
        let mut shapes = Vec::new();
        while cursor.at() < dictionary.len() {
            if shapes.len() == header.records as usize {
                return Err(Malformed);
            }
            let stack = cursor.take_u32(&dictionary)?;
            let &[function, alignment_log2, form] = cursor.take_bytes(&dictionary, 3)? else {
                return Err(Malformed);
            };
            let known = AllocationFunction::from_number(function).ok_or(Malformed)?;
            shapes.push((Shape::new(stack, function, alignment_log2, form), known, 0));
        }
        Ok(CallsDecoder {
            thread: Thread { pid, tid },
            left: header.records,
            operations: Input::new(operations),
            gaps: Input::new(gaps),
            latencies: Input::new(latencies),
            sizes: Input::new(sizes),
            ages: Input::new(ages),
            addresses: Input::new(addresses),
            released: Input::new(released),
            shapes,
            recent: Recent::new(header.records),
            expected_ns,
            last_address: 0,
            last_released: 0,
        })
    }

    /// Appends the next calls to `into`, at most `count`. Returns `false` at the end of the chunk.
    pub(crate) fn decode(
        &mut self,
        count: usize,
        into: &mut Vec<Event>,
    ) -> Result<bool, Malformed> {
        for _ in 0..count.min(self.left as usize) {
            self.left -= 1;
            into.push(self.next()?);
        }
        Ok(self.left > 0)
    }

    #[inline]
    fn next(&mut self) -> Result<Event, Malformed> {
        let operation = self.operations.take()?;
        let place = usize::try_from(operation >> 1).map_err(|_| Malformed)?;
        let shape = self.shapes.get_mut(place).ok_or(Malformed)?;
        if operation & 1 != 0 {
            shape.2 = self.sizes.take()?;
        }
        let (shape, function, size_bytes) = *shape;
        let time_ns = match self.gaps.take()? {
            0 => self.expected_ns.wrapping_add(unzigzag(self.gaps.take()?)),
            gap => self.expected_ns.wrapping_add(gap - 1),
        };
        let latency_ns = if shape.form() & form::TIMED != 0 { self.latencies.take()? } else { 0 };
        self.expected_ns = time_ns.wrapping_add(latency_ns);
        let released = self.take_released(shape.form())?;
        let address = self.take_address(shape.form(), released, size_bytes)?;
        let allocation = Allocation {
            address,
            released,
            size_bytes,
            latency_ns: NonZeroU64::new(latency_ns),
            stack: StackId::from_number(shape.stack()),
            function,
            alignment_log2: shape.alignment_log2(),
        };
        Ok(Event { time_ns, thread: self.thread, kind: EventKind::Allocation(allocation) })
    }

    #[inline]
    fn take_released(&mut self, form: u8) -> Result<u64, Malformed> {
        match form & form::RELEASED {
            form::RECENT => {
                let age = self.ages.take()?;
                let address = self.recent.of_age(age).ok_or(Malformed)?;
                self.recent.release(age);
                Ok(address)
            }
            form::RELEASED_WRITTEN => {
                self.last_released = at_distance(self.last_released, self.released.take()?);
                Ok(self.last_released)
            }
            0 => Ok(0),
            _ => Err(Malformed),
        }
    }

    #[inline]
    fn take_address(&mut self, form: u8, released: u64, size: u64) -> Result<u64, Malformed> {
        if form & form::ADDRESS == 0 {
            return Ok(0);
        }
        let size = SizeClass::of(size);
        let foreseen = self.recent.foresee(&size);
        let address = match form & form::ADDRESS {
            form::FORESEEN => foreseen,
            form::IN_PLACE => released,
            _ => at_distance(self.last_address, self.addresses.take()?),
        };
        self.last_address = address;
        self.recent.give(address, &size);
        Ok(address)
    }
}
