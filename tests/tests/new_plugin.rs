//! `f9 plugins new`: what it writes is a plugin that works, and it writes over nothing.

use std::{fs, path::Path, process::Output};

use f9_tests::{
    f9, repository, text,
    variant::{cargo, nested, outside, run},
};
use tempfile::TempDir;

fn new(dir: &Path, arguments: &[&str]) -> Output {
    let api = repository().join("plugin-api");
    f9().current_dir(dir)
        .args(["plugins", "new"])
        .args(arguments)
        .arg("--api-path")
        .arg(api)
        .output()
        .unwrap()
}

#[test]
fn a_new_plugin_passes_its_tests_and_verify_unchanged() {
    // Always the same place, so that what was built there is not built again.
    let dir = nested().join("new");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    let output = new(&dir, &["my_notes"]);
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(printed.starts_with("f9-plugin-my_notes: a plugin that works; try it:\n"), "{printed}");

    let plugin = dir.join("f9-plugin-my_notes");
    fs::copy(repository().join("Cargo.lock"), plugin.join("Cargo.lock")).unwrap();
    // What is in another workspace's directory has to say that it is none of its members.
    let manifest = fs::read_to_string(plugin.join("Cargo.toml")).unwrap();
    fs::write(plugin.join("Cargo.toml"), manifest + "\n[profile.dev]\ndebug = false\n\n[workspace]\n")
        .unwrap();
    run(cargo(&plugin).args(["fmt", "--check"]));
    run(cargo(&plugin).arg("build"));
    let printed = run(cargo(&plugin).arg("test"));
    assert!(printed.contains("test tests::conforms ... ok"), "{printed}");

    let output = f9()
        .args(["plugins", "verify"])
        .arg(nested().join("debug/libf9_backend_my_notes.so"))
        .output()
        .unwrap();
    let printed = text(&output.stdout);
    let conforms = printed.starts_with("my_notes 0.1.0 conforms: ") && printed.contains(" 0 warnings");
    assert!(output.status.success() && conforms, "{printed}{}", text(&output.stderr));

    if std::env::var_os("F9_FULL").is_none() {
        eprintln!("skipped: its ci.sh, which builds once more and optimised; F9_FULL=1 runs it");
        return;
    }
    let printed = run(outside(plugin.join("ci.sh"), &plugin).env("F9", f9().get_program()));
    assert!(printed.contains("my_notes 0.1.0 conforms: "), "{printed}");
}

#[test]
fn nothing_is_written_over_and_no_bad_name_is_taken() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("f9-plugin-taken")).unwrap();
    for (arguments, code, what) in [
        (vec!["taken"], 4, "f9-plugin-taken: there is something at this path already"),
        (vec!["fine", "--dir", "f9-plugin-taken"], 4, "there is something at this path already"),
        (vec!["Notes"], 2, "\"Notes\" cannot be the name of a plugin"),
        (vec!["foo-bar"], 2, "a name has 1 to 32 characters, a-z, 0-9 and _, the first of them a letter"),
        (vec!["api"], 5, "its crate would be called f9-plugin-api, as one that it depends on is"),
        (vec!["../notes"], 2, "cannot be the name of a plugin"),
        (vec![""], 2, "cannot be the name of a plugin"),
    ] {
        let output = new(dir.path(), &arguments);
        let errors = text(&output.stderr);
        assert!(output.status.code() == Some(code) && errors.contains(what), "{arguments:?}: {errors}");
    }
    let output = f9()
        .current_dir(&dir)
        .args(["plugins", "new", "notes", "--api-path", "f9-plugin-taken"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
    let left: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["f9-plugin-taken"]);
}

#[test]
fn without_a_path_it_depends_on_the_released_sdk() {
    let dir = TempDir::new().unwrap();
    let output =
        f9().current_dir(&dir).args(["--json", "plugins", "new", "notes", "--dir", "a/b"]).output().unwrap();
    assert_eq!(text(&output.stderr), "");
    assert!(text(&output.stdout).starts_with(r#"{"dir":"a/b","library":"#), "{}", text(&output.stdout));
    let manifest = fs::read_to_string(dir.path().join("a/b/Cargo.toml")).unwrap();
    assert!(manifest.contains("\nf9-plugin-api = \"0.1\"\n"), "{manifest}");
    let for_tests = "\nf9-plugin-api = { version = \"0.1\", features = [\"conformance\"] }\n";
    assert!(manifest.contains(for_tests), "{manifest}");
}
