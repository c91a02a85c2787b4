//! Which places have a line of their own, and which are added up.

use std::collections::BTreeSet;

use results::layout::RegionKind;

use super::areas::{Area, MMAP_AREA, Place};

/// How many places of the mmap area a screen shows one by one: of mapped files, most of which are
/// libraries, and of everything else.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    pub(super) files: usize,
    pub(super) others: usize,
}

/// Keeps the largest places of the mmap area, and adds up the others: one line for files and one
/// for everything else, at the low end of the area.
pub(super) fn gather(areas: &mut [Area], most: Most) {
    for area in areas.iter_mut().filter(|area| area.name == MMAP_AREA) {
        let Some(start) = area.places.iter().map(|place| place.start).min() else { continue };
        let is_file = |place: &Place| place.regions[0].kind == RegionKind::File;
        let files = smallest(&area.places, is_file, most.files);
        let others = smallest(&area.places, |place| !is_file(place), most.others);
        let (mut kept, mut small_files, mut small_others) = (Vec::new(), Vec::new(), Vec::new());
        for (index, place) in std::mem::take(&mut area.places).into_iter().enumerate() {
            match (files.contains(&index), others.contains(&index)) {
                (true, _) => small_files.push(place),
                (_, true) => small_others.push(place),
                _ => kept.push(place),
            }
        }
        let is_library = |place: &Place| place.name.contains(".so");
        let files = if small_files.iter().all(is_library) { "libraries" } else { "files" };
        kept.extend(sum(small_files, files, start));
        kept.extend(sum(small_others, "mappings", start));
        area.places = kept;
    }
}

/// The places for which `of` is true, without the `most` largest. If only one is left, it is kept
/// too: the line of a sum would be no shorter than its own.
fn smallest(places: &[Place], of: impl Fn(&Place) -> bool, most: usize) -> BTreeSet<usize> {
    let mut by_size: Vec<usize> = (0..places.len()).filter(|&index| of(&places[index])).collect();
    // Of places of one size, the highest are kept.
    by_size.sort_by_key(|&index| std::cmp::Reverse(places[index].size_bytes));
    let small: BTreeSet<usize> = by_size.into_iter().skip(most).collect();
    if small.len() == 1 { BTreeSet::new() } else { small }
}

/// One place for all of `places`, in an area that begins at `start`.
fn sum<'a>(places: Vec<Place<'a>>, what: &str, start: u64) -> Option<Place<'a>> {
    let name = format!("{} {what}", places.len());
    let mut places = places.into_iter();
    let first = places.next()?;
    let sum = Place { name, start, end: start, folded: true, free_above_bytes: 0, ..first };
    Some(places.fold(sum, |mut sum, place| {
        sum.size_bytes += place.size_bytes;
        sum.resident_bytes += place.resident_bytes;
        sum.huge_bytes += place.huge_bytes;
        sum
    }))
}

/// Keeps the `most` largest places, and puts neighbours among the others together: for a drawing,
/// where each has its height.
pub(super) fn join_neighbours(places: &mut Vec<Place>, most: usize) {
    if places.len() <= most {
        return;
    }
    let small = smallest(places, |_| true, most);
    let mut joined: Vec<Place> = Vec::new();
    let mut numbers: Vec<usize> = Vec::new();
    for (index, place) in places.drain(..).enumerate() {
        let is_small = small.contains(&index);
        if let Some(last) = joined.last_mut().filter(|last| last.folded && is_small) {
            last.start = place.start;
            last.size_bytes += place.size_bytes;
            last.resident_bytes += place.resident_bytes;
            last.huge_bytes += place.huge_bytes;
            *numbers.last_mut().expect("one a place") += 1;
        } else {
            joined.push(Place { folded: is_small, ..place });
            numbers.push(1);
        }
    }
    for (place, number) in joined.iter_mut().zip(numbers) {
        if place.folded && number > 1 {
            place.name = format!("other ({number})");
        } else {
            place.folded = false;
        }
    }
    *places = joined;
}
