//! Parses lines of strace.

use std::collections::BTreeMap;
use std::process::Command;

use events::{Call, Name, Span, Syscall};

/// A call of a run with `-e raw=all`.
pub(crate) struct Raw {
    pub(crate) line: String,
    pub(crate) syscall: Syscall,
    /// This strace has no name for the call, only its number.
    pub(crate) nameless: bool,
}

/// A call of a run that decodes.
pub(crate) struct Decoded {
    pub(crate) line: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) outcome: String,
}

/// The numbers of errors in the headers of this machine.
pub(crate) struct Errors(BTreeMap<String, i64>);

impl Errors {
    pub(crate) fn of_the_headers() -> Errors {
        let done = Command::new("cc")
            .args(["-E", "-dM", "-include", "errno.h", "-x", "c", "/dev/null"])
            .output();
        let text = String::from_utf8(done.expect("cc was there").stdout).expect("macros are ASCII");
        let number = |line: &str| {
            let mut words = line.strip_prefix("#define E")?.split(' ');
            let (name, value) = (words.next()?, words.next()?);
            Some((format!("E{name}"), value.parse().ok()?))
        };
        Errors(text.lines().filter_map(number).collect())
    }
}

/// The calls that older versions of strace have no name for: the numbers are the same on every
/// architecture (include/uapi/asm-generic/unistd.h).
const NUMBERS: [(&str, Call); 2] =
    [("syscall_0x1c5", Call::MapShadowStack), ("syscall_0x1ce", Call::Mseal)];

/// `mmap(0, 0x2000, 0x3, 0x22, 0xffffffffffffffff, 0) = 0x7f8649826000`; `None` for other syscalls.
pub(crate) fn raw(line: &str, errors: &Errors) -> Option<Raw> {
    let (call, nameless, rest) = named(line)?;
    let (inside, outcome) = rest.split_once(')').expect("raw arguments have no parentheses");
    let mut arguments = [0; 6];
    for (register, text) in
        arguments.iter_mut().zip(inside.split(", ").filter(|text| !text.is_empty()))
    {
        *register = number(text);
    }
    let result = match outcome.trim_start().strip_prefix("= ").expect("a result") {
        "?" => None,
        failed if failed.starts_with("-1 E") => {
            let name = failed.split(' ').nth(1).expect("a name");
            Some(-errors.0[name])
        }
        text => Some(number(text).cast_signed()),
    };
    let syscall = Syscall {
        call,
        text: Name::NONE,
        arguments,
        arguments_known: true,
        result,
        span: Span::default(),
    };
    Some(Raw { line: line.to_owned(), syscall, nameless })
}

/// `mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, 3, 0) = 0x7f864981d000`.
pub(crate) fn decoded(line: &str) -> Option<Decoded> {
    let (.., rest) = named(line)?;
    let (arguments, behind) = split(rest);
    let outcome = behind.trim_start().strip_prefix("= ").expect("a result").to_owned();
    Some(Decoded { line: line.to_owned(), arguments, outcome })
}

/// The call, whether strace has no name for it, and the text after the opening parenthesis.
fn named(line: &str) -> Option<(Call, bool, &str)> {
    let (name, rest) = line.split_once('(')?;
    let known =
        Call::ALL.into_iter().find(|call| call.name() == name).map(|call| (call, false, rest));
    known.or_else(|| {
        NUMBERS.iter().find(|(number, _)| *number == name).map(|&(_, call)| (call, true, rest))
    })
}

fn number(text: &str) -> u64 {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).expect("hexadecimal"),
        None => text.parse().expect("decimal"),
    }
}

/// The arguments, split at the top-level commas, and the text after the closing parenthesis.
fn split(text: &str) -> (Vec<String>, &str) {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    let (mut arguments, mut start) = (Vec::new(), 0);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '[' | '{' | '(' => depth += 1,
            ')' if depth == 0 => {
                arguments.push(text[start..at].trim_start().to_owned());
                arguments.retain(|argument| !argument.is_empty());
                return (arguments, &text[at + 1..]);
            }
            ']' | '}' | ')' => depth -= 1,
            ',' if depth == 0 => {
                arguments.push(text[start..at].trim_start().to_owned());
                start = at + 1;
            }
            _ => {}
        }
    }
    panic!("no end of the arguments: {text}");
}
