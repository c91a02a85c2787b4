//! How far a stack can be read where no rules say how far it reaches. Nothing but addresses is
//! looked at: a system call would be one that the program did not ask for.

use core::arch::asm;
use core::ffi::c_int;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::start;

const PAGE_BYTES: usize = 4096;
/// The kernel maps nothing else so near to the stack of a program, whatever its limit is
/// (`mmap_base` in arch/x86/mm/mmap.c: 128 MiB).
const MAIN_BYTES_MAX: usize = 64 << 20;

/// An address on the stack of the program, above all frames; 0: not known.
static MAIN_END: AtomicUsize = AtomicUsize::new(0);
/// The bytes of glibc's control block of a thread; 0: not known.
static CONTROL_BYTES: AtomicUsize = AtomicUsize::new(0);
/// Where in it the start and the length of the stack are; 0: not known yet.
static BLOCK_AT: AtomicUsize = AtomicUsize::new(0);

/// Looks up what is needed of the C library.
pub(super) fn prepare() {
    // SAFETY: it takes a number.
    let random = unsafe { libc::getauxval(libc::AT_RANDOM) };
    MAIN_END.store(random as usize & !7, Ordering::Relaxed);
    let size = start::symbol(c"_thread_db_sizeof_pthread").cast::<c_int>();
    // SAFETY: null, or glibc's constant for debuggers.
    let size = unsafe { size.as_ref() }.copied().unwrap_or(0);
    CONTROL_BYTES.store(usize::try_from(size).unwrap_or(0), Ordering::Relaxed);
}

/// The end of what can be read from `slot` outwards, a word of a stack that can be read itself.
#[cold]
#[inline(never)]
pub(super) fn end_from(slot: usize) -> usize {
    let main_end = MAIN_END.load(Ordering::Relaxed);
    if slot < main_end && main_end - slot <= MAIN_BYTES_MAX {
        return main_end;
    }
    end_of_thread(slot).unwrap_or((slot & !(PAGE_BYTES - 1)) + PAGE_BYTES)
}

/// The same for the stack that glibc gave this thread: its control block is at the end. `None`: the
/// slot is not on that stack.
fn end_of_thread(slot: usize) -> Option<usize> {
    const WORD_BYTES: usize = size_of::<usize>();
    let bytes = CONTROL_BYTES.load(Ordering::Relaxed);
    let control = control_block();
    if slot >= control {
        return None;
    }
    let is_at = |offset: &usize| {
        let word = (control + offset) as *const usize;
        // SAFETY: both words are inside the control block.
        let [start, length] = unsafe { [word.read(), word.wrapping_add(1).read()] };
        is_stack(start, length, control)
    };
    let mut at = BLOCK_AT.load(Ordering::Relaxed);
    if at == 0 {
        at = (WORD_BYTES..bytes.checked_sub(WORD_BYTES)?).step_by(WORD_BYTES).find(is_at)?;
        BLOCK_AT.store(at, Ordering::Relaxed);
    } else if !is_at(&at) {
        return None;
    }
    // SAFETY: as above.
    let start = unsafe { ((control + at) as *const usize).read() };
    (slot >= start).then_some(control)
}

/// Whether these are the start and the length of a stack whose last bytes are the control block.
fn is_stack(start: usize, length: usize, control: usize) -> bool {
    /// How far the end of a stack is from its control block, at most.
    const END_BYTES_MAX: usize = 2 * PAGE_BYTES;
    /// No stack is so large; addresses of shared objects and stacks are larger.
    const BYTES_MAX: usize = 1 << 36;
    let Some(end) = start.checked_add(length) else { return false };
    start >= PAGE_BYTES
        && length <= BYTES_MAX
        && (control + 1..control + END_BYTES_MAX).contains(&end)
        && start < control
}

/// The address of this thread's control block, which is its first word (System V ABI, TLS).
fn control_block() -> usize {
    let address: usize;
    // SAFETY: it reads the thread pointer.
    unsafe {
        asm!(
            "mov {0}, qword ptr fs:[0]",
            out(reg) address,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    address
}
