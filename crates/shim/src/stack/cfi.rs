//! Rules from the unwind information of an object (`.eh_frame`, Linux Standard Base).

use core::slice::from_raw_parts;

use gimli::{
    BaseAddresses, EhFrame, EhFrameHdr, Operation, Pointer, UnwindExpression, UnwindSection, X86_64,
};

use super::modules::{self, Module};
use super::row::{self, Bytes, Cfa, Row, Saved};
use super::rules::{Kind, Rule};

/// The rule of the instruction at `address`.
#[cold]
#[inline(never)]
pub(super) fn rule(address: u64) -> Rule {
    let module = modules::of(address);
    module.and_then(|module| of_module(module, address)).unwrap_or(Rule::of(Kind::None))
}

fn of_module(module: Module, address: u64) -> Option<Rule> {
    let bytes = bytes(module.header, module.end)?;
    let bases = BaseAddresses::default().set_eh_frame_hdr(module.header as u64);
    let header = EhFrameHdr::from(bytes).parse(&bases, 8).ok()?;
    let Pointer::Direct(start) = header.eh_frame_ptr() else { return None };
    let bases = bases.set_eh_frame(start);
    let frames = EhFrame::from(self::bytes(usize::try_from(start).ok()?, module.end)?);
    let table = header.table()?;
    let entry = table.fde_for_address(&frames, &bases, address, EhFrame::cie_from_offset).ok()?;
    if entry.is_signal_trampoline() {
        return Some(Rule::of(Kind::Signal));
    }
    of_row(row::of(&entry, &frames, &bases, address)?, &frames)
}

/// The bytes from `start` to the end of an object.
fn bytes(start: usize, end: usize) -> Option<Bytes> {
    let length = end.checked_sub(start)?;
    // SAFETY: both are inside an object that is loaded: code of it is on the stack. The loader's
    // tables are never written.
    let bytes = unsafe { from_raw_parts(start as *const u8, length) };
    Some(Bytes::new(bytes, gimli::LittleEndian))
}

fn of_row(row: Row, frames: &EhFrame<Bytes>) -> Option<Rule> {
    match row.ra {
        Saved::Nowhere => return Some(Rule::of(Kind::End)),
        Saved::At(-8) => {}
        _ => return None,
    }
    match row.cfa {
        Cfa::From(register, offset) => {
            let kind = match register {
                X86_64::RSP => Kind::FromSp,
                X86_64::RBP => Kind::FromFp,
                _ => return None,
            };
            let fp = match row.fp {
                Saved::Nowhere | Saved::Same => None,
                Saved::At(offset) => Some(offset),
                _ => return None,
            };
            Rule::new(kind, offset, fp)
        }
        Cfa::Expression(expression) => {
            let cfa = word_at_fp(&expression, frames, true)?;
            let Saved::AtExpression(fp) = row.fp else { return None };
            Rule::new(Kind::AtFp, cfa, Some(word_at_fp(&fp, frames, false)?))
        }
    }
}

/// The offset of an expression that is the frame pointer and an offset, and, if `is_read`, the word
/// there.
fn word_at_fp(
    expression: &UnwindExpression<usize>,
    frames: &EhFrame<Bytes>,
    is_read: bool,
) -> Option<i64> {
    const ENCODING: gimli::Encoding =
        gimli::Encoding { address_size: 8, format: gimli::Format::Dwarf32, version: 5 };
    let mut operations = expression.get(frames).ok()?.operations(ENCODING);
    let Operation::RegisterOffset { register: X86_64::RBP, offset, .. } =
        operations.next().ok()??
    else {
        return None;
    };
    if is_read {
        let Operation::Deref { size: 8, space: false, .. } = operations.next().ok()?? else {
            return None;
        };
    }
    operations.next().ok()?.is_none().then_some(offset)
}
