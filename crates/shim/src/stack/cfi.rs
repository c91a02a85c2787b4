//! Rules from the unwind information of an object (`.eh_frame`, Linux Standard Base).

use core::slice::from_raw_parts;

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, LittleEndian, Operation, Pointer,
    Register, RegisterRule, UnwindContext, UnwindContextStorage, UnwindExpression, UnwindSection,
    UnwindTableRow, X86_64,
};

use super::modules::{self, Module};
use super::rules::{Kind, Rule};

type Bytes = EndianSlice<'static, LittleEndian>;

/// Room for the rules of a function: x86-64 has 17 registers that unwinding knows, and compilers
/// nest remembered states two deep. A function that needs more has no rule.
pub(crate) struct Small;

impl UnwindContextStorage<usize> for Small {
    type Rules = [(Register, RegisterRule<usize>); 18];
    type Stack = [UnwindTableRow<usize, Self>; 3];
}

/// What finding a rule needs, some KiB. A thread keeps it in its memory: its stack may be a signal
/// handler's, which is small.
pub(crate) type Context = UnwindContext<usize, Small>;

/// The rule of the instruction at `address`.
#[cold]
#[inline(never)]
pub(super) fn rule(address: u64, context: &mut Context) -> Rule {
    let module = modules::of(address);
    let rule = module.and_then(|module| of_module(module, address, context));
    rule.unwrap_or(Rule::of(Kind::None))
}

fn of_module(module: Module, address: u64, context: &mut Context) -> Option<Rule> {
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
    let row = entry.unwind_info_for_address(&frames, &bases, context, address).ok()?;
    of_row(row, &frames)
}

/// The bytes from `start` to the end of an object.
fn bytes(start: usize, end: usize) -> Option<Bytes> {
    let length = end.checked_sub(start)?;
    // SAFETY: both are inside an object that is loaded: code of it is on the stack. The loader's
    // tables are never written.
    let bytes = unsafe { from_raw_parts(start as *const u8, length) };
    Some(EndianSlice::new(bytes, LittleEndian))
}

fn of_row(row: &UnwindTableRow<usize, Small>, frames: &EhFrame<Bytes>) -> Option<Rule> {
    match row.register(X86_64::RA) {
        Some(RegisterRule::Undefined) | None => return Some(Rule::of(Kind::End)),
        Some(RegisterRule::Offset(-8)) => {}
        Some(_) => return None,
    }
    match row.cfa() {
        &CfaRule::RegisterAndOffset { register, offset } => {
            let kind = match register {
                X86_64::RSP => Kind::FromSp,
                X86_64::RBP => Kind::FromFp,
                _ => return None,
            };
            let fp = match row.register(X86_64::RBP) {
                None | Some(RegisterRule::Undefined | RegisterRule::SameValue) => None,
                Some(RegisterRule::Offset(offset)) => Some(offset),
                Some(_) => return None,
            };
            Rule::new(kind, offset, fp)
        }
        CfaRule::Expression(expression) => {
            let cfa = word_at_fp(expression, frames, true)?;
            let Some(RegisterRule::Expression(fp)) = row.register(X86_64::RBP) else {
                return None;
            };
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
