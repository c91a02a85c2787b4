//! The set of touched pages: one bit per page, in chunks of 512. Memory is proportional to the
//! touched pages.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Pages in a chunk: with pages of 4 KiB the 2 MiB of a huge page.
pub(crate) const CHUNK_PAGES: u64 = 512;
const WORDS: usize = 8;

/// A set of page numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pages {
    chunks: HashMap<u64, Chunk>,
    count: u64,
}

#[derive(Debug, Clone, Copy)]
struct Chunk {
    words: [u64; WORDS],
    alone: Alone,
}

/// Whether the first page of a chunk is still its only one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alone {
    /// Yes. The page was added when the process had forked this many times.
    Since(u32),
    /// No: neighbours were touched before a fork, so they faulted because they were missing.
    No,
}

impl Pages {
    /// Whether `page` is in the set.
    pub(crate) fn has(&self, page: u64) -> bool {
        let (chunk, word, bit) = place(page);
        self.chunks.get(&chunk).is_some_and(|chunk| chunk.words[word] & (1 << bit) != 0)
    }

    /// The number of pages in the set.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Whether one of the pages `first..end` is in the set.
    pub(crate) fn has_any(&self, first: u64, end: u64) -> bool {
        let has = |first, end| {
            words_of(first, end).any(|(chunk, word, mask)| {
                self.chunks.get(&chunk).is_some_and(|chunk| chunk.words[word] & mask != 0)
            })
        };
        if end.saturating_sub(first) <= CHUNK_PAGES {
            return has(first, end);
        }
        let in_range = |at: u64| (first.max(at * CHUNK_PAGES), end.min((at + 1) * CHUNK_PAGES));
        self.chunks_between(first, end)
            .into_iter()
            .map(in_range)
            .any(|(first, end)| has(first, end))
    }

    /// The number of the pages `first..end` that are in this set or in `other`.
    pub(crate) fn count_with(&self, other: &Pages, first: u64, end: u64) -> u64 {
        let mut chunks = self.chunks_between(first, end);
        chunks.extend(other.chunks_between(first, end));
        chunks.sort_unstable();
        chunks.dedup();
        let words = |at: u64| [self, other].map(|pages| pages.chunks.get(&at).map(|of| of.words));
        chunks.into_iter().fold(0, |count, at| {
            let [own, others] = words(at).map(|words| words.unwrap_or([0; WORDS]));
            let range = words_of(first.max(at * CHUNK_PAGES), end.min((at + 1) * CHUNK_PAGES));
            let found = |(_, word, mask): (u64, usize, u64)| (own[word] | others[word]) & mask;
            count + range.map(|part| u64::from(found(part).count_ones())).sum::<u64>()
        })
    }

    /// The pages that are in none of `others`.
    pub(crate) fn without(&self, others: &[&Pages]) -> Pages {
        let mut rest = Pages::default();
        for (&at, chunk) in &self.chunks {
            let mut words = chunk.words;
            for other in others.iter().filter_map(|other| other.chunks.get(&at)) {
                for (own, other) in words.iter_mut().zip(other.words) {
                    *own &= !other;
                }
            }
            for (word, mask) in words.into_iter().enumerate() {
                rest.add_word(at, word, mask);
            }
        }
        rest
    }

    /// Whether any page of the chunks of `first..end` is in the set.
    pub(crate) fn reaches_into(&self, first: u64, end: u64) -> bool {
        !self.chunks_between(first, end).is_empty()
    }

    /// The existing chunks between two pages. The range may be much larger than the touched part.
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

    /// Whether the chunk of `page` had a single page at the last of `forks` forks or earlier: that
    /// one fault may have mapped the whole chunk as a huge page.
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
                self.count += 1;
            }
            Entry::Occupied(mut entry) => {
                let chunk = entry.get_mut();
                if chunk.words[word] & (1 << bit) == 0 && chunk.alone == Alone::Since(forks) {
                    chunk.alone = Alone::No;
                }
                self.count += chunk.set(word, 1 << bit);
            }
        }
    }

    /// Adds the pages `first..end`.
    pub(crate) fn add_range(&mut self, first: u64, end: u64) {
        let mut at = first;
        while at < end {
            let next = end.min((at / CHUNK_PAGES + 1) * CHUNK_PAGES);
            let chunk = self
                .chunks
                .entry(at / CHUNK_PAGES)
                .or_insert(Chunk { words: [0; WORDS], alone: Alone::No });
            for (_, word, mask) in words_of(at, next) {
                self.count += chunk.set(word, mask);
            }
            chunk.alone = Alone::No;
            at = next;
        }
    }

    fn add_word(&mut self, chunk: u64, word: usize, mask: u64) {
        if mask != 0 {
            let chunk =
                self.chunks.entry(chunk).or_insert(Chunk { words: [0; WORDS], alone: Alone::No });
            self.count += chunk.set(word, mask);
            chunk.alone = Alone::No;
        }
    }

    /// Removes the pages `first..end`.
    pub(crate) fn remove_range(&mut self, first: u64, end: u64) {
        for at in self.chunks_between(first, end) {
            let Some(chunk) = self.chunks.get_mut(&at) else { continue };
            self.count -= chunk.remove(at, first, end);
            if chunk.words == [0; WORDS] {
                self.chunks.remove(&at);
            }
        }
    }

    /// Moves the pages `first..end` to `to`, replacing the pages there.
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

    /// The pages of a range in the set: the first page of each group of up to 64, and a bit for
    /// each page of the group.
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
    /// Adds the pages of `mask`, and returns how many of them are new.
    fn set(&mut self, word: usize, mask: u64) -> u64 {
        let new = mask & !self.words[word];
        self.words[word] |= mask;
        new.count_ones().into()
    }

    /// Removes `first..end` from the chunk `at`, and returns how many pages that were.
    fn remove(&mut self, at: u64, first: u64, end: u64) -> u64 {
        let start = at * CHUNK_PAGES;
        let words = words_of(first.max(start), end.min(start + CHUNK_PAGES));
        let removed = words.map(|(_, word, mask)| {
            let gone = self.words[word] & mask;
            self.words[word] &= !mask;
            u64::from(gone.count_ones())
        });
        removed.sum()
    }
}

/// The chunk, the word in the chunk and the bit in the word.
fn place(page: u64) -> (u64, usize, u64) {
    (page / CHUNK_PAGES, (page % CHUNK_PAGES / 64) as usize, page % 64)
}

/// The words of a range of pages, with a mask of the pages in the range.
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
                pages.count_with(&Pages::default(), first, first + count),
                expect.range(first..first + count).count() as u64
            );
            assert_eq!(
                pages.has_any(first, first + count),
                expect.range(first..first + count).next().is_some()
            );
            assert_eq!(pages.count(), expect.len() as u64);
        }
        assert_eq!(content(&pages, 6000), expect.iter().copied().collect::<Vec<_>>());
        let (mut low, mut odd) = (Pages::default(), Pages::default());
        low.add_range(0, 1000);
        (0..6000).filter(|page| page % 2 == 1).for_each(|page| odd.add(page, 0));
        let rest = pages.without(&[&low, &odd]);
        expect.retain(|page| *page >= 1000 && page % 2 == 0);
        assert_eq!(rest.count(), expect.len() as u64);
        assert_eq!(content(&rest, 6000), expect.into_iter().collect::<Vec<_>>());
        pages.remove_range(0, u64::MAX);
        assert!(pages.chunks.is_empty());
    }

    #[test]
    fn a_single_page_is_alone_until_a_neighbour_is_added_before_a_fork() {
        let mut pages = Pages::default();
        pages.add(5, 0);
        assert!(!pages.was_alone_at_a_fork(6, 0) && pages.was_alone_at_a_fork(6, 1));
        pages.add(6, 1);
        assert!(
            pages.was_alone_at_a_fork(7, 1),
            "a fault after the fork shows nothing about the time before"
        );
        pages.add(600, 0);
        pages.add(601, 0);
        assert!(!pages.was_alone_at_a_fork(602, 1));
    }
}
