//! The settings of the C library (`GLIBC_TUNABLES`), checked against what its dynamic linker lists.

mod loader;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use lab::question::arm::nearest;
use lab::question::quantity::parse_bytes;

pub(crate) use loader::is_musl;
pub use loader::{list, loader_of};

/// The environment variable that has the settings.
pub const VARIABLE: &str = "GLIBC_TUNABLES";

/// The older variables for settings of malloc that glibc still reads (mallopt(3)), each with its
/// tunable.
pub const ALIASES: [(&str, &str); 8] = [
    ("MALLOC_ARENA_MAX", "glibc.malloc.arena_max"),
    ("MALLOC_ARENA_TEST", "glibc.malloc.arena_test"),
    ("MALLOC_CHECK_", "glibc.malloc.check"),
    ("MALLOC_MMAP_MAX_", "glibc.malloc.mmap_max"),
    ("MALLOC_MMAP_THRESHOLD_", "glibc.malloc.mmap_threshold"),
    ("MALLOC_PERTURB_", "glibc.malloc.perturb"),
    ("MALLOC_TOP_PAD_", "glibc.malloc.top_pad"),
    ("MALLOC_TRIM_THRESHOLD_", "glibc.malloc.trim_threshold"),
];

/// A setting, checked against what the C library lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunable {
    /// `glibc.malloc.mmap_threshold`.
    pub name: String,
    /// Its value as the C library reads it.
    pub value: String,
}

/// A tunable as `ld.so --list-tunables` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The printed value; empty for a text that is not set.
    pub value: String,
    /// The smallest and the largest value; `None` for a text.
    pub bounds: Option<(i128, i128)>,
}

/// The tunables of one C library.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing(Vec<Listed>);

impl Listing {
    /// Parses the output of `ld.so --list-tunables`. `None`: it has a line that is none of a
    /// tunable, or no line.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let listed: Vec<Listed> = text.lines().map(listed).collect::<Option<_>>()?;
        (!listed.is_empty()).then_some(Listing(listed))
    }

    /// The tunable called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Listed> {
        self.0.iter().find(|listed| listed.name == name)
    }

    /// Checks a setting as the user types it: `glibc.malloc.arena_max=2`, a short name as in
    /// `mmap_threshold=64MiB`, or one of [`ALIASES`].
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn check(&self, typed: &str) -> Result<Tunable, String> {
        let (name, value) = typed.split_once('=').ok_or_else(|| {
            format!("{typed:?} is not a setting: write NAME=VALUE, such as malloc.arena_max=2")
        })?;
        let listed = self.named(name.trim())?;
        let value = value_of(listed, value.trim())?;
        Ok(Tunable { name: listed.name.clone(), value })
    }

    /// The tunable that the user means by `name`.
    fn named(&self, name: &str) -> Result<&Listed, String> {
        let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
        let full = alias.map_or(name, |(_, full)| full);
        if let Some(listed) = self.get(full) {
            return Ok(listed);
        }
        let is_short_for = |listed: &&Listed| {
            !name.is_empty()
                && listed.name.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'))
        };
        let matches: Vec<&Listed> = self.0.iter().filter(is_short_for).collect();
        match matches[..] {
            [only] => Ok(only),
            [] => Err(self.unknown(name)),
            _ => {
                let names: Vec<&str> = matches.iter().map(|listed| &*listed.name).collect();
                Err(format!("{name} may be {}: write one of these", names.join(" or ")))
            }
        }
    }

    fn unknown(&self, name: &str) -> String {
        if let Some(allocator) = allocator_of(name) {
            return format!(
                "{name} is read by {allocator}, not by the C library: write --arm 'name: \
                 @{allocator} {name}=VALUE'"
            );
        }
        let hint = self.hint(name).map_or(String::new(), |near| format!("; did you mean {near}?"));
        format!(
            "the C library of this program has no tunable {name:?}{hint} (ld.so --list-tunables \
             lists all of them)"
        )
    }

    /// The name that is nearest to an unknown one.
    fn hint(&self, name: &str) -> Option<String> {
        if let Some(rest) = name.strip_prefix("MALLOC_") {
            // Not every tunable of malloc has a variable of its own.
            let full = format!("glibc.malloc.{}", rest.trim_end_matches('_').to_lowercase());
            if self.get(&full).is_some() {
                return Some(full);
            }
            let aliases = ALIASES.map(|(alias, _)| alias.to_lowercase());
            let near = nearest(name, aliases.iter().map(String::as_str));
            return near.map(str::to_uppercase);
        }
        let full = |listed: &Listed| listed.name.clone();
        let short = |listed: &Listed| listed.name.rsplit('.').next().unwrap_or_default().to_owned();
        let names: Vec<String> = if name.contains('.') {
            self.0.iter().map(full).collect()
        } else {
            self.0.iter().map(short).collect()
        };
        nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
    }

    /// The values of `tunables` as this listing prints them, made with [`VARIABLE`] set to them.
    ///
    /// # Errors
    /// The first tunable that has another value than the one that was asked for.
    pub fn in_force(&self, tunables: &[Tunable]) -> Result<BTreeMap<String, String>, String> {
        let mut printed = BTreeMap::new();
        for Tunable { name, value } in tunables {
            let listed = self.get(name).ok_or_else(|| {
                format!(
                    "the C library of the program that ran last has no tunable {name}: it is not \
                     the one that the setting was checked against"
                )
            })?;
            let is_it = match (listed.bounds, number(value)) {
                (Some(_), Some(asked)) => number(&listed.value) == Some(asked),
                _ => listed.value == *value,
            };
            if !is_it {
                return Err(format!(
                    "{name}={value} was asked for, but the C library has {} in force: choose a \
                     value that it accepts",
                    listed.value
                ));
            }
            printed.insert(name.clone(), listed.value.clone());
        }
        Ok(printed)
    }
}

/// `name: value (min: …, max: …)`, `name: text` or `name:`.
fn listed(line: &str) -> Option<Listed> {
    let (name, rest) = line.split_once(':')?;
    if name.is_empty() || name.contains(char::is_whitespace) || !name.contains('.') {
        return None;
    }
    let rest = rest.trim();
    let (value, bounds) = match rest.strip_suffix(')').and_then(|rest| rest.split_once(" (min: ")) {
        None => (rest, None),
        Some((value, bounds)) => {
            let (least, most) = bounds.split_once(", max: ")?;
            (value, Some((number(least)?, number(most)?)))
        }
    };
    Some(Listed { name: name.to_owned(), value: value.to_owned(), bounds })
}

/// A number as glibc reads it: decimal, hexadecimal after 0x, octal after 0.
pub(crate) fn number(text: &str) -> Option<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(rest) => (16, rest),
        None if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        None => (10, digits),
    };
    // Of the 128 bits a C library uses 64; from_str_radix takes a sign of its own.
    let is_short = digits.len() <= 20 && digits.starts_with(|c: char| c.is_ascii_alphanumeric());
    is_short.then(|| i128::from_str_radix(digits, radix).ok()).flatten().map(|value| sign * value)
}

/// The allocator, as `--allocator` names it, that reads the environment variable `name`.
fn allocator_of(name: &str) -> Option<&'static str> {
    const PREFIXES: [(&str, &str); 3] =
        [("MALLOC_CONF", "jemalloc"), ("MIMALLOC_", "mimalloc"), ("TCMALLOC_", "tcmalloc")];
    PREFIXES.into_iter().find_map(|(prefix, name_of)| name.starts_with(prefix).then_some(name_of))
}

/// The value of `listed` as the user types it, in the form that glibc reads.
fn value_of(listed: &Listed, typed: &str) -> Result<String, String> {
    let name = &listed.name;
    if typed.is_empty() {
        return Err(format!("{name} has no value: write {name}=VALUE"));
    }
    let Some((least, most)) = listed.bounds else {
        // A colon would begin the next setting.
        return if typed.contains([':', '\0']) {
            Err(format!("the value of {name} must not contain a colon: {typed:?}"))
        } else {
            Ok(typed.to_owned())
        };
    };
    let range = format!("a number from {least} to {most}");
    let value =
        match number(typed) {
            Some(value) => value,
            None => i128::from(parse_bytes(typed).map_err(|error| {
                format!("{name} takes {range}, or a size in that range: {error}")
            })?),
        };
    if (least..=most).contains(&value) {
        Ok(value.to_string())
    } else {
        Err(format!("{name}={typed} is out of bounds: it takes {range}"))
    }
}

/// The value of [`VARIABLE`] with `tunables`, and those of `inherited` that they do not replace.
#[must_use]
pub fn merged(inherited: Option<&OsStr>, tunables: &[Tunable]) -> OsString {
    let is_replaced = |entry: &[u8]| {
        let name = entry.split(|&byte| byte == b'=').next().unwrap_or_default();
        tunables.iter().any(|tunable| tunable.name.as_bytes() == name)
    };
    let inherited = inherited.unwrap_or_default().as_bytes().split(|&byte| byte == b':');
    let mut entries: Vec<Vec<u8>> = inherited
        .filter(|entry| !entry.is_empty() && !is_replaced(entry))
        .map(<[u8]>::to_vec)
        .collect();
    for (place, tunable) in tunables.iter().enumerate() {
        // Of the same tunable twice, the later one counts.
        if tunables[place + 1..].iter().all(|later| later.name != tunable.name) {
            entries.push(format!("{}={}", tunable.name, tunable.value).into_bytes());
        }
    }
    OsString::from_vec(entries.join(&b':'))
}

/// The variables of `environment` that the C library reads settings from.
#[must_use]
pub fn variables_of(environment: &[(OsString, OsString)]) -> Vec<(OsString, OsString)> {
    let is_setting =
        |name: &OsStr| name == VARIABLE || ALIASES.iter().any(|(alias, _)| name == *alias);
    environment.iter().filter(|(name, _)| is_setting(name)).cloned().collect()
}

#[cfg(test)]
mod tests;
