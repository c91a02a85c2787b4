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
        let ours = libc::iovec { iov_base: text[filled..].as_mut_ptr().cast(), iov_len: room };
        let theirs = libc::iovec {
            iov_base: std::ptr::without_provenance_mut(usize::try_from(at).unwrap_or(0)),
            iov_len: room,
        };
        // SAFETY: `ours` is `room` writable bytes; `theirs` is checked by the kernel.
        let read = unsafe {
            libc::process_vm_readv(pid.cast_signed(), &raw const ours, 1, &raw const theirs, 1, 0)
        };
        let Ok(read) = usize::try_from(read) else { return Err(Errno::last()) };
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
    }
}
