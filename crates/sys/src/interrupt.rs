//! Requests to end (SIGINT, SIGTERM, SIGHUP), turned into a descriptor that becomes readable.
//!
//! Safety story: the handler does two async-signal-safe things (signal-safety(7)): stores to
//! atomics and a write to an eventfd that is never closed. The handler is reset after the first
//! signal, so that a second one kills at once.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use crate::Errno;
use crate::inherited::is_ignored;
use crate::wait::timespec;

/// The signals that request an end.
pub(crate) const REQUESTS: [i32; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

static RECEIVED: AtomicI32 = AtomicI32::new(0);
/// The same signal, until [`Interrupt::take`] returns it.
static UNTAKEN: AtomicI32 = AtomicI32::new(0);
static WAKE: OnceLock<OwnedFd> = OnceLock::new();

/// While this exists, the first request to end is recorded instead of killing the process.
#[derive(Debug, Clone, Copy)]
pub struct Interrupt(BorrowedFd<'static>);

impl Interrupt {
    /// Installs handlers for the signals that request an end. A signal that was inherited as
    /// ignored (nohup) stays ignored.
    ///
    /// # Errors
    /// EMFILE or ENFILE when no descriptor is left.
    pub fn install() -> Result<Self, Errno> {
        // SAFETY: eventfd takes no memory.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(Errno::last());
        }
        // SAFETY: the descriptor is new and ours.
        let wake = WAKE.get_or_init(|| unsafe { OwnedFd::from_raw_fd(fd) });
        for signal in REQUESTS {
            handle(signal, libc::SA_RESETHAND);
        }
        Ok(Interrupt(wake.as_fd()))
    }

    /// Records repeated requests as well from now on, so that a second one does not kill the
    /// process while it is shutting down.
    pub fn record_repeats(self) {
        for signal in REQUESTS {
            handle(signal, 0);
        }
    }

    /// Takes SIGQUIT (Ctrl-\\) for such a request, too: it would leave running what was started.
    pub fn accept_quit(self) {
        handle(libc::SIGQUIT, 0);
    }

    /// The signal that requested an end, if any.
    #[must_use]
    pub fn received(self) -> Option<i32> {
        match RECEIVED.load(Ordering::Relaxed) {
            0 => None,
            signal => Some(signal),
        }
    }

    /// As [`Self::received`], but returns each request only once.
    #[must_use]
    pub fn take(self) -> Option<i32> {
        Some(UNTAKEN.swap(0, Ordering::Relaxed)).filter(|&signal| signal != 0)
    }

    /// Waits for `time`, or until a signal requests an end.
    pub fn wait(self, time: Duration) {
        let end = Instant::now() + time;
        while self.received().is_none() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            // EINTR: look again.
            let _ = poll(&mut [PollFd::new(&self, PollFlags::IN)], Some(&timespec(left)));
        }
    }
}

impl AsFd for Interrupt {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0
    }
}

/// Waits until one of two descriptors is readable, a signal arrives, or `time`, if given, has
/// passed.
pub fn wait_for_either(one: BorrowedFd<'_>, other: BorrowedFd<'_>, time: Option<Duration>) {
    let timeout = time.map(timespec);
    let mut both = [
        PollFd::from_borrowed_fd(one, PollFlags::IN),
        PollFd::from_borrowed_fd(other, PollFlags::IN),
    ];
    let _ = poll(&mut both, timeout.as_ref()); // EINTR: look again
}

extern "C" fn note(signal: i32) {
    UNTAKEN.store(signal, Ordering::Relaxed);
    note_request(signal);
}

/// Records a request that [`Interrupt::take`] does not return: another takes it
/// ([`crate::relay`]). Async-signal-safe.
pub(crate) fn note_request(signal: i32) {
    RECEIVED.store(signal, Ordering::Relaxed);
    if let Some(wake) = WAKE.get() {
        let one = 1_u64;
        // SAFETY: write(2) is async-signal-safe; the buffer lives on this stack.
        unsafe { libc::write(wake.as_raw_fd(), (&raw const one).cast(), size_of::<u64>()) };
    }
}

fn handle(signal: i32, flags: i32) {
    install(signal, note as extern "C" fn(i32) as libc::sighandler_t, flags);
}

/// Installs `handler`, of the type that `flags` require, which must be async-signal-safe
/// (signal-safety(7)). A signal that is ignored stays ignored. Returns the previous handler.
pub(crate) fn install(signal: i32, handler: libc::sighandler_t, flags: i32) -> libc::sighandler_t {
    if is_ignored(signal) {
        return libc::SIG_IGN;
    }
    // SAFETY: all-zero is a valid sigaction (empty mask).
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    let mut before = action;
    (action.sa_sigaction, action.sa_flags) = (handler, flags);
    // SAFETY: both live on this stack, and the callers' handlers are of the right type and
    // async-signal-safe.
    unsafe { libc::sigaction(signal, &raw const action, &raw mut before) };
    before.sa_sigaction
}

/// Lets SIGINT end this process even if it was ignored at the start. A shell without job control
/// ignores it for what it runs in the background, and a signal is all that ends some commands.
pub fn accept_interrupts() {
    // SAFETY: the default action installs no handler.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
}

/// Ignores SIGXFSZ, so that a write beyond the file size limit (setrlimit(2), `RLIMIT_FSIZE`) fails
/// with EFBIG, which can be reported, instead of killing this process.
pub fn survive_file_limit() {
    // SAFETY: ignoring a signal installs no handler.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// While this exists, the signals that a user ends a process with wait, also where they would kill
/// it.
#[derive(Debug)]
#[must_use]
pub(crate) struct HeldSignals {
    before: libc::sigset_t,
}

impl HeldSignals {
    /// Holds back the signals to this thread. The process must have no other that takes them.
    pub(crate) fn hold() -> Self {
        // SAFETY: all-zero is a valid sigset_t; sigemptyset makes it empty whatever its form.
        let mut held: libc::sigset_t = unsafe { std::mem::zeroed() };
        // SAFETY: the set lives on this stack.
        unsafe { libc::sigemptyset(&raw mut held) };
        for signal in REQUESTS.into_iter().chain([libc::SIGQUIT]) {
            // SAFETY: as above, and the signal is a valid one.
            unsafe { libc::sigaddset(&raw mut held, signal) };
        }
        let mut before = held;
        // SAFETY: both sets live on this stack.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const held, &raw mut before) };
        HeldSignals { before }
    }
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        // SAFETY: the set is the one that the kernel gave.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut())
        };
    }
}

/// A Ctrl-Z has arrived, for which this process has not stopped yet.
static STOP_WANTED: AtomicBool = AtomicBool::new(false);

/// Records Ctrl-Z from now on instead of stopping. A tracer must not stop before its tracee: a
/// program that handles SIGTSTP needs its tracer running to get that far, and would otherwise stop
/// only after the shell has continued both.
///
/// SIGCONT takes none back. Two threads may handle the two signals in either order, and a program
/// may stop although it has been continued meanwhile, from its own handler: then this process must
/// stop, too.
pub fn defer_stop() {
    extern "C" fn note(_signal: i32) {
        STOP_WANTED.store(true, Ordering::Relaxed);
    }
    install(libc::SIGTSTP, note as extern "C" fn(i32) as libc::sighandler_t, libc::SA_RESTART);
}

/// Stops at Ctrl-Z again, and at once for a recorded one.
pub fn stop_at_once() {
    if !is_ignored(libc::SIGTSTP) {
        // SAFETY: the default action installs no handler.
        unsafe { libc::signal(libc::SIGTSTP, libc::SIG_DFL) };
    }
    stop_if_wanted();
}

/// How often this process was continued after a stop, since [`count_continues`].
static CONTINUES: AtomicU64 = AtomicU64::new(0);

/// Counts from now on how often this process is continued: a time that was taken meanwhile includes
/// the stop.
pub fn count_continues() {
    extern "C" fn note(_signal: i32) {
        CONTINUES.fetch_add(1, Ordering::Relaxed);
    }
    install(libc::SIGCONT, note as extern "C" fn(i32) as libc::sighandler_t, libc::SA_RESTART);
}

/// How often it was, so far.
#[must_use]
pub fn continues() -> u64 {
    CONTINUES.load(Ordering::Relaxed)
}

/// Whether a recorded Ctrl-Z is still pending.
#[must_use]
pub fn is_stop_wanted() -> bool {
    STOP_WANTED.load(Ordering::Relaxed)
}

/// Drops a pending Ctrl-Z: the program did not stop.
pub fn drop_pending_stop() {
    STOP_WANTED.store(false, Ordering::Relaxed);
}

/// Stops this process until SIGCONT, if a Ctrl-Z is pending.
pub(crate) fn stop_if_wanted() {
    if is_stop_wanted() {
        stop_now();
    }
}

/// Stops this process until SIGCONT, for a pending Ctrl-Z.
pub fn stop_now() {
    STOP_WANTED.store(false, Ordering::Relaxed);
    // SAFETY: takes a number.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// Ends this process by `signal` with its default action, so that a shell sees the real cause.
pub fn die_by(signal: i32) -> ! {
    // No core dump: it would say nothing about the cause.
    let core = rustix::process::getrlimit(rustix::process::Resource::Core);
    let none = rustix::process::Rlimit { current: Some(0), ..core };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
    // SAFETY: restores the default action and raises; both take plain numbers.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // SAFETY: as above.
    unsafe { libc::raise(signal) };
    // Only reached if the signal is blocked; a shell reports the same number.
    std::process::exit(128 + signal)
}

/// The name of a signal: `SIGKILL`.
#[must_use]
pub fn name(signal: i32) -> String {
    let known = match signal {
        libc::SIGINT => "SIGINT",
        libc::SIGTERM => "SIGTERM",
        libc::SIGHUP => "SIGHUP",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGBUS => "SIGBUS",
        libc::SIGABRT => "SIGABRT",
        libc::SIGILL => "SIGILL",
        libc::SIGFPE => "SIGFPE",
        libc::SIGSYS => "SIGSYS",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGALRM => "SIGALRM",
        libc::SIGQUIT => "SIGQUIT",
        _ => return format!("signal {signal}"),
    };
    known.to_owned()
}
