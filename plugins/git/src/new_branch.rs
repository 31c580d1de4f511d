//! A branch that the remote lacks is made there. It may be meant, or a typing error: whoever makes one is told.

use f9_plugin_api::{Context, Error, ErrorKind, Result, log, nearest};
use git2::Repository;

use crate::{
    errors::{clean, name_some},
    options::Settings,
    transport::Transport,
};

/// Warns that the connection's branch is new at the remote, which has others; `fate` says what becomes of it.
pub(crate) fn warn(
    transport: &dyn Transport,
    near: &Repository,
    settings: &Settings,
    context: &Context,
    fate: &str,
) {
    // What the remote has is asked for to help, and nothing depends on it.
    let others = transport.branches(near, context).unwrap_or_else(|error| {
        log::debug!("the remote's branches are not known: {error}");
        Vec::new()
    });
    let others: Vec<_> =
        others.iter().map(|name| clean(name)).filter(|name| *name != settings.branch).collect();
    match others.is_empty() {
        true => log::info!("the branch `{}` is the remote's first, and {fate}", settings.branch),
        false => log::warn!("{}", words(&settings.branch, &others, fate)),
    }
}

/// Refuses to begin a history of its own beside those that the remote has: neither the branch is there, nor the one that its
/// HEAD names.
pub(crate) fn refuse_unrelated(
    transport: &dyn Transport,
    near: &Repository,
    settings: &Settings,
    context: &Context,
) -> Result<()> {
    let others: Vec<_> = transport.branches(near, context)?.iter().map(|name| clean(name)).collect();
    let Some(first) = others.first() else { return Ok(()) };
    let names = || others.iter().map(String::as_str);
    let likely = nearest(&settings.branch, names()).unwrap_or(first);
    let message = format!(
        "the remote has no branch `{}`, and none that its HEAD names; it has {}",
        settings.branch,
        name_some(names())
    );
    Err(Error::new(ErrorKind::InvalidOperation, message).with("reason", "no-branch").hint(format!(
        r#"name one of them in the connection ("branch": "{likely}"), or `git symbolic-ref HEAD refs/heads/{likely}` at the remote"#
    )))
}

fn words(branch: &str, others: &[String], fate: &str) -> String {
    let others = || others.iter().map(String::as_str);
    let meant = nearest(branch, others()).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    format!(
        "the branch `{branch}` is new at the remote, which has {}, and {fate}{meant}",
        name_some(others())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_branch_that_was_meant_is_named() {
        let others = ["main".to_owned(), "release/1".to_owned()];
        assert_eq!(
            words("mian", &others, "is now published"),
            "the branch `mian` is new at the remote, which has `main`, `release/1`, and is now published; did you mean \
             `main`?"
        );
        assert!(words("topic", &others, "is now published").ends_with("is now published"));
    }
}
