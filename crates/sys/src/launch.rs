//! Starts a program behind a gate: the child waits before execve(2), so that an observer can
//! prepare.
//!
//! Safety story: everything that the child needs (path, arguments, environment as arrays of
//! pointers) is prepared before fork(2). Between fork and exec the child only makes system calls
//! that signal-safety(7) lists or that take no pointer, and on failure leaves by `_exit`. All
//! signals are blocked meanwhile, so that no handler of the parent runs in the child. A child is
//! reaped exactly once, by its owner.
#![allow(unsafe_code)]

mod capture;
mod search;
mod started;

pub use capture::Capture;
pub use search::Unfit;
pub use started::Started;

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::pipe::{PipeFlags, pipe_with};

use crate::Errno;
use crate::elf;
use crate::inherited::{closed_streams, is_ignored, was_ignored};
use crate::seccomp::Filter;

/// Address space randomisation of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Addresses {
    /// As for this process: nothing is changed.
    #[default]
    Inherited,
    /// Not randomised (`ADDR_NO_RANDOMIZE`, personality(2)).
    Fixed,
    /// Randomised, if the kernel randomises at all.
    Random,
}

/// Differences between the child and one that a shell would start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Setup {
    /// Whether its addresses are randomised.
    pub addresses: Addresses,
    /// Its standard output goes to `/dev/null`.
    pub discard_output: bool,
    /// Its standard output goes to its standard error.
    pub output_to_errors: bool,
    /// Its standard input is `/dev/null`.
    pub no_input: bool,
}

/// A program that was found, with its arguments.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    capture: Option<Capture>,
}

impl Program {
    /// Looks up the first word of `command` as execvp(3) does: in the directories of `PATH`, unless
    /// it contains a slash. Argument 0 is the name as given.
    ///
    /// # Errors
    /// [`Unfit`] says why the program cannot be run.
    pub fn find(command: &[OsString]) -> Result<Self, Unfit> {
        let name = command.first().cloned().unwrap_or_default();
        let path = std::env::var_os("PATH");
        Ok(Program {
            path: search::look_up(&name, path.as_deref())?,
            arguments: command.to_vec(),
            capture: None,
        })
    }

    /// The same program with an empty standard input, and with its standard output and standard
    /// error in `capture`. This overrides a [`Setup`].
    #[must_use]
    pub fn captured(self, capture: &Capture) -> Self {
        Program { capture: Some(capture.clone()), ..self }
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether its file has a set-user-ID or set-group-ID bit (execve(2): ignored while it is
    /// traced without privilege).
    #[must_use]
    pub fn wants_privilege(&self) -> bool {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(&self.path)
            .is_ok_and(|metadata| metadata.permissions().mode() & 0o6000 != 0)
    }

    /// Whether its file is an ELF program of 32 bits, whose syscalls have other numbers.
    #[must_use]
    pub fn is_compat32(&self) -> bool {
        elf::is_compat32(&self.path)
    }

    /// Forks a child that waits for [`Waiting::go`] before it becomes this program.
    ///
    /// # Errors
    /// The errno of fork(2) or pipe(2); EINVAL if an argument contains a NUL.
    pub fn start(&self, setup: Setup) -> Result<Waiting, Errno> {
        self.start_filtered(setup, None)
    }

    /// As [`Program::start`], with a `filter` that takes effect if [`Waiting::go_filtered`]
    /// releases the child.
    ///
    /// # Errors
    /// As [`Program::start`].
    pub fn start_filtered(&self, setup: Setup, filter: Option<&Filter>) -> Result<Waiting, Errno> {
        let prepared = Prepared::new(self)?;
        let gate = pipe()?;
        let report = pipe()?;
        let wants_null = setup.no_input || setup.discard_output || self.capture.is_some();
        // Opened only where it is used: not every root directory has one.
        let null = wants_null.then(null_device).transpose()?;
        let mask = block_all_signals();
        // SAFETY: the child does what `in_child` does, and never returns.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            let ends = Ends {
                gate: gate.0.as_raw_fd(),
                gate_of_parent: gate.1.as_raw_fd(),
                report: report.1.as_raw_fd(),
                null: null.as_ref().map_or(-1, File::as_raw_fd),
                captured: self.capture.as_ref().map(Capture::descriptors),
            };
            in_child(&prepared, &ends, setup, filter, &mask);
        }
        let errno = Errno::last();
        restore_signals(&mask);
        if pid < 0 {
            return Err(errno);
        }
        Ok(Waiting {
            child: Started::new(pid),
            gate: File::from(gate.1),
            report: File::from(report.0),
        })
    }
}

/// The arguments of execve(2), in the form that it takes.
struct Prepared {
    path: CString,
    arguments: Strings,
    environment: Strings,
}

impl Prepared {
    fn new(program: &Program) -> Result<Self, Errno> {
        let variables =
            std::env::vars_os().map(|(name, value)| [name, value].join(OsStr::new("=")));
        Ok(Prepared {
            path: c_string(program.path.clone().into_os_string())?,
            arguments: Strings::new(program.arguments.iter().cloned())?,
            environment: Strings::new(variables)?,
        })
    }
}

/// Strings, and a null-terminated array of pointers to them.
struct Strings {
    pointers: Vec<*const libc::c_char>,
    _texts: Vec<CString>,
}

impl Strings {
    fn new(texts: impl Iterator<Item = OsString>) -> Result<Self, Errno> {
        let texts: Vec<CString> = texts.map(c_string).collect::<Result<_, _>>()?;
        let pointers = texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect();
        Ok(Strings { pointers, _texts: texts })
    }
}

fn c_string(text: OsString) -> Result<CString, Errno> {
    CString::new(text.into_vec()).map_err(|_| Errno(libc::EINVAL))
}

fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    pipe_with(PipeFlags::CLOEXEC).map_err(|e| Errno(e.raw_os_error()))
}

fn null_device() -> Result<File, Errno> {
    let file = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null");
    file.map_err(|e| Errno(e.raw_os_error().unwrap_or(libc::EIO)))
}

/// The descriptors that a child uses.
struct Ends {
    gate: RawFd,
    gate_of_parent: RawFd,
    report: RawFd,
    /// -1 where no stream is replaced by it.
    null: RawFd,
    /// The files that replace standard output and standard error.
    captured: Option<(RawFd, RawFd)>,
}

/// The child: waits at the gate, applies the setup, and executes the program, or reports the errno
/// of the failure.
fn in_child(
    program: &Prepared,
    ends: &Ends,
    setup: Setup,
    filter: Option<&Filter>,
    mask: &libc::sigset_t,
) -> ! {
    // SAFETY: while the child holds this copy of the parent's end, it would not see the parent's
    // death. The child does not use it again.
    unsafe { libc::close(ends.gate_of_parent) };
    let mut byte = 0_u8;
    // SAFETY: one byte is writable. All signals are blocked: only a stop can interrupt the read,
    // and the read is then restarted.
    let count = unsafe { libc::read(ends.gate, (&raw mut byte).cast(), 1) };
    if count != 1 {
        leave();
    }
    let is_captured = ends.captured.is_some();
    let (output, errors) = ends.captured.unwrap_or_default();
    let streams = [
        (setup.no_input || is_captured, ends.null, libc::STDIN_FILENO),
        (setup.discard_output, ends.null, libc::STDOUT_FILENO),
        (setup.output_to_errors, libc::STDERR_FILENO, libc::STDOUT_FILENO),
        (is_captured, output, libc::STDOUT_FILENO),
        (is_captured, errors, libc::STDERR_FILENO),
    ];
    let replaced = || streams.into_iter().filter(|(wanted, ..)| *wanted);
    for (_, from, stream) in replaced() {
        // SAFETY: both are descriptors of this process; the copy stays open across exec.
        if unsafe { libc::dup2(from, stream) } < 0 {
            fail(ends.report);
        }
    }
    for closed in closed_streams().filter(|&closed| replaced().all(|(.., to)| to != closed)) {
        // SAFETY: what is open there is the runtime's /dev/null, which this child does not use.
        unsafe { libc::close(closed) };
    }
    let laid_out = match setup.addresses {
        Addresses::Inherited => Ok(()),
        Addresses::Fixed => crate::personality::set(false),
        Addresses::Random => crate::personality::set(true),
    };
    if laid_out.is_err() {
        fail(ends.report);
    }
    default_signals();
    if byte == FILTERED && filter.is_some_and(|filter| filter.install().is_err()) {
        fail(ends.report);
    }
    restore_signals(mask);
    let (arguments, environment) =
        (program.arguments.pointers.as_ptr(), program.environment.pointers.as_ptr());
    // SAFETY: all three are NUL- or null-terminated and live as long as this process.
    unsafe { libc::execve(program.path.as_ptr(), arguments, environment) };
    fail(ends.report)
}

/// The words that the parent writes to the gate.
const PLAIN: u8 = 1;
const FILTERED: u8 = 2;

/// Sends the errno of the call that has just failed to the parent.
fn fail(report: RawFd) -> ! {
    let errno = Errno::last().0; // allocates nothing
    // SAFETY: writes an integer from this stack; the parent reads it or has ended.
    unsafe { libc::write(report, (&raw const errno).cast(), size_of::<i32>()) };
    leave()
}

fn leave() -> ! {
    // SAFETY: _exit(2) takes any status and runs nothing of this process.
    unsafe { libc::_exit(125) }
}

/// Removes this process's handlers from the child, and restores the signals whose action the Rust
/// runtime and this program change to what they were when this program started. Other ignored
/// signals (nohup) stay ignored.
fn default_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        let ours = [libc::SIGPIPE, libc::SIGXFSZ, libc::SIGCHLD].contains(&signal);
        let ignored = if ours { was_ignored(signal) } else { is_ignored(signal) };
        // SAFETY: neither action installs a handler. For some signals it fails harmlessly (SIGKILL,
        // those of the C library).
        unsafe { libc::signal(signal, if ignored { libc::SIG_IGN } else { libc::SIG_DFL }) };
    }
}

/// Blocks every signal of this thread, and returns the previous mask.
pub(crate) fn block_all_signals() -> libc::sigset_t {
    // SAFETY: all-zero is a valid set.
    let mut all: libc::sigset_t = unsafe { std::mem::zeroed() };
    let mut before = all;
    // SAFETY: the set is writable.
    unsafe { libc::sigfillset(&raw mut all) };
    // SAFETY: both sets live on this stack.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before) };
    before
}

/// Sets the mask of this thread. Async-signal-safe.
pub(crate) fn restore_signals(mask: &libc::sigset_t) {
    // SAFETY: the set is valid, and no old set is requested.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, std::ptr::null_mut()) };
}

/// A child at the gate. Killed and reaped when dropped.
#[derive(Debug)]
pub struct Waiting {
    child: Started,
    gate: File,
    report: File,
}

impl Waiting {
    /// Its process id, which the program keeps.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Lets it execute the program, and waits until execve(2) is done. If the tracer requested
    /// stops at exec (`PTRACE_O_TRACEEXEC`), the program is in that stop then.
    ///
    /// # Errors
    /// The errno of execve(2) or personality(2); ESRCH if the child was killed meanwhile.
    pub fn go(self) -> Result<Started, Errno> {
        self.say(PLAIN)
    }

    /// As [`Waiting::go`], with the filter that it was started with. The child must be traced by
    /// now: without a tracer the selected syscalls fail.
    ///
    /// # Errors
    /// As [`Waiting::go`], and those of [`Filter::install`].
    pub fn go_filtered(self) -> Result<Started, Errno> {
        self.say(FILTERED)
    }

    fn say(mut self, word: u8) -> Result<Started, Errno> {
        self.gate.write_all(&[word]).map_err(|_| Errno(libc::ESRCH))?;
        let mut errno = [0_u8; 4];
        // If exec succeeds, the pipe closes without data. It also does if the child is killed,
        // which shows when it is waited for.
        let mut got = 0;
        while got < errno.len() {
            match self.report.read(&mut errno[got..]) {
                Ok(0) => return Ok(self.child),
                Ok(count) => got += count,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Errno(e.raw_os_error().unwrap_or(libc::EIO))),
            }
        }
        Err(Errno(i32::from_ne_bytes(errno)))
    }
}

#[cfg(test)]
mod tests;
