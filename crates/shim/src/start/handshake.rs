//! The handshake: hello to the recorder's socket, the shared memory back as a descriptor.

use core::ffi::{CStr, c_int, c_void};
use core::mem::{offset_of, size_of, zeroed};
use core::ptr;

use wire::hello::BYTES;
use wire::{Geometry, Hello};

use crate::sink::Region;

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
struct Descriptor(c_int);

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: it was opened here, and is closed once.
        unsafe { libc::close(self.0) };
    }
}

impl Descriptor {
    fn socket() -> Option<Descriptor> {
        // SAFETY: socket(2) takes numbers.
        let fd =
            unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC, 0) };
        let socket = (fd >= 0).then_some(Descriptor(fd))?;
        let patience = libc::timeval { tv_sec: SECONDS, tv_usec: 0 };
        for option in [libc::SO_RCVTIMEO, libc::SO_SNDTIMEO] {
            let value = (&raw const patience).cast::<c_void>();
            let length = size_of::<libc::timeval>() as libc::socklen_t;
            // SAFETY: the option takes a timeval.
            unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, option, value, length) };
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
        let pointer = (&raw const address).cast::<libc::sockaddr>();
        loop {
            // SAFETY: the address is as long as said.
            if unsafe { libc::connect(self.0, pointer, length as libc::socklen_t) } == 0 {
                return Some(());
            }
            was_interrupted()?;
        }
    }

    fn say_hello(&self) -> Option<()> {
        let mut limit = libc::rlimit { rlim_cur: u64::MAX, rlim_max: u64::MAX };
        // SAFETY: the limit is written to this stack.
        unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) };
        let hello = Hello {
            version: wire::VERSION,
            // SAFETY: getpid(2) takes nothing.
            pid: unsafe { libc::getpid() } as u32,
            address_space_bytes_max: limit.rlim_cur,
        };
        let bytes = hello.to_bytes();
        loop {
            // SAFETY: the bytes are as many as said.
            let sent =
                unsafe { libc::send(self.0, bytes.as_ptr().cast(), BYTES, libc::MSG_NOSIGNAL) };
            if sent == BYTES as isize {
                return Some(());
            }
            was_interrupted()?;
        }
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
        let received = loop {
            // SAFETY: the header describes the buffers above.
            let received =
                unsafe { libc::recvmsg(self.0, &raw mut message, libc::MSG_CMSG_CLOEXEC) };
            if received >= 0 {
                break received;
            }
            was_interrupted()?;
        };
        // SAFETY: the header describes what was received; null if there is no control message.
        let first = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
        // SAFETY: null, or a whole header in the buffer.
        let head = unsafe { first.as_ref() }?;
        if head.cmsg_level != libc::SOL_SOCKET || head.cmsg_type != libc::SCM_RIGHTS {
            return None;
        }
        // SAFETY: a message of this type holds a descriptor.
        let memory = unsafe { ptr::read_unaligned(libc::CMSG_DATA(first).cast::<c_int>()) };
        let memory = Descriptor(memory);
        let geometry = bytes.get(..usize::try_from(received).ok()?)?;
        Some((Geometry::from_bytes(geometry)?, memory))
    }
}

const CONTROL_BYTES: usize = 64;

#[repr(align(8))]
struct Control([u8; CONTROL_BYTES]);

/// Maps the memory.
fn map(geometry: Geometry, memory: &Descriptor) -> Option<Region> {
    let bytes = usize::try_from(geometry.words).ok()?.checked_mul(8)?;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping, at an address of the kernel's choice. The recorder has sealed the
    // memory, so that it stays as long as this.
    let start =
        unsafe { libc::mmap(ptr::null_mut(), bytes, protection, libc::MAP_SHARED, memory.0, 0) };
    let units = usize::try_from(geometry.units).ok()?;
    (start != libc::MAP_FAILED).then(|| Region::new(start.cast(), units))
}

/// `None` if the last call failed for good.
fn was_interrupted() -> Option<()> {
    // SAFETY: the C library's errno of this thread.
    (unsafe { *libc::__errno_location() } == libc::EINTR).then_some(())
}
