//! What makes a program load the library that records its allocation calls.

use std::path::PathBuf;

use anyhow::anyhow;
use collect::Target;
use collect::shim::{Library, LibraryError, ShimOptions, Shims};

use super::options::RecordOptions;
use super::own_cost::{self, CallCost};

/// The environment variable in which a program finds this process, to start and pause the
/// recording.
const PID_VARIABLE: &str = "FIRSTTOUCH_PID";

/// A program will load the library.
pub(super) struct Loaded {
    /// The door at which its processes ask.
    pub(super) shims: Shims,
    /// What recording adds to an allocation call.
    pub(super) cost: Option<CallCost>,
}

/// The program with the library that it loads; a process that runs already stays as it is.
pub(super) fn with_shims(
    target: Target,
    options: &RecordOptions,
) -> anyhow::Result<(Target, Option<Loaded>)> {
    let Target::Program(program) = target else { return Ok((target, None)) };
    let library = Library::in_one_of(&cache_folders()).map_err(|error| match error {
        LibraryError::Processor => {
            anyhow!("allocation calls can be recorded on x86-64 processors only")
        }
        LibraryError::Unwritable(folder, error) => anyhow!(
            "cannot write the library that programs load to {}: {error}; set XDG_CACHE_HOME to a \
             folder of yours",
            folder.display()
        ),
    })?;
    let ShimOptions { buffer_bytes, .. } = ShimOptions::default();
    // What waits there is written before a call can be left out.
    let buffer_bytes = options.max_size.map_or(buffer_bytes, |size| buffer_bytes.min(size / 2));
    let wanted = ShimOptions { stacks: options.stacks, buffer_bytes, ..ShimOptions::default() };
    let cost = own_cost::of_a_call(library.path(), wanted);
    let shims = Shims::wait_for_programs(wanted);
    let shims = shims.map_err(|errno| anyhow!("cannot open a socket for programs: {errno}"))?;
    shims.set_quiet(options.start_paused);
    let mut variables = shims.variables(library.path());
    variables.push((PID_VARIABLE.into(), Some(std::process::id().to_string().into())));
    Ok((Target::Program(program.with_variables(variables)), Some(Loaded { shims, cost })))
}

/// The folders in which a cache may be, the best first.
fn cache_folders() -> Vec<PathBuf> {
    let folder = |name: &str| {
        std::env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute())
    };
    let user = sys::process::effective_user();
    // A program that root starts may become another user, who cannot look into root's home.
    let shared = (user == 0).then(|| PathBuf::from("/var/cache"));
    // A home that is not there (nobody's) is not made.
    let home = folder("HOME").filter(|home| home.is_dir()).map(|home| home.join(".cache"));
    let caches = [folder("XDG_CACHE_HOME"), shared, home];
    let temporary = std::env::temp_dir().join(format!("firsttouch-{user}"));
    let caches = caches.into_iter().flatten().map(|cache| cache.join("firsttouch"));
    caches.chain([temporary]).collect()
}
