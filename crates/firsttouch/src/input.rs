//! Files that the user names to be read: never without a limit.

use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use anyhow::{Context, bail};

/// An experiment file has some hundred lines.
const EXPERIMENT_BYTES_MAX: u64 = 1 << 20;

/// Opens a regular file or a pipe of at most `bytes_max` bytes. The length of a pipe is not known
/// before its end.
pub(crate) fn open(path: &Path, bytes_max: u64) -> anyhow::Result<File> {
    let cannot_open = || format!("cannot open {}", path.display());
    // Opening a device can do something to it.
    check(path, &std::fs::metadata(path).with_context(cannot_open)?, bytes_max)?;
    let file = File::open(path).with_context(cannot_open)?;
    check(path, &file.metadata().with_context(cannot_open)?, bytes_max)?;
    Ok(file)
}

fn check(path: &Path, metadata: &Metadata, bytes_max: u64) -> anyhow::Result<()> {
    let (kind, name) = (metadata.file_type(), path.display());
    if kind.is_dir() {
        bail!("{name} is a directory: name a file in it");
    }
    if kind.is_char_device() || kind.is_block_device() {
        bail!("{name} is a device: name a file or a pipe");
    }
    if metadata.len() > bytes_max {
        bail!("{name} has {}: {}", report::bytes(metadata.len() as f64), too_long(bytes_max));
    }
    Ok(())
}

fn too_long(bytes_max: u64) -> String {
    format!("more than {} are not read: name another file", report::bytes(bytes_max as f64))
}

/// The text of an experiment file.
pub(crate) fn experiment(path: &Path) -> anyhow::Result<Vec<u8>> {
    let file = open(path, EXPERIMENT_BYTES_MAX)?;
    let mut text = Vec::new();
    file.take(EXPERIMENT_BYTES_MAX + 1)
        .read_to_end(&mut text)
        .with_context(|| format!("cannot read {}", path.display()))?;
    if text.len() as u64 > EXPERIMENT_BYTES_MAX {
        bail!("{}: {}", path.display(), too_long(EXPERIMENT_BYTES_MAX));
    }
    Ok(text)
}

/// The number of a process, from 1 on.
pub(crate) fn parse_pid(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number
        .ok_or_else(|| "write the number of a process, such as 4121 (ps -e lists them)".to_owned())
}
