//! Rules from the unwind information of an object (`.eh_frame`, Linux Standard Base).

use core::slice::from_raw_parts;

use gimli::{
    BaseAddresses, EhFrame, EhFrameHdr, EhFrameOffset, Operation, Pointer, UnwindExpression,
    UnwindSection, X86_64,
};

use super::modules;
use super::row::{self, Bytes, Cfa, Row, Saved};
use super::rules::{Kind, Rule};

/// The rule of the instruction at `address`.
#[cold]
#[inline(never)]
pub(super) fn rule(address: u64) -> Rule {
    let entry = modules::of(address).and_then(|module| entry_for(module.header, address));
    entry.and_then(|entry| of_entry(entry, address)).unwrap_or(Rule::of(Kind::Chain))
}

/// Where an `.eh_frame` starts, and its last entry that begins at or before an address.
type Entry = (usize, usize);

// Apart from what is done with the entry: the two do not need the stack at the same time, which may
// be a signal handler's.
#[inline(never)]
fn entry_for(header: usize, address: u64) -> Option<Entry> {
    let bases = BaseAddresses::default().set_eh_frame_hdr(header as u64);
    let header = EhFrameHdr::from(table(header)?).parse(&bases, 8).ok()?;
    let Pointer::Direct(start) = header.eh_frame_ptr() else { return None };
    let Pointer::Direct(entry) = header.table()?.lookup(address, &bases).ok()? else { return None };
    Some((usize::try_from(start).ok()?, usize::try_from(entry).ok()?))
}

/// The rule of an entry; `None`: it is not about this address.
#[inline(never)]
fn of_entry((start, entry): Entry, address: u64) -> Option<Rule> {
    let bases = BaseAddresses::default().set_eh_frame(start as u64);
    let frames = EhFrame::from(until_end_of(start, entry)?);
    let offset = EhFrameOffset(entry.checked_sub(start)?);
    let entry = frames.fde_from_offset(&bases, offset, EhFrame::cie_from_offset).ok()?;
    if !entry.contains(address) {
        return None;
    }
    if entry.is_signal_trampoline() {
        return Some(Rule::of(Kind::Signal));
    }
    let row = row::of(&entry, &frames, &bases, address);
    Some(row.and_then(|row| of_row(row, &frames)).unwrap_or(Rule::of(Kind::None)))
}

/// An `.eh_frame_hdr`, which is as long as its own count says. How long the object is where it
/// stands is not known: glibc tells the segment of the code alone where an object has holes.
fn table(header: usize) -> Option<Bytes> {
    /// The version, and how the pointer to `.eh_frame`, the count and the table are written: what
    /// every linker writes that writes a table.
    const FORM: [u8; 4] = [1, 0x1b, 0x03, 0x3b];
    const HEADER_BYTES: usize = 12;
    const ROW_BYTES: usize = 8;
    let bytes = bytes(header, HEADER_BYTES);
    let (form, rest) = bytes.slice().split_first_chunk::<4>()?;
    let (_, count) = rest.split_last_chunk::<4>()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    (*form == FORM).then(|| self::bytes(header, HEADER_BYTES + count * ROW_BYTES))
}

/// The bytes of an `.eh_frame` from its start to the end of this entry of it; what an entry refers
/// to comes before it.
fn until_end_of(start: usize, entry: usize) -> Option<Bytes> {
    const LENGTH_BYTES: usize = 4;
    let length = bytes(entry, LENGTH_BYTES);
    let length = u32::from_le_bytes(length.slice().try_into().ok()?);
    // It begins an entry of more than 4 GiB.
    if length == u32::MAX {
        return None;
    }
    let end = entry.checked_add(LENGTH_BYTES)?.checked_add(usize::try_from(length).ok()?)?;
    Some(bytes(start, end.checked_sub(start)?))
}

/// So many bytes of the unwind information of an object.
fn bytes(start: usize, length: usize) -> Bytes {
    // SAFETY: they are inside an object that is loaded: code of it is on the stack. The linker's
    // tables are never written.
    let bytes = unsafe { from_raw_parts(start as *const u8, length) };
    Bytes::new(bytes, gimli::LittleEndian)
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
