//! `live-check`: whether files keep their bytes in a live vector store, and synchronising works with them.
//!
//! All that it stores is below a directory of its own, and goes again whatever happens.

mod credentials;
mod report;
mod vault;
mod workflow;

use std::{num::NonZeroUsize, path::Path};

use clap::Args;
use f9_host::{Backend, CancelToken, Host, Result, serde_json::json};

use super::{output::Output, session::Session, sizes::human};

use report::Report;
use vault::Vault;
use workflow::Workflow;

#[derive(Debug, Args)]
#[command(
    after_help = "The API key and the store are taken from OPENAI_API_KEY and OPENAI_STORAGE_VAULT_ID, or asked for; or -c gives a whole connection. The repository is only read.\n\nExample:\n  f9 live-check https://example.com/notes.git"
)]
pub(crate) struct LiveCheck {
    /// The git repository whose files are stored: a URL or a path.
    #[arg(value_name = "REPOSITORY")]
    repository: String,
    /// Its branch; without one of this name, its default branch.
    #[arg(long, value_name = "NAME", default_value = "main")]
    branch: String,
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
    let vault = Vault::new(connection, args.jobs, session.cancel().clone(), progress);
    let mut report = Report::new(output);
    let mut outcome = report.step("open the store", || vault.look(session.host()));
    if outcome.is_ok() {
        outcome = check(args, session.host(), &vault, scratch.path(), &mut report);
        // With a host that nobody has asked to stop: after Ctrl-C, too, nothing is to stay. A second one ends it at once.
        let host = super::host(session.args(), &CancelToken::new(), &vault.progress);
        let cleaned = report.step("clean up", || vault.clean(&host));
        outcome = outcome.and(cleaned);
    }
    report.conclude(vault.directory(), outcome.as_ref().err())?;
    outcome
}

/// The steps, each of which needs those before it.
fn check(
    args: &LiveCheck,
    host: &Host,
    vault: &Vault,
    scratch: &Path,
    report: &mut Report<'_>,
) -> Result<()> {
    let mut observations = Vec::new();
    report.step("ask the service", || {
        observations = vault.observe(host)?;
        let answered = observations.iter().filter(|observation| observation["answer"].is_string()).count();
        Ok(format!("{answered} of {} questions answered", observations.len()))
    })?;
    observations.iter().try_for_each(|observation| report.observation(observation))?;

    let mut source = None;
    report.step("clone the repository", || {
        let opened = open_repository(args, host, &scratch.join("source"))?;
        let files = vault::files(&opened)?;
        let bytes = files.iter().map(|info| info.size).sum();
        source = Some(opened);
        Ok(format!("{} files, {}", files.len(), human(bytes)))
    })?;
    let Some(source) = source else { return Ok(()) };
    report.step("mirror it into the store", || vault.mirror(host, &source))?;
    report.step("see it in a listing from elsewhere", || vault.wait_for_listing(host, &source))?;
    report.step("compare every byte", || vault.compare(host, &source))?;
    report.step("mirror it again", || vault.mirror_again(host, &source))?;
    report.step("find a text by its words", || vault.search(host))?;

    let workflow = Workflow::new(host, scratch, vault.directory())?;
    report.step("push to a remote", || workflow.push(&source))?;
    report.step("pull a change of the remote", || workflow.pull())?;
    report.step("meet conflicts", || workflow.conflict())?;
    report.step("settle them", || workflow.resolve())?;
    report.step("sync both sides", || workflow.sync())?;
    report.step("mirror the result into the store", || vault.mirror(host, &workflow.here))?;
    report.step("see that in a listing from elsewhere", || vault.wait_for_listing(host, &workflow.here))?;
    report.step("compare every byte again", || vault.compare(host, &workflow.here))
}

fn open_repository(args: &LiveCheck, host: &Host, clone: &Path) -> Result<Backend> {
    host.open(json!({
        "backend": "git", "remote_url": args.repository, "branch": args.branch, "path": clone,
    }))
}
