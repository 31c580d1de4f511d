//! A plugin that is wrong in the way its connection names: it breaks a rule of the contract, ends its process, or does to
//! it what a plugin must not do.

#[path = "../../plugin-api/tests/mutants/kinds/mod.rs"]
mod kinds;

use std::{process, sync::Mutex, thread, time::Duration};

use f9_plugin_api::{
    BackendPath, Capabilities, Context, DeleteOptions, FileBackend, Plugin, Result, Secret, export_plugin,
    log, schemars, serde,
};

use kinds::{
    mutant::{Mutant, Ops, RIGHT},
    rows,
};

struct MutantPlugin;

/// What is wrong. Without an option, nothing is.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(crate = "f9_plugin_api::serde")]
#[schemars(crate = "f9_plugin_api::schemars")]
struct Options {
    /// The number of a backend among the mutants of the suite.
    number: Option<usize>,
    /// What it does instead of deleting.
    deed: Option<Deed>,
    /// Does it when it is opened, too.
    #[serde(default)]
    early: bool,
    /// Logged when a file is deleted.
    told: Option<Secret>,
    #[serde(default)]
    #[expect(dead_code, reason = "neither described nor marked as a secret, which has to be noticed")]
    old_password: String,
}

/// What a plugin can do to its process.
#[derive(Clone, Copy, serde::Deserialize, schemars::JsonSchema)]
#[serde(crate = "f9_plugin_api::serde", rename_all = "snake_case")]
#[schemars(crate = "f9_plugin_api::schemars")]
enum Deed {
    Abort,
    Devour,
    /// Not with a code that tells of a failure.
    Exit,
    Overflow,
    Hang,
    Print,
    PrintNoise,
    GoElsewhere,
    SetVariable,
}

impl Plugin for MutantPlugin {
    const NAME: &'static str = "mutant";
    const CAPABILITIES: Capabilities = Capabilities::all();
    type Options = Options;
    type Backend = Mutant;

    fn open(options: Options, _: Context) -> Result<Mutant> {
        let deed = options.deed;
        *DEED.lock().unwrap() = deed;
        *TOLD.lock().unwrap() = options.told;
        if options.early {
            deed.iter().for_each(Deed::run);
        }
        let ops = match options.number {
            Some(number) => rows()[number].2,
            None => Ops { delete, ..RIGHT },
        };
        Ok(Mutant::new(ops))
    }
}

export_plugin!(MutantPlugin);

/// For the one backend that is open.
static DEED: Mutex<Option<Deed>> = Mutex::new(None);
static TOLD: Mutex<Option<Secret>> = Mutex::new(None);

fn delete(mutant: &Mutant, path: &BackendPath, options: DeleteOptions) -> Result<()> {
    if let Some(told) = &*TOLD.lock().unwrap() {
        log::debug!("deleting with {}", told.expose());
    }
    let deed = *DEED.lock().unwrap();
    deed.iter().for_each(Deed::run);
    mutant.inner.delete(path, options)
}

impl Deed {
    fn run(&self) {
        match self {
            Self::Abort => process::abort(),
            Self::Devour => drop((0..4).map(|_| Vec::<u8>::with_capacity(1 << 30)).collect::<Vec<_>>()),
            Self::Exit => process::exit(0),
            Self::Overflow => drop(overflow(1)),
            Self::Hang => thread::sleep(Duration::from_secs(3600)),
            Self::Print => println!("deleting"),
            Self::PrintNoise => eprint!("{}", "\u{1b}[2J{\"outcome\":\"passed\"}\n".repeat(100_000)),
            Self::GoElsewhere => std::env::set_current_dir("/").unwrap(),
            // SAFETY: what verifies this plugin has one thread that reads the environment, and it waits for this call.
            Self::SetVariable => unsafe { std::env::set_var("F9_TEST_MUTANT", "was here") },
        }
    }
}

/// Needs more room than any stack has.
fn overflow(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 1 << 16]);
    if room[0] == u64::MAX { 0 } else { overflow(depth + 1) + room[room.len() - 1] }
}
