//! The rules of an instruction for the registers that unwinding follows: the instructions of unwind
//! information, carried out until that address (DWARF 5, section 6.4). The state is small, because
//! it is on the stack, which may be a signal handler's.

use gimli::{BaseAddresses, CallFrameInstructionIter};
use gimli::{
    CallFrameInstruction, EhFrame, EndianSlice, FrameDescriptionEntry, LittleEndian, Register,
    UnwindExpression, X86_64,
};

pub(super) type Bytes = EndianSlice<'static, LittleEndian>;
type Instructions<'a> = CallFrameInstructionIter<'a, Bytes>;

/// Where the canonical frame address is.
#[derive(Clone, Copy)]
pub(super) enum Cfa {
    /// A register and an offset in bytes.
    From(Register, i64),
    /// What an expression says.
    Expression(UnwindExpression<usize>),
}

/// Where a register of the caller is.
#[derive(Clone, Copy)]
pub(super) enum Saved {
    /// Nowhere: it is lost, or there is no caller.
    Nowhere,
    /// Where it was.
    Same,
    /// In memory, at an offset in bytes from the canonical frame address.
    At(i64),
    /// In memory, where an expression says.
    AtExpression(UnwindExpression<usize>),
    /// Somewhere else.
    Elsewhere,
}

/// The rules of an instruction.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) cfa: Cfa,
    pub(super) fp: Saved,
    pub(super) ra: Saved,
}

/// Compilers nest remembered states two deep.
const REMEMBERED_MAX: usize = 4;

/// What the instructions change.
struct State {
    row: Row,
    /// The row after the instructions that all functions of a kind share.
    initial: Row,
    remembered: [Row; REMEMBERED_MAX],
    remembered_count: usize,
    code_factor: u64,
    data_factor: i64,
    /// The address that the row is for, from which on it holds.
    at: u64,
}

/// The row of the instruction at `address`, which is in the function of `entry`. `None`: the
/// instructions say something that is not supported.
#[inline(never)]
pub(super) fn of(
    entry: &FrameDescriptionEntry<Bytes>,
    frames: &EhFrame<Bytes>,
    bases: &BaseAddresses,
    address: u64,
) -> Option<Row> {
    let start = Row { cfa: Cfa::From(X86_64::RSP, 0), fp: Saved::Same, ra: Saved::Nowhere };
    let cie = entry.cie();
    let mut state = State {
        row: start,
        initial: start,
        remembered: [start; REMEMBERED_MAX],
        remembered_count: 0,
        code_factor: cie.code_alignment_factor(),
        data_factor: cie.data_alignment_factor(),
        at: entry.initial_address(),
    };
    state.carry_out(cie.instructions(frames, bases), u64::MAX)?;
    state.initial = state.row;
    state.carry_out(entry.instructions(frames, bases), address)?;
    Some(state.row)
}

impl State {
    /// Carries instructions out, until the row is that of `address`.
    fn carry_out(&mut self, mut instructions: Instructions<'_>, address: u64) -> Option<()> {
        use CallFrameInstruction as Instruction;
        while let Some(instruction) = instructions.next().ok()? {
            let next = match instruction {
                Instruction::SetLoc { address } => address,
                Instruction::AdvanceLoc { delta } => {
                    self.at.checked_add(u64::from(delta).checked_mul(self.code_factor)?)?
                }
                other => {
                    self.change(&other)?;
                    continue;
                }
            };
            if next > address {
                return Some(());
            }
            self.at = next;
        }
        Some(())
    }

    /// Carries out an instruction that changes the row.
    fn change(&mut self, instruction: &CallFrameInstruction<usize>) -> Option<()> {
        use CallFrameInstruction as Instruction;
        let data = self.data_factor;
        match *instruction {
            Instruction::DefCfa { register, offset } => {
                self.row.cfa = Cfa::From(register, i64::try_from(offset).ok()?);
            }
            Instruction::DefCfaSf { register, factored_offset } => {
                self.row.cfa = Cfa::From(register, factored_offset.checked_mul(data)?);
            }
            Instruction::DefCfaRegister { register } => {
                let Cfa::From(_, offset) = self.row.cfa else { return None };
                self.row.cfa = Cfa::From(register, offset);
            }
            Instruction::DefCfaOffset { offset } => {
                let Cfa::From(register, _) = self.row.cfa else { return None };
                self.row.cfa = Cfa::From(register, i64::try_from(offset).ok()?);
            }
            Instruction::DefCfaOffsetSf { factored_offset } => {
                let Cfa::From(register, _) = self.row.cfa else { return None };
                self.row.cfa = Cfa::From(register, factored_offset.checked_mul(data)?);
            }
            Instruction::DefCfaExpression { expression } => {
                self.row.cfa = Cfa::Expression(expression);
            }
            Instruction::RememberState => {
                *self.remembered.get_mut(self.remembered_count)? = self.row;
                self.remembered_count += 1;
            }
            Instruction::RestoreState => {
                self.remembered_count = self.remembered_count.checked_sub(1)?;
                self.row = *self.remembered.get(self.remembered_count)?;
            }
            Instruction::Restore { register } => {
                if let Some((place, initial)) = self.place(register) {
                    *place = initial;
                }
            }
            _ => self.set_register(instruction)?,
        }
        Some(())
    }

    /// Carries out an instruction that says where a register is.
    fn set_register(&mut self, instruction: &CallFrameInstruction<usize>) -> Option<()> {
        use CallFrameInstruction as Instruction;
        let data = self.data_factor;
        let (register, saved) = match *instruction {
            Instruction::Undefined { register } => (register, Saved::Nowhere),
            Instruction::SameValue { register } => (register, Saved::Same),
            Instruction::Offset { register, factored_offset } => {
                let offset = i64::try_from(factored_offset).ok()?.checked_mul(data)?;
                (register, Saved::At(offset))
            }
            Instruction::OffsetExtendedSf { register, factored_offset } => {
                (register, Saved::At(factored_offset.checked_mul(data)?))
            }
            Instruction::Expression { register, expression } => {
                (register, Saved::AtExpression(expression))
            }
            Instruction::ValOffset { register, .. }
            | Instruction::ValOffsetSf { register, .. }
            | Instruction::ValExpression { register, .. }
            | Instruction::Register { dest_register: register, .. } => (register, Saved::Elsewhere),
            // The size of arguments, which unwinding does not need, and padding.
            _ => return Some(()),
        };
        if let Some((place, _)) = self.place(register) {
            *place = saved;
        }
        Some(())
    }

    /// The place of a register that unwinding follows, and what it held at first.
    fn place(&mut self, register: Register) -> Option<(&mut Saved, Saved)> {
        match register {
            X86_64::RBP => Some((&mut self.row.fp, self.initial.fp)),
            X86_64::RA => Some((&mut self.row.ra, self.initial.ra)),
            _ => None,
        }
    }
}
