//! A remote that lost the branch, rewrote its history, or has others in its place.

use std::fs;

use f9_plugin_api::{Error, ErrorKind, FileBackend, SyncFileBackend, serde_json::json};

use super::support::{Site, git, open, read, write};

fn fact<'a>(error: &'a Error, name: &str) -> Option<&'a str> {
    error.context().find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn tip(site: &Site, branch: &str) -> String {
    git(&site.remote(), &["rev-parse", branch]).trim().to_owned()
}

/// A remote whose last commit, with a leak in it, everybody has; then it is taken away, and another made if `instead`.
fn rewritten(instead: bool) -> (Site, String) {
    let site = Site::with(&[("a.txt", "a\n")]);
    site.commit_elsewhere("seed", &[("leak.txt", "secret\n")]);
    site.open("one");
    let leak = tip(&site, "main");
    let seed = site.path("elsewhere-seed");
    git(&seed, &["reset", "--quiet", "--hard", "HEAD^"]);
    if instead {
        write(&seed, "clean.txt", "clean\n");
        git(&seed, &["add", "--all"]);
        git(&seed, &["commit", "--quiet", "--message", "clean"]);
    }
    git(&seed, &["push", "--quiet", "--force", "origin", "main"]);
    (site, leak)
}

#[test]
fn a_rewritten_history_is_neither_merged_nor_published_again() {
    for instead in [false, true] {
        let (site, leak) = rewritten(instead);
        let now = tip(&site, "main");
        let backend = site.open("one");
        for round in 0..2 {
            let tried = [backend.pull().unwrap_err(), backend.sync(None).unwrap_err()];
            for error in tried {
                assert_eq!(error.kind(), ErrorKind::InvalidOperation, "{error:?}");
                assert_eq!(fact(&error, "reason"), Some("history-rewritten"), "{error:?}");
                assert_eq!((fact(&error, "was"), fact(&error, "now")), (Some(&*leak), Some(&*now)));
                assert_eq!(fact(&error, "gone"), Some("1"));
                assert_eq!(fact(&error, "new"), Some(if instead { "1" } else { "0" }));
                let advice = error.advice().unwrap();
                assert!(advice.contains("--follow-remote") && advice.contains("--keep-local"), "{advice}");
            }
            // A push makes its commit, and keeps it here.
            write(&site.path("one"), "mine.txt", &format!("{round}\n"));
            let error = backend.push(None).unwrap_err();
            let expected = if instead { ErrorKind::RemoteMoved } else { ErrorKind::InvalidOperation };
            assert_eq!(error.kind(), expected, "{error:?}");
            assert_eq!(tip(&site, "main"), now);
        }
    }
}

#[test]
fn following_a_rewritten_history_keeps_the_commits_of_here_under_a_name() {
    for instead in [false, true] {
        let (site, leak) = rewritten(instead);
        let (backend, one) = (site.open("one"), site.path("one"));
        write(&one, "mine.txt", "mine\n");
        let error = backend.command("follow_remote", &json!({})).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PendingChanges, "{error:?}");
        backend.push(None).unwrap_err();
        let answer = backend.command("follow_remote", &json!({})).unwrap();
        let kept = answer["kept"]["reference"].as_str().unwrap();
        assert!(kept.starts_with("refs/f9/kept/main/"), "{answer}");
        assert_eq!(answer["kept"]["commits"], 2);
        assert_eq!(answer["revision"], tip(&site, "main"));
        assert_eq!(git(&one, &["show", &format!("{kept}:mine.txt")]), "mine\n");
        assert_eq!(git(&one, &["rev-parse", &format!("{kept}^")]).trim(), leak);
        assert!(!one.join("leak.txt").exists() && !one.join("mine.txt").exists());
        assert_eq!(one.join("clean.txt").exists(), instead);
        assert_eq!(git(&one, &["status", "--porcelain"]), "");
        assert_eq!((backend.sync(None).unwrap().sent, backend.pull().unwrap().received), (0, 0));
        site.check(&["one"]);
    }
}

#[test]
fn keeping_what_is_here_merges_a_rewritten_history_and_loses_nothing() {
    for instead in [false, true] {
        let (site, leak) = rewritten(instead);
        let backend = site.open("one");
        write(&site.path("one"), "mine.txt", "mine\n");
        let answer = backend.command("keep_local", &json!({"message": "Keep it"})).unwrap();
        assert_eq!(answer["revision"], tip(&site, "main"));
        assert_eq!(site.at_remote("mine.txt").unwrap(), "mine\n");
        assert_eq!(site.at_remote("clean.txt").is_some(), instead);
        git(&site.remote(), &["merge-base", "--is-ancestor", &leak, "main"]);
        assert_eq!(backend.sync(None).unwrap().sent, 0);
        site.check(&["one"]);
    }
}

#[test]
fn a_rewritten_history_of_which_nothing_is_here_is_simply_taken() {
    let (site, _) = rewritten(true);
    let one = site.path("one");
    // Somebody has put it right by hand.
    git(&one, &["reset", "--quiet", "--hard", "HEAD^"]);
    assert_eq!(site.open("one").pull().unwrap().received, 1);
    assert!(one.join("clean.txt").exists() && !one.join("leak.txt").exists());
}

#[test]
fn a_history_that_was_begun_anew_can_be_followed() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let backend = site.open("one");
    let seed = site.path("elsewhere-seed");
    git(&seed, &["checkout", "--quiet", "--orphan", "fresh"]);
    write(&seed, "a.txt", "new a\n");
    git(&seed, &["commit", "--quiet", "--all", "--message", "anew"]);
    git(&seed, &["push", "--quiet", "--force", "origin", "fresh:main"]);
    for error in [backend.pull().unwrap_err(), backend.sync(None).unwrap_err()] {
        assert_eq!(fact(&error, "reason"), Some("history-unrelated"), "{error:?}");
        assert!(error.advice().unwrap().contains("--follow-remote"), "{error:?}");
    }
    let answer = backend.command("follow_remote", &json!({})).unwrap();
    assert_eq!(answer["kept"]["commits"], 1, "{answer}");
    assert_eq!(read(&site.path("one"), "a.txt"), "new a\n");
    assert_eq!(backend.sync(None).unwrap().sent, 0);
}

#[test]
fn a_branch_that_the_remote_lost_is_not_made_again_unless_it_is_meant() {
    for renamed in [false, true] {
        let site = Site::with(&[("a.txt", "a\n")]);
        let backend = site.open("one");
        let was = tip(&site, "main");
        git(&site.remote(), &["branch", "--move", "main", "trunk"]);
        if !renamed {
            git(&site.remote(), &["update-ref", "-d", "refs/heads/trunk"]);
        }
        write(&site.path("one"), "mine.txt", "mine\n");
        let pull = {
            backend.push(None).unwrap_err();
            backend.pull().unwrap_err()
        };
        for error in [pull, backend.sync(None).unwrap_err(), backend.push(None).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::InvalidOperation, "{error:?}");
            assert_eq!(fact(&error, "reason"), Some("branch-lost"), "{error:?}");
            assert_eq!(fact(&error, "was"), Some(&*was));
            let advice = error.advice().unwrap();
            assert!(advice.contains("--keep-local"), "{advice}");
            assert_eq!(advice.contains(r#""branch": "trunk""#), renamed, "{advice}");
        }
        assert!(!git(&site.remote(), &["branch", "--list"]).contains("main"));
        let error = backend.command("follow_remote", &json!({})).unwrap_err();
        assert_eq!(fact(&error, "reason"), Some("branch-lost"), "{error:?}");
        if renamed {
            // What the hint says.
            let mut options = site.options("one");
            options["branch"] = "trunk".into();
            drop(backend);
            let backend = open(options).unwrap();
            assert_eq!(backend.sync(None).unwrap().sent, 0);
            assert_eq!(git(&site.path("one"), &["symbolic-ref", "HEAD"]).trim(), "refs/heads/trunk");
        } else {
            backend.command("keep_local", &json!({})).unwrap();
            assert_eq!(site.at_remote("mine.txt").unwrap(), "mine\n");
            assert_eq!(backend.pull().unwrap().received, 0);
        }
    }
}

#[test]
fn a_remote_whose_head_names_no_branch_is_told_of_at_the_clone() {
    let site = Site::with(&[("a.txt", "a\n")]);
    git(&site.remote(), &["branch", "--move", "main", "trunk"]);
    git(&site.remote(), &["symbolic-ref", "HEAD", "refs/heads/gone"]);
    let error = open(site.options("one")).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidOperation, "{error:?}");
    assert!(error.message().contains("`trunk`"), "{error:?}");
    assert!(error.advice().unwrap().contains(r#""branch": "trunk""#), "{error:?}");
    assert!(!site.path("one").exists());
    let mut options = site.options("one");
    options["branch"] = "trunk".into();
    open(options).unwrap();
    assert_eq!(read(&site.path("one"), "a.txt"), "a\n");
}

#[test]
fn branches_that_were_in_the_way_at_the_remote_give_way_here() {
    for (old, new) in [("feature", "feature/x"), ("feature/x", "feature")] {
        for packed in [false, true] {
            let site = Site::with(&[("a.txt", "a\n")]);
            let seed = site.path("elsewhere-seed");
            git(&seed, &["push", "--quiet", "origin", &format!("main:{old}")]);
            let mut options = site.options("one");
            options["branch"] = old.into();
            drop(open(options.clone()).unwrap());
            site.open("main");
            let (one, main) = (site.path("one"), site.path("main"));
            git(&main, &["fetch", "--quiet", "origin", "refs/heads/*:refs/remotes/origin/*"]);
            if packed {
                git(&one, &["pack-refs", "--all"]);
                git(&main, &["pack-refs", "--all"]);
            }
            git(&site.remote(), &["branch", "--move", old, new]);
            write(&seed, "b.txt", "b\n");
            git(&seed, &["add", "--all"]);
            git(&seed, &["commit", "--quiet", "--message", "b"]);
            git(&seed, &["push", "--quiet", "origin", &format!("HEAD:{new}")]);
            for name in ["main", "one"] {
                let mut options = site.options(name);
                options["branch"] = new.into();
                let backend =
                    open(options).unwrap_or_else(|error| panic!("{old} {packed} {name}: {error:?}"));
                assert_eq!(read(&site.path(name), "b.txt"), "b\n");
                assert_eq!(backend.sync(None).unwrap().sent, 0);
                assert_eq!(git(&site.path(name), &["status", "--porcelain"]), "");
            }
            // The branch of here that had to go is kept.
            let kept = git(&one, &["for-each-ref", "--format=%(refname)", "refs/f9/kept"]);
            assert!(kept.starts_with(&format!("refs/f9/kept/{old}/")), "{kept}");
            assert!(fs::metadata(one.join(".git/refs/f9")).is_ok());
            site.check(&["one", "main"]);
        }
    }
}
