//! The dynamic linker's own list of what it has loaded into a process, in its order: the link map
//! that debuggers use (`r_debug` of `link.h`). It starts at an entry of the program's dynamic
//! section, which the auxiliary vector leads to.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::thread::entry;

/// Entries of the auxiliary vector (getauxval(3)): the address, size and number of the program
/// headers.
const AT_PHDR: u64 = 3;
const AT_PHENT: u64 = 4;
const AT_PHNUM: u64 = 5;
/// Types of program headers, and tags of dynamic sections (elf(5)).
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const PT_PHDR: u64 = 6;
const DT_NULL: u64 = 0;
const DT_DEBUG: u64 = 21;
/// Longer lists are taken for damaged ones.
const OBJECTS_MAX: usize = 65_536;
const DYNAMIC_MAX: u64 = 1_024;

/// The memory of a process whose words have 4 or 8 bytes.
struct Memory<'a> {
    file: &'a File,
    word_bytes: u64,
}

impl Memory<'_> {
    fn bytes<const N: usize>(&self, address: u64) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.file.read_exact_at(&mut bytes, address)?;
        Ok(bytes)
    }

    /// The word number `index` after `address`.
    fn word(&self, address: u64, index: u64) -> io::Result<u64> {
        let at = address.wrapping_add(index * self.word_bytes);
        Ok(match self.word_bytes {
            4 => u64::from(u32::from_ne_bytes(self.bytes(at)?)),
            _ => u64::from_ne_bytes(self.bytes(at)?),
        })
    }

    /// The type and the linked address of the program header at `address` (elf(5)).
    fn program_header(&self, address: u64) -> io::Result<(u64, u64)> {
        let kind = u64::from(u32::from_ne_bytes(self.bytes(address)?));
        // 64 bits: type and flags, offset, address. 32 bits: type, offset, address.
        Ok((kind, self.word(address, 2)?))
    }
}

/// The addresses of the dynamic sections of all that is loaded, the program first. Empty without a
/// dynamic linker, and before it has made its list.
pub(super) fn loaded(memory: &File, vector: &[u8], bits: u8) -> io::Result<Vec<u64>> {
    let memory = Memory { file: memory, word_bytes: u64::from(bits / 8) };
    let auxiliary = |wanted| entry(vector, bits, wanted).filter(|value| *value != 0);
    let (Some(headers), Some(size), Some(count)) =
        (auxiliary(AT_PHDR), auxiliary(AT_PHENT), auxiliary(AT_PHNUM))
    else {
        return Ok(Vec::new());
    };
    // Without this header a program lies where it was linked to: the dynamic linker relies on it.
    let mut shift = 0;
    let (mut dynamic, mut is_interpreted) = (None, false);
    for number in 0..count.min(u64::from(u16::MAX)) {
        match memory.program_header(headers.wrapping_add(number * size))? {
            (PT_DYNAMIC, linked) => dynamic = Some(linked),
            (PT_INTERP, _) => is_interpreted = true,
            (PT_PHDR, linked) => shift = headers.wrapping_sub(linked),
            _ => {}
        }
    }
    // A static program that can lie anywhere has a dynamic section as well, for itself.
    let Some(dynamic) = dynamic.filter(|_| is_interpreted) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let Some(list) = debug_list(&memory, dynamic.wrapping_add(shift))? else { return Ok(found) };
    // struct r_debug: a version, then the first object.
    let mut next = memory.word(list, 1)?;
    while next != 0 && found.len() < OBJECTS_MAX {
        // struct link_map: shift, name, dynamic section, next.
        found.push(memory.word(next, 2)?);
        next = memory.word(next, 3)?;
    }
    Ok(found)
}

/// The address in `DT_DEBUG` of the dynamic section at `address`.
fn debug_list(memory: &Memory, address: u64) -> io::Result<Option<u64>> {
    for pair in 0..DYNAMIC_MAX {
        match memory.word(address, 2 * pair)? {
            DT_NULL => break,
            DT_DEBUG => return Ok(Some(memory.word(address, 2 * pair + 1)?).filter(|at| *at != 0)),
            _ => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use crate::proc::TaskFolder;

    /// The list of this process names the files that its maps have, the program first.
    #[test]
    fn the_list_of_this_process_is_read() {
        let folder = TaskFolder::new(std::process::id(), crate::process::this_thread());
        let bits = if cfg!(target_pointer_width = "64") { 64 } else { 32 };
        let objects = folder.loaded_objects(bits).unwrap();
        let regions = folder.regions().unwrap();
        let file = |address: &u64| {
            let address = usize::try_from(*address).unwrap();
            regions.iter().find(|region| region.contains(address)).map(|region| &*region.name)
        };
        let files: Vec<&str> = objects.iter().filter_map(file).collect();
        if objects.is_empty() {
            skips::skip("the tests are a static program");
            return;
        }
        assert_eq!(files.len(), objects.len(), "each lies in a mapping");
        assert_eq!(Some(files[0]), folder.program().unwrap().to_str());
        assert!(files.iter().any(|file| file.contains("libc.so")), "{files:?}");
    }

    #[test]
    fn a_static_program_and_a_thread_that_is_gone_have_none() {
        assert!(TaskFolder::new(u32::MAX, u32::MAX).loaded_objects(64).is_err());
    }
}
