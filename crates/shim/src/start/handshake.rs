//! The handshake: hello to the recorder's socket, the shared memory back as a descriptor.

use core::ffi::{CStr, c_int};
use core::mem::{offset_of, size_of, zeroed};
use core::ptr;

use wire::hello::BYTES;
use wire::{Geometry, Hello};

use crate::sink::Region;
use crate::syscall;

/// A recorder that does not answer for so long is taken for gone.
const SECONDS: i64 = 3;

/// Gets the shared memory of the recorder whose socket has this name. `None`: there is no recorder,
/// or no memory.
pub(super) fn with_recorder(name: &CStr) -> Option<Region> {
    let socket = Descriptor::socket()?;
    socket.connect(name.to_bytes())?;
    socket.say_hello()?;
    let (geometry, memory) = socket.answer()?;
    map(geometry, &memory)
}

/// A descriptor that is closed at the end.
struct Descriptor(usize);

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: it was opened here, and is closed once.
        let _ = unsafe { syscall::call(libc::SYS_close, [self.0]) };
    }
}

impl Descriptor {
    fn socket() -> Option<Descriptor> {
        let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
        let arguments = [libc::AF_UNIX as usize, kind as usize, 0];
        // SAFETY: socket(2) takes numbers.
        let fd = unsafe { syscall::call(libc::SYS_socket, arguments) }.ok()?;
        let socket = Descriptor(fd);
        let patience = libc::timeval { tv_sec: SECONDS, tv_usec: 0 };
        for option in [libc::SO_RCVTIMEO, libc::SO_SNDTIMEO] {
            let value = (&raw const patience) as usize;
            let (level, option) = (libc::SOL_SOCKET as usize, option as usize);
            let arguments = [fd, level, option, value, size_of::<libc::timeval>()];
            // SAFETY: the option takes a timeval.
            let _ = unsafe { syscall::call(libc::SYS_setsockopt, arguments) };
        }
        Some(socket)
    }

    fn connect(&self, name: &[u8]) -> Option<()> {
        // SAFETY: all-zero is a valid address.
        let mut address: libc::sockaddr_un = unsafe { zeroed() };
        address.sun_family = libc::AF_UNIX as libc::sa_family_t;
        // The first byte stays zero: the name is abstract.
        let places = address.sun_path.get_mut(1..=name.len())?;
        for (place, &byte) in places.iter_mut().zip(name) {
            *place = byte.cast_signed();
        }
        let length = offset_of!(libc::sockaddr_un, sun_path) + 1 + name.len();
        let arguments = [self.0, (&raw const address) as usize, length];
        // SAFETY: the address is as long as said.
        unsafe { syscall::call_again(libc::SYS_connect, arguments) }.ok().map(drop)
    }

    fn say_hello(&self) -> Option<()> {
        let mut limit = libc::rlimit { rlim_cur: u64::MAX, rlim_max: u64::MAX };
        let arguments = [0, libc::RLIMIT_AS as usize, 0, (&raw mut limit) as usize];
        // SAFETY: the limit is written to this stack.
        let _ = unsafe { syscall::call(libc::SYS_prlimit64, arguments) };
        let hello = Hello {
            version: wire::VERSION,
            pid: syscall::process_id(),
            address_space_bytes_max: limit.rlim_cur,
        };
        let bytes = hello.to_bytes();
        let flags = libc::MSG_NOSIGNAL as usize;
        let arguments = [self.0, bytes.as_ptr() as usize, BYTES, flags, 0, 0];
        // SAFETY: the bytes are as many as said.
        let sent = unsafe { syscall::call_again(libc::SYS_sendto, arguments) };
        (sent == Ok(BYTES)).then_some(())
    }

    /// The geometry, and the memory as a descriptor.
    fn answer(&self) -> Option<(Geometry, Descriptor)> {
        let mut bytes = [0_u8; BYTES];
        let mut control = Control([0; CONTROL_BYTES]);
        let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: BYTES };
        // SAFETY: all-zero is a valid message header.
        let mut message: libc::msghdr = unsafe { zeroed() };
        (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
        (message.msg_control, message.msg_controllen) =
            (control.0.as_mut_ptr().cast(), CONTROL_BYTES);
        let flags = libc::MSG_CMSG_CLOEXEC as usize;
        let arguments = [self.0, (&raw mut message) as usize, flags];
        // SAFETY: the header describes the buffers above.
        let received = unsafe { syscall::call_again(libc::SYS_recvmsg, arguments) }.ok()?;
        // SAFETY: the header describes what was received; null if there is no control message.
        let first = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
        // SAFETY: null, or a whole header in the buffer.
        let head = unsafe { first.as_ref() }?;
        if head.cmsg_level != libc::SOL_SOCKET || head.cmsg_type != libc::SCM_RIGHTS {
            return None;
        }
        // SAFETY: a message of this type holds a descriptor.
        let memory = unsafe { ptr::read_unaligned(libc::CMSG_DATA(first).cast::<c_int>()) };
        let memory = Descriptor(usize::try_from(memory).ok()?);
        let geometry = bytes.get(..received)?;
        Some((Geometry::from_bytes(geometry)?, memory))
    }
}

const CONTROL_BYTES: usize = 64;

#[repr(align(8))]
struct Control([u8; CONTROL_BYTES]);

/// Maps the memory.
fn map(geometry: Geometry, memory: &Descriptor) -> Option<Region> {
    let bytes = usize::try_from(geometry.words).ok()?.checked_mul(8)?;
    // The recorder has sealed the memory, so that it stays as long as this.
    let start = syscall::map(bytes, libc::MAP_SHARED, Some(memory.0))?;
    let units = usize::try_from(geometry.units).ok()?;
    Some(Region::new(start.cast(), units))
}
