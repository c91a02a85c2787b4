//! A socket without a path at which processes ask for a descriptor: unix(7), "abstract".

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_peercred};
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, accept_with, bind, listen, recv, sendmsg, socket_with,
};

use crate::Errno;
use crate::wait::{Doorbell, wait_for};

/// How many processes may ask at the same time before others wait.
const BACKLOG: i32 = 1024;
/// A process that has connected has its question ready.
const PATIENCE: Duration = Duration::from_secs(1);

/// The socket.
#[derive(Debug)]
pub struct Rendezvous {
    socket: OwnedFd,
    name: String,
}

/// A process that asks.
#[derive(Debug)]
pub struct Asker {
    socket: OwnedFd,
    pid: u32,
}

impl Rendezvous {
    /// Opens the socket `firsttouch-` and a number that nobody can guess.
    ///
    /// # Errors
    /// EMFILE: no descriptor is left. EACCES: a security module forbids it.
    pub fn open() -> Result<Self, Errno> {
        let random = || RandomState::new().build_hasher().finish();
        let name = format!("firsttouch-{:016x}{:016x}", random(), random());
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None);
        let socket = socket.map_err(errno)?;
        let address = SocketAddrUnix::new_abstract_name(name.as_bytes()).map_err(errno)?;
        bind(&socket, &address).map_err(errno)?;
        listen(&socket, BACKLOG).map_err(errno)?;
        Ok(Rendezvous { socket, name })
    }

    /// Its name, without the zero that begins abstract names.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next process that asks. `None`: `doorbell` rang, or `patience` is over.
    #[must_use]
    pub fn next(&self, doorbell: &Doorbell, patience: Duration) -> Option<Asker> {
        let accept = || accept_with(&self.socket, SocketFlags::CLOEXEC).ok();
        let socket = accept().or_else(|| {
            let _ = wait_for(&[self.socket.as_fd()], doorbell, patience);
            accept()
        })?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE)).ok()?;
        let pid = socket_peercred(&socket).ok()?.pid;
        Some(Asker { socket, pid: u32::try_from(pid.as_raw_nonzero().get()).ok()? })
    }
}

impl Asker {
    /// The process that connected, as this process's PID namespace numbers it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its question, of at most `N` bytes; the rest is lost.
    ///
    /// # Errors
    /// EAGAIN: it has asked nothing. ECONNRESET: it is gone.
    pub fn question<const N: usize>(&self) -> Result<Vec<u8>, Errno> {
        let mut bytes = [0; N];
        let (_, length) = recv(&self.socket, &mut bytes, RecvFlags::empty()).map_err(errno)?;
        Ok(bytes.get(..length).unwrap_or(&bytes).to_vec())
    }

    /// Answers with `bytes` and `file`.
    ///
    /// # Errors
    /// EPIPE: it is gone.
    pub fn answer(self, bytes: &[u8], file: BorrowedFd<'_>) -> Result<(), Errno> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let files = [file];
        control.push(SendAncillaryMessage::ScmRights(&files));
        let parts = [IoSlice::new(bytes)];
        sendmsg(&self.socket, &parts, &mut control, SendFlags::NOSIGNAL).map_err(errno)?;
        Ok(())
    }
}

fn errno(error: rustix::io::Errno) -> Errno {
    Errno(error.raw_os_error())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixStream};

    use super::*;

    #[test]
    fn nobody_asks_and_the_doorbell_ends_the_wait() {
        let (meeting, bell) = (Rendezvous::open().unwrap(), Doorbell::new().unwrap());
        bell.ring();
        assert!(meeting.next(&bell, Duration::from_mins(1)).is_none());
    }

    #[test]
    fn a_stream_socket_is_no_asker() {
        let meeting = Rendezvous::open().unwrap();
        let address = SocketAddr::from_abstract_name(meeting.name()).unwrap();
        let wrong = UnixStream::connect_addr(&address).and_then(|mut stream| {
            stream.write_all(b"hello")?;
            stream.read_to_end(&mut Vec::new())
        });
        assert!(wrong.is_err(), "the socket keeps message boundaries");
    }

    #[test]
    fn an_asker_gets_bytes_and_a_file() {
        let (meeting, bell) = (Rendezvous::open().unwrap(), Doorbell::new().unwrap());
        let name = SocketAddrUnix::new_abstract_name(meeting.name().as_bytes()).unwrap();
        let flags = SocketFlags::CLOEXEC;
        let own = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        rustix::net::connect(&own, &name).unwrap();
        rustix::net::send(&own, b"a question", SendFlags::empty()).unwrap();
        let asker = meeting.next(&bell, Duration::from_mins(1)).unwrap();
        assert_eq!(asker.pid(), std::process::id());
        assert_eq!(asker.question::<64>().unwrap(), b"a question");
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        asker.answer(b"an answer", writer.as_fd()).unwrap();
        drop(writer);
        let mut bytes = [0; 64];
        let (_, length) = recv(&own, &mut bytes, RecvFlags::empty()).unwrap();
        assert_eq!(&bytes[..length], b"an answer");
        let end = rustix::io::read(&reader, &mut [0_u8; 1]);
        assert_eq!(end, Ok(0), "the descriptor was not asked for, so the kernel dropped it");
    }
}
