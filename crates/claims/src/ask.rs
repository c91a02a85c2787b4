//! Starts probes: one fresh process of this program per task.

use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use sys::interrupt::Interrupt;
use sys::process::Finished;

use crate::facts::SeenCall;
use crate::protocol::{PROBE_VERB, ProbeAnswer, ProbeJob, ProbeTask};

/// The time limit of a probe; no probe takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// Why a probe gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The user interrupted the run.
    Interrupted,
    /// The probe failed, with the reason.
    Failed(String),
}

impl From<String> for Trouble {
    fn from(reason: String) -> Self {
        Trouble::Failed(reason)
    }
}

/// Address space randomisation of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Randomness {
    /// As in this process.
    Inherited,
    /// On, if the kernel randomises at all.
    On,
    /// Off.
    Off,
}

/// Starts probes.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    program: PathBuf,
    interrupt: Interrupt,
}

impl Asker {
    /// An asker whose probes stop when `interrupt` fires.
    ///
    /// # Errors
    /// If the program cannot find itself.
    pub(crate) fn new(interrupt: Interrupt) -> io::Result<Self> {
        Ok(Asker { program: sys::process::own_program()?, interrupt })
    }

    /// The interrupt that stops probes.
    #[must_use]
    pub(crate) fn interrupt(&self) -> Interrupt {
        self.interrupt
    }

    /// Runs `task` in a probe and returns its answer. `pick` takes the expected kind of answer.
    pub(crate) fn ask<T>(
        &self,
        task: ProbeTask,
        pick: fn(ProbeAnswer) -> Option<T>,
    ) -> Result<T, Trouble> {
        self.ask_laid_out(task, Randomness::Inherited, pick)
    }

    /// The same, with `randomness` for the probe's address space.
    pub(crate) fn ask_laid_out<T>(
        &self,
        task: ProbeTask,
        randomness: Randomness,
        pick: fn(ProbeAnswer) -> Option<T>,
    ) -> Result<T, Trouble> {
        let oom_kills = sys::proc::oom_kills();
        let mut command = Command::new(&self.program);
        sys::process::set_name(&mut command, "firsttouch");
        command.arg(PROBE_VERB).arg(job(Some(std::process::id()), task));
        let finished = self.run(&mut command, randomness)?;
        let answer =
            lab::run::children::understand(&finished, || sys::proc::oom_kills() > oom_kills)?;
        understood(answer, pick)
    }

    /// The program of the probes, by a path that is valid in other processes too.
    pub(crate) fn program(&self) -> PathBuf {
        std::fs::read_link(&self.program).unwrap_or_else(|_| self.program.clone())
    }

    /// Runs a probe and traces it; returns its answer and the memory syscalls that the trace shows.
    /// `refusal` formats the error if tracing is refused.
    pub(crate) fn ask_traced<T>(
        &self,
        task: ProbeTask,
        refusal: fn(collect::Error) -> String,
        pick: fn(ProbeAnswer) -> Option<T>,
    ) -> Result<(T, Vec<SeenCall>), Trouble> {
        let command =
            [self.program().into(), PROBE_VERB.into(), job(Some(std::process::id()), task).into()];
        let (finished, seen) = crate::trace::trace(&command, self.interrupt, refusal)?;
        let answer = lab::run::children::understand(&finished, || false)?;
        Ok((understood(answer, pick)?, seen))
    }

    /// Runs `task` in a probe that `tracer` starts. Returns the answer and the standard error of
    /// the tracer.
    pub(crate) fn ask_under<T>(
        &self,
        tracer: &mut Command,
        task: ProbeTask,
        pick: fn(ProbeAnswer) -> Option<T>,
    ) -> Result<(T, String), Trouble> {
        // In the tracer, /proc/self/exe is the tracer itself, so it gets the real path.
        let finished = self.run(
            tracer.arg(self.program()).arg(PROBE_VERB).arg(job(None, task)),
            Randomness::Inherited,
        )?;
        let trace = String::from_utf8_lossy(&finished.stderr).into_owned();
        let answer = lab::run::children::understand(&finished, || false)?;
        Ok((understood(answer, pick)?, trace))
    }

    /// Runs `command` to its end.
    pub(crate) fn run(
        &self,
        command: &mut Command,
        randomness: Randomness,
    ) -> Result<Finished, Trouble> {
        if randomness != Randomness::Inherited {
            sys::personality::lay_out_at_random(command, randomness == Randomness::On);
        }
        let program = command.get_program().to_string_lossy().into_owned();
        match sys::process::run(command, self.interrupt, Some(PATIENCE)) {
            Ok(Some(finished)) => Ok(finished),
            Ok(None) => Err(Trouble::Interrupted),
            Err(error)
                if randomness != Randomness::Inherited
                    && error.kind() == io::ErrorKind::PermissionDenied =>
            {
                Err(Trouble::Failed(
                    "personality(2) is refused here (a container's seccomp filter?)".to_owned(),
                ))
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                Err(Trouble::Failed(format!("{program}: {error}")))
            }
            Err(error) => Err(Trouble::Failed(format!("{program} could not be started: {error}"))),
        }
    }
}

fn job(parent: Option<u32>, task: ProbeTask) -> String {
    serde_json::to_string(&ProbeJob { parent, task }).expect("a job is plain data")
}

fn understood<T>(answer: ProbeAnswer, pick: fn(ProbeAnswer) -> Option<T>) -> Result<T, Trouble> {
    match answer {
        ProbeAnswer::Failed { reason } => Err(Trouble::Failed(reason)),
        answer => pick(answer)
            .ok_or_else(|| Trouble::Failed("a probe gave an answer of the wrong kind".to_owned())),
    }
}

/// A closure that accepts one kind of answer.
macro_rules! pick {
    ($kind:ident) => {
        |answer| match answer {
            $crate::protocol::ProbeAnswer::$kind(facts) => Some(facts),
            _ => None,
        }
    };
}
pub(crate) use pick;
