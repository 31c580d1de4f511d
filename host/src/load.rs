//! Loading a library: the host's one address of `unsafe`.

use std::{ffi::CString, path::PathBuf};

use f9_plugin_abi::{AbiHeaderRef, Incompatible, PluginModuleRef, ROOT_MODULE_LOADER_NAME, check_compatible};

use crate::{Refusal, RefusalCode, library::Library};

/// Loads a library for good and hands out its root module.
///
/// It is never unloaded: threads, thread-locals and `'static` data of a plugin may be in use at any time.
pub(crate) fn load(library: Library) -> Result<PluginModuleRef, Refusal> {
    let (handle, path) = open(library)?;
    let symbol = CString::new(ROOT_MODULE_LOADER_NAME).unwrap_or_default();
    // SAFETY: the symbol, where there is one, is abi_stable's header. Only its magic and its version are read before
    // `check_compatible` has compared both with its own.
    let header = unsafe { handle.get::<AbiHeaderRef>(symbol) }.map(|symbol| *symbol);
    std::mem::forget(handle);
    let header = header.map_err(|_| {
        Refusal::new(
            RefusalCode::InitFailed,
            "it has a manifest, but not the entry that `export_plugin!` makes",
        )
    })?;
    let header = check_compatible(header).map_err(|error| {
        if let Incompatible::Layout { full, .. } = &error {
            log::debug!("{}: {full}", path.display());
        }
        let code = match &error {
            Incompatible::Major(_) => RefusalCode::AbiMajor,
            _ => RefusalCode::InitFailed,
        };
        Refusal::new(code, error.to_string())
    })?;
    // SAFETY: the line above has compared the layout of everything that is reached through the module.
    let module = unsafe { header.unchecked_layout::<PluginModuleRef>() };
    module.map_err(|error| {
        let text = error.to_string();
        let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Refusal::new(RefusalCode::InitFailed, format!("its entry failed: {one_line}"))
    })
}

#[cfg(unix)]
fn open(library: Library) -> Result<(libloading::os::unix::Library, PathBuf), Refusal> {
    use libloading::os::unix::{Library as Handle, RTLD_LOCAL, RTLD_NOW};

    let Library { path, file, .. } = library;
    let file = shared::descriptor(file).map_err(Refusal::unreadable)?;
    let target = descriptor_path(file.file()).unwrap_or_else(|| path.clone());
    // SAFETY: this runs the library's initialisers. The directories it may come from are the embedder's choice, and the
    // file was checked to be a complete library with an f9 manifest.
    let handle = unsafe { Handle::open(Some(&target), RTLD_NOW | RTLD_LOCAL) }
        .map_err(|error| Refusal::new(RefusalCode::LoadFailed, loader_text(&error, &target)))?;
    file.keep();
    Ok((handle, path))
}

/// The descriptors that libraries were loaded by: one for each file in the process, however many hosts load it.
///
/// glibc knows libraries by path: were a descriptor closed and its number used again, loading the next file by that number
/// would give back this one. So it stays open, which also keeps the file's number from being given to another one.
#[cfg(unix)]
mod shared {
    use std::{
        collections::BTreeMap,
        fs::File,
        io,
        os::unix::fs::MetadataExt,
        sync::{Arc, Mutex, PoisonError},
    };

    /// Device and inode: the loader takes what has both in common for the same library.
    type Id = (u64, u64);

    static OPEN: Mutex<BTreeMap<Id, Arc<File>>> = Mutex::new(BTreeMap::new());

    /// An open file that others may load as well. Dropped, it is closed if nobody has.
    pub(super) struct Descriptor {
        id: Id,
        file: Arc<File>,
    }

    /// The descriptor of this very file that there is already, or this one.
    pub(super) fn descriptor(file: File) -> io::Result<Descriptor> {
        let found = file.metadata()?;
        let id = (found.dev(), found.ino());
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let file = Arc::clone(open.entry(id).or_insert_with(|| Arc::new(file)));
        Ok(Descriptor { id, file })
    }

    impl Descriptor {
        pub(super) fn file(&self) -> &File {
            &self.file
        }

        /// The library is loaded: its descriptor stays open for good.
        pub(super) fn keep(self) {
            std::mem::forget(self);
        }
    }

    impl Drop for Descriptor {
        fn drop(&mut self) {
            let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
            // One that has been kept counts for ever.
            if Arc::strong_count(&self.file) == 2 {
                open.remove(&self.id);
            }
        }
    }
}

/// A path to the very file that was checked, where the system has such paths.
#[cfg(unix)]
fn descriptor_path(file: &std::fs::File) -> Option<PathBuf> {
    use std::os::fd::AsRawFd;

    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    (cfg!(target_os = "linux") && path.exists()).then_some(path)
}

#[cfg(unix)]
fn loader_text(error: &libloading::Error, target: &std::path::Path) -> String {
    let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    let text = cause.replace(&format!("{}: ", target.display()), "");
    format!("the system's loader refused it: {}", text.trim())
}

#[cfg(windows)]
fn open(library: Library) -> Result<(libloading::Library, PathBuf), Refusal> {
    // SAFETY: as on Unix. The open handle keeps the file from being replaced meanwhile.
    let handle = unsafe { libloading::Library::new(&library.path) }.map_err(|error| {
        Refusal::new(RefusalCode::LoadFailed, format!("the system's loader refused it: {error}"))
    })?;
    Ok((handle, library.path))
}
