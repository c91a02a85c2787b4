//! Forks between the touches of a measured child.
//!
//! ```text
//!   fork         |fork, its end|  |second touch|
//!   fork-parent  |fork|  (the child falls asleep)  |second touch|  (the child ends)
//!   fork-child   |fork|  (the child falls asleep)  (the child wakes, |second touch|, and ends)
//!                 between
//! ```
//! Steps in parentheses are not timed. The forked child is asleep before the second touch starts:
//! on one processor, the two would otherwise take turns.

use sys::fork::{BorrowedStack, ForkError, Forked, Stage, Words};

use crate::access_pattern::{AccessPattern, Between};
use crate::block::Block;
use crate::measurement::{PhaseCost, Phases};
use crate::phases::phase;
use crate::touching::Toucher;

/// Forks as `pattern` requires, and does the second touch.
pub(crate) fn fork_and_touch<B: Block>(
    blocks: &mut [Option<B>],
    toucher: &Toucher,
    pattern: AccessPattern,
    phases: &mut Phases,
) -> Result<(), ForkError> {
    match pattern.between {
        Between::ForkParent => {
            let mut child = fork_asleep(&mut phases.between, Words::default)?;
            phases.second_touch = phase(|| toucher.again(blocks));
            child.let_go()?;
            child.wait().map(drop)
        }
        Between::ForkChild => {
            let touch = || {
                let PhaseCost { time_ns, minor_faults, major_faults } =
                    phase(|| toucher.again(blocks));
                [time_ns, minor_faults, major_faults]
            };
            let mut child = fork_asleep(&mut phases.between, touch)?;
            child.let_go()?;
            let [time_ns, minor_faults, major_faults] = child.wait()?;
            phases.second_touch = PhaseCost { time_ns, minor_faults, major_faults };
            Ok(())
        }
        without_touch => {
            phases.between = fork_and_wait(without_touch)?;
            if pattern.passes > 1 {
                phases.second_touch = phase(|| toucher.again(blocks));
            }
            Ok(())
        }
    }
}

/// Times the start and the end of a child that does nothing.
fn fork_and_wait(between: Between) -> Result<PhaseCost, ForkError> {
    let mut outcome = Ok(());
    let cost = if between == Between::Vfork {
        let mut stack = BorrowedStack::default();
        phase(|| outcome = stack.run_empty_child())
    } else {
        let stage = Stage::new().map_err(ForkError::Call)?;
        phase(|| outcome = stage.fork(Words::default).and_then(Forked::wait).map(drop))
    };
    outcome.map(|()| cost)
}

/// Times the fork of a child that sleeps until it is let go, and waits until it is asleep.
fn fork_asleep(cost: &mut PhaseCost, work: impl FnOnce() -> Words) -> Result<Forked, ForkError> {
    let stage = Stage::new().map_err(ForkError::Call)?;
    let mut forked = None;
    *cost = phase(|| forked = Some(stage.fork_asleep(work)));
    let mut child = forked.unwrap_or(Err(ForkError::Call(sys::Errno::NO_MEMORY)))?;
    child.wait_until_asleep()?;
    Ok(child)
}
