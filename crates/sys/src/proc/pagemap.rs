//! `/proc/PID/pagemap`: which pages are resident (Documentation/admin-guide/mm/pagemap.rst of the
//! kernel). The present bit is readable for every user who may trace the process; page frame
//! numbers, which need privilege, are not used.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bit 63: the page is present in memory.
const PRESENT: u64 = 1 << 63;
const ENTRY_BYTES: u64 = 8;
/// Pages that are read at once.
const BATCH_PAGES: u64 = 64 << 10;

/// The open file.
#[derive(Debug)]
pub struct PageMap(pub(super) File);

impl PageMap {
    /// The ranges of addresses in `start..end` that are resident, in order and merged.
    ///
    /// # Errors
    /// As read(2). Beyond the user half of the address space (vsyscall) there are no entries.
    pub fn resident(&self, start: u64, end: u64, page_bytes: u64) -> io::Result<Vec<(u64, u64)>> {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        let mut buffer = Vec::new();
        let (mut page, last) = (start / page_bytes, end.div_ceil(page_bytes));
        while page < last {
            let count = BATCH_PAGES.min(last - page);
            buffer.resize(usize::try_from(count * ENTRY_BYTES).unwrap_or(0), 0);
            let read = self.0.read_at(&mut buffer, page * ENTRY_BYTES)?;
            if read == 0 {
                break;
            }
            for entry in buffer[..read].chunks_exact(8) {
                let entry = u64::from_ne_bytes(entry.try_into().unwrap_or_default());
                if entry & PRESENT != 0 {
                    append(&mut ranges, page * page_bytes, (page + 1) * page_bytes);
                }
                page += 1;
            }
        }
        Ok(ranges)
    }
}

/// Appends `start..end`, which must not start before the last range.
fn append(ranges: &mut Vec<(u64, u64)>, start: u64, end: u64) {
    match ranges.last_mut() {
        Some(last) if last.1 == start => last.1 = end,
        _ => ranges.push((start, end)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{OwnMapping, Policy};
    use crate::memory::Memory;

    #[test]
    fn touched_pages_are_resident() {
        let page = crate::limits::page_bytes();
        let length = usize::try_from(9 * page).unwrap();
        let mut mapping = OwnMapping::new(length, Policy::Plain).unwrap();
        let start = mapping.address() as u64;
        let map = PageMap(File::open("/proc/self/pagemap").unwrap());
        let end = start + 9 * page;
        assert_eq!(map.resident(start, end, page).unwrap(), []);
        mapping.write_byte(usize::try_from(2 * page).unwrap(), 1);
        mapping.write_byte(usize::try_from(3 * page).unwrap(), 1);
        mapping.write_byte(usize::try_from(8 * page).unwrap(), 1);
        let expect = [(start + 2 * page, start + 4 * page), (start + 8 * page, end)];
        assert_eq!(map.resident(start, end, page).unwrap(), expect);
    }
}
