//! Builds the shim, which is carried inside the program. It is a project of its own (without the
//! standard library, without unwinding), so cargo is asked for it as a user would ask.

use std::env::{self, VarError};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn main() -> Result<(), VarError> {
    for input in [
        "../shim/src",
        "../shim/build.rs",
        "../shim/Cargo.toml",
        "../shim/Cargo.lock",
        "../wire/src",
    ] {
        println!("cargo::rerun-if-changed={input}");
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let shim = out.join("shim.so");
    if env::var("CARGO_CFG_TARGET_ARCH")? == "x86_64" {
        let target = out.join("shim");
        let mut cargo = Command::new(env::var("CARGO")?);
        cargo.args(["build", "--release", "--locked", "--manifest-path", "../shim/Cargo.toml"]);
        cargo.arg("--target-dir").arg(&target);
        // What this build is wrapped in (clippy) or was told is not meant for the shim.
        for variable in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "CARGO_BUILD_TARGET"] {
            cargo.env_remove(variable);
        }
        cargo.env_remove("RUSTC_WORKSPACE_WRAPPER");
        for (variable, _) in env::vars() {
            if variable.starts_with("CARGO_PROFILE_") {
                cargo.env_remove(variable);
            }
        }
        let is_built = cargo.status().is_ok_and(|status| status.success());
        assert!(is_built, "the shim does not build: see the messages of cargo above");
        fs::copy(target.join("release/libfirsttouch_shim.so"), &shim).expect("the shim was built");
    } else {
        fs::write(&shim, []).expect("cargo's folder can be written to");
    }
    println!("cargo::rustc-env=SHIM={}", shim.display());
    Ok(())
}
