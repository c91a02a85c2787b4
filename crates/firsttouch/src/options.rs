//! The options of every verb, and what they mean.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use lab::question::points::{parse_passes, parse_sizes, parse_threads};
use lab::question::quantity::{parse_duration, parse_share};

use crate::exports::ExportOptions;

/// What memory really costs on Linux.
///
/// malloc and mmap only reserve addresses; the time goes into the first touch and the release.
/// firsttouch compares ways of getting memory, with an interval for every ratio, and says why they
/// differ. It also shows the memory syscalls, the page faults and the address space of any program.
#[derive(Debug, Parser)]
#[command(
    name = "firsttouch",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    subcommand_value_name = "VERB",
    subcommand_help_heading = "Verbs",
    after_help = "\
Examples:
  firsttouch bench                       the cheapest way to 100 MiB, and why
  firsttouch bench --size 64KiB          the same for small blocks
  firsttouch bench position              API, fill and position, each alone
  firsttouch bench --json result.json    keep every sample
  firsttouch report result.json          the same screen again, from the file
  firsttouch compare --allocator system,jemalloc -- ./app
                                         your own program under both
  firsttouch claims                      claims about malloc and mmap, tested
  firsttouch trace -- ./app              its memory syscalls and page faults
  firsttouch doctor                      what distorts a measurement here
  firsttouch layout -- ./app             the address space of ./app

Exit status: 0 done, 1 failed, 2 wrong usage; firsttouch dies by the signal that interrupts it."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) screen: ScreenOptions,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// How every verb shows what it has found.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ScreenOptions {
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(crate) color: Color,
    /// Also show the reasons and details behind the answer
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

impl ScreenOptions {
    /// A screen on standard output.
    pub(crate) fn view(self) -> report::View {
        report::View { width: crate::stream::width(), verbose: self.verbose }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Compare ways of getting memory: which is cheapest here, by how much, and why
    ///
    /// Every sample is a fresh process. bench runs blocks, each with every arm in balanced random
    /// order, until every comparison is decided or the time is up. The baseline runs twice in each
    /// block; the second run is the placebo, which shows how large a difference noise makes.
    Bench(Box<BenchOptions>),
    /// Test common claims about malloc and mmap on this machine
    ///
    /// There are sixteen claims, from "mapped memory is not used until it is touched" to "malloc is
    /// slower than mmap". Each gets a verdict and its evidence. Claims that are named, and all with
    /// -v, are also shown in words and explained. All sixteen take about two minutes; most of that
    /// is for the claims about time (malloc-varies, malloc-slower, large-equal). The exit status is
    /// 0 whatever the verdicts.
    Claims(ClaimsOptions),
    /// Compare your own program under other allocators, settings or page policies, or two builds
    ///
    /// Every arm runs the program in a fresh process, in blocks with every arm in balanced random
    /// order, until every comparison is decided or the time is up. Wall, user and system time, peak
    /// memory and page faults each get a ratio to the first arm, an interval and a verdict.
    Compare(Box<crate::compare::CompareOptions>),
    /// Show the address space of a program: what lies where, how much of it is resident, and what
    /// moves from run to run
    Layout(crate::layout::options::LayoutOptions),
    /// Write everything that a program does with memory to a file: allocation calls with their
    /// stacks, memory syscalls, page faults
    Record(crate::record::options::RecordOptions),
    /// Show where the cost of a recorded program came from; show a saved result again, write it as
    /// CSV, Markdown or SVG, or compare two of them
    Report(crate::report::options::ReportOptions),
    /// Show a program's memory syscalls and page faults live, with the time each took in the kernel
    ///
    /// Syscalls are shown as strace shows them. Page faults have their address, what is mapped
    /// there, their cause and their time in the kernel. Threads and child processes are followed.
    /// Root sees syscalls by tracepoints, which hardly slow the program; for an ordinary user each
    /// memory syscall stops it. Recording makes each page fault longer; the end of the trace says
    /// by how much (0.3 to 3 us so far, depending on the machine). The exit status is that of the
    /// program, 125 if tracing failed, 126 if the program cannot be run, 127 if it is not found.
    Trace(TraceOptions),
    /// Find what distorts or hides a measurement on this machine, and how to mend it
    ///
    /// Looks at huge pages, swap, limits, processors, the hypervisor, other processes, and what
    /// this user may count. It needs no privileges and changes nothing: a fix is printed as a
    /// command. It takes a fifth of a second. The exit status is 0 whatever it finds.
    Doctor(DoctorOptions),
    /// Write the manual pages into a directory
    Man(crate::man::ManOptions),
    /// Print a script that completes the command line in a shell
    Completions(crate::completions::CompletionsOptions),
}

/// What `bench` measures, and where its result goes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  firsttouch bench                                    100 MiB, at most a minute
  firsttouch bench --size 2GiB --max-time 5m          a large block
  firsttouch bench --size 64KiB..64MiB --max-time 5m  a sweep, and crossovers
  firsttouch bench --size 8MiB --threads 1,2,4        threads share the work
  firsttouch bench floors                             the least each step takes
  firsttouch bench my-question.toml                   your own experiment
  firsttouch bench --arm malloc --arm mmap+populate   only these arms
  firsttouch bench --margin 2% --blocks 96 --cpu 1    finer; one processor
  firsttouch bench --markdown                         tables for an issue
  firsttouch bench -q --json - | jq .comparisons      for a script

Exit status: 0 done, 1 failed (also if an arm that was named could not be measured), \
2 wrong usage; firsttouch dies by the signal that interrupts it, and prints what it has before.")]
pub(crate) struct BenchOptions {
    /// Name of a built-in experiment (--list shows them), or your own file (.toml) [default:
    /// anonymous]
    #[arg(value_name = "EXPERIMENT")]
    pub(crate) experiment: Option<String>,
    /// List the experiments, or the arms of the one named, instead of measuring
    #[arg(long, conflicts_with_all = ["json", "csv", "markdown", "svg", "exports"])]
    pub(crate) list: bool,
    /// Size of a block of memory, such as 4KiB or 2GiB. Several sizes make a sweep: 4KiB,1MiB, or
    /// 64KiB..1GiB in powers of two [default: the experiment's]
    #[arg(long, value_name = "SIZES", value_parser = sizes, allow_hyphen_values = true)]
    pub(crate) size: Option<Points<u64>>,
    /// Number of threads that share the work, each with its own blocks. Several numbers make a
    /// sweep, such as 1,2,4 [default: the experiment's]
    #[arg(long, value_name = "N", value_parser = threads, allow_hyphen_values = true)]
    pub(crate) threads: Option<Points<u64>>,
    /// How often the memory is touched; all touches after the first are timed together. Several
    /// numbers make a sweep, such as 1,2,4 [default: the experiment's, or 2]
    #[arg(long, value_name = "N", value_parser = passes, allow_hyphen_values = true)]
    pub(crate) passes: Option<Points<u32>>,
    /// Compare only this arm with the baseline; may be repeated [default: the experiment's arms]
    #[arg(long = "arm", value_name = "ARM")]
    pub(crate) arms: Vec<String>,
    /// Also run each heap arm under this allocator: system, jemalloc, mimalloc, tcmalloc, or the
    /// path of a shared object to preload; may be repeated. For one arm alone: --arm
    /// malloc@jemalloc
    #[arg(long = "allocator", value_name = "ALLOCATOR")]
    pub(crate) allocators: Vec<String>,
    /// Run exactly N blocks, instead of stopping after 12, 24, 48 or 96 when all is decided. No
    /// time cap unless --max-time is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) blocks: Option<u64>,
    /// Differences smaller than this share count as none, such as 3% [default: the experiment's]
    #[arg(long, value_name = "SHARE", value_parser = parse_share, allow_hyphen_values = true)]
    pub(crate) margin: Option<f64>,
    /// Stop after this time, such as 60s or 5m [default: the experiment's, or 60s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, allow_hyphen_values = true)]
    pub(crate) max_time: Option<Duration>,
    /// Seed of the random orders [default: a new one, shown in the result]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Run all samples on this processor
    #[arg(long, value_name = "CPU")]
    pub(crate) cpu: Option<u32>,
    /// Whether free memory was used just before a sample, or left idle until the hypervisor has
    /// taken it back
    #[arg(long, value_enum, default_value_t = MemoryChoice::Warm, value_name = "STATE")]
    pub(crate) memory: MemoryChoice,
    /// Directory for the files of arms that use one. The files have no name and vanish with the
    /// program [default: $TMPDIR, or /tmp]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Write the result with all samples as JSON to a file, or to standard output (instead of the
    /// screen) with -
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) exports: ExportOptions,
    /// No progress and no notices
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Test common claims about malloc and mmap.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  firsttouch claims                          all sixteen, in about two minutes
  firsttouch claims --list                   each claim in words, untested
  firsttouch claims brk-or-mmap aslr-gap     only these, explained
  LD_PRELOAD=libjemalloc.so.2 firsttouch claims brk-or-mmap thread-arenas
                                             the same for another allocator
  firsttouch claims --json - | jq -r '.claims[] | [.id, .verdict] | @tsv'")]
pub(crate) struct ClaimsOptions {
    /// Test only these claims [default: all]
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// List the claims in words and test none
    #[arg(long, conflicts_with = "json")]
    pub(crate) list: bool,
    /// Folder for the unnamed files of claims about files [default: $TMPDIR, or /tmp]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Draw the random orders from this number [default: a new one, shown in the result]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Write every claim with its figures to FILE; - is standard output, instead of the screen
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// No progress and no notices
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Show a program's memory syscalls and page faults live.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  firsttouch trace -- ./app data.bin       memory syscalls and page faults, live
  firsttouch trace -c -- ./app data.bin    a table of their times at the end
  firsttouch trace --faults all -- ./app   a line for each page fault
  firsttouch trace -o app.trace -- ./app   into a file
  firsttouch trace -p 4123                 a running process, until Ctrl-C
  firsttouch trace -c -p 4123 --for 3s     a table after three seconds
  firsttouch trace --json - -- ./app 2>/dev/null | jq .kind

Lines go to standard error; the program's standard output stays apart.")]
pub(crate) struct TraceOptions {
    /// The program and its arguments
    #[arg(
        value_name = "COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        conflicts_with = "pid"
    )]
    pub(crate) command: Vec<OsString>,
    /// Trace a running process with all its threads, and the processes that it starts
    #[arg(short, long, value_name = "PID", value_parser = crate::input::parse_pid)]
    pub(crate) pid: Option<u32>,
    /// With -p: end the trace after this time, such as 3s or 500ms
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) time: Option<Duration>,
    /// Which page faults to show. JSON has a line for each fault, unless off
    #[arg(long, value_enum, default_value_t = FaultMode::Summary, value_name = "WHICH")]
    pub(crate) faults: FaultMode,
    /// How to see memory syscalls
    #[arg(long, value_enum, default_value_t = CallMode::Auto, value_name = "WAY")]
    pub(crate) syscalls: CallMode,
    /// Show only a table at the end: number, time and bytes for each syscall and kind of fault
    #[arg(short = 'c', long = "summary-only")]
    pub(crate) count: bool,
    /// Write the lines, or the table of -c, to FILE instead of standard error
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write a line of JSON for each event to FILE, besides the screen. With - to standard output,
    /// instead of the screen; the program's standard output then goes to standard error
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// No notes of what cannot be shown
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Which page faults are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FaultMode {
    /// No page fault
    Off,
    /// A line for each burst over a range
    Summary,
    /// A line for each fault
    All,
}

/// How memory syscalls are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CallMode {
    /// Tracepoints if they are allowed, else ptrace
    Auto,
    /// The kernel's tracepoints, which need root
    Tracepoints,
    /// Stops of the program at each memory syscall
    Ptrace,
    /// No syscall
    Off,
}

/// Find what distorts or hides a measurement on this machine.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  firsttouch doctor                      the problems, and how to mend them
  firsttouch doctor -v                   every check and what it found
  firsttouch doctor thp swap             only these checks, whole
  firsttouch doctor --json doctor.json   besides the screen, a file for programs
  firsttouch doctor --json - | jq -r '.checks[].fix // empty'")]
pub(crate) struct DoctorOptions {
    /// Show only these checks, whole [default: all]
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// Write the checks to FILE; - is standard output, instead of the screen
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// The values of one dimension of a sweep, ascending.
#[derive(Debug, Clone)]
pub(crate) struct Points<T>(pub(crate) Vec<T>);

fn sizes(text: &str) -> Result<Points<u64>, String> {
    parse_sizes(text).map(Points)
}

fn threads(text: &str) -> Result<Points<u64>, String> {
    parse_threads(text).map(Points)
}

fn passes(text: &str) -> Result<Points<u32>, String> {
    parse_passes(text).map(Points)
}

/// The state of free memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MemoryChoice {
    /// Used a moment ago.
    Warm,
    /// Idle for some seconds.
    Cold,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` or TERM=dumb says otherwise.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    pub(crate) fn choice(self) -> anstream::ColorChoice {
        match self {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
    }
}

/// A request that contradicts itself or cannot be met as asked: exit status 2.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
