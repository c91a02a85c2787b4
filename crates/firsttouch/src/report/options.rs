//! The options of `firsttouch report`.

use std::path::PathBuf;

use clap::Args;

use super::rows::RowOptions;
use crate::exports::ExportOptions;

/// Which result is shown, and in what form.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  firsttouch report app.ft                      the call sites that cost most
  firsttouch report app.ft --site 1             the first of them in full
  firsttouch report app.ft --sort peak --top 20 what holds most at the peak
  firsttouch report app.ft --untouched          memory that was never touched
  firsttouch report app.ft --skip xmalloc       callers of a wrapper of malloc
  firsttouch report app.ft --time 2s..3s --size 1MiB..
                                                large allocations of one second
  firsttouch report app.ft --events | less      every call, syscall and fault
  firsttouch report app.ft --events --json -    the same as JSON lines
  firsttouch report --diff old.ft new.ft        which call sites changed
  firsttouch report result.json                 the screen that bench printed
  firsttouch report result.json | less          a pipe cuts nothing off
  firsttouch report result.json --markdown      tables to paste into an issue
  firsttouch report result.json --svg plot.svg  also the ratios as a picture
  firsttouch report result.json --csv - | mlr --icsv --opprint head -n 2 -g arm
                                                a row for each sample, for your own analysis
  firsttouch report --diff old.json new.json    what changed between two runs
  firsttouch report --diff old.json new.json --json - | jq .differences
                                                what differs between their conditions")]
pub(crate) struct ReportOptions {
    /// Recording that record wrote, or result of bench --json or compare --json (- for standard
    /// input)
    #[arg(value_name = "FILE", required_unless_present = "diff")]
    pub(crate) file: Option<PathBuf>,
    /// Compare two recordings (or reports of them, report --json), call site by call site: which
    /// counts and which prices changed, and what is noise. Or two results of one experiment, arm
    /// by arm: the ratios new / old with their intervals, and what differs between the two
    /// machines and their conditions. The runs were not randomised together, so a difference may
    /// be that of the machine. With one value, FILE is the new one: report NEW --diff OLD
    #[arg(
        long,
        num_args = 1..=2,
        value_names = ["OLD", "NEW"],
        conflicts_with_all = ["csv", "markdown", "svg"]
    )]
    pub(crate) diff: Option<Vec<PathBuf>>,
    /// Of a recording: every event instead of the report, in the order of time, as trace shows them
    #[arg(long, conflicts_with_all = ["diff", "csv", "markdown", "svg"])]
    pub(crate) events: bool,
    /// Of a recording, or with --diff: write the report as JSON to a file, or to standard output
    /// (instead of the screen) with -
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) exports: ExportOptions,
    #[command(flatten)]
    pub(crate) rows: RowOptions,
}
