//! `live-check`: whether files keep their bytes in a live vector store, and synchronising works with them.
//!
//! All that it stores is below a directory of its own, and goes again whatever happens.

mod credentials;
mod report;
mod vault;
mod workflow;

use std::{num::NonZeroUsize, path::Path};

use clap::Args;
use f9_host::{Backend, CancelToken, Connection, ErrorKind, Host, Result};

use super::{output::Output, session::Session, sizes::human};

use report::Report;
use vault::Vault;
use workflow::Workflow;

#[derive(Debug, Args)]
#[command(
    after_help = "The API key and the store are taken from OPENAI_API_KEY and OPENAI_STORAGE_VAULT_ID, or asked for; or -c gives a whole connection. The repository is only read.\n\nExample:\n  f9 live-check https://example.com/notes.git"
)]
pub(crate) struct LiveCheck {
    /// The git repository whose files are stored: a URL or a path; or for a key, a password or a certificate authority a
    /// connection to a git backend, as JSON, @FILE or NAME:. It is cloned anew, whatever its `path` is.
    #[arg(value_name = "REPOSITORY")]
    repository: String,
    /// Its branch, by default main or that of the connection; without one of this name, its default branch.
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// Check another server that speaks the service's protocol.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Work on so many files at the same time.
    #[arg(short = 'j', long, value_name = "N", default_value = "8")]
    jobs: NonZeroUsize,
}

pub(crate) fn run(args: &LiveCheck, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let connection = credentials::connection(args.base_url.as_deref(), session)?;
    let progress = output.progress().clone();
    progress.take();
    let scratch = tempfile::Builder::new().prefix("f9-live-check-").tempdir()?;
    let clone = scratch.path().join("source");
    let repository = credentials::repository(&args.repository, args.branch.as_deref(), &clone, session)?;
    let vault = Vault::new(connection, args.jobs, session.cancel().clone(), progress);
    let mut report = Report::new(output);
    // What costs nothing comes first: a typo is told at once.
    let mut source = None;
    let mut outcome =
        report.step("clone the repository", || clone_repository(&repository, session.host(), &mut source));
    let Some(source) = source.filter(|_| outcome.is_ok()) else {
        report.conclude(vault.directory(), outcome.as_ref().err())?;
        return outcome;
    };
    outcome = report.step("open the store", || vault.look(session.host()));
    if outcome.is_ok() {
        outcome = check(&source, session.host(), &vault, scratch.path(), &mut report);
        // With a host that nobody has asked to stop: after Ctrl-C, too, nothing is to stay. A second one ends it at once.
        let host = super::host(session.args(), &CancelToken::new(), &vault.progress);
        let cleaned = report.step("clean up", || vault.clean(&host));
        outcome = outcome.and(cleaned);
    }
    report.conclude(vault.directory(), outcome.as_ref().err())?;
    outcome
}

/// The steps. Nearly each needs those before it; what a step does not need does not keep it from being done.
fn check(
    source: &Backend,
    host: &Host,
    vault: &Vault,
    scratch: &Path,
    report: &mut Report<'_>,
) -> Result<()> {
    let mut observations = Vec::new();
    let asked = report.step("ask the service", || {
        observations = vault.observe(host)?;
        let answered = observations.iter().filter(|observation| observation["answer"].is_string()).count();
        Ok(format!("{answered} of {} questions answered", observations.len()))
    });
    let asked = unless_stopped(asked)?;
    observations.iter().try_for_each(|observation| report.observation(observation))?;

    report.step("mirror it into the store", || vault.mirror(host, source))?;
    report.step("see it in a listing from elsewhere", || vault.wait_for_listing(host, source))?;
    report.step("compare every byte", || vault.compare(host, source))?;
    report.step("mirror it again", || vault.mirror_again(host, source))?;
    let searched = unless_stopped(report.step("find a text by its words", || vault.search(host)))?;

    let workflow = Workflow::new(host, scratch, vault.directory())?;
    report.step("push to a remote", || workflow.push(source))?;
    report.step("pull a change of the remote", || workflow.pull())?;
    report.step("meet conflicts", || workflow.conflict())?;
    report.step("settle them", || workflow.resolve())?;
    report.step("sync both sides", || workflow.sync())?;
    report.step("mirror the result into the store", || vault.mirror(host, &workflow.here))?;
    report.step("see that in a listing from elsewhere", || vault.wait_for_listing(host, &workflow.here))?;
    report.step("compare every byte again", || vault.compare(host, &workflow.here))?;
    asked.and(searched)
}

/// The failure of a step that no other needs, for the end; but not where somebody asked to stop.
fn unless_stopped(outcome: Result<()>) -> Result<Result<()>> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::Cancelled => Err(error),
        outcome => Ok(outcome),
    }
}

fn clone_repository(repository: &Connection, host: &Host, source: &mut Option<Backend>) -> Result<String> {
    let opened = host.open(repository)?;
    let files = vault::files(&opened)?;
    let bytes = files.iter().map(|info| info.size).sum();
    *source = Some(opened);
    Ok(format!("{} files, {}", files.len(), human(bytes)))
}
