//! What a measurement that the user interrupted leaves to do.

use sys::interrupt::{Interrupt, die_by};

/// The outcome of a measurement. If it failed because the user interrupted it, says so and ends
/// this process by the signal.
pub(crate) fn unless<T, E: std::fmt::Display>(
    interrupt: Interrupt,
    outcome: Result<T, E>,
) -> Result<T, E> {
    if let (Err(error), Some(signal)) = (&outcome, interrupt.received()) {
        crate::stream::complain(&error.to_string());
        die_by(signal);
    }
    outcome
}
