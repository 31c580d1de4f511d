//! `cp` and `mv`.

use clap::Args;
use f9_host::{
    BackendPath, Capabilities, ChecksumAlgorithm, Content, CopyOptions, CreateOptions, DeleteOptions, Error,
    ErrorKind, Existing, FileBackend, FileInfo, Links, ListOptions, MirrorOptions, Result, SteadyReader,
    serde_json::json,
};

use super::{
    apart,
    choice::Choice,
    files::Labelled,
    mirror,
    output::Output,
    progress::Watched,
    session::{Place, Session, named},
    stop::Stoppable,
    terminal::one_line,
};

#[derive(Debug, Args)]
#[command(
    after_help = "With -r, what is there already with the same content is left alone: after a broken run, run it again. A file\nkeeps its executable bit within one connection; from one to another modes and times are not kept.\n\nExamples:\n  f9 cp notes:today.txt backup:\n  f9 cp -r notes:2026 backup:notes"
)]
pub(crate) struct Copy {
    /// What is copied.
    #[arg(value_name = "[NAME:]FROM")]
    from: String,
    /// More of it, and last where to: a directory that exists, or a path that ends with /, takes it in.
    #[arg(value_name = "[NAME:]TO", required = true)]
    others: Vec<String>,
    /// Directories too, with all they hold.
    #[arg(short, long)]
    recursive: bool,
    /// Replace files that exist.
    #[arg(long)]
    overwrite: bool,
    /// With -r: what becomes of links to directories, or to nothing: skip or error.
    #[arg(long, value_name = "HOW", default_value = "error", value_parser = mirror::links())]
    links: Links,
    #[command(flatten)]
    choice: Choice,
}

#[derive(Debug, Args)]
#[command(
    after_help = "From one connection to another it copies, and then deletes what was copied; modes and times are not kept then.\n\nExample:\n  f9 mv notes:today.txt notes:2026/may.txt"
)]
pub(crate) struct Move {
    /// What is moved.
    #[arg(value_name = "[NAME:]FROM")]
    from: String,
    /// More of it, and last where to: a directory that exists, or a path that ends with /, takes it in.
    #[arg(value_name = "[NAME:]TO", required = true)]
    others: Vec<String>,
    /// Replace files that exist.
    #[arg(long)]
    overwrite: bool,
}

pub(crate) fn cp(args: &Copy, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let (sources, destination) = places(&args.from, &args.others, session)?;
    let takes_in = takes_in(&destination, sources.len() > 1)?;
    if !args.choice.is_empty() && !args.recursive {
        return Err(Error::new(ErrorKind::InvalidOperation, "files are chosen among those of a directory")
            .hint("add -r, or leave out --include, --exclude and their like"));
    }
    output.each(&sources, |source, output| {
        let info = described(source)?;
        let to = target(source, &destination, takes_in)?;
        apart::check(source, (&destination, &to), false, session)?;
        if !info.is_dir() {
            if args.recursive && is_there((source, &info), &destination, &to)? {
                let value = json!({"action": "none", "path": to, "size": info.size});
                return output.summary(&value, format_args!("{}: unchanged", one_line(&to.to_string())));
            }
            let info = copy_file((source, &info), &destination, &to, args.overwrite, session, output)?;
            return output.done(&info);
        }
        if !args.recursive {
            return Err(source.named(
                Error::new(ErrorKind::IsADirectory, "it is a directory")
                    .at(&source.path)
                    .hint("copy it with all it holds: cp -r"),
            ));
        }
        let existing = if args.overwrite { Existing::CompareChecksum } else { Existing::RefuseDifferent };
        let options = MirrorOptions::default()
            .existing(existing)
            .links(args.links)
            .filter(args.choice.filter()?)
            .cancel(session.cancel().clone());
        let report = mirror::bring(source, (&destination, &to), &options, output)?;
        mirror::summarise(&format!("{}: ", one_line(&to.to_string())), &report, &options, output)
    })
}

pub(crate) fn mv(args: &Move, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let (sources, destination) = places(&args.from, &args.others, session)?;
    let takes_in = takes_in(&destination, sources.len() > 1)?;
    output.each(&sources, |source, output| {
        source.path.split()?; // the root stays where it is
        let info = described(source)?;
        let to = target(source, &destination, takes_in)?;
        apart::check(source, (&destination, &to), false, session)?;
        let same_backend = std::rc::Rc::ptr_eq(&source.backend, &destination.backend);
        if same_backend && source.path == to {
            return output.done(&info); // onto itself: nothing changes
        }
        if same_backend && info.is_dir() && to.starts_with(&source.path) {
            let error = Error::new(ErrorKind::InvalidOperation, "a directory cannot be moved into itself");
            return Err(source.named(error.at(&source.path).hint("name another place")));
        }
        if same_backend && source.backend.own_capabilities().contains(Capabilities::RENAME) {
            let options = CopyOptions::default().overwrite(args.overwrite);
            let renamed = FileBackend::rename(&*source.backend, &source.path, &to, options);
            return output.done(&renamed.map_err(|error| taken(&destination, error, &to))?);
        }
        if info.is_dir() {
            // Never left alone because it is the same: it may be the same file, which is deleted next.
            let existing = if args.overwrite { Existing::Replace } else { Existing::Refuse };
            return move_tree(source, &destination, &to, existing, session, output);
        }
        let moved = copy_file((source, &info), &destination, &to, args.overwrite, session, output)?;
        delete_unchanged(source, &info)?;
        output.done(&moved)
    })
}

fn places(from: &String, others: &[String], session: &Session<'_>) -> Result<(Vec<Place>, Place)> {
    let (last, more) = others.split_last().ok_or_else(|| {
        Error::new(ErrorKind::InvalidOperation, "there is no destination").hint("name it last")
    })?;
    let sources: Result<_> = [from].into_iter().chain(more).map(|text| session.place(text)).collect();
    Ok((sources?, session.place(last)?))
}

/// Whether the destination is a directory that takes things in.
fn takes_in(destination: &Place, several: bool) -> Result<bool> {
    let is_dir = match destination.backend.info(&destination.path) {
        Ok(info) => info.is_dir(),
        Err(error) if error.is_not_found() => false,
        Err(error) => return Err(destination.named(error)),
    };
    if several && !is_dir && !destination.is_dir {
        let error = Error::new(ErrorKind::NotADirectory, "several things need a directory to go to")
            .at(&destination.path)
            .hint("create it, or write a / after it");
        return Err(destination.named(error));
    }
    Ok(is_dir || destination.is_dir)
}

/// Where exactly something goes: into a directory, or to the path itself.
fn target(source: &Place, destination: &Place, takes_in: bool) -> Result<BackendPath> {
    match source.path.name() {
        Some(name) if takes_in => destination.path.join(name),
        _ => Ok(destination.path.clone()),
    }
}

/// Whether the destination has the same content already, as after an earlier run.
fn is_there((source, info): (&Place, &FileInfo), destination: &Place, to: &BackendPath) -> Result<bool> {
    if std::rc::Rc::ptr_eq(&source.backend, &destination.backend) && source.path == *to {
        return Ok(false); // that is the file itself
    }
    let there = match destination.backend.info(to) {
        Err(error) if error.is_not_found() => return Ok(false),
        there => there?,
    };
    if !there.is_file() || there.size != info.size {
        return Ok(false);
    }
    let algorithm = ChecksumAlgorithm::default();
    let here = source.backend.checksum(&source.path, algorithm)?;
    Ok(here == destination.backend.checksum(to, algorithm)?)
}

fn copy_file(
    (source, info): (&Place, &FileInfo),
    destination: &Place,
    to: &BackendPath,
    overwrite: bool,
    session: &Session<'_>,
    output: &Output,
) -> Result<FileInfo> {
    if std::rc::Rc::ptr_eq(&source.backend, &destination.backend) {
        if source.path == *to {
            return Err(Error::new(ErrorKind::InvalidOperation, "a file cannot be copied onto itself").at(to));
        }
        let options = CopyOptions::default().overwrite(overwrite);
        let copied = FileBackend::copy(&*source.backend, &source.path, to, options);
        return copied.map_err(|error| taken(destination, error, to));
    }
    let options = CreateOptions::default().overwrite(overwrite);
    let what = format!("{}{}", source.prefix, source.path);
    let (mut before, mut attempt) = (info.clone(), 1);
    loop {
        let steady = SteadyReader::open_as(&*source.backend, &source.path, before);
        let mut steady = steady.map_err(|error| source.named(error))?;
        let (path, prefix) = (source.path.clone(), source.prefix.clone());
        let inner =
            Labelled { inner: &mut steady, label: move |error: Error| named(&prefix, error.at(&path)) };
        let inner = Stoppable { inner, cancel: session.cancel().clone() };
        let mut reader = Watched::new(inner, output.progress(), what.clone(), Some(info.size));
        let created = FileBackend::create(&*destination.backend, to, Content::reader(&mut reader), options);
        drop(reader);
        match created {
            Err(_) if steady.has_changed() && attempt < SteadyReader::ATTEMPTS => attempt += 1,
            created => return created.map_err(|error| taken(destination, error, to)),
        }
        before = source.backend.info(&source.path).map_err(|error| source.named(error))?;
    }
}

/// What is at the source.
fn described(source: &Place) -> Result<FileInfo> {
    let info = source.backend.info(&source.path).map_err(|error| source.explain(error));
    info.and_then(|info| source.check_slash(&info).map(|()| info)).map_err(|error| source.named(error))
}

/// An error at the destination, with what to do if something is there already.
fn taken(destination: &Place, error: Error, to: &BackendPath) -> Error {
    destination.named(destination.explain_taken(error, to, false, "--overwrite replaces it"))
}

/// Copies a directory, and deletes what has arrived and has not changed since.
fn move_tree(
    source: &Place,
    destination: &Place,
    to: &BackendPath,
    existing: Existing,
    session: &Session<'_>,
    output: &mut Output,
) -> Result<()> {
    // Listed before copying: what comes or changes later is not as it is here, and stays.
    let options = ListOptions::default().recursive(true);
    let entries: Result<Vec<_>> = FileBackend::list(&*source.backend, &source.path, options)?.collect();
    let mut entries = entries?;
    let options = MirrorOptions::default().existing(existing).cancel(session.cancel().clone());
    let report = mirror::bring(source, (destination, to), &options, output)?;
    if !report.is_complete() {
        let what = format!("{}{}: not moved: ", source.prefix, one_line(&source.path.to_string()));
        return mirror::summarise(&what, &report, &options, output);
    }
    entries.sort_by(|a, b| b.path.cmp(&a.path));
    for info in &entries {
        session.cancel().check()?;
        if info.is_dir() { delete(source, &info.path)? } else { delete_unchanged(source, info)? }
    }
    delete(source, &source.path)?;
    output.done(&destination.backend.info(to)?)
}

/// Deletes the source of a file that was copied, unless it changed meanwhile: also if both are one file under two names, it
/// has changed now.
fn delete_unchanged(source: &Place, before: &FileInfo) -> Result<()> {
    if source.backend.info(&before.path)? != *before {
        let error = Error::new(ErrorKind::Busy, "it changed while it was copied, so it was not deleted")
            .at(&before.path)
            .hint("compare it with the copy, and delete one of them");
        return Err(source.named(error));
    }
    delete(source, &before.path)
}

fn delete(source: &Place, path: &BackendPath) -> Result<()> {
    let deleted = FileBackend::delete(&*source.backend, path, DeleteOptions::default());
    deleted.map_err(|error| source.named(error))
}
