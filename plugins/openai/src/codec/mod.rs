//! From content to files that the service takes, and back to the very same bytes.

mod armor;
mod cut;
mod text;

use f9_plugin_api::BackendPath;

use crate::record::{Digest, Record, Storage};

pub(crate) use cut::{PIECE, cut};
pub(crate) use text::{Frame, Text, candidates};

/// The extensions that the service takes and that are text.
const TEXT_EXTENSIONS: [&str; 17] = [
    "c", "cpp", "cs", "css", "go", "html", "java", "js", "json", "md", "php", "py", "rb", "sh", "tex", "ts",
    "txt",
];

/// What a file is uploaded as when its content is elsewhere: the service takes no empty ones.
pub(crate) const STUB: &str = "This entry belongs to a file system kept by f9.\n";

/// The armour of a part's content, beginning with a line that has no meaning but differs with `salt`.
pub(crate) fn armor(content: &[u8], salt: u64) -> String {
    armor::encode(content, salt)
}

/// The content of a part, if it is in the texts that the service returned: `texts` are the parts in order, which may
/// overlap. What comes back has the recorded length and checksum.
pub(crate) fn restore(record: &Record, texts: &[&str]) -> Option<Vec<u8>> {
    let fits =
        |content: &Vec<u8>| content.len() as u64 == record.length && Digest::of(content) == record.digest;
    match &record.storage {
        Storage::Inline(content) => Some(content.clone()).filter(fits),
        Storage::Armor => armor::decode(texts, usize::try_from(record.length).ok()?).filter(fits),
        Storage::Raw(frame) => candidates(texts).map(|text| frame.around(&text)).find(fits),
        Storage::Copy => None,
    }
}

/// The extension to upload a text with: its own if the service takes it, so that it is cut as what it is.
pub(crate) fn text_extension(path: &BackendPath) -> &'static str {
    let own = path.name().and_then(|name| name.rsplit_once('.')).map_or("", |(_, extension)| extension);
    TEXT_EXTENSIONS.into_iter().find(|extension| *extension == own).unwrap_or("txt")
}
