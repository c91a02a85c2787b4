//! Numbers for values that repeat within a chunk.

/// The number of values that are found again. A value that another one has displaced gets a second
/// number, which is as good.
const SLOTS: usize = 512;

/// A value with its number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot<K> {
    value: K,
    /// Its number.
    pub(crate) number: u32,
    /// Whatever a user of the dictionary keeps with a value; 0 at first.
    pub(crate) last: u64,
}

impl<K> Slot<K> {
    fn new(value: K) -> Self {
        Slot { value, number: 0, last: 0 }
    }
}

/// Assigns numbers, in the order of first appearance.
#[derive(Debug)]
pub(crate) struct Dictionary<K> {
    slots: Box<[Slot<K>; SLOTS]>,
    count: u32,
}

impl<K: Copy + Eq> Dictionary<K> {
    /// An empty dictionary. `unused` is no value.
    pub(crate) fn new(unused: K) -> Self {
        Dictionary { slots: Box::new([Slot::new(unused); SLOTS]), count: 0 }
    }

    /// The number of `value`, and whether it is new. Equal values have equal `bits`.
    #[inline]
    pub(crate) fn number(&mut self, value: K, bits: u64) -> (u32, bool) {
        let (slot, is_new) = self.slot(value, bits);
        (slot.number, is_new)
    }

    /// The slot of `value`, and whether it is new.
    #[inline]
    pub(crate) fn slot(&mut self, value: K, bits: u64) -> (&mut Slot<K>, bool) {
        let slot = &mut self.slots[hash::<SLOTS>(bits)];
        let is_new = slot.value != value;
        if is_new {
            *slot = Slot { value, number: self.count, last: 0 };
            self.count += 1;
        }
        (slot, is_new)
    }

    /// Forgets all values.
    pub(crate) fn clear(&mut self, unused: K) {
        self.slots.fill(Slot::new(unused));
        self.count = 0;
    }
}

/// A number below `SLOTS`, a power of two, that spreads `bits` (Fibonacci hashing).
#[inline]
pub(crate) fn hash<const SLOTS: usize>(bits: u64) -> usize {
    let hash = bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SLOTS.trailing_zeros());
    usize::try_from(hash).unwrap_or_default() % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_numbers_until_they_are_forgotten() {
        let mut dictionary = Dictionary::new(0);
        assert_eq!([7, 8, 7].map(|n| dictionary.number(n, n)), [(0, true), (1, true), (0, false)]);
        assert_eq!(dictionary.number(9, 7), (2, true), "displaces 7");
        assert_eq!(dictionary.number(7, 7), (3, true));
        dictionary.clear(0);
        assert_eq!(dictionary.number(7, 7), (0, true));
    }
}
