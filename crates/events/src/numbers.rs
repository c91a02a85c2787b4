//! The numbers by which events refer to definitions.

#[cfg(doc)]
use crate::Definitions;

/// A text of [`Definitions`], by its number.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Name(pub(crate) u32);

impl Name {
    /// No name, or an unknown one.
    pub const NONE: Name = Name(0);

    /// Its number, for a file.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The text with this number. It may be undefined: [`Definitions`] answer for any number.
    #[must_use]
    pub const fn from_number(number: u32) -> Name {
        Name(number)
    }

    /// Whether it is a name.
    #[must_use]
    pub fn is_some(self) -> bool {
        self != Name::NONE
    }
}

/// A module of [`Definitions`], by its number.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ModuleId(pub(crate) u32);

impl ModuleId {
    /// No file.
    pub const NONE: ModuleId = ModuleId(0);

    /// Its number, for a file.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The module with this number. It may be undefined: [`Definitions`] answer for any number.
    #[must_use]
    pub const fn from_number(number: u32) -> ModuleId {
        ModuleId(number)
    }
}

/// A stack of [`Definitions`], by the number of its innermost frame.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct StackId(pub(crate) u32);

impl StackId {
    /// No frame: the end of every stack, or an unknown one.
    pub const NONE: StackId = StackId(0);
    /// The stack was not taken, since only calls that are chosen by chance have one
    /// ([`crate::StackSampling`]). No stack has this number.
    pub const NOT_TAKEN: StackId = StackId(u32::MAX);

    /// Its number, for a file.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The stack with this number. It may be undefined: [`Definitions`] answer for any number.
    #[must_use]
    pub const fn from_number(number: u32) -> StackId {
        StackId(number)
    }
}
