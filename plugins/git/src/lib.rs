//! The `git` plugin: a working tree that synchronises with a remote repository.
//!
//! ```json
//! {"backend": "git", "remote_url": "https://example.com/notes.git", "path": "/srv/notes"}
//! ```
//!
//! # What a path means
//!
//! The file at this place in the working tree. `.git` is out of reach, in all the disguises in which some file system takes
//! a name for it, and so is whatever a link in the repository leads to inside it. Directories exist here only: git keeps
//! files, so an empty directory is not pushed.
//!
//! # Options
//!
//! | key | type | default | meaning |
//! |---|---|---|---|
//! | `remote_url` | string | required | The remote repository: an `https://`, `http://`, `ssh://` or `file:///` URL, `user@host:path`, or a path. A password in it is moved out before anything is stored or shown. |
//! | `path` | string | required | The working tree. If there is none, the remote is cloned there: the path must be free or an empty directory. |
//! | `branch` | string | `"main"` | The branch that is kept in step. If the remote lacks it, it starts at the remote's default branch. |
//! | `author_name`, `author_email` | string | `"f9"`, `"f9@localhost"` | Whom the commits are by. |
//! | `username`, `password` | string | none | For HTTP(S), where a token is a password; the user also for SSH. |
//! | `ssh_key_path`, `ssh_key_passphrase` | string | none | The private key for SSH. |
//! | `known_hosts` | string | none | The host keys to trust, in OpenSSH's format. Needed for SSH. |
//! | `ca_bundle` | string | none | A PEM file with further certificate authorities to trust for HTTPS. |
//! | `max_files`, `max_bytes` | integer | 10,000,000 and 2^40 | How many files and bytes a clone or a pull may bring; counted before anything is written. |
//! | `excludes_file` | string | none | A file with further rules for what is not published, as `.gitignore` has them. |
//! | `trust_other_owner` | boolean | `false` | Use a clone, and push to a path, that belongs to another user, who may have prepared it. |
//! | `timeout` | integer | `60` | Seconds that the remote may be silent, and that a connection may take to come about. |
//!
//! # Synchronising
//!
//! `push` commits everything that differs (new, changed and deleted files, the executable bit, links; what `.gitignore`
//! names is left out) and publishes the branch; one that the remote lacks is created there, which the log warns of, with the
//! branches that the remote has. `sent` and `received` count commits; of a branch that is new at the remote, all of them.
//! `pull` wants nothing pending, whatever the remote has (any change refuses it; `sync` commits first),
//! fetches, and moves the branch forward or merges. `sync` commits, pulls and pushes, and tries again if the remote moves
//! meanwhile. If both sides changed the same thing, the tree is left as git leaves it, with both versions marked as
//! `local` and `remote` in text files; `conflict_report` lists what is to be settled, and the next push concludes the
//! merge. The losing side stays in the history. Where a file meets a directory of the same name, it is added on one side alone
//! (`AU` here, `UA` at the remote): to settle it as a file removes what is below the directory and committed, never what
//! is not.
//!
//! `conflict_accept_local` and `conflict_accept_remote` settle a conflict with what a side had committed. A file that was
//! edited since the merge is refused: settle it with the edited content by `conflict_resolve`, or delete it first.
//!
//! Whoever works in the clone with git at the same time is respected: an operation that meets a lock of git's is `Busy`, and
//! only locks that a killed process of ours left behind are removed.
//!
//! # Opening
//!
//! A clone that is there already is used as it is; if its `origin` is another address than `remote_url`, it is changed, and
//! the log says so. Whether that was meant shows at the first contact: a remote whose branch has no commit in common with
//! a clone that was in step with one before is refused, and nothing of it is brought here. Two clones of an empty remote
//! begin apart, and may meet.
//!
//! A clone whose HEAD somebody has put on another branch, or on none, is refused; nothing is switched. Only one that f9 itself
//! put on its branch is switched to another `branch`, if nothing in it is pending.
//!
//! # What a remote sends
//!
//! It is looked at as a whole before anything is written down of it: that all is there, of the kind that it is said to be, and
//! can be here (names, links). What was left out once is asked for again by the next `pull`. The remote's HEAD must name a
//! branch that exists, unless `branch` does.
//!
//! A branch that the remote lost, and a history that it rewrote, are followed by nothing: `pull`, `sync` and `push` are
//! `InvalidOperation`, with the fact `reason` (`branch-lost`, `history-rewritten`, `history-unrelated`), both tips and how many
//! commits differ. What a `git fetch` by hand has seen before f9 is taken for known.
//!
//! # Commands
//!
//! | command | arguments | answer |
//! |---|---|---|
//! | `follow_remote` | none | Puts the branch where the remote's is. Commits that the remote lacks are kept as `kept.reference` (`refs/f9/kept/…`), `kept.commits` of them. |
//! | `keep_local` | `message` | Commits, merges what the remote has, and publishes all of it, also what the remote took away; makes a lost branch anew. `sent` commits. |
//! | `abort` | none | Goes back to before a pull that was interrupted or met conflicts. What was edited since stays as a local change. |
//! | `repair` | none | Mends a damaged clone from what is left of it and from the remote. No file is changed, but by finishing what was interrupted; what is replaced is kept in `.git/f9/damaged`. |
//!
//! Each answers `done`, sentences that tell what was done, and where it makes sense the `revision`.
//!
//! A clone that is damaged, or in which a pull is pending that cannot be finished, can be read and listed, with a warning; all
//! else is an error that names the `damaged` parts (`HEAD`, `config`, `index`, `objects`, …) and the way out.
//!
//! # What it costs
//!
//! Anybody may have written into the working tree, so `push` and `pull` ask the system about every file, as `git status`
//! does, on all processors (a microsecond or two for each), and read and write the index, which has some hundred bytes for
//! each. All else costs as much as there are changes. Conflicts, submodules, index versions other than 2
//! and file systems without the executable bit, without links or without letter case are looked at by libgit2, several times
//! slower. In a tree of 100,000 files, asking takes four fifths of a push of one file.
//!
//! A clone of a remote that is a path takes its packs as they are, if most of their objects are wanted. Where `.gitattributes`
//! asks for other line ends or `ident` anywhere, a first checkout takes longer.
//!
//! Redirects are not followed, so that a password goes to no other address than the connection's: name the final one. A
//! server that is silent, or talks without sending anything of what was asked for, is given up after `timeout`; one that
//! tells of its progress meanwhile after five times that.
//!
//! The connection to the remote is kept for the next call: an SSH session for a minute, with its host key checked and its
//! login made by the same options; HTTP by keep-alive. A pull that finds nothing new is one request.
//!
//! # What nothing depends on
//!
//! No configuration of the system or the user, no hooks of the clone, no environment, and no `git` program but for one
//! case: a remote that is a path and has hooks is pushed to with the `git` of this machine, which runs them. It is started in
//! an empty repository made for the purpose, so that no configuration of the clone has a say, and not at all if the remote
//! belongs to another user. libgit2 is part of the library; HTTP and SSH are spoken by the plugin itself.
//!
//! # Safety
//!
//! One operation at a time holds the clone, across processes. Files are brought into the tree each by one rename. What is
//! under way is written down first, inside `.git`, and finished by the next operation if the process is killed. As with
//! git itself, a power failure can take back the last seconds. Of a remote's names and links nothing is believed: whatever
//! they say, files are written into the working tree alone.
//!
//! A clone whose working tree or `.git` belongs to another user is refused, as git refuses it, unless `trust_other_owner`
//! says otherwise. What f9 keeps for itself lies in `.git/f9`, where no repository can track a file, and is opened only if it
//! is a plain file: never through a link.
//!
//! `.gitignore` and `.gitattributes` count where they are plain files, as for git; a link of that name counts as missing.
//!
//! # Files that git converts
//!
//! Where attributes name a filter (`filter=…`, macros included) or a `working-tree-encoding`, the working tree may hold the
//! clear text of what git keeps encrypted, or the content of what it keeps elsewhere. f9 runs no filters. So nothing is
//! stored under such a path: writing there is `Unsupported` and names the attribute and its line; what others changed there
//! is left out of commits with a warning that counts and names it; a pull leaves such a file alone unless it is in the form
//! that git keeps. Deleting is possible. A pointer of Git LFS is the form that git keeps: it is read, copied and written as
//! the small file that it is; `info` tells how large the file itself is as the attribute `lfs_size`, which listings leave out.
//!
//! A file that differs from the last commit in line ends alone is left out too, with a warning, unless attributes say what
//! line ends it is to have: so is a whole clone that git made with `core.autocrlf`.
//!
//! What is below a submodule, or in a repository of its own, is never published by this clone: writing there is `Unsupported`.
//!
//! The user's own list of ignored files (`core.excludesFile`) is configuration of the user, which is not read: name the same
//! file as `excludes_file` in the connection, or use `.gitignore` or `.git/info/exclude`.
//!
//! A remote that is a path gets a file `f9.lock`, by which pushes of f9 wait for each other. It stays there, and is empty
//! while nobody pushes.
//!
//! # Limits
//!
//! A clone with a sparse checkout, a split index, or files that are marked as skip-worktree or assume-unchanged is refused
//! by everything that synchronises: what is left out there cannot be told from what was deleted or changed.
//!
//! Submodules, LFS and rebasing are not supported: a submodule is an empty directory, an LFS file its pointer. Names
//! that are not UTF-8 have no path here; they are synchronised all the same. In a nested `.gitignore`, `!` takes back only
//! rules of the same file (libgit2's reading), so that what an outer one ignores stays ignored.
//!
//! RSA keys are handled by the crate `rsa`, for which RUSTSEC-2023-0071 (a timing leak of decryption) is open: keys only
//! sign here, once for each login to a server whose host key was accepted, and nothing is ever decrypted. Ed25519 keys have
//! no part in it.
//!
//! Capabilities: copy, rename, open_write, sync, command. Checksums are computed by the host.

mod backend;
mod bounds;
mod cache_tree;
mod checkout;
mod clone;
mod commands;
mod conflicts;
mod converted;
mod damage;
mod divergence;
mod dotgit;
mod errors;
mod hidden;
mod incoming;
mod index_file;
mod journal;
mod known_hosts;
mod left_out;
mod libgit2;
mod lock;
mod loose;
mod merge;
mod merge_driver;
mod new_branch;
mod open;
mod options;
mod own_file;
mod ownership;
mod placing;
mod recovery;
mod remote_url;
mod repair;
mod repository;
mod representable;
mod rules;
mod scan;
mod stage;
mod sync;
mod touched;
mod transport;
mod undo;
mod worktree;

use f9_plugin_api::{Capabilities, Context, Plugin, Result, export_plugin};

use crate::{backend::GitBackend, options::Options};

struct GitPlugin;

impl Plugin for GitPlugin {
    const NAME: &'static str = "git";
    const CAPABILITIES: Capabilities = backend::CAPABILITIES;
    type Options = Options;
    type Backend = GitBackend;

    fn open(options: Options, context: Context) -> Result<GitBackend> {
        GitBackend::open(options, context)
    }
}

export_plugin!(GitPlugin);

#[cfg(test)]
mod tests;
