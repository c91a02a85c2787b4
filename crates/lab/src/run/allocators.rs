//! Finds allocators: a child of this program with the library preloaded says where its malloc comes
//! from.

use std::process::Command;
use std::time::Duration;

use sample::protocol::{Answer, CHILD_VERB, Task};
use sys::interrupt::Interrupt;

use crate::question::preload::{Allocator, Preloaded};
use crate::run::children::understand;

/// The time that the child may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// How a program gets `allocator`.
///
/// # Errors
/// Why it is not available here, and what to do.
pub fn find(allocator: &Allocator, interrupt: Interrupt) -> Result<Preloaded, String> {
    allocator.resolve(|library| {
        let program = sys::process::own_program().map_err(|error| error.to_string())?;
        let task = Task::Allocator { parent: std::process::id() };
        let mut command = Command::new(program);
        sys::process::set_name(&mut command, "firsttouch");
        command
            .arg(CHILD_VERB)
            .arg(serde_json::to_string(&task).map_err(|error| error.to_string())?);
        match library {
            Some(library) => command.env("LD_PRELOAD", library),
            None => command.env_remove("LD_PRELOAD"),
        };
        let finished = sys::process::run(&mut command, interrupt, Some(PATIENCE))
            .map_err(|error| format!("cannot start a child: {error}"))?
            .ok_or("interrupted")?;
        match understand(&finished, || false)? {
            Answer::Allocator(origin) => Ok(origin),
            _ => Err("the child's answer is of another kind".to_owned()),
        }
    })
}
