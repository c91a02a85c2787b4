//! What is said about an option or a verb that is not there: which verb has it, or what was meant.

use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory, FromArgMatches};

use crate::USAGE;
use crate::options::{Cli, Verb};
use crate::stream;

/// The command line, or the end of the program with a message.
pub(crate) fn parse() -> Cli {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let mut program = Cli::command();
    program.build();
    let parsed = examples_first(Cli::command())
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let sentence = match parsed {
        Ok(cli) => match option_as_program(&cli, &program, &arguments) {
            Some(sentence) => sentence,
            None => return cli,
        },
        Err(error) => match explained(&error, &program, &arguments, is_program) {
            Some(sentence) => sentence,
            None => refuse(&error, &arguments),
        },
    };
    stream::say(&format!("error: {}", report::clean(&sentence)));
    std::process::exit(USAGE.into());
}

/// Ends the program with clap's message, which quotes arguments as they are: names of files too.
fn refuse(error: &clap::Error, arguments: &[String]) -> ! {
    if error.use_stderr() && arguments.iter().any(|argument| report::clean(argument) != *argument) {
        error.to_string().lines().for_each(|line| stream::say(&report::clean(line)));
        std::process::exit(error.exit_code());
    }
    error.exit()
}

/// Help shows the examples before the options: most readers look for a command to copy.
fn examples_first(program: Command) -> Command {
    const TEMPLATE: &str =
        "{about-with-newline}\n{usage-heading} {usage}{after-help}\n\n{all-args}";
    program.help_template(TEMPLATE).mut_subcommands(|verb| verb.help_template(TEMPLATE))
}

/// The sentence for an unknown option where a program is expected (`trace --size 1MiB`): clap takes
/// it for the program's name. Behind `--` it is one.
fn option_as_program(cli: &Cli, program: &Command, arguments: &[String]) -> Option<String> {
    let command = match &cli.verb {
        Verb::Trace(options) => &options.command,
        Verb::Layout(options) => &options.command,
        Verb::Compare(options) => &options.command,
        _ => return None,
    };
    let first = command.first()?.to_str().filter(|first| first.starts_with('-'))?;
    let option = first.split_once('=').map_or(first, |(name, _)| name);
    let before = arguments.len().checked_sub(command.len() + 1)?;
    let is_meant = arguments[before] == "--";
    (!is_meant).then(|| {
        let verb = verb_of(program, arguments);
        let own = verb.into_iter().flat_map(Command::get_arguments).filter_map(Arg::get_long);
        let own: Vec<String> = own.map(|long| format!("--{long}")).collect();
        let similar = lab::question::arm::nearest(option, own.iter().map(String::as_str));
        unknown_option(program, verb, option, similar.map(str::to_owned))
    })
}

/// The sentence for an unknown option, or an unknown verb; `None` of all other mistakes.
fn explained(
    error: &clap::Error,
    program: &Command,
    arguments: &[String],
    is_program: impl Fn(&str) -> bool,
) -> Option<String> {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => texts.first().cloned(),
        _ => None,
    };
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let option = context(ContextKind::InvalidArg)?;
            let option = option.split_once('=').map_or(option.as_str(), |(name, _)| name);
            let verb = verb_of(program, arguments);
            let similar = context(ContextKind::SuggestedArg);
            if !option.starts_with('-') {
                return verb.and_then(|verb| program_without_dashes(verb, option));
            }
            Some(unknown_option(program, verb, option, similar))
        }
        ErrorKind::InvalidSubcommand => {
            let name = context(ContextKind::InvalidSubcommand)?;
            let similar = context(ContextKind::SuggestedSubcommand);
            Some(unknown_verb(&name, arguments, similar, is_program))
        }
        _ => None,
    }
}

/// The sentence for a program that is named where a verb wants options.
fn program_without_dashes(verb: &Command, word: &str) -> Option<String> {
    let takes_program = verb.get_arguments().any(Arg::is_last_set);
    let (verb, word) = (verb.get_name(), report::quoted(word));
    takes_program.then(|| {
        format!(
            "{word} is no option of {verb}: put -- before a program: {verb} [OPTIONS] -- {word}"
        )
    })
}

fn unknown_option(
    program: &Command,
    verb: Option<&Command>,
    option: &str,
    similar: Option<String>,
) -> String {
    let own = verb.map_or("firsttouch", Command::get_name);
    let command = verb.map_or(String::new(), |verb| format!(" {}", verb.get_name()));
    let owners: Vec<(&str, &Arg)> = verbs(program)
        .filter_map(|verb| Some((verb.get_name(), argument(verb, option)?)))
        .collect();
    let own_option = verb.is_some_and(|verb| argument(verb, option).is_some());
    if let (true, Some(verb)) = (own_option, verb) {
        let name = verb.get_name();
        return format!("{option} goes after the verb: firsttouch {name} {option} ...");
    }
    let mut sentence = format!("{own} has no option {option}");
    if let Some((first, arg)) = owners.first() {
        let names: Vec<&str> = owners.iter().map(|(name, _)| *name).collect();
        let have = match &names[..] {
            [one] => format!("{one} has it"),
            [before @ .., last] => format!("{} and {last} have it", before.join(", ")),
            [] => String::new(),
        };
        let value = arg.get_action().takes_values().then(|| arg.get_value_names()).flatten();
        let value =
            value.and_then(<[_]>::first).map_or_else(String::new, |name| format!(" {name}"));
        let example = format!("; {have}: firsttouch {first} {option}{value} ...");
        sentence.push_str(&example);
    }
    match similar {
        Some(similar) => sentence + &format!("; did you mean {similar}?"),
        None if owners.is_empty() => {
            sentence + &format!("; firsttouch{command} --help shows those that there are")
        }
        None => sentence,
    }
}

fn unknown_verb(
    name: &str,
    arguments: &[String],
    similar: Option<String>,
    is_program: impl Fn(&str) -> bool,
) -> String {
    if name.contains('/') || (similar.is_none() && is_program(name)) {
        let from = arguments.iter().position(|argument| argument == name);
        let command = from.map_or(name.to_owned(), |from| quoted(&arguments[from..]));
        return format!("{name} is a program; did you mean firsttouch trace -- {command}?");
    }
    if lab::question::experiment::built_in().iter().any(|experiment| experiment.name == name) {
        return format!("{name} is an experiment; did you mean firsttouch bench {name}?");
    }
    if ::claims::catalogue::ids().any(|id| id == name) {
        return format!("{name} is a claim; did you mean firsttouch claims {name}?");
    }
    match similar {
        Some(similar) => format!("firsttouch has no verb {name}; did you mean {similar}?"),
        None => format!("firsttouch has no verb {name}; firsttouch --help shows those that it has"),
    }
}

fn verbs(program: &Command) -> impl Iterator<Item = &Command> {
    program.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help")
}

/// The verb of a command line: its first argument that is the name of one.
fn verb_of<'a>(program: &'a Command, arguments: &[String]) -> Option<&'a Command> {
    arguments.iter().find_map(|argument| verbs(program).find(|verb| verb.get_name() == argument))
}

/// The argument of `verb` that `option` names, like `--json` or `-c`.
fn argument<'a>(verb: &'a Command, option: &str) -> Option<&'a Arg> {
    let is_named = |arg: &&Arg| match option.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        None => arg.get_short().is_some_and(|short| option == format!("-{short}")),
    };
    verb.get_arguments().filter(|arg| !arg.is_hide_set()).find(is_named)
}

/// Arguments as they would be typed into a shell.
fn quoted(arguments: &[String]) -> String {
    arguments.iter().map(|argument| report::quoted(argument)).collect::<Vec<_>>().join(" ")
}

/// Whether a shell would find a program of this name.
fn is_program(name: &str) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let is_executable = |path: &Path| {
        path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| is_executable(&folder.join(name)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    /// What is said about the command line `text`.
    fn said(text: &str) -> String {
        let arguments: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let line = std::iter::once("firsttouch".to_owned()).chain(arguments.clone());
        let mut program = Cli::command();
        program.build();
        match Cli::try_parse_from(line) {
            Ok(cli) => option_as_program(&cli, &program, &arguments),
            Err(error) => explained(&error, &program, &arguments, |name| name == "ls"),
        }
        .expect(text)
    }

    #[test]
    fn the_verb_that_has_an_option_is_named() {
        for (line, expect) in [
            (
                "bench --watch",
                "bench has no option --watch; layout has it: firsttouch layout --watch ...",
            ),
            (
                "compare --alocator jemalloc",
                "compare has no option --alocator; did you mean --allocator?",
            ),
            (
                "claims --threads 2",
                "claims has no option --threads; bench has it: firsttouch bench --threads N ...",
            ),
            (
                "doctor --csv=x",
                "doctor has no option --csv; bench, compare and report have it: \
                 firsttouch bench --csv FILE ...",
            ),
            ("bench -c", "bench has no option -c; trace has it: firsttouch trace -c ..."),
            ("bench --jsn x", "bench has no option --jsn; did you mean --json?"),
            (
                "bench --html",
                "bench has no option --html; firsttouch bench --help shows those that there are",
            ),
        ] {
            assert_eq!(said(line), expect, "{line}");
        }
        assert!(
            said("trace --size 1MiB")
                .starts_with("trace has no option --size; bench and report have")
        );
        let behind = ["trace", "--", "--size"].map(str::to_owned);
        let cli = Cli::try_parse_from(["firsttouch", "trace", "--", "--size"]).expect("a program");
        assert_eq!(option_as_program(&cli, &Cli::command(), &behind), None);
    }

    #[test]
    fn what_was_meant_instead_of_a_verb_is_said() {
        for (line, expect) in [
            ("benhc", "firsttouch has no verb benhc; did you mean bench?"),
            ("./app -x", "./app is a program; did you mean firsttouch trace -- ./app -x?"),
            ("ls", "ls is a program; did you mean firsttouch trace -- ls?"),
            ("position", "position is an experiment; did you mean firsttouch bench position?"),
            ("brk-or-mmap", "brk-or-mmap is a claim; did you mean firsttouch claims brk-or-mmap?"),
            ("zzz", "firsttouch has no verb zzz; firsttouch --help shows those that it has"),
        ] {
            assert_eq!(said(line), expect, "{line}");
        }
    }

    #[test]
    fn arguments_are_quoted_for_a_shell() {
        let arguments = ["./a b", "it's", "", "-x=1"].map(str::to_owned);
        assert_eq!(quoted(&arguments), "'./a b' 'it'\\''s' '' -x=1");
    }
}
