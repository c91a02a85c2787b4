// The same work as fixtures/phases.c without its second touch: 32 blocks of 1 MiB mapped, written,
// unmapped.

const BLOCKS: usize = 32;
const BYTES: usize = 1 << 20;

fn work() {
    let mut blocks = [std::ptr::null_mut::<libc::c_void>(); BLOCKS];
    for block in &mut blocks {
        // SAFETY: a new private mapping at an address that the kernel chooses.
        *block = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                BYTES,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(*block, libc::MAP_FAILED);
    }
    for block in blocks {
        let bytes = std::hint::black_box(block).cast::<u8>();
        // SAFETY: the mapping has this size, is writable and belongs to this function.
        unsafe { bytes.write_bytes(1, BYTES) };
    }
    for block in blocks {
        // SAFETY: the mapping belongs to this function and is not used any more.
        unsafe { libc::munmap(block, BYTES) };
    }
}
