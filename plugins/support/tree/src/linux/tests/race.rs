//! Racing: one winner, nothing lost, nothing mixed. Threads of this process and other processes, which are this test
//! binary run again.

use std::{
    collections::BTreeMap,
    io::Write,
    path::Path,
    process::{Child, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use f9_plugin_api::{CreateOptions, DeleteOptions, ErrorKind, FileBackend, UpdateMode};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{Place, RESOLVERS, child_directory, full, parse, run_again};
use crate::{Tree, TreeOptions};

fn tree_at(root: &Path) -> Tree {
    Tree::open(root, TreeOptions::default()).unwrap()
}

/// Creates every name, in an order of its own, and returns those that it got.
fn claim(tree: &Tree, names: u64, who: u64) -> Vec<u64> {
    let order = (0..names).map(|i| (i.wrapping_mul(7919) + who) % names);
    let won = order.filter(|i| {
        let content = format!("{who}");
        let created =
            tree.create(&parse(&format!("race/{i}")), content.as_bytes().into(), CreateOptions::default());
        match created {
            Ok(_) => true,
            Err(error) if error.is_already_exists() => false,
            Err(error) => panic!("{error:?}"),
        }
    });
    won.collect()
}

fn names() -> u64 {
    if full() { 10_000 } else { 500 }
}

#[test]
fn of_many_creators_exactly_one_gets_each_name() {
    let place = Place::new();
    let children: Vec<Child> = (0..4)
        .map(|who| {
            let mut command = run_again("race::child_claims", &place.at(""));
            command.env("F9_TREE_WHO", (100 + who).to_string()).stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut won: Vec<(u64, u64)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|who| {
                let tree = place.tree.clone();
                scope.spawn(move || (who, claim(&tree, names(), who)))
            })
            .collect();
        let results = threads.into_iter().map(|thread| thread.join().unwrap());
        results.flat_map(|(who, names)| names.into_iter().map(move |name| (name, who))).collect()
    });
    for (child, who) in children.into_iter().zip(100..) {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        let line = text.lines().find_map(|line| line.split_once("won:")).expect("the child reports").1;
        won.extend(line.split_whitespace().map(|name| (name.parse::<u64>().unwrap(), who)));
    }
    let winners: BTreeMap<u64, u64> = won.iter().copied().collect();
    assert_eq!(
        (won.len() as u64, winners.len() as u64),
        (names(), names()),
        "a name with two winners or none"
    );
    for (name, who) in &winners {
        assert_eq!(place.tree.t_read(&format!("race/{name}")).unwrap(), who.to_string());
    }
    let winning = winners.values().collect::<std::collections::BTreeSet<_>>().len();
    assert!(winning > 1, "there was no race");
    println!("{} names, 8 threads and 4 processes, {winning} of them won some", names());
}

/// Not a test of its own: what the children of the one above do.
#[test]
fn child_claims() {
    let Some(root) = child_directory() else { return };
    let who = std::env::var("F9_TREE_WHO").unwrap().parse().unwrap();
    let won = claim(&tree_at(&root), names(), who);
    println!("\nwon:{}", won.iter().map(|name| format!(" {name}")).collect::<String>());
}

#[test]
fn racing_appends_stay_together_and_none_is_lost() {
    let place = Place::new();
    place.tree.t_create("log", "", false).unwrap();
    let rounds = if full() { 5_000 } else { 200 };
    thread::scope(|scope| {
        for who in 0..8_u8 {
            let tree = &place.tree;
            scope.spawn(move || {
                for i in 0..rounds {
                    // Longer than a page now and then.
                    let mut line = vec![b'a' + who; 1 + (i * 131) % 9_000];
                    line.push(b'\n');
                    tree.update(&parse("log"), (&line).into(), UpdateMode::Append).unwrap();
                }
            });
        }
    });
    let content = place.tree.read(&parse("log")).unwrap();
    let mut counts = [0; 8];
    for line in content.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        assert!(line.iter().all(|byte| *byte == line[0]), "two appends are mixed");
        counts[usize::from(line[0] - b'a')] += 1;
    }
    assert_eq!(counts, [rounds; 8]);
}

#[test]
fn a_reader_meets_one_version_while_it_is_replaced() {
    let place = Place::new();
    let version = |letter: u8| vec![letter; 100_000 + 1_000 * usize::from(letter)];
    place.tree.create(&parse("f"), (&version(b'a')).into(), CreateOptions::default()).unwrap();
    let rounds = if full() { 5_000 } else { 150 };
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for i in 0..rounds {
                    let content = version(b'a' + (i % 20) as u8);
                    if i % 2 == 0 {
                        place.tree.update(&parse("f"), (&content).into(), UpdateMode::Replace).unwrap();
                    } else {
                        let options = CreateOptions::default().overwrite(true);
                        let mut writer = place.tree.open_write(&parse("f"), options).unwrap();
                        content.chunks(10_000).for_each(|piece| writer.write_all(piece).unwrap());
                        writer.commit().unwrap();
                    }
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..rounds {
                let content = place.tree.read(&parse("f")).unwrap();
                assert_eq!(content, version(content[0]));
            }
        });
    });
    assert_eq!(place.tree.t_list("/", true).unwrap(), ["f"]);
}

#[test]
fn creators_and_deleters_of_the_same_directories_do_not_trip_over_each_other() {
    let place = Place::new();
    let rounds = if full() { 20_000 } else { 400 };
    thread::scope(|scope| {
        for who in 0..2 {
            let tree = &place.tree;
            scope.spawn(move || {
                for i in 0..rounds {
                    let path = parse(&format!("a/b/c/{who}-{i}"));
                    match tree.create(&path, "x".into(), CreateOptions::default()) {
                        Ok(_) => {}
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Busy, "{error:?}"),
                    }
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..rounds {
                match place.tree.delete(&parse("a"), DeleteOptions::default().recursive(true)) {
                    Ok(()) => thread::yield_now(),
                    Err(error) => assert!(error.is_not_found() || error.is_retryable(), "{error:?}"),
                }
            }
        });
    });
}

#[test]
fn a_file_that_changes_places_with_a_directory_is_whole_or_an_error() {
    let place = Place::new();
    place.tree.t_create("f", "old", false).unwrap();
    place.tree.t_create("other/inside", "kept", false).unwrap();
    let (rounds, stop) = (if full() { 20_000 } else { 400 }, AtomicBool::new(false));
    let (mut done, mut refused) = (0, 0);
    thread::scope(|scope| {
        let (f, other) = (place.at("f"), place.at("other"));
        let stop = &stop;
        scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let _ = renameat_with(CWD, &f, CWD, &other, RenameFlags::EXCHANGE); // one may just be deleted
            }
        });
        for _ in 0..rounds {
            let tree = &place.tree;
            for result in [
                tree.t_replace("f", "new").map(drop),
                tree.t_create("f", "new", true).map(drop),
                tree.t_stream("f", &["n", "ew"], true).map(drop),
                tree.t_append("f", "").map(drop),
                tree.t_read("f").map(|content| assert!(["old", "new"].contains(&content.as_str()))),
                tree.t_list("f", true).map(|names| assert_eq!(names, ["f/inside"])),
                tree.t_read("other/inside").map(|content| assert_eq!(content, "kept")),
                tree.t_delete("f", false).and_then(|()| tree.t_create("f", "new", false).map(drop)),
            ] {
                use ErrorKind::{Busy, DirectoryNotEmpty, IsADirectory, NotADirectory};
                match result {
                    Ok(()) => done += 1,
                    Err(error) => {
                        refused += 1;
                        let kind = error.kind();
                        assert!(
                            matches!(kind, Busy | DirectoryNotEmpty | IsADirectory | NotADirectory),
                            "{error:?}"
                        );
                    }
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    println!("{done} done, {refused} refused");
    assert!(done > 0 && refused > 0);
    let names = place.tree.t_list("/", true).unwrap();
    assert!(
        [["f", "other", "other/inside"], ["f", "f/inside", "other"]]
            .contains(&[&names[0], &names[1], &names[2]])
    );
}

#[test]
fn a_directory_that_changes_places_with_a_link_to_one_is_a_directory_at_any_moment() {
    for resolver in RESOLVERS {
        let place = Place::with(TreeOptions::default(), resolver);
        for name in ["one/x/f", "other/x/f"] {
            place.tree.t_create(name, "same", false).unwrap();
        }
        place.link("other", "link");
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let (one, link) = (place.at("one"), place.at("link"));
                while !over.load(Ordering::Relaxed) {
                    renameat_with(CWD, &one, CWD, &link, RenameFlags::EXCHANGE).unwrap();
                }
            });
            let rounds = if full() { 100_000 } else { 4_000 };
            let failed = (0..rounds).find_map(|_| {
                let read = place.tree.t_read("one/x/f").and_then(|_| place.tree.t_info("one/x")).err();
                // One that is moved again and again is told as that.
                read.filter(|error| error.kind() != ErrorKind::Busy)
            });
            over.store(true, Ordering::Relaxed);
            assert!(failed.is_none(), "{resolver:?}: {failed:?}");
        });
    }
}
