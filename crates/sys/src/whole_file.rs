//! Files that are written whole or not at all.
//!
//! The new contents go to an unnamed file in the folder of the target, are flushed to the disk, get
//! a name, and are renamed over the target (rename(2) is atomic). A file that cannot be replaced so
//! is written in place, but only once the file system has reserved the space (fallocate(2)), and
//! gets its older contents back if a write fails. Devices and pipes take what comes.
//!
//! Signals that end the process wait meanwhile, so none leaves a temporary file. SIGKILL cannot
//! wait, but finds one with a name only between two calls: linkat(2) and rename(2).

mod beside;
mod in_place;

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::filesystem::Filesystem;
use crate::interrupt::HeldSignals;

/// Links followed before they count as a circle, as the kernel does: `path_resolution(7)`.
const LINKS_MAX: u32 = 40;

/// A file to be written, which keeps its older contents until then.
#[derive(Debug)]
pub struct WholeFile {
    /// Where the links of the user's path lead.
    target: PathBuf,
    /// It is a file behind a descriptor (`/dev/fd/3`): a rename would not reach who holds it.
    by_descriptor: bool,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// There is no file yet.
    New,
    /// A file, open for writing.
    Existing(File),
    /// A device or a pipe.
    Stream(File),
}

/// What became of the older contents of a file that could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Older {
    /// There were none.
    None,
    /// They are all there.
    Kept,
    /// They could not be restored.
    Damaged,
}

/// A file could not be written.
#[derive(Debug)]
pub struct Unwritten {
    /// Why.
    pub error: io::Error,
    /// The older contents.
    pub older: Older,
}

impl WholeFile {
    /// Finds out whether `path` can be written, without any change to it. Blocks at a FIFO without
    /// a reader, as open(2) does.
    ///
    /// # Errors
    /// Those of open(2) for writing: a folder that is not there or takes no files, a file that may
    /// not be written, a directory.
    pub fn open(path: &Path) -> io::Result<Self> {
        let (target, by_descriptor) = target_of(path)?;
        let place = match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => return Err(ErrorKind::IsADirectory.into()),
            Ok(found) if !found.is_file() => {
                Place::Stream(OpenOptions::new().write(true).open(path)?)
            }
            Ok(_) => {
                // The older contents are read before they are overwritten in place.
                let readable = OpenOptions::new().read(true).write(true).open(path);
                let file = readable.or_else(|_| OpenOptions::new().write(true).open(path))?;
                Place::Existing(file)
            }
            Err(error) if error.kind() == ErrorKind::NotFound && !by_descriptor => {
                if target.as_os_str().as_bytes().ends_with(b"/") || target.file_name().is_none() {
                    return Err(ErrorKind::IsADirectory.into());
                }
                let _held = HeldSignals::hold();
                drop(beside::Beside::create(folder_of(&target))?);
                Place::New
            }
            Err(error) => return Err(error),
        };
        Ok(WholeFile { target, by_descriptor, place })
    }

    /// Writes `bytes`, which become the whole contents.
    ///
    /// # Errors
    /// Why they could not be written (ENOSPC, EDQUOT, EFBIG, EIO), and what the file holds now.
    pub fn write(self, bytes: &[u8]) -> Result<(), Unwritten> {
        let failed = |older: Older| move |error| Unwritten { error, older };
        let file = match self.place {
            Place::Stream(mut file) => return file.write_all(bytes).map_err(failed(Older::None)),
            Place::New => {
                let _held = HeldSignals::hold();
                return beside::create(&self.target, bytes).map_err(failed(Older::None));
            }
            Place::Existing(file) => file,
        };
        let _held = HeldSignals::hold();
        let metadata = file.metadata().map_err(failed(Older::Kept))?;
        let replaced = match name_of(&metadata, &self.target) {
            Name::Another if !self.by_descriptor => {
                // Its place was taken while the contents were made.
                return WholeFile::open(&self.target).map_err(failed(Older::Kept))?.write(bytes);
            }
            Name::Only if !self.by_descriptor => {
                beside::replace(&self.target, &file, &metadata, bytes)
                    .map_err(failed(Older::Kept))?
            }
            _ => false,
        };
        if replaced { Ok(()) } else { in_place::overwrite(&file, &self.target, bytes) }
    }
}

/// What a path is to an open file.
enum Name {
    /// Its only name, or the one that it lost: a rename replaces the file.
    Only,
    /// One of its names: a rename would replace this name alone.
    OneOfSeveral,
    /// The name of another file.
    Another,
}

fn name_of(open: &Metadata, path: &Path) -> Name {
    let node = |file: &Metadata| (file.dev(), file.ino());
    match std::fs::symlink_metadata(path) {
        Ok(now) if node(&now) != node(open) => Name::Another,
        Ok(_) if open.nlink() > 1 => Name::OneOfSeveral,
        Ok(_) | Err(_) => Name::Only,
    }
}

/// Where the links of `path` lead, and whether one of them stands for a descriptor: those of /proc
/// lead to an open file, whatever its name (`proc_pid_fd(5)`).
fn target_of(path: &Path) -> io::Result<(PathBuf, bool)> {
    let mut target = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(next) = std::fs::read_link(&target) else { return Ok((target, false)) };
        let folder = folder_of(&target);
        if Filesystem::of_path(folder).is_ok_and(Filesystem::is_proc) {
            return Ok((target, true));
        }
        target = folder.join(next);
    }
    Err(io::Error::from_raw_os_error(libc::ELOOP))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests;
