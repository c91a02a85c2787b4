//! One run of the program, from its start to its end.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

use results::compare::ProgramSample;
use sys::interrupt::Interrupt;
use sys::launch::{Capture, Program, Setup, Started, Woken, first_to_end};
use sys::orphans::{Orphan, Orphans};
use sys::process::WaitStatus;
use sys::usage::Usage;

use crate::arm::PreparedArm;
use crate::request::Way;

/// The environment variable that carries padding. The size of the environment shifts the start of a
/// process's stack, and with it alignments (Mytkowicz et al. 2009): this factor is randomised, not
/// fixed.
pub(crate) const PADDING: &str = "FIRSTTOUCH_PADDING";
/// The time that processes which the program leaves behind get to end.
const GRACE: Duration = Duration::from_secs(1);
/// The time that a shell of `--prepare` or `--cleanup` may take.
const SHELL_PATIENCE: Duration = Duration::from_hours(1);

/// Starts programs and waits for their ends.
#[derive(Debug)]
pub(crate) struct Launcher<'a> {
    pub(crate) way: &'a Way,
    pub(crate) interrupt: Interrupt,
    pub(crate) orphans: Orphans,
    /// A run that takes longer is killed.
    pub(crate) patience: Option<Duration>,
}

/// A run that went well.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Its figures, without block and position.
    pub(crate) sample: ProgramSample,
    /// What it wrote to standard output, if that is compared.
    pub(crate) output: Option<Vec<u8>>,
    /// The processor time of it and of all that belonged to the run.
    pub(crate) cpu: Duration,
    /// The processes that it left behind and that did not end by themselves.
    pub(crate) left: Vec<Orphan>,
}

impl Launcher<'_> {
    /// Runs `arm` once, with `padding` in its environment; `None` if the user interrupted it.
    ///
    /// # Errors
    /// Why the run failed. Nothing of it is left running in any case.
    pub(crate) fn run(&self, arm: &PreparedArm, padding: &str) -> Result<Option<Ran>, String> {
        let Some(before) = self.prepare(arm)? else { return Ok(None) };
        let ran = self.program(arm, padding);
        let Some(after) = self.clean_up(arm)? else { return Ok(None) };
        Ok(ran?.map(|ran| Ran { cpu: ran.cpu + before + after, ..ran }))
    }

    /// Does what the user wants done before each run of `arm`. Returns the processor time of that;
    /// `None` if the user interrupted it.
    ///
    /// # Errors
    /// Why it failed.
    pub(crate) fn prepare(&self, arm: &PreparedArm) -> Result<Option<Duration>, String> {
        self.shell(self.way.prepare.as_deref(), "--prepare", arm)
    }

    /// As [`Self::prepare`], after each run.
    ///
    /// # Errors
    /// Why it failed.
    pub(crate) fn clean_up(&self, arm: &PreparedArm) -> Result<Option<Duration>, String> {
        self.shell(self.way.cleanup.as_deref(), "--cleanup", arm)
    }

    fn program(&self, arm: &PreparedArm, padding: &str) -> Result<Option<Ran>, String> {
        let capture = Capture::new().map_err(|errno| format!("cannot keep its output: {errno}"))?;
        let program = self.prepared(arm, padding, &capture)?;
        let waiting = program
            .start(self.setup(arm))
            .map_err(|errno| format!("cannot start a process: {errno}"))?;
        let began = Instant::now();
        let mut running = waiting.go().map_err(|errno| format!("cannot execute it: {errno}"))?;
        let woken = first_to_end(&[&running], self.interrupt, self.until(began));
        let wall = began.elapsed();
        let woken = match woken {
            Ok(woken) => woken,
            Err(errno) => {
                self.end(running);
                return Err(format!("cannot wait for it (pidfd_open: {errno})"));
            }
        };
        match woken {
            Woken::Ended(_) => {}
            Woken::Interrupted => {
                self.end(running);
                return Ok(None);
            }
            Woken::TooLate => {
                self.end(running);
                return Err(self.too_late());
            }
        }
        let ending = running.wait().map_err(|errno| format!("cannot wait for it: {errno}"))?;
        let left = self.orphans.end(&[], GRACE);
        let errors = capture.errors().unwrap_or_default();
        if let Some(failure) = self.failure(ending, &errors) {
            return Err(failure);
        }
        let usage = running.usage().unwrap_or_default();
        let output = self.way.same_output.then(|| capture.output()).transpose();
        let output = output.map_err(|error| format!("cannot read its output: {error}"))?;
        Ok(Some(Ran { sample: sample(wall, &usage, ending), output, cpu: usage.cpu, left }))
    }

    /// The program of `arm` with its environment and its streams.
    pub(crate) fn prepared(
        &self,
        arm: &PreparedArm,
        padding: &str,
        capture: &Capture,
    ) -> Result<Program, String> {
        let mut variables = arm.variables.clone();
        variables.push((PADDING.into(), Some(padding.into())));
        let program = find(arm, self.way.shell)?.with_variables(variables).errors_captured(capture);
        let program = if self.way.same_output { program.captured(capture) } else { program };
        match &self.way.stdin {
            Some(path) => {
                let file = File::open(path)
                    .map_err(|error| format!("cannot open {}: {error}", path.display()))?;
                Ok(program.with_input(file))
            }
            None => Ok(program),
        }
    }

    pub(crate) fn setup(&self, arm: &PreparedArm) -> Setup {
        Setup {
            addresses: self.way.addresses,
            discard_output: !self.way.same_output,
            no_input: self.way.stdin.is_none(),
            own_session: true,
            no_huge_pages: arm.huge_pages_off,
            nice: self.way.nice,
            ..Setup::default()
        }
    }

    fn until(&self, began: Instant) -> Option<Instant> {
        self.patience.map(|patience| began + patience)
    }

    /// Kills `running` and all that it started.
    fn end(&self, running: Started) {
        running.kill_group();
        drop(running);
        self.end_all_left();
    }

    /// Ends what a program left behind, at once.
    pub(crate) fn end_all_left(&self) {
        let _ = self.orphans.end(&[], Duration::ZERO);
    }

    /// Why a run failed that did not end in time.
    pub(crate) fn too_late(&self) -> String {
        format!(
            "it did not end within {} and was killed: a program that stays needs --load or \
             --settle, and a slow one a longer --timeout",
            lab::design::time_budget::exactly(self.patience.unwrap_or_default())
        )
    }

    /// Why `ending` is not that of a run that went well.
    pub(crate) fn failure(&self, ending: WaitStatus, errors: &[u8]) -> Option<String> {
        let how = match ending {
            WaitStatus::Exited(0) => return None,
            _ if self.way.ignore_failure => return None,
            WaitStatus::Exited(status) => format!("it exited with status {status}"),
            WaitStatus::Killed(signal) => {
                format!("it was killed by {}", sys::interrupt::name(signal))
            }
        };
        let said = last_line(errors).map(|line| format!(": {line}")).unwrap_or_default();
        let hint = match ending {
            WaitStatus::Exited(_) => " (--ignore-failure counts such runs)",
            WaitStatus::Killed(_) => "",
        };
        Some(format!("{how}{said}{hint}"))
    }

    /// Runs `line`, if there is one, by a shell.
    fn shell(
        &self,
        line: Option<&str>,
        option: &str,
        arm: &PreparedArm,
    ) -> Result<Option<Duration>, String> {
        let Some(line) = line else { return Ok(Some(Duration::ZERO)) };
        let mut command = Command::new("sh");
        command.args(["-c", line]).env("FIRSTTOUCH_ARM", &arm.name);
        let finished = sys::process::run(&mut command, self.interrupt, Some(SHELL_PATIENCE));
        let Some(finished) = finished.map_err(|error| format!("{option} {line:?}: {error}"))?
        else {
            return Ok(None);
        };
        match finished.ending {
            WaitStatus::Exited(0) => Ok(Some(finished.usage.cpu)),
            WaitStatus::Exited(status) => Err(format!(
                "{option} {line:?} exited with status {status}{}",
                last_line(&finished.stderr).map(|line| format!(": {line}")).unwrap_or_default()
            )),
            WaitStatus::Killed(signal) => {
                Err(format!("{option} {line:?} was killed by {}", sys::interrupt::name(signal)))
            }
        }
    }
}

/// The program of `arm`.
///
/// # Errors
/// Why it cannot be run.
pub(crate) fn find(arm: &PreparedArm, shell: bool) -> Result<Program, String> {
    let command: Vec<OsString> = if shell {
        let line = arm.command.join(&OsString::from(" "));
        vec!["sh".into(), "-c".into(), line]
    } else {
        arm.command.clone()
    };
    Program::find(&command).map_err(|unfit| unfit.to_string())
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

pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The last line that says something.
fn last_line(text: &[u8]) -> Option<String> {
    const LONGEST: usize = 200;
    let text = String::from_utf8_lossy(text);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().take(LONGEST).collect())
}

/// Whether `error` says that a file is missing: of `--stdin` before anything runs.
pub(crate) fn check_input(way: &Way) -> io::Result<()> {
    way.stdin.as_ref().map_or(Ok(()), |path| File::open(path).map(drop))
}
