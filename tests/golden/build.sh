#!/usr/bin/env bash
# Builds the golden library of the current ABI: the plugin of the SDK's front page, small and without this machine's paths.
# See README.md here for when to run it.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=x86_64-unknown-linux-gnu
abi=$(sed -n 's/^version = "\([0-9]*\.[0-9]*\)\..*/\1/p' plugin-api/abi/Cargo.toml)
golden=tests/golden/abi-$abi/$target
library=libf9_backend_memory.so
if [ -e "$golden/$library" ]; then
    echo "$golden/$library is there: what was released once is never built again" >&2
    exit 1
fi

export CARGO_TARGET_DIR=target/golden
export CARGO_PROFILE_RELEASE_OPT_LEVEL=z CARGO_PROFILE_RELEASE_LTO=fat CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1
export CARGO_PROFILE_RELEASE_STRIP=symbols CARGO_PROFILE_RELEASE_PANIC=unwind
export RUSTFLAGS="--remap-path-prefix=$PWD=f9 --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo"
cargo build --locked --release --target "$target" -p f9-plugin-api --example f9_backend_memory

mkdir -p "$golden"
cp "$CARGO_TARGET_DIR/$target/release/examples/$library" "$golden/$library"
chmod 644 "$golden/$library"
rustc --version --verbose | grep -E '^(rustc|LLVM)' > "$golden/built-with.txt"
{
    echo "f9-plugin-abi $(sed -n 's/^version = "\(.*\)"/\1/p' plugin-api/abi/Cargo.toml)"
    echo "glibc symbols up to $(objdump -T "$golden/$library" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -1)"
    (cd "$golden" && sha256sum "$library")
} >> "$golden/built-with.txt"
ls -l "$golden"
