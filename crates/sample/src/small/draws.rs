//! Objects in slots that are replaced in random order: the slots and the sizes are drawn
//! beforehand.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use sys::object::Object;

use super::tally::Tally;
use crate::random::below;

/// The numbers of drawn places and sizes. Small enough for a second-level cache, and without a
/// common divisor, so that a place does not always get the same sizes.
const PLACES: usize = 4096;
const SIZES: usize = 4093;

/// The random number generator of one thread.
pub(super) fn random(seed: u64, thread: usize) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed ^ (thread as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// A number from `0..end`.
pub(super) fn draw(random: &mut Xoshiro256PlusPlus, end: u32) -> u32 {
    u32::try_from(below(random, u64::from(end.max(1)))).expect("below a u32")
}

/// The draws of one thread, and its position in them.
pub(super) struct Draws {
    places: Vec<u16>,
    sizes: Vec<u32>,
    place: usize,
    size: usize,
}

impl Draws {
    /// Draws places and sizes by the two functions.
    pub(super) fn new(
        random: &mut Xoshiro256PlusPlus,
        place: impl Fn(&mut Xoshiro256PlusPlus) -> u16,
        size: impl Fn(&mut Xoshiro256PlusPlus) -> u32,
    ) -> Self {
        let places = (0..PLACES).map(|_| place(random)).collect();
        Draws { places, sizes: (0..SIZES).map(|_| size(random)).collect(), place: 0, size: 0 }
    }

    /// `pairs` times: frees the object in the next drawn place and puts a new one there.
    #[inline]
    pub(super) fn replace(&mut self, slots: &mut [Option<Object>], pairs: u64, tally: &mut Tally) {
        for _ in 0..pairs {
            let slot = &mut slots[usize::from(self.places[self.place])];
            tally.free(slot);
            *slot = tally.malloc(self.sizes[self.size]);
            self.place = if self.place + 1 == PLACES { 0 } else { self.place + 1 };
            self.size = if self.size + 1 == SIZES { 0 } else { self.size + 1 };
        }
    }
}

/// `count` empty slots, written to, so that their pages are resident.
pub(super) fn empty_slots(count: usize) -> Vec<Option<Object>> {
    (0..count).map(|_| None).collect()
}

/// Frees the remaining objects, so that there are as many frees as mallocs.
#[inline]
pub(super) fn drain(slots: &mut [Option<Object>], tally: &mut Tally) {
    for slot in slots {
        tally.free(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_draw_differently_and_places_get_many_sizes() {
        let first = |thread| draw(&mut random(7, thread), u32::MAX);
        assert!(first(0) != first(1) && first(0) == first(0));
        let mut sizes_of_first_place: Vec<usize> =
            (0..PLACES * SIZES).step_by(PLACES).map(|i| i % SIZES).collect();
        sizes_of_first_place.sort_unstable();
        sizes_of_first_place.dedup();
        assert_eq!(sizes_of_first_place.len(), SIZES);
    }
}
