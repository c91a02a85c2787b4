//! Signals that a process sends to this one and that are meant for the program that it runs.
//!
//! ```text
//!   a signal to this process alone   handler -> record      no record of the witness: pass it on
//!   a signal to the process group    handler -> record      the program has got it itself
//!                                    witness -> its record
//! ```
//! A signal does not say whether it was sent to a process or to its group. So a second process, the
//! **witness**, stays in the group: what it gets too was sent to the group, or one by one to all of
//! its processes.
//!
//! Safety story: the handlers do three async-signal-safe things (signal-safety(7)): they load and
//! store atomics, read a clock, and write a record, shorter than `PIPE_BUF`, to a pipe that does
//! not block. The child of fork(2) calls only functions of that list, and leaves by `_exit`.
#![allow(unsafe_code)]

mod witness;

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Pid;

use crate::Errno;
use crate::interrupt::{REQUESTS, install, note_request};
use witness::Witness;

/// The time between a signal and its being passed on. Who sends a signal to the processes of a
/// group one by one (a service manager) has reached them all by then.
const SETTLING: Duration = Duration::from_millis(20);
/// Records of one sending are not further apart, unless a process was stopped meanwhile.
const APART_NS: u64 = 2_000_000_000;

/// Signals that would kill this process and that programs use.
const USED: [i32; 9] = [
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGXCPU,
    libc::SIGVTALRM,
    libc::SIGPROF,
    libc::SIGIO,
    libc::SIGPWR,
    libc::SIGSTKFLT,
];

/// Where the handlers of this process write; -1: nowhere.
static RECORDS: AtomicI32 = AtomicI32::new(-1);
/// Whether the keys that end a program are for the program alone.
static KEYS_FOR_PROGRAM: AtomicBool = AtomicBool::new(false);

/// A signal to pass on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    signal: i32,
    /// The value that it came with (sigqueue(3)).
    value: Option<usize>,
}

impl Sent {
    /// A signal without a value, as kill(2) sends it.
    #[must_use]
    pub fn new(signal: i32) -> Self {
        Sent { signal, value: None }
    }

    /// Its number.
    #[must_use]
    pub fn signal(self) -> i32 {
        self.signal
    }

    /// Whether it asks for the end: SIGINT, SIGQUIT, SIGTERM, SIGHUP.
    #[must_use]
    pub fn asks_to_end(self) -> bool {
        ENDING.contains(&self.signal)
    }

    /// Whether it is one by which observers are ended, too: SIGINT, SIGTERM. Programs use the
    /// others otherwise: to read their settings again, to finish what they do.
    #[must_use]
    pub fn is_for_observers(self) -> bool {
        [libc::SIGINT, libc::SIGTERM].contains(&self.signal)
    }

    /// Sends it to `pid`, a child that has not been reaped.
    pub(crate) fn send(self, pid: i32) {
        match self.value {
            Some(value) => {
                let value = libc::sigval { sival_ptr: value as *mut libc::c_void };
                // SAFETY: takes numbers; the value is not used as a pointer.
                unsafe { libc::sigqueue(pid, self.signal, value) };
            }
            None => {
                // SAFETY: takes numbers. A child that has not been reaped keeps its pid.
                unsafe { libc::kill(pid, self.signal) };
            }
        }
    }
}

const ENDING: [i32; 4] = [libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGHUP];

/// What a handler writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
struct Record {
    time_ns: u64,
    value: usize,
    /// 0: the witness answers.
    signal: i32,
    code: i32,
    sender: i32,
    unused: i32,
}

const RECORD_BYTES: usize = size_of::<Record>();

impl Record {
    /// Whether both are of one kill(2) to a group, or of one sender that goes through it.
    fn is_of_same_sending(&self, other: &Record) -> bool {
        (self.signal, self.code, self.sender) == (other.signal, other.code, other.sender)
            && self.time_ns.abs_diff(other.time_ns) < APART_NS
    }

    fn sent(&self) -> Sent {
        let value = (self.code == libc::SI_QUEUE).then_some(self.value);
        Sent { signal: self.signal, value }
    }

    /// Reads what is there.
    fn read_all(pipe: &mut File, into: &mut Vec<Record>) {
        let mut bytes = [0; RECORD_BYTES];
        while pipe.read(&mut bytes).is_ok_and(|count| count == RECORD_BYTES) {
            // SAFETY: the handler wrote a record of this plain type, whose every value is valid.
            into.push(unsafe { std::mem::transmute::<[u8; RECORD_BYTES], Record>(bytes) });
        }
    }

    fn write(&self, descriptor: i32) {
        // SAFETY: write(2) is async-signal-safe; the record lives as long as the call.
        unsafe { libc::write(descriptor, (&raw const *self).cast(), RECORD_BYTES) };
    }
}

/// How signals that ask for the end are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requests {
    /// Each, except those of the keyboard (Ctrl-C, Ctrl-\), which the program gets from the
    /// terminal.
    ExceptKeys,
    /// The first of each, as [`crate::interrupt::Interrupt`] does: the second one kills.
    Once,
    /// The first of each, SIGQUIT too, which the program may get before its start is complete.
    Starting,
}

/// While this exists, signals that are meant for the program are recorded.
#[derive(Debug)]
pub struct Relay {
    records: File,
    _writes: std::os::fd::OwnedFd,
    witness: Option<Witness>,
    waiting: Vec<Record>,
    since: Option<Instant>,
    /// The handlers that [`Relay::take_requests`] has replaced.
    before: Vec<(i32, libc::sighandler_t)>,
}

impl Relay {
    /// Records signals that would kill this process, and starts the witness. Without one (no
    /// process more is allowed) every signal counts as sent to this process alone. Signals that
    /// this process inherited as ignored stay ignored.
    ///
    /// # Errors
    /// EMFILE or ENFILE when no descriptor is left.
    pub fn new() -> Result<Self, Errno> {
        let (reads, writes) = record_pipe()?;
        let witness = Witness::start();
        RECORDS.store(writes.as_raw_fd(), Ordering::Relaxed);
        for signal in used().filter(|&signal| !crate::switch::takes(signal)) {
            install(signal, handler(record), libc::SA_SIGINFO | libc::SA_RESTART);
        }
        Ok(Relay {
            records: reads,
            _writes: writes,
            witness,
            waiting: Vec::new(),
            since: None,
            before: Vec::new(),
        })
    }

    /// Records signals that ask for the end from now on. [`crate::interrupt::Interrupt::received`]
    /// knows of them too, [`crate::interrupt::Interrupt::take`] does not.
    pub fn take_requests(&mut self, requests: Requests) {
        KEYS_FOR_PROGRAM.store(requests == Requests::ExceptKeys, Ordering::Relaxed);
        let (signals, once) = match requests {
            Requests::ExceptKeys => (&ENDING[..], 0),
            Requests::Once => (&REQUESTS[..], libc::SA_RESETHAND),
            Requests::Starting => (&ENDING[..], libc::SA_RESETHAND),
        };
        for &signal in signals {
            let is_key = KEYS.contains(&signal) && requests == Requests::ExceptKeys;
            let restart = if is_key { libc::SA_RESTART } else { 0 };
            let flags = libc::SA_SIGINFO | once | restart;
            self.before.push((signal, install(signal, handler(record_request), flags)));
        }
    }

    /// Restores the handlers after the program has ended: signals that ask for the end, and the
    /// keys, are for this process again.
    pub fn give_back_requests(&mut self) {
        // The first handler that was replaced comes last.
        for (signal, handler) in self.before.drain(..).rev() {
            // SAFETY: restores the previous handler.
            unsafe { libc::signal(signal, handler) };
        }
    }

    /// The signals that `program`, a child that has not been reaped, has not got itself. It gets
    /// one that was sent to its group from the kernel.
    pub fn due(&mut self, program: u32) -> Vec<Sent> {
        Record::read_all(&mut self.records, &mut self.waiting);
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() < SETTLING {
            return Vec::new();
        }
        let group = rustix::process::getpgid(Pid::from_raw(program.cast_signed()));
        // If it has just ended, then perhaps by the signal.
        let in_our_group = group.map_or(true, |group| group == rustix::process::getpgrp());
        let seen = self.witness.as_mut().map(Witness::ask).unwrap_or_default();
        // Some have arrived since.
        Record::read_all(&mut self.records, &mut self.waiting);
        self.since = None;
        let records = std::mem::take(&mut self.waiting);
        if let Some(witness) = &mut self.witness {
            witness.forget(&records);
        }
        not_got(&records, if in_our_group { &seen } else { &[] })
    }

    /// The time until [`Relay::due`] has something, if it will have.
    #[must_use]
    pub fn due_in(&self) -> Option<Duration> {
        self.since.map(|since| SETTLING.saturating_sub(since.elapsed()))
    }
}

impl AsFd for Relay {
    /// Readable when a signal has been recorded, until [`Relay::due`] has been called.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.records.as_fd()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        RECORDS.store(-1, Ordering::Relaxed);
    }
}

const KEYS: [i32; 2] = [libc::SIGINT, libc::SIGQUIT];

/// The records that the witness has none of, in order; of equal ones without a queue the first, as
/// the kernel keeps them.
fn not_got(records: &[Record], seen: &[Record]) -> Vec<Sent> {
    let mut due: Vec<Sent> = Vec::new();
    for record in records {
        let got = seen.iter().any(|other| record.is_of_same_sending(other));
        let sent = record.sent();
        let is_queued = sent.signal >= libc::SIGRTMIN();
        if !got && (is_queued || due.iter().all(|other| other.signal != sent.signal)) {
            due.push(sent);
        }
    }
    due
}

/// A pipe whose ends do not block.
fn record_pipe() -> Result<(File, std::os::fd::OwnedFd), Errno> {
    let ends = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK);
    ends.map(|(reads, writes)| (File::from(reads), writes)).map_err(|e| Errno(e.raw_os_error()))
}

fn used() -> impl Iterator<Item = i32> {
    USED.into_iter().chain(libc::SIGRTMIN()..=libc::SIGRTMAX())
}

type Handler = extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);

fn handler(of: Handler) -> libc::sighandler_t {
    of as libc::sighandler_t
}

extern "C" fn record(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel gives a handler with SA_SIGINFO a valid siginfo, whose fields hold numbers
    // whatever its kind.
    let info = unsafe { &*info };
    // SAFETY: as above.
    let sender = unsafe { info.si_pid() };
    // SAFETY: as above.
    let value = unsafe { info.si_value() }.sival_ptr as usize;
    let code = info.si_code;
    // The limit of processor time is each process's own, and the program has one too.
    if signal == libc::SIGXCPU && code > 0 {
        return;
    }
    let time_ns = crate::clock::monotonic_ns();
    let record = Record { time_ns, value, signal, code, sender, unused: 0 };
    record.write(RECORDS.load(Ordering::Relaxed));
}

/// The kernel sends the signal of a key to every process in the terminal's foreground group. One
/// that a process has sent has `si_code` ≤ 0.
extern "C" fn record_request(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: as in `record`.
    let by_kernel = unsafe { (*info).si_code } > 0;
    if by_kernel && KEYS_FOR_PROGRAM.load(Ordering::Relaxed) && KEYS.contains(&signal) {
        return;
    }
    note_request(signal);
    record(signal, info, std::ptr::null_mut());
}

#[cfg(test)]
mod tests;
