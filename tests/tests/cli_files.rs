//! The commands on several files, on one connection and between two.

use f9_tests::{shell::Shell, text};
use serde_json::{Value, json};

/// `one:` holds a small tree, `two:` nothing.
fn two() -> Shell {
    let shell = Shell::new(&["one", "two"]);
    shell.write("one/a.txt", "aaa");
    shell.write("one/dir/b.txt", "bb");
    shell.write("one/dir/deep/.c", "c");
    shell
}

fn objects(printed: &str) -> Vec<Value> {
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn cp_copies_a_file_to_a_path_or_into_a_directory() {
    let shell = two();
    assert_eq!(shell.ok(["cp", "one:a.txt", "one:copy.txt"]), "copy.txt: 3 bytes\n");
    assert_eq!(shell.ok(["cp", "one:a.txt", "two:x/y.txt"]), "x/y.txt: 3 bytes\n");
    assert_eq!(shell.ok(["cp", "one:a.txt", "two:"]), "a.txt: 3 bytes\n");
    assert_eq!(shell.ok(["cp", "one:a.txt", "two:x"]), "x/a.txt: 3 bytes\n");
    assert_eq!(shell.ok(["cp", "one:a.txt", "two:new/"]), "new/a.txt: 3 bytes\n");
    assert_eq!(
        shell.ok(["cp", "one:a.txt", "one:dir/b.txt", "two:both/"]),
        "both/a.txt: 3 bytes\nboth/b.txt: 2 bytes\n"
    );
    shell.write("one/a.txt", "later");
    assert!(shell.fails(["cp", "one:a.txt", "two:"], 4).starts_with("f9: two:a.txt: "));
    assert_eq!(shell.read("two/a.txt"), "aaa");
    shell.ok(["cp", "--overwrite", "one:a.txt", "two:"]);
    assert_eq!(shell.read("two/a.txt"), "later");
    assert!(shell.fails(["cp", "one:a.txt", "one:dir/b.txt", "two:none"], 5).contains("need a directory"));
    assert!(shell.fails(["cp", "--overwrite", "one:a.txt", "one:a.txt"], 5).contains("onto itself"));
    assert_eq!(shell.read("one/a.txt"), "later");
    assert!(shell.fails(["cp", "one:nope", "two:"], 3).contains("nope"));
}

#[test]
fn cp_of_a_directory_wants_to_be_asked_for() {
    let shell = two();
    assert!(shell.fails(["cp", "one:dir", "two:"], 5).contains("cp -r"));
    assert_eq!(shell.ok(["cp", "-r", "one:dir", "two:"]), "dir: copied 2 files (3 B), 0 unchanged\n");
    assert_eq!(shell.ok(["cp", "-r", "one:dir", "two:"]), "dir: copied 0 files (0 B), 2 unchanged\n");
    shell.ok(["cp", "-r", "one:dir", "two:renamed"]);
    shell.ok(["cp", "-r", "one:dir", "one:sibling"]);
    assert_eq!(shell.read("two/dir/deep/.c"), "c");
    assert_eq!(shell.read("two/renamed/b.txt"), "bb");
    assert_eq!(shell.read("one/sibling/b.txt"), "bb");
    assert!(shell.fails(["cp", "-r", "one:dir", "one:dir"], 5).contains("one within the other"));
}

#[test]
fn cp_of_a_directory_once_more_does_the_rest_and_leaves_alone_what_is_there() {
    let shell = two();
    shell.ok(["cp", "-r", "one:dir", "two:"]);
    let before = std::fs::metadata(shell.path("two/dir/b.txt")).unwrap().modified().unwrap();
    shell.ok(["delete", "two:dir/deep/.c"]);
    shell.ok(["cp", "-r", "one:dir", "one:a.txt", "two:"]);
    shell.ok(["cp", "-r", "--overwrite", "one:dir", "one:a.txt", "two:"]);
    assert_eq!(shell.ok(["cp", "-r", "one:a.txt", "two:"]), "a.txt: unchanged\n");
    assert_eq!(shell.read("two/dir/deep/.c"), "c");
    assert_eq!(std::fs::metadata(shell.path("two/dir/b.txt")).unwrap().modified().unwrap(), before);
    // What differs is kept unless it is to be replaced.
    shell.write("one/dir/b.txt", "xx");
    shell.write("one/a.txt", "xxx");
    assert!(shell.fails(["cp", "-r", "one:dir", "two:"], 9).contains("dir/b.txt"));
    shell.fails(["cp", "-r", "one:a.txt", "two:"], 4);
    assert_eq!((shell.read("two/dir/b.txt"), shell.read("two/a.txt")), ("bb".into(), "aaa".into()));
    shell.ok(["cp", "-r", "--overwrite", "one:dir", "one:a.txt", "two:"]);
    assert_eq!((shell.read("two/dir/b.txt"), shell.read("two/a.txt")), ("xx".into(), "xxx".into()));
    shell.fails(["cp", "-r", "one:a.txt", "one:a.txt"], 5);
}

#[test]
fn mv_leaves_nothing_behind_and_loses_nothing() {
    let shell = two();
    assert_eq!(shell.ok(["mv", "one:a.txt", "one:b/c.txt"]), "b/c.txt: 3 bytes\n");
    assert_eq!(shell.ok(["mv", "one:b/c.txt", "two:"]), "c.txt: 3 bytes\n");
    assert_eq!(shell.ok(["ls", "one:b"]), "");
    assert_eq!(shell.ok(["mv", "one:dir", "two:moved"]), "moved: directory\n");
    assert_eq!(shell.ok(["ls", "-R", "one:"]), "b/\n");
    assert_eq!(shell.ok(["ls", "-R", "two:moved"]), "moved/b.txt\nmoved/deep/\nmoved/deep/.c\n");
    shell.write("one/c.txt", "other");
    shell.fails(["mv", "one:c.txt", "two:"], 4);
    assert_eq!((shell.read("one/c.txt"), shell.read("two/c.txt")), ("other".into(), "aaa".into()));
    shell.ok(["mv", "--overwrite", "one:c.txt", "two:"]);
    assert_eq!(shell.read("two/c.txt"), "other");
    shell.fails(["mv", "two:", "one:x"], 5);
    shell.ok(["mv", "two:c.txt", "two:c.txt"]);
    assert_eq!(shell.read("two/c.txt"), "other");
}

#[test]
fn mv_onto_the_same_file_by_another_name_keeps_it() {
    let shell = two();
    let connection = json!({"backend": "local", "root": shell.path("one")});
    shell.write("connections.json", json!({"here": connection, "there": connection}).to_string());
    shell.fails(["mv", "here:a.txt", "there:a.txt"], 5);
    shell.fails(["mv", "--overwrite", "here:a.txt", "there:a.txt"], 5);
    assert_eq!(shell.read("one/a.txt"), "aaa");
    shell.fails(["mv", "--overwrite", "here:dir", "there:"], 5);
    assert_eq!((shell.read("one/dir/b.txt"), shell.read("one/dir/deep/.c")), ("bb".into(), "c".into()));
}

#[test]
fn mkdir_makes_directories_and_tells_of_each_that_it_cannot() {
    let shell = two();
    assert_eq!(shell.ok(["mkdir", "one:x/y", "one:z"]), "x/y: directory\nz: directory\n");
    let output = shell.run(["mkdir", "one:z", "one:w"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(9), "w: directory\n"));
    shell.fails(["mkdir", "one:z", "one:w"], 4);
    assert_eq!(shell.ok(["mkdir", "-p", "one:z"]), "z: directory\n");
    shell.fails(["mkdir", "-p", "one:a.txt"], 5);
}

#[test]
fn tree_draws_what_is_below() {
    let shell = two();
    shell.write("one/dir-2/x", "");
    let drawn =
        "/\n├── a.txt\n├── dir/\n│   ├── b.txt\n│   └── deep/\n│       └── .c\n└── dir-2/\n    └── x\n";
    assert_eq!(shell.ok(["tree", "one:"]), drawn);
    assert_eq!(shell.ok(["tree", "one:dir"]), "dir\n├── b.txt\n└── deep/\n    └── .c\n");
    assert_eq!(objects(&shell.ok(["--json", "tree", "one:dir"])).len(), 3);
}

#[test]
fn glob_means_the_same_wherever_it_starts() {
    let shell = two();
    assert_eq!(shell.ok(["glob", "one:**"]), "a.txt\ndir/\ndir/b.txt\ndir/deep/\ndir/deep/.c\n");
    assert_eq!(shell.ok(["glob", "one:**/*.txt"]), "a.txt\ndir/b.txt\n");
    assert_eq!(shell.ok(["glob", "one:*/?.[st]xt"]), "dir/b.txt\n");
    assert_eq!(shell.ok(["glob", "one:dir/*/*"]), "dir/deep/.c\n");
    assert_eq!(shell.ok(["glob", "one:**/{a,?}.{txt,md}"]), "a.txt\ndir/b.txt\n");
    assert_eq!(shell.ok(["glob", "one:*/deep/.c"]), "dir/deep/.c\n");
    assert_eq!(shell.ok(["glob", "one:dir/b.txt"]), "dir/b.txt\n");
    assert_eq!(shell.ok(["glob", "one:nope/**"]), "");
    assert_eq!(shell.ok(["glob", "one:a.txt/*"]), "");
    assert_eq!(objects(&shell.ok(["--json", "glob", "one:*.txt"]))[0]["size"], 3);
    // As a shell takes {a.txt,dir} apart.
    assert_eq!(shell.ok(["glob", "one:a.txt", "one:dir"]), "a.txt\ndir/\n");
    for (pattern, words) in [
        ("one:[a", "in the pattern, `[a` is not closed"),
        ("one:x/[z-a]", "the range `z-a` runs backwards; write `a-z`"),
        ("one:{a,dir/b}.txt", "alternatives hold no `/`"),
    ] {
        let errors = shell.fails(["glob", pattern], 2);
        assert!(errors.contains(words), "{errors}");
    }
}

#[test]
fn several_files_are_read_one_after_the_other_and_deleted_together() {
    let shell = two();
    assert_eq!(shell.ok(["read", "one:dir/b.txt", "one:a.txt"]), "bbaaa");
    shell.fails(["delete", "one:a.txt", "one:dir"], 9);
    assert_eq!(shell.ok(["ls", "-R", "one:"]), "dir/\ndir/b.txt\ndir/deep/\ndir/deep/.c\n");
    shell.ok(["delete", "-r", "one:dir/deep", "one:dir/b.txt"]);
    assert_eq!(shell.ok(["ls", "-R", "one:"]), "dir/\n");
}

#[test]
fn du_counts_every_file_once_in_each_directory_above_it() {
    let shell = two();
    let counted = |arguments: &[&str]| -> Vec<(String, u64, u64)> {
        let printed = shell.run(arguments);
        let number = |object: &Value, key: &str| object[key].as_u64().unwrap();
        let row =
            |o: &Value| (o["path"].as_str().unwrap().to_owned(), number(o, "files"), number(o, "bytes"));
        objects(text(&printed.stdout)).iter().map(row).collect()
    };
    assert_eq!(
        counted(&["--json", "du", "one:"]),
        [("".into(), 3, 6), ("dir".into(), 2, 3), ("dir/deep".into(), 1, 1)]
    );
    assert_eq!(counted(&["--json", "du", "-d", "0", "one:dir"]), [("dir".into(), 2, 3)]);
    assert_eq!(counted(&["--json", "du", "one:a.txt"]), [("a.txt".into(), 1, 3)]);
    shell.write("one/big", vec![0; 1_500_000]);
    assert_eq!(shell.ok(["du", "-d0", "one:"]), " 1.4 MiB        4 files  /\n");
    shell.fails(["du", "one:nope"], 3);
}

#[test]
fn checksums_read_as_other_tools_write_them() {
    let shell = two();
    shell.write("one/empty", "");
    assert_eq!(
        shell.ok(["checksum", "one:empty"]),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  one:empty\n"
    );
    assert_eq!(
        shell.ok(["checksum", "-a", "md5", "one:empty"]),
        "d41d8cd98f00b204e9800998ecf8427e  one:empty\n"
    );
    let object = &objects(&shell.ok(["--json", "checksum", "--algorithm", "blake3", "one:empty"]))[0];
    assert_eq!((&object["path"], &object["algorithm"]), (&json!("empty"), &json!("blake3")));
    assert!(shell.fails(["checksum", "-a", "crc", "one:empty"], 2).contains("crc"));
    let output = shell.run(["checksum", "one:nope", "one:empty"]);
    assert_eq!((output.status.code(), text(&output.stdout).lines().count()), (Some(9), 1));
}

#[test]
fn a_long_listing_has_sizes_for_people() {
    let shell = two();
    shell.write("one/big", vec![0; 12_345]);
    let listing = shell.ok(["ls", "-l", "one:"]);
    let columns: Vec<Vec<&str>> = listing.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((columns[0][0], columns[0][1], columns[0][4]), ("3", "B", "a.txt"));
    assert_eq!((columns[1][0], columns[1][1]), ("12", "KiB"));
    assert!(columns[0][3].ends_with('Z') && columns[0][3].len() == 9, "{listing}");
    assert_eq!((columns[2][0], columns[2][3]), ("-", "dir/"));
}
