//! Programs without address space randomisation. In a separate test program: starting them forks,
//! and a fork makes the pages of all threads copy-on-write, so that their next writes fault.

use std::process::Command;

use sys::personality::lay_out_at_random;

#[test]
fn programs_without_randomisation_have_equal_addresses() {
    let stack = || {
        let mut command = Command::new("grep");
        command.args(["stack", "/proc/self/maps"]).env_clear();
        lay_out_at_random(&mut command, false);
        command.output().map(|output| output.stdout)
    };
    match (stack(), stack()) {
        (Ok(one), Ok(other)) => assert_eq!(one, other),
        (Err(e), _) | (_, Err(e)) => skips::skip(&format!("personality(2) is refused here: {e}")),
    }
}
