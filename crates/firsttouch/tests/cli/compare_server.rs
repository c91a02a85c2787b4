//! `compare` with programs that serve a client, and with programs that stay.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use results::compare::{ProgramResult, ProgramSample};

use crate::program::{
    Scratch, as_nobody, firsttouch, fixture, nobody_may, open_copy, send, skip, text, wait_for,
};

const SIGINT: i32 = 2;
const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;
const MIB: u64 = 1 << 20;

/// A server, its client, and the socket of both, which no other process has in its command.
struct Server {
    scratch: Scratch,
    program: PathBuf,
}

impl Server {
    /// `None` (and a skip) without a C compiler.
    fn new() -> Option<Self> {
        let scratch = Scratch::new();
        let program = fixture("server", &scratch)?;
        Some(Server { scratch, program })
    }

    fn socket(&self) -> String {
        self.scratch.file("socket").display().to_string()
    }

    /// The line that asks the server.
    fn ask(&self, word: &str, times: u32) -> String {
        format!("{} ask {} {word} {times}", self.program.display(), self.socket())
    }

    /// The command that serves.
    fn serve<'a>(&'a self, mib: &'a str, letters: &'a str) -> Vec<String> {
        let words = [self.program.to_str().unwrap(), "serve", &self.socket(), mib, letters];
        words.map(str::to_owned).to_vec()
    }

    /// The server under its client, with `options`.
    fn options(&self, options: &[&str], serve: &[String]) -> Vec<String> {
        let (ready, load) = (self.ask("hello", 1), self.ask("burst", 1));
        let fixed = ["--ready", &ready, "--load", &load].map(str::to_owned);
        let others = options.iter().map(|&option| option.to_owned());
        fixed.into_iter().chain(others).chain(["--".to_owned()]).chain(serve.to_vec()).collect()
    }

    /// The processes of this test that are there: with the scratch folder in their command.
    fn left(&self) -> Vec<String> {
        // With the slash: the folder of another test may begin with the same name.
        processes_with(&format!("{}/", self.scratch.0.display()))
    }

    fn nothing_is_left(&self, what: &str) {
        let left = self.left();
        assert!(left.is_empty(), "{what} leaves {left:?}");
    }
}

/// The commands of the processes that have `mark` in theirs.
fn processes_with(mark: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").expect("/proc");
    let command = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.ok()?.path();
        let is_process = path.file_name()?.to_str()?.parse::<u32>().is_ok();
        let command = std::fs::read(path.join("cmdline")).ok().filter(|_| is_process)?;
        let command = text(&command).replace('\0', " ");
        command.contains(mark).then_some(command)
    };
    entries.filter_map(command).collect()
}

const ARMS: [&str; 6] = ["compare", "--arm", "one:", "--arm", "two: A=1", "--quiet"];

fn compare<S: AsRef<str>>(words: &[S]) -> Output {
    let mut arguments = ARMS.to_vec();
    arguments.extend(words.iter().map(AsRef::as_ref));
    firsttouch(&arguments).output().expect("the program starts")
}

/// The result on standard output.
fn result(output: &Output) -> ProgramResult {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}\n{}", text(&output.stderr), text(&output.stdout)))
}

fn samples(result: &ProgramResult) -> Vec<&ProgramSample> {
    let samples: Vec<_> = result.arms.iter().flat_map(|arm| &arm.samples).collect();
    assert!(samples.len() >= 3, "two arms and the placebo");
    samples
}

/// Runs `words`, which must fail with `status` and print each of `expected` on standard error.
fn fails<S: AsRef<str>>(words: &[S], status: i32, expected: &[&str]) {
    let output = compare(words);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{error}");
    for word in expected {
        assert!(error.contains(word), "no {word:?} in {error}");
    }
    assert!(!error.contains("panicked") && output.stdout.is_empty(), "{error}");
}

const ONE_BLOCK: [&str; 4] = ["--blocks", "1", "--json", "-"];

#[test]
fn a_server_is_measured_while_its_client_runs() {
    let Some(server) = Server::new() else { return };
    let figure = "answers: ([0-9.,]+)";
    let decide = ["--figure", figure, "--settle", "50ms", "--metric", "figure,settled-rss"];
    let words = server.options(&[&decide[..], &ONE_BLOCK].concat(), &server.serve("40", ""));
    let output = compare(&words);
    let result = result(&output);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for sample in samples(&result) {
        assert_eq!(sample.figure, Some(1001.5), "the last match, with its comma");
        let settled = sample.settled_rss_bytes.expect("it settled");
        assert!((40 * MIB..60 * MIB).contains(&settled), "{settled}");
        assert!(sample.max_rss_bytes >= 40 * MIB, "{sample:?}");
        assert!(sample.minor_faults + sample.major_faults > 0 && sample.wall_ns > 0);
        assert_eq!((sample.exit_code, sample.signal), (None, Some(SIGTERM)));
        assert_eq!(sample.tree_peak_bytes, None);
    }
    let experiment = &result.experiment;
    assert_eq!(experiment.metrics, ["figure", "settled_rss_bytes"]);
    assert_eq!(experiment.load.as_ref(), Some(&server.ask("burst", 1)));
    assert_eq!(experiment.ready.as_ref(), Some(&server.ask("hello", 1)));
    assert_eq!(experiment.figure.as_deref(), Some(figure));
    assert_eq!(experiment.settle_ns, Some(50_000_000));
    server.nothing_is_left("the run");
}

#[test]
fn what_workers_share_counts_once_and_a_worker_that_is_not_waited_for_is_named() {
    let Some(server) = Server::new() else { return };
    let options = [&["--settle", "50ms"][..], &ONE_BLOCK].concat();
    let waits = result(&compare(&server.options(&options, &server.serve("40", "w"))));
    for sample in samples(&waits) {
        let settled = sample.settled_rss_bytes.expect("it settled");
        assert!((40 * MIB..60 * MIB).contains(&settled), "of three processes: {settled}");
        assert_eq!(sample.exit_code, Some(0), "it ends its workers when it is asked to");
    }
    assert!(waits.warnings.iter().all(|warning| warning.id != "left-behind"));
    let leaves = result(&compare(&server.options(&options, &server.serve("1", "o"))));
    let warning = leaves.warnings.iter().find(|warning| warning.id == "left-behind");
    let message = &warning.expect("a warning").message;
    assert!(message.contains("server (3 times)") && message.contains("exec"), "{message}");
    server.nothing_is_left("a run with workers");
}

#[test]
fn what_goes_wrong_is_told_and_leaves_nothing() {
    let Some(server) = Server::new() else { return };
    let (serve, socket) = (server.serve("1", ""), server.socket());
    let line = |option: &str, line: &str, command: &[String]| -> Vec<String> {
        let words = [option, line, "--timeout", "1s", "--"].map(str::to_owned);
        words.into_iter().chain(command.to_vec()).collect()
    };
    let shell = |script: &str| ["sh", "-c", script, &socket].map(str::to_owned).to_vec();
    let baseline = "the baseline one cannot be measured";
    // The client cannot connect; it fails with a line; it is killed; it never ends.
    let elsewhere = server.ask("burst", 1).replace("socket", "elsewhere");
    for (client, words) in [
        (&elsewhere[..], "the client exited with status 1: Could not connect to the server"),
        ("echo one; echo two; exit 7", "the client exited with status 7: two"),
        ("kill -9 $$", "the client was killed by SIGKILL"),
        (&format!("sleep 1000 # {socket}"), "the client did not end within 1s and was killed"),
    ] {
        fails(&line("--load", client, &serve), 1, &[baseline, words]);
    }
    // The program ends: before it is ready, while the client runs, to the background.
    let ready = |ready: &str, command: &[String]| {
        let load = ["--load", "true", "--timeout", "1s", "--ready", ready, "--"];
        load.map(str::to_owned).into_iter().chain(command.to_vec()).collect::<Vec<_>>()
    };
    fails(
        &ready("exit 1", &shell("echo no port >&2; exit 4")),
        1,
        &["before it was ready, it exited with status 4: no port"],
    );
    let wait = format!("while :; do {} && sleep 1000; done # {socket}", server.ask("die", 1));
    fails(
        &line("--load", &wait, &serve),
        1,
        &["while the client ran, it exited with status 3: the server was told to die"],
    );
    let behind = format!("{} &", serve.join(" "));
    fails(
        &ready(&server.ask("hello", 1), &shell(&behind)),
        1,
        &["it exited with status 0: a program that serves must stay in the foreground"],
    );
    // It never becomes ready; the line never ends.
    fails(
        &ready("echo still closed >&2; exit 1", &serve),
        1,
        &["did not succeed within 1s: it last exited with status 1: still closed"],
    );
    fails(&ready("sleep 1000", &serve), 1, &["within 1s: it last had not ended"]);
    // There is no figure.
    let mut words = line("--load", "echo a line", &serve);
    words.splice(0..0, ["--figure", "rate=([0-9]+)"].map(str::to_owned));
    fails(&words, 1, &["the client: --figure finds nothing", "whose last line is \"a line\""]);
    server.nothing_is_left("a run that fails");
}

#[test]
fn a_server_that_does_not_end_is_killed_and_has_failed() {
    let Some(server) = Server::new() else { return };
    let words = server.options(&["--blocks", "1"], &server.serve("1", "d"));
    let expected = "it did not end within 10 s of SIGTERM and was killed (--ignore-failure";
    fails(&words, 1, &[expected]);
    server.nothing_is_left("a deaf server");
}

#[test]
fn a_program_that_stays_is_measured_and_ended() {
    let Some(server) = Server::new() else { return };
    let program = server.program.to_str().unwrap().to_owned();
    let stay = |mib: &str| [&program, "stay", &server.socket(), mib].map(str::to_owned).to_vec();
    let settle = ["--settle", "50ms", "--blocks", "1", "--json", "-", "--"].map(str::to_owned);
    let staying = result(&compare(&[&settle[..], &stay("40")].concat()));
    for sample in samples(&staying) {
        let settled = sample.settled_rss_bytes.expect("it settled");
        assert!((40 * MIB..60 * MIB).contains(&settled), "{settled}");
        assert!(sample.wall_ns > 0 && sample.signal == Some(SIGTERM), "{sample:?}");
    }
    // It starts another and waits for it.
    let script = format!("{}; exit 3", stay("40").join(" "));
    let shell = ["sh", "-c", &script].map(str::to_owned);
    let within = result(&compare(&[&settle[..], &shell].concat()));
    assert!(samples(&within).iter().all(|sample| sample.settled_rss_bytes > Some(40 * MIB)));
    fails(
        &[&settle[..], &["true".to_owned()]].concat(),
        1,
        &["it ended by itself, so there is nothing to settle: leave out --settle"],
    );
    let bad = ["sh", "-c", "echo broken >&2; exit 5"].map(str::to_owned);
    fails(&[&settle[..], &bad].concat(), 1, &["it exited with status 5: broken"]);
    // How it ends when it is asked to.
    let trapped = |ending: &str| {
        let script = format!("trap 'exit {ending}' TERM; sleep 1000 & wait # {}", server.socket());
        [&settle[..], &["sh".to_owned(), "-c".to_owned(), script]].concat()
    };
    let java = result(&compare(&trapped("143")));
    assert!(samples(&java).iter().all(|sample| sample.exit_code == Some(143)));
    fails(&trapped("9"), 1, &["it exited with status 9 when it was asked to end (--ignore-fail"]);
    let busy = ["--timeout", "1s"].map(str::to_owned);
    let spin = ["sh", "-c", "while :; do :; done", &server.socket()].map(str::to_owned);
    fails(&[&busy[..], &settle, &spin].concat(), 1, &["it still worked after 1s and was killed"]);
    server.nothing_is_left("a program that stays");
}

#[test]
fn a_program_that_never_ends_or_forks_daemons_leaves_nothing() {
    let Some(server) = Server::new() else { return };
    let stay = format!("{} stay {} 1", server.program.display(), server.socket());
    let words: Vec<&str> = ["--timeout", "1s", "--"].into_iter().chain(stay.split(' ')).collect();
    fails(&words, 1, &["it did not end within 1s and was killed", "--settle"]);
    server.nothing_is_left("a program without an end");
    let daemon = format!("setsid {stay} &");
    let words = [&ONE_BLOCK[..], &["--", "sh", "-c", &daemon]].concat();
    let forking = result(&compare(&words));
    let warning = forking.warnings.iter().find(|warning| warning.id == "left-behind");
    assert!(warning.expect("a warning").message.contains("server (3 times)"));
    server.nothing_is_left("a program that forks daemons");
}

/// Starts a run whose client waits for ever, signals it, and looks for what is left.
fn interrupted(signal: i32) {
    let Some(server) = Server::new() else { return };
    let mark = server.scratch.file("running");
    let load = format!("touch {}; exec sleep 1000", mark.display());
    let mut words = ARMS.to_vec();
    words.extend(["--load", &load, "--"]);
    let serve = server.serve("1", "");
    words.extend(serve.iter().map(String::as_str));
    let child = firsttouch(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("the program starts");
    wait_for("the client", || mark.exists().then_some(()));
    assert!(!server.left().is_empty());
    send(&format!("-{signal}"), &child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(signal), "{}", text(&output.stderr));
    if signal == SIGKILL {
        wait_for("the end of both", || server.left().is_empty().then_some(()));
    } else {
        server.nothing_is_left("an interrupted run");
    }
}

#[test]
fn an_interrupt_leaves_nothing() {
    interrupted(SIGINT);
    interrupted(SIGTERM);
}

#[test]
fn the_program_and_the_client_end_with_this_process() {
    interrupted(SIGKILL);
}

#[test]
fn an_ordinary_user_may_do_it_too() {
    let Some(server) = Server::new() else { return };
    if !nobody_may(&["-w", server.scratch.0.to_str().unwrap()]) {
        return;
    }
    let options = [&["--settle", "50ms"][..], &ONE_BLOCK].concat();
    let words = server.options(&options, &server.serve("40", "w"));
    let output = as_nobody(&open_copy(&server.scratch)).args(ARMS).args(&words).output();
    let result = result(&output.expect("setpriv"));
    assert!(samples(&result).iter().all(|sample| sample.settled_rss_bytes > Some(40 * MIB)));
    server.nothing_is_left("the run of an ordinary user");
}

#[test]
fn a_figure_may_be_the_programs_own() {
    let words = |script: &'static str| {
        let options = ["--figure", "rate ([^ \n]+)", "--metric", "figure"];
        [&options[..], &ONE_BLOCK, &["--", "sh", "-c", script]].concat()
    };
    let own = result(&compare(&words("echo rate 1; echo rate 3.5e2 per s")));
    assert!(samples(&own).iter().all(|sample| sample.figure == Some(350.0)));
    fails(&words("echo rate 0"), 1, &["finds \"0\", which is no number above 0"]);
    fails(&words(":"), 1, &["--figure finds nothing in the output, which is empty"]);
}

#[test]
fn contradictions_are_refused_before_anything_runs() {
    let scratch = Scratch::new();
    let mark = scratch.file("ran").display().to_string();
    let check = |options: &[&str], status: i32, words: &[&str]| {
        fails(&[options, &["--", "touch", &mark]].concat(), status, words);
        assert!(!Path::new(&mark).exists(), "{options:?} ran");
    };
    check(&["--ready", "true"], 2, &["--load"]);
    check(&["--metric", "settled-rss"], 2, &["--settle TIME"]);
    check(&["--metric", "figure"], 2, &["--figure REGEX"]);
    check(&["--figure", "rate"], 2, &["has 0 groups", "such as"]);
    check(&["--figure", "("], 2, &["no regular expression"]);
    check(&["--settle", "5"], 2, &["5s"]);
}

#[test]
fn the_peak_of_all_processes_is_measured_or_refused_with_the_reason() {
    let scratch = Scratch::new();
    let mark = scratch.file("ran").display().to_string();
    let script = format!("touch {mark}; head -c 8M /dev/zero | tail -c 8M > {mark}");
    let words = [&["--metric", "wall,tree-peak"][..], &ONE_BLOCK, &["--", "sh", "-c", &script]];
    let output = compare(&words.concat());
    if output.status.success() {
        let result = result(&output);
        assert!(samples(&result).iter().all(|sample| sample.tree_peak_bytes > Some(8 * MIB)));
        return;
    }
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    for words in ["--metric tree-peak cannot be measured: ", "cgroup", "--metric rss"] {
        assert!(error.contains(words), "{error}");
    }
    assert!(!Path::new(&mark).exists(), "it is refused before anything runs");
    skip(&format!("no peak by cgroup: {}", error.trim_end()));
}

#[test]
fn redis_is_measured_under_its_benchmark() {
    let scratch = Scratch::new();
    let socket = scratch.file("redis").display().to_string();
    let find = Command::new("sh").args(["-c", "command -v redis-server redis-benchmark"]).output();
    if !find.is_ok_and(|found| found.status.success()) {
        return skip("no redis-server, or no redis-benchmark");
    }
    let ready = format!("redis-cli -s {socket} ping | grep -q PONG");
    let load = format!("redis-benchmark -s {socket} -q -n 2000 -t set --csv");
    let options = ["--ready", &ready, "--load", &load, "--settle", "100ms"];
    let figure = ["--figure", "\"SET\",\"([0-9.]+)\"", "--metric", "figure"];
    let server = ["redis-server", "--port", "0", "--unixsocket", &socket, "--save", ""];
    let words = [&options[..], &figure, &ONE_BLOCK, &["--"], &server].concat();
    let redis = result(&compare(&words));
    for sample in samples(&redis) {
        assert!(sample.figure > Some(1.0) && sample.settled_rss_bytes > Some(MIB), "{sample:?}");
        assert_eq!(sample.exit_code, Some(0), "redis ends well when it is asked to");
    }
    assert!(processes_with(&socket).is_empty());
}
