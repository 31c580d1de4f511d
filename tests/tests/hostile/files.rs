//! Files that are not what they should be: refused before anything of them is run, or by the system's loader.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    process::Command,
};

use f9_host::{ErrorKind, Host, RefusalCode, inspect};
use serde_json::json;

use super::{
    Shelf,
    elf::{self, Elf},
    hostile, library,
};

/// A kind of bad file, and the reason that is told.
struct Kind {
    name: &'static str,
    reason: &'static str,
    content: Vec<u8>,
}

fn kind(name: &'static str, reason: &'static str, content: impl Into<Vec<u8>>) -> Kind {
    Kind { name, reason, content: content.into() }
}

impl From<Elf> for Vec<u8> {
    fn from(elf: Elf) -> Self {
        elf.0
    }
}

/// All are called `memory`.
fn kinds() -> Vec<Kind> {
    let good = Elf(library("memory"));
    let whole = good.0.len();
    let segment = |n: usize, field: usize, value: u64| {
        let at = good.loaded_segment(n) + field;
        good.clone().u64(at, value)
    };
    let section = |field: usize, value: u64| good.clone().u64(good.dynamic_symbols() + field, value);
    let text = |from: &str, to: &str| good.clone().text(from, to);
    let target = |target: &str| {
        let own = format!("\"target\":\"{}\"", f9_plugin_api::boundary::TARGET);
        let other =
            format!("\"target\":\"{target:-<width$}\"", width = f9_plugin_api::boundary::TARGET.len());
        text(&own, &other)
    };
    let mut zeroed = good.clone();
    zeroed.0[whole / 2..].fill(0);
    let mut macho = vec![0xcf, 0xfa, 0xed, 0xfe, 0x0c, 0, 0, 1, 0, 0, 0, 0, 6, 0, 0, 0];
    macho.resize(32, 0);
    let other_machine = if cfg!(target_arch = "aarch64") { 62 } else { 183 };
    let other_target = if cfg!(target_arch = "aarch64") { "x86_64-a" } else { "aarch64-a" };
    vec![
        kind("empty", "not-a-library", ""),
        kind("text", "not-a-library", "not at all\n"),
        kind("a script", "not-a-library", "#!/bin/sh\nexit 0\n"),
        kind("a wasm module", "not-a-library", &b"\0asm\x01\0\0\0"[..]),
        kind(
            "a static library",
            "not-a-library",
            &b"!<arch>\n/               0           0     0     0       0         `\n"[..],
        ),
        kind("a zip archive", "not-a-library", &b"PK\x03\x04rest"[..]),
        kind("wrong magic", "not-a-library", good.clone().byte(1, b'e')),
        kind("another system's library", "wrong-arch", macho),
        kind("a program of DOS", "truncated", [&b"MZ"[..], &[0; 200]].concat()),
        kind("magic and nothing else", "truncated", &b"\x7fELF"[..]),
        kind("wrong class", "truncated", good.clone().byte(elf::CLASS, 1)),
        kind("no class", "truncated", good.clone().byte(elf::CLASS, 9)),
        kind("wrong endianness", "truncated", good.clone().byte(elf::ENDIANNESS, 2)),
        kind("wrong version of the header", "truncated", good.clone().byte(elf::VERSION, 9)),
        kind("another processor", "wrong-arch", good.clone().u16(elf::MACHINE, other_machine)),
        kind("an unknown processor", "wrong-arch", good.clone().u16(elf::MACHINE, 0xfffe)),
        kind("an object file", "not-a-library", good.clone().u16(elf::TYPE, 1)),
        kind("a program", "not-a-library", good.clone().u16(elf::TYPE, 2)),
        kind("a core dump", "not-a-library", good.clone().u16(elf::TYPE, 4)),
        kind("segments past the end", "truncated", good.clone().u64(elf::SEGMENTS, u64::MAX - 8)),
        kind("segment headers of one byte", "truncated", good.clone().u16(elf::SEGMENT_SIZE, 1)),
        kind("no segments", "bad-manifest", good.clone().u16(elf::SEGMENT_COUNT, 0)),
        kind("too many segments", "truncated", good.clone().u16(elf::SEGMENT_COUNT, 0xfff0)),
        kind("sections past the end", "truncated", good.clone().u64(elf::SECTIONS, whole as u64)),
        kind("section headers of one byte", "truncated", good.clone().u16(elf::SECTION_SIZE, 1)),
        kind("too many sections", "truncated", good.clone().u16(elf::SECTION_COUNT, 0xfeff)),
        kind("no section names", "truncated", good.clone().u16(elf::SECTION_NAMES, 0xfeff)),
        kind("a segment longer than the file", "truncated", segment(0, elf::FILE_SIZE, whole as u64 + 1)),
        kind("a segment of 16 EiB in the file", "truncated", segment(1, elf::FILE_SIZE, u64::MAX)),
        kind("a segment of 8 EiB in memory", "truncated", segment(1, elf::MEMORY_SIZE, 1 << 63)),
        kind("a segment smaller than its content", "truncated", segment(1, elf::MEMORY_SIZE, 1)),
        kind("segments on top of each other", "truncated", segment(1, elf::ADDRESS, 0)),
        kind("a segment off its pages", "truncated", segment(1, elf::FILE_OFFSET, 7)),
        kind("an alignment that is none", "truncated", segment(1, elf::ALIGNMENT, 0x1fff)),
        kind("more symbols than the file holds", "truncated", section(elf::SIZE, 24 << 40)),
        kind("symbols past the end", "truncated", section(elf::OFFSET, u64::MAX / 2)),
        kind("symbols without names", "truncated", section(elf::LINK, 0xfff0)),
        kind("cut to a half", "truncated", good.clone().cut(whole / 2)),
        kind("cut by a byte", "truncated", good.clone().cut(whole - 1)),
        kind("a half of zeros", "no-manifest", zeroed),
        kind("no manifest", "no-manifest", text("\0f9_plugin_manifest\0", "\0f9_plugin_manifesT\0")),
        kind(
            "a manifest at no address",
            "bad-manifest",
            good.clone().u64(good.value_of_symbol("f9_plugin_manifest"), 1 << 60),
        ),
        kind(
            "a manifest in the middle of something",
            "bad-manifest",
            good.clone().u64(good.value_of_symbol("f9_plugin_manifest"), 1),
        ),
        kind("a manifest that is no JSON", "bad-manifest", text("{\"format\":1", "[\"format\":1")),
        kind("a manifest that is no UTF-8", "bad-manifest", {
            let mut bytes = good.0.clone();
            let at = super::find(&bytes, b"\"description\":\"") + 15;
            bytes[at] = 0xff;
            bytes
        }),
        kind("a manifest of another format", "bad-manifest", text("{\"format\":1", "{\"format\":9")),
        kind("a manifest without a key", "bad-manifest", text("\"version\":", "\"versiom\":")),
        kind("a manifest with a key twice", "bad-manifest", text("\"version\":", "\"abi\"    :")),
        kind("a manifest with nothing in it", "bad-manifest", text("{\"format\":1", "{}\0--------")),
        kind("another name", "name-mismatch", text("\"name\":\"memory\"", "\"name\":\"memorx\"")),
        kind("a name that is a path", "name-mismatch", text("\"name\":\"memory\"", "\"name\":\"../../\"")),
        kind("an ABI of the future", "abi-major", text("\"abi\":\"1.1.0\"", "\"abi\":\"2.0.0\"")),
        kind("an ABI of the past", "abi-major", text("\"abi\":\"1.1.0\"", "\"abi\":\"0.9.9\"")),
        kind("an ABI that is no version", "abi-major", text("\"abi\":\"1.1.0\"", "\"abi\":\"one..\"")),
        kind("a manifest that lies about the processor", "bad-manifest", target(other_target)),
        kind(
            "an entry that is not found by its hash",
            "truncated",
            text("_1as_0lib_1header", "_1as_0lib_1headeR"),
        ),
    ]
}

#[test]
fn every_kind_of_bad_file_is_refused_before_it_is_loaded() {
    let mut reasons = BTreeSet::new();
    let kinds = kinds();
    for Kind { name, reason, content } in &kinds {
        let shelf = Shelf::new();
        let file = shelf.path("libf9_backend_memory.so");
        fs::write(&file, content).unwrap();
        let inspection = inspect(&file);
        let refusal = inspection.refusal.unwrap_or_else(|| panic!("{name}: nothing is found against it"));
        assert_eq!(refusal.code.as_str(), *reason, "{name}: {refusal}");
        assert!(!refusal.detail.contains('\n') && !refusal.remedy.is_empty(), "{name}: {refusal:?}");
        let error = shelf.open("memory").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PluginRefused, "{name}: {error}");
        assert_eq!(error.context().collect::<Vec<_>>(), [("reason", *reason)], "{name}: {error}");
        let diagnosis = shelf.host.diagnose(Some(&"memory".parse().unwrap()));
        assert_eq!(diagnosis.candidates[0].refusal.as_ref(), Some(&refusal), "{name}");
        assert!(!diagnosis.is_healthy());
        reasons.insert(*reason);
    }
    println!("{} kinds of bad files, refused for {} reasons: {reasons:?}", kinds.len(), reasons.len());
    assert!(kinds.len() >= 40);
}

/// All are called `hostile`; the loader or the entry refuses them, in this process, which goes on.
#[test]
fn what_only_loading_can_tell_is_refused_too() {
    let good = || Elf(hostile(""));
    let kinds = [
        kind("a missing library", "load-failed", good().text("\0libc.so.6\0", "\0libX.so.6\0")),
        kind("a missing function", "load-failed", good().text("\0signal\0", "\0signaL\0")),
        kind("an entry that panics", "init-failed", hostile("entry_panics")),
        kind("a manifest that changes when it is loaded", "init-failed", hostile("manifest_lies")),
        kind("a manifest without an end", "bad-manifest", {
            // There is a copy for whoever asks the loaded library; what follows this one is filled up.
            let mut bytes = good().0;
            let end = super::find(&bytes, b"[\"open_write\"]}\0      ") + 15;
            assert_eq!(bytes[end], 0);
            bytes[end] = b' ';
            bytes
        }),
    ];
    for Kind { name, reason, content } in &kinds {
        let shelf = Shelf::new();
        fs::write(shelf.path("libf9_backend_hostile.so"), content).unwrap();
        let error = shelf.open("hostile").unwrap_err();
        assert_eq!(error.context().collect::<Vec<_>>(), [("reason", *reason)], "{name}: {error}");
        assert!(!error.message().contains('\n'), "{name}: {error}");
        println!("{name}: {}", error.message().rsplit(": ").next().unwrap());
    }
    let shelf = Shelf::new();
    fs::write(shelf.path("libf9_backend_hostile.so"), &kinds[0].content).unwrap();
    let error = shelf.open("hostile").unwrap_err();
    assert!(error.message().contains("libX.so.6: cannot open shared object file"), "{error}");
    println!("{} kinds that loading tells", kinds.len());
}

#[test]
fn what_is_no_file_of_ones_own_is_refused() {
    let shelf = Shelf::new();
    let path = |name: &str| shelf.path(&format!("libf9_backend_{name}.so"));
    fs::create_dir(path("dir")).unwrap();
    symlink("nowhere", path("nowhere")).unwrap();
    symlink("libf9_backend_round.so", path("round")).unwrap();
    symlink("/dev/zero", path("device")).unwrap();
    assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
    drop(std::os::unix::net::UnixListener::bind(path("socket")).unwrap());
    fs::File::create(path("huge")).unwrap().set_len(1 << 40).unwrap();
    fs::write(path("open"), library("memory")).unwrap();
    fs::set_permissions(path("open"), fs::Permissions::from_mode(0o777)).unwrap();
    fs::write(path("secret"), library("memory")).unwrap();
    fs::set_permissions(path("secret"), fs::Permissions::from_mode(0o000)).unwrap();
    let is_root = fs::read(path("secret")).is_ok();
    let kinds = [
        ("dir", "not-a-library"),
        ("nowhere", "unreadable"),
        ("round", "unreadable"),
        ("device", "unsafe-permissions"),
        ("pipe", "not-a-library"),
        ("socket", "not-a-library"),
        ("huge", "not-a-library"),
        ("open", "unsafe-permissions"),
        ("secret", if is_root { "name-mismatch" } else { "unreadable" }),
    ];
    for (name, reason) in kinds {
        let error = shelf.open(name).unwrap_err();
        assert_eq!(error.context().collect::<Vec<_>>(), [("reason", reason)], "{name}: {error}");
        let inspected = inspect(path(name)).refusal.map(|refusal| refusal.code);
        assert!(inspected.is_some(), "{name}");
    }
    println!("{} kinds of what is no plain file", kinds.len());
}

#[test]
fn twins_are_told_apart_by_their_place() {
    let (first, second) = (Shelf::new(), Shelf::new());
    fs::write(first.path("libf9_backend_memory.so"), library("memory")).unwrap();
    // The same file under the same name elsewhere, which is not worth a word, and under another name.
    fs::hard_link(first.path("libf9_backend_memory.so"), second.path("libf9_backend_memory.so")).unwrap();
    fs::hard_link(first.path("libf9_backend_memory.so"), second.path("libf9_backend_twin.so")).unwrap();
    fs::hard_link(first.path("libf9_backend_memory.so"), second.path("f9_backend_third.so")).unwrap();
    let host = [&first, &second]
        .iter()
        .fold(Host::builder().no_default_dirs(), |host, shelf| host.plugin_dir(shelf.dir.path()));
    let diagnosis = host.build().diagnose(None);
    let told: Vec<_> = diagnosis
        .candidates
        .iter()
        .map(|file| (file.name.as_str(), file.refusal.as_ref().map(|refusal| refusal.code)))
        .collect();
    assert_eq!(
        told,
        [("memory", None), ("twin", Some(RefusalCode::NameMismatch)), ("third", Some(RefusalCode::Misnamed)),]
    );
    // Two hosts that load it by different paths have the same library, and a storage each.
    let (one, other) = (first.open("memory").unwrap(), second.open("memory").unwrap());
    one.create("a", "x").unwrap();
    assert!(other.read("a").unwrap_err().is_not_found());
    assert_eq!(second.host.open(json!({"backend": "twin"})).unwrap_err().kind(), ErrorKind::PluginRefused);
}
