//! `firsttouch`: what memory really costs on Linux. The command line, with a file for each verb.

#![cfg_attr(not(test), warn(clippy::print_stderr))]

mod bench;
mod claims;
mod compare;
mod completions;
mod doctor;
#[cfg(test)]
mod documented;
mod exports;
mod input;
mod interrupted;
mod layout;
mod man;
mod not_executed;
mod observed;
mod options;
mod progress;
mod record;
mod report;
mod sink;
mod stream;
mod trace;
mod usage;

use std::process::ExitCode;

use crate::options::Verb;

/// The work failed.
const FAILED: u8 = 1;
/// Wrong usage.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let verb = arguments.next();
    if verb.as_deref() == Some(sample::CHILD_VERB) {
        // A measured child goes no further: nothing else of the program may be in its figures.
        let status = sample::child_main(arguments.next().as_deref());
        return ExitCode::from(u8::try_from(status).unwrap_or(FAILED));
    }
    if verb.as_deref() == Some(::claims::protocol::PROBE_VERB) {
        let status = ::claims::probe_main(arguments.next().as_deref());
        return ExitCode::from(u8::try_from(status).unwrap_or(FAILED));
    }
    if verb.as_deref() == Some(record::own_cost::LOOP_VERB) {
        return record::own_cost::loop_main();
    }
    let cli = usage::parse();
    sys::inherited::reset_sigchld();
    sys::interrupt::survive_file_limit();
    let outcome = match cli.verb {
        Verb::Bench(options) => bench::run(&options, cli.screen),
        Verb::Claims(options) => claims::run(&options, cli.screen),
        Verb::Compare(options) => compare::run(&options, cli.screen),
        Verb::Doctor(options) => doctor::run(&options, cli.screen),
        Verb::Completions(options) => completions::run(&options).map_err(Into::into),
        Verb::Layout(options) => layout::run(&options, cli.screen),
        Verb::Man(options) => man::run(&options),
        Verb::Record(options) => record::run(&options, cli.screen),
        Verb::Report(options) => report::run(&options, cli.screen),
        Verb::Trace(options) => trace::run(&options, cli.screen),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            stream::complain(&format!("{error:#}"));
            ExitCode::from(if error.is::<options::Usage>() { USAGE } else { FAILED })
        }
    }
}
