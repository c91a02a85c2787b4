//! A filter that stops a traced program at some of its syscalls and lets all others through at full
//! speed (seccomp(2), `SECCOMP_RET_TRACE`).
//!
//! Safety story: the program is plain data that the kernel checks and copies; installing it affects
//! the calling process and its descendants only, and cannot be undone.
#![allow(unsafe_code)]

use crate::Errno;

/// Values of `AUDIT_ARCH_*` in include/uapi/linux/audit.h.
#[cfg(target_arch = "x86_64")]
pub(crate) const NATIVE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
pub(crate) const NATIVE: u32 = 0xc000_00b7;
/// The offsets of the number and the architecture in struct `seccomp_data`.
const NUMBER_AT: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;

/// A seccomp BPF program.
#[derive(Debug, Clone)]
pub struct Filter(Vec<libc::sock_filter>);

impl Filter {
    /// Stops at syscalls with a number in one of `ranges` (both ends included, ascending), made in
    /// the native mode; 32-bit calls have other numbers. All other syscalls are allowed by a
    /// constant result, which the kernel caches for each number (`seccomp_cache_check_allow`), so
    /// that they cost next to nothing.
    ///
    /// # Panics
    /// With more than 120 ranges: a jump reaches 255 instructions.
    #[must_use]
    pub fn stop_at(ranges: &[(u32, u32)]) -> Self {
        assert!(ranges.len() <= 120, "a jump reaches 255 instructions");
        let load = |at| instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, at, 0, 0);
        let jump =
            |how, value, yes, no| instruction(libc::BPF_JMP | how | libc::BPF_K, value, yes, no);
        let answer = |value| instruction(libc::BPF_RET | libc::BPF_K, value, 0, 0);
        let mut program = vec![load(ARCHITECTURE_AT), jump(libc::BPF_JEQ, NATIVE, 1, 0)];
        program.push(answer(libc::SECCOMP_RET_ALLOW));
        program.push(load(NUMBER_AT));
        // For each range: a number below its first is allowed; one up to its last is a hit. The two
        // results are at the end.
        for (index, &(first, last)) in ranges.iter().enumerate() {
            let left = u8::try_from(2 * (ranges.len() - index - 1)).unwrap_or(u8::MAX);
            program.push(jump(libc::BPF_JGE, first, 0, left + 1));
            program.push(jump(libc::BPF_JGT, last, 0, left + 1));
        }
        program.push(answer(libc::SECCOMP_RET_ALLOW));
        program.push(answer(libc::SECCOMP_RET_TRACE));
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

fn instruction(code: u32, value: u32, yes: u8, no: u8) -> libc::sock_filter {
    libc::sock_filter { code: u16::try_from(code).unwrap_or(0), jt: yes, jf: no, k: value }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Interprets the instructions that are used here, as the kernel would.
    fn answer(filter: &Filter, architecture: u32, number: u32) -> u32 {
        let (mut at, mut value) = (0, 0);
        loop {
            let instruction = filter.0[at];
            let code = u32::from(instruction.code);
            at += 1;
            match code & 7 {
                libc::BPF_LD => {
                    value = if instruction.k == ARCHITECTURE_AT { architecture } else { number }
                }
                libc::BPF_RET => return instruction.k,
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
        let filter = Filter::stop_at(&ranges);
        for number in 0..600 {
            let hit = ranges.iter().any(|&(first, last)| (first..=last).contains(&number));
            let expected = if hit { libc::SECCOMP_RET_TRACE } else { libc::SECCOMP_RET_ALLOW };
            assert_eq!(answer(&filter, NATIVE, number), expected, "syscall {number}");
            assert_eq!(
                answer(&filter, 0x4000_0003, number),
                libc::SECCOMP_RET_ALLOW,
                "32-bit {number}"
            );
        }
    }
}
