//! The options of `firsttouch record`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use lab::question::quantity::{parse_bytes, parse_duration};

use crate::input::parse_pid;
use crate::options::CallMode;

/// What is recorded, and where it goes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  firsttouch record -o app.ft -- ./app           everything
  firsttouch report app.ft                       where the cost came from
  firsttouch record -o app.ft --syscalls off -- ./app
                                                 the program never stops
  firsttouch record -o app.ft -p 4121 --for 30s  part of a running process
  firsttouch record -o app.ft --start-paused -- ./app
                                                 what it asks for with a signal
  firsttouch record -o app.ft --stacks none -- ./app
                                                 less detail, less cost
  firsttouch record -o app.ft --max-size 100M -- ./app
                                                 a long run, in a file of bounded size
  firsttouch record -o app.ft --redact -- ./app key
                                                 a file that others may see

The exit status is that of the program, 0 for a process that goes on, 125 if recording failed, 126 \
if the program cannot be run, 127 if it is not found.")]
pub(crate) struct RecordOptions {
    /// File that the recording is written to
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Record a running process instead, with all its threads: its memory syscalls and page faults.
    /// Its allocation calls need a start under record
    #[arg(short, long, value_name = "PID", conflicts_with = "command", value_parser = parse_pid)]
    pub(crate) pid: Option<u32>,
    /// End the recording after this time, such as 30s: the file is complete then, and the program
    /// goes on. SIGINT or SIGTERM to firsttouch alone does the same
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) time: Option<Duration>,
    /// Record nothing until firsttouch gets SIGUSR1, which starts the recording; SIGUSR2 pauses it.
    /// The program finds the process to signal in `FIRSTTOUCH_PID`
    #[arg(long)]
    pub(crate) start_paused: bool,
    /// How memory syscalls are recorded: by tracepoints (root) or by stopping the program at each
    #[arg(long, value_enum, default_value_t = CallMode::Auto, value_name = "WAY")]
    pub(crate) syscalls: CallMode,
    /// Which calls have their stack: all, all with a check of every stack by unwinding it twice, or
    /// none
    #[arg(long, value_enum, default_value_t = StackMode::Full, value_name = "WHICH")]
    pub(crate) stacks: StackMode,
    /// For a file that others will see: leave out arguments, paths outside of the system's folders,
    /// the names of data files, and the host's name. Stacks keep the base names of programs and
    /// libraries, and their build ids
    #[arg(long)]
    pub(crate) redact: bool,
    /// Keep the file below this size (100M, 2G): once it has half of it, all calls are counted, and
    /// only some blocks are followed, fewer and fewer. Calls and bytes of each site stay exact
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) max_size: Option<u64>,
    /// No notes
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// The program and its arguments
    #[arg(last = true, required_unless_present = "pid", value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// In less there is hardly room for the mappings and stacks of a program, and for counts.
const SIZE_BYTES_MIN: u64 = 1_000_000;

/// The size of a file.
fn parse_size(text: &str) -> Result<u64, String> {
    let bytes = parse_bytes(text)?;
    if bytes < SIZE_BYTES_MIN {
        return Err("a recording needs 1 MB at least: 1MB, 100M, 2G".to_owned());
    }
    Ok(bytes)
}

/// Which stacks are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StackMode {
    /// Of every call.
    Full,
    /// Of every call, found in two ways that are compared.
    Checked,
    /// Of none.
    None,
}

impl From<StackMode> for collect::shim::Stacks {
    fn from(mode: StackMode) -> Self {
        match mode {
            StackMode::Full => collect::shim::Stacks::Full,
            StackMode::Checked => collect::shim::Stacks::Checked,
            StackMode::None => collect::shim::Stacks::None,
        }
    }
}
