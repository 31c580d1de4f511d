//! The host: knows directories, finds plugins in them, opens backends.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use f9_plugin_abi::{PluginModuleRef, RStr};
use f9_plugin_api::{Error, ErrorKind, Result, boundary::text_from_abi, check_options};
use serde_json::Value;

use crate::{
    Backend, CancelToken, Connection, Diagnosis, Manifest, PluginDir, PluginFile, PluginName, Progress,
    Refusal, RefusalCode, connection::is_reference, discovery, home, library::Library, load, policy::Policy,
    services::Services,
};

/// Finds plugins and opens backends with them. Cheap to clone; a plugin is loaded once per host, when it is first needed.
#[derive(Debug, Clone)]
pub struct Host {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    dirs: Vec<PathBuf>,
    policy: Policy,
    services: Services,
    loaded: Mutex<HashMap<PluginName, Plugin>>,
}

impl Host {
    /// A host that searches the default directories: see [`HostBuilder`].
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// To say where plugins are, and what to do with logs, progress and cancellation.
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// Opens the backend that a connection names: a [`Connection`], or JSON as text or as a value.
    ///
    /// # Errors
    ///
    /// [`InvalidConnection`](ErrorKind::InvalidConnection) with the key that is wrong;
    /// [`PluginNotFound`](ErrorKind::PluginNotFound) with every directory that was searched;
    /// [`PluginRefused`](ErrorKind::PluginRefused) with the reason; or what the plugin answers.
    pub fn open(&self, connection: impl TryInto<Connection, Error: Into<Error>>) -> Result<Backend> {
        let connection = connection.try_into().map_err(Into::into)?;
        self.plugin(connection.backend())?.open(&connection)
    }

    /// Finds and loads a plugin.
    ///
    /// # Errors
    ///
    /// [`PluginNotFound`](ErrorKind::PluginNotFound) or [`PluginRefused`](ErrorKind::PluginRefused).
    pub fn plugin(&self, name: &PluginName) -> Result<Plugin> {
        let mut loaded = self.shared.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plugin) = loaded.get(name) {
            return Ok(plugin.clone());
        }
        let files = discovery::find(name, &self.shared.dirs);
        let Some(path) = files.first() else {
            return Err(discovery::not_found(name, &self.shared.dirs));
        };
        let library = self
            .shared
            .policy
            .now()
            .open(path, name)
            .map_err(|refusal| discovery::refused(name, &files, &refusal))?;
        let plugin = Plugin::load(library, self.shared.services.clone())
            .map_err(|refusal| discovery::refused(name, &files, &refusal))?;
        loaded.insert(name.clone(), plugin.clone());
        Ok(plugin)
    }

    /// Loads the plugin in this very file, wherever it is and whatever it is called.
    #[cfg(all(feature = "author-tools", unix))]
    pub(crate) fn load_file(&self, path: &std::path::Path, name: &PluginName) -> Result<Plugin, Refusal> {
        Plugin::load(Library::open(path, name)?, self.shared.services.clone())
    }

    /// Every file that is named like a plugin, usable or not, without running any.
    pub fn plugins(&self) -> Vec<PluginFile> {
        discovery::plugin_files(&self.shared.dirs, &self.shared.policy.now())
    }

    /// The directories that are searched, in order.
    pub fn plugin_dirs(&self) -> Vec<PluginDir> {
        discovery::inspect_dirs(&self.shared.dirs)
    }

    /// Why plugins are found or not, used or not: of this name, or of all. Runs none of them.
    pub fn diagnose(&self, name: Option<&PluginName>) -> Diagnosis {
        Diagnosis::new(&self.shared.dirs, &self.shared.policy.now(), name)
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

/// Builds a [`Host`].
///
/// Plugins are searched for in the directories that are named here, in that order, and then in the default ones: beside
/// the program (in a build tree of Cargo's, its `deps` first), `../lib/f9/plugins` from there, `f9/plugins` in the
/// user's data directory (`$XDG_DATA_HOME`, or `~/.local/share`), `/usr/local/lib/f9/plugins` and
/// `/usr/lib/f9/plugins`. The first file of a name is used. A plugin is native code that runs in this process: files
/// that others than the user and root can replace are refused ([`UnsafePermissions`](RefusalCode::UnsafePermissions)).
#[derive(Debug, Default)]
pub struct HostBuilder {
    dirs: Vec<PathBuf>,
    no_default_dirs: bool,
    policy: Policy,
    services: Services,
}

impl HostBuilder {
    /// Searches a directory, after those named before and ahead of the default ones. An empty path names none.
    #[must_use]
    pub fn plugin_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        // The system's loader would look for a path without a directory in places of its own.
        self.dirs.extend(std::path::absolute(dir.into()));
        self
    }

    /// Searches no other directories than the named ones.
    #[must_use]
    pub fn no_default_dirs(mut self) -> Self {
        self.no_default_dirs = true;
        self
    }

    /// Loads a plugin although others can replace its file ([`UnsafePermissions`](RefusalCode::UnsafePermissions)).
    #[must_use]
    pub fn allow_unsafe_permissions(mut self, name: PluginName) -> Self {
        self.policy.unsafe_permissions.insert(name);
        self
    }

    /// Loads only what a [`PluginLock`](crate::PluginLock) holds. The file is read whenever a plugin is looked for; while
    /// there is none, nothing is loaded.
    #[must_use]
    pub fn lock_file(mut self, file: impl Into<PathBuf>) -> Self {
        let file = file.into();
        self.policy.lock = Some(std::path::absolute(&file).unwrap_or(file));
        self
    }

    /// Sends the log records of plugins, up to `level`, to `sink` instead of this program's `log`. A library has one
    /// logger for its lifetime: the first host in the process to open one of its backends decides.
    ///
    /// Records keep their targets, such as `f9_backend_git::conflicts` or that of a dependency: `sink` can tell by
    /// [`target`](log::Record::target) which it wants. The secrets of connections are hidden in them.
    #[must_use]
    pub fn on_log(
        mut self,
        level: log::LevelFilter,
        sink: impl Fn(&log::Record<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.services.log = Some((level, Arc::new(sink)));
        self
    }

    /// Is told how far long operations have come, from whichever thread they run on.
    #[must_use]
    pub fn on_progress(mut self, sink: impl Fn(Progress<'_>) + Send + Sync + 'static) -> Self {
        self.services.progress = Some(Arc::new(sink));
        self
    }

    /// Lets `token` end the long operations of all backends that this host opens.
    #[must_use]
    pub fn cancel_token(mut self, token: CancelToken) -> Self {
        self.services.cancel = token;
        self
    }

    /// The host. Nothing is read or loaded yet.
    pub fn build(self) -> Host {
        let mut dirs = self.dirs;
        if !self.no_default_dirs {
            dirs.extend(discovery::default_dirs());
        }
        Host {
            shared: Arc::new(Shared {
                dirs,
                policy: self.policy,
                services: self.services,
                loaded: Mutex::default(),
            }),
        }
    }
}

/// A plugin that is loaded. It stays so until the process ends.
#[derive(Clone)]
pub struct Plugin {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    manifest: Manifest,
    module: PluginModuleRef,
    services: Services,
}

impl Plugin {
    fn load(library: Library, services: Services) -> Result<Self, Refusal> {
        let (path, manifest) = (library.path.clone(), library.manifest.clone());
        let module = load::load(library)?;
        let says = serde_json::from_slice::<Manifest>(module.manifest().as_rslice().as_slice());
        if says.ok().as_ref() != Some(&manifest) {
            let detail = "the manifest of the loaded library is not the one in its file";
            return Err(Refusal::new(RefusalCode::InitFailed, detail));
        }
        Ok(Self { inner: Arc::new(Inner { path, manifest, module, services }) })
    }

    /// The file it was loaded from.
    pub fn path(&self) -> &std::path::Path {
        &self.inner.path
    }

    /// What it says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.inner.manifest
    }

    /// What ends the operations of its backends.
    pub(crate) fn cancel_token(&self) -> &CancelToken {
        &self.inner.services.cancel
    }

    /// The JSON Schema of its options; secrets are marked `writeOnly`.
    ///
    /// # Errors
    ///
    /// [`Panicked`](ErrorKind::Panicked) if the plugin fails to produce it.
    pub fn schema(&self) -> Result<Value> {
        let text = (self.inner.module.options_schema())().into_result()?;
        serde_json::from_str(&text_from_abi(text.as_rstr())).map_err(|cause| {
            Error::new(ErrorKind::Other, format!("the plugin's schema is not JSON: {cause}"))
        })
    }

    /// Checks a connection against the [schema](Self::schema), without opening anything or looking up what it refers to.
    ///
    /// # Errors
    ///
    /// [`InvalidConnection`](ErrorKind::InvalidConnection) for a key that is unknown, missing, or of the wrong type, and for
    /// a secret in a file that others can read; as [`schema`](Self::schema).
    pub fn check(&self, connection: &Connection) -> Result<()> {
        connection.check_references()?;
        let schema = self.schema()?;
        connection.check_exposure(&schema)?;
        check_options(connection.options(), &schema, is_reference)?;
        home::check_paths(connection.options(), &schema)
    }

    /// Opens a backend. The connection's `backend` is not looked at.
    ///
    /// # Errors
    ///
    /// What the plugin answers: [`InvalidConnection`](ErrorKind::InvalidConnection) for wrong options.
    pub fn open(&self, connection: &Connection) -> Result<Backend> {
        let mut options = connection.resolved_options(|| self.schema())?;
        home::expand_paths(&mut options, || self.schema())?;
        let options = Value::Object(options).to_string();
        let object = (self.inner.module.open())(RStr::from_str(&options), self.inner.services.object());
        Ok(Backend::new(object.into_result()?, self.clone()))
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("manifest", self.manifest()).field("path", &self.inner.path).finish()
    }
}
