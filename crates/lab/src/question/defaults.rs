//! How the arms of an experiment use their memory, and where one of them differs.

use sample::access_pattern::{AccessPattern, Between, Cache, PageOrder, Touch};

/// Settings of an experiment for the memory accesses of one arm, or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccessOverrides {
    /// What one touch does.
    pub touch: Option<Touch>,
    /// The order in which pages are touched.
    pub order: Option<PageOrder>,
    /// What happens between the first touch and the second.
    pub between: Option<Between>,
    /// The number of touches.
    pub passes: Option<u32>,
    /// Whether a file is in the page cache before the first touch.
    pub cache: Option<Cache>,
}

impl AccessOverrides {
    /// `usual` with the settings of this.
    #[must_use]
    pub fn over(self, usual: AccessPattern) -> AccessPattern {
        AccessPattern {
            touch: self.touch.unwrap_or(usual.touch),
            order: self.order.unwrap_or(usual.order),
            between: self.between.unwrap_or(usual.between),
            passes: self.passes.unwrap_or(usual.passes),
            cache: self.cache.unwrap_or(usual.cache),
        }
    }
}

/// The settings of the arms of an experiment, unless an arm has its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The byte to write.
    pub fill: u8,
    /// How memory is used.
    pub pattern: AccessPattern,
}

impl Defaults {
    /// The default pattern, with this byte.
    #[must_use]
    pub fn of_fill(fill: u8) -> Self {
        Defaults { fill, pattern: AccessPattern::default() }
    }
}
