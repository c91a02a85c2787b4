//! Traces a probe as the verb `trace` does: `collect` runs it and records events, `analysis` turns
//! them into lines.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use analysis::trace::LineBuilder;
use collect::{Collection, Error, Options, Outcome, StreamState, Target};
use events::{Batch, Definitions};
use results::trace::{Argument, Line, LineKind};
use sys::interrupt::Interrupt;
use sys::launch::{Capture, Program};
use sys::process::Finished;
use sys::relay::Sent;

use crate::ask::{PATIENCE, Trouble};
use crate::facts::SeenCall;

/// How often to check for an interrupt.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Runs `command` to its end and traces its memory syscalls. Returns how it ended and what it
/// wrote, and the syscalls in the order of the trace's lines. `refusal` formats the error if
/// tracing is refused.
///
/// # Errors
/// [`Trouble::Interrupted`] after an interrupt; [`Trouble::Failed`] if the program cannot be traced
/// or did not end in time. The program has ended in each case.
pub(crate) fn trace(
    command: &[OsString],
    interrupt: Interrupt,
    refusal: fn(Error) -> String,
) -> Result<(Finished, Vec<SeenCall>), Trouble> {
    let failed = |why: String| Trouble::Failed(format!("firsttouch trace: {why}"));
    let capture = Capture::new().map_err(|errno| failed(errno.to_string()))?;
    let program =
        Program::find(command).map_err(|unfit| failed(unfit.to_string()))?.captured(&capture);
    let options = Options { faults: false, ..Options::default() };
    let collection = Collection::start(&Target::Program(program), options)
        .map_err(|error| failed(refusal(error)))?;
    let (outcome, seen, too_late) = watch(collection, interrupt);
    if interrupt.received().is_some() {
        return Err(Trouble::Interrupted);
    }
    if too_late {
        return Err(failed(format!(
            "no answer within {} s; the probe was killed",
            PATIENCE.as_secs()
        )));
    }
    let ending = outcome
        .ending
        .ok_or_else(|| failed("the exit status of the program is unknown".to_owned()))?;
    let written =
        |bytes: std::io::Result<Vec<u8>>| bytes.map_err(|error| failed(error.to_string()));
    let (stdout, stderr) = (written(capture.output())?, written(capture.errors())?);
    Ok((Finished { ending, usage: outcome.rusage.unwrap_or_default(), stdout, stderr }, seen))
}

/// Takes events until the program ends. Kills the program after an interrupt or after [`PATIENCE`];
/// the last result is true if the time ran out.
fn watch(mut collection: Collection, interrupt: Interrupt) -> (Outcome, Vec<SeenCall>, bool) {
    let mut builder = LineBuilder::new(collection.header(), true);
    let mut definitions = Definitions::default();
    let mut seen = Vec::new();
    let mut take = |line: Line| seen.extend(call(&line));
    let mut read = |batch: &mut Batch| builder.read(batch, &mut definitions, &mut take);
    let (mut batch, mut too_late, mut killed) = (Batch::default(), false, false);
    let until = Instant::now() + PATIENCE;
    while collection.next(LOOK_EVERY, &mut batch) == StreamState::Going {
        read(&mut batch);
        too_late = too_late || Instant::now() >= until;
        if (too_late || interrupt.received().is_some()) && !killed {
            collection.subject().ask_to_end(Sent::new(sys::ptrace::KILL));
            killed = true;
        }
    }
    let outcome = collection.finish(&mut batch);
    read(&mut batch);
    (outcome, seen, too_late)
}

/// The call of a line, if the line is a syscall.
fn call(line: &Line) -> Option<SeenCall> {
    let LineKind::Syscall(call) = &line.kind else { return None };
    let block = match call.arguments.as_deref().unwrap_or_default()[..] {
        [Argument::Address(address), Argument::Number(bytes), ..] => {
            u64::try_from(bytes).ok().map(|bytes| (address, bytes))
        }
        _ => None,
    };
    Some(SeenCall { name: call.name.to_owned(), block })
}
