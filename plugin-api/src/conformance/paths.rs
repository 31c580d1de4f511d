//! What holds of paths in every operation.

use super::{
    Applies, Case,
    check::{Checked, cases, ensure},
    subject::Subject,
};
use crate::{ByteRange, Capabilities, ErrorKind};

pub(super) const CASES: &[Case] = cases! {
    "paths", Applies::Always;
    the_root_has_only_info_and_list: "Only `info` and `list` accept the root; everything else answers InvalidPath.";
    the_root_has_no_declared_operation_either: "Only `info` and `list` accept the root; everything else answers InvalidPath.";
    long_and_deep_paths_are_whole_or_refused: "Names pass byte for byte. What a storage cannot name is InvalidPath.";
};

fn the_root_has_only_info_and_list(s: &Subject<'_>) -> Checked {
    s.create("dir/file", "kept").done()?;
    s.unchanged_by(|| {
        s.create("/", "x").fails(ErrorKind::InvalidPath)?;
        s.overwrite("/", "x").fails(ErrorKind::InvalidPath)?;
        s.create_dir("/").fails(ErrorKind::InvalidPath)?;
        s.overwrite_dir("/").fails(ErrorKind::InvalidPath)?;
        s.read("/").fails(ErrorKind::InvalidPath)?;
        s.read_range("/", ByteRange::ALL).fails(ErrorKind::InvalidPath)?;
        s.stream("/", ByteRange::ALL).fails(ErrorKind::InvalidPath)?;
        s.replace("/", "x").fails(ErrorKind::InvalidPath)?;
        s.append("/", "x").fails(ErrorKind::InvalidPath)?;
        s.delete("/").fails(ErrorKind::InvalidPath)?;
        s.delete_all("/").fails(ErrorKind::InvalidPath)
    })?;
    s.info("/").done()?;
    s.list("/").done()?;
    Ok(())
}

fn the_root_has_no_declared_operation_either(s: &Subject<'_>) -> Checked {
    s.create("dir/file", "kept").done()?;
    let declared = s.0.capabilities();
    s.unchanged_by(|| {
        for overwrite in [false, true] {
            if declared.contains(Capabilities::OPEN_WRITE) {
                s.write("/", b"x", overwrite).fails(ErrorKind::InvalidPath)?;
            }
            if declared.contains(Capabilities::COPY) {
                s.copy("/", "new", overwrite).fails(ErrorKind::InvalidPath)?;
                s.copy("dir/file", "/", overwrite).fails(ErrorKind::InvalidPath)?;
            }
            if declared.contains(Capabilities::RENAME) {
                s.rename("/", "new", overwrite).fails(ErrorKind::InvalidPath)?;
                s.rename("dir", "/", overwrite).fails(ErrorKind::InvalidPath)?;
            }
        }
        if declared.contains(Capabilities::CHECKSUM) {
            s.checksum("/", crate::ChecksumAlgorithm::Sha256).error()?;
        }
        Ok(())
    })
}

fn long_and_deep_paths_are_whole_or_refused(s: &Subject<'_>) -> Checked {
    for path in
        ["d/".repeat(100) + "file", "d/".repeat(2000) + "file", ("n".repeat(200) + "/").repeat(20) + "file"]
    {
        let created = s.create(&path, "content");
        if created.result.is_err() {
            created.fails(ErrorKind::InvalidPath)?;
            continue;
        }
        s.read(&path).is("content")?;
        let info = s.info(&path).done()?;
        ensure!(info.path.as_str() == path, "the path came back as {:?}", info.path);
    }
    Ok(())
}
