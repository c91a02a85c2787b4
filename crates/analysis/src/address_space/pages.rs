//! Which pages have been touched: a bit each, in chunks of 512. Memory is proportional to what was
//! touched.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Pages in a chunk: with pages of 4 KiB the 2 MiB that one huge page covers.
pub(crate) const CHUNK_PAGES: u64 = 512;
const WORDS: usize = 8;

/// A set of page numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pages {
    chunks: HashMap<u64, Chunk>,
}

#[derive(Debug, Clone, Copy)]
struct Chunk {
    words: [u64; WORDS],
    alone: Alone,
}

/// Whether the chunk's first page stayed its only one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alone {
    /// So far, and it came when the process had forked so often.
    Since(u32),
    /// No: neighbours were touched while nothing but a missing page could make them fault.
    No,
}

impl Pages {
    /// Whether `page` is in it.
    pub(crate) fn has(&self, page: u64) -> bool {
        let (chunk, word, bit) = place(page);
        self.chunks.get(&chunk).is_some_and(|chunk| chunk.words[word] & (1 << bit) != 0)
    }

    /// Whether one of the pages from `first` to before `end` is in it.
    pub(crate) fn has_any(&self, first: u64, end: u64) -> bool {
        words_of(first, end).any(|(chunk, word, mask)| {
            self.chunks.get(&chunk).is_some_and(|chunk| chunk.words[word] & mask != 0)
        })
    }

    /// Whether a page of the chunks that `first` to before `end` lie in is in it.
    pub(crate) fn reaches_into(&self, first: u64, end: u64) -> bool {
        !self.chunks_between(first, end).is_empty()
    }

    /// The chunks that there are between two pages. The range may be far larger than what was
    /// touched in it.
    fn chunks_between(&self, first: u64, end: u64) -> Vec<u64> {
        if first >= end || self.chunks.is_empty() {
            return Vec::new();
        }
        let wanted = first / CHUNK_PAGES..=(end - 1) / CHUNK_PAGES;
        if wanted.end() - wanted.start() < self.chunks.len() as u64 {
            wanted.filter(|at| self.chunks.contains_key(at)).collect()
        } else {
            self.chunks.keys().copied().filter(|at| wanted.contains(at)).collect()
        }
    }

    /// Whether the chunk of `page` had a single page when the process forked, for the last of
    /// `forks` times or earlier: that one fault may have brought the whole chunk, as one huge page.
    pub(crate) fn was_alone_at_a_fork(&self, page: u64, forks: u32) -> bool {
        let chunk = self.chunks.get(&(page / CHUNK_PAGES));
        chunk.is_some_and(|chunk| matches!(chunk.alone, Alone::Since(then) if then < forks))
    }

    /// Adds `page` of a process that has forked `forks` times.
    pub(crate) fn add(&mut self, page: u64, forks: u32) {
        let (chunk, word, bit) = place(page);
        match self.chunks.entry(chunk) {
            Entry::Vacant(entry) => {
                let mut words = [0; WORDS];
                words[word] = 1 << bit;
                entry.insert(Chunk { words, alone: Alone::Since(forks) });
            }
            Entry::Occupied(mut entry) => {
                let chunk = entry.get_mut();
                if chunk.words[word] & (1 << bit) == 0 && chunk.alone == Alone::Since(forks) {
                    chunk.alone = Alone::No;
                }
                chunk.words[word] |= 1 << bit;
            }
        }
    }

    /// Adds the pages from `first` to before `end`.
    pub(crate) fn add_range(&mut self, first: u64, end: u64) {
        let mut at = first;
        while at < end {
            let next = end.min((at / CHUNK_PAGES + 1) * CHUNK_PAGES);
            let chunk = self
                .chunks
                .entry(at / CHUNK_PAGES)
                .or_insert(Chunk { words: [0; WORDS], alone: Alone::No });
            for (_, word, mask) in words_of(at, next) {
                chunk.words[word] |= mask;
            }
            chunk.alone = Alone::No;
            at = next;
        }
    }

    fn add_word(&mut self, chunk: u64, word: usize, mask: u64) {
        if mask != 0 {
            let chunk =
                self.chunks.entry(chunk).or_insert(Chunk { words: [0; WORDS], alone: Alone::No });
            chunk.words[word] |= mask;
            chunk.alone = Alone::No;
        }
    }

    /// Removes the pages from `first` to before `end`.
    pub(crate) fn remove_range(&mut self, first: u64, end: u64) {
        for at in self.chunks_between(first, end) {
            if self.chunks.get_mut(&at).is_some_and(|chunk| !chunk.remove(at, first, end)) {
                self.chunks.remove(&at);
            }
        }
    }

    /// The pages from `first` to before `end` are at `to` from now on, and nothing else is there.
    pub(crate) fn move_range(&mut self, first: u64, end: u64, to: u64) {
        let moved: Vec<(u64, u64)> = self.present(first, end).collect();
        self.remove_range(first, end);
        self.remove_range(to, to.saturating_add(end.saturating_sub(first)));
        for (page, mask) in moved {
            // 64 pages of the source lie in one word of the target, or in two.
            let target = to.saturating_add(page - first);
            let (chunk, word, shift) = place(target);
            self.add_word(chunk, word, mask << shift);
            if shift > 0 {
                let (chunk, word, _) = place(target.saturating_add(64 - shift));
                self.add_word(chunk, word, mask >> (64 - shift));
            }
        }
    }

    /// The pages of a range that are there: the first page of each group of up to 64, and a bit for
    /// each that follows.
    fn present(&self, first: u64, end: u64) -> impl Iterator<Item = (u64, u64)> {
        self.chunks_between(first, end).into_iter().flat_map(move |at| {
            let chunk = self.chunks[&at];
            words_of(first.max(at * CHUNK_PAGES), end.min((at + 1) * CHUNK_PAGES)).filter_map(
                move |(_, word, mask)| {
                    let found = chunk.words[word] & mask;
                    let skipped = u64::from(mask.trailing_zeros());
                    let page = at * CHUNK_PAGES + 64 * word as u64 + skipped;
                    (found != 0).then_some((page, found >> skipped))
                },
            )
        })
    }
}

impl Chunk {
    /// Removes what lies from `first` to before `end` of the chunk with number `at`, and says
    /// whether anything is left.
    fn remove(&mut self, at: u64, first: u64, end: u64) -> bool {
        let start = at * CHUNK_PAGES;
        for (_, word, mask) in words_of(first.max(start), end.min(start + CHUNK_PAGES)) {
            self.words[word] &= !mask;
        }
        self.words != [0; WORDS]
    }
}

/// The chunk, the word in it and the bit in that.
fn place(page: u64) -> (u64, usize, u64) {
    (page / CHUNK_PAGES, (page % CHUNK_PAGES / 64) as usize, page % 64)
}

/// The words of a range of pages, with a mask of those that belong to it.
fn words_of(first: u64, end: u64) -> impl Iterator<Item = (u64, usize, u64)> {
    let mut page = first;
    std::iter::from_fn(move || {
        if page >= end {
            return None;
        }
        let (chunk, word, bit) = place(page);
        let count = (64 - bit).min(end - page);
        page += count;
        Some((chunk, word, (u64::MAX >> (64 - count)) << bit))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn content(pages: &Pages, end: u64) -> Vec<u64> {
        (0..end).filter(|&page| pages.has(page)).collect()
    }

    #[test]
    fn it_is_a_set() {
        let (mut pages, mut expect) = (Pages::default(), BTreeSet::new());
        let mut state = 7u64;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for _ in 0..3000 {
            let (first, count) = (random(3000), random(700));
            match random(6) {
                0 => {
                    pages.add_range(first, first + count);
                    expect.extend(first..first + count);
                }
                1 => {
                    pages.remove_range(first, first + count);
                    expect.retain(|page| !(first..first + count).contains(page));
                }
                2 => {
                    let to = 4000 + random(1000);
                    pages.move_range(first, first + count, to);
                    expect.retain(|page| !(to..to + count).contains(page));
                    let moved: Vec<u64> =
                        expect.range(first..first + count).map(|page| page - first + to).collect();
                    expect.retain(|page| !(first..first + count).contains(page));
                    expect.extend(moved);
                }
                _ => {
                    pages.add(first, 0);
                    expect.insert(first);
                }
            }
            assert_eq!(
                pages.has_any(first, first + count),
                expect.range(first..first + count).next().is_some()
            );
        }
        assert_eq!(content(&pages, 6000), expect.into_iter().collect::<Vec<_>>());
        pages.remove_range(0, u64::MAX);
        assert!(pages.chunks.is_empty());
    }

    #[test]
    fn a_lone_page_is_known_until_a_neighbour_comes_before_a_fork() {
        let mut pages = Pages::default();
        pages.add(5, 0);
        assert!(!pages.was_alone_at_a_fork(6, 0) && pages.was_alone_at_a_fork(6, 1));
        pages.add(6, 1);
        assert!(
            pages.was_alone_at_a_fork(7, 1),
            "what faults after the fork tells nothing about before"
        );
        pages.add(600, 0);
        pages.add(601, 0);
        assert!(!pages.was_alone_at_a_fork(602, 1));
    }
}
