//! A plugin's file: what its bytes tell before any of them is run.

use std::{
    cell::Cell,
    fs::File,
    ops::Range,
    path::{Path, PathBuf},
};

use f9_plugin_abi::MANIFEST_SYMBOL;
use object::{
    Architecture, BinaryFormat, Export, ExportTarget, NameOrOrdinal, Object, ObjectKind, ObjectSection,
    ObjectSegment,
    read::{ReadCache, ReadRef},
};

use crate::{Manifest, PluginName, Refusal, RefusalCode, elf};

/// Longer manifests are not read.
const MAX_MANIFEST: u64 = 64 << 10;

/// More memory than this is no library's.
const MAX_SEGMENT: u64 = 4 << 30;

/// Longer files are no library's.
const MAX_FILE: u64 = 1 << 30;

/// Longer names are no symbol's.
const MAX_STRING: u64 = 4 << 10;

/// So much of a file is looked at: the tables of a large library, but not whatever a damaged header asks for.
const MAX_READ: u64 = 128 << 20;

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
        let (file, length) = open_regular(path)?;
        let cache = ReadCache::new(&file);
        let manifest = Contents::parse(&Source::new(&cache), length)?.manifest(name)?;
        drop(cache);
        Ok(Self { path: path.to_owned(), file, manifest })
    }
}

/// Opens a file that has content, and tells its length.
pub(crate) fn open_regular(path: &Path) -> Result<(File, u64), Refusal> {
    let irregular = || Refusal::new(RefusalCode::NotALibrary, "it is not a regular file");
    // Looks before it opens: opening a device may do something.
    if !std::fs::metadata(path).map_err(Refusal::unreadable)?.is_file() {
        return Err(irregular());
    }
    let file = open_without_waiting(path).map_err(Refusal::unreadable)?;
    let metadata = file.metadata().map_err(Refusal::unreadable)?;
    if !metadata.is_file() {
        return Err(irregular());
    }
    if metadata.len() > MAX_FILE {
        let detail = format!("it has {} bytes, and no library has more than {MAX_FILE}", metadata.len());
        return Err(Refusal::new(RefusalCode::NotALibrary, detail));
    }
    Ok((file, metadata.len()))
}

/// A pipe may have taken the file's place meanwhile, whose opening would wait for a writer.
#[cfg(unix)]
fn open_without_waiting(path: &Path) -> std::io::Result<File> {
    use rustix::fs::{Mode, OFlags};

    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

#[cfg(not(unix))]
fn open_without_waiting(path: &Path) -> std::io::Result<File> {
    File::open(path)
}

/// A library as far as its headers tell.
pub(crate) struct Contents<'data, R: ReadRef<'data>> {
    object: object::File<'data, R>,
    data: R,
    length: u64,
}

impl<'data, R: ReadRef<'data>> Contents<'data, R> {
    /// Reads the headers.
    pub(crate) fn parse(data: R, length: u64) -> Result<Self, Refusal> {
        let magic = data.read_bytes_at(0, length.min(4)).unwrap_or_default();
        let known = [&b"\x7fELF"[..], b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"];
        if !known.iter().any(|known| magic.starts_with(known)) {
            let found = if length == 0 { "it is empty" } else { "it is not a shared library" };
            return Err(Refusal::new(RefusalCode::NotALibrary, found));
        }
        // It began as a library: whatever cannot be found in it was cut off or overwritten.
        let object = object::File::parse(data).map_err(|error| {
            Refusal::new(
                RefusalCode::Truncated,
                format!("it is damaged or cut off at {length} bytes: {error}"),
            )
        })?;
        Ok(Self { object, data, length })
    }

    /// The manifest of a library that can be loaded here.
    fn manifest(&self, name: &PluginName) -> Result<Manifest, Refusal> {
        self.check_loadable()?;
        let manifest = self.any_manifest()?;
        self.check_manifest(&manifest, Some(name))?;
        self.check_followed()?;
        Ok(manifest)
    }

    /// Whether the system's loader takes it.
    pub(crate) fn check_loadable(&self) -> Result<(), Refusal> {
        check_platform(&self.object)?;
        check_complete(&self.object, self.length)
    }

    /// Whether the loader can follow all that it would follow in a plugin. Of other formats and sizes it has to tell itself.
    pub(crate) fn check_followed(&self) -> Result<(), Refusal> {
        if self.object.format() == BinaryFormat::Elf && self.object.is_64() && self.object.is_little_endian()
        {
            elf::check(self.data).map_err(|what| {
                Refusal::new(RefusalCode::Truncated, format!("it is damaged or cut off: {what}"))
            })?;
        }
        Ok(())
    }

    /// The manifest, whatever it says and whatever machine it is for.
    pub(crate) fn any_manifest(&self) -> Result<Manifest, Refusal> {
        Manifest::read(manifest_text(&self.object, self.data)?)
    }

    /// Whether the manifest fits the host, its file's name, and the library that it is in.
    pub(crate) fn check_manifest(
        &self,
        manifest: &Manifest,
        name: Option<&PluginName>,
    ) -> Result<(), Refusal> {
        manifest.check(name)?;
        let machine = self.object.architecture();
        let says = manifest.target.split('-').next().unwrap_or_default();
        if architecture_of(says).is_some_and(|says| says != machine) {
            let detail = format!(
                "its manifest says that it was built for {}, its code is for {machine:?}",
                manifest.target
            );
            return Err(Refusal::new(RefusalCode::BadManifest, detail));
        }
        Ok(())
    }

    /// What kind of file it is: "Elf X86_64".
    pub(crate) fn kind(&self) -> String {
        let (format, machine) = (self.object.format(), self.object.architecture());
        let ending = if self.object.is_little_endian() { "" } else { ", big-endian" };
        format!("{format:?} {machine:?}{ending}")
    }

    /// The names of what it offers to whoever loads it, `max` of them at most.
    pub(crate) fn exports(&self, max: usize) -> Vec<String> {
        let exports = self.object.exports().into_iter().flatten().flatten();
        let name = |export: Export<'_>| match export.name() {
            NameOrOrdinal::Name(name) => Some(String::from_utf8_lossy(name).into_owned()),
            _ => None,
        };
        exports.filter_map(name).take(max).collect()
    }

    /// The libraries that it needs itself, `max` of them at most.
    pub(crate) fn needs(&self, max: usize) -> Vec<String> {
        let libraries = self.object.import_libraries().into_iter().flatten().flatten();
        libraries.map(|library| String::from_utf8_lossy(library.name()).into_owned()).take(max).collect()
    }
}

fn check_platform<'data>(object: &object::File<'data, impl ReadRef<'data>>) -> Result<(), Refusal> {
    let format = object.format();
    if format != BinaryFormat::native_object() {
        let detail = format!("it is a {format:?} file, this host needs {:?}", BinaryFormat::native_object());
        return Err(Refusal::new(RefusalCode::WrongArch, detail));
    }
    let native = architecture_of(std::env::consts::ARCH);
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

/// What the first word of a target triple stands for. `None` for processors that this host does not know by name: then
/// the loader has to tell.
fn architecture_of(name: &str) -> Option<Architecture> {
    match name {
        "x86_64" => Some(Architecture::X86_64),
        "aarch64" | "arm64" => Some(Architecture::Aarch64),
        "riscv64" | "riscv64gc" => Some(Architecture::Riscv64),
        "x86" | "i586" | "i686" => Some(Architecture::I386),
        "arm" | "armv7" => Some(Architecture::Arm),
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
        let alignment = segment.align().max(1);
        let aligned = alignment.is_power_of_two() && start.wrapping_sub(address).is_multiple_of(alignment);
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
fn manifest_text<'data>(
    object: &impl Object<'data>,
    data: impl ReadRef<'data>,
) -> Result<&'data [u8], Refusal> {
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
    let is_loaded = |segment: &_| segment_range(segment).contains(&address);
    if !object.segments().any(|segment| is_loaded(&segment)) {
        let detail = "its manifest is not in the part of the file that is loaded";
        return Err(Refusal::new(RefusalCode::BadManifest, detail));
    }
    let holds = |section: &_| section_range(section).contains(&address);
    let section = object.sections().find(holds).ok_or_else(bad)?;
    let (start, size) = section.file_range().ok_or_else(bad)?;
    let skipped = address - section.address();
    let available = size.saturating_sub(skipped).min(MAX_MANIFEST);
    let bytes = data.read_bytes_at(start.saturating_add(skipped), available).map_err(|()| bad())?;
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

fn section_range<'data>(section: &impl ObjectSection<'data>) -> Range<u64> {
    section.address()..section.address().saturating_add(section.size())
}

/// What of a segment comes from the file.
fn segment_range<'data>(segment: &impl ObjectSegment<'data>) -> Range<u64> {
    let (_, size) = segment.file_range();
    segment.address()..segment.address().saturating_add(size)
}

/// Data with an end to how much of it is looked at: what is read of a file is kept in memory.
pub(crate) struct Source<R> {
    data: R,
    left: Cell<u64>,
}

impl<R> Source<R> {
    pub(crate) fn new(data: R) -> Self {
        Self { data, left: Cell::new(MAX_READ) }
    }

    fn take(&self, size: u64) -> Result<(), ()> {
        self.left.set(self.left.get().checked_sub(size).ok_or(())?);
        Ok(())
    }
}

impl<'data, R: ReadRef<'data>> ReadRef<'data> for &'data Source<R> {
    fn len(self) -> Result<u64, ()> {
        self.data.len()
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'data [u8], ()> {
        self.take(size)?;
        self.data.read_bytes_at(offset, size)
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'data [u8], ()> {
        let end = range.end.min(range.start.saturating_add(MAX_STRING));
        let bytes = self.data.read_bytes_at_until(range.start..end, delimiter)?;
        self.take(64 + bytes.len() as u64)?; // and what it costs to keep it
        Ok(bytes)
    }
}
