use std::fs::Permissions;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use super::*;

/// A new directory, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("firsttouch-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Place(path)
    }

    fn file(&self, name: &str, contents: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, contents).unwrap();
        path
    }

    /// The names in it, in order.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn write(path: &Path, contents: &str) {
    WholeFile::open(path).unwrap().write(contents.as_bytes()).unwrap();
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn node(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().ino()
}

#[test]
fn nothing_happens_before_the_contents_are_there() {
    let place = Place::new("whole-before");
    let (old, new) = (place.file("old", "precious"), place.0.join("new"));
    let opened = (WholeFile::open(&old).unwrap(), WholeFile::open(&new).unwrap());
    assert_eq!((read(&old).as_str(), new.exists()), ("precious", false));
    drop(opened);
    assert_eq!(place.names(), ["old"]);
}

#[test]
fn a_file_is_replaced_and_keeps_its_mode() {
    let place = Place::new("whole-replaced");
    let old = place.file("old", "a longer text that was there before");
    std::fs::set_permissions(&old, Permissions::from_mode(0o640)).unwrap();
    let before = node(&old);
    write(&old, "new");
    assert_eq!(read(&old), "new");
    assert_ne!(node(&old), before, "another file in its place");
    assert_eq!(std::fs::metadata(&old).unwrap().mode() & 0o7777, 0o640);
    write(&place.0.join("created"), "x");
    assert_eq!(place.names(), ["created", "old"]);
    assert!(std::fs::metadata(place.0.join("created")).unwrap().mode() & 0o111 == 0);
}

#[test]
fn links_lead_to_the_file_that_is_written() {
    let place = Place::new("whole-links");
    let (folder, link) = (place.0.join("real"), place.0.join("link"));
    std::fs::create_dir(&folder).unwrap();
    symlink("middle", &link).unwrap();
    symlink("real/file", place.0.join("middle")).unwrap();
    for contents in ["created behind a dangling link", "replaced"] {
        write(&link, contents);
        assert_eq!(read(&folder.join("file")), contents);
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    }
    symlink("circle", place.0.join("circle")).unwrap();
    assert!(WholeFile::open(&place.0.join("circle")).is_err());
}

#[test]
fn other_names_of_a_file_see_what_was_written() {
    let place = Place::new("whole-names");
    let old = place.file("old", "older contents");
    std::fs::hard_link(&old, place.0.join("other")).unwrap();
    write(&old, "new");
    assert_eq!(read(&place.0.join("other")), "new");
    let open = File::options().read(true).write(true).open(&old).unwrap();
    std::fs::remove_file(place.0.join("other")).unwrap();
    write(Path::new(&format!("/proc/self/fd/{}", open.as_raw_fd())), "by descriptor");
    assert_eq!(read(&old), "by descriptor");
    assert_eq!(open.metadata().unwrap().ino(), node(&old), "the open file itself");
}

#[test]
fn what_happens_to_the_file_meanwhile_costs_nothing() {
    let place = Place::new("whole-meanwhile");
    let (file, other) = (place.file("file", "older"), place.file("other", "an editor's copy"));
    let opened = WholeFile::open(&file).unwrap();
    std::fs::rename(other, &file).unwrap();
    opened.write(b"new").unwrap();
    assert_eq!(read(&file), "new");
    let opened = WholeFile::open(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    opened.write(b"again").unwrap();
    assert_eq!((read(&file).as_str(), place.names().len()), ("again", 1));
}

#[test]
fn what_cannot_be_written_is_refused_at_once() {
    let place = Place::new("whole-refused");
    let refused = |path: &Path| WholeFile::open(path).unwrap_err().kind();
    assert_eq!(refused(&place.0), ErrorKind::IsADirectory);
    assert_eq!(refused(&place.0.join("no/such")), ErrorKind::NotFound);
    assert_eq!(refused(&place.0.join("folder/")), ErrorKind::IsADirectory);
    assert_eq!(refused(&place.file("file", "").join("below")), ErrorKind::NotADirectory);
    assert!(WholeFile::open(Path::new("/dev/null")).unwrap().write(b"x").is_ok());
    assert!(WholeFile::open(Path::new("/dev/full")).unwrap().write(b"x").is_err());
}

/// Runs the test `name` again, with `script` around it; for tests in a process of their own.
fn again(name: &str, script: &str) -> bool {
    const AGAIN: &str = "FIRSTTOUCH_TEST_AGAIN";
    if std::env::var_os(AGAIN).is_some_and(|value| value == name) {
        return true;
    }
    let program = std::env::current_exe().unwrap();
    let output = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(program)
        .args(["--exact", &format!("whole_file::tests::{name}"), "--nocapture"])
        .env(AGAIN, name)
        .output()
        .unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{out}{err}");
    false
}

/// A limit of file sizes stands for a full disk: it stops a write in its middle.
#[test]
fn a_write_that_stops_in_its_middle_costs_nothing() {
    let script = "ulimit -f 8 && exec \"$@\"";
    if !again("a_write_that_stops_in_its_middle_costs_nothing", script) {
        return;
    }
    crate::interrupt::survive_file_limit();
    let place = Place::new("whole-stopped");
    let (old, linked) = (place.file("old", "precious"), place.file("linked", "precious too"));
    std::fs::hard_link(&linked, place.0.join("other")).unwrap();
    for (path, older) in
        [(&old, Older::Kept), (&linked, Older::Kept), (&place.0.join("new"), Older::None)]
    {
        let failure = WholeFile::open(path).unwrap().write(&vec![b'x'; 100_000]).unwrap_err();
        assert_eq!((failure.error.raw_os_error(), failure.older), (Some(libc::EFBIG), older));
    }
    assert_eq!((read(&old).as_str(), read(&linked).as_str()), ("precious", "precious too"));
    assert_eq!(place.names(), ["linked", "old", "other"]);
}
