//! What the kernel does with page tables that have become empty.

use super::{HUGE_PAGE_BYTES, OwnMapping, Policy};
use crate::proc::task::memory_totals;

/// Whether `MADV_DONTNEED` of all pages of a page table frees the table, as Linux 6.14 does with
/// `CONFIG_PT_RECLAIM`. Finds it out with a small mapping. `None`: it cannot be known, such as
/// where pages do not have 4 KiB.
#[must_use]
pub fn frees_empty_tables() -> Option<bool> {
    if rustix::param::page_size() != 4096 {
        return None;
    }
    let tables = || memory_totals(std::process::id()).page_tables_bytes;
    // Wherever it begins, it has all of the 2 MiB of a table, or of several.
    let mut mapping = OwnMapping::new(4 * HUGE_PAGE_BYTES, Policy::NoHugePage).ok()?;
    for offset in (0..4 * HUGE_PAGE_BYTES).step_by(HUGE_PAGE_BYTES) {
        mapping.touch(offset);
    }
    let before = tables()?;
    mapping.forget_pages().ok()?;
    // Three whole tables: other threads make few at the same time.
    Some(tables()?.saturating_add(2 * 4096) <= before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_where_pages_are_small() {
        let known = rustix::param::page_size() == 4096
            && memory_totals(std::process::id()).page_tables_bytes.is_some();
        assert_eq!(frees_empty_tables().is_some(), known);
    }
}
