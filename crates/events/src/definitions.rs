//! Texts, modules and stacks, each defined once; events refer to them by number.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::mem::take;

use crate::{RECORDER_LIBRARY, RECORDER_MEMORY};

use crate::{ModuleId, Name, StackId};

/// A frame of a stack. Stacks that share their outer frames share these definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Frame {
    /// The frame that called this one; [`StackId::NONE`] for the outermost.
    pub caller: StackId,
    /// An address inside the instruction at which this frame was left: of the call, or of the
    /// instruction that a signal interrupted. It belongs to the address space of the process that
    /// uses the stack, at that time.
    pub address: u64,
}

/// A mapped file. Two files that had the same path at different times are two modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Module {
    /// Its path when it was mapped.
    pub path: Name,
    /// The device that it is on.
    pub device: Device,
    /// Its inode number on that device.
    pub inode: u64,
    /// The generation of the inode, which distinguishes files that reuse its number; 0 if unknown
    /// (`/proc/PID/maps` does not have it).
    pub generation: u64,
}

/// The id by which a linker identifies a build of a file (`NT_GNU_BUILD_ID`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BuildId {
    len: u8,
    bytes: [u8; BuildId::BYTES_MAX],
}

impl BuildId {
    /// The longest that linkers create: an SHA-1.
    pub const BYTES_MAX: usize = 20;

    /// The build id of these bytes; `None` if there are none, or more than [`BuildId::BYTES_MAX`].
    #[must_use]
    pub fn new(id: &[u8]) -> Option<BuildId> {
        let len = u8::try_from(id.len()).ok().filter(|&len| len > 0)?;
        let mut bytes = [0; BuildId::BYTES_MAX];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        Some(BuildId { len, bytes })
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// A device, by its numbers (makedev(3)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Device {
    /// The major number, of the driver.
    pub major: u32,
    /// The minor number, of the driver's device.
    pub minor: u32,
}

/// Assigns a number to a text, module, build id or frame, for the rest of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Definition {
    /// A text. The observer has replaced bytes of paths that are not UTF-8.
    Text(Name, Arc<str>),
    /// A module. Its path has been defined before.
    Module(ModuleId, Module),
    /// The build id of a module that has been defined before, once code of it is mapped. If it is
    /// missing, the module has none, or it could not be read.
    BuildId(ModuleId, BuildId),
    /// A frame. Its caller has been defined before.
    Frame(StackId, Frame),
}

/// All definitions so far, on the reader's side.
#[derive(Debug, Clone)]
pub struct Definitions {
    texts: Vec<Arc<str>>,
    modules: Vec<Module>,
    build_ids: BTreeMap<ModuleId, BuildId>,
    frames: Vec<Frame>,
}

impl Default for Definitions {
    fn default() -> Self {
        Definitions {
            texts: vec![Arc::from("")],
            modules: Vec::new(),
            build_ids: BTreeMap::new(),
            frames: Vec::new(),
        }
    }
}

impl Definitions {
    /// Takes the next definition of the stream. Returns `false` if it is invalid: numbers are
    /// consecutive, so a number that is already defined, or that leaves a gap, is refused.
    pub fn define(&mut self, definition: Definition) -> bool {
        let is_next = |number: u32, next: usize| usize::try_from(number) == Ok(next);
        match definition {
            Definition::Text(Name(number), text) if is_next(number, self.texts.len()) => {
                self.texts.push(text);
            }
            Definition::Module(ModuleId(number), module)
                if is_next(number, self.modules.len() + 1) =>
            {
                self.modules.push(module);
            }
            Definition::BuildId(id, build_id)
                if self.module(id).is_some() && !self.build_ids.contains_key(&id) =>
            {
                self.build_ids.insert(id, build_id);
            }
            Definition::Frame(StackId(number), frame)
                if is_next(number, self.frames.len() + 1) && frame.caller.0 < number =>
            {
                self.frames.push(frame);
            }
            _ => return false,
        }
        true
    }

    /// The text of `name`; empty for [`Name::NONE`] and for an undefined one.
    #[must_use]
    pub fn text(&self, name: Name) -> &str {
        self.texts.get(name.0 as usize).map_or("", |text| text)
    }

    /// Whether `name` is that of the memory by which a program is recorded.
    #[must_use]
    pub fn is_recorders_memory(&self, name: Name) -> bool {
        let memory = self.text(name).strip_prefix("/memfd:");
        memory.is_some_and(|memory| memory.starts_with(RECORDER_MEMORY))
    }

    /// Whether `module` is the library by which a program is recorded.
    #[must_use]
    pub fn is_recorders_library(&self, module: ModuleId) -> bool {
        let path = self.module(module).map_or("", |module| self.text(module.path));
        let name = path.rsplit('/').next().and_then(|name| name.strip_prefix(RECORDER_LIBRARY));
        name.is_some_and(|name| {
            let hash = name.strip_suffix(".so").unwrap_or_default();
            hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    }

    /// The text of `name`, shared.
    #[must_use]
    pub fn shared_text(&self, name: Name) -> Arc<str> {
        Arc::clone(self.texts.get(name.0 as usize).unwrap_or(&self.texts[0]))
    }

    /// The module with this number; `None` for [`ModuleId::NONE`] and for an undefined one.
    #[must_use]
    pub fn module(&self, id: ModuleId) -> Option<&Module> {
        self.modules.get((id.0 as usize).checked_sub(1)?)
    }

    /// The build id of a module, if it is known.
    #[must_use]
    pub fn build_id(&self, id: ModuleId) -> Option<&BuildId> {
        self.build_ids.get(&id)
    }

    /// The innermost frame of a stack; `None` for [`StackId::NONE`] and for an undefined one.
    #[must_use]
    pub fn frame(&self, id: StackId) -> Option<&Frame> {
        self.frames.get((id.0 as usize).checked_sub(1)?)
    }

    /// The frames of a stack, from the innermost to the outermost.
    pub fn frames(&self, id: StackId) -> impl Iterator<Item = Frame> {
        let inner = self.frame(id).copied();
        core::iter::successors(inner, |frame| self.frame(frame.caller).copied())
    }

    /// All definitions, in an order in which they can be defined.
    pub fn iter(&self) -> impl Iterator<Item = Definition> {
        let number = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        let texts = self.texts.iter().enumerate().skip(1);
        let modules = self.modules.iter().enumerate();
        texts
            .map(move |(index, text)| Definition::Text(Name(number(index)), Arc::clone(text)))
            .chain(modules.map(move |(index, module)| {
                Definition::Module(ModuleId(number(index + 1)), *module)
            }))
            .chain(self.build_ids.iter().map(|(&id, &build_id)| Definition::BuildId(id, build_id)))
            .chain(
                self.frames.iter().enumerate().map(move |(index, frame)| {
                    Definition::Frame(StackId(number(index + 1)), *frame)
                }),
            )
    }
}

/// Assigns numbers to texts, modules and frames, on the observer's side.
#[derive(Debug, Clone, Default)]
pub struct Interner {
    table: Definitions,
    names: BTreeMap<Arc<str>, Name>,
    modules: BTreeMap<Module, ModuleId>,
    frames: BTreeMap<Frame, StackId>,
    new: Vec<Definition>,
}

impl Interner {
    /// The number of `text`: its existing one, or a new one. The empty text is [`Name::NONE`].
    ///
    /// # Panics
    /// With more than 2^32 different texts.
    pub fn text(&mut self, text: &str) -> Name {
        if text.is_empty() {
            return Name::NONE;
        }
        if let Some(&name) = self.names.get(text) {
            return name;
        }
        let name = Name(u32::try_from(self.table.texts.len()).expect("fewer than 2^32 texts"));
        let text: Arc<str> = Arc::from(text);
        self.names.insert(Arc::clone(&text), name);
        self.add(Definition::Text(name, text));
        name
    }

    /// The number of `module`: its existing one, or a new one.
    ///
    /// # Panics
    /// With more than 2^32 different modules.
    pub fn module(&mut self, module: Module) -> ModuleId {
        if let Some(&id) = self.modules.get(&module) {
            return id;
        }
        let id =
            ModuleId(u32::try_from(self.table.modules.len() + 1).expect("fewer than 2^32 modules"));
        self.modules.insert(module, id);
        self.add(Definition::Module(id, module));
        id
    }

    /// The number of the stack with the innermost frame `frame`: its existing one, or a new one.
    ///
    /// # Panics
    /// With more than 2^32 different frames.
    pub fn frame(&mut self, frame: Frame) -> StackId {
        if let Some(&id) = self.frames.get(&frame) {
            return id;
        }
        let id =
            StackId(u32::try_from(self.table.frames.len() + 1).expect("fewer than 2^32 frames"));
        self.frames.insert(frame, id);
        self.add(Definition::Frame(id, frame));
        id
    }

    /// Defines the build id of the module `id`, unless it is known already.
    pub fn build_id(&mut self, id: ModuleId, build_id: BuildId) {
        if self.table.build_id(id).is_none() {
            self.add(Definition::BuildId(id, build_id));
        }
    }

    fn add(&mut self, definition: Definition) {
        self.new.push(definition.clone());
        self.table.define(definition);
    }

    /// Moves the definitions made since the last call to `into`.
    pub fn take_new(&mut self, into: &mut Vec<Definition>) {
        into.extend(take(&mut self.new));
    }

    /// All its definitions.
    #[must_use]
    pub fn table(&self) -> &Definitions {
        &self.table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(path: Name, inode: u64) -> Module {
        Module { path, device: Device { major: 8, minor: 1 }, inode, generation: 3 }
    }

    #[test]
    fn each_text_and_each_file_has_one_number() {
        let mut interner = Interner::default();
        let (heap, libc) = (interner.text("[heap]"), interner.text("/lib/libc.so.6"));
        assert_ne!(heap, libc);
        assert_eq!((interner.text("[heap]"), interner.text("")), (heap, Name::NONE));
        assert!(heap.is_some() && !Name::NONE.is_some());
        let old = interner.module(module(libc, 7));
        assert_ne!(old, interner.module(module(libc, 8)), "replaced by another file of that path");
        assert_eq!(interner.module(module(libc, 7)), old);
        let table = interner.table();
        assert_eq!(
            (table.text(heap), table.text(libc), table.text(Name::NONE)),
            ("[heap]", "/lib/libc.so.6", "")
        );
        assert_eq!(table.module(old), Some(&module(libc, 7)));
        assert_eq!(table.module(ModuleId::NONE), None);
    }

    #[test]
    fn definitions_are_written_and_read_back() {
        let (mut interner, mut reader, mut new) =
            (Interner::default(), Definitions::default(), Vec::new());
        let path = interner.text("/bin/a");
        let first = interner.module(module(path, 1));
        let build_id = BuildId::new(&[7; 20]).unwrap();
        interner.build_id(first, build_id);
        interner.build_id(first, BuildId::new(&[8]).unwrap());
        let outer = interner.frame(Frame { caller: StackId::NONE, address: 0x401_000 });
        let inner = interner.frame(Frame { caller: outer, address: 0x402_000 });
        assert_eq!(interner.frame(Frame { caller: outer, address: 0x402_000 }), inner);
        interner.take_new(&mut new);
        let later = interner.text("later");
        interner.take_new(&mut new);
        assert!(new.into_iter().all(|definition| reader.define(definition)));
        assert_eq!(
            (reader.text(path), reader.text(later), reader.module(first)),
            ("/bin/a", "later", Some(&module(path, 1)))
        );
        assert_eq!(reader.build_id(first), Some(&build_id), "a module has one");
        let addresses: Vec<u64> = reader.frames(inner).map(|frame| frame.address).collect();
        assert_eq!(addresses, [0x402_000, 0x401_000]);
        let mut copy = Definitions::default();
        assert!(reader.iter().all(|definition| copy.define(definition)));
        assert_eq!(
            (copy.texts, copy.modules, copy.build_ids, copy.frames),
            (reader.texts, reader.modules, reader.build_ids, reader.frames)
        );
    }

    #[test]
    fn the_library_of_the_recorder_is_known_by_its_name() {
        let mut interner = Interner::default();
        for (path, is_recorders) in [
            ("/root/.cache/firsttouch/shim-f918debf8f44012e.so", true),
            ("shim-f918debf8f44012e.so", true),
            ("/usr/lib/shim-f918debf8f44012.so", false),
            ("/usr/lib/shim-f918debf8f44012x.so", false),
            ("/usr/lib/libc.so.6", false),
        ] {
            let path_name = interner.text(path);
            let id = interner.module(module(path_name, 1));
            assert_eq!(interner.table().is_recorders_library(id), is_recorders, "{path}");
        }
        assert!(!interner.table().is_recorders_library(ModuleId::NONE));
    }

    #[test]
    fn numbers_out_of_sequence_are_refused() {
        let mut reader = Definitions::default();
        assert!(!reader.define(Definition::Text(Name(2), Arc::from("gap"))));
        assert!(!reader.define(Definition::Text(Name(0), Arc::from("none"))));
        assert!(!reader.define(Definition::Module(ModuleId(0), module(Name::NONE, 1))));
        assert!(
            !reader.define(Definition::BuildId(ModuleId(1), BuildId::new(&[1]).unwrap())),
            "its module is undefined"
        );
        let own_caller = Frame { caller: StackId(1), address: 0 };
        assert!(!reader.define(Definition::Frame(StackId(1), own_caller)), "it would have no end");
        assert_eq!([BuildId::new(&[]), BuildId::new(&[0; 21])], [None, None]);
        assert_eq!(reader.text(Name(9)), "", "a damaged file does not cause a panic");
    }
}
