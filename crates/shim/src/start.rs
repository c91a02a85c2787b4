//! The start of recording in a process: the allocator below, the handshake, the shared memory.

use core::arch::x86_64::_rdtsc;
use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::{transmute, zeroed};
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use wire::header;

use crate::sink::{self, Region};
use crate::thread::{self, Guard, Thread};
use crate::{next, stack, syscall};

mod handshake;

const NEW: u32 = 0;
const STARTING: u32 = 1;
const RECORDING: u32 = 2;
const QUIET: u32 = 3;

static STATE: AtomicU32 = AtomicU32::new(NEW);

struct Shared(UnsafeCell<Region>);
// SAFETY: written once, before `STATE` says so.
unsafe impl Sync for Shared {}
static SHARED: Shared = Shared(UnsafeCell::new(Region::new(ptr::null(), 0)));

/// What is zero after a fork (`MADV_WIPEONFORK`): the number of this process among those that write
/// to the memory, its id, and whether that is a guess.
type Process = [AtomicU64; 3];
static PROCESS: AtomicPtr<Process> = AtomicPtr::new(ptr::null_mut());
/// The key whose destructor tells that a thread ends; 0: none, else one more.
static END_KEY: AtomicU32 = AtomicU32::new(0);
/// Where the C library keeps a thread's id, from the thread pointer; 0: not known.
static TID_OFFSET: AtomicUsize = AtomicUsize::new(0);

/// The shared memory, if this process is recorded.
#[inline]
pub(crate) fn region() -> Option<&'static Region> {
    match STATE.load(Ordering::Acquire) {
        // SAFETY: it was written before this state.
        RECORDING => Some(unsafe { &*SHARED.0.get() }),
        NEW => begin(),
        _ => None,
    }
}

/// Ticks of the time stamp counter.
#[inline]
pub(crate) fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has it, unless a program forbids it to itself (prctl(2)).
    unsafe { _rdtsc() }
}

/// Nothing is recorded from now on.
pub(crate) fn give_up(region: &Region) {
    if STATE.swap(QUIET, Ordering::AcqRel) == RECORDING {
        region.add(header::GAVE_UP, 1);
    }
}

/// The start comes before the program's own code, which may forbid itself what the handshake needs;
/// and a program that never allocates is known as well.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_LOAD: extern "C" fn() = at_load;

extern "C" fn at_load() {
    region();
}

#[cold]
#[inline(never)]
fn begin() -> Option<&'static Region> {
    STATE.compare_exchange(NEW, STARTING, Ordering::AcqRel, Ordering::Acquire).ok()?;
    let region = keeping_errno(|| {
        next::find();
        let region = Guard::enter_quietly().and_then(|_guard| connect());
        if !is_glibc() {
            // Functions that musl does not have were looked up: it keeps the message until it is
            // asked for, which takes no lock there.
            // SAFETY: dlerror(3) takes nothing.
            unsafe { libc::dlerror() };
        }
        region
    });
    if let Some(region) = region {
        // SAFETY: this thread alone is here, and nobody reads before the state says so.
        unsafe { *SHARED.0.get() = region };
    }
    STATE.store(if region.is_some() { RECORDING } else { QUIET }, Ordering::Release);
    region.is_some().then(|| {
        // SAFETY: it was just written.
        unsafe { &*SHARED.0.get() }
    })
}

/// Does `work` and leaves the program's errno as it was.
pub(crate) fn keeping_errno<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: the C library's errno of this thread.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { *errno };
    let done = work();
    // SAFETY: as above.
    unsafe { *errno = before };
    done
}

fn connect() -> Option<Region> {
    let name = variable(wire::VARIABLE.as_bytes())?;
    let process = process_page()?;
    let region = handshake::with_recorder(name)?;
    PROCESS.store(process, Ordering::Release);
    stack::prepare();
    let is_own = u64::from(has_own_allocator());
    region.word(header::HAS_OWN_ALLOCATOR).store(is_own, Ordering::Relaxed);
    // SAFETY: the page that was just mapped.
    let [_, id, _] = unsafe { &*process };
    id.store(u64::from(syscall::process_id()), Ordering::Relaxed);
    find_thread_id();
    let mut key = 0;
    // SAFETY: the key is written to this stack; the destructor is ours.
    if unsafe { libc::pthread_key_create(&raw mut key, Some(thread_ends)) } == 0 {
        END_KEY.store(key + 1, Ordering::Relaxed);
    }
    Some(region)
}

/// Whether malloc of the program is its own: that comes before ours in the order in which functions
/// are looked for.
fn has_own_allocator() -> bool {
    const RTLD_DL_SYMENT: c_int = 1;
    type Dladdr1 =
        unsafe extern "C" fn(*const c_void, *mut libc::Dl_info, *mut *mut c_void, c_int) -> c_int;
    let found = symbol(c"malloc");
    if stack::is_our_code(found as u64) {
        return false;
    }
    // Looked up, because musl does not have it, and starts no program with a library that misses a
    // function.
    // SAFETY: null, which is `None`, or the function of this name, of the type in glibc's dlfcn.h.
    let dladdr1 = unsafe { transmute::<*mut c_void, Option<Dladdr1>>(symbol(c"dladdr1")) };
    let Some(dladdr1) = dladdr1 else { return false };
    // SAFETY: all-zero is a valid description.
    let mut object: libc::Dl_info = unsafe { zeroed() };
    let mut entry: *mut c_void = ptr::null_mut();
    // SAFETY: both are written to this stack.
    let is_known = unsafe { dladdr1(found, &raw mut object, &raw mut entry, RTLD_DL_SYMENT) } != 0;
    // SAFETY: null, or an entry of a table of symbols that stays loaded.
    let entry = unsafe { entry.cast::<libc::Elf64_Sym>().as_ref() };
    // A program that is not position-independent gives functions that it only uses an address of
    // its own; then the entry says that it defines none.
    is_known && entry.is_some_and(|entry| entry.st_shndx != 0)
}

/// A page that a fork wipes.
fn process_page() -> Option<*mut Process> {
    const BYTES: usize = 4096;
    let page = syscall::map(BYTES, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, None)?;
    let advice = [page as usize, BYTES, libc::MADV_WIPEONFORK as usize];
    // SAFETY: the mapping above.
    let wiped = unsafe { syscall::call(libc::SYS_madvise, advice) }.is_ok();
    wiped.then_some(page.cast())
}

/// The number of this process among those that write to the memory; 0: it has none yet.
#[inline]
pub(crate) fn instance() -> u64 {
    process().map_or(0, |[instance, ..]| instance.load(Ordering::Relaxed))
}

/// The process's id, as it numbers itself.
pub(crate) fn process_id() -> u32 {
    process().map_or(0, |[_, id, _]| id.load(Ordering::Relaxed) as u32)
}

/// Whether that may be another process's.
pub(crate) fn id_is_guess() -> bool {
    process().is_some_and(|[.., guess]| guess.load(Ordering::Relaxed) != 0)
}

/// The number of this process, which a new one gets: the first, or a fork. `known_tid` is what this
/// thread's id was in the process before it; 0: not known.
pub(crate) fn instance_or_new(region: &Region, known_tid: u32) -> u64 {
    let Some([instance, id, guess]) = process() else { return 0 };
    if instance.load(Ordering::Relaxed) == 0 {
        let new = region.word(header::INSTANCES).fetch_add(1, Ordering::Relaxed) + 1;
        if instance.compare_exchange(0, new, Ordering::AcqRel, Ordering::Acquire).is_ok()
            && id.load(Ordering::Relaxed) == 0
        {
            // The only thread of a forked process is its first, with its id. The C library has
            // noted it, unless it was cloned by the program itself.
            let tid = thread_id();
            guess.store(u64::from(known_tid == 0 || known_tid == tid), Ordering::Relaxed);
            id.store(u64::from(tid), Ordering::Relaxed);
        }
    }
    instance.load(Ordering::Relaxed)
}

#[inline]
fn process() -> Option<&'static Process> {
    // SAFETY: null, or the page that is never unmapped.
    unsafe { PROCESS.load(Ordering::Acquire).as_ref() }
}

/// The id of this thread, without a system call where the C library keeps it.
pub(crate) fn thread_id() -> u32 {
    let offset = TID_OFFSET.load(Ordering::Relaxed);
    let kept = if offset == 0 { 0 } else { thread_word(offset) };
    if kept == 0 { syscall::thread_id() } else { kept }
}

/// Whether the C library is glibc. If not, it is taken for musl.
fn is_glibc() -> bool {
    !symbol(c"gnu_get_libc_version").is_null()
}

/// Notes where the C library keeps a thread's id, if it is where glibc has kept it since 2.4
/// (`struct pthread`, nptl/descr.h).
fn find_thread_id() {
    const GLIBC: usize = 0x2d0;
    let tid = syscall::thread_id();
    if is_glibc() && thread_word(GLIBC) == tid {
        TID_OFFSET.store(GLIBC, Ordering::Relaxed);
    }
    // SAFETY: the state of this thread.
    unsafe { (*thread::current()).tid = tid };
}

/// A word of this thread's control block.
fn thread_word(offset: usize) -> u32 {
    let word: u32;
    // SAFETY: glibc's control block is longer than the offsets that are asked for.
    unsafe {
        core::arch::asm!(
            "mov {0:e}, dword ptr fs:[{1}]",
            out(reg) word,
            in(reg) offset,
            options(readonly, nostack, preserves_flags),
        );
    }
    word
}

/// Sees to it that the thread's end gives its units back.
pub(crate) fn ask_for_end(thread: &mut Thread) {
    let key = END_KEY.load(Ordering::Relaxed);
    if key != 0 && !thread.has_end {
        // SAFETY: the key was created; the value is a mark and never followed.
        unsafe { libc::pthread_setspecific(key - 1, ptr::without_provenance(1)) };
        thread.has_end = true;
    }
}

unsafe extern "C" fn thread_ends(_: *mut c_void) {
    for guard in [Guard::enter_quietly(), Guard::enter_inner()] {
        let Some(mut guard) = guard else { continue };
        let thread = guard.thread();
        thread.has_end = false;
        if thread.instance == instance() {
            sink::end(thread);
        }
    }
}

/// The address of a symbol of any loaded object; null: none has it.
pub(crate) fn symbol(name: &CStr) -> *mut c_void {
    // SAFETY: the name is a C string.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
}

/// The value of an environment variable. Before the C library has set `environ` up, the variables
/// are where the kernel put them, above the loader's stack.
fn variable(name: &[u8]) -> Option<&'static CStr> {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    // SAFETY: the C library's variable, which nobody changes this early.
    let mut at = unsafe { environ };
    if at.is_null() {
        let end = symbol(c"__libc_stack_end").cast::<*const usize>();
        // SAFETY: null, or the loader's variable: it points to the number of arguments, which are
        // followed by a null and the variables.
        let arguments = unsafe { end.as_ref() }?;
        // SAFETY: as above.
        let count = unsafe { arguments.read() };
        at = arguments.wrapping_add(count + 2).cast();
    }
    loop {
        // SAFETY: the list ends with a null.
        let entry = unsafe { at.read() };
        if entry.is_null() {
            return None;
        }
        // SAFETY: its entries are C strings.
        let entry = unsafe { CStr::from_ptr(entry) };
        let value = entry.to_bytes_with_nul().strip_prefix(name);
        if let Some(value) = value.and_then(|rest| rest.strip_prefix(b"=")) {
            return CStr::from_bytes_with_nul(value).ok();
        }
        at = at.wrapping_add(1);
    }
}
