//! Files whose code has no names, with what its callers cost.

use std::collections::BTreeMap;
use std::fmt::Write;

use events::{BuildId, Definitions, ModuleId};
use results::recording::{SiteRow, Unnamed, UnnamedFile};

use super::caller::caller_of;
use super::names::Names;
use crate::allocations::{AllocationAccount, ResolvedFrame, Site};

/// What the callers in a file cost.
#[derive(Debug, Default)]
#[expect(clippy::struct_field_names, reason = "their unit")]
struct CallerCosts {
    all_ns: u64,
    /// Those without a function.
    nameless_ns: u64,
    /// Those with a function, but without a line.
    lineless_ns: u64,
}

/// A build of a file: its path and its build id.
type Build = (String, Option<String>);

/// `files`, which have no names or fewer than they could have, with the costs of their callers; and
/// those of which nothing is known but that callers have no name or line.
pub(super) fn with_costs(
    files: Vec<UnnamedFile>,
    account: &AllocationAccount,
    definitions: &Definitions,
    names: &Names,
    sites: &[(&Site, SiteRow)],
) -> Vec<UnnamedFile> {
    let mut callers = callers(account, definitions, names, sites);
    let mut unnamed = Vec::new();
    let mut reasons = BTreeMap::new();
    for file in files {
        let build = (file.path.clone(), file.build_id.clone());
        let costs = callers.get_mut(&build);
        let cost_ns = match file.why {
            Unnamed::Changed | Unnamed::Missing | Unnamed::Unreadable => {
                // They have been named with their reason.
                costs.map_or(0, |costs| std::mem::take(&mut costs.nameless_ns))
            }
            Unnamed::Unchecked => costs.map_or(0, |costs| costs.all_ns),
            Unnamed::Stripped | Unnamed::NoLines => {
                reasons.insert(build, file.reason);
                continue;
            }
        };
        unnamed.push(UnnamedFile { cost_ns, ..file });
    }
    for (build, costs) in callers {
        let (why, cost_ns) = match costs {
            CallerCosts { nameless_ns: 0, lineless_ns: 0, .. } => continue,
            CallerCosts { nameless_ns: 0, lineless_ns, .. } => (Unnamed::NoLines, lineless_ns),
            CallerCosts { nameless_ns, .. } => (Unnamed::Stripped, nameless_ns),
        };
        let reason = reasons.remove(&build).flatten();
        let (path, build_id) = build;
        unnamed.push(UnnamedFile { path, why, build_id, reason, cost_ns });
    }
    unnamed
}

/// The costs of the callers in each file.
fn callers(
    account: &AllocationAccount,
    definitions: &Definitions,
    names: &Names,
    sites: &[(&Site, SiteRow)],
) -> BTreeMap<Build, CallerCosts> {
    let mut by_module: BTreeMap<ModuleId, CallerCosts> = BTreeMap::new();
    for (site, row) in sites {
        let Some(caller) = caller_of(account, names, site) else { continue };
        let ResolvedFrame::InFile { module, .. } = caller.frame else { continue };
        let known_ns = row.costs.apparent_ns.saturating_add(row.costs.release_ns);
        let ns = row.costs.true_ns.unwrap_or(known_ns);
        let costs = by_module.entry(module).or_default();
        let part = |sum: &mut u64| *sum = sum.saturating_add(ns);
        part(&mut costs.all_ns);
        match caller.name {
            Some(name) if name.function.is_some() && name.line.is_some() => {}
            Some(name) if name.function.is_some() => part(&mut costs.lineless_ns),
            _ => part(&mut costs.nameless_ns),
        }
    }
    let mut callers: BTreeMap<Build, CallerCosts> = BTreeMap::new();
    for (id, costs) in by_module {
        let Some(module) = definitions.module(id) else { continue };
        let build_id = definitions.build_id(id).map(BuildId::as_bytes).map(hexadecimal);
        let build = (definitions.text(module.path).to_owned(), build_id);
        let sums = callers.entry(build).or_default();
        for (sum, ns) in [
            (&mut sums.all_ns, costs.all_ns),
            (&mut sums.nameless_ns, costs.nameless_ns),
            (&mut sums.lineless_ns, costs.lineless_ns),
        ] {
            *sum = sum.saturating_add(ns);
        }
    }
    callers
}

/// A build id as tools write it.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
