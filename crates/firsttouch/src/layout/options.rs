//! The options of `firsttouch layout`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use lab::question::quantity::parse_duration;

use crate::input::parse_pid;

/// Show the address space of a program.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  firsttouch layout -- ./app data.bin         when the program exits
  firsttouch layout -p 4121                   of a running process, now
  firsttouch layout --at 2s -- ./server       two seconds after the start
  firsttouch layout --aslr both -- ./app      what moves from run to run
  firsttouch layout --watch -- ./app          live, as pages become resident
  firsttouch layout --svg app.svg -- ./app    a picture for a web page
  firsttouch layout --json - -- ./app | jq '.runs[0].program_break'

It needs no privileges: ptrace traces the program. Only its first process is \
followed, with all its threads, through every exec.

Exit status: 0 done, 1 failed, 2 wrong usage, 126 the program cannot be executed, \
127 it is not found. The program's own status is not passed on. Interrupted, it ends the \
program, shows what there is, and dies by the signal.")]
pub(crate) struct LayoutOptions {
    /// The program and its arguments
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<OsString>,
    /// Show a running process instead of starting a program
    #[arg(short, long, value_name = "PID", value_parser = parse_pid, conflicts_with = "command")]
    pub(crate) pid: Option<u32>,
    /// When to take the picture: exec (the program is mapped and has not run), exit, or a time
    /// after the start, like 300ms or 2s. The program always runs to its end
    #[arg(long, value_name = "WHEN", value_parser = parse_at, default_value = "exit")]
    pub(crate) at: When,
    /// Run the program several times, with random addresses or without, or both, and show what
    /// moves
    #[arg(long, value_enum, value_name = "ASLR")]
    pub(crate) aslr: Option<Aslr>,
    /// Number of runs, for --aslr both of each kind [default: 1, with --aslr 16]. In several runs
    /// the program has no standard input, and its standard output goes to /dev/null
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) runs: Option<u32>,
    /// Redraw the picture ten times a second while the program runs. This needs a terminal; the
    /// program's standard output goes to /dev/null
    #[arg(long, conflicts_with_all = ["aslr", "runs"])]
    pub(crate) watch: bool,
    /// With -p: read the accounted memory even where that keeps mmap and munmap of the process
    /// waiting for more than a millisecond (a tenth of a second for each GiB in small pages)
    #[arg(long, requires = "pid", conflicts_with = "watch")]
    pub(crate) accounted: bool,
    /// Show every mapping, not only the largest (so does -v)
    #[arg(long)]
    pub(crate) all: bool,
    /// Write the picture as SVG to FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Write every run to FILE; - is standard output, instead of the screen and of the program's
    /// own output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// When the picture is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Just mapped.
    Exec,
    /// At its exit.
    Exit,
    /// After a time.
    After(Duration),
}

fn parse_at(text: &str) -> Result<When, String> {
    match text {
        "exec" => Ok(When::Exec),
        "exit" => Ok(When::Exit),
        _ => parse_duration(text).map(When::After).map_err(|_| {
            "write exec, exit, or a time after the start, such as 300ms or 2s".to_owned()
        }),
    }
}

/// A time in the unit of the option: `5 s`, `300 ms`.
pub(crate) fn as_asked(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 1.0 => report::duration(time.as_nanos() as f64),
        seconds => format!("{seconds} s"),
    }
}

/// With or without randomised addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Aslr {
    /// With.
    On,
    /// Without (`ADDR_NO_RANDOMIZE`, for the program alone).
    Off,
    /// Without, and then with.
    Both,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_as_they_were_given() {
        let said = |text: &str| match parse_at(text) {
            Ok(When::After(time)) => as_asked(time),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            [said("5s"), said("300ms"), said("1h"), said("1.5s")],
            ["5 s", "300 ms", "3600 s", "1.5 s"]
        );
    }
}
