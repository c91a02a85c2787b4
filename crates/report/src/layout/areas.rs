//! Regions put together: those of one library, arena or stack are a place, and places are in areas.

use std::collections::BTreeMap;

use results::layout::{LayoutRun, Region, RegionKind};

/// The area of libraries and anonymous memory, the only one that can have very many places.
pub(super) const MMAP_AREA: &str = "mmap area";

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
    /// From its end to the next place of its area.
    pub(super) free_above_bytes: u64,
    /// A sum of several places: it has no address of its own.
    pub(super) folded: bool,
}

/// A place has no more regions: each has a letter of its bar at least.
const MOST_REGIONS: usize = 8;

/// The areas of `run` with all their places, highest first.
pub(super) fn areas(run: &LayoutRun) -> Vec<Area<'_>> {
    let mut areas: Vec<Area> = Vec::new();
    // The vsyscall page is not in the process's half of the address space. The legend has it.
    for region in run.regions.iter().rev().filter(|region| region.kind != RegionKind::Vsyscall) {
        let (name, is_program) = match region.kind {
            RegionKind::Text | RegionKind::Rodata | RegionKind::Data | RegionKind::Bss => {
                ("program", true)
            }
            RegionKind::Heap => ("heap", false),
            RegionKind::Stack => ("stack", false),
            // vdso and vvar lie beside the stack or among the libraries.
            RegionKind::Vdso | RegionKind::Vvar
                if areas.last().is_some_and(|area| area.name != "heap") =>
            {
                (areas[areas.len() - 1].name, false)
            }
            _ => (MMAP_AREA, false),
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
    for area in &mut areas {
        for index in 1..area.places.len() {
            let above = area.places[index - 1].start;
            let place = &mut area.places[index];
            place.free_above_bytes = above.saturating_sub(place.end);
        }
    }
    areas
}

/// Gives files their whole paths for names: all of them if `all`, else those whose name another
/// file of the run has too.
pub(super) fn name_by_paths(areas: &mut [Area], all: bool) {
    let mut paths: BTreeMap<String, Option<&str>> = BTreeMap::new();
    for place in areas.iter().flat_map(|area| &area.places) {
        if let Some(path) = place.file() {
            let known = paths.entry(place.name.clone()).or_insert(Some(path));
            *known = known.filter(|known| *known == path);
        }
    }
    for place in areas.iter_mut().flat_map(|area| &mut area.places) {
        if let Some(path) = place.file().filter(|_| all || paths.get(&place.name) == Some(&None)) {
            place.name = path.to_owned();
        }
    }
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
            free_above_bytes: 0,
            folded: false,
        };
        place.add(region);
        place
    }

    /// The path of the file that is mapped here.
    fn file(&self) -> Option<&'a str> {
        let region = self.regions[0];
        region.path.as_deref().filter(|_| region.kind == RegionKind::File)
    }

    /// Whether `region`, which lies below, is of the same place.
    fn takes(&self, region: &Region) -> bool {
        let highest = self.regions[self.regions.len() - 1];
        let separate = matches!(
            region.kind,
            RegionKind::Text | RegionKind::Rodata | RegionKind::Data | RegionKind::Bss
        );
        // A stack has its guard at the low end, and an arena its open part: what lies below either
        // is another place.
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

/// A file without its folder, or the word for the kind.
fn name(region: &Region) -> String {
    let path = region.path.as_deref();
    match region.kind {
        RegionKind::File => {
            path.map_or("file", |path| path.rsplit('/').next().unwrap_or(path)).to_owned()
        }
        RegionKind::Other => path.unwrap_or("other").to_owned(),
        // The kernel's name for MAP_SHARED | MAP_ANONYMOUS.
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
