//! Which loaded object has the code at an address, and where its unwind information is.

use core::ffi::{c_int, c_void};
use core::mem::{transmute, zeroed};
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::start;

/// A loaded object.
#[derive(Clone, Copy)]
pub(super) struct Module {
    /// Its `.eh_frame_hdr`.
    pub(super) header: usize,
    /// The end of its last mapping.
    pub(super) end: usize,
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
    let module = Module { header: found.eh_frame as usize, end: found.end as usize };
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
        let (mut header, mut end, mut has) = (0, 0, false);
        for at in 0..object.dlpi_phnum {
            // SAFETY: the object has so many headers.
            let part = unsafe { &*object.dlpi_phdr.add(usize::from(at)) };
            let start = object.dlpi_addr + part.p_vaddr;
            match part.p_type {
                libc::PT_LOAD => {
                    end = end.max(start + part.p_memsz);
                    has |= (start..start + part.p_memsz).contains(&search.address);
                }
                libc::PT_GNU_EH_FRAME => header = start,
                _ => {}
            }
        }
        if has && header != 0 {
            search.found = Some(Module { header: header as usize, end: end as usize });
        }
        c_int::from(has)
    }
    let mut search = Search { address, found: None };
    // SAFETY: the callback gets the search, which outlives the walk.
    unsafe { libc::dl_iterate_phdr(Some(each), (&raw mut search).cast()) };
    search.found
}
