//! The figures of a run of a program.

use results::compare::ProgramSample;

/// A figure of a run. Except for the client's own figure, less is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramMetric {
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

impl ProgramMetric {
    /// All metrics, in the order of the screen.
    pub const ALL: [ProgramMetric; 9] = [
        ProgramMetric::Wall,
        ProgramMetric::User,
        ProgramMetric::Sys,
        ProgramMetric::Cpu,
        ProgramMetric::MaxRss,
        ProgramMetric::Faults,
        ProgramMetric::TreePeak,
        ProgramMetric::SettledRss,
        ProgramMetric::Figure,
    ];

    /// Those that every run has.
    pub const USUAL: [ProgramMetric; 5] = [
        ProgramMetric::Wall,
        ProgramMetric::User,
        ProgramMetric::Sys,
        ProgramMetric::MaxRss,
        ProgramMetric::Faults,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn option(self) -> &'static str {
        match self {
            ProgramMetric::Wall => "wall",
            ProgramMetric::User => "user",
            ProgramMetric::Sys => "sys",
            ProgramMetric::Cpu => "cpu",
            ProgramMetric::MaxRss => "rss",
            ProgramMetric::Faults => "faults",
            ProgramMetric::TreePeak => "tree-peak",
            ProgramMetric::SettledRss => "settled-rss",
            ProgramMetric::Figure => "figure",
        }
    }

    /// Its key in the result.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            ProgramMetric::Wall => "wall_ns",
            ProgramMetric::User => "user_ns",
            ProgramMetric::Sys => "sys_ns",
            ProgramMetric::Cpu => "cpu_ns",
            ProgramMetric::MaxRss => "max_rss_bytes",
            ProgramMetric::Faults => "faults",
            ProgramMetric::TreePeak => "tree_peak_bytes",
            ProgramMetric::SettledRss => "settled_rss_bytes",
            ProgramMetric::Figure => "figure",
        }
    }

    /// The figure of `sample`, in nanoseconds, bytes or its own unit; `None` if it was not taken.
    #[must_use]
    pub fn of(self, sample: &ProgramSample) -> Option<f64> {
        let known = |value: u64| Some(value as f64);
        match self {
            ProgramMetric::Wall => known(sample.wall_ns),
            ProgramMetric::User => known(sample.user_ns),
            ProgramMetric::Sys => known(sample.sys_ns),
            ProgramMetric::Cpu => known(sample.user_ns + sample.sys_ns),
            ProgramMetric::MaxRss => known(sample.max_rss_bytes),
            ProgramMetric::Faults => known(sample.minor_faults + sample.major_faults),
            ProgramMetric::TreePeak => sample.tree_peak_bytes.and_then(known),
            ProgramMetric::SettledRss => sample.settled_rss_bytes.and_then(known),
            ProgramMetric::Figure => sample.figure,
        }
    }
}
