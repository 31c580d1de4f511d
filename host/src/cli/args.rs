//! What can be typed.

use std::{ffi::OsString, path::PathBuf};

use clap::{ArgAction, Args as ClapArgs, Parser, Subcommand};

const EXIT_CODES: &str = "\
Exit codes:
  0  done                     5  invalid operation or path
  1  any other error          6  conflict with the remote
  2  wrong usage, connection  7  network or remote (authentication, timeout, refused)
  3  not found                8  plugin (not found, refused, panicked)
  4  already exists

Example:
  f9 -c '{\"backend\": \"local\", \"root\": \"data\"}' create notes/today.txt 'hello world'";

/// Files of any storage: a connection names a backend, a plugin opens it.
#[derive(Debug, Parser)]
#[command(name = "f9", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Args {
    /// What to open: a JSON object with "backend" and that backend's options, or @FILE that holds one.
    #[arg(short, long, global = true, value_name = "JSON|@FILE")]
    pub(crate) connection: Option<String>,

    /// Search for plugins here first; can be repeated. F9_PLUGIN_PATH adds more after these.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) plugin_dir: Vec<PathBuf>,

    /// Print JSON, one object a line; errors too, on stderr.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Tell the causes of an error, and log; twice for more.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a file, or with --dir a directory.
    Create(Create),
    /// Write a file's content to standard output.
    #[command(visible_alias = "cat")]
    Read { path: String },
    /// Replace a file's content, or with --append add to it.
    Update(Update),
    /// Delete a file, an empty directory, or with -r a directory with all it holds.
    Delete {
        path: String,
        /// With everything below.
        #[arg(short, long)]
        recursive: bool,
    },
    /// Describe a file or directory.
    Info { path: String },
    /// List a directory, by default the root, ordered by path.
    Ls {
        #[arg(default_value = "/")]
        path: String,
        /// Everything below.
        #[arg(short = 'R', long)]
        recursive: bool,
    },
    /// Publish local changes.
    Push {
        /// Describes the changes in the remote's history.
        #[arg(short, long, value_name = "MSG")]
        message: Option<String>,
    },
    /// Bring the remote's changes here.
    Pull,
    /// Record local changes, pull, and push.
    Sync {
        /// Describes the changes in the remote's history.
        #[arg(short, long, value_name = "MSG")]
        message: Option<String>,
    },
    /// List open conflicts.
    Conflicts,
    /// Settle a conflict.
    Resolve(Resolve),
    /// List the plugins that are found, and why a candidate is not usable.
    Plugins,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Create {
    pub(crate) path: String,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Create a directory.
    #[arg(long, conflicts_with_all = ["data", "file"])]
    pub(crate) dir: bool,
    /// Replace a file, or accept a directory, that exists.
    #[arg(long)]
    pub(crate) overwrite: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Update {
    pub(crate) path: String,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Add to the end.
    #[arg(long)]
    pub(crate) append: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Source {
    /// The content; - reads it from standard input.
    pub(crate) data: Option<OsString>,
    /// Take the content from a file; - is standard input.
    #[arg(long, value_name = "F", conflicts_with = "data")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Resolve {
    pub(crate) path: String,
    #[command(flatten)]
    pub(crate) side: Side,
}

#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false)]
pub(crate) struct Side {
    /// Take what is here.
    #[arg(long)]
    pub(crate) local: bool,
    /// Take what is at the remote.
    #[arg(long)]
    pub(crate) remote: bool,
    /// Take the content of a file; - is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) with: Option<PathBuf>,
}
