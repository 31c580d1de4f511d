//! What is made from the description of the arguments: completions and manual pages.

use std::{fs, io::Write, path::Path};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use f9_host::{Error, ErrorKind, Result};

use super::{args::Args, completion, output::Output};

pub(crate) fn completions(shell: Shell, output: &mut Output) -> Result<()> {
    let mut script = Vec::new();
    match completion::script(shell) {
        Some(asking) => script = asking?,
        // Without what only the program knows: the script for PowerShell that asks for it runs what is typed.
        None => clap_complete::generate(shell, &mut Args::command(), "f9", &mut script),
    }
    output.copy_from(&mut script.as_slice())
}

/// Writes `f9.1`, and a page for each command: `f9-create.1`.
pub(crate) fn manual(dir: &Path, output: &mut Output) -> Result<()> {
    fs::create_dir_all(dir).map_err(|error| Error::from(error).at(dir.display()))?;
    let mut command = Args::command();
    command.build();
    pages(&command, "f9", dir, output)
}

fn pages(command: &Command, name: &str, dir: &Path, output: &mut Output) -> Result<()> {
    let file = dir.join(format!("{name}.1"));
    let mut page = Vec::new();
    // clap keeps names that live as long as the program; these are made here.
    let named = command.clone().name(leak(name)).display_name(leak(name));
    clap_mangen::Man::new(named).render(&mut page)?;
    let written = fs::File::create(&file).and_then(|mut opened| opened.write_all(&page));
    written.map_err(|error| {
        let error = Error::from(error);
        Error::new(ErrorKind::Io, format!("the page cannot be written: {}", error.message()))
            .at(file.display())
    })?;
    output.line(format_args!("{}", file.display()))?;
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set()) {
        pages(sub, &format!("{name}-{}", sub.get_name()), dir, output)?;
    }
    Ok(())
}

fn leak(text: &str) -> &'static str {
    text.to_owned().leak()
}
