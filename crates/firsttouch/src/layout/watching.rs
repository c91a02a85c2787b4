//! A picture that is redrawn in its place. No mode of the terminal is changed, so none needs to be
//! restored: each frame overwrites the one before it, and the last one is erased before the final
//! screen is printed.

use std::io::{IsTerminal, Write};

use results::layout::Layout;

use crate::options::Color;
use crate::stream;

/// Frames on standard output.
pub(super) struct Watching {
    /// Lines of the present frame.
    lines: usize,
}

impl Watching {
    pub(super) fn new() -> Self {
        Watching { lines: 0 }
    }

    /// Draws `layout` over the frame before it.
    pub(super) fn show(&mut self, layout: &Layout) {
        let width = stream::width().unwrap_or(80);
        let rows = sys::machine::terminal_rows().unwrap_or(24).saturating_sub(1).max(1);
        // The other areas take about twenty lines. Lines that do not fit are left out.
        let lines = rows.saturating_sub(20).max(3);
        let screen = report::layout_frame(layout, width, lines);
        let frame: Vec<&str> = screen.lines().take(rows).collect();
        self.erase();
        let _ = stream::print(&(frame.join("\n") + "\n"), Color::Auto);
        self.lines = frame.len();
    }

    fn erase(&mut self) {
        if self.lines > 0 && std::io::stdout().is_terminal() {
            // CR, CUU and ED of ECMA-48: to the first line of the frame, and erase to the end. CR,
            // because a ^C that the terminal has echoed has moved the cursor to the right.
            let mut stdout = std::io::stdout().lock();
            let _ =
                write!(stdout, "\r\u{1b}[{}A\u{1b}[J", self.lines).and_then(|()| stdout.flush());
            self.lines = 0;
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.erase();
    }
}
