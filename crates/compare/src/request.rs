//! What the user asks for.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lab::question::preload::Allocator;
use sys::launch::Addresses;

use crate::metric::ProgramMetric;

/// A comparison.
#[derive(Debug, Clone)]
pub struct CompareRequest {
    /// The command that all arms run unless they have their own.
    pub command: Vec<OsString>,
    /// The arms, the baseline first.
    pub arms: Vec<ArmRequest>,
    /// The metrics that decide.
    pub metrics: Vec<ProgramMetric>,
    /// A difference below this share does not matter.
    pub margin: f64,
    /// How each sample is run.
    pub way: Way,
    /// The time cap; `None`: enough for a first verdict.
    pub max_time: Option<Duration>,
    /// Exactly so many blocks, instead of the scheduled looks.
    pub blocks: Option<u64>,
    /// The seed of every random order and padding.
    pub seed: u64,
    /// The user's limits: the share by which an arm may exceed the baseline.
    pub gates: Vec<(ProgramMetric, f64)>,
    /// Whether the arms are observed after the verdict.
    pub observe: bool,
    /// Whether the arms, and a curated list of others, race first, and the winner alone is compared
    /// with the first arm.
    pub tune: bool,
}

/// An arm as the user describes it.
#[derive(Debug, Clone, Default)]
pub struct ArmRequest {
    /// Its name on the screen.
    pub name: String,
    /// Its own command; `None`: that of the comparison.
    pub command: Option<Vec<OsString>>,
    /// Environment variables that it changes; `None` removes one.
    pub variables: Vec<(OsString, Option<OsString>)>,
    /// The allocator to preload.
    pub allocator: Option<Allocator>,
    /// Settings of the C library, as typed: `glibc.malloc.arena_max=2`, `MALLOC_ARENA_MAX=2`.
    pub tunables: Vec<String>,
    /// Transparent huge pages are turned off.
    pub huge_pages_off: bool,
}

/// How each sample is run, whatever its arm.
#[derive(Debug, Clone, Default)]
pub struct Way {
    /// Run before each sample, untimed, by a shell.
    pub prepare: Option<String>,
    /// Run after each sample, untimed, by a shell.
    pub cleanup: Option<String>,
    /// The file on standard input; `None`: it is empty.
    pub stdin: Option<PathBuf>,
    /// Whether the command is one line for a shell.
    pub shell: bool,
    /// Whether the program may fail.
    pub ignore_failure: bool,
    /// Whether all arms must print the same.
    pub same_output: bool,
    /// A run that takes longer has failed.
    pub timeout: Option<Duration>,
    /// Randomisation of addresses.
    pub addresses: Addresses,
    /// The processors to run on; empty: any.
    pub cpus: Vec<u32>,
    /// Added to the nice value.
    pub nice: i32,
    /// Read the resident memory of a program that stays this long after its work, then end it.
    pub settle: Option<Duration>,
    /// Finds a figure in the output of the client, or of the program where there is none: a regular
    /// expression with one group.
    pub figure: Option<String>,
    /// The client that the program serves.
    pub load: Option<Load>,
}

/// A client that the program serves while it is measured.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// The client, a line for a shell.
    pub command: String,
    /// A line for a shell that succeeds once the program serves.
    pub ready: Option<String>,
}
