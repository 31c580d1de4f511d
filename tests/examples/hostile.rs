//! A library that looks like a plugin and does to its host whatever a test wrote into its file, at `F9-HOSTILE-MODE=`.
//!
//! It speaks the boundary without the SDK, whose guards would keep most of this from happening.

use std::{ffi::c_int, process, time::Duration};

use f9_plugin_abi::{
    AbiBackend, AbiBackend_TO, AbiBackendBox, AbiBuffer, AbiBuffer_TO, AbiBufferBox, AbiEntries,
    AbiEntries_TO, AbiEntriesBox, AbiError, AbiErrorKind, AbiFileInfo, AbiFileKind, AbiHostBox, AbiOptions,
    AbiPair, AbiRange, AbiReader, AbiReader_TO, AbiReaderBox, AbiReaderMut, AbiResult, AbiSearchBox,
    AbiSyncBox, AbiTime, AbiWriter, AbiWriter_TO, AbiWriterBox, PluginModule, PluginModuleRef, ROption,
    RResult, RSlice, RSliceMut, RStr, RString, RVec, TD_Opaque,
    abi_stable::{
        library::{__call_root_module_loader, CheckTypeLayout, LibHeader, RootModuleResult},
        prefix_type::PrefixTypeTrait,
    },
};
use f9_plugin_api::{__private::ManifestParts, Capabilities};

#[unsafe(no_mangle)]
static F9_HOSTILE_MODE: [u8; 48] =
    *b"F9-HOSTILE-MODE=\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// Whether the file says so.
fn is(mode: &str) -> bool {
    // SAFETY: a static of this library. Volatile, because what the compiler knows of it is not what the file says.
    let written = unsafe { (&raw const F9_HOSTILE_MODE).read_volatile() };
    written[16..].split(|&byte| byte == 0).next() == Some(mode.as_bytes())
}

const PARTS: ManifestParts = ManifestParts {
    name: "hostile",
    version: "6.6.6",
    description: "Means harm",
    capabilities: Capabilities::OPEN_WRITE.bits(),
};

const MANIFEST: [u8; PARTS.len() + 1] = PARTS.to_bytes();

/// The manifest, and after its NUL more than any host reads.
#[unsafe(export_name = "f9_plugin_manifest")]
static PADDED_MANIFEST: [u8; 128 << 10] = {
    let mut padded = [b' '; 128 << 10];
    let mut i = 0;
    while i < MANIFEST.len() {
        padded[i] = MANIFEST[i];
        i += 1;
    }
    padded
};

#[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
static ROOT_MODULE: LibHeader =
    // SAFETY: what is behind it is a `PluginModuleRef`.
    unsafe { LibHeader::from_constructor::<PluginModuleRef>(root_module, CheckTypeLayout::Yes) };

extern "C" fn root_module() -> RootModuleResult {
    __call_root_module_loader(|| {
        assert!(!is("entry_panics"), "no entry");
        harm("entry");
        let text = if is("manifest_lies") {
            "{}"
        } else {
            std::str::from_utf8(MANIFEST.strip_suffix(b"\0").unwrap()).unwrap()
        };
        PluginModule { manifest: RStr::from_str(text), options_schema, open }.leak_into_prefix()
    })
}

/// Runs before anything of the library is asked for.
#[used]
#[unsafe(link_section = ".init_array")]
static ON_LOAD: extern "C" fn() = {
    extern "C" fn on_load() {
        harm("load");
    }
    on_load
};

unsafe extern "C" {
    fn signal(number: c_int, handler: usize) -> usize;
    fn raise(number: c_int) -> c_int;
    fn atexit(handler: extern "C" fn()) -> c_int;
    fn close(descriptor: c_int) -> c_int;
}

const SIGINT: c_int = 2;
const SIGKILL: c_int = 9;
const SIG_IGN: usize = 1;

/// What ends or changes the process at this moment.
fn harm(moment: &str) {
    let does = |what: &str| is(&format!("{moment}_{what}"));
    if does("aborts") {
        process::abort();
    }
    if does("exits") {
        process::exit(0);
    }
    if does("loops") {
        loop {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    if does("overflows") {
        overflow(&mut [0; 1 << 10]);
    }
    if does("prints") {
        println!("out of the plugin");
    }
    if does("moves") {
        std::env::set_current_dir("/").unwrap();
    }
    // SAFETY: functions of C's library, called as it says.
    unsafe {
        if does("segfaults") {
            // Not `raise`: what std does about a stack overflow would swallow it.
            std::ptr::without_provenance_mut::<u8>(16).write_volatile(1);
        }
        if does("kills") {
            raise(SIGKILL);
        }
        if does("ignores_ctrl_c") {
            signal(SIGINT, SIG_IGN);
        }
        if does("closes_stdout") {
            close(1);
        }
        if does("aborts_at_exit") {
            extern "C" fn at_exit() {
                process::abort();
            }
            atexit(at_exit);
        }
    }
    if does("panics_in_a_thread") {
        drop(std::thread::spawn(|| panic!("nobody joins this thread")).join());
    }
}

#[allow(unconditional_recursion, reason = "this is what it is for")]
fn overflow(room: &mut [u8; 1 << 10]) {
    let mut deeper = *std::hint::black_box(room);
    overflow(&mut deeper);
    std::hint::black_box(&mut deeper);
}

extern "C" fn options_schema() -> AbiResult<RString> {
    harm("schema");
    RResult::ROk(match () {
        () if is("schema_is_no_json") => "no schema".into(),
        () if is("schema_is_deep") => "[".repeat(1 << 20).into(),
        () if is("schema_is_no_utf8") => no_utf8(),
        () => "{}".into(),
    })
}

extern "C" fn open(_: RStr<'_>, host: AbiHostBox) -> AbiResult<AbiBackendBox> {
    harm("open");
    if is("log_is_no_utf8") {
        let text = no_utf8();
        host.log(1, text.as_rstr(), text.as_rstr());
    }
    if is("open_fails_at_length") {
        return RResult::RErr(AbiError::new(AbiErrorKind::OTHER, "x".repeat(8 << 20)));
    }
    RResult::ROk(AbiBackend_TO::from_value(Backend, TD_Opaque))
}

/// Text that is none.
fn no_utf8() -> RString {
    // SAFETY: it is not, and whoever receives it must look.
    unsafe { RString::from_utf8_unchecked(b"\xff\xfe{}".to_vec().into()) }
}

struct Backend;

impl Drop for Backend {
    fn drop(&mut self) {
        harm("drop");
    }
}

fn info(path: RStr<'_>) -> AbiFileInfo {
    AbiFileInfo {
        path: path.into(),
        kind: AbiFileKind::FILE,
        size: 3,
        created_at: ROption::RNone,
        modified_at: ROption::RNone,
        attributes: RVec::new(),
    }
}

fn error() -> AbiError {
    let mut error = AbiError::new(AbiErrorKind::OTHER, "it does not work");
    if is("error_is_no_utf8") {
        error.message = no_utf8();
        error.path = ROption::RSome(no_utf8());
        error.hint = ROption::RSome(no_utf8());
        error.causes.push(no_utf8());
        error.context.push(AbiPair { name: no_utf8(), value: no_utf8() });
    }
    if is("error_has_many_causes") {
        error.causes = (0..1 << 20).map(|i: u32| RString::from(i.to_string())).collect();
    }
    if is("error_is_of_no_kind") {
        error.kind = AbiErrorKind(54321);
    }
    error
}

impl AbiBackend for Backend {
    fn capabilities(&self) -> u64 {
        harm("capabilities");
        if is("capabilities_are_all") { u64::MAX } else { Capabilities::OPEN_WRITE.bits() }
    }

    fn create(&self, path: RStr<'_>, _: RSlice<'_, u8>, _: AbiOptions<'_>) -> AbiResult<AbiFileInfo> {
        harm("create");
        RResult::ROk(info(path))
    }

    fn create_from(
        &self,
        path: RStr<'_>,
        mut content: AbiReaderMut<'_>,
        _: AbiOptions<'_>,
    ) -> AbiResult<AbiFileInfo> {
        // A buffer without room, and one that is not looked at.
        drop(content.read(RSliceMut::from_mut_slice(&mut [])));
        drop(content.read(RSliceMut::from_mut_slice(&mut [0; 16])));
        RResult::ROk(info(path))
    }

    fn create_dir(&self, path: RStr<'_>, _: AbiOptions<'_>) -> AbiResult<AbiFileInfo> {
        RResult::ROk(info(path))
    }

    fn read(&self, _: RStr<'_>) -> AbiResult<AbiBufferBox> {
        harm("read");
        RResult::ROk(AbiBuffer_TO::from_value(Buffer, TD_Opaque))
    }

    fn read_range(&self, path: RStr<'_>, _: AbiRange) -> AbiResult<AbiBufferBox> {
        self.read(path)
    }

    fn update(&self, path: RStr<'_>, _: RSlice<'_, u8>, _: AbiOptions<'_>) -> AbiResult<AbiFileInfo> {
        RResult::ROk(info(path))
    }

    fn update_from(&self, path: RStr<'_>, _: AbiReaderMut<'_>, _: AbiOptions<'_>) -> AbiResult<AbiFileInfo> {
        RResult::ROk(info(path))
    }

    fn delete(&self, _: RStr<'_>, _: AbiOptions<'_>) -> AbiResult<()> {
        RResult::RErr(error())
    }

    fn info(&self, path: RStr<'_>) -> AbiResult<AbiFileInfo> {
        let mut info = info(path);
        if is("path_leads_out") {
            info.path = "../../etc/passwd".into();
        }
        if is("path_is_no_utf8") {
            info.path = no_utf8();
        }
        if is("path_is_long") {
            info.path = "a/".repeat(4 << 20).into();
        }
        if is("attributes_are_no_utf8") {
            info.attributes.push(AbiPair { name: no_utf8(), value: no_utf8() });
        }
        if is("times_are_none") {
            info.created_at = ROption::RSome(AbiTime { secs: i64::MAX, nanos: u32::MAX });
            info.modified_at = ROption::RSome(AbiTime { secs: i64::MIN, nanos: u32::MAX });
        }
        if is("size_is_huge") {
            (info.size, info.kind) = (u64::MAX, AbiFileKind(777));
        }
        RResult::ROk(info)
    }

    fn list(&self, _: RStr<'_>, _: AbiOptions<'_>) -> AbiResult<AbiEntriesBox> {
        RResult::ROk(AbiEntries_TO::from_value(Entries, TD_Opaque))
    }

    fn open_read(&self, _: RStr<'_>, _: AbiRange) -> AbiResult<AbiReaderBox> {
        RResult::ROk(AbiReader_TO::from_value(Stream, TD_Opaque))
    }

    fn open_write(&self, _: RStr<'_>, _: AbiOptions<'_>) -> AbiResult<AbiWriterBox> {
        RResult::ROk(AbiWriter_TO::from_value(Stream, TD_Opaque))
    }

    fn copy(&self, _: RStr<'_>, to: RStr<'_>, _: AbiOptions<'_>) -> AbiResult<AbiFileInfo> {
        RResult::ROk(info(to))
    }

    fn rename(&self, _: RStr<'_>, to: RStr<'_>, _: AbiOptions<'_>) -> AbiResult<AbiFileInfo> {
        RResult::ROk(info(to))
    }

    fn checksum(&self, _: RStr<'_>, _: RStr<'_>) -> AbiResult<RString> {
        RResult::ROk(no_utf8())
    }

    fn command(&self, _: RStr<'_>, _: RStr<'_>) -> AbiResult<RString> {
        RResult::ROk(match () {
            () if is("answer_is_no_utf8") => no_utf8(),
            () if is("answer_is_deep") => "[".repeat(1 << 20).into(),
            () => "no JSON".into(),
        })
    }

    fn search(&self) -> ROption<AbiSearchBox> {
        ROption::RNone
    }

    fn sync(&self) -> ROption<AbiSyncBox> {
        ROption::RNone
    }
}

struct Buffer;

impl AbiBuffer for Buffer {
    fn as_slice(&self) -> RSlice<'_, u8> {
        let content = b"abc";
        if is("content_is_endless") {
            // SAFETY: it is not; a host that reads it dies, so that it has to look at the length first.
            return unsafe { RSlice::from_raw_parts(content.as_ptr(), usize::MAX) };
        }
        RSlice::from_slice(content)
    }
}

struct Stream;

impl AbiReader for Stream {
    fn read(&mut self, buffer: RSliceMut<'_, u8>) -> AbiResult<usize> {
        RResult::ROk(match () {
            () if is("count_is_one_too_many") => buffer.len() + 1,
            () if is("count_is_huge") => usize::MAX,
            () if is("reader_is_endless") => buffer.len(),
            () => 0,
        })
    }
}

impl AbiWriter for Stream {
    fn write(&mut self, bytes: RSlice<'_, u8>) -> AbiResult<usize> {
        RResult::ROk(match () {
            () if is("count_is_one_too_many") => bytes.len() + 1,
            () if is("count_is_huge") => usize::MAX,
            () if is("writer_takes_nothing") => 0,
            () => bytes.len(),
        })
    }

    fn commit(&mut self) -> AbiResult<AbiFileInfo> {
        RResult::ROk(info(RStr::from_str("x")))
    }
}

struct Entries;

impl AbiEntries for Entries {
    fn next_batch(&mut self, max: usize) -> AbiResult<RVec<RResult<AbiFileInfo, AbiError>>> {
        let count = if is("batch_is_too_long") { max * 10 } else { max };
        RResult::ROk((0..count).map(|_| RResult::ROk(info(RStr::from_str("x")))).collect())
    }
}
