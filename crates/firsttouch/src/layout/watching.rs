//! A picture that is redrawn in its place. Nothing of the terminal is changed, so nothing needs to
//! be restored: a frame goes to where the one before it began, and the last one is erased when the
//! final screen is printed.

use std::io::{IsTerminal, Write};

use results::layout::Layout;

use crate::options::Color;
use crate::stream;

/// Frames on standard output.
pub(super) struct Watching {
    /// Lines of the frame that is there.
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
        // The rest of the picture takes about so many lines; what does not fit all the same is left
        // out.
        let lines = rows.saturating_sub(20).max(3);
        let screen = report::layout_frame(layout, width, lines);
        let frame: Vec<&str> = screen.lines().take(rows).collect();
        self.erase();
        let _ = stream::print(&(frame.join("\n") + "\n"), Color::Auto);
        self.lines = frame.len();
    }

    fn erase(&mut self) {
        if self.lines > 0 && std::io::stdout().is_terminal() {
            // Up to the frame's first line, and all below goes (CR, CUU and ED of ECMA-48). A ^C
            // that the terminal has echoed has moved the cursor to the right.
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
