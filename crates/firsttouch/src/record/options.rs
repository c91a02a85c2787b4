//! The options of `firsttouch record`.

use std::ffi::{OsStr, OsString};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use collect::shim::Stacks;
use events::StackSampling;
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
  firsttouch record -o app.ft --stacks sampled -- ./app
                                                 sites by chance, with their error
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
    /// Which calls have their stack: full (all), sampled (those that are chosen by chance, on
    /// average one for every 64 KiB that is asked for; sampled=SIZE for another distance), none, or
    /// checked (all, each found in two ways that are compared)
    #[arg(long, default_value = "full", value_name = "WHICH", value_parser = StacksParser)]
    #[arg(hide_possible_values = true)]
    pub(crate) stacks: Stacks,
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

/// The mean distance of samples, in bytes, if none is given.
const SAMPLED_BYTES: u64 = 64 << 10;
/// With a larger one, hardly a call has its stack.
const SAMPLED_BYTES_MAX: u64 = collect::shim::SAMPLED_BYTES_MAX;

/// Reads which stacks are recorded. Shells complete the words of it.
#[derive(Clone)]
struct StacksParser;

impl TypedValueParser for StacksParser {
    type Value = Stacks;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Stacks, clap::Error> {
        let text = StringValueParser::new().try_map(|text| parse_stacks(&text));
        text.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue>>> {
        Some(Box::new(["full", "sampled", "none", "checked"].into_iter().map(PossibleValue::new)))
    }
}

fn parse_stacks(text: &str) -> Result<Stacks, String> {
    let (mode, size) = match text.split_once('=') {
        Some((mode, size)) => (mode, Some(size)),
        None => (text, None),
    };
    match (mode, size) {
        ("full", None) => Ok(Stacks::Full),
        ("checked", None) => Ok(Stacks::Checked),
        ("none", None) => Ok(Stacks::None),
        ("sampled", size) => {
            let bytes = size.map_or(Ok(SAMPLED_BYTES), sampled_bytes)?;
            let mean_bytes = NonZeroU64::new(bytes).ok_or("a distance of 0 bytes")?;
            Ok(Stacks::Sampled(StackSampling { mean_bytes }))
        }
        ("full" | "checked" | "none", Some(_)) => {
            Err(format!("{mode} takes no size: only sampled does, as in sampled=64KiB"))
        }
        _ => Err("which stacks: full, sampled, sampled=SIZE, none or checked".to_owned()),
    }
}

/// The mean distance of samples.
fn sampled_bytes(text: &str) -> Result<u64, String> {
    let wanted = "the mean distance between samples is 1B to 1GiB, as in sampled=64KiB";
    let bytes = match parse_bytes(text) {
        Ok(bytes) => bytes,
        Err(_) if text.starts_with('0') && !text.contains('.') => 0,
        Err(why) => return Err(why),
    };
    if bytes == 0 || bytes > SAMPLED_BYTES_MAX { Err(wanted.to_owned()) } else { Ok(bytes) }
}
