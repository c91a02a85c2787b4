//! One run of a program that serves a client.

use std::time::{Duration, Instant};

use lab::design::time_budget::exactly;
use results::compare::ProgramSample;

use super::begun::{Begun, Seen};
use super::line::Line;
use super::once::Ran;
use super::stay::settled_bytes;
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
    let seen = begun.wait(Some(client.process()), begun.launcher().until(client.began()))?;
    let ended = Instant::now();
    let wall = ended - client.began();
    match seen {
        Seen::Other => {}
        Seen::Interrupted => return Ok(None),
        Seen::Program => {
            drop(client);
            return Err(format!("while the client ran, {}", begun.how_it_ended()));
        }
        Seen::TooLate => {
            let patience = exactly(begun.launcher().patience.unwrap_or_default());
            let said = client.last_words().map(|line| format!(", after: {line}"));
            let hint = match load.ready {
                None => "; without --ready it starts at once, when the server may not answer yet",
                Some(_) => "",
            };
            return Err(format!(
                "the client did not end within {patience} and was killed{}{hint}",
                said.unwrap_or_default()
            ));
        }
    }
    let client = client.finish()?;
    begun.forget_other_children();
    if let Some(failure) = client.failure() {
        return Err(format!("the client {failure}"));
    }
    let figure = begun.launcher().figure.map(|figure| figure.find(&client.output));
    let figure = figure.transpose().map_err(|error| format!("the client: {error}"))?;
    let mut settled_rss_bytes = None;
    if let Some(settle) = begun.launcher().way.settle {
        match begun.wait(None, Some(ended + settle))? {
            Seen::Interrupted => return Ok(None),
            Seen::Program | Seen::Other => {
                return Err(format!("after the client's end, {}", begun.how_it_ended()));
            }
            Seen::TooLate => settled_rss_bytes = Some(settled_bytes(&begun)?),
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
            let seen = begun.wait(Some(line.process()), Some(until))?;
            (seen, (seen == Seen::Other).then(|| line.finish()).transpose()?)
        };
        if let Some(tried) = tried {
            cpu += tried.cpu;
            begun.forget_other_children();
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
