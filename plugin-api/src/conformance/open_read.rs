//! `open_read`.

use std::io::{self, Read};

use super::{
    Applies, Case,
    check::{Checked, Failure, cases, ensure, noise, same, samples},
    read::{part, ranges},
    subject::Subject,
};
use crate::{BackendPath, ByteRange, Error, ErrorKind, Reader};

pub(super) const CASES: &[Case] = cases! {
    "open_read", Applies::Always;
    streams_the_content: "Part of a file's content as a stream.";
    streams_any_part: "Part of a file's content as a stream: what the range covers beyond the end is left out.";
    can_be_read_in_any_pieces: "The content of a file, read piece by piece.";
    ends_for_good: "The content of a file, read piece by piece: after its end there is nothing more.";
    streams_are_independent: "Every method may be called from many threads at once, without any order between them.";
    can_be_read_on_another_thread: "Reader: Send.";
    is_one_version_while_replaced: "What it yields is one version of the file or an error, not a mixture of two.";
    is_one_version_while_deleted: "What it yields is one version of the file or an error, not a mixture of two.";
    fails_as_read: "# Errors: as read; the stream carries an Error inside its `io::Error`s.";
};

fn open(s: &Subject<'_>, path: &str) -> Checked<Reader> {
    let opened = BackendPath::parse(path).and_then(|path| s.0.open_read(&path, ByteRange::ALL));
    opened.map_err(|error| Failure { seen: format!("open_read of {path:?}: {error}") })
}

/// Reads one piece; errors count as failures.
fn piece<'b>(reader: &mut Reader, buffer: &'b mut [u8]) -> Checked<&'b [u8]> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure { seen: format!("reading a stream: {error}") }),
            Ok(length) if length > buffer.len() => {
                return Err(Failure { seen: format!("{length} bytes in a buffer of {}", buffer.len()) });
            }
            Ok(length) => return Ok(&buffer[..length]),
        }
    }
}

fn streams_the_content(s: &Subject<'_>) -> Checked {
    for (name, content) in samples() {
        s.create(name, &content).done()?;
        s.stream(name, ByteRange::ALL).is(&content)?;
    }
    Ok(())
}

fn streams_any_part(s: &Subject<'_>) -> Checked {
    const CONTENT: &[u8] = b"0123456789";
    s.create("file", CONTENT).done()?;
    for range in ranges() {
        s.stream("file", range).is(part(CONTENT, range))?;
    }
    let content = noise(300_000);
    s.create("large", &content).done()?;
    s.stream("large", (100_001..250_001).into()).is(&content[100_001..250_001])
}

fn can_be_read_in_any_pieces(s: &Subject<'_>) -> Checked {
    let content = noise(20_000);
    s.create("file", &content).done()?;
    for size in [1, 3, 4096, 100_000] {
        let (mut reader, mut buffer, mut found) = (open(s, "file")?, vec![0; size], Vec::new());
        loop {
            let piece = piece(&mut reader, &mut buffer)?;
            if piece.is_empty() {
                break;
            }
            found.extend_from_slice(piece);
        }
        same(&format!("in pieces of {size} bytes"), &found, &content)?;
    }
    Ok(())
}

fn ends_for_good(s: &Subject<'_>) -> Checked {
    s.create("file", "content").done()?;
    let mut reader = open(s, "file")?;
    while !piece(&mut reader, &mut [0; 100])?.is_empty() {}
    s.append("file", "more").done()?;
    let more = piece(&mut reader, &mut [0; 100])?.len();
    ensure!(more == 0, "after its end the stream went on with {more} bytes");
    Ok(())
}

fn streams_are_independent(s: &Subject<'_>) -> Checked {
    let (first, second) = (vec![b'1'; 10_000], vec![b'2'; 10_000]);
    s.create("1", &first).done()?;
    s.create("2", &second).done()?;
    let mut readers = [open(s, "1")?, open(s, "2")?, open(s, "1")?];
    let mut found = [Vec::new(), Vec::new(), Vec::new()];
    // Not without end, should one of them have none.
    for _ in 0..10_000 {
        let length = found.each_ref().map(Vec::len);
        for (reader, found) in readers.iter_mut().zip(&mut found) {
            found.extend_from_slice(piece(reader, &mut [0; 7])?);
        }
        if found.each_ref().map(Vec::len) == length {
            break;
        }
    }
    for (found, expected) in found.iter().zip([&first, &second, &first]) {
        same("of three streams read in turns, one", found, expected)?;
    }
    Ok(())
}

fn can_be_read_on_another_thread(s: &Subject<'_>) -> Checked {
    let content = noise(50_000);
    s.create("file", &content).done()?;
    let mut reader = open(s, "file")?;
    let read = std::thread::spawn(move || {
        let mut found = Vec::new();
        reader.read_to_end(&mut found).map(|_| found)
    });
    match read.join() {
        Ok(Ok(found)) => same("on another thread", &found, &content),
        Ok(Err(error)) => Err(Failure { seen: format!("on another thread: {error}") }),
        Err(_) => Err(Failure { seen: "on another thread: a panic".to_owned() }),
    }
}

fn is_one_version_while_replaced(s: &Subject<'_>) -> Checked {
    let (old, new) = (vec![b'o'; 300_000], vec![b'n'; 200_000]);
    one_version(s, &old, &new, || s.replace("file", &new).done().map(drop))?;
    s.delete("file").done()?;
    one_version(s, &old, &new, || s.overwrite("file", &new).done().map(drop))
}

fn is_one_version_while_deleted(s: &Subject<'_>) -> Checked {
    let old = vec![b'o'; 300_000];
    one_version(s, &old, &old, || s.delete("file").done())
}

/// Reads a stream half before and half after a change.
fn one_version(s: &Subject<'_>, old: &[u8], new: &[u8], change: impl FnOnce() -> Checked) -> Checked {
    s.create("file", old).done()?;
    let mut reader = open(s, "file")?;
    let mut found = piece(&mut reader, &mut [0; 1000])?.to_vec();
    change()?;
    match reader.read_to_end(&mut found) {
        Err(error) => carries_an_error(error),
        Ok(_) if found == new => Ok(()),
        Ok(_) => same("a stream of a file that changed meanwhile", &found, old),
    }
}

fn carries_an_error(error: io::Error) -> Checked {
    let carried = error.get_ref().is_some_and(|inner| inner.is::<Error>());
    ensure!(carried, "the stream's error carries no `Error`: {error}");
    Ok(())
}

fn fails_as_read(s: &Subject<'_>) -> Checked {
    s.create("dir/file", "x").done()?;
    s.stream("dir", ByteRange::ALL).fails(ErrorKind::IsADirectory)?;
    s.stream("missing", ByteRange::ALL).fails(ErrorKind::NotFound)?;
    s.stream("dir/missing", (5..).into()).fails(ErrorKind::NotFound)?;
    s.stream("dir/file/below", ByteRange::ALL).fails(ErrorKind::NotADirectory)
}
