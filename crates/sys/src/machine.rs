//! The machine, and the state of it that affects what memory costs.

use std::fs::{read_dir, read_to_string};

/// The name of this machine (`gethostname(2)`); `None` if it is no text.
#[must_use]
pub fn host_name() -> Option<String> {
    rustix::system::uname().nodename().to_str().ok().map(str::to_owned)
}

/// Kernel release, as in `uname -r`.
#[must_use]
pub fn kernel_release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// The processor's model, from `/proc/cpuinfo`.
#[must_use]
pub fn cpu_model() -> Option<String> {
    parse_cpu_model(&read_to_string("/proc/cpuinfo").ok()?)
}

fn parse_cpu_model(cpuinfo: &str) -> Option<String> {
    // x86 has "model name"; many others only "Processor", "cpu model" or "Model".
    ["model name", "Processor", "cpu model", "Model"].iter().find_map(|key| {
        let line = cpuinfo
            .lines()
            .find(|line| line.split(':').next().is_some_and(|name| name.trim() == *key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    })
}

/// Whether the processor reports a hypervisor (x86). `None` on other architectures, and without
/// `/proc`.
#[must_use]
pub fn virtualized() -> Option<bool> {
    let cpuinfo = read_to_string("/proc/cpuinfo").ok()?;
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags"))?;
    Some(flags.split_whitespace().any(|flag| flag == "hypervisor"))
}

/// Total memory of the machine.
#[must_use]
pub fn ram_bytes() -> Option<u64> {
    crate::proc::meminfo_bytes(&read_to_string("/proc/meminfo").ok()?, "MemTotal")
}

/// The size of all swap devices and files that are in use.
#[must_use]
pub fn swap_bytes() -> Option<u64> {
    crate::proc::meminfo_bytes(&read_to_string("/proc/meminfo").ok()?, "SwapTotal")
}

/// The policy for transparent huge pages of 2 MiB in anonymous memory: `always`, `madvise` or
/// `never`. Since Linux 6.8 each size has its own switch, which may inherit the common one.
#[must_use]
pub fn thp() -> Option<String> {
    let read =
        |file: &str| read_to_string(format!("/sys/kernel/mm/transparent_hugepage/{file}")).ok();
    thp_in_force(&read("enabled")?, read("hugepages-2048kB/enabled").as_deref())
}

fn thp_in_force(common: &str, of_size: Option<&str>) -> Option<String> {
    of_size.and_then(chosen).filter(|own| own != "inherit").or_else(|| chosen(common))
}

/// The word in brackets: `always [madvise] never`.
pub(crate) fn chosen(text: &str) -> Option<String> {
    text.split_whitespace()
        .find_map(|word| word.strip_prefix('[')?.strip_suffix(']'))
        .map(str::to_owned)
}

/// Whether a virtio balloon of this guest reports free pages to the host, which then takes them
/// back: a later first touch waits for the hypervisor. `None` where the devices cannot be listed.
#[must_use]
pub fn free_page_reporting() -> Option<bool> {
    /// `VIRTIO_BALLOON_F_REPORTING` (virtio 1.2, section 5.5.3).
    const REPORTING: usize = 5;
    let devices = match read_dir("/sys/bus/virtio/devices") {
        Ok(devices) => devices,
        // No virtio at all.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Some(false),
        Err(_) => return None,
    };
    Some(devices.flatten().any(|device| {
        let driver = device.path().join("driver").read_link();
        let is_balloon = driver.is_ok_and(|link| link.ends_with("virtio_balloon"));
        // One character per feature bit, the lowest first.
        let features = read_to_string(device.path().join("features")).unwrap_or_default();
        is_balloon && features.as_bytes().get(REPORTING) == Some(&b'1')
    }))
}

/// The columns of the terminal `of` (ioctl TIOCGWINSZ); `None` if it is not a terminal.
#[must_use]
pub fn terminal_columns(of: impl std::os::fd::AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(of).ok()?;
    Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
}

/// The rows of the terminal that is standard output (ioctl TIOCGWINSZ).
#[must_use]
pub fn terminal_rows() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok()?;
    Some(usize::from(size.ws_row)).filter(|&rows| rows > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_in_brackets_is_chosen() {
        assert_eq!(chosen("always [madvise] never\n").as_deref(), Some("madvise"));
        assert_eq!(chosen("always madvise never"), None);
    }

    #[test]
    fn the_switch_of_the_size_overrides_the_common_one() {
        let common = "always [madvise] never\n";
        for (of_size, expect) in [
            (None, "madvise"),
            (Some("always [inherit] madvise never\n"), "madvise"),
            (Some("[always] inherit madvise never\n"), "always"),
            (Some("always inherit madvise [never]\n"), "never"),
        ] {
            assert_eq!(thp_in_force(common, of_size).as_deref(), Some(expect), "{of_size:?}");
        }
    }

    #[test]
    fn the_cpu_model_is_found() {
        let x86 = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel\t\t: 143\n\
                   model name\t: Intel(R) Xeon(R)\n";
        assert_eq!(parse_cpu_model(x86).as_deref(), Some("Intel(R) Xeon(R)"));
        assert_eq!(parse_cpu_model("processor\t: 0\nBogoMIPS\t: 50.00\n"), None);
    }
}
