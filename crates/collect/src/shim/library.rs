//! The library that goes into programs: carried inside this one, unpacked to the user's cache.

use std::fs::Permissions;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use events::RECORDER_LIBRARY;
use sys::whole_file::WholeFile;

/// The library, as the build script built it; empty on processors without one.
const BYTES: &[u8] = include_bytes!(env!("SHIM"));

/// The library as a file that a program can load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library(PathBuf);

/// Why there is none.
#[derive(Debug)]
pub enum LibraryError {
    /// There is none for this processor.
    Processor,
    /// It can be in none of the folders that were tried; the last one and its error.
    Unwritable(PathBuf, io::Error),
}

impl Library {
    /// The file in the first of `folders` in which it is, or can be written. It has its contents'
    /// hash in its name, stays there, and is used again: programs that outlive the recording load
    /// it when they start others.
    ///
    /// # Errors
    /// [`LibraryError`].
    pub fn in_one_of(folders: &[PathBuf]) -> Result<Library, LibraryError> {
        if BYTES.is_empty() {
            return Err(LibraryError::Processor);
        }
        let mut hasher = DefaultHasher::new();
        hasher.write(BYTES);
        let name = format!("{RECORDER_LIBRARY}{:016x}.so", hasher.finish());
        let mut last = None;
        for folder in folders {
            match in_folder(folder, &name) {
                Ok(path) => return Ok(Library(path)),
                Err(error) => last = Some((folder.clone(), error)),
            }
        }
        let (folder, error) =
            last.unwrap_or_else(|| (PathBuf::new(), io::ErrorKind::NotFound.into()));
        Err(LibraryError::Unwritable(folder, error))
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

fn in_folder(folder: &Path, name: &str) -> io::Result<PathBuf> {
    std::fs::DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    let folder = folder.canonicalize()?;
    // LD_PRELOAD separates paths by these, and knows no escape.
    let text = folder.as_os_str().as_encoded_bytes();
    if text.iter().any(|byte| matches!(byte, b' ' | b':' | b'\n' | b'$')) {
        return Err(io::Error::other("the loader cannot take a path with a space or a colon"));
    }
    if !is_ours(&std::fs::metadata(&folder)?) {
        return Err(io::Error::other("others can write to it"));
    }
    if sys::filesystem::forbids_code(&folder) {
        return Err(io::Error::other("programs can load no code from there (noexec)"));
    }
    let path = folder.join(name);
    let is_there = std::fs::symlink_metadata(&path)
        .is_ok_and(|metadata| metadata.is_file() && is_ours(&metadata))
        && std::fs::read(&path).is_ok_and(|bytes| bytes == BYTES);
    if !is_there {
        WholeFile::open(&path)?.write(BYTES).map_err(|unwritten| unwritten.error)?;
    }
    if sys::process::effective_user() == 0 {
        // Whatever the umask was: a program that root starts may become another user.
        std::fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o644))?;
    }
    Ok(path)
}

/// Whether nobody else can write to it.
fn is_ours(metadata: &std::fs::Metadata) -> bool {
    metadata.uid() == sys::process::effective_user() && metadata.mode() & 0o022 == 0
}
