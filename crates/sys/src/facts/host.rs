//! The environment of the machine: a hypervisor, a container.

use std::fs::read_to_string;
use std::path::Path;

use super::text;

/// The hypervisor and the container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// Whether the machine is a guest of a hypervisor.
    pub virtualized: Option<bool>,
    /// The hypervisor's name, as far as the guest can tell.
    pub hypervisor: Option<String>,
    /// Whether this guest hands freed memory back to its host.
    pub free_page_reporting: Option<bool>,
    /// The container that this process runs in, if it can be recognised.
    pub container: Option<String>,
}

impl Host {
    pub(super) fn now() -> Self {
        let clocks = "/sys/devices/system/clocksource/clocksource0/available_clocksource";
        let offered =
            text("/sys/hypervisor/type").or_else(|| by_clock(&text(clocks)?).map(str::to_owned));
        Host {
            // Not every processor reports it, and only through /proc.
            virtualized: crate::machine::virtualized().or_else(|| offered.as_ref().map(|_| true)),
            hypervisor: offered
                .or_else(|| by_vendor(&text("/sys/class/dmi/id/sys_vendor")?).map(str::to_owned)),
            free_page_reporting: crate::machine::free_page_reporting(),
            container: container(),
        }
    }
}

/// Each paravirtual clock belongs to one hypervisor.
fn by_clock(available: &str) -> Option<&'static str> {
    available.split_whitespace().find_map(|clock| match clock {
        "kvm-clock" => Some("KVM"),
        "xen" => Some("Xen"),
        name if name.starts_with("hyperv") => Some("Hyper-V"),
        _ => None,
    })
}

/// The hypervisor by the vendor in the firmware's tables.
fn by_vendor(vendor: &str) -> Option<&'static str> {
    [
        ("QEMU", "QEMU"),
        ("VMware", "VMware"),
        ("innotek", "VirtualBox"),
        ("Amazon EC2", "Nitro"),
        ("Google", "KVM"),
    ]
    .into_iter()
    .find_map(|(start, name)| vendor.starts_with(start).then_some(name))
}

/// Docker, Podman and managers that follow systemd's container interface leave a file. Only a hint.
fn container() -> Option<String> {
    if Path::new("/run/.containerenv").exists() {
        return Some("podman".to_owned());
    }
    if Path::new("/.dockerenv").exists() {
        return Some("docker".to_owned());
    }
    Some(read_to_string("/run/systemd/container").ok()?.trim().to_owned())
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hypervisors_are_recognised_by_clock_and_vendor() {
        assert_eq!(by_clock("tsc kvm-clock"), Some("KVM"));
        assert_eq!(by_clock("hyperv_clocksource_tsc_page acpi_pm"), Some("Hyper-V"));
        assert_eq!(by_clock("tsc hpet acpi_pm"), None);
        assert_eq!(by_vendor("VMware, Inc."), Some("VMware"));
        assert_eq!(by_vendor("LENOVO"), None);
    }
}
