//! The width and the detail of a screen.

/// The widest that a picture gets.
const PLOT_COLUMNS_MAX: usize = 110;

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

    /// Everything that the screen has to show.
    #[must_use]
    pub fn verbose(width: Option<usize>) -> Self {
        View { width, verbose: true }
    }

    /// The columns that a table may take: in a pipe as many as it needs.
    pub(crate) fn table_columns(self) -> usize {
        self.width.unwrap_or(usize::MAX)
    }

    /// The columns that a picture may take.
    pub(crate) fn plot_columns(self) -> usize {
        self.width.map_or(PLOT_COLUMNS_MAX, |width| width.min(PLOT_COLUMNS_MAX))
    }
}
