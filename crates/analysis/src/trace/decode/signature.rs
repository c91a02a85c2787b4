//! The arguments of each syscall.

use events::Call;

use super::constants as c;
use super::symbols::Set;

/// The kind of an argument.
#[derive(Debug, Clone, Copy)]
pub(super) enum ArgumentKind {
    /// A pointer, or an address.
    Address,
    /// A pointer to an array, which is empty if this argument is zero: a count, a length, or a
    /// `maxnode`.
    Array(usize),
    /// A pointer to the string that the event contains ([`Call::text_argument`]).
    Text,
    /// An `int`: descriptors, processes, keys.
    Int,
    /// An `unsigned int` that is a count.
    Count,
    /// An `unsigned long` that is a count, mostly a length in bytes.
    Size,
    /// An `unsigned int` of flags without names.
    Bits,
    /// An `unsigned long` shown in hexadecimal.
    Offset,
    /// Named values in an `int` or `unsigned int`.
    Word(&'static Set),
    /// Named values in an `unsigned long`.
    Long(&'static Set),
}

/// The arguments of `call`. Their types are those of `SYSCALL_DEFINE` in the kernel. An `unsigned
/// long` of which only 32 bits have a meaning is an [`ArgumentKind::Word`] where strace reads it as
/// one.
pub(super) fn signature(call: Call) -> &'static [ArgumentKind] {
    use ArgumentKind::{Address, Array, Bits, Count, Int, Long, Offset, Size, Text, Word};
    match call {
        Call::Brk | Call::IoDestroy | Call::Shmdt => &[Address],
        Call::GetMempolicy => &[Address, Array(2), Size, Address, Long(c::GET_POLICY)],
        Call::IoSetup => &[Count, Address],
        Call::IoUringRegister => &[Int, Word(c::RING_REGISTER), Address, Count],
        Call::Madvise => &[Address, Size, Word(c::ADVICE)],
        Call::MapShadowStack => &[Address, Size, Word(c::SHADOW_STACK)],
        Call::Mbind => &[Address, Size, Long(c::POLICY), Array(4), Size, Word(c::BIND)],
        Call::MemfdCreate => &[Text, Word(c::MEMFD)],
        Call::MemfdSecret => &[Word(c::SECRET)],
        Call::MigratePages => &[Int, Size, Array(1), Array(1)],
        Call::Mincore => &[Address, Size, Array(1)],
        Call::Mlock | Call::Munlock | Call::Munmap => &[Address, Size],
        Call::Mlock2 => &[Address, Size, Word(c::LOCK)],
        Call::Mlockall => &[Word(c::LOCK_ALL)],
        Call::Mmap => &[Address, Size, Long(c::PROTECTION), Word(c::MAPPING), Int, Offset],
        Call::MovePages => &[Int, Size, Array(1), Array(1), Array(1), Word(c::MOVE)],
        Call::Mprotect => &[Address, Size, Long(c::PROTECTION)],
        Call::Mremap => &[Address, Size, Size, Long(c::REMAP), Address],
        Call::Mseal => &[Address, Size, Offset],
        Call::Msync => &[Address, Size, Word(c::SYNC)],
        Call::Munlockall => &[],
        Call::PkeyMprotect => &[Address, Size, Long(c::PROTECTION), Int],
        Call::ProcessMadvise => &[Int, Array(2), Size, Word(c::ADVICE), Bits],
        Call::ProcessMrelease => &[Int, Bits],
        Call::RemapFilePages => &[Address, Size, Long(c::PROTECTION), Size, Word(c::MAPPING)],
        Call::SetMempolicy => &[Word(c::POLICY), Array(2), Size],
        Call::SetMempolicyHomeNode => &[Address, Size, Size, Offset],
        Call::Shmat => &[Int, Address, Word(c::ATTACH)],
        Call::Userfaultfd => &[Word(c::FAULT_FILE)],
    }
}
