//! Reads the memory of another process: `process_vm_readv(2)`.
//!
//! Safety story: the kernel writes into a buffer of ours, whose length it is given; addresses of
//! the other process are not dereferenced here.
#![allow(unsafe_code)]

use crate::Errno;

/// The longest text that is read, in bytes. Names for `memfd_create(2)` are shorter.
const TEXT_BYTES_MAX: usize = 256;

/// The NUL-terminated text at `address` of the process `pid`, without the NUL; truncated to 256
/// bytes.
///
/// # Errors
/// ESRCH: it is gone. EPERM: it belongs to another user. EFAULT: nothing is mapped there.
pub fn read_text(pid: u32, address: u64) -> Result<Vec<u8>, Errno> {
    let mut text = vec![0_u8; TEXT_BYTES_MAX];
    let mut filled = 0;
    let page = rustix::param::page_size() as u64;
    while filled < TEXT_BYTES_MAX {
        let at = address.wrapping_add(filled as u64);
        // Not beyond the page: the next one may be unmapped.
        let room = (TEXT_BYTES_MAX - filled).min(usize::try_from(page - at % page).unwrap_or(1));
        let read = read(pid, at, &mut text[filled..filled + room])?;
        if let Some(end) = text[filled..filled + read].iter().position(|&byte| byte == 0) {
            text.truncate(filled + end);
            return Ok(text);
        }
        if read == 0 {
            return Err(Errno(libc::EFAULT));
        }
        filled += read;
    }
    Ok(text)
}

/// Six words of 32 bits at `address` of the process `pid`.
///
/// # Errors
/// As [`read_text`].
pub fn read_words(pid: u32, address: u64) -> Result<[u32; 6], Errno> {
    let mut bytes = [0_u8; 24];
    if read(pid, address, &mut bytes)? < bytes.len() {
        return Err(Errno(libc::EFAULT));
    }
    let (words, _) = bytes.as_chunks::<4>();
    Ok(std::array::from_fn(|at| u32::from_ne_bytes(words[at])))
}

/// Reads at `address` of the process `pid`; returns the number of bytes.
fn read(pid: u32, address: u64, into: &mut [u8]) -> Result<usize, Errno> {
    let ours = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    let theirs = libc::iovec {
        iov_base: std::ptr::without_provenance_mut(usize::try_from(address).unwrap_or(0)),
        iov_len: into.len(),
    };
    // SAFETY: `ours` is that many writable bytes; `theirs` is checked by the kernel.
    let read = unsafe {
        libc::process_vm_readv(pid.cast_signed(), &raw const ours, 1, &raw const theirs, 1, 0)
    };
    usize::try_from(read).map_err(|_| Errno::last())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_end_at_their_nul() {
        let own = std::process::id();
        let text = c"a name";
        match read_text(own, text.as_ptr().addr() as u64) {
            Ok(read) => assert_eq!(read, b"a name"),
            Err(e) => skips::skip(&format!("process_vm_readv: {e}")),
        }
        let long = vec![b'x'; 10_000];
        if let Ok(read) = read_text(own, long.as_ptr().addr() as u64) {
            assert_eq!(read.len(), TEXT_BYTES_MAX);
        }
        assert!(read_text(own, 8).is_err(), "nothing is mapped at 8");
        let words = [1_u32, 2, 3, 4, 5, u32::MAX];
        assert!(read_words(own, words.as_ptr().addr() as u64).is_ok_and(|read| read == words));
        assert!(read_words(own, 8).is_err());
    }
}
