//! Leaves out of a recording what names somebody's things: arguments, folders, files, the machine.
//!
//! What stays is what figures and symbols need: addresses, sizes, times, build ids, the files of
//! the system, the base names of programs and libraries.

use std::collections::BTreeSet;
use std::sync::Arc;

use events::{Batch, Definition, RECORDER_MEMORY};

use crate::About;

/// What stands in place of a name.
const REDACTED: &str = "redacted";
/// Where systems keep the files that come with them: the same names on every machine.
const SYSTEM_FOLDERS: [&str; 7] =
    ["/usr/", "/lib/", "/lib32/", "/lib64/", "/libx32/", "/bin/", "/sbin/"];
/// Beginnings of names that the kernel gives, of memory without a file.
const KERNEL_NAMES: [&str; 5] = ["/dev/zero", "/SYSV", "/anon_hugepage", "/[", "//anon"];
/// A process's name (`comm`) is cut to so many bytes.
const PROCESS_NAME_BYTES: usize = 15;
/// The kernel appends it to the path of a file that was deleted.
const DELETED: &str = " (deleted)";

/// Redacts a recording while it is made.
#[derive(Debug, Clone, Default)]
pub struct Redaction {
    /// The name of the program without its folders.
    program: String,
    /// The words of its arguments, and what is left of them as the name of a process.
    words: BTreeSet<String>,
    /// The names of processes that stay.
    processes: BTreeSet<String>,
}

impl Redaction {
    /// A redaction of what this command records. Its arguments are known, so that a process that
    /// is named by one of them is redacted too.
    #[must_use]
    pub fn new(command: &[String]) -> Redaction {
        let program = command.first().map_or("", |name| base(name)).to_owned();
        let separates = |c: char| !(c.is_alphanumeric() || "._+-@%".contains(c));
        let words = command.iter().skip(1).flat_map(|argument| argument.split(separates));
        let words = words.filter(|word| !word.is_empty());
        let words = words.flat_map(|word| [word, process_name(word)]).map(str::to_owned);
        Redaction { words: words.collect(), processes: BTreeSet::new(), program }
    }

    /// What the recording says of itself: no arguments, no folder, no machine.
    #[must_use]
    pub fn about(&self, about: About) -> About {
        let has_path = |notice: &String| notice.split_whitespace().any(|word| word.contains('/'));
        About {
            command: about.command.map(|command| {
                let arguments = command.iter().skip(1).map(|_| REDACTED.to_owned());
                command.first().map(|_| self.program.clone()).into_iter().chain(arguments).collect()
            }),
            directory: None,
            host: None,
            notices: about.notices.into_iter().filter(|notice| !has_path(notice)).collect(),
            is_redacted: true,
            ..about
        }
    }

    /// Redacts the texts that a batch defines. They have to be names of files, mappings and
    /// processes: texts that a program passes to the kernel must not be among them.
    pub fn batch(&mut self, batch: &mut Batch) {
        for definition in &mut batch.definitions {
            if let Definition::Text(_, text) = definition
                && let Some(redacted) = self.redacted(text)
            {
                *text = Arc::from(redacted);
            }
        }
    }

    /// What stands in place of `text`; `None`: it stays.
    fn redacted(&mut self, text: &str) -> Option<String> {
        if text.starts_with('/') {
            return self.redacted_path(text);
        }
        if let Some(named) =
            ["[anon:", "[anon_shmem:"].iter().find(|named| text.starts_with(**named))
        {
            return Some(format!("{named}{REDACTED}]"));
        }
        if text.starts_with('[') || text.starts_with("anon_inode:") {
            return None;
        }
        if self.is_argument(text) {
            return Some(REDACTED.to_owned());
        }
        self.processes.insert(text.to_owned());
        None
    }

    fn redacted_path(&self, path: &str) -> Option<String> {
        if let Some(name) = path.strip_prefix("/memfd:") {
            let is_ours = name.starts_with(RECORDER_MEMORY);
            return (!is_ours).then(|| format!("/memfd:{REDACTED}"));
        }
        let stays = SYSTEM_FOLDERS.iter().chain(&KERNEL_NAMES);
        if stays.into_iter().any(|begin| path.starts_with(begin)) {
            return None;
        }
        let (file, deleted) = match path.strip_suffix(DELETED) {
            Some(file) => (file, DELETED),
            None => (path, ""),
        };
        let name = base(file);
        let is_code = self.is_program(name) || is_library(name);
        let name = if is_code && !self.is_argument(name) { name } else { REDACTED };
        Some(format!("{name}{deleted}"))
    }

    /// Whether a name tells an argument. The program's own name is in the recording anyway.
    fn is_argument(&self, name: &str) -> bool {
        let is_own = name == self.program || name == process_name(&self.program);
        !is_own && (self.words.contains(name) || self.words.contains(process_name(name)))
    }

    fn is_program(&self, name: &str) -> bool {
        name == self.program || self.processes.contains(process_name(name))
    }
}

/// Whether a file is a library, by its name: `libz.so`, `libz.so.1`.
fn is_library(name: &str) -> bool {
    name.split_once(".so").is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with('.'))
}

/// What the kernel keeps of a name.
fn process_name(name: &str) -> &str {
    &name[..name.floor_char_boundary(PROCESS_NAME_BYTES)]
}

/// A path without its folders.
fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use events::Name;

    use super::*;

    fn redaction(command: &[&str]) -> Redaction {
        let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        Redaction::new(&command)
    }

    /// What is left of texts that are defined one after the other.
    fn left(command: &[&str], texts: &[&str]) -> Vec<String> {
        let text = |&text: &&str| Definition::Text(Name::NONE, Arc::from(text));
        let definitions = texts.iter().map(text).collect();
        let mut batch = Batch { definitions, events: Vec::new() };
        redaction(command).batch(&mut batch);
        let texts = batch.definitions.into_iter().map(|definition| match definition {
            Definition::Text(_, text) => text.to_string(),
            other => panic!("{other:?}"),
        });
        texts.collect()
    }

    #[test]
    fn files_keep_the_names_of_code_and_of_the_system() {
        let command = ["/home/ann/app", "--key=hidden.so", "plan.txt"];
        for (text, expected) in [
            ("/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libc.so.6"),
            ("/lib64/ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2"),
            ("/home/ann/app", "app"),
            ("/home/ann/app (deleted)", "app (deleted)"),
            ("/opt/acme/libacme.so.1", "libacme.so.1"),
            ("/home/ann/hidden.so", "redacted"),
            ("/home/ann/plan.txt", "redacted"),
            ("/home/ann/notes.sort", "redacted"),
            ("/memfd:plan (deleted)", "/memfd:redacted"),
            ("/dev/shm/plan", "redacted"),
            ("/dev/zero (deleted)", "/dev/zero (deleted)"),
            ("[heap]", "[heap]"),
            ("[anon:plan]", "[anon:redacted]"),
            ("[anon_shmem:plan]", "[anon_shmem:redacted]"),
        ] {
            assert_eq!(left(&command, &[text]), [expected], "{text}");
        }
        let memory = format!("/memfd:{RECORDER_MEMORY} (deleted)");
        assert_eq!(left(&command, &[&memory]), [memory.as_str()], "readers tell it by its name");
    }

    #[test]
    fn processes_keep_their_names_unless_they_are_arguments() {
        let command = ["sh", "-c", "cd /srv; ./forecast-of-next-year -v && sh done"];
        assert_eq!(left(&command, &["sh", "/srv/sh"]), ["sh", "sh"]);
        // The kernel cuts the name.
        let of_argument = ["forecast-of-nex", "/srv/forecast-of-next-year"];
        assert_eq!(left(&command, &of_argument), ["redacted", "redacted"]);
        let of_other = ["helper", "/srv/helper", "/srv/other"];
        assert_eq!(left(&command, &of_other), ["helper", "helper", "redacted"]);
    }

    #[test]
    fn a_recording_says_of_itself_that_it_is_redacted() {
        let about = About {
            command: Some(["/home/ann/app", "-x", "plan"].map(str::to_owned).to_vec()),
            directory: Some("/home/ann".to_owned()),
            host: Some("ann".to_owned()),
            kernel: Some("6.18".to_owned()),
            notices: ["nothing of /home/ann", "no faults"].map(str::to_owned).to_vec(),
            ..About::default()
        };
        let redacted = redaction(&["/home/ann/app", "-x", "plan"]).about(about.clone());
        let command = ["app", "redacted", "redacted"].map(str::to_owned).to_vec();
        let expected = About {
            command: Some(command),
            directory: None,
            host: None,
            notices: vec!["no faults".to_owned()],
            is_redacted: true,
            ..about
        };
        assert_eq!(redacted, expected);
    }
}
