//! Between the types of the contract and those that cross the boundary: plain `From`, the same on both sides.

use std::{borrow::Cow, collections::BTreeMap, error::Error as StdError, fmt};

use f9_plugin_abi::{
    AbiConflict, AbiConflictSide, AbiError, AbiErrorKind, AbiFileInfo, AbiFileKind, AbiOptions, AbiPair,
    AbiRange, AbiSearchHit, AbiSyncReport, AbiTime, ROption, RString, RVec, flags,
};

use crate::{
    BackendPath, ByteRange, Conflict, ConflictSide, CopyOptions, CreateOptions, DeleteOptions, Error,
    ErrorKind, FileInfo, FileKind, ListOptions, Result, SearchHit, SyncReport, UpdateMode,
    boundary::text_from_abi,
    secrets::{Words, hide},
};

impl From<Error> for AbiError {
    #[cold]
    fn from(error: Error) -> Self {
        let shown = |text: &str| RString::from(&*hide(text, Words::Hidden));
        let context = error.context().map(|(name, value)| AbiPair { name: shown(name), value: shown(value) });
        Self {
            kind: AbiErrorKind(error.kind().code()),
            message: shown(error.message()),
            path: error.path().map(|path| RString::from(&*hide(path, Words::Shown))).into(),
            hint: error.advice().map(shown).into(),
            context: context.collect(),
            causes: error.causes().map(|cause| shown(&cause)).collect(),
        }
    }
}

impl From<AbiError> for Error {
    #[cold]
    fn from(wire: AbiError) -> Self {
        let mut error = Self::new(ErrorKind::from_code(wire.kind.0), text(&wire.message));
        if let ROption::RSome(path) = &wire.path {
            error = error.at(text(path));
        }
        if let ROption::RSome(hint) = &wire.hint {
            error = error.hint(text(hint));
        }
        for pair in &wire.context {
            error = error.with(text(&pair.name), text(&pair.value));
        }
        match Cause::chain(&wire.causes) {
            Some(cause) => error.caused_by(cause),
            None => error,
        }
    }
}

/// Text of the other side.
fn text(wire: &RString) -> String {
    text_from_abi(wire.as_rstr()).into_owned()
}

/// More causes than this are not told: a chain is walked, and dropped, step by step.
const MAX_CAUSES: usize = 64;

/// A cause that crossed the boundary: its text, and what caused it in turn.
#[derive(Debug)]
struct Cause {
    text: String,
    source: Option<Box<Cause>>,
}

impl Cause {
    fn chain(texts: &[RString]) -> Option<Box<Self>> {
        let nearest = texts.iter().take(MAX_CAUSES).rev();
        nearest.fold(None, |source, wire| Some(Box::new(Self { text: text(wire), source })))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|cause| cause as _)
    }
}

fn pair(name: &str, value: &str) -> AbiPair {
    AbiPair { name: name.into(), value: value.into() }
}

/// Most files have no attributes, and then each entry of a listing is spared the making of two empty collections.
fn pairs(map: &BTreeMap<String, String>) -> RVec<AbiPair> {
    if map.is_empty() {
        return RVec::new();
    }
    map.iter().map(|(name, value)| pair(name, value)).collect()
}

fn map(pairs: &[AbiPair]) -> BTreeMap<String, String> {
    pairs.iter().map(|pair| (text(&pair.name), text(&pair.value))).collect()
}

impl From<FileKind> for AbiFileKind {
    #[inline]
    fn from(kind: FileKind) -> Self {
        match kind {
            FileKind::File => Self::FILE,
            FileKind::Directory => Self::DIRECTORY,
            FileKind::Symlink => Self::SYMLINK,
            FileKind::Other => Self::OTHER,
        }
    }
}

impl From<AbiFileKind> for FileKind {
    #[inline]
    fn from(wire: AbiFileKind) -> Self {
        match wire {
            AbiFileKind::FILE => Self::File,
            AbiFileKind::DIRECTORY => Self::Directory,
            AbiFileKind::SYMLINK => Self::Symlink,
            _ => Self::Other,
        }
    }
}

impl From<FileInfo> for AbiFileInfo {
    #[inline]
    fn from(info: FileInfo) -> Self {
        Self {
            path: String::from(info.path).into(),
            kind: info.kind.into(),
            size: info.size,
            created_at: info.created_at.map(AbiTime::from).into(),
            modified_at: info.modified_at.map(AbiTime::from).into(),
            attributes: pairs(&info.attributes),
        }
    }
}

/// Fails on a path that the contract does not allow: the other side may be wrong.
impl TryFrom<AbiFileInfo> for FileInfo {
    type Error = Error;

    #[inline]
    fn try_from(wire: AbiFileInfo) -> Result<Self> {
        read_info(wire, None)
    }
}

/// A description by the other side, which most likely has the path `asked`: then that is a path.
#[inline]
pub(crate) fn read_info(wire: AbiFileInfo, asked: Option<&BackendPath>) -> Result<FileInfo> {
    let time = |time: ROption<AbiTime>| time.into_option().and_then(AbiTime::to_system_time);
    let path = match asked {
        Some(asked) if asked.as_str().as_bytes() == wire.path.as_rstr().as_rslice().as_slice() => {
            asked.clone()
        }
        _ => their_path(&wire.path)?,
    };
    let mut info = FileInfo::new(path, wire.kind.into(), wire.size)
        .created_at(time(wire.created_at))
        .modified_at(time(wire.modified_at));
    if !wire.attributes.is_empty() {
        info.attributes = map(&wire.attributes);
    }
    Ok(info)
}

/// A path that the other side tells of.
fn their_path(wire: &RString) -> Result<BackendPath> {
    match text_from_abi(wire.as_rstr()) {
        Cow::Borrowed(text) => BackendPath::parse(text).map_err(no_path),
        Cow::Owned(text) => Err(no_path(Error::new(ErrorKind::InvalidPath, "it is not UTF-8").at(text))),
    }
}

#[cold]
fn no_path(cause: Error) -> Error {
    Error::new(ErrorKind::Other, "the plugin answered a path that is none").caused_by(cause)
}

impl From<SyncReport> for AbiSyncReport {
    fn from(report: SyncReport) -> Self {
        let revision = report.revision.map(RString::from).into();
        Self { sent: report.sent, received: report.received, revision, attributes: RVec::new() }
    }
}

impl From<AbiSyncReport> for SyncReport {
    fn from(wire: AbiSyncReport) -> Self {
        Self::new(wire.sent, wire.received, wire.revision.into_option().map(|revision| text(&revision)))
    }
}

impl From<ConflictSide> for AbiConflictSide {
    fn from(side: ConflictSide) -> Self {
        Self { id: side.id.into(), size: side.size }
    }
}

impl From<AbiConflictSide> for ConflictSide {
    fn from(wire: AbiConflictSide) -> Self {
        Self::new(text(&wire.id), wire.size)
    }
}

impl From<Conflict> for AbiConflict {
    fn from(conflict: Conflict) -> Self {
        let side = |side: Option<ConflictSide>| side.map(AbiConflictSide::from).into();
        Self {
            path: conflict.path.as_str().into(),
            status: conflict.status.into(),
            base: side(conflict.base),
            local: side(conflict.local),
            remote: side(conflict.remote),
            attributes: RVec::new(),
        }
    }
}

impl TryFrom<AbiConflict> for Conflict {
    type Error = Error;

    fn try_from(wire: AbiConflict) -> Result<Self> {
        let side = |side: ROption<AbiConflictSide>| side.into_option().map(ConflictSide::from);
        let mut conflict = Self::new(their_path(&wire.path)?, text(&wire.status));
        conflict.base = side(wire.base);
        conflict.local = side(wire.local);
        conflict.remote = side(wire.remote);
        Ok(conflict)
    }
}

impl From<SearchHit> for AbiSearchHit {
    fn from(hit: SearchHit) -> Self {
        Self {
            path: hit.path.as_str().into(),
            score: hit.score,
            snippet: hit.snippet.into(),
            attributes: pairs(&hit.attributes),
        }
    }
}

impl TryFrom<AbiSearchHit> for SearchHit {
    type Error = Error;

    fn try_from(wire: AbiSearchHit) -> Result<Self> {
        let mut hit = Self::new(their_path(&wire.path)?, wire.score, text(&wire.snippet));
        hit.attributes = map(&wire.attributes);
        Ok(hit)
    }
}

impl From<ByteRange> for AbiRange {
    fn from(range: ByteRange) -> Self {
        Self { offset: range.offset, length: range.length.unwrap_or(u64::MAX) }
    }
}

impl From<AbiRange> for ByteRange {
    fn from(wire: AbiRange) -> Self {
        Self { offset: wire.offset, length: (wire.length != u64::MAX).then_some(wire.length) }
    }
}

/// Defines how an options type becomes flags, and flags become it: a bit that it does not have is refused, because the
/// caller asked for something.
macro_rules! options_as_flags {
    ($($options:ident: $($field:ident = $flag:ident),+;)+) => {$(
        impl From<$options> for AbiOptions<'static> {
            fn from(options: $options) -> Self {
                Self::new($(if options.$field { flags::$flag } else { 0 })|+)
            }
        }

        impl TryFrom<AbiOptions<'_>> for $options {
            type Error = Error;

            fn try_from(wire: AbiOptions<'_>) -> Result<Self> {
                refuse_unknown(wire, $(flags::$flag)|+)?;
                Ok(Self { $($field: wire.flags & flags::$flag != 0),+ })
            }
        }
    )+};
}

options_as_flags! {
    CreateOptions: overwrite = OVERWRITE;
    CopyOptions: overwrite = OVERWRITE;
    DeleteOptions: recursive = RECURSIVE;
    ListOptions: recursive = RECURSIVE, names_only = NAMES_ONLY;
}

impl From<UpdateMode> for AbiOptions<'static> {
    fn from(mode: UpdateMode) -> Self {
        Self::new(if mode == UpdateMode::Append { flags::APPEND } else { 0 })
    }
}

impl TryFrom<AbiOptions<'_>> for UpdateMode {
    type Error = Error;

    fn try_from(wire: AbiOptions<'_>) -> Result<Self> {
        refuse_unknown(wire, flags::APPEND)?;
        Ok(if wire.flags & flags::APPEND != 0 { Self::Append } else { Self::Replace })
    }
}

fn refuse_unknown(wire: AbiOptions<'_>, known: u64) -> Result<()> {
    let unknown = wire.flags & !known;
    if unknown == 0 && wire.extra.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = wire.extra.iter().map(|pair| pair.name.as_str()).collect();
    Err(Error::unsupported("an option of this call")
        .with("flags", format_args!("{unknown:#x}"))
        .with("names", names.join(","))
        .hint("the plugin is older than the host: update the plugin"))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn errors_keep_everything_but_the_types_of_their_causes() {
        let cause = Error::new(ErrorKind::Io, "disk").caused_by(std::io::Error::other("bad block"));
        let error = Error::new(ErrorKind::Integrity, "cannot read")
            .at("a/b")
            .hint("restore it")
            .with("part", 3)
            .caused_by(cause);
        let back = Error::from(AbiError::from(error));
        assert_eq!(back.kind(), ErrorKind::Integrity);
        assert_eq!(back.to_string(), "a/b: cannot read [part=3]");
        assert_eq!(back.advice(), Some("restore it"));
        assert_eq!(back.causes().collect::<Vec<_>>(), ["disk", "bad block"]);
    }

    #[test]
    fn every_kind_crosses_and_an_unknown_one_is_other() {
        for &kind in ErrorKind::ALL {
            assert_eq!(Error::from(AbiError::from(Error::new(kind, ""))).kind(), kind);
        }
        assert_eq!(Error::from(AbiError::new(AbiErrorKind(60_000), "new")).kind(), ErrorKind::Other);
        for (code, kind) in [
            (AbiErrorKind::OTHER, ErrorKind::Other),
            (AbiErrorKind::UNSUPPORTED, ErrorKind::Unsupported),
            (AbiErrorKind::PANICKED, ErrorKind::Panicked),
        ] {
            assert_eq!(kind.code(), code.0);
        }
    }

    #[test]
    fn infos_there_and_back() {
        for kind in [FileKind::File, FileKind::Directory, FileKind::Symlink, FileKind::Other] {
            let info = FileInfo::new(BackendPath::parse("a/é").unwrap(), kind, u64::MAX)
                .created_at(Some(UNIX_EPOCH - Duration::from_nanos(1)))
                .attribute("etag", "x");
            assert_eq!(FileInfo::try_from(AbiFileInfo::from(info.clone())).unwrap(), info);
        }
        let mut wire = AbiFileInfo::from(FileInfo::new(BackendPath::root(), FileKind::File, 0));
        wire.kind = AbiFileKind(999);
        assert_eq!(FileInfo::try_from(wire.clone()).unwrap().kind, FileKind::Other);
        wire.path = "../x".into();
        assert!(FileInfo::try_from(wire).is_err());
    }

    #[test]
    fn sync_and_search_there_and_back() {
        let mut conflict = Conflict::new(BackendPath::parse("a").unwrap(), "UD");
        conflict.local = Some(ConflictSide::new("abc", 5));
        assert_eq!(Conflict::try_from(AbiConflict::from(conflict.clone())).unwrap(), conflict);
        let report = SyncReport::new(1, 2, Some("abc".into()));
        assert_eq!(SyncReport::from(AbiSyncReport::from(report.clone())), report);
        let hit = SearchHit::new(BackendPath::parse("a").unwrap(), 0.5, "text");
        assert_eq!(SearchHit::try_from(AbiSearchHit::from(hit.clone())).unwrap(), hit);
    }

    #[test]
    fn options_there_and_back_and_unknown_ones_refused() {
        for overwrite in [false, true] {
            let options = CreateOptions::default().overwrite(overwrite);
            assert_eq!(CreateOptions::try_from(AbiOptions::from(options)).unwrap(), options);
        }
        for (recursive, names_only) in [(false, true), (true, false), (true, true)] {
            let options = ListOptions::default().recursive(recursive).names_only(names_only);
            assert_eq!(ListOptions::try_from(AbiOptions::from(options)).unwrap(), options);
        }
        for mode in [UpdateMode::Replace, UpdateMode::Append] {
            assert_eq!(UpdateMode::try_from(AbiOptions::from(mode)).unwrap(), mode);
        }
        let error = DeleteOptions::try_from(AbiOptions::new(1 << 40)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        for range in [ByteRange::ALL, (3..9).into(), (3..).into()] {
            assert_eq!(ByteRange::from(AbiRange::from(range)), range);
        }
    }
}
