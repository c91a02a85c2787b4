//! Answers to a terminal. Measures nothing and computes no figure: what is shown is in the result.
//!
//! A screen is a function of the result and the width alone, so that a file prints the same screen
//! again. Styles are always written; the stream strips them where they are not wanted.

mod answer;
mod bench;
mod bill;
mod claims;
mod crossing;
mod doctor;
mod factorial;
mod floors;
mod forest;
mod latencies;
mod layout;
mod next;
mod number;
mod pairs;
mod scaling;
mod sentence;
mod survey;
mod sweep;
mod table;
mod text;
mod trace;
mod view;

pub use bench::screen;
pub use claims::screen as claims_screen;
pub use doctor::screen as doctor_screen;
pub use layout::{redrawn as layout_frame, screen as layout_screen, svg as layout_svg};
pub use number::{bytes, duration};
pub use text::{clean, hanging as wrapped};
pub use trace::{FileNames, trace_end, trace_line, trace_table};
pub use view::View;
