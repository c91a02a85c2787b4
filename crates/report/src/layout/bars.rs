//! Regions as letters, to scale.

use results::layout::{Region, RegionKind};

use super::areas::{Area, Place};

/// The letter of each kind, and the word for it.
pub(super) const LETTERS: [(&[RegionKind], char, &str); 11] = [
    (&[RegionKind::Text], 'T', "text"),
    (&[RegionKind::Rodata], 'R', "rodata"),
    (&[RegionKind::Data], 'D', "data"),
    (&[RegionKind::Bss], 'B', "bss"),
    (&[RegionKind::Heap], 'H', "heap"),
    (&[RegionKind::Mmap], 'M', "anonymous"),
    (&[RegionKind::Arena], 'A', "arena"),
    (&[RegionKind::File], 'F', "file"),
    (&[RegionKind::Stack, RegionKind::ThreadStack], 'S', "stack"),
    (&[RegionKind::Vdso, RegionKind::Vvar], 'V', "vdso/vvar"),
    (&[RegionKind::Other], 'O', "other"),
];

/// The smallest power of two at which every place of `area` has no more than `cells` letters.
pub(super) fn cell_bytes(area: &Area, cells: usize) -> u64 {
    let places = || area.places.iter().filter(|place| !place.folded);
    let fits = |bytes: u64| {
        places().all(|place| {
            place.regions.iter().map(|region| count(region, bytes)).sum::<u64>() <= cells as u64
        })
    };
    let largest = places().map(|place| place.size_bytes).max().unwrap_or(1);
    let mut bytes = 4096;
    while !fits(bytes) && bytes < largest {
        bytes *= 2;
    }
    bytes
}

/// The number of letters of a region, at least one.
fn count(region: &Region, cell_bytes: u64) -> u64 {
    ((region.bytes() + cell_bytes / 2) / cell_bytes).max(1)
}

/// The letters of a place, from its low end.
pub(super) fn letters(place: &Place, cell_bytes: u64) -> String {
    place.regions.iter().map(|region| bar(region, count(region, cell_bytes))).collect()
}

fn bar(region: &Region, cells: u64) -> String {
    if region.perms.starts_with("---") {
        return "-".repeat(usize::try_from(cells).unwrap_or(0));
    }
    let letter = LETTERS
        .iter()
        .find(|(kinds, ..)| kinds.contains(&region.kind))
        .map_or('O', |(_, letter, _)| *letter);
    let share = |number: u64| {
        resident_share(region, number as f64 / cells as f64, (number + 1) as f64 / cells as f64)
    };
    (0..cells)
        .map(|number| if share(number) >= 0.5 { letter } else { letter.to_ascii_lowercase() })
        .collect()
}

/// The resident share of the part of `region` from one share of its size to another. Without data
/// on its parts, the share of the whole.
pub(super) fn resident_share(region: &Region, from: f64, to: f64) -> f64 {
    let size = region.bytes() as f64;
    let Some(parts) = region.parts.as_ref().filter(|parts| parts.part_bytes > 0) else {
        return region.resident_bytes as f64 / size.max(1.0);
    };
    let (from, to) = (from * size, to * size);
    let mut resident = 0.0;
    for (number, &bytes) in parts.resident_bytes.iter().enumerate() {
        let start = number as f64 * parts.part_bytes as f64;
        let end = (start + parts.part_bytes as f64).min(size);
        let common = (end.min(to) - start.max(from)).max(0.0);
        resident += bytes as f64 * common / (end - start).max(1.0);
    }
    resident / (to - from).max(1.0)
}
