//! How the arms of an experiment use their memory, and where one of them differs.

use sample::access_pattern::{AccessPattern, Between, Cache, PageOrder, Touch};

/// What an experiment says of how one arm, or all of them, access memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccessOverrides {
    /// What a touch is.
    pub touch: Option<Touch>,
    /// Which page is touched when.
    pub order: Option<PageOrder>,
    /// What happens between the first touch and the second.
    pub between: Option<Between>,
    /// Touches in all.
    pub passes: Option<u32>,
    /// Where a file's bytes are before.
    pub cache: Option<Cache>,
}

impl AccessOverrides {
    /// The pattern where this wins over `usual`.
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

/// What the arms of an experiment do unless they say otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The byte to write.
    pub fill: u8,
    /// How memory is used.
    pub pattern: AccessPattern,
}

impl Defaults {
    /// The usual pattern with this byte.
    #[must_use]
    pub fn of_fill(fill: u8) -> Self {
        Defaults { fill, pattern: AccessPattern::default() }
    }
}
