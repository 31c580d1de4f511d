//! How much memory a stream of a gibibyte takes at most, each in a process of its own.

use std::{env, fs, path::Path, process::Command};

use crate::contenders::{self, CHUNK, Contender, Result};

const SIZE: u64 = 1 << 30;
const VARIABLE: &str = "F9_BENCH_MEMORY";

/// Measures reading and writing, for every contender.
pub(crate) fn measure(root: &Path, contenders: &[Box<dyn Contender>]) -> Result<String> {
    let source = fs::File::create(root.join("source"))?;
    source.set_len(SIZE)?;
    let mut words = Vec::new();
    for (index, contender) in contenders.iter().enumerate() {
        let mut grown = Vec::new();
        for what in ["read", "write"] {
            let output = Command::new(env::current_exe()?)
                .env(VARIABLE, format!("{index} {what} {}", root.display()))
                .output()?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into());
            }
            grown.push(String::from_utf8(output.stdout)?.trim().parse::<f64>()? / 1024.0);
        }
        words.push(format!("{} {:.1} and {:.1}", contender.name(), grown[0], grown[1]));
    }
    fs::remove_file(root.join("source"))?;
    Ok(format!(
        "Peak memory of a stream of 1 GiB, read and written, above what the process had before, in MiB: {}.",
        words.join(", ")
    ))
}

/// In a process that was started to be measured: KiB.
pub(crate) fn child() -> Result<Option<u64>> {
    let Ok(order) = env::var(VARIABLE) else { return Ok(None) };
    let mut words = order.splitn(3, ' ');
    let mut word = || words.next().ok_or("a word is missing");
    let (index, what, root) = (word()?.parse::<usize>()?, word()?, Path::new(word()?));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let contender = contenders::all(root, &runtime, false)?.swap_remove(index);
    contender.info("source")?;
    let before = peak()?;
    match what {
        "read" => {
            let mut size = 0;
            contender.stream_read("source", &mut |piece| size += piece.len() as u64)?;
            assert_eq!(size, SIZE);
        }
        _ => {
            contender.stream_write("target", &vec![7; CHUNK].into(), SIZE as usize / CHUNK)?;
            fs::remove_file(root.join("target"))?;
        }
    }
    Ok(Some(peak()? - before))
}

/// The most memory that this process has had, in KiB.
fn peak() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
