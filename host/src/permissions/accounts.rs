//! Users and groups by their names. What a directory service knows besides is not asked for.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The users and groups that this machine knows by itself.
pub(super) struct Accounts {
    passwd: PathBuf,
    group: PathBuf,
}

impl Default for Accounts {
    fn default() -> Self {
        Self { passwd: "/etc/passwd".into(), group: "/etc/group".into() }
    }
}

impl Accounts {
    #[cfg(test)]
    pub(super) fn of(passwd: PathBuf, group: PathBuf) -> Self {
        Self { passwd, group }
    }

    /// Who is in a group, by number; `None` for a name that nobody has. No answer for a group that is not known here.
    pub(super) fn members(&self, group: u32) -> Option<Vec<Option<u32>>> {
        let (users, groups) = (lines(&self.passwd), lines(&self.group));
        let number = |fields: &[String], i: usize| fields.get(i).and_then(|field| field.parse::<u32>().ok());
        let entry = groups.iter().find(|fields| number(fields, 2) == Some(group))?;
        let first = users.iter().filter(|fields| number(fields, 3) == Some(group));
        let named =
            entry.get(3).map(String::as_str).unwrap_or_default().split(',').filter(|name| !name.is_empty());
        let by_name =
            |name: &str| users.iter().find(|fields| fields[0] == name).and_then(|fields| number(fields, 2));
        Some(first.map(|fields| number(fields, 2)).chain(named.map(by_name)).collect())
    }

    pub(super) fn name_of_user(&self, user: u32) -> String {
        name_of(&self.passwd, user).unwrap_or_else(|| format!("user {user}"))
    }

    pub(super) fn name_of_group(&self, group: u32) -> String {
        name_of(&self.group, group).unwrap_or_else(|| group.to_string())
    }
}

/// In both files the third field of a line is the number of the first.
fn name_of(file: &Path, number: u32) -> Option<String> {
    let has_number = |fields: &Vec<String>| fields.get(2) == Some(&number.to_string());
    lines(file).into_iter().find(has_number).map(|fields| fields[0].clone())
}

fn lines(file: &Path) -> Vec<Vec<String>> {
    let text = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines().map(|line| line.split(':').map(str::to_owned).collect()).collect()
}
