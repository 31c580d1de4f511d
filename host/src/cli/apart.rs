//! Whether what is brought from one connection to another stays apart from where it comes from.

use std::path::PathBuf;

use f9_host::{BackendPath, Error, ErrorKind, Result, lies_within};

use super::session::{Place, Session};

/// Refuses to bring something into itself: to the very file, or to a place within the directory, that it comes from. With
/// `deletes` the other way round as well: what is deleted at the destination would be gone at the source.
pub(crate) fn check(
    source: &Place,
    (destination, to): (&Place, &BackendPath),
    deletes: bool,
    session: &Session<'_>,
) -> Result<()> {
    if std::rc::Rc::ptr_eq(&source.backend, &destination.backend) {
        return Ok(()); // paths tell
    }
    let at = |roots: Vec<PathBuf>, path: &BackendPath| -> Vec<PathBuf> {
        roots.into_iter().map(|root| root.join(path.as_str())).collect()
    };
    let here = at(session.directories(&source.prefix)?, &source.path);
    let there = at(session.directories(&destination.prefix)?, to);
    for from in here.iter().filter(|from| from.exists()) {
        for to in &there {
            let nearest = to.ancestors().find(|above| above.exists());
            let is_into_itself = nearest.is_some_and(|nearest| lies_within(nearest, from));
            if is_into_itself || deletes && to.exists() && lies_within(from, to) {
                let message = match from.is_file() {
                    true => "source and destination are the same file; nothing was done",
                    false => "the two lie one within the other; nothing was done",
                };
                return Err(Error::new(ErrorKind::InvalidOperation, message)
                    .with("source", from.display())
                    .with("destination", to.display())
                    .hint("choose places that do not contain each other"));
            }
        }
    }
    Ok(())
}
