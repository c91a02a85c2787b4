//! Files whose closing takes long are left to the kernel, which closes them while nobody waits.
//!
//! A file that was sent through a socket stays open until the message is received. A message that
//! has its own sockets can never be received once they are closed; the kernel's collector of such
//! cycles closes what is in it (net/unix/garbage.c), in a thread of the kernel from Linux 6.8 on.
//! Before that it is whoever closes a socket who waits for it, as it would be without this.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    sendmsg, socket_with, socketpair,
};

use crate::Errno;

/// The number of files that can be left at a time.
pub const FILES_MAX: usize = 16;

/// Leaves at most [`FILES_MAX`] files to the kernel, which closes them some milliseconds later.
///
/// # Errors
/// EINVAL: too many files. EMFILE: no descriptor is left. ETOOMANYREFS: an ordinary user's limit.
/// EACCES: a security module forbids it. They have been closed here then.
pub fn leave_to_kernel(files: Vec<OwnedFd>) -> Result<(), Errno> {
    if files.len() > FILES_MAX {
        return Err(Errno(libc::EINVAL));
    }
    let new = || socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None);
    let errno = |error: rustix::io::Errno| Errno(error.raw_os_error());
    let bell = new().map_err(errno)?;
    let pair = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None);
    let (from, to) = pair.map_err(errno)?;
    let all: Vec<_> = [&from, &to].into_iter().chain(&files).map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES_MAX + 2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&all));
    sendmsg(&from, &[IoSlice::new(b"-")], &mut control, SendFlags::DONTWAIT).map_err(errno)?;
    drop((from, to, files));
    // The collector looks when a socket is closed, as none of those above was: they are in the
    // message. It must not look earlier, since whoever closes a file last waits for it.
    drop(bell);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_kernel_closes_what_was_left_to_it() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        leave_to_kernel(vec![writer.into()]).unwrap();
        // The end of the file comes when the last descriptor of the other end is closed.
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn too_many_files_are_refused() {
        let files = (0..=FILES_MAX).map(|_| std::fs::File::open("/dev/null").unwrap().into());
        assert_eq!(leave_to_kernel(files.collect()), Err(Errno(libc::EINVAL)));
    }
}
