//! What a remote may bring.

use std::{io::Write as _, process::Stdio};

use f9_plugin_api::{Error, ErrorKind, SyncFileBackend as _};

use super::support::{Site, git, git_command, open};

/// Writes an object into the remote and answers its id.
fn object(site: &Site, arguments: &[&str], content: &str) -> String {
    let mut command = git_command(&site.remote(), arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(content.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Makes the remote's branch a commit of this tree, after the one that is there.
fn commit(site: &Site, tree: &str) {
    let parent = git(&site.remote(), &["rev-parse", "main"]);
    let commit = git(&site.remote(), &["commit-tree", "-m", "bomb", "-p", parent.trim(), tree]);
    git(&site.remote(), &["update-ref", "refs/heads/main", commit.trim()]);
}

fn check_refused(error: &Error, option: &str) {
    assert_eq!(error.kind(), ErrorKind::QuotaExceeded, "{error:?}");
    assert!(error.message().contains(option) && error.message().contains("nothing was written"), "{error:?}");
}

#[test]
fn a_tree_that_stands_for_ten_thousand_million_files_is_counted_and_refused() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let backend = site.open("clone");
    let blob = object(&site, &["hash-object", "-w", "--stdin"], "x");
    let line = |kind: &str, id: &str, number: usize| match kind {
        "blob" => format!("100644 blob {id}\t{number}\n"),
        _ => format!("040000 tree {id}\t{number}\n"),
    };
    let all = |kind: &str, id: &str| (0..10).map(|number| line(kind, id, number)).collect::<String>();
    let mut tree = object(&site, &["mktree"], &all("blob", &blob));
    for _ in 1..10 {
        tree = object(&site, &["mktree"], &all("tree", &tree));
    }
    commit(&site, &tree);
    let start = std::time::Instant::now();
    check_refused(&backend.pull().unwrap_err(), "max_files");
    check_refused(&open(site.options("fresh")).err().unwrap(), "max_files");
    assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(!site.path("fresh").exists());
    assert_eq!(git(&site.path("clone"), &["status", "--porcelain"]), "");
}

#[test]
fn the_connection_sets_the_limits() {
    let site = Site::with(&[("a.txt", "12345"), ("dir/b.txt", "12345")]);
    for (option, too_few, enough) in [("max_files", 1, 2), ("max_bytes", 9, 10)] {
        let name = format!("clone-{option}");
        let mut options = site.options(&name);
        options[option] = too_few.into();
        check_refused(&open(options.clone()).err().unwrap(), option);
        assert!(!site.path(&name).exists());
        options[option] = enough.into();
        let backend = open(options).unwrap();
        // Of a pull, what it brings counts, and not what is here.
        site.commit_elsewhere("seed", &[(&format!("{option}.txt"), "123")]);
        backend.pull().unwrap();
        git(&site.remote(), &["update-ref", "refs/heads/main", "main~1"]);
        git(&site.path("elsewhere-seed"), &["reset", "--quiet", "--hard", "HEAD~1"]);
    }
}
