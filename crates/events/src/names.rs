//! Names of files, programs and regions, each kept once.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

/// A name in a table of [`Names`].
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Name(u32);

impl Name {
    /// No name, or none that is known.
    pub const NONE: Name = Name(0);

    /// Whether there is one.
    #[must_use]
    pub fn is_some(self) -> bool {
        self != Name::NONE
    }
}

/// The names that events refer to. Kept as text: bytes of a path that are no UTF-8 are replaced by whoever adds it.
#[derive(Debug, Clone)]
pub struct Names {
    texts: Vec<Arc<str>>,
    known: BTreeMap<Arc<str>, Name>,
}

impl Default for Names {
    fn default() -> Self {
        Names { texts: vec![Arc::from("")], known: BTreeMap::new() }
    }
}

impl Names {
    /// The name for `text`: the one that it has, or a new one. The empty text is [`Name::NONE`].
    ///
    /// # Panics
    /// With more than 2^32 different names.
    pub fn add(&mut self, text: &str) -> Name {
        if text.is_empty() {
            return Name::NONE;
        }
        if let Some(&name) = self.known.get(text) {
            return name;
        }
        let name = Name(u32::try_from(self.texts.len()).expect("fewer than 2^32 names"));
        let text: Arc<str> = Arc::from(text);
        self.texts.push(Arc::clone(&text));
        self.known.insert(text, name);
        name
    }

    /// The text of `name`, empty for [`Name::NONE`].
    ///
    /// # Panics
    /// If `name` is of another table.
    #[must_use]
    pub fn text(&self, name: Name) -> &str {
        &self.texts[name.0 as usize]
    }

    /// The text of `name`, to be kept.
    ///
    /// # Panics
    /// As [`Names::text`].
    #[must_use]
    pub fn shared(&self, name: Name) -> Arc<str> {
        Arc::clone(&self.texts[name.0 as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_has_one_name() {
        let mut names = Names::default();
        let (heap, libc) = (names.add("[heap]"), names.add("/lib/libc.so.6"));
        assert_ne!(heap, libc);
        assert_eq!((names.add("[heap]"), names.text(heap), names.text(libc)), (heap, "[heap]", "/lib/libc.so.6"));
        assert_eq!((names.add(""), names.text(Name::NONE)), (Name::NONE, ""));
        assert!(heap.is_some() && !Name::NONE.is_some());
    }
}
