//! Overwriting a file that cannot be replaced by another.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno as RawErrno;

use super::{Older, Unwritten};
use crate::filesystem::free_bytes;

/// The unit of `st_blocks`: stat(2).
const BLOCK_BYTES: u64 = 512;

/// Makes `bytes` the contents of `file`, which `path` leads to.
pub(super) fn overwrite(file: &File, path: &Path, bytes: &[u8]) -> Result<(), Unwritten> {
    let kept = |error| Unwritten { error, older: Older::Kept };
    let (older_len, len) = (file.metadata().map_err(kept)?.len(), bytes.len() as u64);
    if let Err(error) = reserve(file, path, len) {
        // Gives back what was reserved behind its end.
        let _ = file.set_len(older_len);
        return Err(kept(error));
    }
    let older = start_of(file, older_len.min(len));
    let written =
        file.write_all_at(bytes, 0).and_then(|()| file.set_len(len)).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // A limit of file sizes (EFBIG) that stopped the write stops this one at the same place.
        let restored = older.and_then(|older| {
            let written = file.write_all_at(&older, 0);
            let is_limit = |e: &io::Error| e.raw_os_error() == Some(libc::EFBIG);
            written.or_else(|e| if is_limit(&e) { Ok(()) } else { Err(e) })?;
            file.set_len(older_len)
        });
        Unwritten { error, older: if restored.is_ok() { Older::Kept } else { Older::Damaged } }
    })
}

/// The first `len` bytes.
fn start_of(file: &File, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// Reserves the space of the first `len` bytes, so that writing them cannot fail for want of it.
fn reserve(file: &File, path: &Path, len: u64) -> io::Result<()> {
    if len == 0 {
        return Ok(());
    }
    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, len) {
        Ok(()) => Ok(()),
        Err(error @ (RawErrno::NOSPC | RawErrno::DQUOT | RawErrno::FBIG)) => Err(error.into()),
        // The file system cannot reserve: its free space is the next best answer.
        Err(_) => {
            let more = len.saturating_sub(file.metadata()?.blocks().saturating_mul(BLOCK_BYTES));
            match free_bytes(path) {
                Ok(free) if free < more => Err(RawErrno::NOSPC.into()),
                _ => Ok(()),
            }
        }
    }
}
