//! A plugin's file: what its bytes tell before any of them is run.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use f9_plugin_abi::MANIFEST_SYMBOL;
use object::{
    Architecture, BinaryFormat, Export, ExportTarget, NameOrOrdinal, Object, ObjectKind, ObjectSection,
    ObjectSegment,
    read::{ReadCache, ReadRef},
};

use crate::{Manifest, PluginName, Refusal, RefusalCode};

/// Longer manifests are not read.
const MAX_MANIFEST: u64 = 64 << 10;

/// More memory than this is no library's.
const MAX_SEGMENT: u64 = 4 << 30;

/// A library file that was opened once: what is checked is what is loaded, whatever its path leads to meanwhile.
#[derive(Debug)]
pub(crate) struct Library {
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    pub(crate) manifest: Manifest,
}

impl Library {
    /// Opens the file and reads its manifest, after checking that the system's loader will survive it: that loader maps a
    /// file that was cut off without complaint, and dies of the missing part.
    pub(crate) fn open(path: &Path, name: &PluginName) -> Result<Self, Refusal> {
        let file = open_regular(path)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let cache = ReadCache::new(&file);
        let object = parse(&cache, length)?;
        check_platform(&object)?;
        check_complete(&object, length)?;
        let text = manifest_text(&object)?;
        let manifest = Manifest::parse(text, name)?;
        drop(object);
        drop(cache);
        Ok(Self { path: path.to_owned(), file, manifest })
    }
}

fn unreadable(error: std::io::Error) -> Refusal {
    Refusal::new(RefusalCode::Unreadable, format!("it cannot be read: {error}"))
}

/// Looks before it opens: opening a pipe would wait for its writer.
fn open_regular(path: &Path) -> Result<File, Refusal> {
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Refusal::new(RefusalCode::NotALibrary, "it is not a regular file"));
    }
    File::open(path).map_err(unreadable)
}

fn parse<'data, R: ReadRef<'data>>(data: R, length: u64) -> Result<object::File<'data, R>, Refusal> {
    let magic = data.read_bytes_at(0, length.min(4)).unwrap_or_default();
    let known = [&b"\x7fELF"[..], b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"];
    if !known.iter().any(|known| magic.starts_with(known)) {
        let found = if length == 0 { "it is empty" } else { "it is not a shared library" };
        return Err(Refusal::new(RefusalCode::NotALibrary, found));
    }
    // It began as a library: whatever cannot be found in it was cut off or overwritten.
    object::File::parse(data).map_err(|error| {
        Refusal::new(RefusalCode::Truncated, format!("it is damaged or cut off at {length} bytes: {error}"))
    })
}

fn check_platform<'data>(object: &object::File<'data, impl ReadRef<'data>>) -> Result<(), Refusal> {
    let format = object.format();
    if format != BinaryFormat::native_object() {
        let detail = format!("it is a {format:?} file, this host needs {:?}", BinaryFormat::native_object());
        return Err(Refusal::new(RefusalCode::WrongArch, detail));
    }
    let native = native_architecture();
    let little = object.is_little_endian() == cfg!(target_endian = "little");
    if native.is_some_and(|native| native != object.architecture()) || !little {
        let (found, here) = (object.architecture(), std::env::consts::ARCH);
        let detail = format!("it was built for {found:?}, this host runs on {here}");
        return Err(Refusal::new(RefusalCode::WrongArch, detail));
    }
    if object.kind() != ObjectKind::Dynamic {
        return Err(Refusal::new(
            RefusalCode::NotALibrary,
            format!("it is no shared library but {:?}", object.kind()),
        ));
    }
    Ok(())
}

/// `None` for processors that this host does not know by name: then the loader has to tell.
fn native_architecture() -> Option<Architecture> {
    match std::env::consts::ARCH {
        "x86_64" => Some(Architecture::X86_64),
        "aarch64" => Some(Architecture::Aarch64),
        "riscv64" => Some(Architecture::Riscv64),
        "x86" => Some(Architecture::I386),
        "arm" => Some(Architecture::Arm),
        _ => None,
    }
}

/// What a broken copy breaks. Bytes that somebody changed on purpose are not found so: for that, compare a checksum.
fn check_complete<'data>(object: &impl Object<'data>, length: u64) -> Result<(), Refusal> {
    let mut mapped = 0;
    for segment in object.segments() {
        let (start, size) = segment.file_range();
        let end = start.saturating_add(size);
        if end > length {
            let detail = format!("it is cut off: it should have at least {end} bytes and has {length}");
            return Err(Refusal::new(RefusalCode::Truncated, detail));
        }
        // Segments lie in memory in their order, each with room for what the file has of it, on the pages of the file.
        let (address, room) = (segment.address(), segment.size());
        let aligned = start.wrapping_sub(address).is_multiple_of(segment.align().max(1));
        let sane = address >= mapped && room >= size && room <= MAX_SEGMENT && (size == 0 || aligned);
        if !sane {
            let detail = format!("it is damaged: its segment at {address:#x} cannot be loaded");
            return Err(Refusal::new(RefusalCode::Truncated, detail));
        }
        mapped = address.saturating_add(room);
    }
    Ok(())
}

/// The bytes behind the manifest's symbol, up to the NUL.
fn manifest_text<'data>(object: &impl Object<'data>) -> Result<&'data [u8], Refusal> {
    let damaged = |error: object::Error| {
        Refusal::new(RefusalCode::Truncated, format!("its table of symbols cannot be read: {error}"))
    };
    let mut address = None;
    for export in object.exports().map_err(damaged)? {
        address = address.or(manifest_address(&export.map_err(damaged)?));
    }
    let address = address.ok_or_else(|| {
        let detail = format!("it does not export `{MANIFEST_SYMBOL}`, so it is no f9 plugin");
        Refusal::new(RefusalCode::NoManifest, detail)
    })?;
    let bad = || Refusal::new(RefusalCode::BadManifest, "its manifest has no end within 64 KiB");
    let holds = |section: &_| section_range(section).contains(&address);
    let section = object.sections().find(holds).ok_or_else(bad)?;
    let available = section_range(&section).end - address;
    let bytes = section.data_range(address, available.min(MAX_MANIFEST)).map_err(damaged)?.ok_or_else(bad)?;
    let end = bytes.iter().position(|&byte| byte == 0).ok_or_else(bad)?;
    Ok(&bytes[..end])
}

fn manifest_address(export: &Export<'_>) -> Option<u64> {
    let NameOrOrdinal::Name(name) = export.name() else {
        return None;
    };
    // Mach-O puts an underscore before every name.
    let is_manifest = name.strip_prefix(b"_").unwrap_or(name) == MANIFEST_SYMBOL.as_bytes();
    match export.target() {
        ExportTarget::Address { address } if is_manifest => Some(address),
        _ => None,
    }
}

fn section_range<'data>(section: &impl ObjectSection<'data>) -> std::ops::Range<u64> {
    section.address()..section.address().saturating_add(section.size())
}
