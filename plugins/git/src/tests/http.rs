//! HTTP and HTTPS: everything that works by path, and everything a server can do wrong.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use f9_git_server::{Authority, Behaviour, HttpServer, Login};
use f9_plugin_api::{Error, ErrorKind, SyncFileBackend, serde_json::Value};

use super::{
    remotes,
    support::{Site, contains, git, open, read, write},
};

const LOGIN: Login = ("user", "p@ss:w/rd CANARY");

/// A site whose remote is reached through a server.
struct Web {
    site: Site,
    server: HttpServer,
    tls: bool,
}

impl Web {
    fn new(tls: bool) -> Self {
        let site = Site::with(&[("a.txt", "a\n")]);
        let authority = tls.then(Authority::new);
        if let Some(authority) = &authority {
            authority.write_pem(&site.path("ca.pem"));
        }
        let server = HttpServer::start(site.dir.path(), authority.as_ref(), Some(LOGIN));
        Self { site, server, tls }
    }

    fn options(&self, name: &str) -> Value {
        let mut options = self.site.options(name);
        options["remote_url"] = self.server.url("remote.git").into();
        options["username"] = LOGIN.0.into();
        options["password"] = LOGIN.1.into();
        if self.tls {
            options["ca_bundle"] = self.site.path("ca.pem").to_str().unwrap().into();
        }
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
        assert_no_canary(&error);
        error
    }
}

fn assert_no_canary(error: &Error) {
    let shown = format!("{error} {error:?} {:?} {:?}", error.advice(), error.causes().collect::<Vec<_>>());
    assert!(!shown.contains("CANARY") && !shown.contains("Q0FOQVJZ"), "{shown}");
}

#[test]
fn every_operation_works_over_http_and_https() {
    for tls in [false, true] {
        let web = Web::new(tls);
        remotes::every_operation_works(&web.site, |name| web.options(name));
    }
}

#[test]
fn calls_share_a_connection_and_ask_for_nothing_twice() {
    for tls in [false, true] {
        let web = Web::new(tls);
        let backend = open(web.options("one")).unwrap();
        let (connections, requests) = (web.server.connections(), web.server.seen().len());
        backend.pull().unwrap();
        assert_eq!(web.server.seen().len() - requests, 1, "{:?}", web.server.seen());
        write(&web.site.path("one"), "b.txt", "b\n");
        backend.push(None).unwrap();
        assert_eq!(web.server.seen().len() - requests, 3, "{:?}", web.server.seen());
        assert!(web.server.connections() - connections <= 1, "{}", web.server.connections());
    }
}

#[test]
fn branches_may_have_any_name() {
    let web = Web::new(false);
    remotes::branches_may_have_any_name(&web.site, |name| web.options(name));
}

#[test]
fn an_empty_remote_and_a_missing_branch_work_over_http() {
    let web = Web::new(false);
    git(web.site.dir.path(), &["init", "--quiet", "--bare", "--initial-branch=main", "empty.git"]);
    let mut options = web.options("one");
    options["remote_url"] = web.server.url("empty.git").into();
    let backend = open(options).unwrap();
    write(&web.site.path("one"), "a.txt", "a\n");
    assert_eq!(backend.push(None).unwrap().sent, 1);
    assert_eq!(git(&web.site.path("empty.git"), &["show", "main:a.txt"]), "a\n");
    let mut options = web.options("two");
    options["branch"] = "topic".into();
    let backend = open(options).unwrap();
    assert_eq!(read(&web.site.path("two"), "a.txt"), "a\n");
    // Its one commit is there already, on the other branch.
    assert_eq!(backend.push(None).unwrap().sent, 0);
    assert_eq!(git(&web.site.remote(), &["show", "topic:a.txt"]), "a\n");
}

#[test]
fn a_big_push_goes_through_a_file_and_arrives_whole() {
    let web = Web::new(true);
    remotes::a_big_push_arrives_whole(&web.site, |name| web.options(name));
    let left: Vec<_> =
        fs::read_dir(web.site.path("one")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn a_wrong_password_ends_after_one_try() {
    let web = Web::new(true);
    let error = web.refused(|options| options["password"] = "wrong CANARY".into());
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(error.advice().unwrap().contains("password"), "{error:?}");
    assert_eq!(web.server.seen().len(), 1);
    let error = web.refused(|options| {
        options.as_object_mut().unwrap().remove("password");
    });
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(error.advice().unwrap().contains("give `username` and `password`"), "{error:?}");
}

#[test]
fn refusals_of_a_server_are_told_apart() {
    let web = Web::new(false);
    for (behaviour, kind, words) in [
        (Behaviour::Refuse(403, "not you CANARY"), ErrorKind::PermissionDenied, "403"),
        (Behaviour::Refuse(403, "not\0you"), ErrorKind::PermissionDenied, "403"),
        (Behaviour::Refuse(404, ""), ErrorKind::RemoteRefused, "404"),
        (Behaviour::Refuse(429, ""), ErrorKind::RateLimited, "429"),
        (Behaviour::Refuse(503, "busy"), ErrorKind::Network, "503"),
        (Behaviour::Refuse(200, "<html>"), ErrorKind::RemoteRefused, "smart protocol"),
        (
            Behaviour::Redirect("http://user:CANARY@127.0.0.1:1/x".into()),
            ErrorKind::RemoteRefused,
            "redirect",
        ),
        (Behaviour::Cut, ErrorKind::Network, "broke off"),
        (Behaviour::Silent, ErrorKind::Timeout, "silent for 2 s"),
        (Behaviour::Stall(100), ErrorKind::Timeout, "silent for 2 s"),
    ] {
        web.server.behave(behaviour.clone());
        let mut options = web.options("refused");
        // The server's words may quote what it was sent; what it says of itself is no secret of ours.
        if !matches!(behaviour, Behaviour::Stall(_)) {
            options["password"] = "not you CANARY".into();
        }
        if kind == ErrorKind::Timeout {
            options["timeout"] = 2.into();
        }
        let error = web.refused(|given| *given = options);
        assert_eq!(error.kind(), kind, "{behaviour:?}: {error:?}");
        assert!(error.message().contains(words), "{behaviour:?}: {error:?}");
    }
}

/// The error of cloning from a server that answers with what `answer` makes of the request.
fn clone_from(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Error {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut request, mut piece) = (String::new(), [0; 4096]);
        while !request.contains("\r\n\r\n") {
            let read = stream.read(&mut piece).unwrap();
            assert!(read > 0, "{request}");
            request.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        }
        let body = answer(&request);
        let kind = "application/x-git-upload-pack-advertisement";
        let length = body.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
    });
    let site = Site::empty();
    let mut options = site.options("clone");
    options["remote_url"] = format!("http://127.0.0.1:{port}/x.git").into();
    options["username"] = LOGIN.0.into();
    options["password"] = LOGIN.1.into();
    let error = open(options).err().unwrap();
    server.join().unwrap();
    error
}

#[test]
fn a_server_that_quotes_its_request_shows_no_password() {
    let error = clone_from(|request| {
        let header =
            request.lines().find(|line| line.to_ascii_lowercase().starts_with("authorization:")).unwrap();
        let words = format!("ERR you said {header}, that is {}", LOGIN.1);
        format!("001e# service=git-upload-pack\n0000{:04x}{words}", words.len() + 4).into_bytes()
    });
    assert_no_canary(&error);
    assert!(!error.message().contains("dXNlcjpwQHNz"), "{error:?}");
    assert!(error.message().contains("Basic [redacted]"), "{error:?}");
}

#[test]
fn an_answer_that_is_not_gits_protocol_is_told() {
    for odd in ["0001 0002 0003zzzz", "001e# service=git-upload-pack\n0000zzzz"] {
        let error = clone_from(|_| odd.into());
        assert_eq!(error.kind(), ErrorKind::RemoteRefused, "{error:?}");
        assert!(error.message().contains("not git's protocol"), "{error:?}");
    }
}

#[test]
fn a_dripping_server_is_given_up() {
    let web = Web::new(false);
    web.server.behave(Behaviour::Drip);
    let error = web.refused(|options| options["timeout"] = 1.into());
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().contains("bytes in 5s"), "{error:?}");
}

#[test]
fn a_redirect_takes_no_password_to_another_host() {
    let web = Web::new(false);
    let thief = HttpServer::start(web.site.dir.path(), None, Some(LOGIN));
    web.server.behave(Behaviour::Redirect(thief.url("remote.git/info/refs?service=git-upload-pack")));
    let error = web.refused(|_| {});
    assert_eq!(error.kind(), ErrorKind::RemoteRefused);
    assert!(error.advice().unwrap().contains("redirects are not followed"), "{error:?}");
    assert!(thief.seen().is_empty());
}

#[test]
fn a_clone_whose_configuration_rewrites_addresses_gives_the_password_to_nobody_else() {
    let web = Web::new(false);
    let thief = HttpServer::start(web.site.dir.path(), None, None);
    let backend = open(web.options("one")).unwrap();
    for from in ["http://", "f9://remote/", "f9://"] {
        git(&web.site.path("one"), &["config", "--add", &format!("url.{}.insteadOf", thief.url("")), from]);
    }
    write(&web.site.path("one"), "b.txt", "b\n");
    assert_eq!(backend.push(None).unwrap_err().kind(), ErrorKind::InvalidOperation);
    assert_eq!(open(web.options("one")).unwrap().pull().unwrap_err().kind(), ErrorKind::InvalidOperation);
    assert!(thief.seen().is_empty(), "{:?}", thief.seen());
}

#[test]
fn an_unknown_authority_and_an_unreachable_server_are_told() {
    let web = Web::new(true);
    let error = web.refused(|options| {
        options.as_object_mut().unwrap().remove("ca_bundle");
    });
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(error.message().contains("certificate"), "{error:?}");
    assert!(web.server.seen().is_empty());
    let nobody = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let error =
        web.refused(|options| options["remote_url"] = format!("https://localhost:{port}/x.git").into());
    assert_eq!(error.kind(), ErrorKind::Network, "{error:?}");
}

#[test]
fn a_hook_and_a_protected_branch_refuse_in_their_own_words() {
    let web = Web::new(true);
    let backend = open(web.options("one")).unwrap();
    let hook = web.site.remote().join("hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\necho 'no pushing on Sundays' >&2\nexit 1\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    write(&web.site.path("one"), "b.txt", "b\n");
    let error = backend.push(None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RemoteRefused, "{error:?}");
    assert!(error.to_string().contains("no pushing on Sundays"), "{error}");
    fs::remove_file(&hook).unwrap();
    assert_eq!(backend.push(None).unwrap().sent, 1);
}

#[test]
fn the_password_is_in_nothing_that_is_stored() {
    let web = Web::new(false);
    let mut options = web.options("one");
    let fields = options.as_object_mut().unwrap();
    fields.remove("username");
    fields.remove("password");
    options["remote_url"] = web.server.url_with(("user", "p%40ss:w%2Frd%20CANARY"), "remote.git").into();
    let backend = open(options).unwrap();
    write(&web.site.path("one"), "b.txt", "b\n");
    backend.push(None).unwrap();
    backend.pull().unwrap();
    assert_eq!(web.server.seen()[0].authorization.as_deref(), Some("user:p@ss:w/rd CANARY"));
    let files = git(&web.site.path("one"), &["config", "--local", "--list"]);
    assert!(!files.contains("CANARY") && !files.contains("user:"), "{files}");
    // Plain, and as the header has it.
    assert!(!contains(&web.site.path("one"), &["CANARY", "dXNlcjpwQHNz"]));
}

/// A server that lists one branch, and then answers with `words` for ever; the error of cloning from it, and how long that
/// took.
fn clone_from_babbler(words: &'static [u8], timeout: u64) -> (Error, std::time::Duration) {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut request, mut piece) = (String::new(), [0; 4096]);
            while !request.contains("\r\n\r\n") {
                let Ok(read @ 1..) = stream.read(&mut piece) else { break };
                request.push_str(&String::from_utf8_lossy(&piece[..read]));
            }
            let kind = if request.starts_with("GET") { "advertisement" } else { "result" };
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-{kind}\r\nConnection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            if kind == "advertisement" {
                let line = format!("{} refs/heads/main\0side-band-64k ofs-delta\n", "1".repeat(40));
                let list = format!("001e# service=git-upload-pack\n0000{:04x}{line}0000", line.len() + 4);
                stream.write_all(list.as_bytes()).unwrap();
            } else {
                while stream.write_all(words).is_ok() {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
            }
        }
    });
    let site = Site::empty();
    let mut options = site.options("clone");
    options["remote_url"] = format!("http://127.0.0.1:{port}/x.git").into();
    options["timeout"] = timeout.into();
    let start = std::time::Instant::now();
    (open(options).err().unwrap(), start.elapsed())
}

#[test]
fn a_server_that_babbles_is_given_up() {
    let cases: [(&str, &[u8], u64); 3] = [
        ("acknowledging nothing for ever", b"0008NAK\n", 2),
        ("telling of progress for ever", b"0008NAK\n0010\x02Counting..\r0010\x02Counting..\r", 1),
        ("keeping alive for ever", b"0008NAK\n0005\x020005\x02", 1),
    ];
    for (what, words, timeout) in cases {
        let (error, took) = clone_from_babbler(words, timeout);
        let limit = std::time::Duration::from_secs(timeout * 5 + 5);
        assert!(took < limit, "{what}: {took:?}, {error:?}");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{what}: {error:?}");
    }
}
