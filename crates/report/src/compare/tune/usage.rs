//! How a service or a shell gets the settings of an arm.

use results::compare::{ProgramArm, ProgramResult};

use crate::text::{clean, hanging, quoted, typed};
use crate::view::View;

const PRELOAD: &str = "LD_PRELOAD";

/// A line of Python that turns off huge pages for the program that it then becomes: 41 is
/// `PR_SET_THP_DISABLE` (prctl(2)).
const WITHOUT_HUGE_PAGES: &str = "import ctypes, os, sys; ctypes.CDLL(None).prctl(41, 1, 0, 0, 0); \
                                  os.execvp(sys.argv[1], sys.argv[1:])";

/// The lines for the service file of `arm`, and for a shell. They are to be copied, so they are
/// never wrapped.
pub(super) fn lines(result: &ProgramResult, arm: &ProgramArm, view: View) -> String {
    let mut text = String::new();
    let settings = settings(arm);
    let service = service(arm, &settings);
    if !service.is_empty() {
        text += &hanging("", "In its systemd unit (systemctl edit NAME):", view.width);
        text += "  [Service]\n";
        text += &service;
    }
    text += if service.is_empty() { "In a shell:\n" } else { "  # or in a shell:\n" };
    text += &shell(result, arm, &settings, view);
    text
}

/// The variables of `arm`, the library by its full path.
fn settings(arm: &ProgramArm) -> Vec<(&str, Option<&str>)> {
    let path = arm.proof.as_ref().and_then(|proof| proof.malloc.as_deref());
    // The name of one library, which the dynamic linker searches for.
    let is_searched = |name: &str, value: Option<&str>| {
        name == PRELOAD && value.is_some_and(|value| !value.contains(['/', ':', ' ']))
    };
    let mut settings = Vec::new();
    for (name, value) in &arm.environment {
        let value = value.as_deref();
        let full = if is_searched(name, value) { path.or(value) } else { value };
        settings.push((name.as_str(), full));
    }
    settings
}

fn service(arm: &ProgramArm, settings: &[(&str, Option<&str>)]) -> String {
    let mut text = String::new();
    for (name, value) in settings {
        text += &match value {
            Some(value) => {
                // Quotes take backslashes (systemd.syntax(7)), % begins a specifier
                // (systemd.unit(5)).
                let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
                clean(&format!("  Environment=\"{name}={value}\""))
            }
            None => clean(&format!("  UnsetEnvironment={name}")),
        };
        text.push('\n');
    }
    if arm.huge_pages_off {
        text += "  MemoryTHP=disable\n";
        text += "  # since systemd 260; an older one needs the wrapper below in ExecStart=\n";
    }
    text
}

/// Assignments before the command, each on its own line where one line is too short for all.
fn shell(
    result: &ProgramResult,
    arm: &ProgramArm,
    settings: &[(&str, Option<&str>)],
    view: View,
) -> String {
    let mut words: Vec<String> = Vec::new();
    let unset: Vec<String> = settings
        .iter()
        .filter(|(_, value)| value.is_none())
        .map(|(name, _)| format!("-u {}", quoted(name)))
        .collect();
    if !unset.is_empty() {
        words.push(format!("env {}", unset.join(" ")));
    }
    let set = settings.iter().filter_map(|(name, value)| Some((name, (*value)?)));
    words.extend(set.map(|(name, value)| format!("{}={}", quoted(name), quoted(value))));
    if arm.huge_pages_off {
        words.push(format!("python3 -c {}", quoted(WITHOUT_HUGE_PAGES)));
    }
    let command = if result.experiment.shell {
        vec!["sh".to_owned(), "-c".to_owned(), arm.command.join(" ")]
    } else {
        arm.command.clone()
    };
    words.push(typed(&command).unwrap_or_else(|| clean(&command.join(" "))));
    let line = format!("  {}\n", words.join(" "));
    let fits = view.width.is_none_or(|width| line.chars().count() <= width + 1);
    if fits { line } else { format!("  {}\n", words.join(" \\\n  ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use results::compare::Proof;

    fn arm(variables: &[(&str, Option<&str>)]) -> ProgramArm {
        let owned =
            |(name, value): &(&str, Option<&str>)| ((*name).to_owned(), value.map(str::to_owned));
        ProgramArm {
            command: vec!["./app".into(), "a b".into()],
            environment: variables.iter().map(owned).collect(),
            proof: Some(Proof { malloc: Some("/lib/libx.so.2".into()), ..Proof::default() }),
            ..ProgramArm::default()
        }
    }

    fn text(arm: &ProgramArm, shell: bool, width: Option<usize>) -> String {
        let mut result = ProgramResult::default();
        result.experiment.shell = shell;
        lines(&result, arm, View::brief(width))
    }

    #[test]
    fn the_library_is_there_with_its_path() {
        let text =
            text(&arm(&[("LD_PRELOAD", Some("libx.so.2")), ("C", Some("a:1"))]), false, None);
        assert!(text.contains("  Environment=\"LD_PRELOAD=/lib/libx.so.2\"\n"), "{text}");
        assert!(text.contains("  C=a:1 LD_PRELOAD=/lib/libx.so.2 ./app 'a b'\n"), "{text}");
        // The user's own path stays as it was given.
        let own = arm(&[("LD_PRELOAD", Some("./mine.so"))]);
        assert!(
            super::lines(&ProgramResult::default(), &own, View::default()).contains("=./mine.so")
        );
    }

    #[test]
    fn values_survive_the_quotes_of_systemd_and_of_a_shell() {
        let arm = arm(&[("A", Some("50% \"x\" \\")), ("B", None)]);
        let text = text(&arm, false, None);
        assert!(text.contains("  Environment=\"A=50%% \\\"x\\\" \\\\\"\n"), "{text}");
        assert!(text.contains("  UnsetEnvironment=B\n"), "{text}");
        assert!(text.contains("  env -u B A='50% \"x\" \\' ./app 'a b'\n"), "{text}");
    }

    #[test]
    fn long_lines_are_continued_as_a_shell_does() {
        let arm = arm(&[("A", Some("1")), ("B", Some("2"))]);
        assert!(text(&arm, false, Some(80)).contains("  A=1 B=2 ./app 'a b'\n"));
        assert!(text(&arm, false, Some(20)).contains("  A=1 \\\n  B=2 \\\n  ./app 'a b'\n"));
        assert!(text(&arm, true, Some(80)).contains("  A=1 B=2 sh -c './app a b'\n"));
    }

    #[test]
    fn huge_pages_are_turned_off_without_this_program() {
        let arm = ProgramArm { huge_pages_off: true, ..arm(&[]) };
        let text = text(&arm, false, None);
        assert!(text.contains("MemoryTHP=disable") && text.contains("prctl(41, 1"), "{text}");
    }
}
