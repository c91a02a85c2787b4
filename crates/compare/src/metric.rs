//! The figures of a run of a program.

use results::compare::ProgramSample;

/// A figure of a run. Except for the client's own figure, less is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// From start to end.
    Wall,
    /// Processor time in user mode.
    User,
    /// Processor time in the kernel.
    Sys,
    /// Processor time in all.
    Cpu,
    /// Peak resident set of the largest process.
    MaxRss,
    /// Page faults, minor and major.
    Faults,
    /// Peak memory of all processes together, page cache included.
    TreePeak,
    /// Memory of all processes together, some time after their work, each page once.
    SettledRss,
    /// What the client, or the program itself, prints.
    Figure,
}

impl Metric {
    /// All metrics, in the order of the screen.
    pub const ALL: [Metric; 9] = [
        Metric::Wall,
        Metric::User,
        Metric::Sys,
        Metric::Cpu,
        Metric::MaxRss,
        Metric::Faults,
        Metric::TreePeak,
        Metric::SettledRss,
        Metric::Figure,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn option(self) -> &'static str {
        match self {
            Metric::Wall => "wall",
            Metric::User => "user",
            Metric::Sys => "sys",
            Metric::Cpu => "cpu",
            Metric::MaxRss => "rss",
            Metric::Faults => "faults",
            Metric::TreePeak => "tree-peak",
            Metric::SettledRss => "settled-rss",
            Metric::Figure => "figure",
        }
    }

    /// Its key in the result.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Metric::Wall => "wall_ns",
            Metric::User => "user_ns",
            Metric::Sys => "sys_ns",
            Metric::Cpu => "cpu_ns",
            Metric::MaxRss => "max_rss_bytes",
            Metric::Faults => "faults",
            Metric::TreePeak => "tree_peak_bytes",
            Metric::SettledRss => "settled_rss_bytes",
            Metric::Figure => "figure",
        }
    }

    /// The figure of `sample`, in nanoseconds, bytes or its own unit; `None` if it was not taken.
    #[must_use]
    pub fn of(self, sample: &ProgramSample) -> Option<f64> {
        let known = |value: u64| Some(value as f64);
        match self {
            Metric::Wall => known(sample.wall_ns),
            Metric::User => known(sample.user_ns),
            Metric::Sys => known(sample.sys_ns),
            Metric::Cpu => known(sample.user_ns + sample.sys_ns),
            Metric::MaxRss => known(sample.max_rss_bytes),
            Metric::Faults => known(sample.minor_faults + sample.major_faults),
            Metric::TreePeak => sample.tree_peak_bytes.and_then(known),
            Metric::SettledRss => sample.settled_rss_bytes.and_then(known),
            Metric::Figure => sample.figure,
        }
    }
}
