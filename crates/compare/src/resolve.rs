//! From an arm as the user describes it to the arm that will be started.

use std::ffi::OsString;

use lab::run::allocators;
use sys::interrupt::Interrupt;

use crate::arm::PreparedArm;
use crate::error::CompareError;
use crate::request::{ArmRequest, CompareRequest};

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

fn arm(
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
    Ok(PreparedArm {
        name: asked.name.clone(),
        command,
        variables,
        allocator,
        tunables: Vec::new(),
        huge_pages_off: asked.huge_pages_off,
    })
}
