//! SSH: everything that works by path, and everything that can be wrong with a key, a host or a server.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use f9_git_server::{KeyKind, SshBehaviour, SshServer, make_key};
use f9_plugin_api::{Error, ErrorKind, SyncFileBackend, serde_json::Value};

use super::{
    remotes,
    support::{Site, contains, open, read, write},
};

/// A site whose remote is reached through an SSH server.
struct Shell {
    site: Site,
    server: SshServer,
}

impl Shell {
    fn new() -> Self {
        Self::with(KeyKind::Ed25519, None, SshBehaviour::Serve)
    }

    fn with(kind: KeyKind, passphrase: Option<&str>, behaviour: SshBehaviour) -> Self {
        let site = Site::with(&[("a.txt", "a\n")]);
        let public = make_key(&site.path("id"), kind, passphrase);
        let server = SshServer::start(site.dir.path(), &public, behaviour);
        fs::write(site.path("known_hosts"), server.known_hosts()).unwrap();
        Self { site, server }
    }

    fn options(&self, name: &str) -> Value {
        let mut options = self.site.options(name);
        options["remote_url"] = self.server.url("remote.git").into();
        options["ssh_key_path"] = self.site.path("id").to_str().unwrap().into();
        options["known_hosts"] = self.site.path("known_hosts").to_str().unwrap().into();
        options
    }

    /// The error of cloning with these options, which must come soon and leave nothing.
    fn refused(&self, change: impl FnOnce(&mut Value)) -> Error {
        let mut options = self.options("refused");
        change(&mut options);
        let start = Instant::now();
        let error = open(options).err().expect("this was to be refused");
        assert!(start.elapsed() < Duration::from_secs(8), "{:?}: {error:?}", start.elapsed());
        assert!(!self.site.path("refused").exists(), "{error:?}");
        assert!(!format!("{error:?}").contains("CANARY"), "{error:?}");
        error
    }
}

#[test]
fn every_operation_works_over_ssh() {
    let shell = Shell::new();
    remotes::every_operation_works(&shell.site, |name| shell.options(name));
}

#[test]
fn one_session_serves_one_call_after_the_other() {
    let shell = Shell::new();
    let backend = open(shell.options("one")).unwrap();
    let logins = shell.server.connections();
    for round in ["b", "c", "d"] {
        write(&shell.site.path("one"), &format!("{round}.txt"), "x\n");
        assert_eq!(backend.sync(None).unwrap().sent, 1);
        assert_eq!(backend.pull().unwrap().received, 0);
    }
    // The clone was made by a connection of its own.
    assert_eq!(shell.server.connections() - logins, 1);
}

#[test]
fn a_session_that_the_server_has_ended_is_made_anew() {
    let shell = Shell::new();
    let backend = open(shell.options("one")).unwrap();
    for round in ["b", "c", "d"] {
        backend.pull().unwrap();
        let logins = shell.server.connections();
        shell.server.hang_up();
        write(&shell.site.path("one"), &format!("{round}.txt"), "x\n");
        assert_eq!(backend.push(None).unwrap().sent, 1);
        assert_eq!(shell.server.connections() - logins, 1);
    }
}

#[test]
fn a_refused_operation_leaves_a_session_for_the_next() {
    let shell = Shell::new();
    let (one, two) = (open(shell.options("one")).unwrap(), open(shell.options("two")).unwrap());
    write(&shell.site.path("one"), "b.txt", "b\n");
    one.push(None).unwrap();
    write(&shell.site.path("two"), "c.txt", "c\n");
    assert_eq!(two.push(None).unwrap_err().kind(), ErrorKind::RemoteMoved);
    fs::rename(shell.site.remote(), shell.site.path("moved.git")).unwrap();
    assert_eq!(two.sync(None).unwrap_err().kind(), ErrorKind::RemoteRefused);
    fs::rename(shell.site.path("moved.git"), shell.site.remote()).unwrap();
    assert_eq!(two.sync(None).unwrap().sent, 2);
    shell.site.check(&["one", "two"]);
}

#[test]
fn a_big_push_arrives_whole() {
    let shell = Shell::new();
    remotes::a_big_push_arrives_whole(&shell.site, |name| shell.options(name));
}

#[test]
fn keys_of_every_kind_work_with_and_without_a_passphrase() {
    let rsa = std::env::var_os("F9_FULL").is_some();
    if !rsa {
        println!("skipped for RSA, whose keys take long to make: set F9_FULL=1");
    }
    for kind in [KeyKind::Ed25519, KeyKind::Ecdsa, KeyKind::Rsa].into_iter().take(if rsa { 3 } else { 2 }) {
        for passphrase in [None, Some("CANARY phrase")] {
            let shell = Shell::with(kind, passphrase, SshBehaviour::Serve);
            let mut options = shell.options("one");
            if let Some(passphrase) = passphrase {
                options["ssh_key_passphrase"] = passphrase.into();
            }
            open(options).unwrap();
            assert_eq!(read(&shell.site.path("one"), "a.txt"), "a\n", "{kind:?}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_key_is_told() {
    let shell = Shell::with(KeyKind::Ed25519, Some("right CANARY"), SshBehaviour::Serve);
    let error = shell.refused(|_| {});
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(error.message().contains("is encrypted"), "{error:?}");
    let error = shell.refused(|options| options["ssh_key_passphrase"] = "wrong CANARY".into());
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(error.message().contains("passphrase"), "{error:?}");
    fs::write(shell.site.path("id"), "CANARY").unwrap();
    let error = shell.refused(|_| {});
    assert!(error.message().contains("no private key"), "{error:?}");
    fs::remove_file(shell.site.path("id")).unwrap();
    let error = shell.refused(|_| {});
    assert_eq!(error.kind(), ErrorKind::InvalidConnection);
    assert_eq!(error.context().next(), Some(("key", "ssh_key_path")));
    make_key(&shell.site.path("id"), KeyKind::Ed25519, None);
    let error = shell.refused(|_| {});
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(error.message().contains("does not accept the key"), "{error:?}");
}

#[test]
fn a_host_that_is_not_known_has_changed_or_is_revoked_is_refused() {
    let shell = Shell::new();
    let (line, other) = (shell.server.known_hosts(), Shell::new().server.known_hosts());
    let key = line.split_once(' ').unwrap().1;
    let changed = format!("[127.0.0.1]:{} {}", shell.server.port(), other.split_once(' ').unwrap().1);
    for (content, words) in [
        (String::new(), "is not in"),
        (changed, "has CHANGED"),
        (format!("{line}@revoked * {key}"), "is revoked"),
    ] {
        fs::write(shell.site.path("known_hosts"), content).unwrap();
        let error = shell.refused(|_| {});
        assert_eq!(error.kind(), ErrorKind::Authentication, "{words}: {error:?}");
        assert!(error.message().contains(words), "{words}: {error:?}");
        assert!(error.to_string().contains("fingerprint=SHA256:"), "{words}: {error}");
    }
    fs::write(shell.site.path("known_hosts"), format!("garbage\n127.0.0.1 {key}")).unwrap();
    open(shell.options("one")).unwrap();
}

#[test]
fn a_server_with_several_keys_shows_the_one_that_is_known() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let public = make_key(&site.path("id"), KeyKind::Ed25519, None);
    let server = SshServer::with_two_host_keys(site.dir.path(), &public);
    fs::write(site.path("known_hosts"), server.known_hosts()).unwrap();
    assert!(server.known_hosts().contains("ecdsa"));
    let shell = Shell { site, server };
    open(shell.options("one")).unwrap();
}

#[test]
fn what_ssh_needs_and_is_not_given_is_named() {
    let shell = Shell::new();
    for key in ["ssh_key_path", "known_hosts"] {
        let error = shell.refused(|options| drop(options.as_object_mut().unwrap().remove(key)));
        assert_eq!(
            (error.kind(), error.context().next()),
            (ErrorKind::InvalidConnection, Some(("key", key)))
        );
    }
    let error = shell.refused(|options| options["remote_url"] = "127.0.0.1:x.git".into());
    assert_eq!(error.context().next(), Some(("key", "username")));
}

#[test]
fn servers_that_do_not_play_along_are_given_up() {
    for (behaviour, kind) in [
        (SshBehaviour::Silent, ErrorKind::Timeout),
        (SshBehaviour::Drip, ErrorKind::Timeout),
        (SshBehaviour::Stall(100), ErrorKind::Timeout),
        (SshBehaviour::Deny, ErrorKind::Authentication),
    ] {
        let shell = Shell::with(KeyKind::Ed25519, None, behaviour);
        let error = shell.refused(|options| {
            if kind == ErrorKind::Timeout {
                options["timeout"] = 2.into();
            }
        });
        assert_eq!(error.kind(), kind, "{behaviour:?}");
    }
    let shell = Shell::new();
    let error = shell.refused(|options| options["remote_url"] = shell.server.url("no such.git").into());
    assert_eq!(error.kind(), ErrorKind::RemoteRefused, "{error:?}");
    let nobody = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let error =
        shell.refused(|options| options["remote_url"] = format!("ssh://git@127.0.0.1:{port}/x").into());
    assert_eq!(error.kind(), ErrorKind::Network, "{error:?}");
}

#[test]
fn branches_may_have_any_name() {
    let shell = Shell::new();
    remotes::branches_may_have_any_name(&shell.site, |name| shell.options(name));
}

#[test]
fn paths_with_odd_characters_reach_the_server() {
    let shell = Shell::new();
    for name in ["with space.git", "it's!.git"] {
        fs::rename(shell.site.remote(), shell.site.path(name)).unwrap();
        let mut options = shell.options(name.trim_end_matches(".git"));
        options["remote_url"] = shell.server.url(&name.replace(' ', "%20")).into();
        open(options).unwrap();
        fs::rename(shell.site.path(name), shell.site.remote()).unwrap();
    }
}

#[test]
fn a_hook_refuses_in_its_own_words_and_another_is_waited_for() {
    let shell = Shell::new();
    let backend = open(shell.options("one")).unwrap();
    let hook = |name: &str, script: &str| {
        let hook = shell.site.remote().join("hooks").join(name);
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        fs::write(&hook, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        hook
    };
    let refusing = hook("pre-receive", "echo 'no pushing on Sundays' >&2; exit 1");
    write(&shell.site.path("one"), "b.txt", "b\n");
    let error = backend.push(None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RemoteRefused, "{error:?}");
    assert!(error.to_string().contains("no pushing on Sundays"), "{error}");
    fs::remove_file(refusing).unwrap();
    hook("post-receive", "sleep 1; touch done");
    assert_eq!(backend.push(None).unwrap().sent, 1);
    assert!(shell.site.remote().join("done").exists());
}

#[test]
fn the_passphrase_is_in_nothing_that_is_stored() {
    let shell = Shell::with(KeyKind::Ed25519, Some("CANARY"), SshBehaviour::Serve);
    let mut options = shell.options("one");
    options["ssh_key_passphrase"] = "CANARY".into();
    let backend = open(options).unwrap();
    write(&shell.site.path("one"), "b.txt", "b\n");
    backend.push(None).unwrap();
    assert!(!contains(&shell.site.path("one"), &["CANARY"]));
}
