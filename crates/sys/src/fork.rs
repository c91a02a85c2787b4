//! Children made by fork(2), which get a copy of their parent's memory, and by `vfork`, which
//! borrow it.
//!
//! Safety story: a forked child runs its work and leaves by `_exit`, also when the work panics, so
//! that nothing of the parent's is dropped or flushed a second time. Its result goes into a page
//! that both share, and the parent reads it only after the child has ended. Every child is reaped
//! by the [`Forked`] that owns it.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, waitpid};

use crate::Errno;
use crate::process::die_with_parent;

/// The result of a child: three numbers, as many as a measured phase has.
pub type Words = [u64; 3];

/// The exit status of a child whose work panicked.
const PANICKED: i32 = 101;
/// The exit status of a child whose parent ended before letting it go.
const NOT_RELEASED: i32 = 102;
/// Enough for a child that calls `_exit` and nothing else.
const BORROWER_STACK_BYTES: usize = 16 << 10;

/// Why a child returned no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForkError {
    /// A call of the parent failed: fork(2) with EAGAIN (`ulimit -u`, a cgroup's `pids.max`) or
    /// ENOMEM (overcommit).
    Call(Errno),
    /// The child ended with this status.
    Exited(i32),
    /// The child was killed by this signal.
    Killed(i32),
}

impl std::fmt::Display for ForkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ForkError::Call(errno @ Errno(libc::EAGAIN)) => {
                write!(
                    f,
                    "fork: {errno}: too many processes: raise ulimit -u, or pids.max of the \
                     control group"
                )
            }
            ForkError::Call(errno) => write!(f, "fork: {errno}"),
            ForkError::Exited(status) => write!(f, "the forked child ended with status {status}"),
            ForkError::Killed(signal) => {
                write!(f, "the forked child was killed ({})", crate::interrupt::name(*signal))
            }
        }
    }
}

impl std::error::Error for ForkError {}

/// Everything that a fork needs, prepared beforehand, so that forking is the call and nothing else.
#[derive(Debug)]
pub struct Stage {
    page: SharedPage,
    /// The child writes here before it sleeps,
    ready: (File, File),
    /// and reads here until the parent lets it go or has ended.
    gate: (File, File),
}

impl Stage {
    /// Makes a shared page and two pipes.
    ///
    /// # Errors
    /// The errno of mmap(2) or pipe(2).
    pub fn new() -> Result<Self, Errno> {
        let pipe = || -> Result<(File, File), Errno> {
            let (read, write): (OwnedFd, OwnedFd) =
                pipe_with(PipeFlags::CLOEXEC).map_err(|e| Errno(e.raw_os_error()))?;
            Ok((File::from(read), File::from(write)))
        };
        Ok(Stage { page: SharedPage::new()?, ready: pipe()?, gate: pipe()? })
    }

    /// fork(2): the child does `work` at once and leaves its result in the shared page. `work` must
    /// not allocate or take a lock that another thread of the parent may hold.
    ///
    /// # Errors
    /// As [`ForkError::Call`].
    #[inline]
    pub fn fork(self, work: impl FnOnce() -> Words) -> Result<Forked, ForkError> {
        let parent = getpid();
        // SAFETY: the child does what `in_child` does, and never returns.
        match unsafe { libc::fork() } {
            0 => self.in_child(parent, work),
            pid @ 1.. => Ok(Forked { pid: Pid::from_raw(pid), stage: self }),
            _ => Err(ForkError::Call(Errno::last())),
        }
    }

    /// fork(2): the child sleeps until [`Forked::let_go`] and then does `work`, as in
    /// [`Stage::fork`]. It is killed when its parent ends.
    ///
    /// # Errors
    /// As [`ForkError::Call`].
    #[inline]
    pub fn fork_asleep(mut self, work: impl FnOnce() -> Words) -> Result<Forked, ForkError> {
        let parent = getpid();
        // SAFETY: as above.
        match unsafe { libc::fork() } {
            0 => {
                let gate = self.gate.0.try_clone();
                // If the child kept its copy of the other end, it would not see the parent's end
                // being closed.
                close_in_child(&self.gate.1);
                let told = self.ready.1.write_all(&[1]);
                self.in_child(parent, move || match (gate, told) {
                    (Ok(gate), Ok(()))
                        if { &gate }.read(&mut [0]).is_ok_and(|count| count == 1) =>
                    {
                        work()
                    }
                    _ => leave(NOT_RELEASED),
                })
            }
            pid @ 1.. => Ok(Forked { pid: Pid::from_raw(pid), stage: self }),
            _ => Err(ForkError::Call(Errno::last())),
        }
    }

    fn in_child(&self, parent: Pid, work: impl FnOnce() -> Words) -> ! {
        let guard = ExitOnDrop;
        die_with_parent(parent.as_raw_pid().cast_unsigned());
        self.page.write(work());
        std::mem::forget(guard);
        leave(0)
    }
}

/// close(2) of the child's copy of a descriptor; the child never drops anything itself.
fn close_in_child(file: &File) {
    use std::os::fd::AsRawFd;
    // SAFETY: the child leaves by `_exit`: `file` is neither used nor closed again in it.
    unsafe { libc::close(file.as_raw_fd()) };
}

fn leave(status: i32) -> ! {
    // SAFETY: _exit(2) takes any status and runs nothing of this process.
    unsafe { libc::_exit(status) }
}

/// A panic must not unwind into the child's copy of its parent's stack.
struct ExitOnDrop;

impl Drop for ExitOnDrop {
    fn drop(&mut self) {
        leave(PANICKED);
    }
}

/// A forked child. Killed and reaped when dropped.
#[derive(Debug)]
pub struct Forked {
    /// `None` once it has been reaped.
    pid: Option<Pid>,
    stage: Stage,
}

impl Forked {
    /// Its process id, 0 once it has been reaped.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.pid.map_or(0, |pid| pid.as_raw_pid().cast_unsigned())
    }

    /// Waits until a child of [`Stage::fork_asleep`] sleeps and so disturbs no measurement.
    ///
    /// # Errors
    /// EPIPE if it has ended instead.
    pub fn wait_until_asleep(&mut self) -> Result<(), ForkError> {
        match self.stage.ready.0.read(&mut [0]) {
            Ok(1) => Ok(()),
            Ok(_) => Err(ForkError::Call(Errno(libc::EPIPE))),
            Err(error) => Err(ForkError::Call(errno_of(&error))),
        }
    }

    /// Lets a sleeping child go.
    ///
    /// # Errors
    /// EPIPE if it has ended already.
    pub fn let_go(&mut self) -> Result<(), ForkError> {
        self.stage.gate.1.write_all(&[1]).map_err(|error| ForkError::Call(errno_of(&error)))
    }

    /// Waits for its end, reaps it, and returns the result of its work.
    ///
    /// # Errors
    /// [`ForkError::Exited`] or [`ForkError::Killed`] if it ended without a result.
    #[inline]
    pub fn wait(mut self) -> Result<Words, ForkError> {
        match self.reap()? {
            status if status.exit_status() == Some(0) => Ok(self.stage.page.read()),
            status => Err(match status.terminating_signal() {
                Some(signal) => ForkError::Killed(signal),
                None => ForkError::Exited(status.exit_status().unwrap_or(-1)),
            }),
        }
    }

    #[inline]
    fn reap(&mut self) -> Result<WaitStatus, ForkError> {
        let Some(pid) = self.pid else { return Err(ForkError::Call(Errno(libc::ECHILD))) };
        loop {
            match waitpid(Some(pid), WaitOptions::empty()) {
                Ok(Some((_, status))) => {
                    self.pid = None;
                    return Ok(status);
                }
                Ok(None) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => {
                    self.pid = None;
                    return Err(ForkError::Call(Errno(e.raw_os_error())));
                }
            }
        }
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        if let Some(pid) = self.pid {
            let _ = kill_process(pid, Signal::KILL);
            let _ = self.reap();
        }
    }
}

fn errno_of(error: &io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(libc::EIO))
}

/// A page of `MAP_SHARED` memory.
#[derive(Debug)]
struct SharedPage(NonNull<[AtomicU64; 3]>);

impl SharedPage {
    const BYTES: usize = 4096;

    fn new() -> Result<Self, Errno> {
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: a null hint lets the kernel choose a free range.
        let start =
            unsafe { mmap_anonymous(std::ptr::null_mut(), SharedPage::BYTES, access, flags) };
        let start = start.map_err(|e| Errno(e.raw_os_error()))?;
        let page = SharedPage(NonNull::new(start.cast()).ok_or(Errno(libc::EINVAL))?);
        page.write(Words::default()); // makes the page resident before anything is measured
        Ok(page)
    }

    fn words(&self) -> &[AtomicU64; 3] {
        // SAFETY: the page is mapped while `self` lives, zero is a valid number, and both processes
        // use atomics only.
        unsafe { self.0.as_ref() }
    }

    fn write(&self, words: Words) {
        self.words()
            .iter()
            .zip(words)
            .for_each(|(place, word)| place.store(word, Ordering::Release));
    }

    fn read(&self) -> Words {
        self.words().each_ref().map(|place| place.load(Ordering::Acquire))
    }
}

impl Drop for SharedPage {
    fn drop(&mut self) {
        // SAFETY: the page is ours, and no reference to it is left.
        let _ = unsafe { munmap(self.0.as_ptr().cast(), SharedPage::BYTES) };
    }
}

/// The stack of a child that borrows its parent's memory.
#[derive(Debug)]
pub struct BorrowedStack(Box<[std::mem::MaybeUninit<u128>]>);

impl Default for BorrowedStack {
    fn default() -> Self {
        let mut stack = Box::new_uninit_slice(BORROWER_STACK_BYTES / size_of::<u128>());
        // Makes its top resident before anything is measured.
        stack.fill(std::mem::MaybeUninit::new(0));
        BorrowedStack(stack)
    }
}

impl BorrowedStack {
    /// Starts a child that borrows this process's memory (`CLONE_VM | CLONE_VFORK`, as
    /// `posix_spawn` does) and ends at once, and waits for it: the cost of a child without page
    /// tables to copy.
    ///
    /// # Errors
    /// As [`ForkError::Call`].
    #[inline]
    pub fn run_empty_child(&mut self) -> Result<(), ForkError> {
        extern "C" fn ends(_: *mut libc::c_void) -> libc::c_int {
            leave(0)
        }
        let top = self.0.as_mut_ptr_range().end;
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        // SAFETY: the stack is aligned, ours, and large enough for `_exit`; the parent is suspended
        // until the child ends.
        let pid = unsafe { libc::clone(ends, top.cast(), flags, std::ptr::null_mut()) };
        if pid < 1 {
            return Err(ForkError::Call(Errno::last()));
        }
        loop {
            match waitpid(Pid::from_raw(pid), WaitOptions::empty()) {
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(ForkError::Call(Errno(e.raw_os_error()))),
            }
        }
    }
}
