//! The commands on conflicts.

use f9_host::{Backend, BackendPath, Content, Result};

use super::{args::Resolve, files::open_source, output::Output};

pub(crate) fn conflicts(backend: &Backend, output: &mut Output) -> Result<()> {
    backend.sync_backend()?.conflict_report()?.iter().try_for_each(|conflict| output.conflict(conflict))
}

pub(crate) fn resolve(backend: &Backend, args: &Resolve, output: &mut Output) -> Result<()> {
    let path = BackendPath::parse(&args.path)?;
    let sync = backend.sync_backend()?;
    if let Some(file) = &args.side.with {
        let info = sync.conflict_resolve(&path, Content::Reader(&mut *open_source(file)?))?;
        return output.info(&info);
    }
    if args.side.local { sync.conflict_accept_local(&path) } else { sync.conflict_accept_remote(&path) }
}
