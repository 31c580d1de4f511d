//! Which plugins are loaded, and why not: permissions, the lock, and what `f9 plugins` tells of both.

#![cfg(unix)]

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Output,
    sync::Mutex,
};

use f9_host::{
    ErrorKind, Host, HostBuilder, PluginLock, inspect,
    log::{self, LevelFilter},
};
use f9_tests::{example_dir, f9, text};
use serde_json::{Value, json};
use tempfile::TempDir;

const MEMORY: &str = "libf9_backend_memory.so";
const TARGET: &str = f9_plugin_api::boundary::TARGET;

/// A directory of plugins, and where the lock is.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        fs::create_dir(place.path("plugins")).unwrap();
        place.put("memory", "plugins/libf9_backend_memory.so");
        place
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.0.path().join(relative)
    }

    /// Puts an example there, as a file of its own.
    fn put(&self, example: &str, relative: &str) {
        let beside = self.path("beside");
        fs::copy(example_dir().join(format!("libf9_backend_{example}.so")), &beside).unwrap();
        fs::rename(beside, self.path(relative)).unwrap();
    }

    fn mode(&self, relative: &str, mode: u32) {
        fs::set_permissions(self.path(relative), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn host(&self) -> HostBuilder {
        Host::builder().no_default_dirs().plugin_dir(self.path("plugins"))
    }

    fn lock(&self) -> PathBuf {
        self.path("plugins.lock")
    }

    /// Runs `f9` with these plugins alone, and with connections that the lock would lie beside.
    fn f9(&self, arguments: &[&str]) -> Output {
        let mut command = f9();
        command
            .arg("--config")
            .arg(self.path("connections.json"))
            .arg("--plugin-dir")
            .arg(self.path("plugins"));
        command.args(arguments).output().unwrap()
    }

    /// What it prints, with the directories by their names.
    fn told(&self, arguments: &[&str], code: i32) -> String {
        let output = self.f9(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        let own = f9_tests::plugin_dir();
        let printed = format!("{}{}", text(&output.stdout), text(&output.stderr));
        printed
            .replace(&self.0.path().display().to_string(), "DIR")
            .replace(&own.display().to_string(), "DEPS")
            .replace(&own.parent().unwrap().display().to_string(), "PROGRAM")
            .replace(TARGET, "TARGET")
    }
}

/// Why `memory` is not opened: the reason's code, the message, and the advice.
#[track_caller]
fn refusal(host: &Host) -> (String, String, String) {
    let error = host.open(json!({"backend": "memory"})).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PluginRefused, "{error}");
    let reason = error.context().find(|(name, _)| *name == "reason").unwrap().1.to_owned();
    (reason, error.message().to_owned(), error.advice().unwrap_or_default().to_owned())
}

#[test]
fn a_file_that_others_can_replace_is_not_loaded_unless_it_is_allowed_by_name() {
    let place = Place::new();
    let file = "plugins/libf9_backend_memory.so";
    place.host().build().open(json!({"backend": "memory"})).unwrap();
    for (open, mode) in [(file, 0o757), ("plugins", 0o777), ("plugins", 0o1777)] {
        place.mode(open, mode);
        let (reason, message, advice) = refusal(&place.host().build());
        assert_eq!(reason, "unsafe-permissions");
        let path = place.path(open);
        assert!(message.contains(&format!("every user can write to {}", path.display())), "{message}");
        assert!(advice.starts_with(&format!("type `chmod go-w {}`, or accept", path.display())), "{advice}");
        let allowed = place.host().allow_unsafe_permissions("memory".parse().unwrap()).build();
        allowed.open(json!({"backend": "memory"})).unwrap();
        let other = place.host().allow_unsafe_permissions("other".parse().unwrap()).build();
        assert_eq!(refusal(&other).0, "unsafe-permissions");
        place.mode(open, 0o755);
    }
    place.mode(file, 0o757);
    // Inspecting judges bytes, and says so.
    let path = place.path(file).display().to_string();
    assert!(place.told(&["plugins", "inspect", &path], 0).contains("its permissions and the lock are for"));
    assert!(
        place.told(&["-c", r#"{"backend": "memory"}"#, "ls"], 8).contains("type `chmod go-w DIR/plugins/lib")
    );
    place.told(&["--allow-unsafe-permissions", "memory", "-c", r#"{"backend": "memory"}"#, "ls"], 0);
}

#[test]
fn a_link_to_a_plugin_is_as_safe_as_what_it_leads_to() {
    let place = Place::new();
    fs::create_dir(place.path("elsewhere")).unwrap();
    fs::rename(place.path("plugins/libf9_backend_memory.so"), place.path("elsewhere/real.so")).unwrap();
    symlink("../elsewhere/real.so", place.path("plugins/libf9_backend_memory.so")).unwrap();
    place.host().build().open(json!({"backend": "memory"})).unwrap();
    place.mode("elsewhere", 0o777);
    let (reason, message, _) = refusal(&place.host().build());
    assert_eq!(reason, "unsafe-permissions");
    assert!(message.ends_with("elsewhere (mode 0777)"), "{message}");
}

#[test]
fn a_strangers_file_is_not_loaded() {
    let place = Place::new();
    let file = place.path("plugins/libf9_backend_memory.so");
    if std::os::unix::fs::chown(&file, Some(54321), None).is_err() {
        eprintln!("skipped: only root can give a file to somebody else");
        return;
    }
    let (reason, message, _) = refusal(&place.host().build());
    assert_eq!(reason, "unsafe-permissions");
    assert!(
        message.contains("belongs to user 54321, who is neither root nor the user of this process"),
        "{message}"
    );
}

/// A tree as Cargo builds it, with the program in it: whoever can change the program need not change a plugin.
#[test]
fn a_build_tree_works_whatever_the_umask_and_whoever_it_belongs_to() {
    let place = Place::new();
    fs::create_dir_all(place.path("target/debug/deps")).unwrap();
    let (program, plugin) = (place.path("target/debug/f9"), "target/debug/deps/libf9_backend_memory.so");
    fs::copy(f9().get_program(), &program).unwrap();
    place.put("memory", plugin);
    let run = |code: i32| {
        let mut command = std::process::Command::new(&program);
        let output = command.env_clear().args(["-c", r#"{"backend": "memory"}"#, "ls"]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
    };
    let all = ["target", "target/debug", "target/debug/deps", "target/debug/f9", plugin];
    for mode in [0o755, 0o775, 0o777] {
        all.iter().for_each(|path| place.mode(path, mode));
        run(0);
    }
    all.iter().for_each(|path| place.mode(path, 0o755));
    place.mode(plugin, 0o757);
    run(8);
    place.mode(plugin, 0o755);
    let given_away =
        all.iter().all(|path| std::os::unix::fs::chown(place.path(path), Some(54321), None).is_ok());
    if given_away {
        run(0); // the program's owner is who decides what runs
    } else {
        eprintln!("skipped: only root can give files to somebody else");
    }
}

#[test]
fn what_the_lock_does_not_hold_is_not_loaded() {
    let place = Place::new();
    let locked = || place.host().lock_file(place.lock()).build();
    let (reason, message, advice) = refusal(&locked());
    assert_eq!(reason, "bad-lock");
    assert!(message.contains("plugins.lock is not usable: no such file"), "{message}");
    assert_eq!(advice, "`f9 plugins lock add NAME` writes one");

    PluginLock::new(place.lock()).save().unwrap();
    let (reason, message, advice) = refusal(&locked());
    assert_eq!(
        (reason.as_str(), advice.as_str()),
        ("not-locked", "if you trust it, type `f9 plugins lock add memory`")
    );
    assert!(message.ends_with("plugins.lock does not hold it"), "{message}");

    let file = place.path("plugins/libf9_backend_memory.so");
    let mut lock = PluginLock::new(place.lock());
    assert!(lock.add(&inspect(&file)).unwrap());
    assert!(!lock.add(&inspect(&file)).unwrap());
    lock.save().unwrap();
    assert_eq!(PluginLock::load(place.lock()).unwrap(), lock);
    let host = locked();
    host.open(json!({"backend": "memory"})).unwrap();

    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(place.path("changed"), bytes).unwrap();
    fs::rename(place.path("changed"), &file).unwrap();
    let (reason, message, _) = refusal(&locked());
    assert_eq!(reason, "hash-mismatch");
    let (held, found) = (lock.iter().next().unwrap().sha256, inspect(&file).sha256.unwrap());
    assert!(
        message.contains(&format!("its sha256 is {found}, the lock ")) && message.ends_with(&held),
        "{message}"
    );
    host.open(json!({"backend": "memory"})).unwrap(); // is loaded already
}

#[test]
fn a_lock_holds_several_platforms_and_prunes_its_own_alone() {
    let place = Place::new();
    let hash = |digit: &str| digit.repeat(64);
    let document = json!({"format": 1, "plugins": {
        "memory": {"aarch64-apple-darwin": [hash("a")], TARGET: [hash("b"), hash("c")]},
        "gone": {TARGET: [hash("d")]},
        "foreign": {"aarch64-apple-darwin": [hash("e")]},
    }});
    fs::write(place.lock(), document.to_string()).unwrap();
    let file = inspect(place.path("plugins/libf9_backend_memory.so"));
    let mut lock = PluginLock::load(place.lock()).unwrap();
    assert_eq!(lock.check(&file).unwrap_err().code.as_str(), "hash-mismatch");
    lock.add(&file).unwrap();
    let gone = lock.prune(TARGET, std::slice::from_ref(&file));
    assert_eq!(gone.iter().map(|held| &held.sha256[..1]).collect::<Vec<_>>(), ["d", "b", "c"]);
    let left: Vec<_> = lock.iter().map(|held| (held.name, held.target)).collect();
    let pair = |name: &str, target: &str| (name.to_owned(), target.to_owned());
    assert_eq!(
        left,
        [
            pair("foreign", "aarch64-apple-darwin"),
            pair("memory", "aarch64-apple-darwin"),
            pair("memory", TARGET)
        ]
    );
    lock.check(&file).unwrap();

    let foreign = json!({"format": 1, "plugins": {"memory": {"aarch64-apple-darwin": [hash("a")]}}});
    fs::write(place.lock(), foreign.to_string()).unwrap();
    let (reason, message, _) = refusal(&place.host().lock_file(place.lock()).build());
    assert_eq!(reason, "not-locked");
    assert!(message.ends_with(&format!("holds it for aarch64-apple-darwin, not for {TARGET}")), "{message}");
}

#[test]
fn a_broken_lock_lets_nothing_be_loaded() {
    let place = Place::new();
    let hash = "a".repeat(64);
    let wrong = [
        ("", "it is empty"),
        ("{", "it is not valid: EOF"),
        (r#"{"format": 2, "plugins": {}}"#, "it has format 2, this host reads format 1"),
        (r#"{"plugins": {}}"#, "missing field `format`"),
        (r#"{"format": 1}"#, "missing field `plugins`"),
        (r#"{"format": 1, "plugins": {}, "extra": 1}"#, "unknown field `extra`"),
        (r#"{"format": 1, "plugins": []}"#, "invalid type: sequence"),
        (r#"{"format": 1, "plugins": {"../x": {}}}"#, "\"../x\" cannot be the name of a plugin"),
        (r#"{"format": 1, "plugins": {"a": {"t": ["sha"]}}}"#, "it holds \"sha\", expected a SHA-256"),
        (r#"{"format": 1, "plugins": {"a": {}, "a": {}}}"#, "a key occurs twice at line 1"),
        (
            &format!(r#"{{"format": 1, "plugins": {{"a": {{"t": ["{hash}"], "t": []}}}}}}"#),
            "a key occurs twice at line 1",
        ),
    ];
    for (content, expected) in wrong {
        fs::write(place.lock(), content).unwrap();
        let (reason, message, advice) = refusal(&place.host().lock_file(place.lock()).build());
        assert_eq!(reason, "bad-lock");
        assert!(message.contains(expected), "{content}: {message}");
        assert!(!advice.is_empty());
        // And in the command line, which finds it beside the connections.
        assert!(
            place.told(&["-c", r#"{"backend": "memory"}"#, "ls"], 8).contains("plugins.lock is not usable")
        );
    }
    fs::remove_file(place.lock()).unwrap();
    fs::create_dir(place.lock()).unwrap();
    assert_eq!(refusal(&place.host().lock_file(place.lock()).build()).0, "bad-lock");
    fs::remove_dir(place.lock()).unwrap();
    place.told(&["-c", r#"{"backend": "memory"}"#, "ls"], 0);
    place.told(&["plugins", "lock", "add"], 0);
    place.mode("plugins.lock", 0o666);
    let (reason, message, _) = refusal(&place.host().lock_file(place.lock()).build());
    assert_eq!(reason, "bad-lock");
    assert!(message.contains("every user can write to"), "{message}");
    println!("{} broken locks", wrong.len() + 3);
}

/// What happens between the moment when a file was hashed and the moment when it is loaded: the host logs there.
static BETWEEN: Mutex<Option<Swap>> = Mutex::new(None);

/// What takes the place of a file, once.
struct Swap {
    from: PathBuf,
    to: PathBuf,
}

struct Between;

impl log::Log for Between {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let mut waiting = BETWEEN.lock().unwrap();
        let text = record.args().to_string();
        let is_for = |swap: &mut Swap| text.starts_with(&format!("{}: sha256 ", swap.to.display()));
        if let Some(Swap { from, to }) = waiting.take_if(is_for) {
            fs::rename(from, to).unwrap();
        }
    }

    fn flush(&self) {}
}

#[test]
fn the_file_that_was_hashed_is_the_one_that_is_loaded() {
    log::set_logger(&Between).unwrap();
    log::set_max_level(LevelFilter::Debug);
    let place = Place::new();
    let file = place.path("plugins/libf9_backend_memory.so");
    let mut lock = PluginLock::new(place.lock());
    lock.add(&inspect(&file)).unwrap();
    lock.save().unwrap();
    // Another plugin comes into its place at the worst moment: one that would end this process.
    let mut evil = fs::read(example_dir().join("libf9_backend_hostile.so")).unwrap();
    let marker = b"F9-HOSTILE-MODE=";
    let at = evil.windows(marker.len()).position(|window| window == marker).unwrap() + marker.len();
    evil[at..at + 11].copy_from_slice(b"load_aborts");
    fs::write(place.path("evil"), evil).unwrap();
    let inode = fs::metadata(place.path("evil")).unwrap().ino();
    *BETWEEN.lock().unwrap() = Some(Swap { from: place.path("evil"), to: file.clone() });
    let host = place.host().lock_file(place.lock()).build();
    let backend = host.open(json!({"backend": "memory"})).unwrap();
    assert!(BETWEEN.lock().unwrap().is_none(), "the file was exchanged");
    assert_eq!(fs::metadata(&file).unwrap().ino(), inode);
    backend.create("a", "x").unwrap();
    assert_eq!(backend.read("a").unwrap(), "x");
    // From now on the path leads to what is not locked.
    assert_eq!(
        host.diagnose(Some(&"memory".parse().unwrap())).candidates[0].refusal.as_ref().unwrap().code.as_str(),
        "name-mismatch"
    );
}

#[test]
fn the_lock_is_kept_from_the_command_line() {
    let place = Place::new();
    // Those of this build are found, too.
    place.told(&["plugins", "lock", "check"], 3);
    let added = place.told(&["plugins", "lock", "add", "memory"], 0);
    assert_eq!(
        added,
        "memory (TARGET): added: DIR/plugins/libf9_backend_memory.so\nDIR/plugins.lock holds 1 file; from now on no other plugin is loaded\n"
    );
    place.told(&["-c", r#"{"backend": "memory"}"#, "ls"], 0);
    let refused = place.told(&["-c", r#"{"backend": "local", "root": "x"}"#, "ls"], 8);
    assert!(
        // An older build of the same may be beside the program.
        refused.contains("does not hold it")
            && refused.ends_with(
                "; if you trust it, type `f9 --config DIR/connections.json --plugin-dir DEPS --plugin-dir DIR/plugins \
                 plugins lock add local`\n"
            ),
        "{refused}"
    );
    let check = place.told(&["plugins", "lock", "check"], 8);
    assert!(
        check.contains("memory (TARGET): ok: DIR/plugins/")
            && check.contains("local (TARGET): not-locked: DEPS/")
    );

    let file = place.path("plugins/libf9_backend_memory.so");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let damaged = place.told(&["plugins", "lock", "check"], 8);
    assert!(damaged.contains("memory: truncated: DIR/plugins/"), "{damaged}");
    fs::write(&file, whole).unwrap();
    let foreign = place.path(MEMORY);
    fs::rename(&file, &foreign).unwrap();
    assert!(place.told(&["plugins", "lock", "check"], 8).contains("memory (TARGET): not-found: sha256 "));
    let added = place.told(&["plugins", "lock", "add", foreign.to_str().unwrap(), "local"], 0);
    assert!(
        added.contains("memory (TARGET): held already") && added.contains("local (TARGET): added"),
        "{added}"
    );
    let pruned = place.told(&["plugins", "lock", "prune"], 0);
    assert!(
        pruned.starts_with("memory (TARGET): removed: sha256 ") && pruned.lines().count() == 1,
        "{pruned}"
    );
    assert!(place.told(&["plugins", "lock", "add", "nowhere"], 8).contains("no plugin `nowhere`"));
    assert!(
        place
            .told(&["plugins", "lock", "add", "/etc/passwd"], 8)
            .contains("a file that is no plugin cannot be locked")
    );
    // A program with no plugin beside it: a lock of nothing is not made.
    let alone = place.path("bin");
    fs::create_dir(&alone).unwrap();
    let alone = alone.join("f9");
    fs::copy(f9().get_program(), &alone).unwrap();
    let none = place.path("none.lock");
    let mut command = std::process::Command::new(alone);
    command.arg("--lock").arg(&none).args(["plugins", "lock", "add"]).env("HOME", place.path(""));
    let output = command.env_remove("F9_PLUGIN_PATH").env_remove("XDG_DATA_HOME").output().unwrap();
    assert_eq!(output.status.code(), Some(8), "{output:?}");
    assert!(text(&output.stderr).contains("no usable plugin is found"), "{output:?}");
    assert!(!none.exists());
    let other = place.path("other.lock");
    place.told(&["--lock", other.to_str().unwrap(), "plugins", "lock", "add", "local"], 0);
    assert_eq!(PluginLock::load(&other).unwrap().iter().count(), 1);
    assert_eq!(mode(&other) & 0o022, 0);
    assert!(
        place
            .told(&["--lock", "nowhere", "-c", r#"{"backend": "local", "root": "x"}"#, "ls"], 8)
            .contains("no such file")
    );
}

#[test]
fn a_lock_that_others_can_write_to_is_not_made_trustworthy_by_adding_to_it() {
    let place = Place::new();
    place.told(&["plugins", "lock", "add", "memory"], 0);
    place.mode("plugins.lock", 0o666);
    for command in [&["plugins", "lock", "add", "memory"][..], &["plugins", "lock", "prune"]] {
        let refused = place.told(command, 8);
        assert!(refused.contains("chmod go-w DIR/plugins.lock"), "{refused}");
    }
    assert_eq!(mode(&place.lock()) & 0o777, 0o666);
}

#[test]
fn what_is_locked_at_the_same_time_is_all_kept() {
    let place = Place::new();
    let others = ["chatty", "keeper", "panicking"].map(|name| {
        let file = format!("libf9_backend_{name}.so");
        place.put(name, &file);
        inspect(place.path(&file))
    });
    std::thread::scope(|scope| {
        for plugin in &others {
            scope.spawn(|| PluginLock::edit(place.lock(), |lock| lock.add(plugin)).unwrap());
        }
    });
    assert_eq!(PluginLock::load(place.lock()).unwrap().iter().count(), others.len());
}

fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().mode()
}

#[test]
fn inspecting_tells_facts_and_an_exit_code() {
    let place = Place::new();
    let file = place.path("plugins/libf9_backend_memory.so");
    let told = place.told(&["plugins", "inspect", file.to_str().unwrap()], 0);
    for fact in [
        "kind:         Elf ",
        "exports:      ",
        "f9_plugin_manifest",
        "name:         memory",
        "plugin ABI:   1.1.0",
        "target:       TARGET",
    ] {
        assert!(told.contains(fact), "{told}");
    }
    let missing = place.told(&["plugins", "inspect", "nowhere.so"], 8);
    assert!(missing.contains("what to do:   check the path and, of a link, where it leads"), "{missing}");
    let output = place.f9(&["--json", "plugins", "inspect", "/etc/passwd"]);
    assert_eq!(output.status.code(), Some(8));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["refusal"]["code"], &told["manifest"]), (&json!("not-a-library"), &Value::Null));
    assert_eq!(told["sha256"].as_str().unwrap().len(), 64);
    assert!(place.told(&["plugins", "inspect", "/"], 8).contains("not a regular file"));
}

#[test]
fn the_doctor_tells_where_and_why() {
    let place = Place::new();
    fs::create_dir(place.path("more")).unwrap();
    place.put("memory", "more/libf9_backend_memory.so");
    place.put("stranger", "more/libf9_backend_stranger.so");
    place.put("keeper", "more/f9-backend-keeper.so");
    place.put("chatty", "more/libf9_backend_chatty.so");
    place.mode("more/libf9_backend_chatty.so", 0o757);
    fs::write(place.path("more/libf9_backend_broken.so"), "broken").unwrap();
    let more = place.path("more");
    let doctor = |name: &[&str], code| {
        let arguments = [&["--plugin-dir", more.to_str().unwrap(), "plugins", "doctor"], name].concat();
        let told = place.told(&arguments, code);
        // Where the rest is searched depends on the machine.
        let ours =
            |line: &&str| !line.starts_with("  /") && !line.contains("PROGRAM") && !line.contains("DEPS");
        told.lines().filter(ours).map(|line| format!("{line}\n")).collect::<String>()
    };
    assert_eq!(doctor(&["memory"], 0), DOCTOR_MEMORY);
    assert_eq!(doctor(&["memroy"], 8), DOCTOR_MEMROY);
    for (name, expected) in [
        ("chatty", DOCTOR_CHATTY),
        ("keeper", DOCTOR_KEEPER),
        ("broken", DOCTOR_BROKEN),
        ("stranger", DOCTOR_STRANGER),
    ] {
        assert_eq!(doctor(&[name], 8), expected.replace("HEAD\n", DOCTOR_HEAD));
    }
    let all = doctor(&[], 8);
    for code in [
        "memory: ok:",
        "memory: shadowed:",
        "stranger: no-manifest:",
        "keeper: misnamed:",
        "chatty: unsafe-permissions:",
        "broken: not-a-library:",
    ] {
        assert!(all.contains(code), "{code}: {all}");
    }
    assert!(all.ends_with("not all of them are loaded\n"));
    let output = place.f9(&["--json", "plugins", "doctor", "memory"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["name"], &told["target"], &told["candidates"][0]["refusal"]),
        (&json!("memory"), &json!(TARGET), &Value::Null)
    );
    assert_eq!(told["dirs"][1], json!({"path": place.path("plugins"), "problem": null, "refusal": null}));
}

const DOCTOR_HEAD: &str = "\
host      plugin ABI 1.1.0, TARGET
lock      none
searched, in this order
  DIR/plugins: nothing
  DIR/more: 1 candidate
candidates
";

const DOCTOR_MEMORY: &str = "\
host      plugin ABI 1.1.0, TARGET
lock      none
searched, in this order
  DIR/plugins: 1 candidate
  DIR/more: 1 candidate
candidates
  memory: ok: DIR/plugins/libf9_backend_memory.so
    0.1.0, plugin ABI 1.1.0, TARGET
  memory: shadowed: DIR/more/libf9_backend_memory.so
    DIR/plugins/libf9_backend_memory.so comes first
    -> remove one of the two files, or change the order of the directories
nothing is against loading `memory`
";

const DOCTOR_MEMROY: &str = "\
host      plugin ABI 1.1.0, TARGET
lock      none
searched, in this order
  DIR/plugins: nothing
  DIR/more: nothing
there is no plugin `memroy`; did you mean `memory`?
";

const DOCTOR_CHATTY: &str = "\
HEAD
  chatty: unsafe-permissions: DIR/more/libf9_backend_chatty.so
    every user can write to DIR/more/libf9_backend_chatty.so (mode 0757)
    -> type `chmod go-w DIR/more/libf9_backend_chatty.so`, or accept it by name (`--allow-unsafe-permissions`, `HostBuilder::allow_unsafe_permissions`)
`chatty` is not loaded
";

const DOCTOR_KEEPER: &str = "\
HEAD
  keeper: misnamed: DIR/more/f9-backend-keeper.so
    a plugin's file is named libf9_backend_keeper.so
    -> if it is a plugin, rename it to libf9_backend_keeper.so
`keeper` is not loaded
";

const DOCTOR_BROKEN: &str = "\
HEAD
  broken: not-a-library: DIR/more/libf9_backend_broken.so
    it is not a shared library
    -> build or copy the plugin again
`broken` is not loaded
";

const DOCTOR_STRANGER: &str = "\
HEAD
  stranger: no-manifest: DIR/more/libf9_backend_stranger.so
    it does not export `f9_plugin_manifest`, so it is no f9 plugin
    -> remove the file, or build it with f9-plugin-api's `export_plugin!`
`stranger` is not loaded
";
