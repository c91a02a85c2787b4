//! One run of a program that serves a client.

use std::time::{Duration, Instant};

use lab::design::time_budget::exactly;
use results::compare::ProgramSample;
use sys::launch::{Capture, Program, Setup, Started};
use sys::process::WaitStatus;

use super::begun::{Begun, Seen};
use super::once::Ran;
use super::stay::settled_bytes;
use super::{how, last_line};
use crate::arm::PreparedArm;
use crate::request::Load;

/// How long the program may take to serve where `--timeout` says nothing else.
const READY_PATIENCE: Duration = Duration::from_secs(30);
/// The pause before the line of `--ready` is run again.
const READY_PAUSE: Duration = Duration::from_millis(20);

/// Runs the client of `load` against a program that has begun, and ends both.
///
/// # Errors
/// Why the run failed.
pub(super) fn serve(
    begun: Begun<'_>,
    load: &Load,
    arm: &PreparedArm,
) -> Result<Option<Ran>, String> {
    let Some((mut begun, before)) = await_ready(begun, load, arm)? else { return Ok(None) };
    let client = Line::start("--load", &load.command, arm)?;
    let start = Instant::now();
    let seen = begun.wait(Some(&client.process), begun.launcher().until(start))?;
    let wall = start.elapsed();
    match seen {
        Seen::Other => {}
        Seen::Interrupted => return Ok(None),
        Seen::Program => {
            drop(client);
            return Err(format!("while the client ran, {}", begun.how_it_ended()));
        }
        Seen::TooLate => {
            let patience = exactly(begun.launcher().patience.unwrap_or_default());
            return Err(format!("the client did not end within {patience} and was killed"));
        }
    }
    let client = client.finish()?;
    if let Some(failure) = client.failure() {
        return Err(format!("the client {failure}"));
    }
    let figure = begun.launcher().figure.map(|figure| figure.find(&client.output));
    let figure = figure.transpose().map_err(|error| format!("the client: {error}"))?;
    let mut settled_rss_bytes = None;
    if let Some(settle) = begun.launcher().way.settle {
        match begun.wait(None, Some(Instant::now() + settle))? {
            Seen::Interrupted => return Ok(None),
            Seen::Program | Seen::Other => {
                return Err(format!("after the client's end, {}", begun.how_it_ended()));
            }
            Seen::TooLate => settled_rss_bytes = Some(settled_bytes()?),
        }
    }
    if !begun.stop()? {
        return Ok(None);
    }
    let ran = begun.finish(wall)?;
    let sample = ProgramSample { settled_rss_bytes, figure, ..ran.sample };
    Ok(Some(Ran { sample, cpu: ran.cpu + before + client.cpu, ..ran }))
}

/// Runs the line of `--ready` again and again until it succeeds. Returns the program and the
/// processor time of the lines; `None` if the user interrupted it.
fn await_ready<'a>(
    begun: Begun<'a>,
    load: &Load,
    arm: &PreparedArm,
) -> Result<Option<(Begun<'a>, Duration)>, String> {
    let mut cpu = Duration::ZERO;
    let Some(ready) = &load.ready else { return Ok(Some((begun, cpu))) };
    let patience = begun.launcher().way.timeout.unwrap_or(READY_PATIENCE);
    let until = begun.began() + patience;
    let mut last = "had not ended".to_owned();
    loop {
        let (mut seen, tried) = {
            let line = Line::start("--ready", ready, arm)?;
            let seen = begun.wait(Some(&line.process), Some(until))?;
            (seen, (seen == Seen::Other).then(|| line.finish()).transpose()?)
        };
        if let Some(tried) = tried {
            cpu += tried.cpu;
            match tried.failure() {
                None => return Ok(Some((begun, cpu))),
                Some(failure) => last = failure,
            }
            seen = begun.wait(None, Some(until.min(Instant::now() + READY_PAUSE)))?;
        }
        match seen {
            Seen::Interrupted => return Ok(None),
            Seen::Program | Seen::Other => {
                return Err(format!("before it was ready, {}", begun.how_it_ended()));
            }
            Seen::TooLate if Instant::now() >= until => {
                return Err(format!(
                    "--ready {ready:?} did not succeed within {}: it last {last}",
                    exactly(patience)
                ));
            }
            Seen::TooLate => {}
        }
    }
}

/// A line of the user's that a shell runs beside the program. It, and what it started in its
/// process group, are killed when this is dropped.
#[derive(Debug)]
struct Line {
    process: Started,
    capture: Capture,
}

/// A line that has ended.
#[derive(Debug)]
struct Ended {
    ending: WaitStatus,
    cpu: Duration,
    output: Vec<u8>,
    errors: Vec<u8>,
}

impl Line {
    /// Starts `line` of `option`.
    fn start(option: &str, line: &str, arm: &PreparedArm) -> Result<Self, String> {
        let failed = |why: String| format!("{option} {line:?}: {why}");
        let capture = Capture::new().map_err(|errno| failed(errno.to_string()))?;
        let shell = Program::find(&["sh".into(), "-c".into(), line.into()])
            .map_err(|unfit| failed(unfit.to_string()))?
            .with_variables(vec![("FIRSTTOUCH_ARM".into(), Some(arm.name.clone().into()))])
            .captured(&capture);
        let setup = Setup { own_session: true, dies_with_parent: true, ..Setup::default() };
        let waiting = shell.start(setup).map_err(|errno| failed(errno.to_string()))?;
        let process = waiting.go().map_err(|errno| failed(errno.to_string()))?;
        Ok(Line { process, capture })
    }

    /// Reaps a line that has ended, and kills what it left in its process group.
    fn finish(mut self) -> Result<Ended, String> {
        self.process.kill_group();
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
    fn failure(&self) -> Option<String> {
        if self.ending == WaitStatus::Exited(0) {
            return None;
        }
        let said = last_line(&self.errors).or_else(|| last_line(&self.output));
        let said = said.map(|line| format!(": {line}")).unwrap_or_default();
        Some(format!("{}{said}", how(self.ending)))
    }
}
