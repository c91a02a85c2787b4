//! Traces a probe as the verb `trace` does: `collect` runs it and gathers events, `analysis` makes
//! lines of them.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use analysis::{HugePages, Paging, Story};
use collect::{Calls, Collection, Error, Outcome, Progress, Target, Wish};
use results::trace::{Argument, Line, What};
use sys::interrupt::Interrupt;
use sys::launch::{Capture, Program};
use sys::process::Finished;

use crate::ask::{PATIENCE, Trouble};
use crate::facts::SeenCall;

/// How often to look whether the user asks for the end.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Faults are not watched here, so that no choice depends on huge pages.
const HUGE_PAGES: HugePages = HugePages::Never;

/// Runs `command` to its end and traces its memory syscalls. Returns how it ended and what it
/// wrote, and the syscalls in the order of the trace's lines. `refusal` gives the words for a trace
/// that is refused.
///
/// # Errors
/// [`Trouble::Interrupted`]: the user asked for the end. [`Trouble::Failed`]: the program cannot be
/// traced, or did not end in time. The program is gone in each case.
pub(crate) fn trace(
    command: &[OsString],
    interrupt: Interrupt,
    refusal: fn(Error) -> String,
) -> Result<(Finished, Vec<SeenCall>), Trouble> {
    let failed = |why: String| Trouble::Failed(format!("firsttouch trace: {why}"));
    let capture = Capture::new().map_err(|errno| failed(errno.to_string()))?;
    let program = Program::find(command).map_err(|unfit| failed(unfit.to_string()))?.captured(&capture);
    let wish = Wish { faults: false, calls: Calls::Best, output_to_errors: false };
    let collection = Collection::start(&Target::Program(program), wish).map_err(|error| failed(refusal(error)))?;
    let (outcome, seen, too_late) = watch(collection, interrupt);
    if interrupt.received().is_some() {
        return Err(Trouble::Interrupted);
    }
    if too_late {
        return Err(failed(format!("it gave no answer within {} s and was killed", PATIENCE.as_secs())));
    }
    let ending = outcome.ending.ok_or_else(|| failed("how the program ended is unknown".to_owned()))?;
    let written = |bytes: std::io::Result<Vec<u8>>| bytes.map_err(|error| failed(error.to_string()));
    let (stdout, stderr) = (written(capture.output())?, written(capture.errors())?);
    Ok((Finished { ending, usage: outcome.rusage.unwrap_or_default(), stdout, stderr }, seen))
}

/// Takes events until the program ends. Kills the program when the user asks for the end or when
/// [`PATIENCE`] is over; the last of the three results says whether it was over.
fn watch(mut collection: Collection, interrupt: Interrupt) -> (Outcome, Vec<SeenCall>, bool) {
    let paging = Paging { page_bytes: sys::limits::page_bytes(), huge_pages: HUGE_PAGES };
    let mut lines = Story::new(collection.began_ns(), paging, true);
    let mut seen = Vec::new();
    let mut take = |line: Line| seen.extend(call(&line));
    let (mut events, mut too_late, mut killed) = (Vec::new(), false, false);
    let until = Instant::now() + PATIENCE;
    while collection.next(LOOK_EVERY, &mut events) == Progress::Going {
        let names = collection.names();
        events.drain(..).for_each(|event| lines.take(&event, &names, &mut take));
        drop(names);
        too_late = too_late || Instant::now() >= until;
        if (too_late || interrupt.received().is_some()) && !killed {
            collection.ask_to_end(sys::ptrace::KILL);
            killed = true;
        }
    }
    let names = collection.names().clone();
    let outcome = collection.finish(&mut events);
    events.drain(..).for_each(|event| lines.take(&event, &names, &mut take));
    lines.pause(&mut take);
    (outcome, seen, too_late)
}

/// The call that a line is about, if it is about one.
fn call(line: &Line) -> Option<SeenCall> {
    let What::Syscall(call) = &line.what else { return None };
    let block = match call.arguments[..] {
        [Argument::Address(address), Argument::Number(bytes), ..] => {
            u64::try_from(bytes).ok().map(|bytes| (address, bytes))
        }
        _ => None,
    };
    Some(SeenCall { name: call.name.to_owned(), block })
}
