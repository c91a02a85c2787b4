//! A line of the user's, run by a shell.

use std::time::{Duration, Instant};

use lab::design::time_budget::exactly;
use sys::interrupt::Interrupt;
use sys::launch::{Capture, Program, Setup, Started, Woken, first_to_end};
use sys::proc::task::has_variable;
use sys::process::WaitStatus;

use super::{how, last_line};
use crate::arm::PreparedArm;

/// The variable that has the name of the arm in the environment of every line, and of nothing else
/// that is run: by it the processes of lines are told from those of the program.
pub(super) const ARM: &str = "FIRSTTOUCH_ARM";

/// A line of the user's that a shell runs, before, beside or after the program. It, and what it
/// started in its process group, are killed when this is dropped.
#[derive(Debug)]
pub(super) struct Line {
    process: Started,
    capture: Capture,
    began: Instant,
}

/// A line that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    ending: WaitStatus,
    pub(super) cpu: Duration,
    pub(super) output: Vec<u8>,
    errors: Vec<u8>,
}

impl Line {
    /// Starts `line` of `option`.
    pub(super) fn start(option: &str, line: &str, arm: &PreparedArm) -> Result<Self, String> {
        let failed = |why: String| format!("{option} {line:?}: {why}");
        let capture = Capture::new().map_err(|errno| failed(errno.to_string()))?;
        let shell = Program::find(&["sh".into(), "-c".into(), line.into()])
            .map_err(|unfit| failed(unfit.to_string()))?
            .with_variables(vec![(ARM.into(), Some(arm.name.clone().into()))])
            .captured(&capture);
        let setup = Setup { own_session: true, dies_with_parent: true, ..Setup::default() };
        let waiting = shell.start(setup).map_err(|errno| failed(errno.to_string()))?;
        // A short line may have ended before this process runs again.
        let began = Instant::now();
        let process = waiting.go().map_err(|errno| failed(errno.to_string()))?;
        Ok(Line { process, capture, began })
    }

    pub(super) fn process(&self) -> &Started {
        &self.process
    }

    /// Its start.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// Waits for its end, up to `patience`; `None` if the user interrupted it.
    ///
    /// # Errors
    /// It did not end in time.
    pub(super) fn wait(
        &self,
        interrupt: Interrupt,
        patience: Duration,
    ) -> Result<Option<()>, String> {
        match first_to_end(&[&self.process], interrupt, Some(self.began + patience)) {
            Ok(Woken::Ended(_)) => Ok(Some(())),
            Ok(Woken::Interrupted) => Ok(None),
            Ok(Woken::TooLate) => Err(too_late(patience)),
            Err(errno) => Err(format!("cannot wait for it (pidfd_open: {errno})")),
        }
    }

    /// As [`Self::wait`], but a request to end only shortens the wait to `last`.
    ///
    /// # Errors
    /// It did not end in time.
    pub(super) fn wait_for_end(
        &mut self,
        interrupt: Interrupt,
        [patience, last]: [Duration; 2],
    ) -> Result<(), String> {
        if self.wait(interrupt, patience)?.is_some() {
            return Ok(());
        }
        let ended = self.process.ended_within(patience.min(last));
        match ended.map_err(|errno| format!("cannot wait for it: {errno}"))? {
            Some(_) => Ok(()),
            None => Err(too_late(patience.min(last))),
        }
    }

    /// The last line that it has written so far.
    pub(super) fn last_words(&self) -> Option<String> {
        let errors = self.capture.errors().unwrap_or_default();
        last_line(&errors).or_else(|| last_line(&self.capture.output().unwrap_or_default()))
    }

    /// Reaps a line that has ended, and kills what it left in its process group.
    pub(super) fn finish(self) -> Result<Ended, String> {
        self.process.kill_group();
        self.finish_alone()
    }

    /// Reaps a line that has ended. What it left runs on.
    pub(super) fn finish_alone(mut self) -> Result<Ended, String> {
        let ending =
            self.process.wait().map_err(|errno| format!("cannot wait for a shell: {errno}"))?;
        let read = |read: std::io::Result<Vec<u8>>| {
            read.map_err(|error| format!("cannot read the output of a shell: {error}"))
        };
        Ok(Ended {
            ending,
            cpu: self.process.usage().unwrap_or_default().cpu,
            output: read(self.capture.output())?,
            errors: read(self.capture.errors())?,
        })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.process.kill_group();
    }
}

impl Ended {
    /// How it failed, after its name, and its last words; `None` if it did not.
    pub(super) fn failure(&self) -> Option<String> {
        if self.ending == WaitStatus::Exited(0) {
            return None;
        }
        let said = last_line(&self.errors).or_else(|| last_line(&self.output));
        let said = said.map(|line| format!(": {line}")).unwrap_or_default();
        Some(format!("{}{said}", how(self.ending)))
    }
}

fn too_late(patience: Duration) -> String {
    format!("it did not end within {} and was killed", exactly(patience))
}

/// Whether the process `pid` belongs to a line, as far as can be seen: one that has another
/// environment, or has ended, seems not to.
pub(super) fn is_of_a_line(pid: u32) -> bool {
    has_variable(pid, ARM)
}
