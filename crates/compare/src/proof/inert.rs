//! Arms that change nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;

use lab::run::children::PADDING;
use sys::facts::Pool;

use super::refusal::PRELOAD;
use super::{Picture, resolve};
use crate::arm::PreparedArm;

/// Words about `arm`, if nothing that was seen of its run (the first of `pictures`) differs from
/// that of the `baseline`: what it sets was set before. `without_huge_pages`: nobody gets
/// transparent huge pages on this machine.
#[must_use]
pub fn inert(
    [picture, of_baseline]: [&Picture; 2],
    [arm, baseline]: [&PreparedArm; 2],
    without_huge_pages: bool,
) -> Option<String> {
    let same_pages = without_huge_pages || picture.huge_pages_off == of_baseline.huge_pages_off;
    let is_known = [picture, of_baseline].iter().all(|one| {
        one.unseen.is_none()
            && one.loaded.as_ref().is_some_and(|loaded| !loaded.is_empty())
            && one.environment.is_some()
    });
    let is_alike = is_known
        && arm.command == baseline.command
        && picture.program.path == of_baseline.program.path
        && resolve::malloc(picture).file() == resolve::malloc(of_baseline).file()
        && files(picture) == files(of_baseline)
        && variables(picture) == variables(of_baseline)
        && same_pages;
    is_alike.then(|| {
        format!(
            "nothing that was seen differs from {}: the same program, libraries, malloc, variables \
             and huge page policy, so this arm is one more placebo",
            baseline.name
        )
    })
}

/// Words about a setting of `arm` that makes malloc ask for huge pages where there are none: `thp`
/// is the machine's policy. The setting is in force all the same.
#[must_use]
pub fn huge_pages_in_vain(arm: &PreparedArm, thp: Option<&str>, pools: &[Pool]) -> Option<String> {
    let wanted = arm.tunables.iter().rfind(|tunable| tunable.name == "glibc.malloc.hugetlb")?;
    match crate::tunables::number(&wanted.value)? {
        1 if thp == Some("never") => Some(
            "glibc.malloc.hugetlb=1 asks for transparent huge pages, which are off on this \
             machine: malloc gets ordinary ones"
                .to_owned(),
        ),
        1 if thp == Some("always") => Some(
            "glibc.malloc.hugetlb=1 asks for transparent huge pages, which this machine gives in \
             any case"
                .to_owned(),
        ),
        0 | 1 => None,
        size => {
            // 2 is the default size of hugetlb pages.
            let fits = |pool: &&Pool| size == 2 || i128::from(pool.page_bytes) == size;
            let has_pages = pools.iter().filter(fits).any(|pool| pool.free > 0);
            (!has_pages).then(|| {
                "glibc.malloc.hugetlb takes pages of hugetlbfs, of which none are free here \
                 (vm.nr_hugepages): malloc gets ordinary ones"
                    .to_owned()
            })
        }
    }
}

/// What is loaded, apart from its order: it matters to malloc, which is looked at by itself.
fn files(picture: &Picture) -> BTreeSet<&std::path::Path> {
    picture.loaded.iter().flatten().map(|file| file.path.as_path()).collect()
}

/// The environment without the variable whose effect is in [`files`], and without what firsttouch
/// adds.
fn variables(picture: &Picture) -> BTreeMap<&OsStr, &OsStr> {
    let all = picture.environment.iter().flatten();
    all.map(|(name, value)| (name.as_os_str(), value.as_os_str()))
        .filter(|(name, _)| *name != PRELOAD && *name != PADDING)
        .collect()
}
