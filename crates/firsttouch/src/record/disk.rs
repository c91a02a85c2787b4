//! How much disk a recording may take, said before the program runs.

use std::path::Path;

/// What an allocation call takes in the file, in bytes: the least and the most
/// (docs/recording-format.md).
const CALL_BYTES: [f64; 2] = [3.0, 8.0];
/// Less free space than this is worth a warning.
const FREE_BYTES_MIN: u64 = 1 << 30;
const SECONDS_PER_HOUR: f64 = 3600.0;

/// What may happen to the folder of `file`, in words: a warning, or, if `all` is wanted, a rule.
/// `None`: there is nothing to say, or the file is none that takes disk space.
pub(super) fn forecast(file: &Path, all: bool) -> Option<String> {
    let is_regular = std::fs::metadata(file).is_ok_and(|metadata| metadata.is_file());
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let free_bytes = sys::filesystem::free_bytes(folder).ok().filter(|_| is_regular)?;
    sentence(&folder.display().to_string(), free_bytes, all)
}

fn sentence(folder: &str, free_bytes: u64, all: bool) -> Option<String> {
    let [least, most] = CALL_BYTES;
    let free = report::bytes(free_bytes as f64);
    if free_bytes < FREE_BYTES_MIN {
        let full_s = |call_bytes: f64| report::duration(free_bytes as f64 / call_bytes * 1000.0);
        return Some(format!(
            "{folder} has only {free} free: a program with a million allocation calls a second, \
             of {least} to {most} bytes each, fills it in {} to {}",
            full_s(most),
            full_s(least)
        ));
    }
    let hour = |call_bytes: f64| report::bytes(call_bytes * 1e6 * SECONDS_PER_HOUR);
    all.then(|| {
        format!(
            "{folder} has {free} free; an allocation call takes {least} to {most} bytes, so a \
             million calls a second take {} to {} an hour",
            hour(least),
            hour(most)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_space_is_always_said_and_the_rule_where_it_is_wanted() {
        let little = sentence("/tmp", 600 << 20, false).expect("a warning");
        assert!(little.starts_with("/tmp has only 600 MiB free: "), "{little}");
        assert!(little.ends_with("fills it in 78.6 s to 210 s"), "{little}");
        assert_eq!(sentence("/tmp", 5 << 30, false), None);
        let rule = sentence("/tmp", 5 << 30, true).expect("a rule");
        assert!(rule.starts_with("/tmp has 5 GiB free; "), "{rule}");
        assert!(rule.ends_with("take 10.1 GiB to 26.8 GiB an hour"), "{rule}");
    }

    #[test]
    fn only_files_take_space() {
        assert_eq!(forecast(Path::new("/dev/null"), true), None);
        assert_eq!(forecast(Path::new("/nowhere/app.ft"), true), None);
    }
}
