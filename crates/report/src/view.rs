//! For whom a screen is drawn.

/// How wide a screen may be, and how much of it is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct View {
    /// Columns of the terminal; `None` for a pipe, where nothing is wrapped or cut.
    pub width: Option<usize>,
    /// Whether reasons, details and bounds are wanted beside the answer (`-v`).
    pub verbose: bool,
}

impl View {
    /// The answer alone.
    #[must_use]
    pub fn brief(width: Option<usize>) -> Self {
        View { width, verbose: false }
    }

    /// Everything that the screen has to say.
    #[must_use]
    pub fn verbose(width: Option<usize>) -> Self {
        View { width, verbose: true }
    }
}
