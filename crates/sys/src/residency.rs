//! Which pages are there: mincore(2).
//!
//! Safety story: mincore writes one byte a page into a vector that is as long as that, and changes nothing else.
#![allow(unsafe_code)]

use std::os::fd::AsFd;

use crate::Errno;
use crate::filemap::{FileMapping, Hint, Sharing};
use crate::limits::page_bytes;

/// Pages asked about at once: the answers fit into one page on the stack.
const PAGES_AT_ONCE: usize = 4096;

/// Bytes of the range, in whole pages, that are in memory. Of an anonymous mapping these are the pages that were touched;
/// of a file's, those in the page cache, mapped or not. Touches nothing of the heap.
///
/// # Errors
/// EINVAL: `address` is not the start of a page. ENOMEM: not all of the range is mapped.
pub fn resident_bytes(address: usize, len: usize) -> Result<u64, Errno> {
    let page = usize::try_from(page_bytes()).unwrap_or(4096);
    let mut states = [0_u8; PAGES_AT_ONCE];
    let mut resident = 0;
    for offset in (0..len).step_by(PAGES_AT_ONCE * page) {
        let part = (len - offset).min(PAGES_AT_ONCE * page);
        let start = std::ptr::without_provenance_mut(address + offset);
        // SAFETY: the kernel checks the range, and writes a byte for each of at most PAGES_AT_ONCE pages.
        if unsafe { libc::mincore(start, part, states.as_mut_ptr()) } != 0 {
            return Err(Errno::last());
        }
        resident += states[..part.div_ceil(page)].iter().filter(|state| **state & 1 == 1).count();
    }
    Ok((resident * page) as u64)
}

/// Bytes of the first `len` of a file that are in the page cache, at most `len`. Since Linux 5.2 the kernel tells that of
/// files that this user owns or may write to, and of all others says that they are there.
///
/// # Errors
/// The errno of mmap(2) or mincore(2).
pub fn cached_bytes(file: impl AsFd, len: u64) -> Result<u64, Errno> {
    let whole = usize::try_from(len).map_err(|_| Errno::NO_MEMORY)?;
    if whole == 0 {
        return Ok(0);
    }
    let mapping = FileMapping::new(file, 0, whole, Sharing::Shared, Hint::None)?;
    resident_bytes(mapping.address(), whole).map(|bytes| bytes.min(len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{Mapping, Policy};

    #[test]
    fn touched_pages_are_resident_and_no_others() {
        const PAGES: usize = 3 * PAGES_AT_ONCE + 7;
        let mut mapping = Mapping::new(PAGES * 4096, Policy::Plain).unwrap();
        assert_eq!(resident_bytes(mapping.address(), PAGES * 4096), Ok(0));
        if crate::machine::thp().as_deref() == Some("always") {
            println!("SKIPPED: every page comes with 511 others where huge pages are always given");
            return;
        }
        for page in [0, PAGES_AT_ONCE - 1, PAGES_AT_ONCE, PAGES - 1] {
            mapping.touch(page * 4096);
        }
        assert_eq!(resident_bytes(mapping.address(), PAGES * 4096), Ok(4 * 4096));
        assert_eq!(resident_bytes(mapping.address(), 1), Ok(4096));
        assert_eq!(resident_bytes(mapping.address() + 1, 1), Err(Errno(libc::EINVAL)));
    }

    #[test]
    fn what_is_not_mapped_is_said() {
        assert_eq!(resident_bytes(0, 4096), Err(Errno(libc::ENOMEM)));
    }
}
