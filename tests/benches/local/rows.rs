//! What is measured: each row on files that were made for it, all contenders in each round, in an order of its own.

use std::{
    fs,
    hint::black_box,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use f9_plugin_api::Bytes;

use crate::contenders::{CHUNK, Contender, Result};

/// One line of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    work: Work,
    /// How many operations are timed together.
    batch: usize,
    rounds: usize,
    /// Bytes in each file that it works on.
    size: usize,
    /// How many files it needs: of its own for each contender and round, or shared by all.
    files: Files,
}

enum Files {
    /// It makes them.
    None,
    /// One for each operation.
    Each,
    /// So many, which nobody changes.
    Shared(usize),
}

/// Does its operations in a directory; `false` if the contender cannot.
type Work = fn(&dyn Contender, &Folder, usize) -> Result<bool>;

/// Where a contender works.
struct Folder {
    path: String,
    content: Bytes,
}

impl Folder {
    fn file(&self, number: usize) -> String {
        format!("{}/file-{number:05}.bin", self.path)
    }

    /// Does something to each of so many files.
    fn each(&self, count: usize, work: impl Fn(&str) -> Result<()>) -> Result<bool> {
        (0..count).try_for_each(|number| work(&self.file(number))).map(|()| true)
    }
}

const SMALL: usize = 4 << 10;
const LARGE: usize = 256 << 20;

/// Everything but the durable rows.
pub(crate) const ROWS: [Row; 14] = [
    Row { name: "create 4 KiB", work: create, batch: 400, rounds: 41, size: SMALL, files: Files::None },
    Row { name: "read 4 KiB", work: read, batch: 400, rounds: 41, size: SMALL, files: Files::Each },
    Row {
        name: "read 16 MiB",
        work: read_shared,
        batch: 4,
        rounds: 31,
        size: 16 << 20,
        files: Files::Shared(4),
    },
    Row {
        name: "atomic replace 4 KiB",
        work: replace,
        batch: 400,
        rounds: 41,
        size: SMALL,
        files: Files::Each,
    },
    Row { name: "append 100 B", work: append, batch: 400, rounds: 41, size: SMALL, files: Files::Each },
    Row { name: "info", work: info, batch: 400, rounds: 61, size: SMALL, files: Files::Each },
    Row { name: "delete", work: delete, batch: 400, rounds: 41, size: SMALL, files: Files::Each },
    Row {
        name: "list 10,000 with size and time",
        work: list,
        batch: 1,
        rounds: 21,
        size: 10,
        files: Files::Shared(10_000),
    },
    Row {
        name: "list 10,000 names",
        work: list_names,
        batch: 1,
        rounds: 21,
        size: 10,
        files: Files::Shared(10_000),
    },
    Row {
        name: "stream read 1 GiB",
        work: stream_read,
        batch: 1,
        rounds: 11,
        size: 1 << 30,
        files: Files::Shared(1),
    },
    Row {
        name: "stream write 256 MiB",
        work: stream_write,
        batch: 1,
        rounds: 11,
        size: 0,
        files: Files::None,
    },
    Row {
        name: "sha256 of 256 MiB",
        work: sha256,
        batch: 1,
        rounds: 11,
        size: LARGE,
        files: Files::Shared(1),
    },
    Row {
        name: "blake3 of 256 MiB",
        work: blake3,
        batch: 1,
        rounds: 11,
        size: LARGE,
        files: Files::Shared(1),
    },
    Row { name: "mixed, 8 threads", work: mixed, batch: 8 * 60, rounds: 31, size: SMALL, files: Files::None },
];

/// What waits for the disk.
pub(crate) const DURABLE_ROWS: [Row; 4] = [
    Row { name: "create 4 KiB", work: create, batch: 20, rounds: 31, size: SMALL, files: Files::None },
    Row {
        name: "atomic replace 4 KiB",
        work: replace,
        batch: 20,
        rounds: 31,
        size: SMALL,
        files: Files::Each,
    },
    Row { name: "append 100 B", work: append, batch: 20, rounds: 31, size: SMALL, files: Files::Each },
    Row { name: "delete", work: delete, batch: 20, rounds: 31, size: SMALL, files: Files::Each },
];

fn create(contender: &dyn Contender, folder: &Folder, count: usize) -> Result<bool> {
    folder.each(count, |path| contender.create(path, &folder.content))
}

fn read(contender: &dyn Contender, folder: &Folder, count: usize) -> Result<bool> {
    folder.each(count, |path| expect(contender.read(path)?, folder.content.len()))
}

fn read_shared(contender: &dyn Contender, folder: &Folder, count: usize) -> Result<bool> {
    read(contender, folder, count)
}

fn replace(contender: &dyn Contender, folder: &Folder, count: usize) -> Result<bool> {
    folder.each(count, |path| contender.replace(path, &folder.content))
}

fn append(contender: &dyn Contender, folder: &Folder, count: usize) -> Result<bool> {
    let line = folder.content.slice(..100);
    for number in 0..count {
        match contender.append(&folder.file(number), &line) {
            None => return Ok(false),
            Some(done) => done?,
        }
    }
    Ok(true)
}

fn info(contender: &dyn Contender, folder: &Folder, count: usize) -> Result<bool> {
    folder.each(count, |path| expect(contender.info(path)?, folder.content.len()))
}

fn delete(contender: &dyn Contender, folder: &Folder, count: usize) -> Result<bool> {
    folder.each(count, |path| contender.delete(path))
}

fn list(contender: &dyn Contender, folder: &Folder, _: usize) -> Result<bool> {
    expect(contender.list(&folder.path)?, 10_000).map(|()| true)
}

fn list_names(contender: &dyn Contender, folder: &Folder, _: usize) -> Result<bool> {
    expect(contender.list_names(&folder.path)?, 10_000).map(|()| true)
}

fn stream_read(contender: &dyn Contender, folder: &Folder, _: usize) -> Result<bool> {
    let mut size = 0;
    contender.stream_read(&folder.file(0), &mut |piece| size += black_box(piece).len() as u64)?;
    expect(size, 1 << 30).map(|()| true)
}

fn stream_write(contender: &dyn Contender, folder: &Folder, _: usize) -> Result<bool> {
    let piece = Bytes::from(vec![7; CHUNK]);
    contender.stream_write(&folder.file(0), &piece, LARGE / CHUNK).map(|()| true)
}

fn sha256(contender: &dyn Contender, folder: &Folder, _: usize) -> Result<bool> {
    black_box(contender.sha256(&folder.file(0))?);
    Ok(true)
}

fn blake3(contender: &dyn Contender, folder: &Folder, _: usize) -> Result<bool> {
    black_box(contender.blake3(&folder.file(0))?);
    Ok(true)
}

/// Eight threads in one directory, each with files of its own.
fn mixed(contender: &dyn Contender, folder: &Folder, count: usize) -> Result<bool> {
    let content = &folder.content;
    let one = |path: &str| {
        contender.create(path, content)?;
        expect(contender.info(path)?, content.len())?;
        expect(contender.read(path)?, content.len())?;
        contender.replace(path, content)?;
        expect(contender.read(path)?, content.len())?;
        contender.delete(path)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                scope.spawn(move || {
                    (0..count / 8).try_for_each(|number| one(&folder.file(thread * 10_000 + number)))
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
    })?;
    Ok(true)
}

fn expect(found: u64, expected: usize) -> Result<()> {
    if found == expected as u64 { Ok(()) } else { Err(format!("{found} instead of {expected}").into()) }
}

/// The seconds that an operation took, for each contender and round; none for who cannot do it.
pub(crate) type Times = Vec<Vec<f64>>;

impl Row {
    /// Runs all rounds, or few if `quick`.
    pub(crate) fn run(&self, root: &Path, contenders: &[Box<dyn Contender>], quick: bool) -> Result<Times> {
        let content = Bytes::from(vec![b'x'; self.size]);
        let shared = root.join("shared");
        if let Files::Shared(count) = self.files {
            fill(&shared, count, &content)?;
        }
        let mut times = vec![Vec::new(); contenders.len()];
        let mut order: Vec<usize> = (0..contenders.len()).collect();
        // The first round warms caches, connections and heaps.
        for round in 0..=if quick { 3 } else { self.rounds } {
            let folder = |index: usize| match self.files {
                Files::Shared(_) => "shared".to_owned(),
                _ => format!("round-{round}/contender-{index}/directory"),
            };
            shuffle(&mut order);
            for &index in &order {
                let count = if matches!(self.files, Files::Each) { self.batch } else { 0 };
                fill(&root.join(folder(index)), count, &content)?;
            }
            shuffle(&mut order);
            for &index in &order {
                let folder = Folder { path: folder(index), content: content.clone() };
                let started = Instant::now();
                let can = (self.work)(&*contenders[index], &folder, self.batch)
                    .map_err(|error| format!("{}, {}: {error}", contenders[index].name(), self.name))?;
                let taken = started.elapsed();
                if can && round > 0 {
                    times[index].push(taken.as_secs_f64() / self.batch as f64);
                }
            }
            let _ = fs::remove_dir_all(root.join(format!("round-{round}")));
        }
        let _ = fs::remove_dir_all(shared);
        Ok(times)
    }
}

/// Makes a directory with so many files.
fn fill(folder: &Path, count: usize, content: &[u8]) -> Result<()> {
    fs::create_dir_all(folder)?;
    (0..count).try_for_each(|number| fs::write(folder.join(format!("file-{number:05}.bin")), content))?;
    Ok(())
}

/// Fisher and Yates' shuffle, with a generator by Marsaglia that the clock seeds.
fn shuffle(order: &mut [usize]) {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or(Duration::from_secs(1));
    let mut state = since.as_nanos() as u64 | 1;
    for last in (1..order.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        order.swap(last, (state >> 16) as usize % (last + 1));
    }
}
