//! Calls by which a traced program would change how it is traced, or its tracer.

use crate::syscall;

/// The calls by number: natively and in 32-bit mode on x86, and the values of the first argument
/// that matter.
pub(crate) const CALLS: [(u32, u32, &[u32]); 3] = [
    (syscall::PRCTL, 172, &[SET_SECCOMP, GET_SECCOMP]),
    (syscall::SECCOMP, 354, &[libc::SECCOMP_SET_MODE_STRICT, libc::SECCOMP_SET_MODE_FILTER]),
    (syscall::PTRACE, 26, &[libc::PTRACE_TRACEME, libc::PTRACE_ATTACH, libc::PTRACE_SEIZE]),
];

const SET_SECCOMP: u32 = libc::PR_SET_SECCOMP.cast_unsigned();
const GET_SECCOMP: u32 = libc::PR_GET_SECCOMP.cast_unsigned();
/// `SECCOMP_MODE_STRICT` and `SECCOMP_MODE_FILTER`.
const STRICT: u64 = 1;
const FILTER: u64 = 2;

/// A call that concerns the tracer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarded {
    /// The thread enters the strict mode of seccomp(2).
    StrictMode,
    /// The thread installs a seccomp filter.
    Filter {
        /// Whether it is for all threads of the process.
        whole_process: bool,
    },
    /// The thread asks for its seccomp mode.
    Mode,
    /// The thread asks its parent to trace it.
    TraceMe,
    /// The thread starts to trace another one.
    Trace {
        /// That thread, by its number in the caller's PID namespace.
        target: u32,
    },
}

impl Guarded {
    /// The call with this number and these arguments, if it is one of these.
    #[must_use]
    pub fn of(number: u64, arguments: &[u64; 6], compat32: bool) -> Option<Self> {
        let (native, ..) = *CALLS.iter().find(|&&(native, narrow, _)| {
            number == u64::from(if compat32 { narrow } else { native })
        })?;
        let [first, second, third, ..] = *arguments;
        #[expect(clippy::cast_possible_truncation, reason = "as the kernel does")]
        let (option, target) = (first as u32, second as u32);
        match native {
            syscall::PRCTL if option == GET_SECCOMP => Some(Guarded::Mode),
            syscall::PRCTL if option == SET_SECCOMP && second == STRICT => {
                Some(Guarded::StrictMode)
            }
            syscall::PRCTL if option == SET_SECCOMP && second == FILTER => {
                Some(Guarded::Filter { whole_process: false })
            }
            // With flags or an address the kernel refuses the strict mode: EINVAL.
            syscall::SECCOMP
                if option == libc::SECCOMP_SET_MODE_STRICT && second == 0 && third == 0 =>
            {
                Some(Guarded::StrictMode)
            }
            syscall::SECCOMP if option == libc::SECCOMP_SET_MODE_FILTER => {
                let whole_process = second & libc::SECCOMP_FILTER_FLAG_TSYNC != 0;
                Some(Guarded::Filter { whole_process })
            }
            syscall::PTRACE if first == u64::from(libc::PTRACE_TRACEME) => Some(Guarded::TraceMe),
            syscall::PTRACE
                if [libc::PTRACE_ATTACH, libc::PTRACE_SEIZE]
                    .into_iter()
                    .any(|request| first == u64::from(request)) =>
            {
                Some(Guarded::Trace { target })
            }
            _ => None,
        }
    }
}

/// Whether the strict mode of seccomp(2) allows a call: read, write, exit and sigreturn
/// (`mode1_syscalls` in kernel/seccomp.c).
#[must_use]
pub fn is_strict(number: u64, compat32: bool) -> bool {
    const NATIVE: [libc::c_long; 4] =
        [libc::SYS_read, libc::SYS_write, libc::SYS_exit, libc::SYS_rt_sigreturn];
    const NARROW: [u64; 4] = [3, 4, 1, 119];
    if compat32 {
        NARROW.contains(&number)
    } else {
        NATIVE.iter().any(|&allowed| allowed.cast_unsigned() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_apart_in_both_modes() {
        let of = |number: u32, arguments: [u64; 3], compat32| {
            let [first, second, third] = arguments;
            Guarded::of(number.into(), &[first, second, third, 0, 0, 0], compat32)
        };
        for (compat32, prctl, seccomp, ptrace) in
            [(false, syscall::PRCTL, syscall::SECCOMP, syscall::PTRACE), (true, 172, 354, 26)]
        {
            assert_eq!(of(prctl, [22, 1, 0], compat32), Some(Guarded::StrictMode));
            assert_eq!(of(prctl, [21, 0, 0], compat32), Some(Guarded::Mode));
            assert_eq!(of(prctl, [15, 1, 0], compat32), None, "PR_SET_NAME");
            assert_eq!(of(seccomp, [0, 0, 0], compat32), Some(Guarded::StrictMode));
            assert_eq!(of(seccomp, [0, 0, 8], compat32), None, "EINVAL");
            for (flags, whole_process) in [(0, false), (1, true), (8, false)] {
                let filter = of(seccomp, [1, flags, 4096], compat32);
                assert_eq!(filter, Some(Guarded::Filter { whole_process }), "{flags}");
            }
            assert_eq!(of(ptrace, [0, 0, 0], compat32), Some(Guarded::TraceMe));
            assert_eq!(of(ptrace, [0x4206, 7, 0], compat32), Some(Guarded::Trace { target: 7 }));
            assert_eq!(of(ptrace, [7, 7, 0], compat32), None, "PTRACE_CONT");
            assert_eq!(of(9, [0, 0, 0], compat32), None);
        }
        assert!(is_strict(3, true) && !is_strict(200, false));
    }
}
