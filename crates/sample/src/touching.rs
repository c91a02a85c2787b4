//! The touches of a measured child: their accesses to a batch of blocks, and the order.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use sys::limits::page_bytes;

use crate::access_pattern::{AccessPattern, PageAccess, Touch};
use crate::block::Block;
use crate::page_order::page_order;
use crate::protocol::Job;
use crate::random::below;
use crate::stopwatch::Stopwatch;

/// Everything that touches need, prepared beforehand, so that they only touch.
pub(crate) struct Toucher {
    pattern: AccessPattern,
    fill: u8,
    page_bytes: usize,
    /// The pages of a block in the order of the touches; `None`: by address.
    order: Option<Vec<u32>>,
}

impl Toucher {
    pub(crate) fn new(job: &Job) -> Self {
        let page_bytes = usize::try_from(page_bytes()).unwrap_or(4096);
        let pages = usize::try_from(job.size_bytes).unwrap_or(usize::MAX).div_ceil(page_bytes);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(job.seed);
        let order = page_order(job.pattern.order, pages, |n| below(&mut random, n));
        Toucher { pattern: job.pattern, fill: job.fill, page_bytes, order }
    }

    /// The first touch.
    #[inline]
    pub(crate) fn first<B: Block>(&self, blocks: &mut [Option<B>]) {
        self.touch(blocks, self.pattern.touch.first());
    }

    /// A stopwatch for each page of blocks of `sizes`, if touches are timed one by one.
    pub(crate) fn stopwatch(&self, sizes: &[usize]) -> Option<Stopwatch> {
        let pages = || sizes.iter().map(|size| size.div_ceil(self.page_bytes)).sum();
        (self.pattern.touch == Touch::Timed).then(|| Stopwatch::new(pages()))
    }

    /// The first touch, with each page timed.
    #[inline]
    pub(crate) fn first_timed<B: Block>(&self, blocks: &mut [Option<B>], watch: &mut Stopwatch) {
        for block in blocks.iter_mut().flatten() {
            self.each_page(block.len(), |offset| watch.time(|| block.write(offset, self.fill)));
        }
    }

    /// All other touches.
    #[inline]
    pub(crate) fn again<B: Block>(&self, blocks: &mut [Option<B>]) {
        for _ in 1..self.pattern.passes {
            self.touch(blocks, self.pattern.touch.again());
        }
    }

    #[inline]
    fn touch<B: Block>(&self, blocks: &mut [Option<B>], access: PageAccess) {
        for block in blocks.iter_mut().flatten() {
            match access {
                PageAccess::Fill => block.fill(self.fill),
                PageAccess::Write => {
                    self.each_page(block.len(), |offset| block.write(offset, self.fill));
                }
                PageAccess::Read => self.each_page(block.len(), |offset| block.read(offset)),
                PageAccess::Sum if self.order.is_none() => block.sum(),
                PageAccess::Sum => {
                    let len = block.len();
                    self.each_page(len, |offset| {
                        block.sum_of(offset..len.min(offset + self.page_bytes));
                    });
                }
            }
        }
    }

    /// Offsets of the pages of a block of `len` bytes.
    #[inline]
    fn each_page(&self, len: usize, mut visit: impl FnMut(usize)) {
        match &self.order {
            None => (0..len).step_by(self.page_bytes).for_each(visit),
            Some(order) => {
                for &page in order {
                    let offset = page as usize * self.page_bytes;
                    if offset < len {
                        visit(offset);
                    }
                }
            }
        }
    }
}
