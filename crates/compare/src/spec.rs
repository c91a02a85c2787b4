//! An arm as the user writes it: `'name: ENV=value … [-- command]'`.

use std::ffi::OsString;

use lab::question::preload::Allocator;

use crate::request::ArmRequest;
use crate::tunables::VARIABLE;

impl ArmRequest {
    /// Parses `name: words [-- command]`. A word is `ENV=value`, `-u ENV` (without that variable),
    /// `@allocator`, a setting of the C library (`glibc.malloc.arena_max=2`) or `thp=never`. Words
    /// are split and quoted as in a shell.
    ///
    /// # Errors
    /// A message that says what is wrong and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, words) = text.split_once(':').ok_or_else(|| {
            format!(
                "{text:?} has no name: write 'name: ENV=value', or 'name: -- command' for another \
                 command, with a colon after the name"
            )
        })?;
        let name = name.trim();
        if name.is_empty() {
            return Err(format!("{text:?} has an empty name: write it before the colon"));
        }
        let words = shlex::split(words)
            .ok_or_else(|| format!("{text:?} ends within quotes or after a backslash"))?;
        let mut arm = ArmRequest { name: name.to_owned(), ..ArmRequest::default() };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--" => {
                    let command: Vec<OsString> = words.by_ref().map(OsString::from).collect();
                    if command.is_empty() {
                        return Err(format!("{name}: there is no command after --"));
                    }
                    arm.command = Some(command);
                }
                "-u" => {
                    let variable = words
                        .next()
                        .ok_or_else(|| format!("{name}: -u needs the name of a variable"))?;
                    arm.variable(&variable, None)?;
                }
                "thp=never" => arm.huge_pages_off = true,
                _ => arm.word(&word)?,
            }
        }
        Ok(arm)
    }

    fn word(&mut self, word: &str) -> Result<(), String> {
        if let Some(allocator) = word.strip_prefix('@') {
            if self.allocator.is_some() {
                return Err(format!("{}: one allocator, not two", self.name));
            }
            self.allocator = Some(Allocator::named(allocator)?);
            return Ok(());
        }
        match word.split_once('=') {
            Some(("thp", _)) => {
                return Err(format!(
                    "{}: {word}: a process can turn huge pages off (thp=never) and not on; \
                     glibc.malloc.hugetlb=1 makes malloc ask for them",
                    self.name
                ));
            }
            // Proved like settings that are written one by one.
            Some((VARIABLE, settings)) => {
                let settings = settings.split(':').filter(|setting| !setting.is_empty());
                self.tunables.extend(settings.map(str::to_owned));
            }
            Some((variable, _)) if variable.contains('.') || is_setting(variable) => {
                self.tunables.push(word.to_owned());
            }
            Some((variable, value)) if !variable.is_empty() => {
                self.variable(variable, Some(value))?;
            }
            _ => {
                return Err(format!(
                    "{}: {word:?} is no setting: write ENV=value, @allocator, -u ENV, a setting \
                     of the C library such as glibc.malloc.arena_max=2, or thp=never; another \
                     command follows --",
                    self.name
                ));
            }
        }
        Ok(())
    }

    /// Sets or removes a variable, once.
    fn variable(&mut self, name: &str, value: Option<&str>) -> Result<(), String> {
        if self.variables.iter().any(|(known, _)| known == name) {
            return Err(format!("{}: {name} twice: an arm sets a variable once", self.name));
        }
        self.variables.push((name.into(), value.map(OsString::from)));
        Ok(())
    }
}

/// Whether `name` is the short name of a setting of glibc's malloc, as `--tunable` takes it. Few
/// environment variables have small letters, and none is known with one of these names.
fn is_setting(name: &str) -> bool {
    const SETTINGS: [&str; 13] = [
        "arena_max",
        "arena_test",
        "check",
        "hugetlb",
        "mmap_max",
        "mmap_threshold",
        "mxfast",
        "perturb",
        "tcache_count",
        "tcache_max",
        "tcache_unsorted_limit",
        "top_pad",
        "trim_threshold",
    ];
    SETTINGS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_settings_and_the_rest_is_a_command() {
        let arm = ArmRequest::parse(
            "fast one: MALLOC_CONF='dirty_decay_ms:0,x:1' -u HOME @jemalloc \
             glibc.malloc.arena_max=1 thp=never -- ./app -x 'a b' --",
        )
        .unwrap();
        assert_eq!(arm.name, "fast one");
        assert_eq!(
            arm.variables,
            [("MALLOC_CONF".into(), Some("dirty_decay_ms:0,x:1".into())), ("HOME".into(), None)]
        );
        assert_eq!(arm.allocator.unwrap().name, "jemalloc");
        assert_eq!(arm.tunables, ["glibc.malloc.arena_max=1"]);
        assert!(arm.huge_pages_off);
        assert_eq!(arm.command.unwrap(), ["./app", "-x", "a b", "--"]);
        let settings =
            ArmRequest::parse("a: arena_max=1 GLIBC_TUNABLES=glibc.malloc.check=1:x.y=2");
        let settings = settings.unwrap();
        assert_eq!(settings.tunables, ["arena_max=1", "glibc.malloc.check=1", "x.y=2"]);
        assert!(settings.variables.is_empty());
        let plain = ArmRequest::parse("one:").unwrap();
        assert!(plain.variables.is_empty() && plain.command.is_none());
    }

    #[test]
    fn what_is_no_arm_is_refused_with_what_would_be() {
        for (text, expect) in [
            ("jemalloc", "no name"),
            (": A=1", "empty name"),
            ("a: 'x", "within quotes"),
            ("a: ./app", "another command follows --"),
            ("a: =1", "no setting"),
            ("a: --", "no command after --"),
            ("a: -u", "needs the name"),
            ("a: thp=always", "hugetlb=1"),
            ("a: X=1 X=2", "X twice"),
            ("a: X=1 -u X", "X twice"),
            ("a: @jmalloc", "did you mean jemalloc"),
            ("a: @jemalloc @mimalloc", "one allocator"),
        ] {
            let error = ArmRequest::parse(text).unwrap_err();
            assert!(error.contains(expect), "{text}: {error}");
        }
    }
}
