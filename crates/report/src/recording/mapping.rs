//! What mappings took beside resident memory: the figures that matter, or all of them.

use results::recording::{MappingCosts, MappingRestKind, RecordingReport};

use crate::number::{bytes, count, several};
use crate::text::{clean, hanging};
use crate::view::View;

/// The line, and with `-v` who held most; nothing if nothing matters or is known.
pub(super) fn mapping(report: &RecordingReport, view: View) -> String {
    let Some(costs) = &report.mapping else { return String::new() };
    let figures = [
        (costs.has_large_tables(), page_tables(costs)),
        (costs.has_idle_commitment(), accounted(report, costs)),
        (costs.has_many_mappings(), mappings(report, costs)),
        (costs.has_large_address_space(), address_space(report, costs, view)),
    ];
    let shown = figures.into_iter().filter(|(matters, _)| view.verbose || *matters);
    let shown: Vec<String> = shown.filter_map(|(_, figure)| figure).collect();
    if shown.is_empty() {
        return String::new();
    }
    let who = if report.totals.processes > 1 { ", at most, of one process" } else { ", at most" };
    let text = format!("Mappings{who}: {}.", shown.join(", "));
    let mut text = "\n".to_owned() + &hanging("", &text, view.width);
    if view.verbose {
        text += &hanging("", &rest(costs), view.width);
    }
    text
}

fn page_tables(costs: &MappingCosts) -> Option<String> {
    let size = bytes(costs.peak.figures.page_tables_bytes? as f64);
    let touched = costs
        .peak
        .figures
        .touched_bytes
        .map_or(String::new(), |touched| format!(" (for {} touched)", bytes(touched as f64)));
    Some(format!("page tables {size}{touched}"))
}

fn accounted(report: &RecordingReport, costs: &MappingCosts) -> Option<String> {
    let size = bytes(costs.peak.figures.accounted_bytes? as f64);
    let by = of_site(report, costs.main_site_by_accounted(), |held| bytes(held as f64));
    Some(format!("accounted {size}{by}"))
}

fn mappings(report: &RecordingReport, costs: &MappingCosts) -> Option<String> {
    let mappings = costs.peak.figures.mappings?;
    let by = of_site(report, costs.main_site_by_mappings(), |held| count(held as f64));
    Some(match costs.limits.mappings_max {
        Some(most) => format!("{} of {} mappings{by}", count(mappings as f64), count(most as f64)),
        None => several(mappings, "mapping", "mappings") + &by,
    })
}

fn address_space(report: &RecordingReport, costs: &MappingCosts, view: View) -> Option<String> {
    let size = bytes(costs.peak.figures.address_space_bytes? as f64);
    let by = of_site(report, costs.main_site_by_bytes(), |held| bytes(held as f64));
    Some(match costs.limits.address_space_max_bytes {
        Some(most) => format!("address space {size} of {}{by}", bytes(most as f64)),
        None if view.verbose => format!("address space {size}{by}"),
        None => return None,
    })
}

/// The site that held much of a figure.
fn of_site(
    report: &RecordingReport,
    main: Option<(usize, u64)>,
    text: impl Fn(u64) -> String,
) -> String {
    let Some((site, held)) = main else { return String::new() };
    let caller = report.callers.iter().find(|caller| caller.sites.contains(&site));
    let name = caller.map_or("an unknown site", |caller| caller.function.as_str());
    format!(" ({} by {})", text(held), clean(name))
}

/// Who held addresses, in all.
fn rest(costs: &MappingCosts) -> String {
    let of_sites = costs.bytes_of_sites();
    let sites = (of_sites > 0).then(|| format!("{} call sites", bytes(of_sites as f64)));
    let others = costs.rest.iter().map(|row| {
        let kind = match row.kind {
            MappingRestKind::Program => "the program itself",
            MappingRestKind::Files => "files and code",
            MappingRestKind::Stack => "stack",
            MappingRestKind::Other => "others",
        };
        format!("{} {kind}", bytes(row.held.bytes as f64))
    });
    let parts: Vec<String> = sites.into_iter().chain(others).collect();
    format!("Addresses: {}.", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use results::recording::{
        CallerRow, MappingFigures, MappingHeld, MappingLimits, MappingMost, MappingOfSite,
        MappingRestRow,
    };

    use super::*;

    fn report() -> RecordingReport {
        let figures = MappingFigures {
            page_tables_bytes: Some(3 << 20),
            accounted_bytes: Some(40 << 20),
            mappings: Some(40_000),
            address_space_bytes: Some(1 << 30),
            touched_bytes: Some(20 << 20),
        };
        let held = MappingHeld { bytes: 1 << 29, mappings: 39_000, accounted_bytes: 1 << 20 };
        let costs = MappingCosts {
            peak: MappingMost { figures, ..MappingMost::default() },
            limits: MappingLimits { mappings_max: Some(65_530), ..MappingLimits::default() },
            by_site: vec![MappingOfSite { site: 0, held }],
            rest: vec![MappingRestRow { kind: MappingRestKind::Files, held }],
            ..MappingCosts::default()
        };
        let caller = CallerRow { function: "grow".into(), sites: vec![0], ..CallerRow::default() };
        let (callers, mapping) = (vec![caller], Some(costs));
        RecordingReport { callers, mapping, ..RecordingReport::default() }
    }

    #[test]
    fn it_says_what_matters_and_with_v_everything() {
        let (view, mut report) = (View::default(), report());
        assert_eq!(
            mapping(&report, view),
            "\nMappings, at most: page tables 3 MiB (for 20 MiB touched), 40,000 of 65,530 \
             mappings (39,000 by grow).\n"
        );
        let verbose = View { verbose: true, ..view };
        assert_eq!(
            mapping(&report, verbose),
            "\nMappings, at most: page tables 3 MiB (for 20 MiB touched), accounted 40 MiB, \
             40,000 of 65,530 mappings (39,000 by grow), address space 1 GiB (512 MiB by grow).\n\
             Addresses: 512 MiB call sites, 512 MiB files and code.\n"
        );
        report.mapping = None;
        assert_eq!(mapping(&report, verbose), "");
    }
}
