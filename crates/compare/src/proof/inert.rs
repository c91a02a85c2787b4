//! Arms that change nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;

use lab::run::children::PADDING;

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
