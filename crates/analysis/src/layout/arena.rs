//! Arenas of glibc's malloc, by their shape. An inference: nothing in `/proc` names them.
//!
//! A thread that finds every arena taken gets one of its own: a reservation of `HEAP_MAX_SIZE`,
//! aligned to its size, so that the arena of an object is found by masking its address. It begins
//! without access and is opened from its beginning on as it grows (`new_heap` and `grow_heap` in
//! glibc's malloc/arena.c).

use events::snapshot::MappedRange;

/// `HEAP_MAX_SIZE` in glibc's malloc/arena.c: twice `DEFAULT_MMAP_THRESHOLD_MAX`, which is 32 MiB,
/// or 512 KiB of 32-bit programs.
fn reservation_bytes(bits: u8) -> u64 {
    if bits == 32 { 1 << 20 } else { 64 << 20 }
}

/// The ranges of addresses that look like arenas, their part without access included.
pub(super) fn arenas(ranges: &[MappedRange], bits: u8) -> Vec<(u64, u64)> {
    let size = reservation_bytes(bits);
    let pairs = ranges.iter().zip(ranges.iter().skip(1));
    let arena = |(open, closed): (&MappedRange, &MappedRange)| {
        let fits =
            is_anonymous(open, "rw-p") && is_anonymous(closed, "---p") && closed.start == open.end;
        // Some full ones may lie right below: then the kernel shows all that is open as one.
        let last = open.end.checked_sub(1)? / size * size;
        let end = last.checked_add(size)?;
        let start = if open.start % size == 0 { open.start } else { last };
        let aligned = open.start % size == 0 || closed.end == end;
        (fits && aligned && open.start <= last && closed.end >= end).then_some((start, end))
    };
    pairs.filter_map(arena).collect()
}

fn is_anonymous(range: &MappedRange, permissions: &str) -> bool {
    // Since glibc 2.42 a tunable gives them names.
    let named = range.name.starts_with("[anon: glibc: malloc arena");
    range.file == 0 && range.permissions == permissions && (range.name.is_empty() || named)
}
