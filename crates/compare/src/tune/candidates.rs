//! The candidates: what is present on this machine, in settings that make sense together.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;

use lab::question::preload::Allocator;
use lab::run::allocators;
use results::Refused;
use results::compare::ProgramSample;
use sys::elf::Wanted;
use sys::interrupt::Interrupt;

use crate::arm::PreparedArm;
use crate::error::CompareError;
use crate::request::{ArmRequest, CompareRequest};
use crate::resolve;

/// The arms of a race.
#[derive(Debug, Default)]
pub(super) struct Field {
    /// The program as it is, the user's own candidates, and the curated ones.
    pub(super) arms: Vec<PreparedArm>,
    /// Curated candidates that are not available here.
    pub(super) refused: Vec<Refused<ProgramSample>>,
}

/// What the machine has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Here {
    /// The policy for transparent huge pages, where it is known.
    pub(super) thp: Option<String>,
    /// Whether there are free pages in a pool of hugetlb pages.
    pub(super) has_hugetlb: bool,
    /// Whether something is preloaded already.
    pub(super) is_preloaded: bool,
    /// The value of [`MALLOC_CONF`].
    pub(super) malloc_conf: Option<String>,
}

impl Here {
    fn now() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Here {
            thp: sys::machine::thp(),
            has_hugetlb: sys::facts::hugetlb_pools().iter().any(|pool| pool.free > 0),
            is_preloaded: variable("LD_PRELOAD").is_some(),
            malloc_conf: variable(MALLOC_CONF),
        }
    }

    fn fits(&self, when: When) -> bool {
        match when {
            When::Always => true,
            When::HugePagesOnRequest => self.thp.as_deref() == Some("madvise"),
            When::Hugetlb => self.has_hugetlb,
        }
    }
}

/// When a setting can change something.
#[derive(Debug, Clone, Copy)]
enum When {
    Always,
    /// Where huge pages are given to those that ask for them (madvise(2)).
    HugePagesOnRequest,
    /// Where there are pages of hugetlbfs.
    Hugetlb,
}

/// Settings of glibc that make sense together. A threshold that is set does not adapt any more
/// (mallopt(3), `M_MMAP_THRESHOLD`), so the thresholds are set together. Older versions of glibc
/// ignore a `mmap_threshold` above 32 MiB.
const OF_GLIBC: [(&str, When, &[&str]); 8] = [
    ("keep", When::Always, &["mmap_threshold=32MiB", "trim_threshold=1GiB"]),
    ("pad", When::Always, &["mmap_threshold=32MiB", "trim_threshold=1GiB", "top_pad=64MiB"]),
    ("return", When::Always, &["mmap_threshold=128KiB", "trim_threshold=128KiB"]),
    ("arena1", When::Always, &["arena_max=1"]),
    ("arena2", When::Always, &["arena_max=2"]),
    ("thp", When::HugePagesOnRequest, &["hugetlb=1"]),
    (
        "keep+thp",
        When::HugePagesOnRequest,
        &["hugetlb=1", "mmap_threshold=32MiB", "trim_threshold=1GiB"],
    ),
    ("hugetlb", When::Hugetlb, &["hugetlb=2"]),
];

/// The variable that jemalloc reads its options from, as a list.
const MALLOC_CONF: &str = "MALLOC_CONF";

/// A setting of an allocator.
struct Setting {
    allocator: &'static str,
    name: &'static str,
    when: When,
    /// The name of the option in the library's constant data: other versions do not have it.
    option: &'static str,
    /// An option that a newer version has instead of it.
    unless: Option<&'static str>,
    variable: &'static str,
    value: &'static str,
}

/// The names of the settings say the same of all allocators: "keep" never gives memory back to the
/// kernel, "return" does so at once.
const SETTINGS: [Setting; 11] = [
    jemalloc("keep", "muzzy_decay_ms", "dirty_decay_ms:-1,muzzy_decay_ms:-1"),
    jemalloc("return", "muzzy_decay_ms", "dirty_decay_ms:0,muzzy_decay_ms:0"),
    jemalloc("thread", "background_thread", "background_thread:true"),
    Setting {
        when: When::HugePagesOnRequest,
        ..jemalloc("thp", "metadata_thp", "thp:always,metadata_thp:auto")
    },
    mimalloc("keep", "purge_delay", "MIMALLOC_PURGE_DELAY", "-1"),
    mimalloc("return", "purge_delay", "MIMALLOC_PURGE_DELAY", "0"),
    Setting {
        unless: Some("purge_delay"),
        ..mimalloc("keep", "allow_decommit", "MIMALLOC_ALLOW_DECOMMIT", "0")
    },
    Setting {
        unless: Some("purge_delay"),
        ..mimalloc("return", "decommit_delay", "MIMALLOC_DECOMMIT_DELAY", "0")
    },
    mimalloc("large", "allow_large_os_pages", "MIMALLOC_ALLOW_LARGE_OS_PAGES", "1"),
    Setting {
        unless: Some("allow_large_os_pages"),
        ..mimalloc("large", "large_os_pages", "MIMALLOC_LARGE_OS_PAGES", "1")
    },
    tcmalloc("return", "TCMALLOC_AGGRESSIVE_DECOMMIT", "1"),
];

/// 256 MiB instead of 32: for programs with many threads.
const TCMALLOC_CACHE: Setting =
    tcmalloc("cache", "TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES", "268435456");

const fn jemalloc(name: &'static str, option: &'static str, value: &'static str) -> Setting {
    let (allocator, variable) = ("jemalloc", MALLOC_CONF);
    Setting { allocator, name, when: When::Always, option, unless: None, variable, value }
}

const fn mimalloc(
    name: &'static str,
    option: &'static str,
    variable: &'static str,
    value: &'static str,
) -> Setting {
    let allocator = "mimalloc";
    Setting { allocator, name, when: When::Always, option, unless: None, variable, value }
}

const fn tcmalloc(name: &'static str, variable: &'static str, value: &'static str) -> Setting {
    let (allocator, option) = ("tcmalloc", variable);
    Setting { allocator, name, when: When::Always, option, unless: None, variable, value }
}

fn settings() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().chain(std::iter::once(&TCMALLOC_CACHE))
}

/// The allocators that are tried.
const ALLOCATORS: [&str; 3] = ["jemalloc", "mimalloc", "tcmalloc"];

/// The arms of a race for `request`, whose arms are the program as it is and the user's own
/// candidates.
///
/// # Errors
/// A candidate that the user named is not available; names that stand for two arms.
pub(super) fn field(request: &CompareRequest, interrupt: Interrupt) -> Result<Field, CompareError> {
    let mut field = Field { arms: resolve::arms(request, interrupt)?, ..Field::default() };
    let here = Here::now();
    let mut curated = of_glibc(&here);
    for name in ALLOCATORS {
        match options_of(name, interrupt) {
            Ok(options) => curated.extend(of_allocator(name, &options, &here)),
            Err(reason) => field.refused.push(refused(name.to_owned(), reason)),
        }
    }
    curated.extend(huge_pages_off(&here));
    // The user's own candidate of that name stands.
    curated.retain(|arm| request.arms.iter().all(|own| own.name != arm.name));
    for asked in curated {
        match resolve::arm(&asked, request, interrupt) {
            Ok(arm) => field.arms.push(arm),
            Err(CompareError::Arm { arm, reason }) => field.refused.push(refused(arm, reason)),
            Err(other) => return Err(other),
        }
    }
    Ok(field)
}

fn refused(arm: String, reason: String) -> Refused<ProgramSample> {
    Refused { arm, reason, failed: false, samples: Vec::new() }
}

/// Settings of the C library's malloc, which must be the one that the program gets.
fn of_glibc(here: &Here) -> Vec<ArmRequest> {
    let system = || here.is_preloaded.then(|| Allocator::named("system").ok()).flatten();
    let plain = ArmRequest { name: "glibc".to_owned(), ..ArmRequest::default() };
    let with = |(name, _, tunables): &(&str, When, &[&str])| ArmRequest {
        name: format!("glibc+{name}"),
        tunables: tunables.iter().map(|tunable| format!("glibc.malloc.{tunable}")).collect(),
        ..ArmRequest::default()
    };
    let settings = OF_GLIBC.iter().filter(|(_, when, _)| here.fits(*when)).map(with);
    let plain = here.is_preloaded.then_some(plain);
    let arms = plain.into_iter().chain(settings);
    arms.map(|arm| ArmRequest { allocator: system(), ..arm }).collect()
}

/// The allocator `name` as it is, and with those settings that its version has: `options` are the
/// names in its library.
fn of_allocator(name: &str, options: &BTreeSet<String>, here: &Here) -> Vec<ArmRequest> {
    let Ok(allocator) = Allocator::named(name) else { return Vec::new() };
    let arm = |name: String, variables: Vec<(OsString, Option<OsString>)>| ArmRequest {
        name,
        allocator: Some(allocator.clone()),
        variables,
        ..ArmRequest::default()
    };
    let has = |option: &str| options.contains(option);
    let fits = |setting: &&Setting| {
        setting.allocator == name
            && here.fits(setting.when)
            && has(setting.option)
            && !setting.unless.is_some_and(has)
    };
    let with = |setting: &Setting| {
        let inherited = here.malloc_conf.as_deref().filter(|_| setting.variable == MALLOC_CONF);
        // Of an option that is there twice, jemalloc takes the later one.
        let value = match inherited {
            Some(inherited) => format!("{inherited},{}", setting.value),
            None => setting.value.to_owned(),
        };
        let variables = vec![(setting.variable.into(), Some(value.into()))];
        arm(format!("{name}+{}", setting.name), variables)
    };
    let plain = arm(name.to_owned(), Vec::new());
    std::iter::once(plain).chain(settings().filter(fits).map(with)).collect()
}

/// Without huge pages, where the machine gives them to everybody.
fn huge_pages_off(here: &Here) -> Option<ArmRequest> {
    (here.thp.as_deref() == Some("always")).then(|| ArmRequest {
        name: "thp=never".to_owned(),
        huge_pages_off: true,
        ..ArmRequest::default()
    })
}

/// The names of options in the library of the allocator `name`.
///
/// # Errors
/// Why it is not available here.
fn options_of(name: &str, interrupt: Interrupt) -> Result<BTreeSet<String>, String> {
    let found = allocators::find(&Allocator::named(name)?, interrupt)?;
    let texts: Vec<&str> = settings()
        .flat_map(|setting| std::iter::once(setting.option).chain(setting.unless))
        .collect();
    let wanted = Wanted { texts: &texts, ..Wanted::default() };
    let unreadable = |error: String| format!("cannot read {}: {error}", found.origin);
    let file = File::open(&found.origin).map_err(|error| unreadable(error.to_string()))?;
    let linkage =
        sys::elf::linkage(file, wanted).map_err(|error| unreadable(format!("{error:?}")))?;
    Ok(linkage.texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn names(arms: &[ArmRequest]) -> Vec<&str> {
        arms.iter().map(|arm| arm.name.as_str()).collect()
    }

    fn with(thp: &str) -> Here {
        Here { thp: Some(thp.to_owned()), ..Here::default() }
    }

    #[test]
    fn only_what_can_change_something_is_tried() {
        let plain = ["glibc+keep", "glibc+pad", "glibc+return", "glibc+arena1", "glibc+arena2"];
        let asking = [&plain[..], &["glibc+thp", "glibc+keep+thp"]].concat();
        assert_eq!(names(&of_glibc(&with("madvise"))), asking);
        assert_eq!(names(&of_glibc(&with("always"))), plain);
        assert_eq!(names(&of_glibc(&with("never"))), plain);
        let pool = Here { has_hugetlb: true, ..with("never") };
        assert_eq!(names(&of_glibc(&pool)).last(), Some(&"glibc+hugetlb"));
        assert!(huge_pages_off(&with("always")).is_some_and(|arm| arm.huge_pages_off));
        assert!(huge_pages_off(&with("madvise")).is_none());
        assert!(huge_pages_off(&with("never")).is_none());
    }

    /// Whoever preloads an allocator for everything gets the C library's back.
    #[test]
    fn glibc_is_a_candidate_of_its_own_where_something_is_preloaded() {
        assert!(of_glibc(&with("never")).iter().all(|arm| arm.allocator.is_none()));
        let arms = of_glibc(&Here { is_preloaded: true, ..with("never") });
        assert_eq!(arms[0].name, "glibc");
        assert!(arms.iter().all(|arm| arm.allocator.as_ref().is_some_and(|a| a.name == "system")));
    }

    #[test]
    fn settings_are_those_of_the_version() {
        let value = |arms: &[ArmRequest], name: &str| {
            let arm = arms.iter().find(|arm| arm.name == name).unwrap();
            let (variable, value) = &arm.variables[0];
            format!("{}={}", variable.display(), value.as_ref().unwrap().display())
        };
        let old = options(&["allow_decommit", "decommit_delay", "large_os_pages"]);
        let arms = of_allocator("mimalloc", &old, &with("madvise"));
        let all = ["mimalloc", "mimalloc+keep", "mimalloc+return", "mimalloc+large"];
        assert_eq!(names(&arms), all);
        assert_eq!(value(&arms, "mimalloc+return"), "MIMALLOC_DECOMMIT_DELAY=0");
        assert_eq!(value(&arms, "mimalloc+large"), "MIMALLOC_LARGE_OS_PAGES=1");
        let new = ["purge_delay", "allow_large_os_pages", "large_os_pages", "decommit_delay"];
        let arms = of_allocator("mimalloc", &options(&new), &with("madvise"));
        assert_eq!(names(&arms), all);
        assert_eq!(value(&arms, "mimalloc+return"), "MIMALLOC_PURGE_DELAY=0");
        assert_eq!(value(&arms, "mimalloc+large"), "MIMALLOC_ALLOW_LARGE_OS_PAGES=1");
        assert_eq!(names(&of_allocator("tcmalloc", &options(&[]), &with("never"))), ["tcmalloc"]);
        let jemalloc = options(&["muzzy_decay_ms", "background_thread", "metadata_thp"]);
        let inherited = Here { malloc_conf: Some("narenas:1".to_owned()), ..with("always") };
        let arms = of_allocator("jemalloc", &jemalloc, &inherited);
        let all = ["jemalloc", "jemalloc+keep", "jemalloc+return", "jemalloc+thread"];
        assert_eq!(names(&arms), all);
        assert_eq!(value(&arms, "jemalloc+thread"), "MALLOC_CONF=narenas:1,background_thread:true");
    }

    #[test]
    fn every_candidate_is_in_the_documentation() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/compare.md");
        let text = std::fs::read_to_string(path).unwrap();
        let table: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
        let has = |row: &str, words: &[&str]| {
            let row = table
                .iter()
                .find(|line| line.starts_with(row) && words.iter().all(|w| line.contains(w)));
            assert!(row.is_some(), "no row {row:?} with {words:?}");
        };
        for (name, ..) in OF_GLIBC {
            has("| `glibc+", &[&format!("`glibc+{name}`")]);
        }
        for setting in settings() {
            let name = format!("+{}`", setting.name);
            let row = format!("| `{}+", setting.allocator);
            let option =
                if setting.variable == MALLOC_CONF { setting.option } else { setting.variable };
            has(&row, &[&name, option]);
        }
        has("| `thp=never`", &[]);
    }
}
