//! The rule, and how it is held against a path.

use std::{
    ffi::OsString,
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

use super::accounts::Accounts;
use crate::{Refusal, RefusalCode, quoted};

/// As many links as Linux follows.
const MAX_LINKS: usize = 40;

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Whether nobody but root and the user can replace the file at an absolute path.
pub(crate) fn check(file: &Path) -> Result<(), Refusal> {
    let trust = Trust::of_this_process();
    trust.walk(file)?;
    file.parent().map_or(Ok(()), |dir| trust.check_searched(dir))
}

/// Whether nobody but root and the user can put a file into the directory at an absolute path.
pub(crate) fn check_dir(dir: &Path) -> Result<(), Refusal> {
    let trust = Trust::of_this_process();
    trust.walk(dir)?;
    trust.check_searched(dir)
}

/// Whom a plugin may come from.
struct Trust {
    user: u32,
    program: Option<Program>,
    accounts: Accounts,
}

struct Program {
    file: PathBuf,
    owner: u32,
    group: u32,
    mode: u32,
}

impl Program {
    fn running() -> Option<Self> {
        let file = std::env::current_exe().and_then(fs::canonicalize).ok()?;
        let metadata = fs::metadata(&file).ok()?;
        let (owner, group, mode) = (metadata.uid(), metadata.gid(), metadata.mode());
        Some(Self { file, owner, group, mode })
    }
}

impl Trust {
    fn of_this_process() -> Self {
        let user = rustix::process::geteuid().as_raw();
        Self { user, program: Program::running(), accounts: Accounts::default() }
    }

    /// Goes the way that the system goes, name by name.
    fn walk(&self, path: &Path) -> Result<(), Refusal> {
        let mut at = PathBuf::from("/");
        let mut ahead = steps(path);
        let mut links = 0;
        while let Some(step) = ahead.pop() {
            match step {
                Step::Root => at = PathBuf::from("/"),
                Step::Up => drop(at.pop()),
                Step::Into(name) => {
                    let next = at.join(name);
                    let metadata = fs::symlink_metadata(&next).map_err(Refusal::unreadable)?;
                    if metadata.is_symlink() {
                        self.check_owner(&next, &metadata)?;
                        links += 1;
                        if links > MAX_LINKS {
                            let detail = "too many symbolic links lead to it";
                            return Err(Refusal::new(RefusalCode::Unreadable, detail));
                        }
                        ahead.extend(steps(&fs::read_link(&next).map_err(Refusal::unreadable)?));
                    } else {
                        self.check_entry(&next, &metadata)?;
                        at = next;
                    }
                }
            }
        }
        Ok(())
    }

    fn check_entry(&self, path: &Path, metadata: &Metadata) -> Result<(), Refusal> {
        if metadata.is_dir() && self.program.as_ref().is_some_and(|program| program.file.starts_with(path)) {
            return Ok(());
        }
        self.check_owner(path, metadata)?;
        if metadata.is_dir() && metadata.mode() & STICKY != 0 {
            return Ok(());
        }
        self.check_writers(path, metadata)
    }

    /// The directory that is searched: nobody else may put anything there.
    fn check_searched(&self, dir: &Path) -> Result<(), Refusal> {
        let metadata = fs::metadata(dir).map_err(Refusal::unreadable)?;
        if metadata.mode() & STICKY != 0 { self.check_writers(dir, &metadata) } else { Ok(()) }
    }

    fn check_owner(&self, path: &Path, metadata: &Metadata) -> Result<(), Refusal> {
        let owner = metadata.uid();
        if self.is_trusted(owner) {
            return Ok(());
        }
        let detail = format!(
            "{} belongs to {}, who is neither root nor the user of this process",
            path.display(),
            self.accounts.name_of_user(owner)
        );
        Err(refusal(detail, &format!("chown {} {}", self.user, quoted(path.display()))))
    }

    fn check_writers(&self, path: &Path, metadata: &Metadata) -> Result<(), Refusal> {
        let (mode, group) = (metadata.mode(), metadata.gid());
        let given_away = |bit| {
            self.program.as_ref().is_some_and(|program| {
                program.mode & bit != 0 && (bit == OTHERS_WRITE || program.group == group)
            })
        };
        if mode & OTHERS_WRITE != 0 && !given_away(OTHERS_WRITE) {
            let detail = format!("every user can write to {} (mode {:04o})", path.display(), mode & 0o7777);
            return Err(refusal(detail, &format!("chmod go-w {}", quoted(path.display()))));
        }
        if mode & GROUP_WRITES != 0 && !given_away(GROUP_WRITES) && !self.is_own_group(group, path) {
            let detail = format!(
                "the group {} can write to {} (mode {:04o})",
                self.accounts.name_of_group(group),
                path.display(),
                mode & 0o7777
            );
            return Err(refusal(detail, &format!("chmod g-w {}", quoted(path.display()))));
        }
        Ok(())
    }

    fn is_trusted(&self, user: u32) -> bool {
        user == 0 || user == self.user || self.program.as_ref().is_some_and(|program| program.owner == user)
    }

    /// Whether the group has no other members than those who are trusted anyway.
    fn is_own_group(&self, group: u32, path: &Path) -> bool {
        !has_access_list(path)
            && self.accounts.members(group).is_some_and(|members| {
                members.iter().all(|member| member.is_some_and(|member| self.is_trusted(member)))
            })
    }
}

/// With an access list, what the mode says of the group is the most that anybody in the list may do.
fn has_access_list(path: &Path) -> bool {
    #[cfg(target_os = "linux")]
    return rustix::fs::getxattr(path, "system.posix_acl_access", &mut [0u8; 0]).is_ok_and(|size| size > 0);
    #[cfg(not(target_os = "linux"))]
    return {
        _ = path;
        false
    };
}

fn refusal(detail: String, command: &str) -> Refusal {
    Refusal::new(RefusalCode::UnsafePermissions, detail).with_remedy(format!(
        "type `{command}`, or accept it by name (`--allow-unsafe-permissions`, \
         `HostBuilder::allow_unsafe_permissions`)"
    ))
}

enum Step {
    Root,
    Up,
    Into(OsString),
}

/// What is to be gone, the first step last.
fn steps(path: &Path) -> Vec<Step> {
    let step = |component| match component {
        Component::RootDir => Some(Step::Root),
        Component::ParentDir => Some(Step::Up),
        Component::Normal(name) => Some(Step::Into(name.to_owned())),
        Component::CurDir | Component::Prefix(_) => None,
    };
    let mut steps: Vec<_> = path.components().filter_map(step).collect();
    steps.reverse();
    steps
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A directory that looks as if no program lay below it.
    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            let place = Self(tempfile::tempdir().unwrap());
            fs::create_dir(place.path("plugins")).unwrap();
            fs::write(place.path("plugins/file"), "x").unwrap();
            place.mode("plugins", 0o755);
            place.mode("plugins/file", 0o644);
            place
        }

        fn path(&self, relative: &str) -> PathBuf {
            self.0.path().canonicalize().unwrap().join(relative)
        }

        fn mode(&self, relative: &str, mode: u32) {
            fs::set_permissions(self.path(relative), fs::Permissions::from_mode(mode)).unwrap();
        }

        /// What is wrong with a path in it for a user, with a program elsewhere.
        fn answer(&self, relative: &str, trust: &Trust) -> String {
            let path = self.path(relative);
            let checked = trust.walk(&path).and_then(|()| trust.check_searched(path.parent().unwrap()));
            match checked {
                Ok(()) => "fine".to_owned(),
                Err(refusal) => format!("{}; {}", refusal.detail, refusal.remedy)
                    .replace(&format!("{}/", self.path("").display().to_string().trim_end_matches('/')), ""),
            }
        }
    }

    fn user() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn alone() -> Trust {
        Trust { user: user(), program: None, accounts: Accounts::default() }
    }

    fn accounts(dir: &Path, passwd: &str, group: &str) -> Accounts {
        fs::write(dir.join("passwd"), passwd).unwrap();
        fs::write(dir.join("group"), group).unwrap();
        Accounts::of(dir.join("passwd"), dir.join("group"))
    }

    #[test]
    fn nobody_else_may_write_to_the_file_or_to_a_directory_on_the_way() {
        let place = Place::new();
        assert_eq!(place.answer("plugins/file", &alone()), "fine");
        place.mode("plugins/file", 0o646);
        let refused = place.answer("plugins/file", &alone());
        assert!(
            refused.starts_with(
                "every user can write to plugins/file (mode 0646); type `chmod go-w plugins/file`, or"
            ),
            "{refused}"
        );
        place.mode("plugins/file", 0o644);
        for mode in [0o777, 0o1777] {
            place.mode("plugins", mode);
            let refused = place.answer("plugins/file", &alone());
            assert!(refused.starts_with("every user can write to plugins (mode"), "{mode:o}: {refused}");
        }
        place.mode("plugins", 0o755);
        fs::create_dir(place.path("plugins/deeper")).unwrap();
        fs::write(place.path("plugins/deeper/file"), "x").unwrap();
        place.mode("plugins/deeper", 0o700);
        place.mode("plugins", 0o1777); // whose entries only their owners can replace
        assert_eq!(place.answer("plugins/deeper/file", &alone()), "fine");
        place.mode("plugins", 0o777);
        assert!(
            place
                .answer("plugins/deeper/file", &alone())
                .starts_with("every user can write to plugins (mode")
        );
    }

    #[test]
    fn links_are_followed_and_what_they_lead_through_is_checked() {
        let place = Place::new();
        fs::create_dir(place.path("safe")).unwrap();
        place.mode("safe", 0o755);
        symlink("../plugins/../plugins/file", place.path("safe/link")).unwrap();
        symlink(place.path("safe"), place.path("way")).unwrap();
        assert_eq!(place.answer("way/link", &alone()), "fine");
        place.mode("plugins", 0o777);
        assert!(place.answer("way/link", &alone()).starts_with("every user can write to plugins (mode"));
        symlink("round", place.path("round")).unwrap();
        assert!(place.answer("round", &alone()).starts_with("too many symbolic links"));
        assert!(place.answer("safe/nowhere", &alone()).starts_with("it cannot be read: No such file"));
    }

    #[test]
    fn a_group_of_the_user_alone_is_the_user() {
        let place = Place::new();
        place.mode("plugins/file", 0o664);
        let group = fs::metadata(place.path("plugins/file")).unwrap().gid();
        let me = user();
        for (passwd, members, fine) in [
            (format!("me:x:{me}:{group}::/:\n"), "", true),
            (format!("me:x:{me}:{group}::/:\n"), "me", true),
            (format!("me:x:{me}:{group}::/:\nother:x:{}:99::/:\n", me + 1), "me,other", false),
            (format!("me:x:{me}:{group}::/:\nother:x:{}:{group}::/:\n", me + 1), "", false),
            (format!("me:x:{me}:{group}::/:\n"), "stranger", false),
        ] {
            let accounts = accounts(place.0.path(), &passwd, &format!("mine:x:{group}:{members}\n"));
            let trust = Trust { user: me, program: None, accounts };
            let answer = place.answer("plugins/file", &trust);
            if fine {
                assert_eq!(answer, "fine", "{passwd} {members}");
            } else {
                assert!(
                    answer
                        .starts_with("the group mine can write to plugins/file (mode 0664); type `chmod g-w")
                );
            }
        }
        let unknown = accounts(place.0.path(), "", "");
        let trust = Trust { user: me, program: None, accounts: unknown };
        assert!(place.answer("plugins/file", &trust).starts_with(&format!("the group {group} can write")));
    }

    #[test]
    fn what_the_program_itself_gives_away_is_not_held_against_a_plugin() {
        let place = Place::new();
        let group = fs::metadata(place.path("plugins/file")).unwrap().gid();
        let unknown = || accounts(place.0.path(), "", "");
        let with = |file: &str, mode| Trust {
            user: user(),
            program: Some(Program { file: place.path(file), owner: user(), group, mode }),
            accounts: unknown(),
        };
        place.mode("plugins/file", 0o664);
        assert_eq!(place.answer("plugins/file", &with("elsewhere", 0o775)), "fine");
        assert_ne!(place.answer("plugins/file", &with("elsewhere", 0o755)), "fine");
        place.mode("plugins/file", 0o666);
        assert_ne!(place.answer("plugins/file", &with("elsewhere", 0o775)), "fine");
        assert_eq!(place.answer("plugins/file", &with("elsewhere", 0o777)), "fine");
        place.mode("plugins/file", 0o644);
        place.mode("plugins", 0o777); // where the program may lie, and be replaced
        assert_ne!(place.answer("plugins/file", &with("elsewhere", 0o755)), "fine");
        assert_eq!(place.answer("plugins/file", &with("plugins/bin/f9", 0o755)), "fine");
    }

    #[test]
    fn what_belongs_to_somebody_else_is_refused() {
        let place = Place::new();
        let stranger = Trust { user: user() + 1, program: None, accounts: accounts(place.0.path(), "", "") };
        let refused = place.answer("plugins/file", &stranger);
        if user() == 0 {
            assert_eq!(refused, "fine"); // root may
            std::os::unix::fs::chown(place.path("plugins/file"), Some(54321), None).unwrap();
            let refused = place.answer("plugins/file", &stranger);
            assert!(
                refused.starts_with("plugins/file belongs to user 54321, who is neither root nor the user"),
                "{refused}"
            );
            assert!(refused.contains("type `chown 1 plugins/file`"), "{refused}");
        } else {
            assert!(refused.contains("who is neither root nor the user"), "{refused}");
        }
    }
}
