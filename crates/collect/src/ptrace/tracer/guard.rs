//! Calls of the program that concern its tracer: what would behave differently under a tracer with
//! a seccomp filter, or would stop the tracer itself, is answered here.

use sys::Errno;
use sys::proc::task::{is_in_own_pid_namespace, process_of, seccomp_filters, threads_of};
use sys::ptrace::{self, Guarded};
use sys::relay::Sent;

use super::{Doing, Tracer};

impl Tracer {
    /// A thread is about to make `call`. Returns what to do at its end.
    pub(super) fn guard(&mut self, tid: u32, call: Guarded) -> Doing {
        match call {
            Guarded::Filter { whole_process } => return Doing::InstallsFilter { whole_process },
            // The kernel refuses strict mode to a thread with a filter, and the filter is ours. The
            // thread enters it as far as it can see: from now on it stops at every syscall, and is
            // killed at others than strict mode allows.
            Guarded::StrictMode if self.has_only_our_filter(tid) => {
                if ptrace::answer(tid, 0).is_ok() {
                    let tracee = self.tracee(tid);
                    (tracee.strict, tracee.every_call) = (true, true);
                }
            }
            Guarded::Mode if self.has_only_our_filter(tid) => {
                // ESRCH: it was killed while it was stopped, here and below.
                let _ = ptrace::answer(tid, 0);
            }
            // The kernel refuses: it has a tracer.
            Guarded::TraceMe => self.shared.count_refused_tracing(),
            Guarded::Trace { target } if is_in_own_pid_namespace(tid) != Some(false) => {
                if process_of(target) == Some(std::process::id()) {
                    // The program could stop its own tracer, and both would wait for ever.
                    let _ = ptrace::answer(tid, Errno::NOT_PERMITTED.as_result());
                    self.shared.count_refused_tracing();
                } else if self.threads.contains_key(&target) {
                    self.shared.count_refused_tracing();
                }
            }
            // With a filter of its own the kernel answers as without firsttouch; and in another PID
            // namespace no thread of firsttouch has a number.
            Guarded::StrictMode | Guarded::Mode | Guarded::Trace { .. } => {}
        }
        Doing::Nothing
    }

    /// Whether the thread has no seccomp filter but the one that selects the calls to stop at.
    fn has_only_our_filter(&mut self, tid: u32) -> bool {
        self.filtered && self.inherited_filters == 0 && !self.tracee(tid).every_call
    }

    /// Whether the thread has a seccomp filter of its own. What that refuses never reaches ours, so
    /// the thread must stop at every syscall.
    pub(super) fn has_own_filter(&self, tid: u32) -> bool {
        let others = self.inherited_filters + u32::from(self.filtered);
        self.filtered && seccomp_filters(tid).is_some_and(|filters| filters > others)
    }

    /// A thread has installed a filter. Other threads that have it too stop at every syscall from
    /// their next stop on: to stop them now could interrupt their system calls.
    pub(super) fn filter_installed(&mut self, tid: u32, whole_process: bool) {
        let pid = self.tracee(tid).pid;
        let mut having: Vec<u32> = vec![tid];
        if whole_process {
            let of_process = self.threads.iter().filter(|(_, tracee)| tracee.pid == pid);
            having.extend(of_process.map(|(&other, _)| other));
        }
        for thread in having {
            // The kernel counts filters since Linux 5.9; before, the thread that made the call is
            // known to have one.
            let own = self.has_own_filter(thread) || thread == tid;
            self.tracee(thread).every_call |= own;
        }
    }

    /// A thread in strict mode makes a syscall that this mode does not allow: the kernel would kill
    /// the thread, and not its process.
    pub(super) fn end_strict(&mut self, tid: u32, compat32: bool) {
        let pid = self.tracee(tid).pid;
        if threads_of(pid).is_ok_and(|threads| threads.len() > 1) {
            let _ = ptrace::exit_instead(tid, compat32);
        } else {
            ptrace::signal(pid, Sent::new(ptrace::KILL));
        }
    }
}
