//! The addresses of the parts of a program or library, from its headers and one address.

use events::snapshot::{Image, Segment, Snapshot};
use results::layout::RegionKind;

/// An image at its address.
#[derive(Debug, Clone)]
pub(super) struct Placed<'a> {
    pub(super) image: &'a Image,
    /// The end of its last segment, which ends with the bss.
    pub(super) end: u64,
    /// That end, rounded up to a page.
    pub(super) end_page: u64,
    bias: u64,
    page_bytes: u64,
}

/// The program's image. The collector puts it first; without an entry point, or if the file is not
/// mapped, it is unknown.
pub(super) fn own(space: &Snapshot) -> Option<Placed<'_>> {
    let image = space.images.first()?;
    match space.entry {
        Some(entry) => Placed::new(space, image, entry.wrapping_sub(image.entry)),
        None => found(space, image),
    }
    .filter(|placed| {
        let code = |segment: &Segment| {
            segment.executable && placed.contains(segment, placed.bias.wrapping_add(image.entry))
        };
        image.segments.iter().any(code)
    })
}

/// An image at the address of its first mapping.
pub(super) fn found<'a>(space: &'a Snapshot, image: &'a Image) -> Option<Placed<'a>> {
    let first = space.ranges.iter().find(|range| range.file == image.file)?;
    let page = space.page_bytes;
    let segment = image
        .segments
        .iter()
        .find(|segment| segment.offset_bytes / page * page == first.offset_bytes)?;
    Placed::new(space, image, first.start.wrapping_sub(segment.address / page * page))
}

impl<'a> Placed<'a> {
    fn new(space: &Snapshot, image: &'a Image, bias: u64) -> Option<Self> {
        let page_bytes = space.page_bytes.max(1);
        let ends =
            image.segments.iter().map(|segment| segment.address.checked_add(segment.memory_bytes));
        let end = ends.collect::<Option<Vec<u64>>>()?.into_iter().max()?.wrapping_add(bias);
        Some(Placed {
            image,
            bias,
            end,
            end_page: end.checked_next_multiple_of(page_bytes)?,
            page_bytes,
        })
    }

    fn start_of(&self, segment: &Segment) -> u64 {
        segment.address.wrapping_add(self.bias)
    }

    /// Whether `address` is in the pages of `segment`.
    fn contains(&self, segment: &Segment, address: u64) -> bool {
        let start = self.start_of(segment);
        let end =
            start.saturating_add(segment.memory_bytes).checked_next_multiple_of(self.page_bytes);
        (start / self.page_bytes * self.page_bytes..end.unwrap_or(u64::MAX)).contains(&address)
    }

    /// The pages at which its segments start.
    pub(super) fn starts(&self) -> impl Iterator<Item = u64> {
        self.image
            .segments
            .iter()
            .map(|segment| self.start_of(segment) / self.page_bytes * self.page_bytes)
    }

    /// The kind of region at `address`, if the file is mapped there.
    pub(super) fn kind_at(&self, address: u64) -> Option<RegionKind> {
        let segment = self.image.segments.iter().find(|segment| self.contains(segment, address))?;
        Some(match segment {
            Segment { executable: true, .. } => RegionKind::Text,
            Segment { writable: true, .. } => RegionKind::Data,
            _ => RegionKind::Rodata,
        })
    }

    /// The pages that contain only bss: they start after the file's last byte, rounded up, because
    /// the rest of that page belongs to the file.
    pub(super) fn bss(&self) -> impl Iterator<Item = (u64, u64)> {
        let writable = self.image.segments.iter().filter(|segment| segment.writable);
        writable.filter_map(|segment| {
            let start = self.start_of(segment);
            let file_end = match segment.file_bytes {
                0 => start / self.page_bytes * self.page_bytes,
                bytes => start.checked_add(bytes)?.checked_next_multiple_of(self.page_bytes)?,
            };
            let end = start
                .checked_add(segment.memory_bytes)?
                .checked_next_multiple_of(self.page_bytes)?;
            (file_end < end).then_some((file_end, end))
        })
    }
}
