//! Which pages of a range are resident before and after a touch, and whether they are zero.

use std::ops::Range;

use sys::allocator::HeapBlock;
use sys::mapping::{OwnMapping, Policy};
use sys::memory::Memory;
use sys::proc::resident_now;
use sys::residency::{in_core, mapped, whole_pages};

use super::{failed, in_break, page_bytes};
use crate::facts::{Lazy, Paging, ResidentFacts, Zeroes};

/// Every n-th page is touched first.
const STRIDE: usize = 16;

/// Pages of a fresh private anonymous mapping.
pub(super) fn of_mapping(bytes: usize) -> Result<Paging, String> {
    let mut mapping = OwnMapping::new(bytes, Policy::Plain).map_err(failed("mmap"))?;
    paging(mapping.address(), bytes, |offset| mapping.touch(offset))
}

/// Pages of a malloc block.
pub(super) fn of_block(bytes: usize) -> Result<Lazy, String> {
    let mut block = HeapBlock::malloc(bytes).map_err(failed("malloc"))?;
    let paging = paging(block.address(), bytes, |offset| block.write_byte(offset, 1))?;
    let in_break = in_break(block.address());
    drop(block);
    let block = HeapBlock::malloc(bytes).map_err(failed("malloc"))?;
    let again = resident(whole_pages(block.address(), bytes))?.in_core;
    Ok(Lazy { bytes, in_break, paging, again })
}

fn paging(address: usize, bytes: usize, mut touch: impl FnMut(usize)) -> Result<Paging, String> {
    let page = page_bytes();
    let pages = whole_pages(address, bytes);
    // The whole pages of the block, as offsets.
    let offsets = pages.start - address..pages.end - address;
    let rss_before = resident_now();
    let before = resident(pages.clone())?;
    let some: Vec<usize> = offsets.clone().step_by(STRIDE * page).collect();
    for &offset in &some {
        touch(offset);
    }
    let after_some = resident(pages.clone())?;
    for offset in offsets.step_by(page) {
        touch(offset);
    }
    let after_all = resident(pages.clone())?;
    let growth = rss_before.zip(resident_now()).map(|(before, after)| {
        (
            after.rss_bytes.saturating_sub(before.rss_bytes),
            after.huge_bytes.saturating_sub(before.huge_bytes),
        )
    });
    Ok(Paging {
        pages: (pages.len() / page) as u64,
        before,
        some: some.len() as u64,
        after_some,
        after_all,
        rss_growth_bytes: growth.map(|(rss, _)| rss),
        huge_bytes: growth.map(|(_, huge)| huge),
        huge_before_bytes: rss_before.map(|rss| rss.huge_bytes),
    })
}

/// How many of `pages` are resident.
pub(super) fn resident(pages: Range<usize>) -> Result<ResidentFacts, String> {
    let there = |pages: &[bool]| pages.iter().filter(|there| **there).count() as u64;
    let in_core = there(&in_core(pages.clone()).map_err(failed("mincore"))?);
    Ok(ResidentFacts { in_core, mapped: mapped(pages).ok().map(|pages| there(&pages)) })
}

/// Writes a pattern to fresh memory that no other process may ever read.
pub(super) fn dirty(bytes: usize) -> Result<(), String> {
    OwnMapping::new(bytes, Policy::Plain).map_err(failed("mmap"))?.fill(0xA5);
    Ok(())
}

/// Reads every byte of a fresh mapping, and again after one byte of each page was written. Before
/// the write the kernel maps its zero page; only the write brings in a page that another process
/// may have used.
pub(super) fn read_back(bytes: usize) -> Result<Zeroes, String> {
    let mut mapping = OwnMapping::new(bytes, Policy::Plain).map_err(failed("mmap"))?;
    let read_nonzero = mapping.nonzero_bytes() as u64;
    mapping.touch_pages();
    let touched = bytes.div_ceil(page_bytes()) as u64;
    let nonzero = mapping.nonzero_bytes() as u64;
    Ok(Zeroes {
        read_bytes: bytes as u64,
        read_nonzero,
        beside_bytes: bytes as u64 - touched,
        beside_nonzero: nonzero.abs_diff(touched),
    })
}
