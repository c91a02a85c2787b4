//! Unnamed files, opened through an inherited descriptor or created in memory.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, Mode, OFlags, ftruncate, memfd_create, open};

use crate::Errno;

/// The open files of a process, by descriptor: proc(5).
const FOLDER: &str = "/proc/self/fd";

/// Whether unnamed files can be opened again, which needs `/proc`.
#[must_use]
pub fn is_possible() -> bool {
    Path::new(FOLDER).exists()
}

/// A path to the open file `file`, valid in this process and in its children until they exec.
#[must_use]
pub fn path_of(file: BorrowedFd<'_>) -> PathBuf {
    Path::new(FOLDER).join(file.as_raw_fd().to_string())
}

/// The descriptor that `path` is another name of, if any: `/dev/stdout`, `/dev/fd/9`,
/// `/proc/self/fd/9`.
#[must_use]
pub fn descriptor_named(path: &Path) -> Option<RawFd> {
    match path.to_str()? {
        "/dev/stdin" => Some(0),
        "/dev/stdout" => Some(1),
        "/dev/stderr" => Some(2),
        _ => {
            let number = path.strip_prefix("/dev/fd").or_else(|_| path.strip_prefix(FOLDER));
            number.ok()?.to_str()?.parse().ok().filter(|&number| number >= 0)
        }
    }
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Through the page cache.
    Cached,
    /// Bypassing it (`O_DIRECT`).
    Direct,
}

/// A descriptor that this process inherited from its parent.
#[derive(Debug, Clone)]
pub struct Inherited {
    path: CString,
}

impl Inherited {
    /// The descriptor of this number.
    #[must_use]
    pub fn new(number: RawFd) -> Self {
        // The path contains no NUL.
        Inherited { path: CString::new(format!("{FOLDER}/{number}")).unwrap_or_default() }
    }

    /// Opens its file again, with a separate offset and flags. Allocates nothing.
    ///
    /// # Errors
    /// The errno of open(2): ENOENT without `/proc` or if the descriptor was not inherited; EINVAL
    /// if the file system does not support `O_DIRECT`.
    #[inline]
    pub fn open(&self, route: Route) -> Result<OwnedFd, Errno> {
        let direct = if route == Route::Direct { OFlags::DIRECT } else { OFlags::empty() };
        open(self.path.as_c_str(), OFlags::RDWR | OFlags::CLOEXEC | direct, Mode::empty())
            .map_err(|e| Errno(e.raw_os_error()))
    }
}

/// A new file in memory of `len` zero bytes, by `memfd_create(2)` and ftruncate(2), without any
/// resident page.
///
/// # Errors
/// The errno of these calls: EMFILE, ENOMEM, EINVAL.
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

    #[test]
    fn descriptors_have_names() {
        let of = |path: &str| descriptor_named(Path::new(path));
        assert_eq!((of("/dev/stdout"), of("/dev/stderr")), (Some(1), Some(2)));
        assert_eq!((of("/dev/fd/9"), of("/proc/self/fd/12")), (Some(9), Some(12)));
        assert_eq!(["/dev/fd/-1", "/dev/fd/x", "9", "/dev/fd"].map(of), [None; 4]);
    }
    use crate::residency::cached_bytes;
    use crate::scratch::Scratch;

    #[test]
    fn a_reopened_file_has_its_own_offset() {
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
    fn a_memory_file_is_zero_and_has_no_pages() {
        let file = File::from(memory_file(100 * 4096).unwrap());
        assert_eq!(file.metadata().unwrap().len(), 100 * 4096);
        assert_eq!(cached_bytes(&file, 100 * 4096), Ok(0));
        let mut bytes = [1; 100];
        file.read_exact_at(&mut bytes, 50 * 4096).unwrap();
        assert_eq!(bytes, [0; 100]);
    }
}
