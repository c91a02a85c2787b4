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
  firsttouch bench                       which way of getting 100 MiB is cheapest here, and why
  firsttouch bench --size 64KiB          the same for small blocks
  firsttouch bench position              API, fill value and position, each factor alone
  firsttouch bench --json result.json    keep every sample
  firsttouch report result.json          the same screen again, from the file
  firsttouch claims                      common claims about malloc and mmap, tested here
  firsttouch trace -- ./app              memory syscalls and page faults of ./app, each timed
  firsttouch doctor                      settings of this machine that distort a measurement
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
    /// Put what is said about malloc and mmap to the test on this machine
    ///
    /// Sixteen claims, from "memory is not used until it is touched" to "malloc is slower than
    /// mmap", each with a verdict, its evidence in figures and a sentence. Every probe is a fresh
    /// process. All of them take about two minutes, of which the claims about time (malloc-varies,
    /// malloc-slower, large-equal) take most. Exit status 0, whatever the verdicts.
    Claims(ClaimsOptions),
    /// Show where everything lies in a program's memory, how much of it is resident, and what moves
    /// from run to run
    Layout(crate::layout::options::LayoutOptions),
    /// Show a saved result again, or write it as CSV, Markdown or SVG
    Report(ReportOptions),
    /// Show a program's memory syscalls and page faults live, and how long the kernel took over
    /// each
    ///
    /// Memory syscalls are shown as strace shows them; page faults with the address, what is mapped
    /// there, why the fault came and how long the kernel was at it. Threads and child processes are
    /// followed. As root memory syscalls are seen by tracepoints, which hardly slow them; an
    /// ordinary user's program is stopped at each. Recording a page fault adds a quarter of a
    /// microsecond or so to it, which the end of the trace says. The exit status is the program's
    /// own; 125 if tracing failed, 126 and 127 if the program cannot be run or found.
    Trace(TraceOptions),
    /// Say what on this machine will distort or hide a measurement, and how to mend it
    ///
    /// Looks at huge pages, swap, limits, processors, the hypervisor, other processes, and what
    /// this user may count. Needs no privileges and changes nothing: what would mend a finding is
    /// printed as a command. Takes a fifth of a second, in which it watches what others do. Exit
    /// status 0, whatever it finds.
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
  firsttouch bench --size 64KiB..64MiB --max-time 5m  a sweep: cost per page, and crossovers
  firsttouch bench --size 8MiB --threads 1,2,4        threads that share the work
  firsttouch bench floors                             the least that each step can take here
  firsttouch bench my-question.toml                   your own experiment (docs/experiments.md)
  firsttouch bench --arm malloc --arm mmap+populate   only these arms, beside the baseline
  firsttouch bench --margin 2% --blocks 96 --cpu 1    finer, and on one processor
  firsttouch bench --markdown                         tables to paste into an issue
  firsttouch bench -q --json - | jq .comparisons      for a script

Exit status: 0 done, 1 failed (also if an arm that was named could not be measured), 2 wrong usage; \
firsttouch dies by the signal that interrupts it, and prints what it has before.")]
pub(crate) struct BenchOptions {
    /// Name of a built-in experiment (--list shows them), or your own file (.toml) [default:
    /// anonymous]
    #[arg(value_name = "EXPERIMENT")]
    pub(crate) experiment: Option<String>,
    /// List the built-in experiments and their arms instead of measuring
    #[arg(long)]
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

/// Put what is said about malloc and mmap to the test.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  firsttouch claims                          all of them, about two minutes
  firsttouch claims brk-or-mmap aslr-gap     only these
  LD_PRELOAD=libjemalloc.so.2 firsttouch claims brk-or-mmap thread-arenas
                                             of another allocator
  firsttouch claims --json - | jq -r '.claims[] | [.id, .verdict] | @tsv'")]
pub(crate) struct ClaimsOptions {
    /// The claims to test [default: all]
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// Show the claims, and test none
    #[arg(long)]
    pub(crate) list: bool,
    /// Where the claims about files make a file without a name [default: TMPDIR, or /tmp]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Draw the random orders from this number [default: a new one, shown in the result]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Write every claim with its figures to a file, or to standard output (instead of the screen)
    /// with -
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// No progress and no notices
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Which result is shown, and in what form.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  firsttouch report result.json                 the screen that bench printed
  firsttouch report result.json | less          a pipe cuts nothing off
  firsttouch report result.json --markdown      tables to paste into an issue
  firsttouch report result.json --svg plot.svg  also the ratios as a picture
  firsttouch report result.json --csv - | mlr --icsv --opprint stats1 -a p50 -f total_ns -g arm
                                                a row for each sample, for your own analysis")]
pub(crate) struct ReportOptions {
    /// File that bench --json wrote, or - for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) exports: ExportOptions,
}

/// Show a program's memory syscalls and page faults live.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  firsttouch trace -- ./app data.bin            every memory syscall and burst of page faults, as they come
  firsttouch trace -c -- ./app data.bin         a table: how often, how long, how much
  firsttouch trace --faults all -- ./app        each page fault on a line of its own
  firsttouch trace -o app.trace -- ./app        into a file; the program's own output stays apart
  firsttouch trace -p 4123                      a process that runs, until Ctrl-C; it goes on
  firsttouch trace --json - -- ./app 2>/dev/null | jq 'select(.kind == \"fault\")'

Lines go to standard error, as strace's do, so that the program's own output stays apart.")]
pub(crate) struct TraceOptions {
    /// The program and its arguments
    #[arg(
        value_name = "COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required_unless_present = "pid",
        conflicts_with = "pid"
    )]
    pub(crate) command: Vec<OsString>,
    /// Trace a process that runs, with all its threads and those that it starts
    #[arg(short, long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) pid: Option<u32>,
    /// Page faults: not at all, bursts over a range folded into one line, or each on its own line.
    /// In JSON each is a line, unless off
    #[arg(long, value_enum, default_value_t = FaultMode::Summary, value_name = "WHICH")]
    pub(crate) faults: FaultMode,
    /// By which way to see memory syscalls: tracepoints (root), stopping the program (ptrace), or
    /// the first of them that is allowed
    #[arg(long, value_enum, default_value_t = CallMode::Auto, value_name = "WAY")]
    pub(crate) syscalls: CallMode,
    /// Show no lines but, at the end, a table: per syscall and kind of fault how often, how long,
    /// how many bytes
    #[arg(short = 'c', long = "summary-only")]
    pub(crate) count: bool,
    /// Write the lines, or the table of -c, to a file instead of standard error
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write one line of JSON for each event to a file, besides, or to standard output, instead,
    /// with -: what the program itself writes there then goes to standard error
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// No notices of what cannot be shown
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Which page faults are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FaultMode {
    /// None
    Off,
    /// Bursts
    Summary,
    /// Each
    All,
}

/// How memory syscalls are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CallMode {
    /// The first that is allowed
    Auto,
    /// Tracepoints
    Tracepoints,
    /// Stops
    Ptrace,
    /// Not at all
    Off,
}

/// Say what on this machine will distort or hide a measurement.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  firsttouch doctor                      every check, the worst first
  firsttouch doctor --json doctor.json   the same for a program, besides the screen
  firsttouch doctor --json - | jq -r '.checks[] | select(.state == \"warn\") | .fix // empty'")]
pub(crate) struct DoctorOptions {
    /// Write every check to a file, or to standard output (instead of the screen) with -
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
