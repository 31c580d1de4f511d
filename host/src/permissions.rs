//! Who can replace a plugin's file: whoever can, decides what code runs here.
//!
//! The rule is that of OpenSSH for the files it trusts (`StrictModes`): the file and every directory on the way to it belong
//! to root or to the user, and nobody else may write to them. Links are followed step by step, so that what they lead
//! through is held to the same. As there, it ends where it would prove nothing:
//!
//! - Whoever can replace the running program need not replace a plugin. So the directories that the program itself lies
//!   below are not looked at, the program's owner counts as trusted, and permissions that the program's own file gives
//!   away are not held against a plugin.
//! - A group of which only the user is a member is the user (a `umask` of 002 is usual there), as `/etc/passwd` and
//!   `/etc/group` have it.
//! - In a directory with the sticky bit (`/tmp`) only the owner of an entry can replace it. On the way it will do; as
//!   the directory that is searched it will not, because anybody could put a file there.
//!
//! Elsewhere than on Unix nothing is checked.

#[cfg(unix)]
mod accounts;
#[cfg(unix)]
mod unix;

#[cfg(unix)]
pub(crate) use unix::{check, check_dir};

/// Nothing is known of permissions here.
#[cfg(not(unix))]
pub(crate) fn check(_: &std::path::Path) -> Result<(), crate::Refusal> {
    Ok(())
}

/// Nothing is known of permissions here.
#[cfg(not(unix))]
pub(crate) fn check_dir(_: &std::path::Path) -> Result<(), crate::Refusal> {
    Ok(())
}
