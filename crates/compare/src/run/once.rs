//! One run of the program, from its start to its end.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::time::{Duration, Instant};

use lab::design::time_budget::exactly;
use lab::run::children::PADDING;
use results::compare::ProgramSample;
use sys::cgroup::peak::PeakGroups;
use sys::interrupt::Interrupt;
use sys::launch::{Capture, Program, Setup};
use sys::orphans::{Orphan, Orphans};
use sys::process::WaitStatus;

use super::begun::{Begun, Seen};
use super::line::{ARM, Ended, Line};
use super::server::serve;
use super::stay::stay;
use super::told;
use crate::arm::PreparedArm;
use crate::figure::FigurePattern;
use crate::proof::Picture;
use crate::request::Way;

/// The time that a shell of `--prepare` or `--cleanup` may take.
const SHELL_PATIENCE: Duration = Duration::from_hours(1);
/// The time that `--cleanup` may take when the user has asked for an end.
const LAST_PATIENCE: Duration = Duration::from_secs(10);

/// Starts programs and waits for their ends.
#[derive(Debug)]
pub(crate) struct Launcher<'a> {
    pub(crate) way: &'a Way,
    pub(crate) interrupt: Interrupt,
    pub(crate) orphans: Orphans,
    /// A run that takes longer is killed.
    pub(crate) patience: Option<Duration>,
    /// Finds a figure in what the program or its client prints.
    pub(crate) figure: Option<&'a FigurePattern>,
    /// Where each run gets a group that counts its memory.
    pub(crate) groups: Option<&'a PeakGroups>,
    /// Where a program that stays is looked at before it is asked to end, if that is wanted.
    pub(crate) looked_at: RefCell<Look>,
}

/// A look at a program that stays.
#[derive(Debug, Default)]
pub(crate) enum Look {
    #[default]
    Unwanted,
    Wanted,
    Taken(Box<Picture>),
}

/// A run that went well.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Its figures, without block and position.
    pub(crate) sample: ProgramSample,
    /// What it wrote to standard output, if that is compared.
    pub(crate) output: Option<Capture>,
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
        let (ran, around) = self.between(arm, || self.program(arm, padding))?;
        Ok(ran.map(|ran| Ran { cpu: ran.cpu + around, ..ran }))
    }

    /// Does `work` after what the user wants done before each run of `arm`, and before what is to
    /// be done after each. The latter is done however the others end, so that nothing they made is
    /// left. Returns the processor time of both.
    ///
    /// # Errors
    /// The first that fails.
    pub(crate) fn between<T>(
        &self,
        arm: &PreparedArm,
        work: impl FnOnce() -> Result<Option<T>, String>,
    ) -> Result<(Option<T>, Duration), String> {
        if self.interrupt.received().is_some() {
            return Ok((None, Duration::ZERO));
        }
        let worked = match self.prepare(arm) {
            Ok(Some(before)) => work().map(|done| (done, before)),
            Ok(None) => Ok((None, Duration::ZERO)),
            Err(reason) => Err(reason),
        };
        let cleaned = self.clean_up(arm);
        self.end_all_left();
        let (done, before) = worked?;
        Ok((done, before + cleaned?))
    }

    /// Does what the user wants done before each run of `arm`. Returns the processor time of that;
    /// `None` if the user interrupted it.
    fn prepare(&self, arm: &PreparedArm) -> Result<Option<Duration>, String> {
        let Some(line) = &self.way.prepare else { return Ok(Some(Duration::ZERO)) };
        let failed = |why: String| format!("--prepare {line:?}: {why}");
        let running = Line::start("--prepare", line, arm)?;
        if running.wait(self.interrupt, self.shell_patience()).map_err(failed)?.is_none() {
            return Ok(None);
        }
        // The program may need what it has started.
        went_well(&running.finish_alone()?, "--prepare", line).map(Some)
    }

    /// As [`Self::prepare`], after each run. The user's request to end lets it go on, for a while.
    fn clean_up(&self, arm: &PreparedArm) -> Result<Duration, String> {
        let Some(line) = &self.way.cleanup else { return Ok(Duration::ZERO) };
        let failed = |why: String| format!("--cleanup {line:?}: {why}");
        let mut running = Line::start("--cleanup", line, arm)?;
        let patience = [self.shell_patience(), LAST_PATIENCE];
        running.wait_for_end(self.interrupt, patience).map_err(failed)?;
        went_well(&running.finish()?, "--cleanup", line)
    }

    /// Whether the program does not end by itself.
    pub(crate) fn stays(&self) -> bool {
        self.way.load.is_some() || self.way.settle.is_some()
    }

    /// Ends what a program left behind, at once.
    pub(crate) fn end_all_left(&self) {
        let _ = self.orphans.end(Duration::ZERO, |_| false);
    }

    /// Why a run failed that did not end in time.
    pub(crate) fn too_late(&self) -> String {
        format!(
            "it did not end within {} and was killed: a program that stays needs --load or \
             --settle, and a slow one a longer --timeout",
            exactly(self.patience.unwrap_or_default())
        )
    }

    /// Why `ending` is not that of a program that went well and ended by itself.
    pub(crate) fn failure(&self, ending: WaitStatus, errors: &[u8]) -> Option<String> {
        if ending == WaitStatus::Exited(0) || self.way.ignore_failure {
            return None;
        }
        Some(format!("it {}", told(ending, "", errors)))
    }

    fn program(&self, arm: &PreparedArm, padding: &str) -> Result<Option<Ran>, String> {
        let begun = Begun::start(self, arm, padding)?;
        match (&self.way.load, self.way.settle) {
            (Some(load), _) => serve(begun, load, arm),
            (None, Some(settle)) => stay(begun, settle),
            (None, None) => self.whole(begun),
        }
    }

    /// A program that ends by itself.
    fn whole(&self, begun: Begun<'_>) -> Result<Option<Ran>, String> {
        let seen = begun.wait(None, self.until(begun.began()))?;
        let wall = begun.began().elapsed();
        match seen {
            Seen::Program | Seen::Other => begun.finish(wall).map(Some),
            Seen::Interrupted => Ok(None),
            Seen::TooLate => Err(self.too_late()),
        }
    }

    /// Whether the program's standard output is kept.
    pub(crate) fn keeps_output(&self) -> bool {
        self.way.same_output || (self.figure.is_some() && self.way.load.is_none())
    }

    /// The figure that the program prints, if that is where to look for it.
    pub(super) fn own_figure(&self, capture: &Capture) -> Result<Option<f64>, String> {
        let Some(figure) = self.figure.filter(|_| self.way.load.is_none()) else {
            return Ok(None);
        };
        let output =
            capture.output().map_err(|error| format!("cannot read its output: {error}"))?;
        figure.find(&output).map(Some)
    }

    /// The program of `arm` with its environment and its streams.
    pub(crate) fn prepared(
        &self,
        arm: &PreparedArm,
        padding: &str,
        capture: &Capture,
    ) -> Result<Program, String> {
        let mut variables = vec![(ARM.into(), None)];
        variables.extend(arm.variables.iter().cloned());
        variables.push((PADDING.into(), Some(padding.into())));
        let program = find(arm, self.way.shell)?.with_variables(variables).errors_captured(capture);
        let program = if self.keeps_output() { program.captured(capture) } else { program };
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
            discard_output: !self.keeps_output(),
            no_input: self.way.stdin.is_none(),
            own_session: true,
            dies_with_parent: true,
            no_huge_pages: arm.huge_pages_off,
            nice: self.way.nice,
            ..Setup::default()
        }
    }

    /// When a run that began at `began` has taken too long.
    pub(super) fn until(&self, began: Instant) -> Option<Instant> {
        self.patience.map(|patience| began + patience)
    }

    /// The time that a line of the user's may take before or after a run.
    fn shell_patience(&self) -> Duration {
        self.patience.unwrap_or(SHELL_PATIENCE)
    }
}

/// The processor time of the `line` of `option`, or why it failed.
fn went_well(ended: &Ended, option: &str, line: &str) -> Result<Duration, String> {
    match ended.failure() {
        None => Ok(ended.cpu),
        Some(failure) => Err(format!("{option} {line:?} {failure}")),
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

/// Whether `error` says that a file is missing: of `--stdin` before anything runs.
pub(crate) fn check_input(way: &Way) -> io::Result<()> {
    let Some(path) = &way.stdin else { return Ok(()) };
    // Opening a pipe without a writer would wait for one, and so would each run.
    if std::fs::metadata(path)?.file_type().is_fifo() {
        return Err(io::Error::other("it is a pipe, which can be read once only"));
    }
    File::open(path).map(drop)
}
