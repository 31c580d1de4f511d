//! The commands that look at many files: `tree`, `glob`, `du`, `checksum`.

use std::collections::BTreeMap;

use f9_host::{
    BackendPath, ChecksumAlgorithm, ErrorKind, FileBackend, FileInfo, Glob, ListOptions, Result,
    serde_json::json,
};

use super::{
    failure::USAGE,
    output::Output,
    session::{Place, Session},
    sizes::human,
    terminal::one_line,
};

pub(crate) fn tree(path: &str, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let place = session.place(path)?;
    let mut infos = everything_below(&place, session, output)?;
    // By segments: what a directory holds comes right after it.
    infos.sort_by(|a, b| a.path.segments().cmp(b.path.segments()));
    if output.is_json() {
        return infos.iter().try_for_each(|info| output.entry(info));
    }
    output.line(format_args!("{}", one_line(&place.path.to_string())))?;
    let base = place.path.segments().count();
    let mut last_in: Vec<bool> = Vec::new();
    for (index, info) in infos.iter().enumerate() {
        let depth = info.path.segments().count().saturating_sub(base + 1);
        last_in.truncate(depth);
        last_in.push(is_last(&infos[index..], base + depth + 1));
        let (branch, above) = match last_in.split_last() {
            Some((true, above)) => ("└── ", above),
            Some((false, above)) => ("├── ", above),
            None => continue,
        };
        let stems: String = above.iter().map(|last| if *last { "    " } else { "│   " }).collect();
        output.tree_line(&format!("{stems}{branch}"), info)?;
    }
    Ok(())
}

/// Whether the first of these is the last entry of its directory; its path has `depth` segments.
fn is_last(infos: &[FileInfo], depth: usize) -> bool {
    let next = infos.iter().skip(1).map(|info| info.path.segments().count()).find(|&count| count <= depth);
    next != Some(depth)
}

pub(crate) fn glob(patterns: &[String], session: &Session<'_>, output: &mut Output) -> Result<()> {
    output.each(patterns, |pattern, output| {
        let place = session.place(pattern)?;
        let glob = match Glob::parse(place.path.as_str()) {
            Ok(glob) => glob,
            Err(error) => {
                output.end_with(USAGE);
                output.tell(&error);
                return Ok(());
            }
        };
        for found in glob.find(&*place.backend)? {
            session.cancel().check()?;
            match found {
                Ok(info) if place.is_dir && !info.is_dir() => {}
                Ok(info) => output.entry(&info)?,
                Err(error) => output.warn(&error),
            }
        }
        Ok(())
    })
}

pub(crate) fn du(path: &str, depth: Option<usize>, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let place = session.place(path)?.of_either()?;
    let info = place.backend.info(&place.path).map_err(|error| place.explain(error))?;
    if !info.is_dir() {
        return usage(&place.path, 1, info.size, output);
    }
    let base = place.path.segments().count();
    let mut totals = BTreeMap::from([(place.path.clone(), (0u64, 0u64))]);
    for info in everything_below(&place, session, output)? {
        if info.is_dir() {
            totals.entry(info.path.clone()).or_default();
        }
        let mut dir = info.path.parent().filter(|_| info.is_file());
        while let Some(here) = dir.filter(|dir| dir.segments().count() >= base) {
            let (files, bytes) = totals.entry(here.clone()).or_default();
            *files += 1;
            *bytes = bytes.saturating_add(info.size);
            dir = here.parent();
        }
    }
    let is_shown = |dir: &BackendPath| depth.is_none_or(|depth| dir.segments().count() <= base + depth);
    let shown = totals.iter().filter(|(dir, _)| is_shown(dir));
    shown.into_iter().try_for_each(|(dir, (files, bytes))| usage(dir, *files, *bytes, output))
}

fn usage(path: &BackendPath, files: u64, bytes: u64, output: &mut Output) -> Result<()> {
    let value = json!({"path": path, "files": files, "bytes": bytes});
    let shown = one_line(&path.to_string());
    output.either(
        &value,
        format_args!(
            "{:>8}  {files:>7} {}  {shown}",
            human(bytes),
            if files == 1 { "file " } else { "files" }
        ),
    )
}

pub(crate) fn checksum(
    paths: &[String],
    algorithm: ChecksumAlgorithm,
    session: &Session<'_>,
    output: &mut Output,
) -> Result<()> {
    output.each(paths, |path, output| {
        let place = session.place(path)?.of_file()?;
        let checksum = FileBackend::checksum(&*place.backend, &place.path, algorithm);
        let checksum = checksum.map_err(|error| place.explain_among(paths.len(), error))?;
        let value = json!({"path": place.path, "algorithm": algorithm.as_str(), "checksum": checksum});
        output.either(&value, format_args!("{checksum}  {}", one_line(path)))
    })
}

/// What can be described of all that a directory holds; the rest is told.
pub(crate) fn everything_below(
    place: &Place,
    session: &Session<'_>,
    output: &mut Output,
) -> Result<Vec<FileInfo>> {
    entries(place, ListOptions::default().recursive(true), session, output)
}

/// What can be described of a listing; the rest is told.
pub(crate) fn entries(
    place: &Place,
    options: ListOptions,
    session: &Session<'_>,
    output: &mut Output,
) -> Result<Vec<FileInfo>> {
    let mut infos = Vec::new();
    let listed = FileBackend::list(&*place.backend, &place.path, options);
    for entry in listed.map_err(|error| place.explain(error))? {
        session.cancel().check()?;
        match entry {
            Ok(info) => infos.push(info),
            Err(error) if error.kind() == ErrorKind::Panicked => return Err(error),
            Err(error) => output.warn(&error), // one that cannot be told does not hide the others
        }
    }
    Ok(infos)
}
