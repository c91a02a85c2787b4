//! Whether a program gets more privilege than its caller when it is executed (execve(2)).

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{StatVfsMountFlags, getxattr, statvfs};
use rustix::process::{getegid, geteuid};

/// The attribute of a file that has capabilities (capabilities(7)).
const CAPABILITIES: &str = "security.capability";
const SET_USER_ID: u32 = 0o4000;
/// Without permission to execute for the group, this bit has another meaning.
const SET_GROUP_ID: u32 = 0o2010;

/// Whether the file at `path`, executed by this process without a tracer, would run as another user
/// or group, or with capabilities: the dynamic linker then ignores most of its variables
/// (`AT_SECURE`). Under a tracer without privilege these bits have no effect.
#[must_use]
pub fn is_gained_by(path: &Path) -> bool {
    let Ok(metadata) = std::fs::metadata(path) else { return false };
    let has = |bits: u32| metadata.permissions().mode() & bits == bits;
    let changes_user = has(SET_USER_ID) && metadata.uid() != geteuid().as_raw();
    let changes_group = has(SET_GROUP_ID) && metadata.gid() != getegid().as_raw();
    // Root has all capabilities already.
    let has_capabilities = || {
        let mut value = [0_u8; 64];
        !geteuid().is_root() && getxattr(path, CAPABILITIES, &mut value[..]).is_ok()
    };
    (changes_user || changes_group || has_capabilities()) && !is_ignored(path)
}

/// Whether the mount of `path` or this process (`no_new_privs`) rules it out.
fn is_ignored(path: &Path) -> bool {
    let no_suid = statvfs(path).is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::NOSUID));
    no_suid || rustix::thread::no_new_privs().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_the_own_user_give_nothing() {
        let file = std::env::temp_dir().join(format!("firsttouch-suid-{}", std::process::id()));
        std::fs::write(&file, "x").unwrap();
        for mode in [0o755, 0o4755, 0o6755] {
            std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
            assert!(!is_gained_by(&file), "{mode:o}");
        }
        if geteuid().is_root() {
            std::os::unix::fs::chown(&file, Some(65_534), Some(65_534)).unwrap();
            for (mode, gained) in [(0o755, false), (0o4755, true), (0o2755, true), (0o2745, false)]
            {
                // chown(2) has removed the bits.
                std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
                assert_eq!(is_gained_by(&file), gained && !is_ignored(&file), "{mode:o}");
            }
        } else {
            skips::skip("only root can give a file to another user");
        }
        std::fs::remove_file(&file).unwrap();
        assert!(!is_gained_by(&file), "no such file");
    }
}
