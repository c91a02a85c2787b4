//! From an arm as the user describes it to the arm that will be started.

use std::ffi::OsString;

use lab::run::allocators;
use sys::interrupt::Interrupt;
use sys::launch::Program;

use crate::arm::PreparedArm;
use crate::error::CompareError;
use crate::request::{ArmRequest, CompareRequest};
use crate::tunables::{Tunable, VARIABLE, list, loader_of, merged};

/// All arms of `request`.
///
/// # Errors
/// The first that is not available here; names that stand for two arms.
pub(crate) fn arms(
    request: &CompareRequest,
    interrupt: Interrupt,
) -> Result<Vec<PreparedArm>, CompareError> {
    for (index, arm) in request.arms.iter().enumerate() {
        if request.arms[..index].iter().any(|other| other.name == arm.name) {
            return Err(CompareError::Unfit(format!(
                "two arms are called {}: give each its own name",
                arm.name
            )));
        }
    }
    request.arms.iter().map(|asked| arm(asked, request, interrupt)).collect()
}

/// One arm of `request`.
///
/// # Errors
/// Why it is not available here.
pub(crate) fn arm(
    asked: &ArmRequest,
    request: &CompareRequest,
    interrupt: Interrupt,
) -> Result<PreparedArm, CompareError> {
    let refused = |reason: String| CompareError::Arm { arm: asked.name.clone(), reason };
    let command = asked.command.clone().unwrap_or_else(|| request.command.clone());
    if command.is_empty() {
        return Err(refused("it has no command: write it after --".to_owned()));
    }
    let mut variables = asked.variables.clone();
    let mut set = |name: &str, value: Option<OsString>| {
        variables.retain(|(known, _)| known != name);
        variables.push((name.into(), value));
    };
    let find = |allocator| allocators::find(allocator, interrupt);
    let allocator = asked.allocator.as_ref().map(find).transpose().map_err(refused)?;
    if let Some(preloaded) = &allocator {
        set("LD_PRELOAD", preloaded.library.clone().map(OsString::from));
    }
    let tunables = tunables(asked, &command, request.way.shell, interrupt)?;
    if !tunables.is_empty() {
        let of_arm = asked.variables.iter().find(|(name, _)| name == VARIABLE);
        let inherited = match of_arm {
            Some((_, value)) => value.clone(),
            None => std::env::var_os(VARIABLE),
        };
        set(VARIABLE, Some(merged(inherited.as_deref(), &tunables)));
    }
    Ok(PreparedArm {
        name: asked.name.clone(),
        command,
        variables,
        allocator,
        tunables,
        huge_pages_off: asked.huge_pages_off,
    })
}

/// The settings of the C library, checked against those that the program's own dynamic linker
/// lists.
fn tunables(
    asked: &ArmRequest,
    command: &[OsString],
    shell: bool,
    interrupt: Interrupt,
) -> Result<Vec<Tunable>, CompareError> {
    if asked.tunables.is_empty() {
        return Ok(Vec::new());
    }
    let refused = |reason: String| CompareError::Arm { arm: asked.name.clone(), reason };
    let wrong = |reason: String| CompareError::Unfit(format!("{}: {reason}", asked.name));
    let word = if shell { &[OsString::from("sh")][..] } else { command };
    let program = Program::find(word).map_err(|unfit| refused(unfit.to_string()))?;
    let loader = loader_of(program.path()).map_err(refused)?;
    let listing = list(&loader, &[], interrupt).map_err(refused)?;
    let mut tunables: Vec<Tunable> = Vec::new();
    for typed in &asked.tunables {
        let tunable = listing.check(typed).map_err(wrong)?;
        if tunables.iter().any(|known| known.name == tunable.name) {
            return Err(wrong(format!("{} twice: an arm has a setting once", tunable.name)));
        }
        tunables.push(tunable);
    }
    Ok(tunables)
}
