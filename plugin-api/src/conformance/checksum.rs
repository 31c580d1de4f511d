//! `checksum`.

use super::{
    Applies, Case,
    check::{Checked, cases, ensure},
    subject::Subject,
};
use crate::{Capabilities, ChecksumAlgorithm, ErrorKind};

pub(super) const CASES: &[Case] = cases! {
    "checksum", Applies::Declared(Capabilities::CHECKSUM);
    is_the_algorithms: "A file's checksum in lower-case hexadecimal.";
    offers_an_algorithm: "A backend declares an operation if and only if it works.";
    follows_the_content: "A file's checksum: of its content as it is now.";
    fails_as_read: "Unsupported for an algorithm that the storage does not offer; else as read.";
};

/// Of the empty file and of `abc`, as the algorithms' specifications print them.
const VECTORS: [(ChecksumAlgorithm, &str, &str); 4] = [
    (
        ChecksumAlgorithm::Sha256,
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ),
    (
        ChecksumAlgorithm::Sha512,
        "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ),
    (
        ChecksumAlgorithm::Blake3,
        "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
        "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
    ),
    (ChecksumAlgorithm::Md5, "d41d8cd98f00b204e9800998ecf8427e", "900150983cd24fb0d6963f7d28e17f72"),
];

/// The checksum, or `None` for an algorithm that is not offered.
fn offered(s: &Subject<'_>, path: &str, algorithm: ChecksumAlgorithm) -> Checked<Option<String>> {
    let answer = s.checksum(path, algorithm);
    match answer.result {
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(None),
        _ => answer.done().map(Some),
    }
}

fn is_the_algorithms(s: &Subject<'_>) -> Checked {
    s.create("empty", "").done()?;
    s.create("abc", "abc").done()?;
    for (algorithm, of_empty, of_abc) in VECTORS {
        for (path, expected) in [("empty", of_empty), ("abc", of_abc)] {
            let found = offered(s, path, algorithm)?;
            let right = found.as_deref().is_none_or(|found| found == expected);
            ensure!(right, "{} of {path:?}: {found:?} instead of {expected}", algorithm.as_str());
        }
    }
    Ok(())
}

fn offers_an_algorithm(s: &Subject<'_>) -> Checked {
    s.create("file", "x").done()?;
    for algorithm in ChecksumAlgorithm::ALL {
        if offered(s, "file", algorithm)?.is_some() {
            return Ok(());
        }
    }
    ensure!(false, "`checksum` is declared, and every algorithm is Unsupported");
    Ok(())
}

fn follows_the_content(s: &Subject<'_>) -> Checked {
    s.create("file", "ab").done()?;
    s.create("abc", "abc").done()?;
    for algorithm in ChecksumAlgorithm::ALL {
        s.replace("file", "ab").done()?;
        let before = offered(s, "file", algorithm)?;
        s.append("file", "c").done()?;
        let after = offered(s, "file", algorithm)?;
        ensure!(before.is_none() || before != after, "{} is that of the old content", algorithm.as_str());
        ensure!(after == offered(s, "abc", algorithm)?, "{} differs for equal contents", algorithm.as_str());
    }
    Ok(())
}

fn fails_as_read(s: &Subject<'_>) -> Checked {
    s.create("dir/file", "x").done()?;
    for algorithm in ChecksumAlgorithm::ALL {
        if offered(s, "dir/file", algorithm)?.is_some() {
            s.checksum("missing", algorithm).fails(ErrorKind::NotFound)?;
            s.checksum("dir", algorithm).fails(ErrorKind::IsADirectory)?;
            s.checksum("dir/file/below", algorithm).fails(ErrorKind::NotADirectory)?;
        }
    }
    Ok(())
}
