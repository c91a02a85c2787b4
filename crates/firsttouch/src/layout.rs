//! `firsttouch layout`.

pub(crate) mod options;
mod running;
mod watching;

use std::process::ExitCode;

use anyhow::Context;
use collect::layout::{Failure, Machine};
use sys::interrupt::Interrupt;

use self::options::{Aslr, LayoutOptions, When};
use crate::options::{Color, Usage};
use crate::sink::{self, Sink};
use crate::stream;

/// So many lines of the mmap area are shown on a terminal; what is smaller than those is folded.
const MOST_LINES: usize = 24;
/// The status of one that the kernel does not run.
const NOT_EXECUTABLE: u8 = 126;

pub(crate) fn run(options: &LayoutOptions, color: Color) -> anyhow::Result<ExitCode> {
    check(options)?;
    let json = options.json.as_deref().map(Sink::open).transpose()?;
    let svg = options.svg.as_deref().map(Sink::open).transpose()?;
    let interrupt = Interrupt::install().context("cannot watch for signals")?;
    let machine = Machine::ask();
    let layout = match options.pid {
        Some(pid) => running::look_at(pid, options, &machine, interrupt),
        None => running::run(options, &machine, interrupt),
    };
    let layout = match layout {
        Ok(layout) => layout,
        Err(error) => {
            drop((json, svg)); // files that were made for nothing go
            if let Some(signal) = interrupt.received() {
                crate::stream::complain("interrupted before there was a picture");
                sys::interrupt::die_by(signal);
            }
            return failed(options, error);
        }
    };
    if let Some(Sink::File(file)) = svg {
        file.replace(|writer| std::io::Write::write_all(writer, report::layout_svg(&layout).as_bytes()))?;
    }
    let lines = (!options.all).then_some(MOST_LINES);
    let width = stream::width();
    let screen = || report::layout_screen(&layout, width, lines.filter(|_| width.is_some()));
    sink::deliver(json, |writer| results::write(&layout, writer), screen, color)?;
    if let Some(signal) = interrupt.received() {
        sys::interrupt::die_by(signal);
    }
    Ok(ExitCode::SUCCESS)
}

/// Wishes that make no sense together.
fn check(options: &LayoutOptions) -> Result<(), Usage> {
    let wrong = |text: &str| Err(Usage(text.to_owned()));
    if options.pid.is_none() && options.command.is_empty() {
        return wrong("layout needs a program (firsttouch layout -- ./app) or a process (firsttouch layout -p PID)");
    }
    if options.pid.is_some() && (options.aslr.is_some() || options.runs.is_some()) {
        return wrong(
            "-p looks at one process that runs already: --aslr and --runs need a program to start (layout -- COMMAND)",
        );
    }
    if options.pid.is_some() && options.at != When::Exit {
        return wrong("-p takes its picture now: --at needs a program to start (layout -- COMMAND)");
    }
    if options.svg.as_deref() == Some(std::path::Path::new("-")) {
        return wrong("--svg writes to a file: give it a name, such as layout.svg");
    }
    if options.watch && (stream::width().is_none() || std::env::var_os("TERM").is_some_and(|term| term == "dumb")) {
        return wrong(
            "--watch redraws a picture in its place, and standard output is no terminal that can: leave --watch out",
        );
    }
    if options.watch && options.json.as_deref() == Some(std::path::Path::new("-")) {
        return wrong("--watch draws on standard output, which --json - wants for itself: give --json a file");
    }
    Ok(())
}

/// The sentence and status of what went wrong.
fn failed(options: &LayoutOptions, error: anyhow::Error) -> anyhow::Result<ExitCode> {
    let status = match error.downcast_ref::<Failure>() {
        Some(Failure::Unfit(unfit)) => unfit.status(),
        Some(Failure::Exec(_)) => NOT_EXECUTABLE,
        Some(Failure::Start(_) | Failure::Addresses(_) | Failure::Trace(_) | Failure::Unseen(_)) | None => {
            return Err(error);
        }
    };
    let name = match error.downcast_ref::<Failure>() {
        Some(Failure::Exec(_)) => format!("{}: ", options.command[0].display()),
        _ => String::new(),
    };
    crate::stream::complain(&format!("{name}{error:#}"));
    Ok(ExitCode::from(status))
}
