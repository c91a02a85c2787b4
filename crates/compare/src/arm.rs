//! One way of running the program.

use std::ffi::OsString;

use lab::question::preload::Preloaded;

use crate::tunables::Tunable;

/// One way of running the program, as it will be started.
#[derive(Debug, Clone)]
pub struct PreparedArm {
    /// Its name on the screen.
    pub name: String,
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// Environment variables that it changes, `LD_PRELOAD` and `GLIBC_TUNABLES` included; `None`
    /// removes one.
    pub variables: Vec<(OsString, Option<OsString>)>,
    /// The allocator that is preloaded, or the C library's where another was; `None`: nothing is
    /// changed.
    pub allocator: Option<Preloaded>,
    /// Settings of the C library.
    pub tunables: Vec<Tunable>,
    /// Transparent huge pages are turned off (`PR_SET_THP_DISABLE`).
    pub huge_pages_off: bool,
}
