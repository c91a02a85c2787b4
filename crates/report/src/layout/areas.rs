//! Regions put together: those of one library, arena or stack are a place, and places are in areas.

use results::layout::{LayoutRun, Region, RegionKind};

/// Places that lie together, highest first.
pub(super) struct Area<'a> {
    pub(super) name: &'static str,
    pub(super) is_program: bool,
    pub(super) places: Vec<Place<'a>>,
}

/// Neighbouring regions that belong together, lowest first; or several small places in one.
pub(super) struct Place<'a> {
    pub(super) name: String,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) size_bytes: u64,
    pub(super) resident_bytes: u64,
    pub(super) huge_bytes: u64,
    pub(super) is_heap: bool,
    pub(super) regions: Vec<&'a Region>,
    /// Of several, whose addresses are not told.
    pub(super) folded: bool,
}

/// More regions than this are not one place: a bar has that many letters at least.
const MOST_REGIONS: usize = 8;

/// The areas of `run`, highest first, with no more than `most` places of the mmap area told one by
/// one.
pub(super) fn areas(run: &LayoutRun, most: Option<usize>) -> Vec<Area<'_>> {
    let mut areas: Vec<Area> = Vec::new();
    // The vsyscall page is not in the process's half of the address space: the legend says where it
    // is.
    for region in run.regions.iter().rev().filter(|region| region.kind != RegionKind::Vsyscall) {
        let (name, is_program) = match region.kind {
            RegionKind::Text | RegionKind::Rodata | RegionKind::Data | RegionKind::Bss => {
                ("program", true)
            }
            RegionKind::Heap => ("heap", false),
            RegionKind::Stack => ("stack", false),
            // They lie beside the stack or among the libraries.
            RegionKind::Vdso | RegionKind::Vvar
                if areas.last().is_some_and(|area| area.name != "heap") =>
            {
                (areas[areas.len() - 1].name, false)
            }
            _ => ("mmap area", false),
        };
        if areas.last().is_none_or(|area| area.name != name) {
            areas.push(Area { name, is_program, places: Vec::new() });
        }
        let places = &mut areas.last_mut().expect("pushed above").places;
        match places.last_mut().filter(|place| place.takes(region)) {
            Some(place) => place.add(region),
            None => places.push(Place::new(region)),
        }
    }
    for area in areas.iter_mut().filter(|area| area.name == "mmap area") {
        if let Some(most) = most {
            fold(&mut area.places, most.max(1));
        }
    }
    areas
}

impl<'a> Place<'a> {
    fn new(region: &'a Region) -> Self {
        let mut place = Place {
            name: name(region),
            start: region.start.0,
            end: region.end.0,
            size_bytes: 0,
            resident_bytes: 0,
            huge_bytes: 0,
            is_heap: region.kind == RegionKind::Heap,
            regions: Vec::new(),
            folded: false,
        };
        place.add(region);
        place
    }

    /// Whether `region`, which lies below, is of the same place.
    fn takes(&self, region: &Region) -> bool {
        let highest = self.regions[self.regions.len() - 1];
        let separate = matches!(
            region.kind,
            RegionKind::Text | RegionKind::Rodata | RegionKind::Data | RegionKind::Bss
        );
        // A guard is at a stack's low end, an arena begins with what is open: above it another
        // begins.
        let another = match region.kind {
            RegionKind::ThreadStack => self.regions[0].perms.starts_with("---"),
            RegionKind::Arena => {
                region.perms.starts_with("---") && !self.regions[0].perms.starts_with("---")
            }
            _ => false,
        };
        region.end.0 == self.start
            && region.kind == highest.kind
            && region.path == highest.path
            && !separate
            && !another
            && self.regions.len() < MOST_REGIONS
    }

    fn add(&mut self, region: &'a Region) {
        self.start = region.start.0;
        self.size_bytes += region.bytes();
        self.resident_bytes += region.resident_bytes;
        self.huge_bytes += region.huge_bytes;
        self.regions.insert(0, region);
    }
}

/// A file without its folder, or what the kind is called.
fn name(region: &Region) -> String {
    let path = region.path.as_deref();
    match region.kind {
        RegionKind::File => {
            path.map_or("file", |path| path.rsplit('/').next().unwrap_or(path)).to_owned()
        }
        RegionKind::Other => path.unwrap_or("other").to_owned(),
        // MAP_SHARED | MAP_ANONYMOUS has this for its file.
        RegionKind::Mmap if path.is_some_and(|path| path.starts_with("/dev/zero")) => {
            "shared".to_owned()
        }
        RegionKind::Mmap => path.unwrap_or("anonymous").to_owned(),
        RegionKind::Text => "text".to_owned(),
        RegionKind::Rodata => "rodata".to_owned(),
        RegionKind::Data => "data".to_owned(),
        RegionKind::Bss => "bss".to_owned(),
        RegionKind::Heap => "heap".to_owned(),
        RegionKind::Stack => "stack".to_owned(),
        RegionKind::ThreadStack => "thread stack".to_owned(),
        RegionKind::Arena => "arena".to_owned(),
        RegionKind::Vdso => "vdso".to_owned(),
        // Newer kernels have a second one, [vvar_vclock].
        RegionKind::Vvar => path.unwrap_or("vvar").trim_matches(['[', ']']).to_owned(),
        RegionKind::Vsyscall => "vsyscall".to_owned(),
    }
}

/// Keeps the `most` largest places; those between are put together where they are neighbours.
fn fold(places: &mut Vec<Place>, most: usize) {
    if places.len() <= most {
        return;
    }
    // Of equal ones, the highest stay.
    let mut by_size: Vec<usize> = (0..places.len()).collect();
    by_size.sort_by_key(|&index| std::cmp::Reverse(places[index].size_bytes));
    let kept: std::collections::BTreeSet<usize> = by_size.into_iter().take(most).collect();
    let mut folded: Vec<Place> = Vec::new();
    let mut numbers: Vec<usize> = Vec::new();
    for (index, place) in places.drain(..).enumerate() {
        let is_small = !kept.contains(&index);
        if let Some(last) = folded.last_mut().filter(|last| last.folded && is_small) {
            last.start = place.start;
            last.size_bytes += place.size_bytes;
            last.resident_bytes += place.resident_bytes;
            last.huge_bytes += place.huge_bytes;
            *numbers.last_mut().expect("one a place") += 1;
        } else {
            folded.push(Place { folded: is_small, ..place });
            numbers.push(1);
        }
    }
    for (place, number) in folded.iter_mut().zip(numbers) {
        if place.folded && number > 1 {
            place.name = format!("other ({number})");
        } else {
            place.folded = false;
        }
    }
    *places = folded;
}
