//! Recognises arenas of glibc's malloc by their shape. This is an inference: `/proc` does not name
//! them. A thread that finds every arena in use gets a new one: a reservation of `HEAP_MAX_SIZE`,
//! aligned to its size, so glibc finds the arena of an object by masking its address. It starts
//! without access and becomes accessible from its start as it grows (`new_heap` and `grow_heap` in
//! glibc's malloc/arena.c).

use events::snapshot::MappedRange;

/// `HEAP_MAX_SIZE` in glibc's malloc/arena.c: twice `DEFAULT_MMAP_THRESHOLD_MAX`, which is 32 MiB,
/// or 512 KiB in 32-bit programs.
fn reservation_bytes(bits: u8) -> u64 {
    if bits == 32 { 1 << 20 } else { 64 << 20 }
}

/// The address ranges that look like arenas, including their part without access.
pub(super) fn arenas(ranges: &[MappedRange], bits: u8) -> Vec<(u64, u64)> {
    let size = reservation_bytes(bits);
    let pairs = ranges.iter().zip(ranges.iter().skip(1));
    let arena = |(open, closed): (&MappedRange, &MappedRange)| {
        let fits =
            is_anonymous(open, "rw-p") && is_anonymous(closed, "---p") && closed.start == open.end;
        // Full arenas may lie right below; the kernel then shows all accessible memory as one
        // mapping.
        let last = open.end.checked_sub(1)? / size * size;
        let end = last.checked_add(size)?;
        let start = if open.start % size == 0 { open.start } else { last };
        let aligned = open.start % size == 0 || closed.end == end;
        (fits && aligned && open.start <= last && closed.end >= end).then_some((start, end))
    };
    pairs.filter_map(arena).collect()
}

fn is_anonymous(range: &MappedRange, permissions: &str) -> bool {
    // Since glibc 2.42 a tunable names them.
    let named = range.name.starts_with("[anon: glibc: malloc arena");
    range.file == 0 && range.permissions == permissions && (range.name.is_empty() || named)
}
