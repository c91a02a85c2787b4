//! Results as screens and pictures. Measures nothing and computes no figure: every figure shown is
//! in the result.
//!
//! A screen is a function of the result and the [`View`] alone, so that a file prints the same
//! screen again. Screens contain styles; the output stream strips them where they are not wanted.

mod bench;
mod claims;
mod compare;
mod diff;
mod doctor;
mod export;
mod layout;
mod number;
mod recording;
mod start;
mod table;
mod text;
mod trace;
mod view;

pub use bench::screen;
pub use claims::screen as claims_screen;
pub use compare::screen as compare_screen;
pub use diff::{recordings_screen as recording_diff_screen, screen as diff_screen};
pub use doctor::screen as doctor_screen;
pub use export::Document;
pub use layout::{redrawn as layout_frame, screen as layout_screen, svg as layout_svg};
pub use number::{bytes, duration, whole};
pub use recording::{
    RecordingScreen, screen as recording_screen, screen_of as recording_screen_of, site_screen,
};
pub use text::{clean, hanging as wrapped, quoted};
pub use trace::{FileNames, trace_end, trace_line, trace_table};
pub use view::View;
