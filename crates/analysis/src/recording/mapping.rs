//! What mappings took, with sites as rows of the report.

use results::recording::{
    MappingCosts, MappingFigures, MappingHeld, MappingLimits, MappingMost, MappingOfSite,
    MappingProcesses, MappingRestKind, MappingRestRow, MappingTimes, SiteRow,
};

use super::timeline::RowsBySite;
use crate::address_space::{HeldSizes, MappingHolder, MappingPeak, MappingSizes};
use crate::allocations::{AllocationAccount, Site};

/// What the mappings of `account` took; `sites` are the rows in their order. `None`: not known,
/// since syscalls were not recorded, or not at all times.
pub(super) fn mapping(
    account: &AllocationAccount,
    sites: &[(&Site, SiteRow)],
    limits: MappingLimits,
) -> Option<MappingCosts> {
    let taken = &account.mappings;
    if !account.header.sees.calls || account.pauses > 0 || taken.mappings.is_none() {
        return None;
    }
    let rows = RowsBySite::new(account, sites);
    let (mut by_site, mut rest) = (Vec::new(), Vec::new());
    for &(holder, sizes) in &taken.holders {
        let held = held(sizes);
        match row_of(holder, &rows) {
            Ok(site) => by_site.push(MappingOfSite { site, held }),
            Err(kind) => rest.push(MappingRestRow { kind, held }),
        }
    }
    let order =
        |held: &MappingHeld| std::cmp::Reverse((held.bytes, held.mappings, held.accounted_bytes));
    by_site.sort_by_key(|row| (order(&row.held), row.site));
    rest.sort_by_key(|row| (order(&row.held), row.kind));
    Some(MappingCosts {
        peak: most(account),
        end: figures(taken.end),
        limits,
        by_site,
        rest,
        hidden_processes: taken.hidden_processes,
    })
}

/// The row of a holder, or what it is if it is no site.
fn row_of(holder: MappingHolder, rows: &RowsBySite<'_>) -> Result<usize, MappingRestKind> {
    match holder {
        MappingHolder::Site(number) => {
            let row = usize::try_from(number).ok().and_then(|place| rows.row(place));
            row.ok_or(MappingRestKind::Other)
        }
        MappingHolder::Program => Err(MappingRestKind::Program),
        MappingHolder::Files => Err(MappingRestKind::Files),
        MappingHolder::Stack => Err(MappingRestKind::Stack),
        MappingHolder::Other => Err(MappingRestKind::Other),
    }
}

fn held(HeldSizes { bytes, accounted_bytes, mappings }: HeldSizes) -> MappingHeld {
    MappingHeld { bytes, mappings, accounted_bytes }
}

fn figures(sizes: MappingSizes) -> MappingFigures {
    MappingFigures {
        page_tables_bytes: sizes.page_tables_bytes,
        accounted_bytes: sizes.accounted_bytes,
        mappings: sizes.mappings,
        address_space_bytes: sizes.address_space_bytes,
        touched_bytes: sizes.touched_bytes,
    }
}

fn most(account: &AllocationAccount) -> MappingMost {
    let taken = &account.mappings;
    let value = |peak: Option<MappingPeak>| peak.map(|peak| peak.value);
    let time = |peak: Option<MappingPeak>| {
        peak.map(|peak| peak.time_ns.saturating_sub(account.header.began_ns))
    };
    let process = |peak: Option<MappingPeak>| peak.map(|peak| peak.pid);
    MappingMost {
        figures: MappingFigures {
            page_tables_bytes: value(taken.page_tables),
            accounted_bytes: value(taken.accounted),
            mappings: value(taken.mappings),
            address_space_bytes: value(taken.address_space),
            touched_bytes: value(taken.touched),
        },
        at: MappingTimes {
            page_tables_ns: time(taken.page_tables),
            accounted_ns: time(taken.accounted),
            mappings_ns: time(taken.mappings),
            address_space_ns: time(taken.address_space),
            touched_ns: time(taken.touched),
        },
        process: MappingProcesses {
            page_tables: process(taken.page_tables),
            accounted: process(taken.accounted),
            mappings: process(taken.mappings),
            address_space: process(taken.address_space),
            touched: process(taken.touched),
        },
    }
}
