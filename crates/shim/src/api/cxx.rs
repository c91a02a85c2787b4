//! The operators of C++: `new` and `delete` in all forms (Itanium C++ ABI, 5.1.5).
//!
//! An allocator below may have operators of its own that never call malloc; and the C++ runtime's
//! call each other and malloc, which is then a call inside a call and not recorded again.

mod next;

use core::ffi::c_void;

use super::{Caller, Request, give_back, give_out, give_out_or_refuse, number, takes_place};
use crate::arena;
use next::Operator;

/// An operator that throws where there is no memory. No exception passes through a frame of ours:
/// the entry asks the operator that returns null instead, and on null, also where the call is not
/// recorded, jumps to the real operator, which throws to our caller.
macro_rules! throwing {
    ($name:ident($($argument:ident: $type:ty),*), $keep:literal, $restore:literal,
        $sp:literal, $fp:literal, $entry:path, $next:path) => {
        /// See the C++ standard, "Storage allocation and deallocation".
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        pub extern "C" fn $name($($argument: $type),*) -> *mut c_void {
            core::arch::naked_asm!(
                ".cfi_startproc",
                "push rdi",
                ".cfi_adjust_cfa_offset 8",
                $keep,
                ".cfi_adjust_cfa_offset 8",
                "sub rsp, 8",
                ".cfi_adjust_cfa_offset 8",
                concat!("lea ", $sp, ", [rsp + 24]"),
                concat!("mov ", $fp, ", rbp"),
                "call {entry}",
                "add rsp, 8",
                ".cfi_adjust_cfa_offset -8",
                $restore,
                ".cfi_adjust_cfa_offset -8",
                "pop rdi",
                ".cfi_adjust_cfa_offset -8",
                "test rax, rax",
                "jz 2f",
                "ret",
                "2:",
                "jmp qword ptr [rip + {next}]",
                ".cfi_endproc",
                entry = sym $entry,
                next = sym $next,
            )
        }
    };
}

throwing!(_Znwm(size: usize), "push rsi", "pop rsi", "rsi", "rdx", new_entry, next::NEW);
throwing!(_Znam(size: usize),
    "push rsi", "pop rsi", "rsi", "rdx", new_array_entry, next::NEW_ARRAY);
throwing!(_ZnwmSt11align_val_t(size: usize, alignment: usize),
    "push rsi", "pop rsi", "rdx", "rcx", new_aligned_entry, next::NEW_ALIGNED);
throwing!(_ZnamSt11align_val_t(size: usize, alignment: usize),
    "push rsi", "pop rsi", "rdx", "rcx", new_array_aligned_entry, next::NEW_ARRAY_ALIGNED);

takes_place!(_ZnwmRKSt9nothrow_t(size: usize, mark: *const c_void) -> *mut c_void,
    "rdx", "rcx", new_nothrow_entry);
takes_place!(_ZnamRKSt9nothrow_t(size: usize, mark: *const c_void) -> *mut c_void,
    "rdx", "rcx", new_array_nothrow_entry);
takes_place!(_ZnwmSt11align_val_tRKSt9nothrow_t(size: usize, alignment: usize, mark: *const c_void)
    -> *mut c_void, "rcx", "r8", new_aligned_nothrow_entry);
takes_place!(_ZnamSt11align_val_tRKSt9nothrow_t(size: usize, alignment: usize, mark: *const c_void)
    -> *mut c_void, "rcx", "r8", new_array_aligned_nothrow_entry);

takes_place!(_ZdlPv(old: *mut c_void) -> (), "rsi", "rdx", delete_entry);
takes_place!(_ZdaPv(old: *mut c_void) -> (), "rsi", "rdx", delete_array_entry);
takes_place!(_ZdlPvm(old: *mut c_void, size: usize) -> (), "rdx", "rcx", delete_sized_entry);
takes_place!(_ZdaPvm(old: *mut c_void, size: usize) -> (), "rdx", "rcx", delete_array_sized_entry);
takes_place!(_ZdlPvRKSt9nothrow_t(old: *mut c_void, mark: *const c_void) -> (),
    "rdx", "rcx", delete_nothrow_entry);
takes_place!(_ZdaPvRKSt9nothrow_t(old: *mut c_void, mark: *const c_void) -> (),
    "rdx", "rcx", delete_array_nothrow_entry);
takes_place!(_ZdlPvSt11align_val_t(old: *mut c_void, alignment: usize) -> (),
    "rdx", "rcx", delete_aligned_entry);
takes_place!(_ZdaPvSt11align_val_t(old: *mut c_void, alignment: usize) -> (),
    "rdx", "rcx", delete_array_aligned_entry);
takes_place!(_ZdlPvmSt11align_val_t(old: *mut c_void, size: usize, alignment: usize) -> (),
    "rcx", "r8", delete_sized_aligned_entry);
takes_place!(_ZdaPvmSt11align_val_t(old: *mut c_void, size: usize, alignment: usize) -> (),
    "rcx", "r8", delete_array_sized_aligned_entry);
takes_place!(_ZdlPvSt11align_val_tRKSt9nothrow_t(
    old: *mut c_void, alignment: usize, mark: *const c_void) -> (),
    "rcx", "r8", delete_aligned_nothrow_entry);
takes_place!(_ZdaPvSt11align_val_tRKSt9nothrow_t(
    old: *mut c_void, alignment: usize, mark: *const c_void) -> (),
    "rcx", "r8", delete_array_aligned_nothrow_entry);

/// The entries of `new` of a size: the throwing form by the one that returns null.
macro_rules! new_of_size {
    ($throwing:ident, $nothrow:ident, $operator:expr) => {
        unsafe extern "C" fn $throwing(size: usize, sp: usize, fp: usize) -> *mut c_void {
            next::find_once();
            let request = Request::of(number::NEW, size);
            give_out_or_refuse(Caller { sp, fp }, request, || next::new($operator, size, 0))
        }

        unsafe extern "C" fn $nothrow(
            size: usize,
            _mark: *const c_void,
            sp: usize,
            fp: usize,
        ) -> *mut c_void {
            next::find_once();
            let request = Request::of(number::NEW, size);
            let call = || next::new($operator, size, 0);
            give_out(Caller { sp, fp }, request, call)
        }
    };
}

new_of_size!(new_entry, new_nothrow_entry, Operator::New);
new_of_size!(new_array_entry, new_array_nothrow_entry, Operator::NewArray);

/// The same with an alignment.
macro_rules! new_aligned {
    ($throwing:ident, $nothrow:ident, $operator:expr) => {
        unsafe extern "C" fn $throwing(
            size: usize,
            alignment: usize,
            sp: usize,
            fp: usize,
        ) -> *mut c_void {
            next::find_once();
            let request = Request::aligned(number::NEW, size, alignment);
            give_out_or_refuse(Caller { sp, fp }, request, || next::new($operator, size, alignment))
        }

        unsafe extern "C" fn $nothrow(
            size: usize,
            alignment: usize,
            _mark: *const c_void,
            sp: usize,
            fp: usize,
        ) -> *mut c_void {
            next::find_once();
            let request = Request::aligned(number::NEW, size, alignment);
            let call = || next::new($operator, size, alignment);
            give_out(Caller { sp, fp }, request, call)
        }
    };
}

new_aligned!(new_aligned_entry, new_aligned_nothrow_entry, Operator::NewAligned);
new_aligned!(new_array_aligned_entry, new_array_aligned_nothrow_entry, Operator::NewArrayAligned);

/// An entry of `delete`, whose further arguments are passed on as numbers.
macro_rules! delete {
    ($entry:ident($($argument:ident),*), $operator:expr) => {
        unsafe extern "C" fn $entry(
            old: *mut c_void,
            $($argument: usize,)*
            sp: usize,
            fp: usize,
        ) {
            if old.is_null() || arena::holds(old) {
                return;
            }
            next::find_once();
            let further: &[usize] = &[$($argument),*];
            give_back(Caller { sp, fp }, number::DELETE, old, || {
                next::delete($operator, old, further);
            });
        }
    };
}

delete!(delete_entry(), Operator::Delete);
delete!(delete_array_entry(), Operator::DeleteArray);
delete!(delete_sized_entry(size), Operator::DeleteSized);
delete!(delete_array_sized_entry(size), Operator::DeleteArraySized);
delete!(delete_nothrow_entry(mark), Operator::DeleteNothrow);
delete!(delete_array_nothrow_entry(mark), Operator::DeleteArrayNothrow);
delete!(delete_aligned_entry(alignment), Operator::DeleteAligned);
delete!(delete_array_aligned_entry(alignment), Operator::DeleteArrayAligned);
delete!(delete_sized_aligned_entry(size, alignment), Operator::DeleteSizedAligned);
delete!(delete_array_sized_aligned_entry(size, alignment), Operator::DeleteArraySizedAligned);
delete!(delete_aligned_nothrow_entry(alignment, mark), Operator::DeleteAlignedNothrow);
delete!(delete_array_aligned_nothrow_entry(alignment, mark), Operator::DeleteArrayAlignedNothrow);
