//! One run of a program that works and then stays.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use lab::design::time_budget::exactly;
use results::compare::ProgramSample;
use sys::proc::proportional_bytes;
use sys::proc::task::{descendants_of, listed_descendants_of, program_name, reaped_cpu};
use sys::usage::cpu_of;

use super::begun::{Begun, Seen};
use super::once::Ran;

/// How often to look whether the program works.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A program that has not worked for this long has done its work.
const QUIET: Duration = Duration::from_millis(500);
/// A program that uses less than this share of a processor does not work: one that stays may still
/// wake up for its timers.
const IDLE_SHARE: f64 = 0.01;

/// Waits until a program that has begun has done its work, and for `settle` after that; reads its
/// memory, and ends it.
///
/// # Errors
/// Why the run failed.
pub(super) fn stay(mut begun: Begun<'_>, settle: Duration) -> Result<Option<Ran>, String> {
    let ended = "it ended by itself, so there is nothing to settle: leave out --settle";
    let mut load = CpuUse::default();
    let mut worked = begun.began();
    let until = begun.launcher().until(begun.began());
    loop {
        let next = Instant::now() + LOOK_EVERY;
        let now = match begun.wait(None, Some(until.map_or(next, |until| until.min(next))))? {
            Seen::Interrupted => return Ok(None),
            Seen::Program | Seen::Other => return Err(begun.failed().unwrap_or(ended.to_owned())),
            Seen::TooLate => Instant::now(),
        };
        // The first look is at its start, which is work.
        if load.works(&begun, now) || worked == begun.began() {
            worked = now;
        } else if now - worked >= QUIET {
            break;
        }
        if until.is_some_and(|until| now >= until) {
            let patience = exactly(begun.launcher().patience.unwrap_or_default());
            return Err(format!(
                "it still worked after {patience} and was killed: --settle waits for an end of its \
                 work, half a second with less than 1 % of a processor; a longer --timeout gives \
                 it more time"
            ));
        }
    }
    let wall = worked - begun.began();
    match begun.wait(None, Some(worked + settle.max(QUIET)))? {
        Seen::Interrupted => return Ok(None),
        Seen::Program | Seen::Other => return Err(begun.failed().unwrap_or(ended.to_owned())),
        Seen::TooLate => {}
    }
    let settled_rss_bytes = Some(settled_bytes(&begun)?);
    if !begun.stop()? {
        return Ok(None);
    }
    let ran = begun.finish(wall)?;
    Ok(Some(Ran { sample: ProgramSample { settled_rss_bytes, ..ran.sample }, ..ran }))
}

/// The processor time of a program and of all that it started.
#[derive(Debug, Default)]
struct CpuUse {
    used: Duration,
    seen: Option<Instant>,
}

impl CpuUse {
    /// Whether the program has worked since the last look. A process that has gone has worked: the
    /// sum becomes smaller, unless its parent has waited for it.
    fn works(&mut self, begun: &Begun, now: Instant) -> bool {
        let of = |pid: u32| Some(cpu_of(pid)? + reaped_cpu(pid)?);
        let all = listed_descendants_of(std::process::id());
        let used: Duration =
            all.into_iter().filter(|pid| !begun.is_other(*pid)).filter_map(of).sum();
        let time = self.seen.map_or(Duration::ZERO, |seen| now - seen);
        let works = used.abs_diff(self.used) > time.mul_f64(IDLE_SHARE);
        (self.used, self.seen) = (used, Some(now));
        works
    }
}

/// The memory of the program and of all that it started, in bytes.
///
/// # Errors
/// This user may not read that of a process.
pub(super) fn settled_bytes(begun: &Begun) -> Result<u64, String> {
    let mut sum = 0;
    let all = descendants_of(std::process::id());
    for pid in all.into_iter().filter(|pid| !begun.is_other(*pid)) {
        match proportional_bytes(pid) {
            Ok(bytes) => sum += bytes,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                let name = program_name(pid).unwrap_or_default();
                return Err(format!(
                    "its settled memory cannot be read: that of the process {} is hidden from \
                     this user",
                    String::from_utf8_lossy(&name)
                ));
            }
            Err(_) => {} // it has just ended
        }
    }
    if sum == 0 {
        return Err("its settled memory cannot be read: /proc shows none".to_owned());
    }
    Ok(sum)
}
