//! What an ELF file tells the dynamic linker (ld.so(8)): its interpreter, the libraries that it
//! needs, the symbols that it exports. Only the parts that are needed are read, by their sections:
//! programs of a hundred MiB exist.
//!
//! Safety story: memmem(3) gets two slices with their lengths.
#![allow(unsafe_code)]

use std::collections::BTreeSet;
use std::fs::File;

use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{Dyn, FileHeader, ProgramHeader, SectionHeader, SectionTable, Sym};
use object::read::{ReadCache, ReadRef, StringTable};
use object::{Endianness, FileKind, SectionIndex};

use super::Malformed;

/// What to look for in a file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Symbols.
    pub symbols: &'a [&'a str],
    /// Texts in its constant data.
    pub texts: &'a [&'a str],
}

/// What a file tells the dynamic linker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Linkage {
    /// 32 or 64.
    pub bits: u8,
    /// The architecture (`e_machine`).
    pub machine: u16,
    /// The dynamic linker of a program (`PT_INTERP`). Without it, none runs.
    pub interpreter: Option<String>,
    /// The name of a library (`DT_SONAME`).
    pub soname: Option<String>,
    /// The libraries that it needs, in order (`DT_NEEDED`).
    pub needed: Vec<String>,
    /// Those of the wanted symbols that it exports.
    pub exported: BTreeSet<String>,
    /// Those of the wanted symbols that it defines and does not export, as far as its symbol table
    /// was not stripped.
    pub internal: BTreeSet<String>,
    /// Those of the wanted texts that its constant data contain.
    pub texts: BTreeSet<String>,
    /// Whether it is a program of the Go toolchain.
    pub go: bool,
}

/// Reads the linkage of `file`, as far as `wanted`.
///
/// # Errors
/// [`Malformed`] says what is wrong with the file. `Truncated` also stands for a read error, and
/// `Unknown` for a file without sections.
pub fn linkage(file: File, wanted: Wanted) -> Result<Linkage, Malformed> {
    let bytes = ReadCache::new(file);
    match FileKind::parse(&bytes) {
        Ok(FileKind::Elf32) => of::<FileHeader32<Endianness>, _>(&bytes, 32, wanted),
        Ok(FileKind::Elf64) => of::<FileHeader64<Endianness>, _>(&bytes, 64, wanted),
        _ => Err(Malformed::NotElf),
    }
}

fn of<'data, H, R>(data: R, bits: u8, wanted: Wanted) -> Result<Linkage, Malformed>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let cut = |_| Malformed::Truncated;
    let header = H::parse(data).map_err(cut)?;
    let endian = header.endian().map_err(|_| Malformed::Unknown)?;
    let sections = header.sections(endian, data).map_err(cut)?;
    if sections.is_empty() {
        return Err(Malformed::Unknown);
    }
    let file = Reader::<H, R> { sections, endian, data };
    let mut found = Linkage { bits, machine: header.e_machine(endian).0, ..Linkage::default() };
    for program in header.program_headers(endian, data).map_err(cut)? {
        if let Ok(Some(path)) = program.interpreter(endian, data) {
            found.interpreter = Some(text(path));
        }
    }
    file.dynamic(&mut found)?;
    found.exported = file.symbols(elf::SHT_DYNSYM, wanted.symbols)?;
    found.internal = file.symbols(elf::SHT_SYMTAB, wanted.symbols)?;
    found.internal.retain(|name| !found.exported.contains(name));
    found.go = file.sections.section_by_name(endian, b".go.buildinfo").is_some();
    found.texts = file.texts(wanted.texts)?;
    Ok(found)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

struct Reader<'data, H: FileHeader, R: ReadRef<'data>> {
    sections: SectionTable<'data, H, R>,
    endian: Endianness,
    data: R,
}

impl<'data, H: FileHeader<Endian = Endianness>, R: ReadRef<'data>> Reader<'data, H, R> {
    /// The section of strings `index`, read as a whole: names one by one would be a read each.
    fn strings(&self, index: SectionIndex) -> Result<StringTable<'data, &'data [u8]>, Malformed> {
        let section = self.sections.section(index).map_err(|_| Malformed::Unknown)?;
        let bytes = section.data(self.endian, self.data).map_err(|_| Malformed::Truncated)?;
        Ok(StringTable::new(bytes, 0, bytes.len() as u64))
    }

    fn dynamic(&self, found: &mut Linkage) -> Result<(), Malformed> {
        let dynamic = self.sections.dynamic(self.endian, self.data);
        let Some((entries, link)) = dynamic.map_err(|_| Malformed::Truncated)? else {
            return Ok(());
        };
        let strings = self.strings(link)?;
        for entry in entries {
            let Some(name) = entry.val32(self.endian) else { continue };
            let name = || strings.get(name).map(text).map_err(|()| Malformed::Truncated);
            match entry.tag(self.endian) {
                elf::DT_NEEDED => found.needed.push(name()?),
                elf::DT_SONAME => found.soname = Some(name()?),
                _ => {}
            }
        }
        Ok(())
    }

    /// Those of `wanted` that the symbol table of type `kind` defines.
    fn symbols(
        &self,
        kind: elf::SectionType,
        wanted: &[&str],
    ) -> Result<BTreeSet<String>, Malformed> {
        let mut found = BTreeSet::new();
        let table = self.sections.iter().find(|section| section.sh_type(self.endian) == kind);
        let Some(table) = table.filter(|_| !wanted.is_empty()) else { return Ok(found) };
        let symbols: &[H::Sym] =
            table.data_as_array(self.endian, self.data).map_err(|_| Malformed::Truncated)?;
        let strings = self.strings(table.link(self.endian))?;
        for symbol in symbols {
            let is_visible =
                matches!(symbol.st_visibility(), elf::STV_DEFAULT | elf::STV_PROTECTED);
            let is_exported = is_visible && !symbol.is_local();
            if symbol.is_undefined(self.endian) || kind == elf::SHT_DYNSYM && !is_exported {
                continue;
            }
            let Ok(name) = symbol.name(self.endian, strings) else { continue };
            if let Some(name) = wanted.iter().find(|wanted| wanted.as_bytes() == name) {
                found.insert((*name).to_owned());
            }
        }
        Ok(found)
    }

    /// Those of `wanted` that the constant data contain.
    fn texts(&self, wanted: &[&str]) -> Result<BTreeSet<String>, Malformed> {
        let mut found = BTreeSet::new();
        for section in self.sections.iter().filter(|_| !wanted.is_empty()) {
            let name = self.sections.section_name(self.endian, section).unwrap_or_default();
            if !name.starts_with(b".rodata") {
                continue;
            }
            let bytes = section.data(self.endian, self.data).map_err(|_| Malformed::Truncated)?;
            let has = |text: &&&str| contains(bytes, text.as_bytes());
            found.extend(wanted.iter().filter(has).map(|text| (*text).to_owned()));
        }
        Ok(found)
    }
}

/// Whether `part` is somewhere in `bytes`. The C library's search is many times as fast as one that
/// compares at every place.
fn contains(bytes: &[u8], part: &[u8]) -> bool {
    // SAFETY: both pointers are readable for the lengths given, and nothing is written.
    let found = unsafe {
        libc::memmem(bytes.as_ptr().cast(), bytes.len(), part.as_ptr().cast(), part.len())
    };
    !found.is_null()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const MALLOC: Wanted<'_> = Wanted { symbols: &["malloc", "hidden_one"], texts: &["<note>: "] };

    fn read(path: &Path) -> Result<Linkage, Malformed> {
        linkage(File::open(path).unwrap(), MALLOC)
    }

    /// A folder of its own, removed at the end; `None` (and a skip) without a C compiler.
    fn compiled(name: &str, source: &str, options: &[&str]) -> Option<Linkage> {
        let folder = std::env::temp_dir().join(format!("firsttouch-{name}-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let (input, output) = (folder.join("main.c"), folder.join("main"));
        std::fs::write(&input, source).unwrap();
        let mut compiler = std::process::Command::new("cc");
        let status = compiler.arg(&input).arg("-o").arg(&output).args(options).status();
        let found = if status.is_ok_and(|status| status.success()) {
            Some(read(&output).unwrap())
        } else {
            skips::skip("there is no C compiler");
            None
        };
        std::fs::remove_dir_all(&folder).unwrap();
        found
    }

    #[test]
    fn this_program_needs_its_c_library() {
        let own = read(&std::env::current_exe().unwrap()).unwrap();
        assert_eq!(u32::from(own.bits), usize::BITS);
        if own.interpreter.is_some() {
            assert!(own.needed.iter().any(|name| name.starts_with("libc.")), "{:?}", own.needed);
        }
        assert!(!own.go && own.soname.is_none() && own.exported.is_empty());
    }

    #[test]
    fn symbols_are_exported_or_internal() {
        const SOURCE: &str = "#include <stddef.h>\n\
            void *malloc(size_t size) { (void)size; return 0; }\n\
            __attribute__((visibility(\"hidden\"))) int hidden_one(void) { return 1; }\n\
            const char *text(void) { return \"<note>: here\"; }\n\
            int main(void) { return hidden_one(); }\n";
        let names = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
        if let Some(program) = compiled("linkage-program", SOURCE, &["-O0", "-fno-builtin"]) {
            assert_eq!(names(&program.exported), ["malloc"], "the C library has one, too");
            assert_eq!(names(&program.internal), ["hidden_one"]);
            assert_eq!(names(&program.texts), ["<note>: "]);
            assert!(program.interpreter.is_some());
        }
        let library = ["-shared", "-fPIC", "-Wl,-soname,libone.so.7", "-s"];
        if let Some(library) = compiled("linkage-library", SOURCE, &library) {
            assert_eq!(library.soname.as_deref(), Some("libone.so.7"));
            assert_eq!(
                (names(&library.exported), names(&library.internal)),
                (vec!["malloc".to_owned()], Vec::new()),
                "stripped"
            );
        }
    }

    #[test]
    fn what_is_no_elf_file_is_refused() {
        assert_eq!(read(Path::new("/etc/passwd")), Err(Malformed::NotElf));
        assert_eq!(read(Path::new("/dev/null")), Err(Malformed::NotElf));
    }

    /// Any truncation, and any value of any byte of the headers, gives a result and no panic.
    #[test]
    fn hostile_files_never_panic() {
        let whole = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let parse = |bytes: &[u8]| of::<FileHeader64<Endianness>, _>(bytes, 64, MALLOC);
        for len in (0..whole.len()).step_by(whole.len() / 200) {
            let _ = parse(&whole[..len]);
        }
        let mut small = whole[..(64 << 10).min(whole.len())].to_vec();
        for at in 0..512 {
            let before = small[at];
            for value in [0, 1, 0x7f, 0xff] {
                small[at] = value;
                let _ = parse(&small);
            }
            small[at] = before;
        }
    }
}
