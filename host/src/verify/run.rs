//! The run of the checks: one after the other, each in the process that is left of the one before, or in a new one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use f9_plugin_api::{
    Capabilities, Error, ErrorKind, Result,
    conformance::{self, Case},
    nearest,
};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    Check, Outcome, Verification, Verifier,
    checks::{Answered, CHECKS, OPENS, PASSED, answered},
    plugin_name,
    process::{Process, Silence},
    setup::{self, Setup},
    surroundings::{PRINTS, RULES},
    wire::{Answer, Loaded, Request},
};

const NAMED: (&str, &str) =
    ("library::is_named_for_its_plugin", "The file is called as hosts look for it, `libf9_backend_NAME.so`.");
const LOADS: (&str, &str) =
    ("library::loads", "A host loads the library: it is a plugin for this ABI and machine.");

/// So many checks in a row that do not end are enough.
const PATIENCE: usize = 3;

/// How much of what was printed is told.
const PRINTED: u64 = 500;

pub(super) fn run(
    verifier: &Verifier,
    start: &dyn Fn() -> Command,
    each: impl FnMut(&Check),
) -> Result<Verification> {
    verifier.only.iter().try_for_each(|only| is_a_check(only))?;
    let mut run = Run::new(verifier, start, each)?;
    run.library()?;
    for check in CHECKS {
        run.request(check.name, check.rule)?;
    }
    for case in conformance::cases() {
        run.request(case.name(), case.rule())?;
    }
    run.manners();
    Ok(run.finish())
}

/// A name that no check begins with is a typo: what it was to ask for would not be checked.
fn is_a_check(only: &str) -> Result<()> {
    let names = || {
        let own = CHECKS.iter().map(|check| check.name);
        let cases = conformance::cases().map(Case::name);
        [NAMED.0, LOADS.0].into_iter().chain(own).chain(cases).chain(RULES.map(|(name, _)| name))
    };
    if names().any(|name| name.starts_with(only)) {
        return Ok(());
    }
    let groups: BTreeSet<_> = names().filter_map(|name| Some(name.split_once("::")?.0)).collect();
    let error = Error::new(ErrorKind::InvalidConnection, format!("no check is called `{only}`"));
    Err(match nearest(only, names().chain(groups.iter().copied())) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("they begin with {}", Vec::from_iter(groups).join(", "))),
    })
}

struct Run<'a, F> {
    verifier: &'a Verifier,
    start: &'a dyn Fn() -> Command,
    each: F,
    // What runs in the directories ends before they go: in this order.
    process: Option<Process>,
    setup: Option<Setup>,
    /// Holds the fresh directories.
    scratch: TempDir,
    directories: usize,
    printed: PathBuf,
    began: Instant,
    /// Why no further check is run.
    stopped: Option<String>,
    timed_out: usize,
    /// What the plugin did to its process: by the name of the check, the first that was seen.
    misdeeds: BTreeMap<String, String>,
    report: Verification,
}

impl<'a, F: FnMut(&Check)> Run<'a, F> {
    fn new(verifier: &'a Verifier, start: &'a dyn Fn() -> Command, each: F) -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("f9-verify-").tempdir()?;
        let printed = scratch.path().join("printed");
        File::create(&printed)?;
        Ok(Self {
            verifier,
            start,
            each,
            process: None,
            setup: None,
            scratch,
            directories: 0,
            printed,
            began: Instant::now(),
            stopped: None,
            timed_out: 0,
            misdeeds: BTreeMap::new(),
            report: Verification { file: verifier.file.clone(), ..Verification::default() },
        })
    }

    /// The file itself: its name, and whether it can be loaded.
    fn library(&mut self) -> Result<()> {
        let began = Instant::now();
        let named = match plugin_name(&self.verifier.file) {
            Ok(name) if name == *self.verifier.connection.backend() => PASSED,
            _ => answered(
                Outcome::Warned,
                format!("no host that looks for `{}` finds this file", self.verifier.connection.backend()),
            ),
        };
        if self.is_wanted(NAMED.0) {
            self.add(NAMED, named, began);
        }
        let began = Instant::now();
        let loads = match self.load()? {
            Ok(()) => PASSED,
            Err(answer) => {
                self.stopped.get_or_insert_with(|| "the plugin cannot be loaded".to_owned());
                answer
            }
        };
        // Without it the report would not tell why there is nothing else in it.
        if self.is_wanted(LOADS.0) || loads != PASSED {
            self.add(LOADS, loads, began);
        }
        Ok(())
    }

    /// Starts a process with the plugin.
    fn load(&mut self) -> Result<Result<(), Answered>> {
        let mut command = (self.start)();
        command.arg(&self.verifier.file).arg(self.verifier.connection.backend().as_str());
        let printed = OpenOptions::new().append(true).open(&self.printed)?;
        let mut process = Process::start(command, printed)?;
        let loaded = process.answer(self.time_left(), &self.verifier.cancel)?;
        Ok(match loaded {
            Ok(Loaded::Plugin(manifest)) => {
                self.report.plugin = Some(manifest);
                self.process = Some(process);
                self.notice_print(LOADS.0)?;
                Ok(())
            }
            Ok(Loaded::Refused(why)) => Err(answered(Outcome::Failed, why)),
            Err(silence) => Err(self.silence(silence, "while it was loaded")?),
        })
    }

    /// Has a check done, and adds it to the report.
    fn request(&mut self, name: &'static str, rule: &'static str) -> Result<()> {
        if !self.is_wanted(name) && name != OPENS {
            return Ok(());
        }
        let began = Instant::now();
        let answer = match &self.stopped {
            Some(why) => answered(Outcome::Skipped, format!("not run: {why}")),
            None if self.is_time_up() => self.cut_short(),
            None => self.ask(name)?,
        };
        let cannot_go_on = self.report.wrong_connection.is_some() || name == OPENS && answer.0.is_failure();
        if cannot_go_on && self.stopped.is_none() {
            self.stopped = Some("the connection does not open an empty backend".to_owned());
        }
        self.timed_out = if answer.0 == Outcome::TimedOut { self.timed_out + 1 } else { 0 };
        if self.timed_out >= PATIENCE {
            self.finish_early(format!("{PATIENCE} checks in a row did not end"));
        }
        if self.is_wanted(name) || answer != PASSED {
            self.add((name, rule), answer, began);
        }
        Ok(())
    }

    fn ask(&mut self, name: &str) -> Result<Answered> {
        let answer = self.ask_once(name, false)?;
        let undeclared = conformance::case(name).and_then(Case::undeclared);
        match undeclared {
            Some(capability) if answer.0 == Outcome::Failed => self.judge_undeclared(capability, answer),
            _ => Ok(answer),
        }
    }

    /// What is not declared answers something else than that it is unsupported: if it works, the author may declare it.
    fn judge_undeclared(&mut self, capability: Capabilities, answer: Answered) -> Result<Answered> {
        let cases: Vec<_> =
            conformance::cases().filter(|case| case.declared() == Some(capability)).map(Case::name).collect();
        for name in &cases {
            let again = self.ask_once(name, true)?;
            if self.stopped.is_some() {
                return Ok(again);
            }
            if again.0 != Outcome::Passed {
                return Ok(answer);
            }
        }
        let capability = capability.names().collect::<Vec<_>>().join(", ");
        let seen = format!("`{capability}` works, as {} cases tell, and is not declared", cases.len());
        Ok(answered(Outcome::Warned, seen))
    }

    fn ask_once(&mut self, name: &str, regardless: bool) -> Result<Answered> {
        let Some(connection) = self.fresh_connection()? else { return Ok(self.cut_short()) };
        if self.process.is_none()
            && let Err(answer) = self.load()?
        {
            return Ok(answer);
        }
        let timeout = self.time_left();
        let Some(process) = &mut self.process else {
            return Ok(answered(Outcome::Skipped, "there is no process"));
        };
        let exposed_in = self.verifier.connection.exposing_file().map(PathBuf::from);
        process.send(&Request { check: name.to_owned(), connection, exposed_in, regardless })?;
        match process.answer::<Answer>(timeout, &self.verifier.cancel)? {
            Ok(answer) => {
                self.notice_print(name)?;
                for (misdeed, seen) in answer.misdeeds {
                    self.misdeeds.entry(misdeed).or_insert_with(|| format!("{seen} (during {name})"));
                }
                if answer.wrong_connection {
                    self.report.wrong_connection.clone_from(&answer.seen);
                }
                Ok((answer.outcome, answer.seen))
            }
            Err(silence) => {
                self.process = None;
                self.silence(silence, "")
            }
        }
    }

    fn silence(&mut self, silence: Silence, when: &str) -> Result<Answered> {
        // What it says at its end, such as that its stack is full, is no breach of manners.
        let last_words = self.new_print()?;
        let last_words = last_words.map(|text| format!("; it printed {text:?}")).unwrap_or_default();
        let when = if when.is_empty() { String::new() } else { format!(" {when}") };
        Ok(match silence {
            Silence::Ended(how) => answered(Outcome::Crashed, format!("{how}{when}{last_words}")),
            Silence::TimedOut if self.is_time_up() => self.cut_short(),
            Silence::TimedOut => {
                let timeout = self.verifier.check_timeout;
                answered(Outcome::TimedOut, format!("no answer within {timeout:?}{when}{last_words}"))
            }
        })
    }

    /// What the process now lacks or has, that it should not: told once, at the end.
    fn manners(&mut self) {
        for (name, rule) in RULES {
            if !self.is_wanted(name) {
                continue;
            }
            let answer = match (self.misdeeds.remove(name), &self.stopped) {
                (Some(seen), _) => answered(Outcome::Failed, seen),
                (None, Some(why)) => answered(Outcome::Skipped, format!("not run to the end: {why}")),
                (None, None) => PASSED,
            };
            self.add((name, rule), answer, Instant::now());
        }
    }

    fn finish(mut self) -> Verification {
        let is_skipped = |check: &Check| check.outcome == Outcome::Skipped;
        if self.report.unfinished.is_none() && self.report.checks.iter().all(is_skipped) {
            self.report.unfinished =
                Some("what was asked for is not for this plugin or connection".to_owned());
        }
        Verification { took: self.began.elapsed(), ..self.report }
    }

    fn is_time_up(&self) -> bool {
        self.began.elapsed() >= self.verifier.timeout
    }

    /// There is no time for this check, which says nothing of the plugin.
    fn cut_short(&mut self) -> Answered {
        let why = format!("{:?} for all checks were up", self.verifier.timeout);
        self.finish_early(why.clone());
        answered(Outcome::Skipped, format!("not run to the end: {why}"))
    }

    fn finish_early(&mut self, why: String) {
        self.report.unfinished = Some(why.clone());
        self.stopped = Some(why);
    }

    fn add(&mut self, (name, rule): (&str, &str), (outcome, seen): Answered, began: Instant) {
        let seconds = began.elapsed().as_secs_f64();
        let check = Check { name: name.to_owned(), rule: rule.to_owned(), outcome, seen, seconds };
        (self.each)(&check);
        self.report.checks.push(check);
    }

    fn is_wanted(&self, name: &str) -> bool {
        let only = &self.verifier.only;
        only.is_empty() || only.iter().any(|start| name.starts_with(start))
    }

    fn time_left(&self) -> Duration {
        self.verifier.check_timeout.min(self.verifier.timeout.saturating_sub(self.began.elapsed()))
    }

    fn notice_print(&mut self, during: &str) -> Result<()> {
        if let Some(text) = self.new_print()? {
            self.misdeeds.entry(PRINTS.to_owned()).or_insert_with(|| format!("{text:?} (during {during})"));
        }
        Ok(())
    }

    /// The start of what was printed since this was last asked.
    fn new_print(&mut self) -> Result<Option<String>> {
        let mut file = OpenOptions::new().read(true).write(true).open(&self.printed)?;
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        (&mut file).take(PRINTED).read_to_end(&mut text)?;
        // It is appended to, so what comes next is at the start again.
        file.set_len(0)?;
        Ok((!text.is_empty()).then(|| String::from_utf8_lossy(&text).trim_end().to_owned()))
    }

    /// The connection, with a directory that nobody else has where it wants one; `None` if the time for all is up.
    fn fresh_connection(&mut self) -> Result<Option<Value>> {
        let directory = self.scratch.path().join(self.directories.to_string());
        self.directories += 1;
        std::fs::create_dir(&directory)?;
        self.setup = None; // ends what was for the check before
        if let Some(command) = &self.verifier.setup {
            let said = self.scratch.path().join("said");
            self.setup = Setup::run(command, &directory, &said, self.time_left(), &self.verifier.cancel)?;
            if self.setup.is_none() && self.is_time_up() {
                return Ok(None);
            }
            if self.setup.is_none() {
                return Err(setup::failed(&format!(
                    "it did not end within {:?}",
                    self.verifier.check_timeout
                )));
            }
        }
        let text = directory.to_str().ok_or_else(|| {
            Error::new(ErrorKind::InvalidPath, "the directory for temporary files is not called in UTF-8")
                .at(directory.display())
        })?;
        let mut connection = self.verifier.connection.to_json();
        fill_in(&mut connection, text);
        Ok(Some(connection))
    }
}

fn fill_in(value: &mut Value, directory: &str) {
    match value {
        Value::String(text) if text.contains("{dir}") => *text = text.replace("{dir}", directory),
        Value::Array(items) => items.iter_mut().for_each(|item| fill_in(item, directory)),
        Value::Object(object) => object.values_mut().for_each(|item| fill_in(item, directory)),
        _ => {}
    }
}
