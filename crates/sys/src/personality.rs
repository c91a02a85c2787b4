//! Turns address space randomisation on or off for a program about to be started: personality(2).
//!
//! Safety story: between fork and exec the child only calls personality(2), twice, which takes no
//! pointer.
#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

const NO_RANDOMIZE: libc::c_ulong = libc::ADDR_NO_RANDOMIZE as libc::c_ulong;
/// The argument that queries the personality without changing it.
const ASK: libc::c_ulong = 0xffff_ffff;

/// The program of `command` will have its addresses randomised (if the kernel randomises at all),
/// or not. If the call is refused, for example by a container's seccomp filter, starting the
/// program fails with EPERM.
pub fn lay_out_at_random(command: &mut Command, random: bool) {
    // SAFETY: the closure only makes system calls.
    unsafe { command.pre_exec(move || set(random)) };
}

/// Sets the same for this process, from its next exec on. Only makes system calls.
pub(crate) fn set(random: bool) -> io::Result<()> {
    // SAFETY: only queries.
    let now = unsafe { libc::personality(ASK) };
    if now < 0 {
        return Err(io::Error::last_os_error());
    }
    let now = libc::c_ulong::from(now.cast_unsigned());
    let wanted = if random { now & !NO_RANDOMIZE } else { now | NO_RANDOMIZE };
    // SAFETY: takes no pointer. Not called if nothing would change, since even that may be refused.
    if wanted != now && unsafe { libc::personality(wanted) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
