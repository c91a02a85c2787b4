//! A scratch file that disappears however the program ends: it has no name in any directory.
//!
//! The parent creates it and its children inherit the descriptor; the kernel frees the file when
//! the last of them has ended, even by SIGKILL.

mod error;

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{Advice, FallocateFlags, Mode, OFlags, fadvise, fallocate, fdatasync, open};
use rustix::io::{Errno as RawErrno, FdFlags, fcntl_getfd, fcntl_setfd};

use crate::Errno;
use crate::filesystem::{Filesystem, free_bytes};
use crate::residency::cached_bytes;

pub use error::ScratchError;

/// The directory of shared memory (`shm_open(3)`).
const SHARED_MEMORY: &str = "/dev/shm";
/// Bytes written at once.
const CHUNK_BYTES: usize = 1 << 20;

/// An unnamed file.
#[derive(Debug)]
pub struct Scratch {
    file: File,
    len: u64,
    filesystem: Filesystem,
}

impl Scratch {
    /// Creates a file of `len` bytes in `directory`, with content that no file system can compress
    /// or store as holes, and syncs it to the disk.
    ///
    /// # Errors
    /// As [`ScratchError`] says.
    pub fn create(directory: &Path, len: u64) -> Result<Self, ScratchError> {
        Scratch::create_in_pieces(directory, len, CHUNK_BYTES)
    }

    /// As [`Self::create`], written `piece_bytes` at a time. On a file system with large folios,
    /// the page cache keeps the data of one write in folios of that size, and a fault on a mapping
    /// maps the folio around it.
    ///
    /// # Errors
    /// As [`ScratchError`] says.
    pub fn create_in_pieces(
        directory: &Path,
        len: u64,
        piece_bytes: usize,
    ) -> Result<Self, ScratchError> {
        let refused = |errno| ScratchError::Directory { directory: directory.to_owned(), errno };
        let broken = |errno| ScratchError::Content { directory: directory.to_owned(), errno };
        let file = unnamed(directory).map_err(refused)?;
        let filesystem = Filesystem::of_file(&file).map_err(refused)?;
        let free_bytes = free_bytes(directory).map_err(refused)?;
        if free_bytes < len {
            return Err(ScratchError::NoSpace {
                directory: directory.to_owned(),
                needed_bytes: len,
                free_bytes,
            });
        }
        // Space is reserved before it is written, so that a full disk shows at once. Not all file
        // systems can do that.
        match fallocate(&file, FallocateFlags::empty(), 0, len) {
            Err(RawErrno::NOSPC) => {
                return Err(ScratchError::NoSpace {
                    directory: directory.to_owned(),
                    needed_bytes: len,
                    free_bytes,
                });
            }
            Err(e @ (RawErrno::FBIG | RawErrno::DQUOT)) => {
                return Err(broken(Errno(e.raw_os_error())));
            }
            _ => {}
        }
        write_content(&file, len, piece_bytes).map_err(broken)?;
        file.sync_all().map_err(|e| broken(Errno(e.raw_os_error().unwrap_or(libc::EIO))))?;
        Ok(Scratch { file, len, filesystem })
    }

    /// As [`Self::create`], in `/dev/shm`, which must be a tmpfs.
    ///
    /// # Errors
    /// As [`ScratchError`] says.
    pub fn create_in_shared_memory(len: u64) -> Result<Self, ScratchError> {
        let directory = Path::new(SHARED_MEMORY);
        match Filesystem::of_path(directory) {
            Ok(filesystem) if filesystem.is_tmpfs() => Scratch::create(directory, len),
            Ok(filesystem) => Err(ScratchError::NoTmpfs { filesystem: filesystem.name() }),
            Err(errno) => Err(ScratchError::Directory { directory: directory.to_owned(), errno }),
        }
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Its size in bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "one of no bytes is of no use")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// The file system that it is on.
    #[must_use]
    pub fn filesystem(&self) -> Filesystem {
        self.filesystem
    }

    /// Makes the descriptor inheritable for children that are started from now on, and returns its
    /// number. It clears the flag in the parent instead of using a hook between fork and exec: with
    /// a hook, the standard library starts children in a slower way.
    ///
    /// # Errors
    /// The errno of fcntl(2).
    pub fn inherit(&self) -> Result<RawFd, Errno> {
        let flags = fcntl_getfd(&self.file).map_err(|e| Errno(e.raw_os_error()))?;
        fcntl_setfd(&self.file, flags - FdFlags::CLOEXEC).map_err(|e| Errno(e.raw_os_error()))?;
        Ok(self.file.as_raw_fd())
    }

    /// How many of its first `len` bytes are in the page cache.
    ///
    /// # Errors
    /// As [`cached_bytes`].
    pub fn cached_bytes(&self, len: u64) -> Result<u64, Errno> {
        cached_bytes(&self.file, len.min(self.len))
    }

    /// Writes dirty pages to the disk and drops the file from the page cache
    /// (`POSIX_FADV_DONTNEED`). Returns how many of its bytes are still cached: mapped pages, or
    /// all of them if the file system has no disk.
    ///
    /// # Errors
    /// The errno of fdatasync(2), `posix_fadvise(2)` or mincore(2).
    pub fn drop_cache(&self) -> Result<u64, Errno> {
        fdatasync(&self.file).map_err(|e| Errno(e.raw_os_error()))?;
        forget(&self.file)?;
        self.cached_bytes(self.len)
    }

    /// Writes dirty pages to the disk and reads the first `len` bytes, so that all of them are in
    /// the page cache.
    ///
    /// # Errors
    /// The errno of fdatasync(2) or pread(2).
    pub fn fill_cache(&self, len: u64) -> Result<(), Errno> {
        fdatasync(&self.file).map_err(|e| Errno(e.raw_os_error()))?;
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut offset = 0;
        while offset < len.min(self.len) {
            match self.file.read_at(&mut buffer, offset) {
                Ok(0) => break,
                Ok(n) => offset += n as u64,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Errno(e.raw_os_error().unwrap_or(libc::EIO))),
            }
        }
        Ok(())
    }
}

/// A new unnamed file in `directory`.
pub(crate) fn unnamed(directory: &Path) -> Result<File, Errno> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::EXCL | OFlags::CLOEXEC;
    match open(directory, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => Ok(File::from(file)),
        // The errors of file systems and kernels without O_TMPFILE: open(2).
        Err(RawErrno::OPNOTSUPP | RawErrno::ISDIR | RawErrno::INVAL) => unlinked(directory),
        Err(e) => Err(Errno(e.raw_os_error())),
    }
}

/// A new file in `directory`, unlinked at once.
fn unlinked(directory: &Path) -> Result<File, Errno> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
    let mut attempt = 0;
    loop {
        let path = directory.join(format!(".firsttouch-{}-{attempt}", std::process::id()));
        match open(&path, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => {
                rustix::fs::unlink(&path).map_err(|e| Errno(e.raw_os_error()))?;
                return Ok(File::from(file));
            }
            // The name is taken: by a process with the same id in another pid namespace, or by
            // another thread that is about to unlink it.
            Err(RawErrno::EXIST) if attempt < 1000 => attempt += 1,
            Err(e) => return Err(Errno(e.raw_os_error())),
        }
    }
}

/// Fills the file with pseudo-random bytes (splitmix64), which never repeat.
fn write_content(file: &File, len: u64, piece_bytes: usize) -> Result<(), Errno> {
    let mut chunk = vec![0; piece_bytes.max(1)];
    let mut state = 0_u64;
    let mut offset = 0;
    while offset < len {
        let part = usize::try_from(len - offset).unwrap_or(usize::MAX).min(chunk.len());
        for word in chunk[..part].chunks_mut(8) {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            // Both ends of a word are odd, so that no page and no block is all zero.
            word.copy_from_slice(
                &((mixed ^ (mixed >> 31)) | 1 << 56 | 1).to_le_bytes()[..word.len()],
            );
        }
        file.write_all_at(&chunk[..part], offset)
            .map_err(|e| Errno(e.raw_os_error().unwrap_or(libc::EIO)))?;
        offset += part as u64;
    }
    Ok(())
}

/// Asks the kernel to drop the file's pages from the cache (`POSIX_FADV_DONTNEED`). Mapped and
/// dirty pages stay, and all pages of tmpfs.
///
/// # Errors
/// The errno of `posix_fadvise(2)`.
pub fn forget(file: &File) -> Result<(), Errno> {
    fadvise(file, 0, None, Advice::DontNeed).map_err(|e| Errno(e.raw_os_error()))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;

    /// A new directory, which the test must leave empty.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("firsttouch-{name}-{}", std::process::id()));
            std::fs::create_dir(&path).unwrap();
            Place(path)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            // Fails if the directory is not empty, and so does the next test with the same process
            // id.
            std::fs::remove_dir(&self.0).unwrap();
        }
    }

    /// A scratch file on a disk; `None` if temporary files are kept in memory.
    pub(crate) fn on_disk(len: u64) -> Option<Scratch> {
        let scratch = Scratch::create(&std::env::temp_dir(), len).unwrap();
        if scratch.filesystem().is_memory() {
            skips::skip(&format!(
                "temporary files are on {} here, not on a disk",
                scratch.filesystem().name()
            ));
            return None;
        }
        Some(scratch)
    }

    #[test]
    fn a_file_is_complete_and_unnamed() {
        let place = Place::new("names");
        let scratch = Scratch::create(&place.0, (3 << 20) + 5).unwrap();
        assert_eq!(std::fs::read_dir(&place.0).unwrap().count(), 0);
        let (file, stat) = (scratch.file(), scratch.file().metadata().unwrap());
        assert_eq!((stat.len(), stat.nlink(), scratch.len()), ((3 << 20) + 5, 0, (3 << 20) + 5));
        assert!(stat.blocks() * 512 >= 3 << 20, "{} blocks: a hole", stat.blocks());
        let mut content = vec![0; (3 << 20) + 5];
        file.read_exact_at(&mut content, 0).unwrap();
        assert!(content.chunks_exact(8).all(|word| word[0] & 1 == 1 && word[7] & 1 == 1));
        let mut words: Vec<&[u8]> = content.chunks_exact(8).collect();
        words.sort_unstable();
        words.dedup();
        assert!(words.len() > (3 << 20) / 8 - 10, "content that can be compressed");
    }

    #[test]
    fn without_o_tmpfile_the_name_is_unlinked_at_once() {
        let place = Place::new("unlinked");
        let file = unlinked(&place.0).unwrap();
        assert_eq!(
            (std::fs::read_dir(&place.0).unwrap().count(), file.metadata().unwrap().nlink()),
            (0, 0)
        );
        file.write_all_at(b"held", 0).unwrap();
    }

    #[test]
    fn children_inherit_it_only_on_request() {
        let scratch = Scratch::create(&std::env::temp_dir(), 10_000).unwrap();
        let number = scratch.file().as_raw_fd();
        let seen_by_child = || {
            let script = format!("cat <&{number} | wc -c");
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().parse::<u64>().unwrap_or(0)
        };
        assert_eq!(seen_by_child(), 0);
        assert_eq!(scratch.inherit(), Ok(number));
        assert_eq!(seen_by_child(), 10_000);
    }

    #[test]
    fn the_cache_can_be_dropped_on_a_disk_and_not_in_memory() {
        if let Some(scratch) = on_disk(4 << 20) {
            assert_eq!(scratch.drop_cache(), Ok(0), "on {}", scratch.filesystem().name());
            scratch.fill_cache(1 << 20).unwrap();
            assert_eq!(scratch.cached_bytes(1 << 20), Ok(1 << 20));
            scratch.fill_cache(4 << 20).unwrap();
            assert_eq!(scratch.cached_bytes(4 << 20), Ok(4 << 20));
            scratch.file().write_all_at(b"dirty", 5000).unwrap();
            assert_eq!(scratch.drop_cache(), Ok(0), "a page that was dirty");
        }
        match Scratch::create_in_shared_memory(1 << 20) {
            Ok(scratch) => assert_eq!(scratch.drop_cache(), Ok(1 << 20)),
            Err(error) => skips::skip(&format!("{error}")),
        }
    }

    #[test]
    fn errors_name_the_directory_and_the_remedy() {
        let too_large = Scratch::create(&std::env::temp_dir(), 1 << 60).unwrap_err();
        let ScratchError::NoSpace { needed_bytes, .. } = too_large else {
            panic!("{too_large}");
        };
        assert_eq!(needed_bytes, 1 << 60);
        assert!(too_large.to_string().contains("a smaller --size"), "{too_large}");
        for (directory, expect) in
            [("/nowhere/at/all", libc::ENOENT), ("/proc/self/stat", libc::ENOTDIR)]
        {
            let error = Scratch::create(Path::new(directory), 1).unwrap_err();
            assert_eq!(
                error,
                ScratchError::Directory { directory: directory.into(), errno: Errno(expect) }
            );
            assert!(error.to_string().contains("--dir"), "{error}");
        }
        assert!(matches!(
            Scratch::create(Path::new("/proc"), 1),
            Err(ScratchError::Directory { .. })
        ));
    }
}
