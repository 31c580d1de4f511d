//! What can be typed.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{
    ArgAction, ArgGroup, Args as ClapArgs, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use clap_complete::Shell;
use f9_host::{ChecksumAlgorithm, Connections, PluginLock, PluginName, quoted};

use super::{
    check::Check,
    connections::ConnectionsArgs,
    live_check::LiveCheck,
    log_filter::LogFilter,
    mirror::Mirror,
    plugins::Plugins,
    sweep::Sweep,
    transfer::{Copy, Move},
};

const NOTES: &str = "\
Paths are written NAME:PATH, where NAME is a connection that `f9 connections` knows, or with -c as plain PATH.

The names in a path are separated by /, and are taken as they are. Refused are .., which would lead out of the root; a
backslash, and a letter and : at the start, which elsewhere mean another directory or drive; and more than 4,095 bytes.
Names that begin with .f9-tmp are kept by local and git for files in the making, and .git by git.

Exit codes:
  0    done
  1    any other error; for check: not the same
  2    wrong usage, connection
  3    not found
  4    already exists
  5    invalid operation or path
  6    conflict with the remote
  7    network or remote (authentication, timeout, refused)
  8    plugin (not found, refused, panicked, does not conform)
  9    several things, done in part
  130  interrupted by Ctrl-C (129 and 143: by SIGHUP and SIGTERM)

Example:
  f9 -c '{\"backend\": \"local\", \"root\": \"data\"}' create notes/today.txt 'hello world'";

/// Files of any storage: a connection names a backend, a plugin opens it.
#[derive(Debug, Parser)]
#[command(name = "f9", version, after_help = NOTES, max_term_width = 100)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Args {
    /// What to open: a JSON object with "backend" and that backend's options, or @FILE that holds one.
    #[arg(short, long, global = true, value_name = "JSON|@FILE")]
    pub(crate) connection: Option<String>,

    /// The file of named connections, instead of f9/connections.json in $XDG_CONFIG_HOME or ~/.config.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Search for plugins here first; can be repeated. F9_PLUGIN_PATH adds more after these, then the file of connections.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) plugin_dir: Vec<PathBuf>,

    /// Load only the plugins that this lock holds, instead of those in plugins.lock beside the connections if there is one.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) lock: Option<PathBuf>,

    /// Load this plugin although others than you and root can replace its file; can be repeated.
    #[arg(long, global = true, value_name = "PLUGIN", value_parser = super::plugins::plugin_name)]
    pub(crate) allow_unsafe_permissions: Vec<PluginName>,

    /// Print JSON, one object a line; on stderr errors as {"error": …} and the log as {"log": …}.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Tell the causes of an error, and log; twice for more.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Log at this level, or for some targets at others: debug, or git=debug,russh=warn; repeats -v where it says nothing.
    #[arg(long, global = true, value_name = "[TARGET=]LEVEL,…")]
    pub(crate) log: Option<LogFilter>,

    /// Say nothing of what is done: no progress, no summary, no warnings. Errors are still told.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Give up after this time: 30s, 5m, 1h.
    #[arg(long, global = true, value_name = "TIME", value_parser = super::stop::parse_duration)]
    pub(crate) timeout: Option<Duration>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Args {
    /// Where the connections are or would be.
    pub(crate) fn connections_file(&self) -> Option<PathBuf> {
        self.config.clone().or_else(Connections::default_file)
    }

    /// Where the lock is or would be: named, or beside the connections.
    pub(crate) fn lock_file(&self) -> Option<PathBuf> {
        let beside = self.config.as_deref().map(|config| config.with_file_name("plugins.lock"));
        self.lock.clone().or(beside).or_else(PluginLock::default_file)
    }

    /// What was said of where connections and plugins are, as it is typed: another command needs it too.
    pub(crate) fn surroundings(&self) -> String {
        let of = |option: &'static str| move |value: String| format!(" {option} {}", quoted(value));
        let path = |path: &PathBuf| path.display().to_string();
        let config = self.config.iter().map(path).map(of("--config"));
        let dirs = self.plugin_dir.iter().map(path).map(of("--plugin-dir"));
        let lock = self.lock.iter().map(path).map(of("--lock"));
        let accepted = self.allow_unsafe_permissions.iter().map(PluginName::to_string);
        config.chain(dirs).chain(lock).chain(accepted.map(of("--allow-unsafe-permissions"))).collect()
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a file, empty if no content is given, or with --dir a directory.
    #[command(
        after_help = "Example:\n  f9 create notes:today.txt 'hello world'\n  tar c src | f9 create notes:src.tar -"
    )]
    Create(Create),
    /// Write the content of files to standard output.
    #[command(visible_alias = "cat", after_help = "Example:\n  f9 read notes:today.txt")]
    Read {
        #[arg(value_name = PATH, required = true)]
        paths: Vec<String>,
    },
    /// Replace a file's content, or with --append add to it.
    #[command(
        override_usage = "f9 update [OPTIONS] <[NAME:]PATH> <DATA|--file <F>>",
        after_help = "Example:\n  f9 update notes:today.txt 'one more line' --append"
    )]
    Update(Update),
    /// Delete files, empty directories, or with -r directories with all they hold.
    #[command(visible_alias = "rm", after_help = "Example:\n  f9 delete -r notes:2019")]
    Delete {
        #[arg(value_name = PATH, required = true)]
        paths: Vec<String>,
        /// With everything below.
        #[arg(short, long)]
        recursive: bool,
    },
    /// Describe a file or directory.
    #[command(after_help = "Example:\n  f9 --json info notes:today.txt")]
    Info {
        #[arg(value_name = PATH)]
        path: String,
    },
    /// List a directory, by default the root, ordered by path.
    #[command(after_help = "Example:\n  f9 ls -l notes:2026")]
    Ls {
        #[arg(value_name = PATH, default_value = "/")]
        path: String,
        /// Everything below.
        #[arg(short = 'R', long)]
        recursive: bool,
        /// With size and time.
        #[arg(short, long)]
        long: bool,
    },
    /// Draw a directory, by default the root, with everything below.
    #[command(after_help = "Example:\n  f9 tree notes:")]
    Tree {
        #[arg(value_name = PATH, default_value = "/")]
        path: String,
    },
    /// List what patterns stand for: * and ? within a name, [a-z], {txt,md}, ** for any directories.
    #[command(after_help = "Example:\n  f9 glob 'notes:**/*.{txt,md}'")]
    Glob {
        #[arg(value_name = PATTERN, required = true)]
        patterns: Vec<String>,
    },
    /// Tell how much a directory holds, by default the root, and each directory below it.
    #[command(after_help = "Example:\n  f9 du -d 1 notes:")]
    Du {
        #[arg(value_name = PATH, default_value = "/")]
        path: String,
        /// Tell directories down to this depth; 0 is the total.
        #[arg(short, long, value_name = "N")]
        depth: Option<usize>,
    },
    /// Print checksums, computed by the storage where it can.
    #[command(after_help = "Example:\n  f9 checksum --algorithm blake3 notes:today.txt")]
    Checksum {
        #[arg(value_name = PATH, required = true)]
        paths: Vec<String>,
        /// How they are computed.
        #[arg(short, long, value_name = "NAME", default_value = "sha256", value_parser = algorithms())]
        algorithm: ChecksumAlgorithm,
    },
    /// Create a directory with its parents.
    #[command(after_help = "Example:\n  f9 mkdir notes:2026/may")]
    Mkdir {
        #[arg(value_name = PATH, required = true)]
        paths: Vec<String>,
        /// Accept one that exists.
        #[arg(short, long)]
        parents: bool,
    },
    /// Copy a file, or with -r a directory, also from one connection to another.
    Cp(Copy),
    /// Move a file or directory, also from one connection to another.
    Mv(Move),
    /// Make a directory the same as another, of the same connection or not.
    Mirror(Mirror),
    /// Compare two directories, of the same connection or not, and change neither.
    Check(Check),
    /// Find files by what is in them, where the backend can.
    #[command(after_help = "Example:\n  f9 search docs: 'when is the rent due'")]
    Search(Search),
    /// Remove what interrupted runs have left in the storage, where the plugin knows of any.
    Sweep(Sweep),
    /// Publish local changes.
    #[command(after_help = "Example:\n  f9 push site: -m 'Correct the address'")]
    Push {
        #[arg(value_name = NAME)]
        name: Option<String>,
        /// Describes the changes in the remote's history.
        #[arg(short, long, value_name = "MSG")]
        message: Option<String>,
        /// Publish what is here also if the remote lost it or rewrote its history, with which it is merged.
        #[arg(long)]
        keep_local: bool,
    },
    /// Bring the remote's changes here.
    #[command(
        after_help = "While any change here is not committed, in whatever file, nothing is brought:\npush first, or use sync, which does both.\n\nExample:\n  f9 pull site:"
    )]
    Pull {
        #[arg(value_name = NAME)]
        name: Option<String>,
        /// Take the remote's state although its history was rewritten; what only is here is kept under a name.
        #[arg(long)]
        follow_remote: bool,
        /// Go back to before a pull that was interrupted, or that met conflicts.
        #[arg(long, conflicts_with = "follow_remote")]
        abort: bool,
    },
    /// Record local changes, pull, and push.
    #[command(after_help = "Example:\n  f9 sync site: -m 'Correct the address'")]
    Sync {
        #[arg(value_name = NAME)]
        name: Option<String>,
        /// Describes the changes in the remote's history.
        #[arg(short, long, value_name = "MSG")]
        message: Option<String>,
    },
    /// Mend what is damaged here, from the remote where need be; what cannot be saved is told.
    #[command(
        after_help = "No file is changed. What is replaced is kept aside, and named.\n\nExample:\n  f9 repair site:"
    )]
    Repair {
        #[arg(value_name = NAME)]
        name: Option<String>,
    },
    /// List open conflicts.
    #[command(after_help = "Example:\n  f9 conflicts site:")]
    Conflicts {
        #[arg(value_name = NAME)]
        name: Option<String>,
    },
    /// Settle a conflict.
    #[command(after_help = "Example:\n  f9 resolve site:index.html --edit")]
    Resolve(Resolve),
    /// Keep connections by name.
    Connections(ConnectionsArgs),
    /// Tell which plugins there are, and whether they can be trusted.
    #[command(after_help = "Example:\n  f9 --plugin-dir /opt/f9/plugins plugins list")]
    Plugins(Plugins),
    /// Check that files keep their bytes in a live OpenAI vector store, and that synchronising works.
    LiveCheck(LiveCheck),
    /// Print what makes a shell complete this program's arguments.
    #[command(after_help = "Example:\n  f9 completions bash > ~/.local/share/bash-completion/completions/f9")]
    Completions { shell: Shell },
    /// Write the manual pages into a directory.
    #[command(after_help = "Example:\n  f9 man ~/.local/share/man/man1")]
    Man {
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

/// A parser that knows the names, so that help, errors and completions list them.
fn algorithms() -> impl TypedValueParser<Value = ChecksumAlgorithm> {
    let names = ChecksumAlgorithm::ALL.map(ChecksumAlgorithm::as_str);
    PossibleValuesParser::new(names).try_map(|name| name.parse::<ChecksumAlgorithm>())
}

const PATH: &str = "[NAME:]PATH";
const PATTERN: &str = "[NAME:]PATTERN";
const NAME: &str = "NAME:";

#[derive(Debug, ClapArgs)]
pub(crate) struct Create {
    #[arg(value_name = PATH)]
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
#[command(group = ArgGroup::new("content").args(["data", "file"]).required(true))]
pub(crate) struct Update {
    #[arg(value_name = PATH)]
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
    #[arg(value_name = PATH)]
    pub(crate) path: String,
    #[command(flatten)]
    pub(crate) side: Side,
    /// Take the file though conflict markers are left in it.
    #[arg(long, conflicts_with_all = ["local", "remote"])]
    pub(crate) force: bool,
}

#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false)]
pub(crate) struct Side {
    /// Take the local side: the file as it was here before the remote's changes came.
    #[arg(long)]
    pub(crate) local: bool,
    /// Take the remote's side.
    #[arg(long)]
    pub(crate) remote: bool,
    /// Take the content of a file; - is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) with: Option<PathBuf>,
    /// Edit what is here with $VISUAL or $EDITOR, and take that if it was changed and is not empty.
    #[arg(long)]
    pub(crate) edit: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Search {
    /// What is sought, after the connection's NAME: unless that comes with -c.
    #[arg(value_name = "[NAME:] QUERY", num_args = 1..=2, required = true)]
    pub(crate) words: Vec<String>,
    /// At most so many hits.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    pub(crate) limit: u32,
    /// A JSON object that narrows the search, in the plugin's own terms.
    #[arg(long, value_name = "JSON")]
    pub(crate) filters: Option<String>,
}
