//! The contract of [`FileBackend`] as a test suite for any backend.
//!
//! Every sentence of the contract that can be observed through it is a [`Case`]: a small function with the sentence as its
//! [rule](Case::rule), run on a fresh root. Optional operations are chosen by what the backend declares: what is declared
//! must work, and what is not must answer [`Unsupported`](crate::ErrorKind::Unsupported).
//!
//! ```
//! use f9_plugin_api::conformance::{self, StrictMemory};
//!
//! conformance::run(|| Box::new(StrictMemory::new())).assert();
//! ```
//!
//! A case relies on nothing that the contract leaves open. Links cannot be made through the contract, so confinement is
//! for the backend's own tests.

mod capabilities;
mod check;
mod checksum;
mod copy;
mod create;
mod create_dir;
mod delete;
mod info;
mod list;
mod memory;
mod names;
mod open_read;
mod open_write;
mod paths;
mod read;
mod rename;
mod report;
mod search;
mod subject;
mod sync;
mod threads;
mod undeclared;
mod update;

use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{Capabilities, FileBackend};
use check::Checked;
use subject::Subject;

pub use memory::StrictMemory;
pub use report::{Outcome, Report, Verdict};

/// Runs every case and reports what was seen.
///
/// `open` gives a backend with a fresh, empty root at each call. A case that panics has failed, and the suite goes on.
pub fn run(open: impl Fn() -> Box<dyn FileBackend>) -> Report {
    let mut report = Report::default();
    for case in cases() {
        report.add(case, case.run(&open));
    }
    report
}

/// Every case, grouped by operation.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    GROUPS.iter().copied().flatten()
}

/// The case of this name, such as `create::makes_parents`.
pub fn case(name: &str) -> Option<&'static Case> {
    cases().find(|case| case.name == name)
}

const GROUPS: &[&[Case]] = &[
    capabilities::CASES,
    undeclared::CASES,
    paths::CASES,
    create::CASES,
    create_dir::CASES,
    read::CASES,
    update::CASES,
    delete::CASES,
    info::CASES,
    list::CASES,
    names::CASES,
    open_read::CASES,
    open_write::CASES,
    copy::CASES,
    rename::CASES,
    checksum::CASES,
    threads::CASES,
    sync::CASES,
    search::CASES,
];

/// One rule of the contract and how it is checked.
pub struct Case {
    name: &'static str,
    rule: &'static str,
    applies: Applies,
    check: fn(&Subject<'_>) -> Checked,
}

/// Which backends a case is for.
#[derive(Clone, Copy)]
enum Applies {
    Always,
    /// To those that declare this.
    Declared(Capabilities),
    /// To those that do not.
    Undeclared(Capabilities),
}

impl Case {
    /// The operation and what is checked of it.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The rule in the words of the contract.
    pub const fn rule(&self) -> &'static str {
        self.rule
    }

    /// The capability that a backend declares for this case to be about it.
    pub const fn declared(&self) -> Option<Capabilities> {
        if let Applies::Declared(needed) = self.applies { Some(needed) } else { None }
    }

    /// The capability that a backend does not declare for this case to be about it.
    pub const fn undeclared(&self) -> Option<Capabilities> {
        if let Applies::Undeclared(bit) = self.applies { Some(bit) } else { None }
    }

    /// Runs this case on a backend with a fresh, empty root.
    pub fn run(&self, open: impl Fn() -> Box<dyn FileBackend>) -> Verdict {
        caught(|| {
            let backend = open();
            match self.applies.reason_to_skip(backend.capabilities()) {
                Some(reason) => Verdict::Skipped(reason),
                None => self.verdict_on(&*backend),
            }
        })
    }

    /// The same whatever the backend declares: to see whether what is not declared works.
    pub fn run_regardless(&self, open: impl Fn() -> Box<dyn FileBackend>) -> Verdict {
        caught(|| self.verdict_on(&*open()))
    }

    fn verdict_on(&self, backend: &dyn FileBackend) -> Verdict {
        match (self.check)(&Subject(backend)) {
            Ok(()) => Verdict::Passed,
            Err(failure) => Verdict::Failed(failure.seen),
        }
    }
}

fn caught(body: impl FnOnce() -> Verdict) -> Verdict {
    catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|panic| Verdict::Failed(format!("a panic: {}", panic_text(&*panic))))
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("rule", &self.rule).finish()
    }
}

impl Applies {
    fn reason_to_skip(self, declared: Capabilities) -> Option<String> {
        match self {
            Self::Declared(needed) if !declared.contains(needed) => {
                Some(format!("`{}` is not declared", list(needed)))
            }
            Self::Undeclared(bit) if declared.contains(bit) => Some(format!("`{}` is declared", list(bit))),
            _ => None,
        }
    }
}

fn list(capabilities: Capabilities) -> String {
    capabilities.names().collect::<Vec<_>>().join(", ")
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
