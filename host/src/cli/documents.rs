//! What is made from the description of the arguments: completions and manual pages.

use std::{fs, io::Write, path::Path};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};
use f9_host::{Error, Result, serde_json::json};

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
    fs::create_dir_all(dir).map_err(|error| {
        Error::from(error).at(dir.display()).hint("name a directory that you can write to")
    })?;
    let mut command = without_help_command(Args::command());
    command.build();
    pages(&command, "f9", dir, output)
}

/// A page is what the command `help` would be about.
fn without_help_command(command: Command) -> Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help_command)
}

fn pages(command: &Command, name: &str, dir: &Path, output: &mut Output) -> Result<()> {
    let file = dir.join(format!("{name}.1"));
    let page = page(command, name)?;
    let written = fs::File::create(&file).and_then(|mut opened| opened.write_all(&page));
    written.map_err(|error| {
        let error = Error::from(error);
        Error::new(error.kind(), format!("the page cannot be written: {}", error.message()))
            .at(file.display())
            .hint("name a directory that you can write to")
    })?;
    output.summary(&json!({"page": file.display().to_string()}), format_args!("{}", file.display()))?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        pages(sub, &format!("{name}-{}", sub.get_name()), dir, output)?;
    }
    Ok(())
}

fn page(command: &Command, name: &str) -> Result<Vec<u8>> {
    // clap keeps names that live as long as the program; these are made here.
    let mut command = command.clone().name(leak(name)).display_name(leak(name));
    let others: Vec<_> = command.get_visible_aliases().map(|alias| format!("f9 {alias}")).collect();
    if let Some(about) = command.get_about().filter(|_| !others.is_empty()) {
        let about = format!("{about}.\n\nAlso: {}.", others.join(", "));
        command = command.long_about(about);
    }
    let notes = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let (is_first, has_commands) = (name == "f9", command.has_subcommands());
    let man = Man::new(command);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if has_commands {
        man.render_subcommands_section(&mut page)?;
    }
    sections(&notes).to_writer(&mut page)?;
    if is_first {
        man.render_version_section(&mut page)?;
    }
    Ok(page)
}

/// What follows the options in the help: paragraphs, and lists under a heading of their own, whose lines stay as they are.
fn sections(notes: &str) -> Roff {
    let mut roff = Roff::new();
    let mut has_text = false;
    for paragraph in notes.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
        let (first, list) = paragraph.split_once(":\n").unwrap_or((paragraph, ""));
        let heading = match first {
            "Example" | "Examples" => "EXAMPLES",
            "Exit codes" => "EXIT STATUS",
            _ => {
                let start = if has_text { ("PP", vec![]) } else { ("SH", vec!["NOTES"]) };
                roff.control(start.0, start.1).text([roman(paragraph.replace('\n', " "))]);
                has_text = true;
                continue;
            }
        };
        roff.control("SH", [heading]).control("nf", []);
        for line in list.lines() {
            roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        }
        roff.control("fi", []);
    }
    roff
}

fn leak(text: &str) -> &'static str {
    text.to_owned().leak()
}
