//! The commands on a remote, with git: two people, one repository, and a conflict between them.

use std::{
    fs,
    process::{Command, Output},
};

use f9_tests::{shell::Shell, text};
use serde_json::{Value, json};

/// `ann:` and `bob:` share a repository; both have `list.txt`, and have changed it.
fn disagreeing() -> Shell {
    let shell = Shell::new(&[]);
    let made = Command::new("git").args(["init", "-q", "--bare"]).arg(shell.path("remote.git")).status();
    assert!(made.unwrap().success());
    let clone = |name: &str| {
        json!({
            "backend": "git", "remote_url": shell.path("remote.git"), "path": shell.path(name),
            "author_name": name, "author_email": format!("{name}@example.com"),
        })
    };
    let connections = json!({"ann": clone("ann"), "bob": clone("bob"), "plain": {"backend": "local", "root": shell.path("plain")}});
    shell.write("connections.json", connections.to_string());
    shell.ok(["create", "ann:list.txt", "milk\n"]);
    assert!(shell.ok(["push", "ann:", "-m", "Begin"]).starts_with("sent 1, received 0, now at "));
    shell.ok(["update", "bob:list.txt", "beer\n"]);
    shell.ok(["sync", "bob:", "-m", "Beer instead"]);
    shell.ok(["update", "ann:list.txt", "wine\n"]);
    let errors = shell.fails(["sync", "ann:", "-m", "Wine instead"], 6);
    assert!(errors.contains(" resolve ann:PATH`") && errors.contains("list.txt"), "{errors}");
    assert_eq!(shell.ok(["conflicts", "ann:"]), "UU  list.txt  (local 5 bytes, remote 5 bytes)\n");
    shell
}

/// What both have after the conflict is concluded.
fn concluded(shell: &Shell) -> String {
    assert_eq!(shell.ok(["conflicts", "ann:"]), "");
    shell.ok(["push", "ann:", "-m", "Agree"]);
    shell.ok(["pull", "bob:"]);
    let content = shell.ok(["read", "ann:list.txt"]);
    assert_eq!(content, shell.ok(["read", "bob:list.txt"]));
    content
}

fn edit_with(shell: &Shell, editor: &str) -> Output {
    shell
        .command(["resolve", "ann:list.txt", "--edit"])
        .env("EDITOR", editor)
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap()
}

#[test]
fn a_conflict_is_settled_with_one_side() {
    for (side, content) in [("--local", "wine\n"), ("--remote", "beer\n")] {
        let shell = disagreeing();
        assert_eq!(shell.ok(["resolve", "ann:list.txt", side]), "list.txt: 5 bytes\n");
        assert_eq!(concluded(&shell), content);
    }
}

#[test]
fn a_file_that_one_side_deleted_is_kept_or_deleted_and_never_emptied_by_an_editor() {
    let shell = disagreeing();
    shell.ok(["resolve", "ann:list.txt", "--local"]);
    concluded(&shell);
    shell.ok(["update", "bob:list.txt", "cider\n"]);
    shell.ok(["push", "bob:"]);
    shell.ok(["delete", "ann:list.txt"]);
    shell.fails(["sync", "ann:"], 6);
    let sides = "--local deletes it, --remote takes the file of 6 bytes";
    let undecided = |editor: &str, words: &str| {
        let output = edit_with(&shell, editor);
        let expected = format!("f9: list.txt: {words}, --with FILE takes another\n");
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(5), expected.as_str()));
        assert_eq!(shell.ok(["conflicts", "ann:"]), "DU  list.txt  (local absent, remote 6 bytes)\n");
    };
    undecided("true", &format!("nothing was changed; the conflict stays open; {sides}"));
    let empty =
        format!("nothing was left; the conflict stays open; {sides}, --with /dev/null takes an empty file");
    undecided("truncate -s 0", &empty);
    fs::remove_file(shell.path("ann/list.txt")).unwrap();
    undecided("true", &format!("there is no file here to edit; the conflict stays open; {sides}"));
    let deleted = shell.ok(["--json", "resolve", "ann:list.txt", "--local"]);
    assert_eq!(
        serde_json::from_str::<Value>(&deleted).unwrap(),
        json!({"action": "delete", "path": "list.txt"})
    );
    // The other way round, what was edited is kept.
    shell.ok(["sync", "ann:"]);
    shell.ok(["pull", "bob:"]);
    shell.ok(["create", "ann:list.txt", "wine\n"]);
    shell.ok(["sync", "ann:"]);
    shell.ok(["pull", "bob:"]);
    shell.ok(["delete", "bob:list.txt"]);
    shell.ok(["push", "bob:"]);
    shell.ok(["update", "ann:list.txt", "mead\n"]);
    shell.fails(["sync", "ann:"], 6);
    let output = edit_with(&shell, "sed -i -e s/mead/water/");
    assert_eq!((text(&output.stderr), text(&output.stdout)), ("", "list.txt: 6 bytes\n"));
    assert_eq!(concluded(&shell), "water\n");
}

#[test]
fn a_conflict_is_settled_with_a_file() {
    let shell = disagreeing();
    shell.write("both", "wine\nbeer\n");
    assert_eq!(shell.ok(["resolve", "ann:list.txt", "--with", "both"]), "list.txt: 10 bytes\n");
    assert_eq!(concluded(&shell), "wine\nbeer\n");
}

#[test]
fn a_file_with_conflict_markers_settles_nothing_unless_it_is_forced() {
    let shell = disagreeing();
    let half = shell.ok(["read", "ann:list.txt"]);
    assert!(half.contains("<<<<<<< "), "{half}");
    shell.write("half", &half);
    let errors = shell.fails(["resolve", "ann:list.txt", "--with", "half"], 5);
    assert!(errors.contains("there are conflict markers left; the conflict stays open"), "{errors}");
    assert!(errors.contains("--force"), "{errors}");
    assert_eq!(shell.read("ann/list.txt"), half);
    assert_eq!(
        shell.run_with_input(["resolve", "ann:list.txt", "--with", "-"], half.as_bytes()).status.code(),
        Some(5)
    );
    assert!(shell.ok(["conflicts", "ann:"]).contains("list.txt"));
    shell.ok(["resolve", "ann:list.txt", "--with", "half", "--force"]);
    assert_eq!(concluded(&shell), half);
    shell.fails(["resolve", "ann:list.txt", "--local", "--force"], 2);
    let edited = disagreeing();
    let mut forced = edited.command(["resolve", "ann:list.txt", "--edit", "--force"]);
    let output =
        forced.env("EDITOR", "sed -i -e s/wine/water/").env("PATH", "/usr/bin:/bin").output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    assert_eq!(concluded(&edited), half.replace("wine", "water"));
}

#[test]
fn a_conflict_is_settled_in_an_editor() {
    let shell = disagreeing();
    // Nothing done, an editor that fails, and markers that are left: it stays open.
    for (editor, words) in [
        ("true", "there are conflict markers left"),
        ("false", "the editor `false` ended with exit status: 1"),
        ("sed -i -e s/wine/water/", "there are conflict markers left"),
    ] {
        let output = edit_with(&shell, editor);
        assert!(!output.status.success() && text(&output.stderr).contains(words), "{}", text(&output.stderr));
        if editor.starts_with("sed") {
            // What was edited is not thrown away, until it has settled the conflict.
            assert_eq!(text(&output.stderr).matches("the conflict stays open").count(), 1);
            let kept = text(&output.stderr).trim_end().rsplit("--with ").next().unwrap();
            assert!(fs::read_to_string(kept).unwrap().contains("water"));
            let other = disagreeing();
            other.ok(["resolve", "ann:list.txt", "--with", kept, "--force"]);
            assert!(concluded(&other).contains("water"));
            assert!(!std::path::Path::new(kept).parent().unwrap().exists());
        }
        assert!(shell.ok(["conflicts", "ann:"]).contains("list.txt"));
    }
    let output = edit_with(&shell, r"sed -i -e '/^[<=>]/d'");
    assert_eq!((text(&output.stderr), text(&output.stdout)), ("", "list.txt: 10 bytes\n"));
    assert_eq!(concluded(&shell), "wine\nbeer\n");
    assert!(text(&edit_with(&shell, "true").stderr).contains("there is no open conflict"));
}

#[test]
fn a_warning_names_the_plugin_and_none_is_told_to_who_wants_quiet() {
    let shell = disagreeing();
    for (options, told) in [(&[][..], "f9: warn: git: `origin` was "), (&["-q"], ""), (&["-q", "--json"], "")]
    {
        let mut git = Command::new("git");
        git.arg("-C").arg(shell.path("ann")).args(["remote", "set-url", "origin", "/elsewhere"]);
        assert!(git.status().unwrap().success());
        let output = shell.run([options, &["conflicts", "ann:"]].concat());
        let errors = text(&output.stderr);
        assert!(output.status.success() && errors.starts_with(told), "{options:?}: {errors}");
        assert_eq!(errors.is_empty(), told.is_empty(), "{options:?}: {errors}");
    }
}

#[test]
fn a_directory_is_mirrored_into_a_repository_and_out_of_it() {
    let shell = disagreeing();
    shell.ok(["resolve", "ann:list.txt", "--local"]);
    concluded(&shell);
    (0..40).for_each(|i| shell.write(&format!("plain/{}/{i}.txt", i % 3), format!("{i}\n")));
    assert!(shell.ok(["mirror", "plain:", "ann:files"]).starts_with("copied 40 files"));
    shell.ok(["push", "ann:", "-m", "Files"]);
    shell.ok(["pull", "bob:"]);
    shell.ok(["mirror", "bob:files", "plain:copy"]);
    let listing = shell.ok(["checksum", "plain:0/0.txt", "plain:copy/0/0.txt"]);
    let sums: Vec<_> = listing.lines().map(|line| &line[..64]).collect();
    assert_eq!(sums[0], sums[1]);
    let again = shell.ok(["--json", "mirror", "bob:files", "plain:copy"]);
    assert_eq!(serde_json::from_str::<Value>(&again).unwrap()["same"], 40);
    shell.ok(["delete", "-r", "plain:0"]);
    shell.ok(["delete", "-r", "plain:copy"]);
    assert!(shell.ok(["mirror", "--delete", "plain:", "ann:files"]).contains("15 deleted"));
}

#[test]
fn what_is_stuck_has_a_way_out() {
    let shell = disagreeing();
    let git = |arguments: &[&str]| {
        let output =
            Command::new("git").arg("-C").arg(shell.path("remote.git")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        text(&output.stdout).trim().to_owned()
    };
    // Conflicts are taken back.
    assert!(shell.ok(["pull", "ann:", "--abort"]).starts_with("the pull is taken back: the branch is at "));
    assert_eq!(shell.ok(["conflicts", "ann:"]), "");
    assert_eq!(shell.ok(["read", "ann:list.txt"]), "wine\n");
    shell.fails(["pull", "ann:", "--abort"], 5);
    // The remote takes a commit back.
    let branch = git(&["for-each-ref", "--format=%(refname)", "refs/heads"]);
    git(&["update-ref", &branch, &git(&["rev-parse", &format!("{branch}^")])]);
    let errors = shell.fails(["pull", "bob:"], 5);
    assert!(errors.contains("was rewritten") && errors.contains("--follow-remote"), "{errors}");
    shell.fails(["sync", "bob:"], 5);
    let done = shell.ok(["pull", "bob:", "--follow-remote"]);
    assert!(done.contains("kept as refs/f9/kept/"), "{done}");
    assert_eq!(shell.ok(["read", "bob:list.txt"]), "milk\n");
    // The remote loses the branch.
    git(&["update-ref", "-d", &branch]);
    assert!(shell.fails(["push", "bob:"], 5).contains("no longer has the branch"));
    assert!(shell.ok(["push", "bob:", "--keep-local"]).starts_with("published what is here"));
    // The disk loses the index.
    fs::write(shell.path("bob/.git/index"), "").unwrap();
    let errors = shell.fails(["push", "bob:"], 1);
    assert!(errors.contains("`.git/index` is empty") && errors.contains("f9 repair"), "{errors}");
    assert!(shell.ok(["repair", "bob:"]).contains("`.git/index` is empty: made anew"));
    let answer: Value = serde_json::from_str(&shell.ok(["--json", "repair", "bob:"])).unwrap();
    assert!(answer["done"][0].as_str().unwrap().contains("not damaged"), "{answer}");
    shell.ok(["sync", "bob:"]);
    // Other plugins may have nothing of it.
    let errors = shell.fails(["repair", "plain:"], 5);
    assert!(errors.contains("a `local` backend has nothing that could be repaired"), "{errors}");
}
