//! A run of the program that has begun.

use std::time::{Duration, Instant};

use lab::nanoseconds;
use results::compare::ProgramSample;
use sys::cgroup::peak::PeakGroup;
use sys::launch::{Capture, Started, Woken, first_to_end, not_executed};
use sys::orphans::Orphan;
use sys::process::WaitStatus;
use sys::usage::Usage;

use super::line::is_of_a_line;
use super::once::{Launcher, Look, Ran};
use super::{COUNTED, how, last_line, told};
use crate::arm::PreparedArm;
use crate::proof;

/// The time that processes which the program leaves behind get to end.
const GRACE: Duration = Duration::from_secs(1);
/// The time that a program which stays gets to end when it is asked to.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// So much of the end of standard error is read: its last line is told.
const ERRORS_BYTES: u64 = 8 << 10;
/// The status of a program that handles SIGTERM and exits as a shell reports it: 128 + 15. Java
/// does.
const TERMINATED: i32 = 128 + SIGTERM;
const SIGTERM: i32 = 15;

/// A run that has begun. Nothing of it is left running when this is dropped.
#[derive(Debug)]
pub(super) struct Begun<'a> {
    launcher: &'a Launcher<'a>,
    process: Started,
    capture: Capture,
    group: Option<PeakGroup>,
    began: Instant,
    asked: Asked,
    /// What it had left behind when it was asked to end and ended.
    left: Vec<Orphan>,
    /// Children of this process that are not its own: what --prepare left running.
    others: Vec<u32>,
    /// All that belonged to it has ended and was reaped.
    over: bool,
}

/// Whether the program was asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    No,
    ToEnd,
    /// It did not, and was killed.
    InVain,
}

/// What [`Begun::wait`] saw first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// The process beside the program has ended.
    Other,
    /// The program has ended.
    Program,
    Interrupted,
    TooLate,
}

impl<'a> Begun<'a> {
    /// Starts `arm`.
    ///
    /// # Errors
    /// Why it cannot be started.
    pub(super) fn start(
        launcher: &'a Launcher<'a>,
        arm: &PreparedArm,
        padding: &str,
    ) -> Result<Self, String> {
        let capture = Capture::new().map_err(|errno| format!("cannot keep its output: {errno}"))?;
        let program = launcher.prepared(arm, padding, &capture)?;
        let made = launcher.groups.map(sys::cgroup::peak::PeakGroups::make).transpose();
        let group = made.map_err(|error| format!("cannot make a group for it: {error}"))?;
        let waiting = program
            .start(launcher.setup(arm))
            .map_err(|errno| format!("cannot start a process: {errno}"))?;
        if let Some(group) = &group {
            let added = group.add(waiting.pid());
            added.map_err(|error| format!("cannot move it into a group of its own: {error}"))?;
        }
        let others = match &launcher.way.prepare {
            Some(_) => launcher.orphans.present(&[waiting.pid()]),
            None => Vec::new(), // no look through /proc just before the program starts
        };
        let others = others.into_iter().map(|one| one.pid).collect();
        let began = Instant::now();
        let process = waiting.go().map_err(not_executed)?;
        let (asked, left) = (Asked::No, Vec::new());
        let over = false;
        Ok(Begun { launcher, process, capture, group, began, asked, left, others, over })
    }

    /// The start of the program.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// Whether the process `pid`, a descendant of this one, belongs to a line of the user's and not
    /// to the program.
    pub(super) fn is_other(&self, pid: u32) -> bool {
        self.others.contains(&pid) || is_of_a_line(pid)
    }

    /// Reaps what a line left behind and that has ended.
    pub(super) fn forget_other_children(&self) {
        let _ = self.launcher.orphans.present(&[self.process.pid()]);
    }

    pub(super) fn launcher(&self) -> &'a Launcher<'a> {
        self.launcher
    }

    /// Sleeps until `other` ends, if there is one, or the program does, or the user asks for an
    /// end, or `until` has come.
    ///
    /// # Errors
    /// This process cannot wait.
    pub(super) fn wait(
        &self,
        other: Option<&Started>,
        until: Option<Instant>,
    ) -> Result<Seen, String> {
        let watched: Vec<&Started> = other.into_iter().chain([&self.process]).collect();
        match first_to_end(&watched, self.launcher.interrupt, until) {
            Ok(Woken::Ended(0)) if other.is_some() => Ok(Seen::Other),
            Ok(Woken::Ended(_)) => Ok(Seen::Program),
            Ok(Woken::Interrupted) => Ok(Seen::Interrupted),
            Ok(Woken::TooLate) => Ok(Seen::TooLate),
            Err(errno) => Err(format!("cannot wait for it (pidfd_open: {errno})")),
        }
    }

    /// How a program that should have served ended, and its last words.
    pub(super) fn how_it_ended(mut self) -> String {
        let ending = self.process.wait();
        let said = last_line(&self.capture.end_of_errors(ERRORS_BYTES).unwrap_or_default());
        let is_silent = said.is_none();
        let said = said.map(|line| format!(": {line}")).unwrap_or_default();
        match ending {
            Ok(WaitStatus::Exited(0)) => format!(
                "it exited with status 0{said}: a program that serves must stay in the foreground"
            ),
            Ok(ending) if is_silent => format!(
                "it {} and wrote nothing to standard error; its standard output is not kept: start \
                 it by itself to see why",
                how(ending)
            ),
            Ok(ending) => format!("it {}{said}", how(ending)),
            Err(errno) => format!("it ended, and cannot be waited for: {errno}"),
        }
    }

    /// Why a program that has ended did not do so well; `None` if it did.
    pub(super) fn failed(mut self) -> Option<String> {
        let ending = self.process.wait().ok()?;
        let errors = self.capture.end_of_errors(ERRORS_BYTES).unwrap_or_default();
        self.failure(ending, &errors)
    }

    /// Asks a program that stays to end, and kills it if it does not. `false`: the user
    /// interrupted that.
    ///
    /// Only the program itself is asked first, so that it can end what it started and wait for
    /// that: the figures of processes that it does not wait for are lost.
    ///
    /// # Errors
    /// This process cannot wait.
    pub(super) fn stop(&mut self) -> Result<bool, String> {
        let mut looked_at = self.launcher.looked_at.borrow_mut();
        if matches!(*looked_at, Look::Wanted) {
            let picture = proof::of_process(self.process.pid(), self.launcher.interrupt)?;
            *looked_at = Look::Taken(Box::new(picture));
        }
        drop(looked_at);
        self.asked = Asked::ToEnd;
        self.process.terminate();
        match self.wait(None, Some(Instant::now() + STOP_PATIENCE))? {
            Seen::Interrupted => return Ok(false),
            Seen::Program | Seen::Other => {}
            Seen::TooLate => {
                self.asked = Asked::InVain;
                self.process.kill_group();
            }
        }
        let present = self.launcher.orphans.present(&[self.process.pid()]);
        let (others, left): (Vec<Orphan>, _) =
            present.into_iter().partition(|one| self.is_other(one.pid));
        self.left = left;
        self.others.extend(others.iter().map(|one| one.pid));
        self.process.terminate_group();
        Ok(true)
    }

    /// Reaps the program, which has ended or was killed, and what it leaves behind.
    ///
    /// # Errors
    /// Why the run does not count.
    pub(super) fn finish(mut self, wall: Duration) -> Result<Ran, String> {
        let ended = self.process.wait();
        let ending = ended.map_err(|errno| format!("cannot wait for it: {errno}"))?;
        let killed = self.launcher.orphans.end(GRACE, |pid| self.is_other(pid));
        self.over = true;
        let mut left = std::mem::take(&mut self.left);
        left.extend(killed);
        left.sort_by_key(|one| one.pid);
        left.dedup_by_key(|one| one.pid);
        let errors = self.capture.end_of_errors(ERRORS_BYTES).unwrap_or_default();
        if let Some(failure) = self.failure(ending, &errors) {
            return Err(failure);
        }
        let figure = self.launcher.own_figure(&self.capture)?;
        let peak = self.group.as_ref().map(PeakGroup::peak_bytes).transpose();
        let tree_peak_bytes =
            peak.map_err(|error| format!("cannot read the peak of its group: {error}"))?;
        let usage = self.process.usage().unwrap_or_default();
        let sample = ProgramSample { tree_peak_bytes, figure, ..sample(wall, &usage, ending) };
        let output = self.launcher.way.same_output.then(|| self.capture.clone());
        Ok(Ran { sample, output, cpu: usage.cpu, left })
    }

    /// Why `ending` is not that of a run that went well.
    fn failure(&self, ending: WaitStatus, errors: &[u8]) -> Option<String> {
        let is_well = match (self.asked, ending) {
            (_, WaitStatus::Exited(0)) => true,
            (Asked::ToEnd, WaitStatus::Killed(signal)) => signal == SIGTERM,
            (Asked::ToEnd, WaitStatus::Exited(status)) => status == TERMINATED,
            _ => false,
        };
        if is_well || self.launcher.way.ignore_failure {
            return None;
        }
        if self.asked == Asked::InVain {
            return Some(format!(
                "it did not end within {} s of SIGTERM and was killed{COUNTED}",
                STOP_PATIENCE.as_secs()
            ));
        }
        let when = if self.asked == Asked::No { "" } else { " when it was asked to end" };
        Some(format!("it {}", told(ending, when, errors)))
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        self.process.kill_group();
        let _ = self.process.wait();
        let _ = self.launcher.orphans.end(Duration::ZERO, |_| false);
    }
}

fn sample(wall: Duration, usage: &Usage, ending: WaitStatus) -> ProgramSample {
    let (exit_code, signal) = match ending {
        WaitStatus::Exited(status) => (Some(status), None),
        WaitStatus::Killed(signal) => (None, Some(signal)),
    };
    ProgramSample {
        wall_ns: nanoseconds(wall),
        user_ns: nanoseconds(usage.user),
        sys_ns: nanoseconds(usage.system()),
        max_rss_bytes: usage.max_rss_bytes,
        minor_faults: usage.minor_faults,
        major_faults: usage.major_faults,
        involuntary_switches: usage.involuntary_switches,
        exit_code,
        signal,
        ..ProgramSample::default()
    }
}
