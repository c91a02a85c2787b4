//! The only door to the kernel: memory, processes, limits, counters and `/proc`.
//!
//! Each function is one kernel call, or one read of `/proc`, and documents what its errno means.
//! `unsafe` is denied in the crate and allowed file by file, where the head of the file argues why
//! it is safe. Parsers of `/proc` take text, never paths, so that their tests need no kernel.

pub mod allocator;
pub mod cached_file;
pub mod cgroup;
pub mod clock;
pub mod copy;
pub mod elf;
pub mod facts;
pub mod filemap;
pub mod filesystem;
pub mod fork;
pub mod image;
pub mod inherited;
pub mod interrupt;
pub mod launch;
pub mod leaving;
pub mod limits;
pub mod machine;
pub mod mapping;
pub mod memory;
pub mod object;
pub mod orphans;
pub mod perf;
pub mod personality;
pub mod privilege;
pub mod proc;
pub mod process;
pub mod program_break;
pub mod ptrace;
pub mod relay;
pub mod remote;
pub mod rendezvous;
pub mod reopen;
pub mod residency;
pub mod scratch;
pub mod seccomp;
pub mod shared_words;
pub mod switch;
pub mod syscall;
pub mod tracefs;
pub mod usage;
pub mod wait;
pub mod whole_file;

mod errno;

pub use errno::Errno;
