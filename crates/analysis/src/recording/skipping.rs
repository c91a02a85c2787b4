//! Functions that allocate for their callers without being part of a library that is known: those
//! are named when a report is made.

use results::recording::SkippedFunction;

use super::caller::qualified;

/// The functions that are not taken for callers, and how many sites each was found in.
#[derive(Debug, Default)]
pub(super) struct Skipping {
    functions: Vec<SkippedFunction>,
}

impl Skipping {
    /// The functions of these names.
    pub(super) fn new(names: &[String]) -> Skipping {
        let function = |name: &String| SkippedFunction { function: name.clone(), sites: 0 };
        Skipping { functions: names.iter().map(function).collect() }
    }

    /// The functions that have this name: of C++, with what they take or without. A `*` at the end
    /// of a name stands for anything.
    fn matching(&mut self, function: &str) -> impl Iterator<Item = &mut SkippedFunction> {
        let name = qualified(function);
        let is = move |skipped: &&mut SkippedFunction| match skipped.function.strip_suffix('*') {
            Some(beginning) => function.starts_with(beginning) || name.starts_with(beginning),
            None => skipped.function == function || skipped.function == name,
        };
        self.functions.iter_mut().filter(is)
    }

    /// Whether a function is not taken for a caller.
    pub(super) fn skips(&mut self, function: &str) -> bool {
        self.matching(function).next().is_some()
    }

    /// Counts a site that has these functions, which are skipped, between the allocator and its
    /// caller: once for each name.
    pub(super) fn count<'a>(&mut self, functions: impl IntoIterator<Item = &'a str>) {
        let mut counted: Vec<String> = Vec::new();
        for function in functions {
            for skipped in self.matching(function) {
                if !counted.contains(&skipped.function) {
                    skipped.sites += 1;
                    counted.push(skipped.function.clone());
                }
            }
        }
    }

    /// What was found.
    pub(super) fn finish(self) -> Vec<SkippedFunction> {
        self.functions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_what_they_take_or_without_it_or_their_beginning() {
        let names = ["xmalloc", "util::get", "g_*", "int f<int>(int)"].map(str::to_owned);
        let mut skipping = Skipping::new(&names);
        for (function, expect) in [
            ("xmalloc", true),
            ("xmalloc2", false),
            ("my_xmalloc", false),
            ("util::get(unsigned long)", true),
            ("void* util::get<int>(unsigned long)", false),
            ("g_malloc0", true),
            ("void g_new(int)", true),
            ("int f<int>(int)", true),
            ("", false),
        ] {
            assert_eq!(skipping.skips(function), expect, "{function}");
        }
        skipping.count(["g_malloc0", "g_malloc", "xmalloc"]);
        skipping.count(["g_malloc"]);
        let sites: Vec<u64> = skipping.finish().iter().map(|skipped| skipped.sites).collect();
        assert_eq!(sites, [1, 0, 2, 0], "each site once for each name");
    }
}
