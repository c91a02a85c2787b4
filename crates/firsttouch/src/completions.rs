//! `firsttouch completions SHELL`: a script that completes the command line.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, Args, Command, CommandFactory, ValueHint};
use clap_complete::Shell;

use crate::options::Cli;
use crate::stream;

/// Print a script that completes verbs, options and names.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  firsttouch completions bash > ~/.local/share/bash-completion/completions/firsttouch
  firsttouch completions zsh > ~/.zfunc/_firsttouch     with ~/.zfunc in $fpath
  firsttouch completions fish > ~/.config/fish/completions/firsttouch.fish
  firsttouch completions elvish >> ~/.config/elvish/rc.elv")]
pub(crate) struct CompletionsOptions {
    /// The shell that reads the script
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

pub(crate) fn run(options: &CompletionsOptions) -> io::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut with_names(), "firsttouch", &mut script);
    let mut out = io::stdout().lock();
    stream::quietly(out.write_all(&script).and_then(|()| out.flush()))?;
    Ok(ExitCode::SUCCESS)
}

/// The command line with the names of experiments, arms, allocators and claims, and with files and
/// commands where they belong. Only here: bench takes other names too (a file of the user's own, an
/// arm under an allocator), and its own messages for a wrong name say more than clap's.
fn with_names() -> Command {
    let experiments = lab::question::experiment::built_in();
    let mut arms: Vec<String> = lab::Source::all().map(|source| source.name().to_owned()).collect();
    arms.sort_unstable();
    arms.dedup();
    let named = |names: Vec<PossibleValue>| PossibleValuesParser::new(names);
    let experiments =
        experiments.iter().map(|experiment| PossibleValue::new(experiment.name.clone())).collect();
    let arms = arms.into_iter().map(PossibleValue::new).collect();
    let allocators = ["system", "jemalloc", "mimalloc", "tcmalloc"].map(PossibleValue::new);
    let claims = ::claims::catalogue::ids().map(PossibleValue::new).collect();
    let program = Cli::command();
    let program = program.mut_subcommands(|verb| verb.mut_args(with_hint));
    program
        .mut_subcommand("bench", |bench| {
            bench
                .mut_arg("experiment", |arg| arg.value_parser(named(experiments)))
                .mut_arg("arms", |arg| arg.value_parser(named(arms)))
                .mut_arg("allocators", |arg| arg.value_parser(named(allocators.to_vec())))
        })
        .mut_subcommand("claims", |verb| verb.mut_arg("ids", |arg| arg.value_parser(named(claims))))
}

/// What an argument names, by the word that stands for it in the help.
fn with_hint(arg: Arg) -> Arg {
    let hint = match arg.get_value_names().and_then(<[_]>::first).map(clap::builder::Str::as_str) {
        Some("FILE") => ValueHint::FilePath,
        Some("DIR") => ValueHint::DirPath,
        Some("COMMAND") => ValueHint::CommandWithArguments,
        _ => return arg,
    };
    arg.value_hint(hint)
}
