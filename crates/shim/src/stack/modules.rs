//! Which loaded object has the code at an address, and where its unwind information is.

use core::ffi::{c_int, c_void};
use core::mem::{transmute, zeroed};
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::start;

/// A loaded object with unwind information.
#[derive(Clone, Copy)]
pub(super) struct Module {
    /// The start of the mapping that has the code: of the object, or of a part of it, before which
    /// nothing may be mapped.
    pub(super) start: usize,
    /// Its `.eh_frame_hdr`.
    pub(super) header: usize,
}

/// `struct dl_find_object` of glibc (dlfcn.h), on x86-64.
#[repr(C)]
struct FoundObject {
    flags: u64,
    start: *mut c_void,
    end: *mut c_void,
    link_map: *mut c_void,
    eh_frame: *mut c_void,
    reserved: [u64; 7],
}

type FindObject = unsafe extern "C" fn(*mut c_void, *mut FoundObject) -> c_int;

/// `_dl_find_object` (glibc 2.35), which takes no lock; 0: the C library has none.
static FIND: AtomicUsize = AtomicUsize::new(0);

pub(super) fn prepare() {
    FIND.store(start::symbol(c"_dl_find_object") as usize, Ordering::Relaxed);
}

/// The object that has the code at `address`; `None`: no object, or without unwind information.
pub(super) fn of(address: u64) -> Option<Module> {
    let find = FIND.load(Ordering::Relaxed);
    // SAFETY: it is zero, which is `None`, or the function of this type.
    let Some(find) = (unsafe { transmute::<usize, Option<FindObject>>(find) }) else {
        return by_headers(address);
    };
    // SAFETY: all-zero is a valid result.
    let mut found: FoundObject = unsafe { zeroed() };
    // SAFETY: the address is only looked up, and the result is written to this stack.
    let missing = unsafe { find(address as *mut c_void, &raw mut found) } != 0;
    note(found.link_map as usize);
    let module = Module { start: found.start as usize, header: found.eh_frame as usize };
    (!missing && module.header != 0).then_some(module)
}

/// The same from the program headers of each object: `dl_iterate_phdr` takes the loader's lock,
/// which no thread that waits for us holds.
fn by_headers(address: u64) -> Option<Module> {
    struct Search {
        address: u64,
        found: Option<Module>,
    }
    unsafe extern "C" fn each(
        object: *mut libc::dl_phdr_info,
        _: usize,
        search: *mut c_void,
    ) -> c_int {
        // SAFETY: the search below, which outlives the walk.
        let search = unsafe { &mut *search.cast::<Search>() };
        // SAFETY: the loader's description of an object.
        let object = unsafe { &*object };
        let (mut header, mut code) = (0, None);
        for at in 0..object.dlpi_phnum {
            // SAFETY: the object has so many headers.
            let part = unsafe { &*object.dlpi_phdr.add(usize::from(at)) };
            let start = object.dlpi_addr + part.p_vaddr;
            match part.p_type {
                libc::PT_LOAD if (start..start + part.p_memsz).contains(&search.address) => {
                    code = Some(start as usize);
                }
                libc::PT_GNU_EH_FRAME => header = start,
                _ => {}
            }
        }
        if let Some(start) = code
            && header != 0
        {
            note(object.dlpi_name as usize);
            search.found = Some(Module { start, header: header as usize });
        }
        c_int::from(code.is_some())
    }
    let mut search = Search { address, found: None };
    // SAFETY: the callback gets the search, which outlives the walk.
    unsafe { libc::dl_iterate_phdr(Some(each), (&raw mut search).cast()) };
    search.found
}

/// Descriptions of objects, which the loader frees when it unloads them: by dlclose(3), or without
/// a call that could be seen, as the C library does with its own (iconv, name services). Those of
/// objects whose code was met on a stack, found by hash; 0: a free place.
static KNOWN: [AtomicUsize; 1 << KNOWN_BITS] = [const { AtomicUsize::new(0) }; 1 << KNOWN_BITS];
const KNOWN_BITS: u32 = 10;
/// A bit for each of them, in a cache line: most pointers are told apart by it.
static FILTER: [AtomicU64; 1 << (FILTER_BITS - 6)] =
    [const { AtomicU64::new(0) }; 1 << (FILTER_BITS - 6)];
const FILTER_BITS: u32 = 9;

/// Whether an object is unloaded with what is freed at `address`.
#[inline]
pub(super) fn goes_with(address: usize) -> bool {
    let bit = spread(address, FILTER_BITS);
    let word = FILTER.get(bit / 64).map_or(0, |word| word.load(Ordering::Relaxed));
    word >> (bit % 64) & 1 != 0 && places(address).any(|place| place == address)
}

/// Notes the description of an object.
fn note(address: usize) {
    if address == 0 || goes_with(address) {
        return;
    }
    for place in from(address) {
        if place.compare_exchange(0, address, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let bit = spread(address, FILTER_BITS);
            if let Some(word) = FILTER.get(bit / 64) {
                word.fetch_or(1 << (bit % 64), Ordering::Relaxed);
            }
            return;
        }
    }
}

/// Forgets all of them.
pub(super) fn forget() {
    FILTER.iter().for_each(|word| word.store(0, Ordering::Relaxed));
    KNOWN.iter().for_each(|place| place.store(0, Ordering::Relaxed));
}

/// The places from the one where the search for `address` begins.
fn from(address: usize) -> impl Iterator<Item = &'static AtomicUsize> {
    KNOWN.iter().cycle().skip(spread(address, KNOWN_BITS)).take(KNOWN.len())
}

/// What is in them, until one is free.
fn places(address: usize) -> impl Iterator<Item = usize> {
    from(address).map(|place| place.load(Ordering::Relaxed)).take_while(|&found| found != 0)
}

#[inline]
fn spread(address: usize, bits: u32) -> usize {
    address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits)
}
