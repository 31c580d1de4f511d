//! Hands the target triple, which only build scripts are told, to the manifest.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo:rustc-env=F9_TARGET={target}");
}
