//! A scratch file that nothing is left of, whichever way out the program takes: it has no name in
//! any directory.
//!
//! The parent makes it and its children inherit the descriptor; the kernel frees the file when the
//! last of them is gone, even by SIGKILL.

use std::fmt;
use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, FallocateFlags, Mode, OFlags, fadvise, fallocate, fdatasync, open};
use rustix::io::{Errno as RawErrno, FdFlags, fcntl_getfd, fcntl_setfd};

use crate::Errno;
use crate::filesystem::{Filesystem, free_bytes};
use crate::residency::cached_bytes;

/// Where shared memory lives (`shm_open(3)`).
const SHARED_MEMORY: &str = "/dev/shm";
/// What is written at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Why there is no scratch file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScratchError {
    /// The directory takes no new file.
    Directory {
        /// Which.
        directory: PathBuf,
        /// Why: ENOENT, ENOTDIR, EACCES, EROFS.
        errno: Errno,
    },
    /// The file system is too full.
    NoSpace {
        /// On which.
        directory: PathBuf,
        /// Size of the file.
        needed_bytes: u64,
        /// Room for ordinary users.
        free_bytes: u64,
    },
    /// `/dev/shm` is on another file system.
    NoTmpfs {
        /// Which.
        filesystem: String,
    },
    /// The content could not be written to the end.
    Content {
        /// On which file system.
        directory: PathBuf,
        /// Why: ENOSPC, EDQUOT (quota), EFBIG (`ulimit -f`), EIO.
        errno: Errno,
    },
}

impl fmt::Display for ScratchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScratchError::Directory { directory, errno } => {
                write!(
                    f,
                    "{} takes no scratch file: {errno}: choose another with --dir",
                    directory.display()
                )
            }
            ScratchError::NoSpace { directory, needed_bytes, free_bytes } => write!(
                f,
                "{} has {} MiB free and a scratch file of {} MiB is needed: choose another with --dir, or a smaller --size",
                directory.display(),
                free_bytes >> 20,
                needed_bytes.div_ceil(1 << 20),
            ),
            ScratchError::NoTmpfs { filesystem } => {
                write!(
                    f,
                    "{SHARED_MEMORY} is no tmpfs but {filesystem}: mount a tmpfs there, or use memfd instead"
                )
            }
            ScratchError::Content { errno: Errno(libc::EFBIG), .. } => write!(
                f,
                "a scratch file would be larger than the limit of file sizes (ulimit -f): raise that, or choose a smaller \
                 size"
            ),
            ScratchError::Content { directory, errno } => write!(
                f,
                "the scratch file in {} could not be written: {errno}: choose another with --dir, or a smaller --size",
                directory.display()
            ),
        }
    }
}

impl std::error::Error for ScratchError {}

/// A file without a name.
#[derive(Debug)]
pub struct Scratch {
    file: File,
    len: u64,
    filesystem: Filesystem,
}

impl Scratch {
    /// Makes a file of `len` bytes in `directory`, filled with bytes that no file system can leave
    /// out or shrink, and brings it to the disk.
    ///
    /// # Errors
    /// As [`ScratchError`] says.
    pub fn create(directory: &Path, len: u64) -> Result<Self, ScratchError> {
        Scratch::create_in_pieces(directory, len, CHUNK_BYTES)
    }

    /// Likewise, written by so many bytes at a time. The page cache keeps what is written at once
    /// in folios as large as that where the file system has large ones, and a fault on a mapping
    /// maps what lies in the folio around it.
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
        // The room is taken before it is written to, so that a full disk shows at once. Not all
        // file systems can.
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

    /// Likewise in `/dev/shm`, which must be a tmpfs.
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

    /// Lets the children that are started from now on inherit the descriptor, under the number
    /// returned. By the flag in the parent and not by a hook between fork and exec: with a hook,
    /// the standard library starts children by another, slower way.
    ///
    /// # Errors
    /// The errno of fcntl(2).
    pub fn inherit(&self) -> Result<RawFd, Errno> {
        let flags = fcntl_getfd(&self.file).map_err(|e| Errno(e.raw_os_error()))?;
        fcntl_setfd(&self.file, flags - FdFlags::CLOEXEC).map_err(|e| Errno(e.raw_os_error()))?;
        Ok(self.file.as_raw_fd())
    }

    /// Of its first `len` bytes, those in the page cache.
    ///
    /// # Errors
    /// As [`cached_bytes`].
    pub fn cached_bytes(&self, len: u64) -> Result<u64, Errno> {
        cached_bytes(&self.file, len.min(self.len))
    }

    /// Writes dirty pages to the disk and takes the file out of the page cache
    /// (`POSIX_FADV_DONTNEED`). Returns how many bytes of it are still there: pages that someone
    /// maps, or all of them where there is no disk behind.
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

/// A new file of `directory` that no name leads to.
pub(crate) fn unnamed(directory: &Path) -> Result<File, Errno> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::EXCL | OFlags::CLOEXEC;
    match open(directory, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => Ok(File::from(file)),
        // open(2): what file systems and kernels without O_TMPFILE say.
        Err(RawErrno::OPNOTSUPP | RawErrno::ISDIR | RawErrno::INVAL) => unlinked(directory),
        Err(e) => Err(Errno(e.raw_os_error())),
    }
}

/// A new file of `directory` whose name is taken away at once.
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
            // Left by another kind of namespace with the same process ids, or another thread's, a
            // moment from its end.
            Err(RawErrno::EXIST) if attempt < 1000 => attempt += 1,
            Err(e) => return Err(Errno(e.raw_os_error())),
        }
    }
}

/// Fills the file with bytes that look random (splitmix64), different in every place.
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
            // An odd last byte: no page, and no block of it, is all zero.
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

/// Asks the kernel to forget the file's pages (`POSIX_FADV_DONTNEED`). Mapped and dirty ones stay,
/// and those of tmpfs.
///
/// # Errors
/// The errno of `posix_fadvise(2)`.
pub fn forget(file: &File) -> Result<(), Errno> {
    fadvise(file, 0, None, Advice::DontNeed).map_err(|e| Errno(e.raw_os_error()))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::process::Command;

    use super::*;

    /// A directory of its own, which the test must leave empty.
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
            // Fails, and so does the test that comes with the same process id, if something is left
            // in it.
            std::fs::remove_dir(&self.0).unwrap();
        }
    }

    /// A scratch file on a disk; `None` where temporary files live in memory.
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
    fn it_is_all_there_and_has_no_name() {
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
    fn without_o_tmpfile_the_name_is_gone_at_once() {
        let place = Place::new("unlinked");
        let file = unlinked(&place.0).unwrap();
        assert_eq!(
            (std::fs::read_dir(&place.0).unwrap().count(), file.metadata().unwrap().nlink()),
            (0, 0)
        );
        file.write_all_at(b"held", 0).unwrap();
    }

    #[test]
    fn children_inherit_it_only_when_they_are_to() {
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
    fn a_disk_lets_go_of_the_cache_and_memory_does_not() {
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
    fn refusals_name_the_place_and_the_way_out() {
        let too_large = Scratch::create(&std::env::temp_dir(), 1 << 60).unwrap_err();
        assert!(
            matches!(too_large, ScratchError::NoSpace { needed_bytes, .. } if needed_bytes == 1 << 60)
        );
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
