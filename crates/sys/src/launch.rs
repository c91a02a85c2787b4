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
mod child;
mod search;
mod started;

pub use capture::{Capture, FromStart};
pub use search::{Unfit, not_executed};
pub use started::{Started, Woken, first_to_end};

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::Errno;
use crate::elf;
use crate::interrupt::stop_if_wanted;
use crate::seccomp::Filter;
use crate::wait::timespec;
use child::{Ends, FILTERED, PLAIN, in_child};

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

/// The time after which a child that has not executed the program may be stopped.
const LOOK_FOR_STOP: Duration = Duration::from_millis(100);

/// Differences between the child and one that a shell would start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of one child")]
pub struct Setup {
    /// Whether its addresses are randomised.
    pub addresses: Addresses,
    /// Its standard output goes to `/dev/null`.
    pub discard_output: bool,
    /// Its standard output goes to its standard error.
    pub output_to_errors: bool,
    /// Its standard input is `/dev/null`.
    pub no_input: bool,
    /// It leads a session of its own (setsid(2)): signals to its group reach all that it starts,
    /// and none of them stops at a terminal that belongs to another group.
    pub own_session: bool,
    /// It is killed when the thread that started it ends, however that happens
    /// (`PR_SET_PDEATHSIG`, prctl(2)). Its children are not.
    pub dies_with_parent: bool,
    /// Neither it nor its children get transparent huge pages (`PR_SET_THP_DISABLE`, prctl(2)).
    pub no_huge_pages: bool,
    /// Added to its nice value (nice(2)).
    pub nice: i32,
}

/// A program that was found, with its arguments.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, Option<OsString>)>,
    streams: Streams,
}

/// The files that replace standard input, standard output and standard error.
#[derive(Debug, Clone, Default)]
struct Streams {
    input: Option<Arc<File>>,
    output: Option<Arc<File>>,
    errors: Option<Arc<File>>,
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
            variables: Vec::new(),
            streams: Streams::default(),
        })
    }

    /// The same program with its standard output and standard error in `capture`, and with an empty
    /// standard input unless it has one. This overrides a [`Setup`].
    #[must_use]
    pub fn captured(mut self, capture: &Capture) -> Self {
        let (output, errors) = capture.files();
        (self.streams.output, self.streams.errors) = (Some(output), Some(errors));
        self
    }

    /// The same program with its standard error in `capture`. This overrides a [`Setup`].
    #[must_use]
    pub fn errors_captured(mut self, capture: &Capture) -> Self {
        self.streams.errors = Some(capture.files().1);
        self
    }

    /// The same program with `file` as its standard input. Its offset is shared: a program that is
    /// started again with it goes on where the last one ended.
    #[must_use]
    pub fn with_input(mut self, file: File) -> Self {
        self.streams.input = Some(Arc::new(file));
        self
    }

    /// The same program with these environment variables besides those of this process; `None`
    /// removes one.
    #[must_use]
    pub fn with_variables(mut self, variables: Vec<(OsString, Option<OsString>)>) -> Self {
        self.variables = variables;
        self
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
        let no_input = setup.no_input || self.streams.output.is_some();
        // Opened only where it is used: not every root directory has one.
        let null = (no_input || setup.discard_output).then(null_device).transpose()?;
        let null = null.as_ref().map(File::as_raw_fd);
        let of = |file: &Option<Arc<File>>| file.as_ref().map(AsRawFd::as_raw_fd);
        let to_errors = setup.output_to_errors.then_some(libc::STDERR_FILENO);
        let streams = [
            of(&self.streams.input).or(null.filter(|_| no_input)),
            of(&self.streams.output).or(to_errors).or(null.filter(|_| setup.discard_output)),
            of(&self.streams.errors),
        ];
        // The child would not get that Ctrl-Z.
        stop_if_wanted();
        let mask = block_all_signals();
        // SAFETY: the child does what `in_child` does, and never returns.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            let ends = Ends {
                gate: gate.0.as_raw_fd(),
                gate_of_parent: gate.1.as_raw_fd(),
                report: report.1.as_raw_fd(),
                streams,
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
        let changed = |name: &OsStr| program.variables.iter().any(|(changed, _)| *changed == *name);
        let inherited = std::env::vars_os().filter(|(name, _)| !changed(name));
        let set =
            program.variables.iter().cloned().filter_map(|(name, value)| Some((name, value?)));
        let variables =
            inherited.chain(set).map(|(name, value)| [name, value].join(OsStr::new("=")));
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

    /// Waits until the child has executed the program, or has failed to. A Ctrl-Z that this process
    /// has recorded stops the child before that: then both stop, and go on together.
    fn wait_for_report(&self) {
        loop {
            let mut report = [PollFd::new(&self.report, PollFlags::IN)];
            match poll(&mut report, Some(&timespec(LOOK_FOR_STOP))) {
                Ok(0) => stop_if_wanted(),
                // Look again.
                Err(rustix::io::Errno::INTR) => {}
                // What is wrong shows when it is read.
                Ok(_) | Err(_) => return,
            }
        }
    }

    fn say(mut self, word: u8) -> Result<Started, Errno> {
        self.gate.write_all(&[word]).map_err(|_| Errno(libc::ESRCH))?;
        let mut errno = [0_u8; 4];
        // If exec succeeds, the pipe closes without data. It also does if the child is killed,
        // which shows when it is waited for.
        let mut got = 0;
        while got < errno.len() {
            self.wait_for_report();
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
