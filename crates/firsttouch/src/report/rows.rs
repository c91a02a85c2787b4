//! The options of `firsttouch report` that choose, order and name the rows of a recording's table.

use std::num::NonZeroUsize;
use std::ops::{Range, RangeInclusive};

use analysis::allocations::CallFilter;
use clap::{Args, ValueEnum};
use results::recording::CallerOrder;

use super::ranges::{parse_sizes, parse_times};

/// Which rows of the table of a recording are shown, and how.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Options for recordings")]
pub(crate) struct RowOptions {
    /// One row of the table in full: where its time went, its sizes, lifetimes and latencies, which
    /// functions touched its memory, its stacks
    #[arg(
        long,
        value_name = "N",
        value_parser = parse_row,
        conflicts_with_all = ["diff", "events"]
    )]
    pub(crate) site: Option<usize>,
    /// The sites with memory that was never touched, the most first
    #[arg(long, conflicts_with_all = ["diff", "events", "sort"])]
    pub(crate) untouched: bool,
    /// What the rows are sorted by
    #[arg(
        long,
        value_enum,
        value_name = "FIGURE",
        default_value = "true",
        hide_default_value = true,
        conflicts_with_all = ["diff", "events"]
    )]
    pub(crate) sort: Sort,
    /// How many rows are shown [default: 10, 30 with -v]
    #[arg(
        long,
        value_name = "N",
        value_parser = parse_count,
        conflicts_with_all = ["diff", "events", "site"]
    )]
    pub(crate) top: Option<NonZeroUsize>,
    /// A function that allocates for its callers, such as xmalloc: each of them gets a row of its
    /// own. May be repeated; a * at the end stands for anything ('g_*')
    #[arg(long, value_name = "FUNCTION", conflicts_with_all = ["diff", "events"])]
    pub(crate) skip: Vec<String>,
    /// Only so many of the innermost frames of each stack: stacks that agree in them are one
    #[arg(
        long,
        value_name = "N",
        value_parser = parse_count,
        conflicts_with_all = ["diff", "events"]
    )]
    pub(crate) depth: Option<NonZeroUsize>,
    /// Only calls that ask for memory in this time from the start (1.5s..2s, ..200ms, 2s..), with
    /// all that their blocks cost later
    #[arg(
        long,
        value_name = "FROM..TO",
        value_parser = parse_times,
        conflicts_with_all = ["diff", "events"]
    )]
    pub(crate) time: Option<Range<u64>>,
    /// Only calls of the thread with this number
    #[arg(
        long,
        value_name = "TID",
        value_parser = parse_thread,
        conflicts_with_all = ["diff", "events"]
    )]
    pub(crate) thread: Option<u32>,
    /// Only calls of the process with this number
    #[arg(
        long,
        value_name = "PID",
        value_parser = crate::input::parse_pid,
        conflicts_with_all = ["diff", "events"]
    )]
    pub(crate) process: Option<u32>,
    /// Only calls that ask for so many bytes (4KiB..1MiB, ..512, 1MiB.., 64)
    #[arg(
        long,
        value_name = "MIN..MAX",
        value_parser = parse_sizes,
        conflicts_with_all = ["diff", "events"]
    )]
    pub(crate) size: Option<RangeInclusive<u64>>,
}

/// What the rows of the table are sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// True cost
    #[default]
    True,
    /// Time in the calls
    Apparent,
    /// Time of faults on the blocks
    FirstTouch,
    /// Time of giving back
    Release,
    /// Bytes asked for
    Bytes,
    /// Calls
    Calls,
    /// Page faults
    Faults,
    /// Live bytes when the program had most
    Peak,
    /// Bytes never given back
    Unreleased,
    /// Bytes never touched
    Untouched,
    /// Name
    Name,
}

impl RowOptions {
    /// The option that needs a recording, if one is there.
    pub(crate) fn first(&self) -> Option<&'static str> {
        let RowOptions { site, untouched, sort, top, skip, depth, time, thread, process, size } =
            self;
        [
            ("--site", site.is_some()),
            ("--untouched", *untouched),
            ("--sort", *sort != Sort::True),
            ("--top", top.is_some()),
            ("--skip", !skip.is_empty()),
            ("--depth", depth.is_some()),
            ("--time", time.is_some()),
            ("--thread", thread.is_some()),
            ("--process", process.is_some()),
            ("--size", size.is_some()),
        ]
        .into_iter()
        .find_map(|(name, is_there)| is_there.then_some(name))
    }

    /// The order of the rows.
    pub(crate) fn order(&self) -> CallerOrder {
        match self.sort {
            _ if self.untouched => CallerOrder::Untouched,
            Sort::True => CallerOrder::True,
            Sort::Apparent => CallerOrder::Apparent,
            Sort::FirstTouch => CallerOrder::FirstTouch,
            Sort::Release => CallerOrder::Release,
            Sort::Bytes => CallerOrder::Bytes,
            Sort::Calls => CallerOrder::Calls,
            Sort::Faults => CallerOrder::Faults,
            Sort::Peak => CallerOrder::Peak,
            Sort::Unreleased => CallerOrder::Unreleased,
            Sort::Untouched => CallerOrder::Untouched,
            Sort::Name => CallerOrder::Name,
        }
    }

    /// The calls that are wanted of a recording that began at `began_ns`.
    pub(crate) fn filter(&self, began_ns: u64) -> CallFilter {
        let since = |ns: u64| began_ns.saturating_add(ns);
        CallFilter {
            times_ns: self.time.as_ref().map(|time| since(time.start)..since(time.end)),
            tid: self.thread,
            pid: self.process,
            sizes_bytes: self.size.clone(),
        }
    }

    /// The options that give rows their numbers, each as it is typed.
    pub(crate) fn typed(&self) -> Vec<String> {
        let mut options = Vec::new();
        let name = self.sort.to_possible_value().map(|value| value.get_name().to_owned());
        if self.untouched {
            options.push("--untouched".to_owned());
        } else if let Some(name) = name.filter(|_| self.sort != Sort::True) {
            options.push(format!("--sort {name}"));
        }
        options.extend(self.skip.iter().map(|name| format!("--skip {}", report::quoted(name))));
        options.extend(self.depth.map(|depth| format!("--depth {depth}")));
        options.extend(self.time.as_ref().map(|time| {
            let bound = |ns: u64, open: u64| {
                if ns == open { String::new() } else { format!("{ns}ns") }
            };
            format!("--time {}..{}", bound(time.start, 0), bound(time.end, u64::MAX))
        }));
        options.extend(self.thread.map(|tid| format!("--thread {tid}")));
        options.extend(self.process.map(|pid| format!("--process {pid}")));
        options.extend(self.size.as_ref().map(|size| {
            let max = if *size.end() == u64::MAX { String::new() } else { size.end().to_string() };
            format!("--size {}..{max}", size.start())
        }));
        options
    }
}

/// The number of a row.
fn parse_row(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "write the number of a row of the table, such as 1".to_owned())
}

/// How many rows or frames.
fn parse_count(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "write a whole number, at least 1".to_owned())
}

/// The number of a thread.
fn parse_thread(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| {
        "write the number of a thread, such as 4122 (report FILE --events shows them)".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::options::{Cli, Verb};

    fn parsed(options: &[&str]) -> RowOptions {
        let words = ["firsttouch", "report", "a.ft"].iter().chain(options);
        match Cli::parse_from(words).verb {
            Verb::Report(options) => options.rows,
            _ => unreachable!("report was asked for"),
        }
    }

    #[test]
    fn options_are_typed_as_they_were_read() {
        for options in [
            &[][..],
            &["--untouched"],
            &["--sort", "first-touch", "--depth", "3"],
            &["--skip", "xmalloc", "--skip", "'void f(int)'"],
            &["--time", "5ns..", "--thread", "4", "--process", "3", "--size", "16..4096"],
            &["--time", "..5ns", "--size", "16.."],
        ] {
            assert_eq!(parsed(&without_quotes(options)).typed().join(" "), options.join(" "));
        }
        assert_eq!(parsed(&["--size", "4KiB"]).typed(), ["--size 4096..4096"]);
    }

    fn without_quotes<'a>(options: &[&'a str]) -> Vec<&'a str> {
        options.iter().map(|option| option.trim_matches('\'')).collect()
    }

    #[test]
    fn each_order_has_a_name() {
        for sort in Sort::value_variants() {
            let name = sort.to_possible_value().expect("it has a name").get_name().to_owned();
            let order = parsed(&["--sort", &name]).order();
            assert_eq!(serde_json::to_value(order).expect("plain data"), name.as_str());
        }
        assert_eq!(parsed(&["--untouched"]).order(), CallerOrder::Untouched);
    }

    #[test]
    fn times_of_calls_are_those_of_the_clock() {
        let filter = parsed(&["--time", "1s..2s"]).filter(500);
        assert_eq!(filter.times_ns, Some(1_000_000_500..2_000_000_500));
        assert_eq!(parsed(&["--time", "1s.."]).filter(500).times_ns, Some(1_000_000_500..u64::MAX));
        assert!(parsed(&["--sort", "bytes"]).filter(500).is_none());
    }

    #[test]
    fn what_needs_a_recording_is_named() {
        assert_eq!(parsed(&[]).first(), None);
        assert_eq!(parsed(&["--top", "3", "--thread", "4"]).first(), Some("--top"));
    }
}
