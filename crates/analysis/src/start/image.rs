//! An executed program until its start is over.

use events::{Allocation, Call, Definitions, Event, Fault, Header, Mapping, ModuleId, StackId};
use events::{MappingKind, Syscall};
use results::start::StartUntil;

use super::account::{StartAccount, StartedSums};
use super::cause::{self, Toucher, is_recorders};
use super::entered::{Entered, FaultAfterEntry};
use super::tally::{StartSum, StartTally};
use crate::address_space::{Attributor, FaultOrigin, MappedRegion};

/// `PROT_READ` of `<asm-generic/mman-common.h>`, alone.
const READ_ONLY: u64 = 1;

/// The kernel puts programs that may be anywhere, and are relocated therefore, above this address
/// (`ELF_ET_DYN_BASE`); others are linked for one below it.
const RELOCATED_FROM: u64 = 1 << 32;

/// An event, and what it can be held against.
pub(super) struct Moment<'a> {
    pub(super) event: &'a Event,
    pub(super) attributor: &'a mut Attributor,
    pub(super) definitions: &'a Definitions,
    pub(super) header: &'a Header,
}

impl Moment<'_> {
    /// The mapping of the event's process at `address`.
    pub(super) fn region(&mut self, address: u64) -> Option<MappedRegion> {
        self.attributor.region(self.event.thread.pid, address)
    }

    /// The file at `address`, and the offset in it; none where there is no file.
    pub(super) fn place(&mut self, address: u64) -> (ModuleId, u64) {
        match self.region(address).filter(MappedRegion::is_file) {
            Some(region) => {
                (region.module, region.offset_bytes.wrapping_add(address - region.start))
            }
            None => (ModuleId::NONE, address),
        }
    }

    fn is_of_first_thread(&self) -> bool {
        self.event.thread.tid == self.event.thread.pid
    }

    /// The end of the event, or its beginning if that is not known.
    pub(super) fn end_ns(&self) -> u64 {
        self.event.end_ns().unwrap_or(self.event.time_ns)
    }
}

/// How far a program is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    /// To its entry.
    ToEntry,
    /// Without a dynamic linker until it has relocated itself, else to its entry.
    ToRelro,
    /// Beyond its entry, as long as that may tell where its main begins.
    On,
}

/// A program since its exec.
#[derive(Debug, Clone)]
pub(super) struct Image {
    began_ns: u64,
    follow: Follow,
    executable: ModuleId,
    /// Where it was mapped.
    executable_at: u64,
    /// The dynamic linker; none for a program without one.
    linker: ModuleId,
    /// Whether an instruction of the program, or of its dynamic linker, has run.
    has_run: bool,
    before: StartTally,
    /// The state when the relocated data of the program became read-only, and the time of that.
    relro: Option<Box<(u64, StartTally)>>,
    entered: Option<Box<Entered>>,
    /// The stack of the last call, which begins before the entry.
    last_stack: StackId,
}

impl Image {
    /// The program that `event` says has been executed.
    pub(super) fn new(event: &Event, follow: Follow) -> Image {
        Image {
            began_ns: event.time_ns,
            follow,
            executable: ModuleId::NONE,
            executable_at: 0,
            linker: ModuleId::NONE,
            has_run: false,
            before: StartTally::default(),
            relro: None,
            entered: None,
            last_stack: StackId::NONE,
        }
    }

    /// The kernel maps the program, then its dynamic linker (`load_elf_binary` of
    /// `fs/binfmt_elf.c`).
    pub(super) fn mapped(&mut self, mapping: &Mapping) -> bool {
        if !self.has_run && mapping.module != ModuleId::NONE {
            if self.executable == ModuleId::NONE {
                self.executable = mapping.module;
                self.executable_at = mapping.start;
            } else if self.linker == ModuleId::NONE && mapping.module != self.executable {
                self.linker = mapping.module;
            }
        }
        true
    }

    /// Takes a fault. Returns whether the start may go on, as the other functions do.
    pub(super) fn fault(
        &mut self,
        fault: &Fault,
        origin: &FaultOrigin,
        mut moment: Moment<'_>,
    ) -> bool {
        if !moment.is_of_first_thread() {
            return true;
        }
        let code = if fault.in_kernel { None } else { moment.region(fault.ip) };
        let code = code.filter(MappedRegion::is_file);
        let module = code.map_or(ModuleId::NONE, |region| region.module);
        self.has_run |= !fault.in_kernel;
        let is_own_code = module != ModuleId::NONE && module == self.executable;
        if is_own_code && !self.enter(moment.event.time_ns) {
            return false;
        }
        let region = origin.region.as_ref();
        let start = region.filter(|region| region.kind == MappingKind::Anonymous);
        let below = start.and_then(|region| moment.region(region.start.checked_sub(1)?));
        let sum = StartSum::of(fault, moment.header.page_bytes);
        let recorders = [region, below.as_ref(), code.as_ref()];
        let is_recorders = recorders.into_iter().any(|at| is_recorders(at, moment.definitions));
        let belongs =
            (!is_recorders).then(|| cause::of(self.toucher(fault, module), region, below.as_ref()));
        let Some(entered) = &mut self.entered else {
            self.before.add_fault(belongs, &sum);
            return true;
        };
        let offset_bytes = is_own_code.then(|| moment.place(fault.ip).1);
        let until_ns = moment.end_ns().saturating_sub(self.began_ns);
        entered.fault(&FaultAfterEntry { sum, belongs, offset_bytes, until_ns })
    }

    /// Whose code took the fault, which is in the file `module`.
    fn toucher(&self, fault: &Fault, module: ModuleId) -> Toucher {
        let relocates_itself = self.linker == ModuleId::NONE
            && self.relro.is_none()
            && self.executable_at >= RELOCATED_FROM;
        if fault.in_kernel {
            if self.has_run { Toucher::Kernel } else { Toucher::Exec }
        } else if module == ModuleId::NONE {
            Toucher::Elsewhere
        } else if module == self.linker || module == self.executable && relocates_itself {
            Toucher::Linker(module)
        } else {
            Toucher::Code(module)
        }
    }

    /// The data that relocations have changed becomes read-only with mprotect(2).
    pub(super) fn syscall(&mut self, call: &Syscall, mut moment: Moment<'_>) -> bool {
        if !moment.is_of_first_thread() {
            return true;
        }
        self.has_run = true;
        let protects = call.call == Call::Mprotect
            && call.arguments_known
            && call.arguments[2] == READ_ONLY
            && call.result == Some(0);
        if !protects || self.relro.is_some() {
            return true;
        }
        let region = moment.region(call.arguments[0]);
        let is_own = region.is_some_and(|region| {
            region.kind == MappingKind::PrivateFile && region.module == self.executable
        });
        if is_own && self.executable != ModuleId::NONE {
            let ns = moment.event.time_ns.saturating_sub(self.began_ns);
            self.relro = Some(Box::new((ns, self.before.clone())));
            if let Some(entered) = self.entered.as_mut().filter(|_| self.linker == ModuleId::NONE) {
                let until_ns = moment.end_ns().saturating_sub(self.began_ns);
                return entered.relro(until_ns) && self.follow == Follow::On;
            }
        }
        true
    }

    /// A call of the allocator: the outermost frame of its stack shows whether the program has
    /// been entered.
    pub(super) fn allocation(&mut self, call: &Allocation, mut moment: Moment<'_>) -> bool {
        if [StackId::NONE, StackId::NOT_TAKEN].contains(&call.stack) {
            return true;
        }
        if self.entered.is_none() && call.stack != self.last_stack && moment.is_of_first_thread() {
            self.last_stack = call.stack;
            let outermost = moment.definitions.frames(call.stack).last();
            let module = outermost.map(|frame| moment.place(frame.address).0);
            if module.is_some_and(|module| module != ModuleId::NONE && module == self.executable)
                && !self.enter(moment.event.time_ns)
            {
                return false;
            }
        }
        let until_ns = moment.end_ns().saturating_sub(self.began_ns);
        match &mut self.entered {
            Some(entered) if moment.is_of_first_thread() => {
                entered.call(call.stack, self.executable, until_ns, &mut moment)
            }
            Some(entered) => entered.spend(),
            None => true,
        }
    }

    /// The program's own code runs. Returns whether it is followed further.
    fn enter(&mut self, time_ns: u64) -> bool {
        self.entered.get_or_insert_with(|| Box::new(Entered::new(time_ns)));
        match self.follow {
            Follow::ToEntry => false,
            Follow::ToRelro => self.linker == ModuleId::NONE,
            Follow::On => true,
        }
    }

    /// What is known of the start; `None` if it is not known where it ends.
    pub(super) fn finish(self) -> Option<StartAccount> {
        let (until, end_ns, tally, runs) = match (self.entered, self.relro) {
            (Some(entered), _) => {
                let elapsed_ns = entered.at_ns.saturating_sub(self.began_ns);
                (StartUntil::Entry, elapsed_ns, self.before, entered.finish())
            }
            (None, Some(relro)) => {
                let (elapsed_ns, tally) = *relro;
                (StartUntil::Relro, elapsed_ns, tally, Vec::new())
            }
            (None, None) => return None,
        };
        Some(StartAccount {
            executable: self.executable,
            until,
            elapsed_ns: end_ns,
            tally,
            runs,
            images: StartedSums::default(),
        })
    }
}
