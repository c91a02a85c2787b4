//! The options of `compare`.

#![expect(clippy::doc_markdown, reason = "clap shows these comments as they stand")]

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use lab::question::quantity::{parse_duration, parse_share};

use crate::exports::ExportOptions;

/// What `compare` runs, and how.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
#[command(after_help = "\
Examples:
  firsttouch compare --allocator system,jemalloc,mimalloc -- ./app data.bin
  firsttouch compare --tunable glibc.malloc.mmap_threshold=64MiB -- ./app
  firsttouch compare --thp never -- ./app
  firsttouch compare --tune -- ./app                        which of many?
  firsttouch compare --arm 'old: -- ./app-1.0' --arm 'new: -- ./app-1.1'
  firsttouch compare --arm 'one: @jemalloc' \\
      --arm 'two: @jemalloc MALLOC_CONF=dirty_decay_ms:0' -- ./app
  firsttouch compare --allocator system,jemalloc --metric wall,rss \\
      --fail-if-slower 3% --fail-if-fatter 5% -- ./app      for a CI job
  firsttouch compare --allocator jemalloc,mimalloc --settle 5s \\
      --ready 'redis-cli -p 7001 ping' --load 'redis-benchmark -p 7001 -q' \\
      -- redis-server --port 7001                           a server

Exit status: 0 done, 1 failed (also if an arm could not be measured), 2 wrong usage, 3 a limit of \
--fail-if-slower or --fail-if-fatter is exceeded; firsttouch dies by the signal that interrupts \
it, and prints what it has before.")]
pub(crate) struct CompareOptions {
    /// The program and its arguments
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<OsString>,
    /// An arm for each allocator: system, jemalloc, mimalloc, tcmalloc, the path of a shared object
    /// to preload, or unchanged, the program as it is. The first is the baseline
    #[arg(long = "allocator", value_name = "NAME,...", value_delimiter = ',')]
    pub(crate) allocators: Vec<String>,
    /// An arm with settings of the C library, such as glibc.malloc.arena_max=1, or
    /// MALLOC_ARENA_MAX=1; several in one arm are separated by commas. May be repeated
    #[arg(long = "tunable", value_name = "NAME=VALUE,...")]
    pub(crate) tunables: Vec<String>,
    /// An arm without transparent huge pages, or with them for all its memory
    #[arg(long, value_enum, value_name = "POLICY")]
    pub(crate) thp: Option<Thp>,
    /// An arm 'name: ENV=value ... [-- other command]'. Besides variables it takes @allocator,
    /// glibc.malloc.NAME=VALUE, thp=never, and -u ENV to remove a variable. May be repeated; the
    /// first is the baseline
    #[arg(long = "arm", value_name = "ARM")]
    pub(crate) arms: Vec<String>,
    /// Try a curated list of allocators and settings, and those given besides: they race, those
    /// that are clearly worse drop out, and the winner is compared with the program as it is on
    /// fresh runs. Ends with the line for its service file
    #[arg(long)]
    pub(crate) tune: bool,
    /// What decides when to stop: wall, user, sys, cpu, rss, faults, tree-peak (peak memory of all
    /// processes together with page cache, by a cgroup v2 for each run), settled-rss (--settle),
    /// figure (--figure). Several share the error allowance; the others are shown with an
    /// allowance of their own
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', default_value = "wall")]
    pub(crate) metric: Vec<String>,
    /// Differences smaller than this share count as none
    #[arg(long, value_name = "SHARE", value_parser = parse_share, default_value = "2%")]
    pub(crate) margin: f64,
    /// Stop after this time, such as 60s or 5m [default: 2m, or what 12 blocks take; with --tune
    /// 5m, half of it for the race]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, allow_hyphen_values = true)]
    pub(crate) max_time: Option<Duration>,
    /// Run exactly N blocks, instead of stopping after 12, 24, 48 or 96 when all is decided. No
    /// time cap unless --max-time is given. With --tune: of the winner, after the race
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) blocks: Option<u64>,
    /// Exit with status 3 if an arm is certainly slower than the baseline by more than this share
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    pub(crate) fail_if_slower: Option<f64>,
    /// Exit with status 3 if the peak RSS of an arm is certainly larger by more than this share
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    pub(crate) fail_if_fatter: Option<f64>,
    /// Run this line by sh before each run, untimed. FIRSTTOUCH_ARM has the name of the arm
    #[arg(long, value_name = "LINE")]
    pub(crate) prepare: Option<String>,
    /// Run this line by sh after each run, untimed
    #[arg(long, value_name = "LINE")]
    pub(crate) cleanup: Option<String>,
    /// The program is a server: run this line by sh as its client, and end the program by SIGTERM
    /// once the client has ended. The wall time is that of the client
    #[arg(long, value_name = "LINE")]
    pub(crate) load: Option<String>,
    /// Start the client when this line, run by sh every 20 ms, succeeds; within --timeout, or 30 s
    /// [default: at once]
    #[arg(long, value_name = "LINE", requires = "load")]
    pub(crate) ready: Option<String>,
    /// The figure of the client's (without --load, of the program's) own: the one group of this
    /// regular expression in what it prints, at its last match
    #[arg(long, value_name = "REGEX")]
    pub(crate) figure: Option<String>,
    /// The program stays when its work is done: read its memory this long after the client's end
    /// (without --load: after it has used no processor for half a second), then end it
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) settle: Option<Duration>,
    /// Standard input of each run [default: empty]
    #[arg(long, value_name = "FILE")]
    pub(crate) stdin: Option<PathBuf>,
    /// COMMAND is a line for sh, whose start is in the figures
    #[arg(long)]
    pub(crate) shell: bool,
    /// Count runs that exit with another status than 0, or are killed
    #[arg(long)]
    pub(crate) ignore_failure: bool,
    /// Refuse arms that print something else than the baseline on standard output
    #[arg(long)]
    pub(crate) same_output: bool,
    /// A run, or a client, that takes longer has failed [default: twice --max-time and a minute, or
    /// none]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) timeout: Option<Duration>,
    /// Whether addresses are randomised [default: as the machine does]
    #[arg(long, value_enum, value_name = "WHEN")]
    pub(crate) aslr: Option<Aslr>,
    /// Run all samples on these processors, such as 1 or 0,1
    #[arg(long, value_name = "CPU,...", value_delimiter = ',')]
    pub(crate) cpu: Vec<u32>,
    /// Add this to the nice value of the program
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        allow_hyphen_values = true,
        value_parser = clap::value_parser!(i32).range(-40..=40)
    )]
    pub(crate) nice: i32,
    /// Seed of the random orders [default: a new one, shown in the result]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
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

/// Transparent huge pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Thp {
    /// None
    Never,
    /// For all memory
    Always,
}

/// Address space randomisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Aslr {
    /// As the kernel does it
    On,
    /// Fixed addresses
    Off,
}
