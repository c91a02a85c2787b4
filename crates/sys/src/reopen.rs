//! Files without a name, opened by what leads to them: an inherited descriptor, or memory.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, Mode, OFlags, ftruncate, memfd_create, open};

use crate::Errno;

/// What a process has open, by number: proc(5).
const FOLDER: &str = "/proc/self/fd";

/// Whether files without a name can be opened again: whether `/proc` is there.
#[must_use]
pub fn is_possible() -> bool {
    Path::new(FOLDER).exists()
}

/// The path that leads to what `file` has open, in this process and, until it becomes another
/// program, in its child.
#[must_use]
pub fn path_of(file: BorrowedFd<'_>) -> PathBuf {
    Path::new(FOLDER).join(file.as_raw_fd().to_string())
}

/// How a file is opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Through the page cache.
    Cached,
    /// Past it (`O_DIRECT`).
    Direct,
}

/// A descriptor that this process has from its parent.
#[derive(Debug, Clone)]
pub struct Inherited {
    path: CString,
}

impl Inherited {
    /// The descriptor of this number.
    #[must_use]
    pub fn new(number: RawFd) -> Self {
        // A path of digits has no NUL in it.
        Inherited { path: CString::new(format!("{FOLDER}/{number}")).unwrap_or_default() }
    }

    /// Opens the file behind it again, so that this process has an offset and flags of its own.
    /// Allocates nothing.
    ///
    /// # Errors
    /// The errno of open(2): ENOENT without `/proc` or where nothing was inherited; EINVAL where
    /// the file system takes no `O_DIRECT`.
    #[inline]
    pub fn open(&self, route: Route) -> Result<OwnedFd, Errno> {
        let direct = if route == Route::Direct { OFlags::DIRECT } else { OFlags::empty() };
        open(self.path.as_c_str(), OFlags::RDWR | OFlags::CLOEXEC | direct, Mode::empty())
            .map_err(|e| Errno(e.raw_os_error()))
    }
}

/// A new file in memory of `len` zero bytes, `memfd_create(2)` and ftruncate(2): no page of it is
/// there yet.
///
/// # Errors
/// The errno of these: EMFILE, ENOMEM, EINVAL.
#[inline]
pub fn memory_file(len: u64) -> Result<OwnedFd, Errno> {
    let file =
        memfd_create(c"firsttouch", MemfdFlags::CLOEXEC).map_err(|e| Errno(e.raw_os_error()))?;
    ftruncate(file.as_fd(), len).map_err(|e| Errno(e.raw_os_error()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Seek};
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::residency::cached_bytes;
    use crate::scratch::Scratch;

    #[test]
    fn a_file_opened_again_has_an_offset_of_its_own() {
        let scratch = Scratch::create(&std::env::temp_dir(), 10_000).unwrap();
        let inherited = Inherited::new(scratch.file().as_raw_fd());
        let mut again = File::from(inherited.open(Route::Cached).unwrap());
        again.read_exact(&mut [0; 100]).unwrap();
        assert_eq!(
            (again.stream_position().unwrap(), { scratch.file() }.stream_position().unwrap()),
            (100, 0)
        );
        assert_eq!(Inherited::new(987_654).open(Route::Cached).unwrap_err(), Errno(libc::ENOENT));
    }

    #[test]
    fn a_path_leads_to_an_open_file() {
        let file = File::from(memory_file(7).unwrap());
        assert!(is_possible());
        assert_eq!(std::fs::metadata(path_of(file.as_fd())).unwrap().len(), 7);
    }

    #[test]
    fn a_memory_file_is_zero_and_empty_of_pages() {
        let file = File::from(memory_file(100 * 4096).unwrap());
        assert_eq!(file.metadata().unwrap().len(), 100 * 4096);
        assert_eq!(cached_bytes(&file, 100 * 4096), Ok(0));
        let mut bytes = [1; 100];
        file.read_exact_at(&mut bytes, 50 * 4096).unwrap();
        assert_eq!(bytes, [0; 100]);
    }
}
