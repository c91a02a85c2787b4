//! Statistics for comparing the cost of two ways of getting memory on a noisy machine.
//!
//! Everything here is a pure function of numbers: no clock, no file, no process, no randomness. The
//! unit is the *block*: one sample of every arm, taken close together. Per block and arm there is
//! one log ratio, the natural logarithm of the arm's time over the baseline's, and every statement
//! about an arm follows from the list of its log ratios. Only where two whole runs are compared are
//! there no blocks (`independent`). `docs/method.md` gives the reasons and the validation.

mod binomial;
mod independent;
mod interval;
mod looks;
mod modes;
mod order;
mod sensitivity;
mod trend;
mod verdict;

pub use binomial::{largest_rank, two_sided_tail};
pub use independent::compare_independent;
pub use interval::{Interval, sign_interval};
pub use looks::{LOOKS, Look, Spending};
pub use modes::{Modes, two_modes};
pub use order::{median, robust_spread, sorted};
pub use sensitivity::{hodges_lehmann, mean_t};
pub use trend::{Trend, trend};
pub use verdict::{Estimate, PLACEBO_CONFIDENCE, Placebo, Verdict, compare, judge_placebo};
