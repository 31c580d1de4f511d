//! The optional part `SyncFileBackend`, as far as it can be seen without a remote.

use super::{
    Applies, Case,
    check::{Checked, Failure, cases, ensure},
    subject::Subject,
};
use crate::{BackendPath, Capabilities, Content, ErrorKind, SyncFileBackend};

pub(super) const CASES: &[Case] = cases! {
    "sync", Applies::Declared(Capabilities::SYNC);
    without_conflicts_the_report_is_empty: "The open conflicts, ordered by path; none is an empty list.";
    only_an_open_conflict_can_be_settled: "NotFound if there is no open conflict at `path`.";
};

fn sync<'a>(s: &'a Subject<'_>) -> Checked<&'a dyn SyncFileBackend> {
    s.0.as_sync().ok_or_else(|| Failure { seen: "`sync` is declared, and `as_sync` is None".to_owned() })
}

fn without_conflicts_the_report_is_empty(s: &Subject<'_>) -> Checked {
    s.create("file", "x").done()?;
    let report = sync(s)?.conflict_report();
    ensure!(matches!(&report, Ok(list) if list.is_empty()), "the report on a fresh root is {report:?}");
    Ok(())
}

fn only_an_open_conflict_can_be_settled(s: &Subject<'_>) -> Checked {
    s.create("file", "kept").done()?;
    let sync = sync(s)?;
    s.unchanged_by(|| {
        for path in ["file", "missing"].into_iter().filter_map(|path| BackendPath::parse(path).ok()) {
            let answers = [
                sync.conflict_accept_local(&path),
                sync.conflict_accept_remote(&path),
                sync.conflict_resolve(&path, Content::from("x")).map(drop),
            ];
            for answer in answers {
                let kind = answer.map_err(|error| error.kind());
                ensure!(kind == Err(ErrorKind::NotFound), "settling no conflict at {path} answers {kind:?}");
            }
        }
        Ok(())
    })
}
