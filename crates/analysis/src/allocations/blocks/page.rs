//! Where the small blocks of a page are, as bits.

/// Pages of this map, whatever the pages of the machine are.
pub(super) const PAGE_BYTES: u64 = 4096;
/// Allocators align blocks to this; others are not kept here.
pub(super) const GRANULE_BYTES: u64 = 16;
/// Granules of a page.
pub(super) const GRANULES: u64 = PAGE_BYTES / GRANULE_BYTES;
const WORDS: usize = 4;

/// The blocks that begin at a multiple of 16 bytes and are smaller than a page, on one page: a
/// cache line, and whether there may be others.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PageBits {
    /// The granules at which one begins.
    starts: [u64; WORDS],
    /// The granules of which one has a byte.
    covered: [u64; WORDS],
    /// Whether a block of another kind may reach into this page.
    pub(super) may_have_others: bool,
}

/// The bits of a range of granules in each word.
#[inline]
fn masks(first: u64, end: u64) -> [u64; WORDS] {
    std::array::from_fn(|word| {
        let (from, to) = (64 * word as u64, 64 * (word as u64 + 1));
        let (first, end) = (first.max(from), end.min(to));
        if first >= end { 0 } else { (u64::MAX >> (64 - (end - first))) << (first - from) }
    })
}

/// The first of the bits of some words.
fn first_of(words: [u64; WORDS]) -> Option<u64> {
    let word = words.iter().position(|&bits| bits != 0)?;
    Some(64 * word as u64 + u64::from(words[word].trailing_zeros()))
}

fn last_of(words: [u64; WORDS]) -> Option<u64> {
    let word = words.iter().rposition(|&bits| bits != 0)?;
    Some(64 * word as u64 + 63 - u64::from(words[word].leading_zeros()))
}

impl PageBits {
    pub(super) fn new(may_have_others: bool) -> PageBits {
        PageBits { may_have_others, ..PageBits::default() }
    }

    /// Whether no block has a byte of the page.
    pub(super) fn is_empty(&self) -> bool {
        self.covered == [0; WORDS]
    }

    /// A block has these granules, and begins at the first of them if it `begins` here.
    #[inline]
    pub(super) fn cover(&mut self, first: u64, end: u64, begins: bool) {
        for (word, mask) in masks(first, end).into_iter().enumerate() {
            self.covered[word] |= mask;
        }
        self.starts[(first / 64) as usize] |= u64::from(begins) << (first % 64);
    }

    /// The same of a block that is gone.
    #[inline]
    pub(super) fn uncover(&mut self, first: u64, end: u64) {
        for (word, mask) in masks(first, end).into_iter().enumerate() {
            self.covered[word] &= !mask;
        }
        self.starts[(first / 64) as usize] &= !(1 << (first % 64));
    }

    /// The first of these granules that a block has, if one does.
    #[inline]
    pub(super) fn first_covered(&self, first: u64, end: u64) -> Option<u64> {
        let masks = masks(first, end);
        first_of(std::array::from_fn(|word| self.covered[word] & masks[word]))
    }

    /// The last granule up to this one at which a block begins.
    pub(super) fn last_start(&self, granule: u64) -> Option<u64> {
        let masks = masks(0, granule + 1);
        last_of(std::array::from_fn(|word| self.starts[word] & masks[word]))
    }

    /// The granules from this one on at which a block begins, in order.
    pub(super) fn starts_from(&self, granule: u64) -> impl Iterator<Item = u64> {
        let masks = masks(granule, GRANULES);
        (0..WORDS).flat_map(move |word| {
            let mut left = self.starts[word] & masks[word];
            std::iter::from_fn(move || {
                let bit = u64::from(left.trailing_zeros());
                let next = (left != 0).then_some(64 * word as u64 + bit)?;
                left &= left - 1;
                Some(next)
            })
        })
    }

    /// The first granule from this one on at which a block begins.
    pub(super) fn first_start(&self, granule: u64) -> Option<u64> {
        let masks = masks(granule, GRANULES);
        first_of(std::array::from_fn(|word| self.starts[word] & masks[word]))
    }
}
