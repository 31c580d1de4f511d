//! `f9`: files of any storage from a shell.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
