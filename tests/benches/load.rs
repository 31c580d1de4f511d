//! What loading a plugin costs, against the system's loader alone: `cargo bench -p f9-benches --bench load`.
//!
//! *Cold* is the first load in a new process, of a file that is not in memory; *first* the same of a file that is; *again*
//! another host in a process that has loaded the library already. The peer does what no host can do without: `dlopen` with
//! all symbols bound. Prints medians.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use f9_host::{Host, PluginName};
use f9_tests::plugin_dir;
use rustix::fs::{Advice, fadvise};
use tempfile::TempDir;

const ROUNDS: usize = 31;

fn main() {
    let arguments: Vec<_> = env::args().collect();
    if let [_, mode, file, name] = &arguments[..] {
        return child(mode, Path::new(file), name);
    }
    println!(
        "{:<8} {:>9} {:>10} {:>10} {:>11} {:>7} {:>10}",
        "", "size (KB)", "cold (ms)", "first (ms)", "dlopen (ms)", "ratio", "again (ms)"
    );
    for name in ["local", "git", "openai"] {
        row(name);
    }
}

fn row(name: &str) {
    // A copy of its own, which nobody else has in memory.
    let dir = TempDir::new_in(plugin_dir()).unwrap();
    let built = plugin_dir().join(file_name(name));
    let file = dir.path().join(file_name(name));
    fs::copy(&built, &file).unwrap();
    fs::File::open(&file).unwrap().sync_all().unwrap();
    let cold = median(|| {
        forget(&file);
        measure("load", &file, name)
    });
    let first = median(|| measure("load", &file, name));
    let peer = median(|| measure("dlopen", &file, name));
    let again = median(|| measure("again", &file, name));
    println!(
        "{name:<8} {:>9} {:>10.2} {:>10.2} {:>11.2} {:>7.2} {:>10.2}",
        file.metadata().unwrap().len() / 1000,
        millis(cold),
        millis(first),
        millis(peer),
        first.as_secs_f64() / peer.as_secs_f64(),
        millis(again),
    );
}

fn file_name(name: &str) -> String {
    format!("{}f9_backend_{name}{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX)
}

/// Takes a file out of the system's memory. Written to disk before, and used by nobody, it has no reason to stay there.
fn forget(file: &Path) {
    fadvise(fs::File::open(file).unwrap(), 0, None, Advice::DontNeed).unwrap();
}

/// Measures in a process of its own.
fn measure(mode: &str, file: &Path, name: &str) -> Duration {
    let output = Command::new(env::current_exe().unwrap()).args([mode]).arg(file).arg(name).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Duration::from_nanos(String::from_utf8_lossy(&output.stdout).trim().parse().unwrap())
}

fn child(mode: &str, file: &Path, name: &str) {
    let name: PluginName = name.parse().unwrap();
    let dir: PathBuf = file.parent().unwrap().to_owned();
    let load = || {
        let began = Instant::now();
        let host = Host::builder().no_default_dirs().plugin_dir(&dir).build();
        host.plugin(&name).unwrap();
        began.elapsed()
    };
    let took = match mode {
        "load" => load(),
        "again" => {
            load();
            load()
        }
        "dlopen" => {
            use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
            let began = Instant::now();
            // SAFETY: this project's own library, whose initialisers do nothing. It is never unloaded.
            let library = unsafe { Library::open(Some(file), RTLD_NOW | RTLD_LOCAL) }.unwrap();
            let took = began.elapsed();
            std::mem::forget(library);
            took
        }
        other => panic!("{other}"),
    };
    println!("{}", took.as_nanos());
}

fn median(mut measure: impl FnMut() -> Duration) -> Duration {
    let mut times: Vec<_> = (0..ROUNDS).map(|_| measure()).collect();
    times.sort();
    times[ROUNDS / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
