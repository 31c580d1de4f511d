//! The process with the plugin: does one check after the other as it is told, until something ends it.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::File,
    io::{self, BufRead, BufReader, Write},
    os::fd::AsFd,
    path::Path,
    process,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, channel},
    },
    thread,
};

use f9_plugin_api::{
    Error, ErrorKind, FileBackend, Result,
    conformance::{self, Case, Verdict},
};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde::Serialize;
use serde_json::Value;

use super::{
    Outcome,
    checks::{Answered, CHECKS, Opened, PASSED, answered},
    surroundings::{SECRETS, Surroundings},
    wire::{Answer, Loaded, Request},
};
use crate::{Connection, Host, redaction::is_secret};

/// More than this nobody reads.
const MAX_SEEN: usize = 2000;

/// More memory than this no check needs, but a listing without end.
const MAX_MEMORY: u64 = 2 << 30;

/// Loads a plugin into this process and checks it for the process that started this one with the arguments that
/// [`Verifier::run`](super::Verifier::run) added. It ends with that process.
///
/// Standard input and output are the connection to it; they are taken away before the plugin is loaded, so that whatever a
/// plugin reads and prints does no harm.
///
/// # Errors
///
/// [`InvalidOperation`](ErrorKind::InvalidOperation) if it was not started by a verifying process.
pub fn serve(arguments: impl IntoIterator<Item = OsString>) -> Result<()> {
    let usage = || Error::new(ErrorKind::InvalidOperation, "only `verify` starts this");
    let arguments: Vec<_> = arguments.into_iter().collect();
    let [file, name] = &arguments[..] else { return Err(usage()) };
    let name = name.to_str().ok_or_else(usage)?.parse()?;
    let (requests, mut answers) = take_over_stdio()?;
    limit_resources();
    // A case that panics has failed, which its answer tells.
    std::panic::set_hook(Box::new(|_| {}));

    let before = Surroundings::observe();
    let secrets = Secrets::default();
    let logged = secrets.clone();
    let host = Host::builder()
        .no_default_dirs()
        .on_log(log::LevelFilter::Trace, move |record| logged.look_at(&record.args().to_string()))
        .build();
    let plugin = match host.load_file(Path::new(file), &name) {
        Ok(plugin) => plugin,
        Err(refusal) => return send(&mut answers, &Loaded::Refused(refusal.to_string())),
    };
    send(&mut answers, &Loaded::Plugin(plugin.manifest().clone()))?;
    let schema = plugin.schema().unwrap_or_default();
    for line in requests {
        let request: Request = serde_json::from_str(&line).map_err(|_| usage())?;
        let connection = Connection::try_from(request.connection)?.exposed_in(request.exposed_in);
        secrets.learn(&connection, &schema);
        let opened = Opened::new(&plugin, &connection);
        let (outcome, seen) = check(&opened, &request.check, request.regardless);
        let seen = seen.map(|seen| secrets.hide(&seen).chars().take(MAX_SEEN).collect());
        let mut misdeeds = Surroundings::observe().changes_since(&before);
        misdeeds.extend(secrets.told().map(|seen| (SECRETS.to_owned(), seen)));
        let wrong_connection = opened.is_wrong_connection();
        send(&mut answers, &Answer { outcome, seen, wrong_connection, misdeeds })?;
    }
    Ok(())
}

fn check(opened: &Opened<'_>, name: &str, regardless: bool) -> Answered {
    if let Some(own) = CHECKS.iter().find(|check| check.name == name) {
        return (own.run)(opened);
    }
    match conformance::case(name) {
        Some(case) => check_case(case, opened, regardless),
        None => answered(Outcome::Failed, "there is no such check"),
    }
}

fn check_case(case: &Case, opened: &Opened<'_>, regardless: bool) -> Answered {
    let backend = match opened.open_empty() {
        Ok(backend) => backend,
        Err(seen) => return answered(Outcome::Failed, seen),
    };
    let open = || Box::new(backend.clone()) as _;
    let verdict = if regardless { case.run_regardless(open) } else { case.run(open) };
    let (first, later) = (backend.own_capabilities(), FileBackend::capabilities(&backend));
    match verdict {
        Verdict::Passed if first != later => answered(
            Outcome::Failed,
            format!("it declares {first:?} when opened, and {later:?} after this case"),
        ),
        Verdict::Passed => PASSED,
        Verdict::Failed(seen) => answered(Outcome::Failed, seen),
        Verdict::Skipped(reason) => answered(Outcome::Skipped, reason),
    }
}

fn send(answers: &mut File, answer: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(answer).map_err(io::Error::from)?;
    line.push(b'\n');
    Ok(answers.write_all(&line)?)
}

/// What goes wrong here stays here: no memory that others need is taken, and no image of it left in their directory.
fn limit_resources() {
    for (resource, most) in [(Resource::Core, 0), (Resource::Data, MAX_MEMORY)] {
        let mut limit = getrlimit(resource);
        limit.current = Some(limit.maximum.map_or(most, |maximum| maximum.min(most)));
        // Where that is not to be had, the checks are the same.
        let _ = setrlimit(resource, limit);
    }
}

/// Keeps what standard input and output lead to for this process's own use. In their place the plugin finds an empty input,
/// and as output whatever standard error is.
fn take_over_stdio() -> Result<(Receiver<String>, File)> {
    let requests = BufReader::new(File::from(io::stdin().as_fd().try_clone_to_owned()?));
    let answers = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    rustix::stdio::dup2_stdin(File::open("/dev/null")?).map_err(io::Error::from)?;
    rustix::stdio::dup2_stdout(io::stderr()).map_err(io::Error::from)?;
    let (sender, receiver) = channel();
    thread::Builder::new().spawn(move || {
        for line in requests.lines().map_while(std::result::Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
        // Nobody waits for an answer any more, not even for that of a check that hangs.
        process::exit(0);
    })?;
    Ok((receiver, answers))
}

/// The values that must not be told, and whether they were.
#[derive(Clone, Default)]
struct Secrets(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    values: BTreeSet<(String, String)>,
    told: Option<String>,
}

impl Secrets {
    /// Takes note of the connection's secrets. Short ones would be found in anything.
    fn learn(&self, connection: &Connection, schema: &Value) {
        let Ok(options) = connection.resolved_options(|| Ok(schema.clone())) else { return };
        let secret = |(key, value): (String, Value)| match value {
            Value::String(value) if value.len() >= 6 && is_secret(&schema["properties"][&key]) => {
                Some((key, value))
            }
            _ => None,
        };
        self.lock().values.extend(options.into_iter().filter_map(secret));
    }

    fn look_at(&self, text: &str) {
        let mut known = self.lock();
        if let Some((key, _)) = known.values.iter().find(|(_, value)| text.contains(value)) {
            known.told = Some(format!("the value of `{key}` was logged"));
        }
    }

    /// The text without them.
    fn hide(&self, text: &str) -> String {
        let mut known = self.lock();
        let mut hidden = text.to_owned();
        for (key, value) in known.values.clone() {
            if hidden.contains(&value) {
                known.told = Some(format!("the value of `{key}` stands in an error"));
                hidden = hidden.replace(&value, "[redacted]");
            }
        }
        hidden
    }

    fn told(&self) -> Option<String> {
        self.lock().told.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
