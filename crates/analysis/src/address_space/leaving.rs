//! Memory that leaves. Its calls take effect in the model as they begin, because another thread may
//! get the same addresses before they return. The kernel performs them later: it first waits for
//! the lock of the address space. Until then it reports a new mapping beside this memory joined
//! with it.

use super::AddressSpace;
use super::mappings::refined;
use super::regions::MappedRegion;
use super::under_way::UnderWay;

/// Memory that a call has taken away.
#[derive(Debug, Clone)]
pub(crate) struct Leaving {
    parts: Vec<MappedRegion>,
    /// When the call returns.
    end_ns: u64,
}

impl AddressSpace {
    /// Unmaps what lies from `start` to `end`, by `call`.
    pub(super) fn take_away(&mut self, start: u64, end: u64, call: &UnderWay) {
        let parts = self.unmap(start, end, call.began_ns);
        self.leaving.retain(|leaving| call.began_ns < leaving.end_ns);
        if !parts.is_empty() && call.began_ns < call.born_ns {
            self.leaving.push(Leaving { parts, end_ns: call.born_ns });
        }
    }

    /// The parts of `reported`, where nothing is known at `time_ns`, that are not what a call is
    /// just taking away.
    pub(super) fn staying(&self, reported: MappedRegion, time_ns: u64) -> Vec<MappedRegion> {
        let mut staying = vec![reported];
        for leaving in self.leaving.iter().filter(|leaving| time_ns < leaving.end_ns) {
            // Anything else was mapped there after the kernel had performed the call.
            let is_same = |part: &&MappedRegion| {
                let piece = reported.part(part.start, part.end);
                part.protection == piece.protection && refined(part, &piece).is_some()
            };
            for part in leaving.parts.iter().filter(is_same) {
                staying =
                    staying.iter().flat_map(|rest| rest.outside(part.start, part.end)).collect();
            }
        }
        staying.retain(|rest| rest.start < rest.end);
        staying
    }
}
