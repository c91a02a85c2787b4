//! Numbers for values that repeat within a chunk.

/// Log2 of the number of values that are found again. A value that another one has displaced gets
/// a second number, which is as good.
const SLOTS_LOG2: u32 = 9;

/// Assigns numbers, in the order of first appearance.
#[derive(Debug)]
pub(crate) struct Dictionary<K> {
    slots: Box<[(K, u32)]>,
    count: u32,
}

impl<K: Copy + Eq> Dictionary<K> {
    /// An empty dictionary. `unused` is no value.
    pub(crate) fn new(unused: K) -> Self {
        Dictionary { slots: vec![(unused, 0); 1 << SLOTS_LOG2].into(), count: 0 }
    }

    /// The number of `value`, and whether it is new. Equal values have equal `bits`.
    #[inline]
    pub(crate) fn number(&mut self, value: K, bits: u64) -> (u32, bool) {
        let slot = &mut self.slots[hash(bits, SLOTS_LOG2)];
        if slot.0 == value {
            return (slot.1, false);
        }
        *slot = (value, self.count);
        self.count += 1;
        (slot.1, true)
    }

    /// Forgets all values.
    pub(crate) fn clear(&mut self, unused: K) {
        self.slots.fill((unused, 0));
        self.count = 0;
    }
}

/// A number below `1 << log2` that spreads `bits` (Fibonacci hashing).
#[inline]
pub(crate) fn hash(bits: u64, log2: u32) -> usize {
    let hash = bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - log2);
    usize::try_from(hash).unwrap_or_default()
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
