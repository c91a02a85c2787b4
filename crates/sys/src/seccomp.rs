//! A filter that stops a traced program at some of its syscalls and lets all others through at full
//! speed (seccomp(2), `SECCOMP_RET_TRACE`).
//!
//! Safety story: the program is plain data that the kernel checks and copies; installing it affects
//! the calling process and its descendants only, and cannot be undone.
#![allow(unsafe_code)]

use crate::Errno;
use crate::ptrace::guarded::CALLS;

/// Values of `AUDIT_ARCH_*` in include/uapi/linux/audit.h.
#[cfg(target_arch = "x86_64")]
pub(crate) const NATIVE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
pub(crate) const NATIVE: u32 = 0xc000_00b7;
/// The offsets of the number and the architecture in struct `seccomp_data`.
const NUMBER_AT: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;

/// `AUDIT_ARCH_I386`: a syscall in 32-bit mode on x86.
const I386: u32 = 0x4000_0003;
/// The offset of the lower half of the first argument.
const FIRST_ARGUMENT_AT: u32 = 16;

/// The data of our filter's stops (`SECCOMP_RET_DATA`), which distinguishes them from those of a
/// filter of the program.
pub(crate) const STOP_DATA: u32 = 0x6674;

/// A seccomp BPF program.
#[derive(Debug, Clone)]
pub struct Filter(Vec<libc::sock_filter>);

impl Filter {
    /// Stops at syscalls with a number in one of `ranges` (both ends included, ascending), in
    /// 32-bit mode in one of `narrow_ranges`, and at those that concern the tracer
    /// ([`crate::ptrace::Guarded`]). All other syscalls are allowed by a constant result, which the
    /// kernel caches for each number (`seccomp_cache_check_allow`), so that they cost next to
    /// nothing. Of the calls that concern the tracer, most arguments are allowed too.
    ///
    /// # Panics
    /// With more than 100 ranges: a jump reaches 255 instructions.
    #[must_use]
    pub fn stop_at(ranges: &[(u32, u32)], narrow_ranges: &[(u32, u32)]) -> Self {
        let native = mode(ranges, CALLS.map(|(number, _, values)| (number, values)));
        let narrow = mode(narrow_ranges, CALLS.map(|(_, number, values)| (number, values)));
        let mut program = vec![load(ARCHITECTURE_AT)];
        for (architecture, part) in [(NATIVE, native), (I386, narrow)] {
            let bytes = u32::try_from(part.len()).unwrap_or(u32::MAX);
            program.push(jump(libc::BPF_JEQ, architecture, 1, 0));
            program.push(jump(libc::BPF_JA, bytes, 0, 0));
            program.extend(part);
        }
        program.push(answer(libc::SECCOMP_RET_ALLOW));
        Filter(program)
    }

    /// Installs it in this process. Call it between fork and exec: it only makes system calls.
    /// Without `CAP_SYS_ADMIN` the process can no longer gain privileges at exec, which is also so
    /// when it is traced.
    ///
    /// # Errors
    /// EINVAL, ENOSYS: a kernel without filters. EACCES: forbidden.
    pub fn install(&self) -> Result<(), Errno> {
        let program = libc::sock_fprog {
            len: u16::try_from(self.0.len()).map_err(|_| Errno(libc::EINVAL))?,
            filter: self.0.as_ptr().cast_mut(),
        };
        let install = || {
            // SAFETY: the program and its instructions live through the call; the kernel only reads
            // them.
            unsafe {
                libc::syscall(
                    libc::SYS_seccomp,
                    libc::SECCOMP_SET_MODE_FILTER,
                    0,
                    &raw const program,
                )
            }
        };
        if install() == 0 {
            return Ok(());
        }
        if Errno::last().0 == libc::EACCES {
            // SAFETY: takes numbers only.
            unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
            if install() == 0 {
                return Ok(());
            }
        }
        Err(Errno::last())
    }
}

/// The answers to the calls of one mode.
fn mode(ranges: &[(u32, u32)], guarded: [(u32, &[u32]); 3]) -> Vec<libc::sock_filter> {
    assert!(ranges.len() <= 100, "a jump reaches 255 instructions");
    let mut program = vec![load(NUMBER_AT)];
    for (number, values) in guarded {
        // Another number skips this part: the load, the comparisons, and both answers.
        let count = u8::try_from(values.len()).unwrap_or(u8::MAX);
        program.push(jump(libc::BPF_JEQ, number, 0, count + 3));
        program.push(load(FIRST_ARGUMENT_AT));
        for (left, &value) in (1..=count).rev().zip(values) {
            program.push(jump(libc::BPF_JEQ, value, left, 0));
        }
        program.push(answer(libc::SECCOMP_RET_ALLOW));
        program.push(answer(libc::SECCOMP_RET_TRACE | STOP_DATA));
    }
    // For each range: a number below its first is allowed; one up to its last is a hit. The two
    // results are at the end.
    for (index, &(first, last)) in ranges.iter().enumerate() {
        let left = u8::try_from(2 * (ranges.len() - index - 1)).unwrap_or(u8::MAX);
        program.push(jump(libc::BPF_JGE, first, 0, left + 1));
        program.push(jump(libc::BPF_JGT, last, 0, left + 1));
    }
    program.push(answer(libc::SECCOMP_RET_ALLOW));
    program.push(answer(libc::SECCOMP_RET_TRACE | STOP_DATA));
    program
}

fn load(at: u32) -> libc::sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, at, 0, 0)
}

fn jump(how: u32, value: u32, yes: u8, no: u8) -> libc::sock_filter {
    instruction(libc::BPF_JMP | how | libc::BPF_K, value, yes, no)
}

fn answer(value: u32) -> libc::sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, value, 0, 0)
}

fn instruction(code: u32, value: u32, yes: u8, no: u8) -> libc::sock_filter {
    libc::sock_filter { code: u16::try_from(code).unwrap_or(0), jt: yes, jf: no, k: value }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Interprets the instructions that are used here, as the kernel would.
    fn result(filter: &Filter, architecture: u32, number: u32, argument: u32) -> u32 {
        let (mut at, mut value) = (0, 0);
        loop {
            let instruction = filter.0[at];
            let code = u32::from(instruction.code);
            at += 1;
            match code & 7 {
                libc::BPF_LD => {
                    value = match instruction.k {
                        ARCHITECTURE_AT => architecture,
                        FIRST_ARGUMENT_AT => argument,
                        _ => number,
                    }
                }
                libc::BPF_RET => return instruction.k,
                _ if code & 0xf0 == libc::BPF_JA => at += instruction.k as usize,
                _ => {
                    let holds = match code & 0xf0 {
                        libc::BPF_JEQ => value == instruction.k,
                        libc::BPF_JGT => value > instruction.k,
                        libc::BPF_JGE => value >= instruction.k,
                        other => panic!("jump {other:#x}"),
                    };
                    at += usize::from(if holds { instruction.jt } else { instruction.jf });
                }
            }
        }
    }

    #[test]
    fn it_stops_at_the_ranges_and_nowhere_else() {
        let ranges = [(9, 12), (25, 25), (27, 28), (447, 448)];
        let narrow_ranges = [(45, 45), (90, 91)];
        let filter = Filter::stop_at(&ranges, &narrow_ranges);
        let expected = |hit| {
            if hit { libc::SECCOMP_RET_TRACE | STOP_DATA } else { libc::SECCOMP_RET_ALLOW }
        };
        for (architecture, ranges) in
            [(NATIVE, &ranges[..]), (I386, &narrow_ranges), (0xc000_00f3, &[])]
        {
            for number in 0..600 {
                let hit = ranges.iter().any(|&(first, last)| (first..=last).contains(&number));
                let got = result(&filter, architecture, number, 7);
                assert_eq!(got, expected(hit), "syscall {number} of {architecture:#x}");
            }
        }
        for (native, narrow, values) in CALLS {
            for (architecture, number) in [(NATIVE, native), (I386, narrow)] {
                for value in (0..64).chain(0x4200..0x4220) {
                    let got = result(&filter, architecture, number, value);
                    assert_eq!(got, expected(values.contains(&value)), "{number}({value})");
                }
            }
        }
    }
}
