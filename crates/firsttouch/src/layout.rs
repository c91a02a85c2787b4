//! `firsttouch layout`.

pub(crate) mod options;
mod running;
mod watching;

use std::process::ExitCode;

use anyhow::Context;
use collect::snapshot::{Failure, LayoutSettings, Unseen};
use sys::interrupt::Interrupt;

use self::options::{Aslr, LayoutOptions, When};
use crate::not_executed;
use crate::options::{ScreenOptions, Usage};
use crate::sink::{self, Sink};
use crate::stream;

pub(crate) fn run(options: &LayoutOptions, screen: ScreenOptions) -> anyhow::Result<ExitCode> {
    check(options)?;
    if !sys::proc::is_mounted() {
        anyhow::bail!("/proc is not mounted, and without it no address space can be seen");
    }
    let json = options.json.as_deref().map(Sink::open).transpose()?;
    let svg = options.svg.as_deref().map(Sink::open).transpose()?;
    let interrupt = Interrupt::install().context("cannot watch for signals")?;
    let machine = LayoutSettings::ask();
    let layout = match options.pid {
        Some(pid) => running::look_at(pid, options, &machine, interrupt),
        None => running::run(options, &machine, interrupt),
    };
    let layout = match layout {
        Ok(layout) => layout,
        Err(error) => {
            if let Some(signal) = interrupt.received() {
                crate::stream::complain("interrupted before there was a picture");
                sys::interrupt::die_by(signal);
            }
            return failed(options, error);
        }
    };
    let text = || report::layout_screen(&layout, screen.view(), options.all);
    let delivered =
        sink::deliver(json, |writer| results::write(&layout, writer), text, screen.color);
    if let Some(Sink::File(file)) = svg {
        file.replace(|writer| writer.write_all(report::layout_svg(&layout).as_bytes()))?;
    }
    delivered?;
    if let Some(signal) = interrupt.received() {
        sys::interrupt::die_by(signal);
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses options that make no sense together.
fn check(options: &LayoutOptions) -> Result<(), Usage> {
    let wrong = |text: &str| Err(Usage(text.to_owned()));
    if options.pid.is_none() && options.command.is_empty() {
        return wrong(
            "layout needs a program (firsttouch layout -- ./app) or a process (firsttouch layout \
             -p PID)",
        );
    }
    if options.command.first().is_some_and(|name| name.is_empty()) {
        return wrong("the name of the program is empty: layout -- ./app");
    }
    if let Some(tid) = options.pid
        && let Some(pid) = sys::proc::task::process_of(tid).filter(|pid| *pid != tid)
    {
        return wrong(&format!(
            "{tid} is a thread of process {pid}, and all threads share its memory: use -p {pid}"
        ));
    }
    if options.pid.is_some() && (options.aslr.is_some() || options.runs.is_some()) {
        return wrong(
            "-p shows one running process: --aslr and --runs need a program to start (layout -- \
             COMMAND)",
        );
    }
    if options.pid.is_some() && options.at != When::Exit {
        return wrong(
            "-p takes the picture now: --at needs a program to start (layout -- COMMAND)",
        );
    }
    if options.svg.as_deref() == Some(std::path::Path::new("-")) {
        return wrong("--svg writes to a file: give it a name, such as layout.svg");
    }
    if let (Some(svg), Some(json)) = (&options.svg, &options.json)
        && stream::is_same_file(svg, json)
    {
        return wrong("--svg and --json name the same file: give each its own");
    }
    if options.watch
        && (stream::width().is_none()
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb"))
    {
        return wrong(
            "--watch needs a terminal that can redraw a picture, and standard output is none: \
             leave --watch out",
        );
    }
    if options.watch && options.json.as_deref() == Some(std::path::Path::new("-")) {
        return wrong("--watch and --json - both write to standard output: give --json a file");
    }
    Ok(())
}

/// Reports a failure, and returns its exit status.
fn failed(options: &LayoutOptions, error: anyhow::Error) -> anyhow::Result<ExitCode> {
    let command =
        || options.command.first().map(|name| name.display().to_string()).unwrap_or_default();
    let (sentence, status) = match error.downcast_ref::<Failure>() {
        Some(Failure::Unfit(unfit)) => (unfit.to_string(), unfit.status()),
        Some(failure @ Failure::Exec(errno)) => {
            (format!("{}: {failure}", command()), not_executed::status(*errno))
        }
        Some(Failure::Unseen(Unseen::Refused(_))) if options.pid.is_none() => {
            let why = "ran, but this user may not look at it: the file may not be read, or the \
                       process has more privilege; try sudo";
            (format!("{}: {why}", command()), 1)
        }
        Some(Failure::Unseen(Unseen::Refused(pid))) if sys::process::is_root() => {
            let why = "may not be looked at, not even by root: a container, a sandbox or a \
                security module forbids it";
            (format!("process {pid} {why}"), 1)
        }
        _ => return Err(error),
    };
    crate::stream::complain(&sentence);
    Ok(ExitCode::from(status))
}
