//! Processes that run: servers.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use compare::proof::{Picture, judge, of_process};

use crate::fixture::{PLAIN, Scratch, arm, installed, interrupt, mimalloc, tuned, with};

/// Killed and reaped when dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn started(arm: &compare::arm::PreparedArm) -> Server {
    let mut command = Command::new(&arm.command[0]);
    command.args(&arm.command[1..]).stdin(Stdio::piped());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    for (name, value) in &arm.variables {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Server(command.spawn().unwrap())
}

/// The picture of a server, once `ready` holds for it.
fn picture_when(server: &Server, ready: impl Fn(&Picture) -> bool) -> Picture {
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        let picture = of_process(server.0.id(), interrupt()).unwrap();
        if ready(&picture) {
            return picture;
        }
        assert!(Instant::now() < until, "it does not come: {picture:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A server that keeps its environment: cat(1), which reads a pipe.
#[test]
fn a_process_that_runs_is_proved() {
    let (Some(cat), Some(allocator)) = (installed("cat"), mimalloc()) else { return };
    let command = [cat.to_str().unwrap()];
    let preloaded = with(allocator.clone(), &command);
    let server = started(&preloaded);
    let picture = picture_when(&server, |picture| {
        judge(picture, &preloaded).is_ok_and(|proof| proof.unseen.is_none())
    });
    assert_eq!(judge(&picture, &preloaded).unwrap().malloc, Some(allocator.origin));
    assert_eq!(picture.ending, None);
    let Some(tuned) = tuned(&["arena_max=2"], &command) else { return };
    let server = started(&tuned);
    let picture = picture_when(&server, |picture| {
        judge(picture, &tuned).is_ok_and(|proof| !proof.tunables.is_empty())
    });
    assert_eq!(judge(&picture, &tuned).unwrap().unseen, None);
}

/// Redis writes its title over its environment: what the dynamic linker loaded can be seen, the
/// settings of the C library cannot.
#[test]
fn a_server_that_overwrites_its_environment() {
    let (Some(redis), Some(allocator)) = (installed("redis-server"), mimalloc()) else { return };
    let scratch = Scratch::new();
    let (socket, folder) = (scratch.file("socket"), scratch.file("."));
    let command = [
        redis.to_str().unwrap(),
        "--port",
        "0",
        "--unixsocket",
        socket.to_str().unwrap(),
        "--dir",
        folder.to_str().unwrap(),
        "--save",
        "",
    ];
    let preloaded = with(allocator.clone(), &command);
    let server = started(&preloaded);
    let picture = picture_when(&server, |picture| socket.exists() && picture.environment.is_none());
    let proof = judge(&picture, &preloaded).unwrap();
    assert_eq!((proof.malloc, proof.unseen), (Some(allocator.origin), None));
}

/// The same with a program of a few lines.
#[test]
fn settings_that_cannot_be_seen_are_not_refused() {
    let scratch = Scratch::new();
    let overwrites = PLAIN.replace(
        "int main(void) {",
        "#include <string.h>\n#include <stdio.h>\nextern char **environ;\n\
         int main(void) { char *last = environ[0];\n\
         for (int i = 0; environ[i]; i++) last = environ[i];\n\
         memset(environ[0], 0, last + strlen(last) - environ[0]); getchar();",
    );
    let Some(program) = scratch.compiled("overwrites", &overwrites, &[]) else { return };
    let Some(tuned) = tuned(&["arena_max=2"], &[program.to_str().unwrap()]) else { return };
    let server = started(&tuned);
    let picture = picture_when(&server, |picture| picture.environment.is_none());
    let proof = judge(&picture, &tuned).unwrap();
    assert!(proof.unseen.unwrap().contains("cannot be read"));
    // A run that is watched from its start has the environment that execve(2) gave.
    assert_eq!(crate::fixture::proved(&tuned).unseen, None);
}

#[test]
fn a_process_that_is_gone_is_an_error() {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    assert!(of_process(child.id(), interrupt()).unwrap_err().contains("no process"));
    assert_eq!(arm(&["true"]).allocator, None);
}
