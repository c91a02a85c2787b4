//! Values and flags by their definitions.

use std::fmt::{Display, Formatter, Result};

use super::argument::hexadecimal;

/// The names of the bits of an argument.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Set {
    /// How the definitions combine.
    pub(super) form: Form,
    /// Values and their names, in display order.
    pub(super) definitions: &'static [(u64, &'static str)],
    /// The comment after a value without a name; empty for none.
    pub(super) unknown: &'static str,
}

/// How definitions combine to an argument.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The argument is one of the values.
    One,
    /// Each value is a flag.
    Flags,
    /// The bits of the mask are one of the values, the other bits are flags of the other set.
    OneAnd(u64, &'static Set),
    /// Flags, and the logarithm of the size of huge pages in bits 26 to 31, shown with the name of
    /// that shift.
    Huge(&'static str),
    /// A value and flags of another set, within the mask. Only flags if the value is unknown.
    OneWith(u64, &'static Set),
}

/// The position of the logarithm of the huge page size: `HUGETLB_FLAG_ENCODE_SHIFT`
/// (include/uapi/asm-generic/hugetlb_encode.h).
const HUGE_SHIFT: u32 = 26;
/// `HUGETLB_FLAG_ENCODE_MASK`, of the same file.
const HUGE_MASK: u64 = 0x3f;

/// An argument with named values. Displays as `PROT_READ|PROT_WRITE`; bits without a name are
/// numbers: `MAP_PRIVATE|0x80`, `0x8 /* MS_??? */`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symbols {
    value: u64,
    set: &'static Set,
}

impl Symbols {
    pub(super) fn new(value: u64, set: &'static Set) -> Self {
        Symbols { value, set }
    }

    /// The argument's bits.
    #[must_use]
    pub fn value(self) -> u64 {
        self.value
    }
}

impl Display for Symbols {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.set.write(f, self.value)
    }
}

impl Set {
    fn write(&self, f: &mut Formatter<'_>, value: u64) -> Result {
        match self.form {
            Form::One => self.one(f, value),
            Form::Flags => self.flags(f, value),
            Form::OneAnd(mask, flags) => {
                self.one(f, value & mask)?;
                if value & !mask != 0 {
                    f.write_str("|")?;
                    flags.write(f, value & !mask)?;
                }
                Ok(())
            }
            Form::Huge(shift) => self.huge(f, value, shift),
            Form::OneWith(mask, flags) => match self.name(value & !mask) {
                Some(name) if value & mask != 0 => {
                    f.write_str(name)?;
                    f.write_str("|")?;
                    flags.write(f, value & mask)
                }
                None if value & mask != 0 => flags.write(f, value),
                _ => self.one(f, value),
            },
        }
    }

    fn name(&self, value: u64) -> Option<&'static str> {
        self.definitions.iter().find(|&&(known, _)| known == value).map(|&(_, name)| name)
    }

    fn one(&self, f: &mut Formatter<'_>, value: u64) -> Result {
        match self.name(value) {
            Some(name) => f.write_str(name),
            None => self.nameless(f, value),
        }
    }

    fn nameless(&self, f: &mut Formatter<'_>, value: u64) -> Result {
        hexadecimal(f, value)?;
        if self.unknown.is_empty() {
            return Ok(());
        }
        f.write_str(" /* ")?;
        f.write_str(self.unknown)?;
        f.write_str(" */")
    }

    fn flags(&self, f: &mut Formatter<'_>, value: u64) -> Result {
        if value == 0 {
            return f.write_str(self.name(0).unwrap_or("0"));
        }
        let mut rest = value;
        for &(flag, name) in self.definitions {
            if flag != 0 && rest & flag == flag {
                if rest != value {
                    f.write_str("|")?;
                }
                f.write_str(name)?;
                rest &= !flag;
            }
        }
        match rest {
            0 => Ok(()),
            _ if rest == value => self.nameless(f, rest),
            _ => {
                f.write_str("|")?;
                hexadecimal(f, rest)
            }
        }
    }

    fn huge(&self, f: &mut Formatter<'_>, value: u64, shift: &str) -> Result {
        let (flags, logarithm) =
            (value & !(HUGE_MASK << HUGE_SHIFT), value >> HUGE_SHIFT & HUGE_MASK);
        if flags != 0 || logarithm == 0 {
            self.flags(f, flags)?;
        }
        if logarithm == 0 {
            return Ok(());
        }
        write!(f, "{}{logarithm}<<{shift}", if flags == 0 { "" } else { "|" })
    }
}
