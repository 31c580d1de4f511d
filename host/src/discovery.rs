//! Where plugins are looked for, and what is found there.

use std::{
    collections::{BTreeMap, BTreeSet},
    env::consts::{DLL_PREFIX, DLL_SUFFIX},
    path::{Path, PathBuf},
};

use f9_plugin_api::{Error, ErrorKind, nearest};
use serde::{Serialize, Serializer};

use crate::{Manifest, PluginName, Refusal, RefusalCode, permissions, policy::Gate};

/// A directory that is searched for plugins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PluginDir {
    /// Where it is.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// Why it cannot be searched, if it cannot ("no such file or directory").
    pub problem: Option<String>,
    /// Why what is found in it is not used, if its permissions are [unsafe](RefusalCode::UnsafePermissions).
    pub refusal: Option<Refusal>,
}

/// A file that is named like a plugin, and what is known of it without running it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PluginFile {
    /// The plugin's name, as the file's name tells.
    pub name: String,
    /// The file.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// What it says of itself, if it is usable.
    pub manifest: Option<Manifest>,
    /// Why it is not used, if it is not.
    pub refusal: Option<Refusal>,
}

/// JSON is Unicode, paths need not be: what is not is replaced.
pub(crate) fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// The file's name of a plugin: `libf9_backend_git.so` on Linux.
pub(crate) fn file_name(name: &PluginName) -> String {
    format!("{DLL_PREFIX}f9_backend_{name}{DLL_SUFFIX}")
}

/// The plugin's name, if a file is called as a plugin's.
pub(crate) fn name_of_file(file_name: &str) -> Option<PluginName> {
    let name = file_name.strip_prefix(DLL_PREFIX)?.strip_prefix("f9_backend_")?.strip_suffix(DLL_SUFFIX)?;
    name.parse().ok()
}

/// The directories that are searched after the named ones: beside the program, then the installation's, the user's, and
/// the system's.
pub(crate) fn default_dirs() -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    let program = std::env::current_exe().ok();
    if let Some(beside) = program.as_deref().and_then(Path::parent) {
        dirs.extend(build_dirs(beside));
        if let Some(prefix) = beside.parent() {
            dirs.push(prefix.join("lib/f9/plugins"));
        }
    }
    // A relative one would let whoever fills the working directory say which code is run.
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
    let data = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
    dirs.extend(data.map(|data| data.join("f9/plugins")));
    if cfg!(unix) {
        dirs.extend(["/usr/local/lib/f9/plugins", "/usr/lib/f9/plugins"].map(PathBuf::from));
    }
    let mut seen = std::collections::HashSet::new();
    dirs.retain(|dir| seen.insert(dir.clone()));
    dirs
}

/// Beside the program; in a tree of Cargo's, first `deps`, where the newest build of every library is: `cargo test` does
/// not refresh the copies beside programs.
fn build_dirs(beside: &Path) -> Vec<PathBuf> {
    let parent = beside.parent().filter(|_| beside.ends_with("examples"));
    let candidates = [Some(beside.join("deps")), parent.map(|parent| parent.join("deps"))];
    let deps = candidates.into_iter().flatten().filter(|dir| dir.is_dir());
    deps.chain([beside.to_owned()]).collect()
}

/// Looks into the directories, in order.
pub(crate) fn inspect_dirs(dirs: &[PathBuf]) -> Vec<PluginDir> {
    let problem = |path: &Path| match std::fs::read_dir(path) {
        Ok(_) => None,
        Err(error) => Some(Error::from(error).message().to_lowercase()),
    };
    let look = |path: &PathBuf| {
        let problem = problem(path);
        let refusal = problem.is_none().then(|| permissions::check_dir(path).err()).flatten();
        PluginDir { path: path.clone(), problem, refusal }
    };
    dirs.iter().map(look).collect()
}

/// Every file that is named like a plugin, ordered by name and then by directory. Of each name the first is used.
pub(crate) fn plugin_files(dirs: &[PathBuf], gate: &Gate<'_>) -> Vec<PluginFile> {
    let mut by_name = BTreeMap::<PluginName, Vec<PathBuf>>::new();
    for dir in dirs {
        for name in names_in(dir) {
            let path = dir.join(file_name(&name));
            by_name.entry(name).or_default().push(path);
        }
    }
    let of_one_name = |(name, paths)| inspect_files(&name, &without_links_to_first(paths), gate);
    by_name.into_iter().flat_map(of_one_name).collect()
}

fn names_in(dir: &Path) -> Vec<PluginName> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| name_of_file(entry.file_name().to_str()?)).collect()
}

/// Files that somebody may have meant as plugins, but named so that they are not looked for.
pub(crate) fn misnamed_files(dirs: &[PathBuf]) -> Vec<PluginFile> {
    let misnamed = |entry: std::fs::DirEntry| {
        let file_name = entry.file_name();
        let name = meant_name(file_name.to_str()?)?;
        let detail = format!("a plugin's file is named {}", self::file_name(&name));
        let refusal = Refusal::new(RefusalCode::Misnamed, detail)
            .with_remedy(format!("if it is a plugin, rename it to {}", self::file_name(&name)));
        Some(PluginFile {
            name: name.to_string(),
            path: entry.path(),
            manifest: None,
            refusal: Some(refusal),
        })
    };
    let entries = dirs.iter().flat_map(|dir| std::fs::read_dir(dir).into_iter().flatten().flatten());
    let mut files: Vec<_> = entries.filter_map(misnamed).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The name of the plugin that a file with a wrong name may have been meant to hold: `f9_backend_git.so`,
/// `libf9-backend-git.so`, `libf9_backend_Git.so`, `libf9_backend_git.so.1`.
fn meant_name(file_name: &str) -> Option<PluginName> {
    if name_of_file(file_name).is_some() {
        return None;
    }
    let lower = file_name.to_ascii_lowercase();
    let (stem, extension) = lower.split_once('.')?;
    if !matches!(extension.split('.').next(), Some("so" | "dylib" | "dll")) {
        return None;
    }
    // Cargo keeps what it built under the name and 16 digits, too.
    let of_cargo = |digits: &str| digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if stem.rsplit_once('-').is_some_and(|(_, digits)| of_cargo(digits)) {
        return None;
    }
    let stem = stem.replace('-', "_");
    stem.strip_prefix("lib").unwrap_or(&stem).strip_prefix("f9_backend_")?.parse().ok()
}

/// What is known of the files of one name, in order.
pub(crate) fn inspect_files(name: &PluginName, paths: &[PathBuf], gate: &Gate<'_>) -> Vec<PluginFile> {
    let inspect = |(i, path): (usize, &PathBuf)| {
        let inspected = match i {
            0 => gate.open(path, name).map(|library| library.manifest),
            _ => Err(Refusal::new(RefusalCode::Shadowed, format!("{} comes first", paths[0].display()))),
        };
        let (manifest, refusal) = match inspected {
            Ok(manifest) => (Some(manifest), None),
            Err(refusal) => (None, Some(refusal)),
        };
        PluginFile { name: name.to_string(), path: path.clone(), manifest, refusal }
    };
    paths.iter().enumerate().map(inspect).collect()
}

/// The files of this name, in the order of the directories.
pub(crate) fn find(name: &PluginName, dirs: &[PathBuf]) -> Vec<PathBuf> {
    let file_name = file_name(name);
    // `symlink_metadata`: a link to nowhere is a candidate too, and is told of.
    let files = dirs.iter().map(|dir| dir.join(&file_name));
    without_links_to_first(files.filter(|path| path.symlink_metadata().is_ok()).collect())
}

/// Without later names of the file that is used: in a tree of Cargo's every library has two.
fn without_links_to_first(mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    let first = paths.first().and_then(|path| file_id(path));
    let mut is_first = true;
    paths.retain(|path| std::mem::take(&mut is_first) || first.is_none() || file_id(path) != first);
    paths
}

/// What two paths to one file have in common.
#[cfg(unix)]
fn file_id(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;

    path.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn file_id(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok()
}

/// The names for which there is a file.
pub(crate) fn names(dirs: &[PathBuf]) -> BTreeSet<PluginName> {
    dirs.iter().flat_map(|dir| names_in(dir)).collect()
}

/// There is no file of this name: says where it was looked for and what there is instead.
pub(crate) fn not_found(name: &PluginName, dirs: &[PathBuf]) -> Error {
    let searched: Vec<_> = inspect_dirs(dirs)
        .into_iter()
        .map(|dir| match dir.problem {
            None => dir.path.display().to_string(),
            Some(problem) => format!("{} ({problem})", dir.path.display()),
        })
        .collect();
    let present = names(dirs);
    let present: Vec<_> = present.iter().map(PluginName::as_str).collect();
    let message = format!(
        "no plugin `{name}`: there is no {} in {}; present: {}",
        file_name(name),
        if searched.is_empty() {
            "any directory, because none is searched".to_owned()
        } else {
            searched.join(", ")
        },
        if present.is_empty() { "none".to_owned() } else { present.join(", ") },
    );
    let hint = match nearest(name.as_str(), present.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "build it (`cargo build`), or name its directory (`--plugin-dir`, `HostBuilder::plugin_dir`)"
            .to_owned(),
    };
    Error::new(ErrorKind::PluginNotFound, message).hint(hint)
}

/// The first file of this name cannot be used.
pub(crate) fn refused(name: &PluginName, files: &[PathBuf], refusal: &Refusal) -> Error {
    let path = files.first().map(|path| path.display().to_string()).unwrap_or_default();
    let mut message = format!("plugin `{name}` is not usable: {path}: {}", refusal.detail);
    for shadowed in files.iter().skip(1) {
        message.push_str(&format!("; not tried, because it comes later: {}", shadowed.display()));
    }
    Error::new(ErrorKind::PluginRefused, message).with("reason", refusal.code.as_str()).hint(&refusal.remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_is_understood_and_cargos_own_files_are_left_alone() {
        let wrong = ["f9_backend_git", "libf9-backend-git", "libF9_backend_Git", "f9-backend-git"];
        for (prefix, extension) in
            wrong.into_iter().flat_map(|prefix| ["so.1", "so.bak"].map(|e| (prefix, e)))
        {
            let meant = meant_name(&format!("{prefix}.{extension}"));
            assert_eq!(meant.as_ref().map(PluginName::as_str), Some("git"), "{prefix}.{extension}");
        }
        for other in [
            "libgit2.so",
            "f9_backend_git.d",
            "f9_backend_git-0123456789abcdef.so",
            "readme",
            "f9_backend_.so",
        ] {
            assert_eq!(meant_name(other), None, "{other}");
        }
        assert_eq!(meant_name(&file_name(&"git".parse().unwrap())), None);
    }
}
