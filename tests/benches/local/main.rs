//! The local plugin against what else there is: plain `std::fs`, object_store and OpenDAL's blocking operator.
//!
//! ```console
//! cargo bench -p f9-benches --bench local -- [--quick] [--dir DIRECTORY] [--durable] [--out FILE] [ROW…]
//! ```
//!
//! All contenders take part in each round, in an order of its own, on files that were made side by side for that round.
//! A figure is the median of the rounds' ratios to `std::fs` in the same round: below 1 is faster. ROW is a part of a
//! row's name; `memory` and `boundary` are rows too. DIRECTORY is where the files are, else the system's temporary
//! directory; `--durable` measures the rows that wait for the disk instead.
//!
//! What is compared is not the same: `std::fs` writes in place and follows every link, and all but f9 can be led out of
//! their directory.

mod boundary;
mod contenders;
mod memory;
mod report;
mod rows;

use std::{env, fs, path::PathBuf};

use contenders::Result;
use report::Report;
use rows::{DURABLE_ROWS, ROWS};

fn main() -> Result<()> {
    if let Some(measured) = memory::child()? {
        println!("{measured}");
        return Ok(());
    }
    let arguments = Arguments::parse()?;
    let directory = tempfile::Builder::new().prefix("f9-bench-").tempdir_in(&arguments.directory)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let contenders = contenders::all(directory.path(), &runtime, arguments.durable)?;
    let mut report = Report::start(&contenders, &arguments);
    for row in if arguments.durable { &DURABLE_ROWS[..] } else { &ROWS[..] } {
        if arguments.wants(row.name) {
            report.add(row.name, &row.run(directory.path(), &contenders, arguments.quick)?);
        }
    }
    if arguments.wants("memory") && !arguments.durable {
        report.note(&memory::measure(directory.path(), &contenders)?);
    }
    if arguments.wants("boundary") && !arguments.durable {
        report.note(&boundary::measure(directory.path(), arguments.quick)?);
    }
    if let Some(file) = &arguments.out {
        fs::write(file, report.text())?;
    }
    Ok(())
}

/// What was asked for.
struct Arguments {
    quick: bool,
    durable: bool,
    directory: PathBuf,
    out: Option<PathBuf>,
    rows: Vec<String>,
}

impl Arguments {
    fn parse() -> Result<Self> {
        let mut asked =
            Self { quick: false, durable: false, directory: env::temp_dir(), out: None, rows: Vec::new() };
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => {} // from Cargo
                "--quick" => asked.quick = true,
                "--durable" => asked.durable = true,
                "--dir" => asked.directory = arguments.next().ok_or("--dir needs a directory")?.into(),
                "--out" => asked.out = Some(arguments.next().ok_or("--out needs a file")?.into()),
                option if option.starts_with('-') => return Err(format!("unknown option {option}").into()),
                _ => asked.rows.push(argument),
            }
        }
        Ok(asked)
    }

    fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|part| row.contains(part.as_str()))
    }
}
