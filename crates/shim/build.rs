//! What the shim needs of the linker.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // A symbol that no library has is an error here, not in the program that is recorded.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,defs");
    // Functions are found when the library is loaded, not at their first call inside malloc.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,now");
}
